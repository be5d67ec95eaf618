#include "agent/resources/signed_file.h"

#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/linux_certificate_store.h"
#include "agent/resources/file_patterns.h"
#include "agent/resources/node_exports.h"
#include "agent/resources/trust_list_steps.h"
#include "agent/staged_name.h"
#include "protos/trustline/v1/kinds/signed_file.pb.h"
#include "trust/sha256.h"
#include "trust/signed_file/signed_file.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

constexpr size_t kMaxSignedFiles = 10000;
constexpr size_t kMaxPayloadBytes = 32 << 20;  // so that the signed file can be read back
constexpr absl::string_view kEnding = ".sgn";

const v1::SignedFileSpec& Spec(const PlanContext& context) {
  return context.resource.signed_file();
}

std::string RootOf(const v1::SignedFileSpec& spec) {
  std::string root = spec.tftp_root();
  while (root.size() > 1 && root.back() == '/') root.pop_back();
  return root;
}

// The node's CallManager certificate, the one that signs; nothing when `verdict` says why not.
absl::StatusOr<std::optional<StoredEntry>> Signer(const PlanContext& context, Resolved& verdict) {
  TL_ASSIGN_OR_RETURN(std::vector<StoredEntry> entries,
                      OwnCertificates(context, "CallManager", verdict.warnings));
  if (entries.empty()) {
    AddPending(verdict, absl::StrCat(context.self.node,
                                     " has no CallManager certificate with its key, which signs "
                                     "what phones download: declare it with `certificate`"));
    return std::optional<StoredEntry>();
  }
  if (entries.size() > 1) {
    AddRefusal(verdict, absl::StrCat(context.self.node, " holds ", entries.size(),
                                     " own certificates of CallManager; which one signs is not "
                                     "guessed: leave one in its slot"));
    return std::optional<StoredEntry>();
  }
  const absl::StatusOr<size_t> size = RsaModulusBytes(entries.front().certificate);
  const absl::Status usable = size.ok() ? ModulusCode(*size).status() : size.status();
  if (!usable.ok()) {
    AddRefusal(verdict, absl::StrCat("the CallManager key of ", context.self.node,
                                     " cannot sign for phones: ", usable.message()));
    return std::optional<StoredEntry>();
  }
  return std::optional(std::move(entries.front()));
}

std::string SignedPath(const std::string& path) { return absl::StrCat(path, kEnding); }
std::string SourcePath(absl::string_view signed_path) {
  return std::string(signed_path.substr(0, signed_path.size() - kEnding.size()));
}

v1::SignedFileFact Fact(const std::string& path, absl::string_view payload,
                        const std::string& signer, SignatureDigest digest) {
  v1::SignedFileFact fact;
  fact.set_path(path);
  fact.set_of_sha256(Sha256Hex(payload));
  fact.set_signer(signer);
  fact.set_digest(std::string(SignatureDigestName(digest)));
  return fact;
}

// What X.sgn is, as far as phones are concerned.
v1::SignedFileFact FactOf(const std::string& path, std::string bytes, const Certificate& signer) {
  v1::SignedFileFact fact;
  fact.set_path(path);
  const absl::StatusOr<SignedFile> file = SignedFile::Parse(std::move(bytes));
  if (!file.ok()) return fact;
  SignedFileCheck check;
  check.expected_name = NameOf(path);
  const bool ours = VerifySignedFile(*file, signer, check).ok() && !file->encryption;
  return Fact(path, file->payload(), ours ? signer.sha256_hex() : "",
              static_cast<SignatureDigest>(file->digest_code));
}

// Signed files whose source is gone, among those the pattern speaks of.
absl::Status FindOrphans(const PlanContext& context, const std::string& pattern,
                         const Certificate& signer, std::vector<std::string>& warnings) {
  const FileView& files = context.host.files;
  const absl::StatusOr<std::vector<std::string>> found =
      FindFiles(files, RootOf(Spec(context)), absl::StrCat(pattern, kEnding), kMaxSignedFiles);
  if (absl::IsResourceExhausted(found.status())) {
    warnings.push_back(absl::StrCat("signed files whose source is gone were not looked for: ",
                                    found.status().message()));
    return absl::OkStatus();
  }
  TL_RETURN_IF_ERROR(found.status());
  for (const std::string& path : *found) {
    if (!absl::IsNotFound(files.Read(SourcePath(path)).status())) continue;
    const absl::StatusOr<FileImage> image = files.Read(path);
    if (!image.ok()) continue;
    const absl::StatusOr<SignedFile> file = SignedFile::Parse(image->bytes);
    // The vendor's own files have no source beside them.
    if (!file.ok() || !VerifySignedFile(*file, signer).ok()) continue;
    warnings.push_back(
        absl::StrCat(path,
                     ": the file it signs is gone; it is left as it is, remove it if phones "
                     "are not to have it"));
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> SignedFileKind::Claims(const v1::Resource& resource) const {
  const v1::SignedFileSpec& spec = resource.signed_file();
  std::vector<std::string> claims;
  for (const std::string& pattern : spec.files()) {
    claims.push_back(absl::StrCat("signed_file ", RootOf(spec), "/", pattern));
  }
  return claims;
}

absl::StatusOr<Resolved> SignedFileKind::Resolve(const PlanContext& context) const {
  const v1::SignedFileSpec& spec = Spec(context);
  const FileView& files = context.host.files;
  Resolved resolved;
  for (const std::string& pattern : spec.files()) {
    const absl::Status plain = CheckPattern(pattern);
    if (!plain.ok()) AddRefusal(resolved, absl::StrCat("files: ", plain.message()));
  }
  TL_ASSIGN_OR_RETURN(const std::optional<StoredEntry> signer, Signer(context, resolved));
  if (resolved.verdict != v1::OUTCOME_UNSPECIFIED) return resolved;
  if (std::string warning = DigestWarning(spec.digest()); !warning.empty()) {
    resolved.warnings.push_back(std::move(warning));
  }
  std::map<std::string, v1::SignedFileFact> wanted;  // by path of X
  for (const std::string& pattern : spec.files()) {
    const absl::StatusOr<std::vector<std::string>> found =
        FindFiles(files, RootOf(spec), pattern, kMaxSignedFiles, kEnding);
    if (absl::IsResourceExhausted(found.status())) {
      AddRefusal(resolved, std::string(found.status().message()));
      return resolved;
    }
    TL_RETURN_IF_ERROR(found.status());
    bool matched = false;
    for (const std::string& path : *found) {
      const absl::StatusOr<FileImage> image = files.Read(path);
      if (absl::IsNotFound(image.status())) continue;
      if (absl::IsFailedPrecondition(image.status())) {  // a link, a directory, a device
        resolved.warnings.push_back(absl::StrCat("not signed: ", image.status().message()));
        continue;
      }
      if (absl::IsResourceExhausted(image.status()) ||
          (image.ok() && image->bytes.size() > kMaxPayloadBytes)) {
        AddRefusal(resolved, absl::StrCat(path, " is larger than 32 MiB, too large to be signed"));
        continue;
      }
      TL_RETURN_IF_ERROR(image.status());
      matched = true;
      wanted.emplace(path, Fact(SignedPath(path), image->bytes, signer->certificate.sha256_hex(),
                                DigestOf(spec.digest())));
    }
    if (!matched) {
      resolved.warnings.push_back(absl::StrCat("no file in ", RootOf(spec), " matches ", pattern));
    }
    TL_RETURN_IF_ERROR(FindOrphans(context, pattern, signer->certificate, resolved.warnings));
  }
  if (wanted.size() > kMaxSignedFiles) {
    AddRefusal(resolved, absl::StrCat(wanted.size(), " files match; one resource signs ",
                                      kMaxSignedFiles, " at most: name fewer"));
  }
  if (resolved.verdict != v1::OUTCOME_UNSPECIFIED) return resolved;
  auto desired = std::make_unique<v1::SignedFileState>();
  for (auto& [path, fact] : wanted) *desired->add_files() = std::move(fact);
  resolved.desired = std::move(desired);
  return resolved;
}

absl::StatusOr<Observed> SignedFileKind::Observe(const PlanContext& context,
                                                 const google::protobuf::Message& message) const {
  const auto& desired = static_cast<const v1::SignedFileState&>(message);
  const FileView& files = context.host.files;
  Resolved verdict;
  TL_ASSIGN_OR_RETURN(const std::optional<StoredEntry> signer, Signer(context, verdict));
  if (!signer)
    return absl::AbortedError("the CallManager certificate changed meanwhile: run again");
  Observed observed;
  auto present = std::make_unique<v1::SignedFileState>();
  int missing = 0;
  for (const v1::SignedFileFact& wanted : desired.files()) {
    const absl::StatusOr<FileImage> image = files.Read(wanted.path());
    if (absl::IsNotFound(image.status())) {
      ++missing;
      continue;
    }
    if (absl::IsFailedPrecondition(image.status())) {
      observed.refusals.push_back(std::string(image.status().message()));
      continue;
    }
    TL_RETURN_IF_ERROR(image.status());
    const absl::StatusOr<FileImage> source = files.Read(SourcePath(wanted.path()));
    if (source.ok() && source->mode != image->mode) {
      observed.warnings.push_back(absl::StrCat(
          wanted.path(), ": its mode is not that of the file it signs; it counts as absent"));
      ++missing;
      continue;
    }
    const v1::SignedFileFact fact = FactOf(wanted.path(), image->bytes, signer->certificate);
    missing += fact.of_sha256() == wanted.of_sha256() && fact.signer() == wanted.signer() &&
                       fact.digest() == wanted.digest()
                   ? 0
                   : 1;
    *present->add_files() = fact;
  }
  observed.summary = absl::StrCat(missing, " of ", desired.files_size(), " files to sign");
  observed.present = std::move(present);
  return observed;
}

absl::Status SignedFileKind::Stage(const PlanContext& context,
                                   const google::protobuf::Message& desired_message,
                                   const google::protobuf::Message& present_message,
                                   TransactionBuilder& transaction) const {
  const auto& desired = static_cast<const v1::SignedFileState&>(desired_message);
  const auto& present = static_cast<const v1::SignedFileState&>(present_message);
  const absl::Status changed =
      absl::AbortedError("files or the CallManager certificate changed meanwhile: run again");
  Resolved verdict;
  TL_ASSIGN_OR_RETURN(const std::optional<StoredEntry> signer, Signer(context, verdict));
  if (!signer) return changed;
  TL_ASSIGN_OR_RETURN(const LinuxCertificateStore store,
                      LinuxCertificateStore::Open(context.host.files, context.host.layout));
  TL_ASSIGN_OR_RETURN(const PrivateKey key, store.KeyOf(*signer));
  std::map<std::string, std::string> there;
  for (const v1::SignedFileFact& fact : present.files()) {
    there[fact.path()] = absl::StrCat(fact.of_sha256(), fact.signer(), fact.digest());
  }
  for (const v1::SignedFileFact& fact : desired.files()) {
    if (there[fact.path()] == absl::StrCat(fact.of_sha256(), fact.signer(), fact.digest())) {
      continue;
    }
    if (fact.signer() != signer->certificate.sha256_hex()) return changed;
    absl::StatusOr<FileImage> image = context.host.files.Read(SourcePath(fact.path()));
    if (!image.ok() || Sha256Hex(image->bytes) != fact.of_sha256()) return changed;
    SignedFileOptions options;
    options.name = NameOf(fact.path());
    options.timestamp = context.host.clock.Now();
    options.digest = DigestOf(Spec(context).digest());
    TL_ASSIGN_OR_RETURN(image->bytes,
                        WriteSignedFile(image->bytes, options, signer->certificate, key));
    image->xattrs.clear();
    TL_RETURN_IF_ERROR(transaction.WriteFile(fact.path(), *std::move(image)));
  }
  return absl::OkStatus();
}

}  // namespace trustline::agent
