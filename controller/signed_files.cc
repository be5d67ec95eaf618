#include "controller/signed_files.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "controller/input_file.h"
#include "controller/new_files.h"
#include "trust/status_macros.h"

namespace trustline::controller {
namespace {

constexpr mode_t kServedMode = 0644;  // TFTP servers run as somebody else
constexpr mode_t kSecretMode = 0600;
constexpr absl::string_view kPlain = ".sgn", kEncrypted = ".enc.sgn";

absl::Status In(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
}

std::string BaseName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

absl::StatusOr<std::vector<Certificate>> ReadCandidates(const std::vector<std::string>& files) {
  std::vector<Certificate> candidates;
  for (const std::string& file : files) {
    TL_ASSIGN_OR_RETURN(std::vector<Certificate> some, ReadCertificatesFile(file));
    for (Certificate& certificate : some) candidates.push_back(std::move(certificate));
  }
  return candidates;
}

absl::StatusOr<Certificate> ReadOneCertificate(const std::string& path) {
  TL_ASSIGN_OR_RETURN(std::vector<Certificate> certificates, ReadCertificatesFile(path));
  if (certificates.size() == 1) return std::move(certificates.front());
  return absl::InvalidArgumentError(
      absl::StrCat(path, " holds ", certificates.size(), " certificates where one is expected"));
}

std::string WithoutSuffix(const std::string& path) {
  if (absl::EndsWith(path, kEncrypted)) return std::string(absl::StripSuffix(path, kEncrypted));
  return std::string(absl::StripSuffix(path, kPlain));
}

}  // namespace

absl::StatusOr<SignedFile> ReadSignedFile(const std::string& path) {
  TL_ASSIGN_OR_RETURN(std::string bytes, ReadInputFile(path, kMaxSignedFileBytes));
  absl::StatusOr<SignedFile> file = SignedFile::Parse(std::move(bytes));
  if (!file.ok()) return In(path, file.status());
  return file;
}

absl::StatusOr<Certificate> FindSigner(const SignedFile& file,
                                       const std::vector<Certificate>& candidates,
                                       const SignedFileCheck& check) {
  absl::Status reason = absl::PermissionDeniedError("there is no certificate to check it with");
  for (const Certificate& candidate : candidates) {
    const absl::Status status = VerifySignedFile(file, candidate, check);
    if (status.ok()) return candidate;
    const bool named = file.serial == candidate.serial();
    if (named || &candidate == &candidates.front()) reason = status;
    if (named) break;
  }
  return reason;
}

absl::StatusOr<std::vector<std::string>> SignFile(const SignRequest& request, absl::Time now) {
  const bool encrypted = !request.phone_certificate_file.empty();
  if (request.notice && !encrypted) {
    return absl::InvalidArgumentError("a notice goes with a file encrypted for a phone only");
  }
  if (request.digest != "sha1" && request.digest != "sha512") {
    return absl::InvalidArgumentError(
        absl::StrCat("digest '", request.digest, "' is unknown; choose sha1 or sha512"));
  }
  TL_ASSIGN_OR_RETURN(const std::string payload, ReadInputFile(request.file, kMaxSignedFileBytes));
  TL_ASSIGN_OR_RETURN(const Certificate signer, ReadOneCertificate(request.certificate_file));
  TL_ASSIGN_OR_RETURN(const PrivateKey key, ReadKeyFile(request.key_file));
  if (!key.Matches(signer)) {
    return absl::InvalidArgumentError(
        absl::StrCat(request.key_file, " is not the key of ", request.certificate_file));
  }

  SignedFileOptions options;
  options.timestamp = now;
  options.digest = request.digest == "sha1" ? SignatureDigest::kSha1 : SignatureDigest::kSha512;
  const absl::string_view suffix = encrypted ? kEncrypted : kPlain;
  options.name = request.name.empty() ? absl::StrCat(BaseName(request.file), suffix) : request.name;
  std::vector<std::string> written = {request.out_file.empty() ? absl::StrCat(request.file, suffix)
                                                               : request.out_file};

  NewFiles files;
  if (request.replace) files.ReplaceExisting();
  if (!encrypted) {
    TL_ASSIGN_OR_RETURN(std::string bytes, WriteSignedFile(payload, options, signer, key));
    files.Add(written.front(), std::move(bytes), kServedMode);
  } else {
    TL_ASSIGN_OR_RETURN(const Certificate phone,
                        ReadOneCertificate(request.phone_certificate_file));
    TL_ASSIGN_OR_RETURN(std::string bytes,
                        WriteEncryptedFile(payload, options, signer, key, phone));
    files.Add(written.front(), std::move(bytes), kServedMode);
    if (request.notice) {
      options.name = absl::StrCat(WithoutSuffix(options.name), kPlain);
      TL_ASSIGN_OR_RETURN(const std::string notice, EncryptedConfigNotice(phone));
      TL_ASSIGN_OR_RETURN(bytes, WriteSignedFile(notice, options, signer, key));
      written.push_back(absl::StrCat(WithoutSuffix(written.front()), kPlain));
      if (written[1] == written[0]) {
        return absl::InvalidArgumentError(absl::StrCat(
            written[0], " is the name of the notice; let the encrypted file end in .enc.sgn"));
      }
      files.Add(written.back(), std::move(bytes), kServedMode);
    }
  }
  TL_RETURN_IF_ERROR(files.Create());
  return written;
}

absl::StatusOr<StripResult> StripFile(const StripRequest& request) {
  StripResult result;
  result.file = request.out_file.empty() ? WithoutSuffix(request.file) : request.out_file;
  if (result.file == request.file) {
    return absl::InvalidArgumentError(absl::StrCat(
        request.file, " does not end in .sgn; say with --out where the content shall go"));
  }
  TL_ASSIGN_OR_RETURN(const SignedFile file, ReadSignedFile(request.file));
  if (!request.certificate_files.empty()) {
    TL_ASSIGN_OR_RETURN(const std::vector<Certificate> candidates,
                        ReadCandidates(request.certificate_files));
    absl::StatusOr<Certificate> signer = FindSigner(file, candidates, {});
    if (!signer.ok()) return In(request.file, signer.status());
    result.signer = *std::move(signer);
  }
  std::string content;
  if (!file.encryption) {
    content = std::string(file.payload());
  } else if (request.phone_key_file.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        request.file, " is encrypted for one phone; give that phone's private key with --key"));
  } else {
    TL_ASSIGN_OR_RETURN(const PrivateKey key, ReadKeyFile(request.phone_key_file));
    absl::StatusOr<std::string> decrypted = DecryptSignedFile(file, key);
    if (!decrypted.ok()) return In(request.file, decrypted.status());
    content = *std::move(decrypted);
  }
  result.bytes = content.size();
  NewFiles files;
  if (request.replace) files.ReplaceExisting();
  files.Add(result.file, std::move(content), file.encryption ? kSecretMode : kServedMode);
  TL_RETURN_IF_ERROR(files.Create());
  return result;
}

}  // namespace trustline::controller
