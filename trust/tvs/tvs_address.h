// Where a Trust Verification Service answers.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trustline {

inline constexpr uint16_t kTvsPort = 2445;

struct TvsAddress {
  std::string host;
  uint16_t port = kTvsPort;

  // "src-pub:2445", "[2001:db8::1]:2445".
  std::string Text() const;
  friend bool operator==(const TvsAddress&, const TvsAddress&) = default;
};

// HOST, HOST:PORT, or an IPv6 address in brackets with or without a port. InvalidArgument
// otherwise.
absl::StatusOr<TvsAddress> ParseTvsAddress(absl::string_view text);

}  // namespace trustline
