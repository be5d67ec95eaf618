// `trustline signed-file`: the files phones fetch signed, by name. Files appear whole or not at
// all; nothing that is there is replaced unless that is asked for. Errors name the file.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "trust/certificate.h"
#include "trust/signed_file/signed_file.h"

namespace trustline::controller {

// Firmware has tens of megabytes.
inline constexpr size_t kMaxSignedFileBytes = size_t{256} << 20;

absl::StatusOr<SignedFile> ReadSignedFile(const std::string& path);

// Which of `candidates` signed the file. PermissionDenied when none did, with the reason of the one
// that the file names, if it is among them.
absl::StatusOr<Certificate> FindSigner(const SignedFile& file,
                                       const std::vector<Certificate>& candidates,
                                       const SignedFileCheck& check);

struct SignRequest {
  std::string file;
  std::string certificate_file, key_file;  // the TFTP node's CallManager certificate and its key
  std::string digest = "sha1";             // or sha512
  std::string phone_certificate_file;      // empty: not encrypted
  bool notice = false;   // with a phone: also X.sgn, which tells it to ask for X.enc.sgn
  std::string name;      // empty: the file's name with .sgn or .enc.sgn
  std::string out_file;  // empty: beside the file, by that name
  bool replace = false;
};
// The files that were written, the signed one first.
absl::StatusOr<std::vector<std::string>> SignFile(const SignRequest& request, absl::Time now);

struct StripRequest {
  std::string file;
  std::vector<std::string> certificate_files;  // empty: the signature is not checked
  std::string phone_key_file;                  // for an encrypted file
  std::string out_file;                        // empty: the file's name without .sgn or .enc.sgn
  bool replace = false;
};
struct StripResult {
  std::string file;                   // written; 0600 when it was encrypted
  std::optional<Certificate> signer;  // when it was checked
  size_t bytes = 0;
};
// Nothing is written when a certificate is given and the signature is not its (PermissionDenied).
absl::StatusOr<StripResult> StripFile(const StripRequest& request);

}  // namespace trustline::controller
