// SHA-256 of bytes.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace trustline {

std::string Sha256(absl::string_view bytes);     // 32 raw bytes
std::string Sha256Hex(absl::string_view bytes);  // 64 lower-case hex digits

}  // namespace trustline
