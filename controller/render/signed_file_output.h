// Signed files for people and for machines.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "controller/signed_files.h"
#include "trust/certificate.h"
#include "trust/signed_file/signed_file.h"

namespace trustline::controller {

// What foreign bytes say, fit for a terminal: control characters and what is not UTF-8 as \xNN.
std::string PrintableText(absl::string_view bytes);

// Several lines "name  value". `signer`: what the check said, if there was one.
using SignerCheck = std::optional<absl::StatusOr<Certificate>>;
std::string SignedFileText(const std::string& path, const SignedFile& file,
                           const SignerCheck& signer);
// One JSON document; "verified" is null when nothing was checked.
std::string SignedFileJson(const std::string& path, const SignedFile& file,
                           const SignerCheck& signer);

std::string SignResultJson(const std::vector<std::string>& written);
std::string StripResultJson(const StripResult& result);

}  // namespace trustline::controller
