// signed-file: the files phones fetch signed.
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "controller/bin/commands.h"
#include "controller/bin/session.h"
#include "controller/exit_codes.h"
#include "controller/input_file.h"
#include "controller/render/signed_file_output.h"
#include "controller/signed_files.h"

namespace trustline::controller {
namespace {

int Look(const Arguments& arguments, const SignedFile& file, const SignerCheck& check) {
  const std::string& path = arguments.signed_file;
  std::cout << (arguments.output == "json" ? SignedFileJson(path, file, check)
                                           : SignedFileText(path, file, check));
  if (!check || check->ok()) return kExitOk;
  return FailOnFile(
      absl::Status(check->status().code(), absl::StrCat(path, ": ", check->status().message())));
}

int Show(const Arguments& arguments) {
  const absl::StatusOr<SignedFile> file = ReadSignedFile(arguments.signed_file);
  return file.ok() ? Look(arguments, *file, std::nullopt) : FailOnFile(file.status());
}

int Verify(const Arguments& arguments) {
  std::vector<Certificate> candidates;
  for (const std::string& path : arguments.signed_certificates) {
    const absl::StatusOr<std::vector<Certificate>> some = ReadCertificatesFile(path);
    if (!some.ok()) return FailOnFile(some.status());
    candidates.insert(candidates.end(), some->begin(), some->end());
  }
  const absl::StatusOr<SignedFile> file = ReadSignedFile(arguments.signed_file);
  if (!file.ok()) return FailOnFile(file.status());
  SignedFileCheck check;
  if (!arguments.signed_name.empty()) check.expected_name = arguments.signed_name;
  return Look(arguments, *file, FindSigner(*file, candidates, check));
}

int Sign(const Arguments& arguments) {
  SignRequest request;
  request.file = arguments.signed_file;
  request.certificate_file = arguments.signed_certificates.front();
  request.key_file = arguments.signed_key;
  request.digest = arguments.signed_digest;
  request.phone_certificate_file = arguments.signed_phone;
  request.notice = arguments.signed_notice;
  request.name = arguments.signed_name;
  request.out_file = arguments.signed_out;
  request.replace = arguments.signed_replace;
  const absl::StatusOr<std::vector<std::string>> written = SignFile(request, absl::Now());
  if (!written.ok()) return FailOnFile(written.status());
  if (arguments.output == "json") {
    std::cout << SignResultJson(*written);
  } else {
    for (const std::string& path : *written) std::cout << "wrote " << path << "\n";
  }
  return kExitOk;
}

int Strip(const Arguments& arguments) {
  StripRequest request;
  request.file = arguments.signed_file;
  request.certificate_files = arguments.signed_certificates;
  request.phone_key_file = arguments.signed_key;
  request.out_file = arguments.signed_out;
  request.replace = arguments.signed_replace;
  const absl::StatusOr<StripResult> result = StripFile(request);
  if (!result.ok()) return FailOnFile(result.status());
  if (arguments.output == "json") {
    std::cout << StripResultJson(*result);
  } else {
    std::cout << "wrote " << result->file << "; "
              << (result->signer ? absl::StrCat("signed by ", result->signer->subject())
                                 : "the signature was not checked")
              << "\n";
  }
  return kExitOk;
}

}  // namespace

int SignedFileCommand(const Arguments& arguments) {
  if (arguments.command == "signed-file verify") return Verify(arguments);
  if (arguments.command == "signed-file sign") return Sign(arguments);
  if (arguments.command == "signed-file strip") return Strip(arguments);
  return Show(arguments);
}

}  // namespace trustline::controller
