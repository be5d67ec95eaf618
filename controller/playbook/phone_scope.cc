#include "controller/playbook/phone_scope.h"

#include <cctype>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "trust/dhcp_message.h"

namespace trustline::controller {
namespace {

struct Network {
  uint32_t base = 0, mask = 0;
  bool Has(uint32_t address) const { return (address & mask) == base; }
  bool Overlaps(const Network& other) const { return Has(other.base) || other.Has(base); }
};

std::optional<Network> ParseNetwork(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  uint32_t bits = 0;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[1], &bits) || bits > 32) return std::nullopt;
  const absl::StatusOr<uint32_t> address = ParseIpv4(parts[0]);
  if (!address.ok()) return std::nullopt;
  const uint32_t mask = bits == 0 ? 0 : ~uint32_t{0} << (32 - bits);
  return Network{*address & mask, mask};
}

// A phone whose place is not known may be anywhere.
bool MayBeIn(const PhoneEvidence& phone, const std::string& subnet) {
  if (phone.subnet.empty() && phone.address.empty()) return true;
  const std::optional<Network> network = ParseNetwork(subnet);
  if (!network) return phone.subnet.empty() || phone.subnet == subnet;
  // A scope may be wider or narrower than the network a phone is listed with.
  if (!phone.subnet.empty()) {
    const std::optional<Network> listed = ParseNetwork(phone.subnet);
    if (listed ? network->Overlaps(*listed) : phone.subnet == subnet) return true;
  }
  if (phone.address.empty()) return false;
  const absl::StatusOr<uint32_t> address = ParseIpv4(phone.address);
  return address.ok() ? network->Has(*address) : phone.subnet.empty();
}

}  // namespace

bool InScope(const PhoneEvidence& phone, const v1::PointerScope& scope) {
  if (!scope.reservation().empty()) return phone.mac == CanonicalMac(scope.reservation());
  if (!scope.subnet().empty()) return MayBeIn(phone, scope.subnet());
  return true;
}

std::string DeviceOf(const std::string& mac) {
  std::string device = "SEP";
  for (const char c : mac) {
    if (c != ':') device += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return device;
}

}  // namespace trustline::controller
