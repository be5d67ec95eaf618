// DHCPv4 messages to and from bytes, as far as asking for option 150 needs them. RFC 2131, 2132,
// 3046 (option 82), 3527 (link selection), 5859 (option 150). Pure; bounded; never reads outside
// its input.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trustline {

inline constexpr uint8_t kOptionRelayInformation = 82;
inline constexpr uint8_t kOptionTftpServers = 150;

enum class DhcpType : uint8_t {
  kDiscover = 1,
  kOffer = 2,
  kRequest = 3,
  kDecline = 4,
  kAck = 5,
  kNak = 6,
  kRelease = 7,
  kInform = 8
};

struct DhcpMessage {
  uint8_t op = 1;  // 1 request, 2 reply
  uint8_t hops = 0;
  uint32_t xid = 0;
  uint16_t flags = 0;
  // IPv4 addresses in host byte order; 0 = none.
  uint32_t ciaddr = 0, yiaddr = 0, siaddr = 0, giaddr = 0;
  std::array<uint8_t, 6> chaddr{};
  DhcpType type = DhcpType::kDiscover;
  // Raw values by code, without 53; parts of a split option (RFC 3396) are joined.
  std::map<uint8_t, std::string> options;
};

std::string EncodeDhcp(const DhcpMessage& message);
// InvalidArgument: shorter than 240 bytes, wrong cookie or hardware type, an option that runs over
// the end, no option 53.
absl::StatusOr<DhcpMessage> DecodeDhcp(absl::string_view bytes);

// "10.20.0.11" <-> host order. InvalidArgument unless exactly four decimal numbers 0..255 without
// leading zeros.
absl::StatusOr<uint32_t> ParseIpv4(absl::string_view text);
std::string FormatIpv4(uint32_t address);
struct Ipv4Subnet {
  uint32_t network = 0;
  int prefix = 0;
  bool Contains(uint32_t address) const;
};
absl::StatusOr<Ipv4Subnet> ParseIpv4Subnet(absl::string_view text);  // host bits must be zero

// Raw option 150 <-> addresses in order. Zero or not a multiple of 4 bytes: InvalidArgument.
std::string EncodeOption150(const std::vector<uint32_t>& addresses);
absl::StatusOr<std::vector<uint32_t>> DecodeOption150(absl::string_view value);

}  // namespace trustline
