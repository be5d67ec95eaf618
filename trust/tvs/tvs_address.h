// Where a Trust Verification Service listens.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace trustline {

struct TvsAddress {
  std::string host;
  uint16_t port = 2445;
  friend auto operator<=>(const TvsAddress&, const TvsAddress&) = default;
};

}  // namespace trustline
