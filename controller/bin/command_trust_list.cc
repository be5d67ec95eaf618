// trust-list: what phones trust, as files.
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "controller/bin/commands.h"
#include "controller/bin/session.h"
#include "controller/exit_codes.h"
#include "controller/render/trust_list_text.h"
#include "controller/trust_list_files.h"

namespace trustline::controller {
namespace {

int Show(const Arguments& arguments) {
  const absl::StatusOr<TrustListFile> file = ReadTrustListFile(arguments.trust_list.file);
  if (!file.ok()) return FailOnFile(file.status());
  const ListVerdict verdict = VerifyTrustList(file->list);
  std::cout << (arguments.output == "json" ? TrustListJson(*file, verdict)
                                           : TrustListText(*file, verdict));
  return kExitOk;
}

int Verify(const Arguments& arguments) {
  const absl::StatusOr<TrustListFile> file = ReadTrustListFile(arguments.trust_list.file);
  if (!file.ok()) return FailOnFile(file.status());
  ListVerdict verdict = VerifyTrustList(file->list);
  if (!arguments.trust_list.signer.empty()) {
    const absl::StatusOr<Certificate> signer = ReadCertificateFile(arguments.trust_list.signer);
    if (!signer.ok()) return FailOnFile(signer.status());
    const absl::Status status = VerifyListSignature(file->list, *signer);
    if (!status.ok()) {
      const ListProblemKind kind = absl::IsNotFound(status) ? ListProblemKind::kUnknownSigner
                                   : absl::IsPermissionDenied(status) ? ListProblemKind::kSignature
                                                                      : ListProblemKind::kAlgorithm;
      verdict.problems.push_back(
          {kind, absl::StrCat(arguments.trust_list.signer, ": ", status.message())});
    }
  }
  std::cerr << TrustListWarnings(*file, absl::Now());
  if (arguments.output == "json") {
    std::cout << TrustListJson(*file, verdict);
  } else {
    (verdict.verified() ? std::cout : std::cerr) << TrustListVerdictText(*file, verdict);
  }
  return verdict.verified() ? kExitOk : kExitFailed;
}

int Build(const Arguments& arguments) {
  const TrustListArguments& wanted = arguments.trust_list;
  BuildRequest request;
  request.ctl = wanted.kind == "ctl";
  request.key_file = wanted.key;
  request.out_file = wanted.out;
  request.digest = wanted.digest == "sha512" ? SignatureDigest::kSha512 : SignatureDigest::kSha1;
  request.timestamp = absl::FromUnixSeconds(absl::ToUnixSeconds(absl::Now()));
  if (!wanted.signer_version.empty())
    request.signer_version = ListVersion{1, static_cast<uint8_t>(wanted.signer_version == "1.1")};
  // The vendor's order: who may sign, the nodes, CAPF, TVS.
  const std::pair<ListRole, const std::vector<std::string>&> groups[] = {
      {ListRole::kSast, wanted.sast},
      {ListRole::kCcmTftp, wanted.callmanager},
      {ListRole::kTftp, wanted.tftp},
      {ListRole::kCapf, wanted.capf},
      {ListRole::kTvs, wanted.tvs}};
  for (const auto& [role, entries] : groups) {
    for (const std::string& entry : entries) request.entries.push_back({role, entry});
  }
  const absl::StatusOr<TrustListFile> file = BuildTrustListFile(request);
  if (!file.ok()) return FailOnFile(file.status());
  const ListVerdict verdict = VerifyTrustList(file->list);
  std::cerr << TrustListWarnings(*file, absl::Now());
  std::cout << (arguments.output == "json" ? TrustListJson(*file, verdict)
                                           : TrustListVerdictText(*file, verdict));
  return verdict.verified() ? kExitOk : kExitFailed;
}

}  // namespace

int TrustListCommand(const Arguments& arguments) {
  if (arguments.command == "trust-list build") return Build(arguments);
  return arguments.command == "trust-list verify" ? Verify(arguments) : Show(arguments);
}

}  // namespace trustline::controller
