#include "trust/dhcp_message.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "trust/status_macros.h"

namespace trustline {
namespace {

// Offsets of RFC 2131, figure 1.
constexpr size_t kChaddrAt = 28;
constexpr size_t kServerNameAt = 44;
constexpr size_t kServerNameSize = 64;
constexpr size_t kBootFileAt = 108;
constexpr size_t kBootFileSize = 128;
constexpr size_t kCookieAt = 236;
constexpr size_t kOptionsAt = 240;
constexpr absl::string_view kCookie("\x63\x82\x53\x63", 4);
// Relays and old servers drop anything shorter (RFC 1542, 2.1).
constexpr size_t kLeastSize = 300;

constexpr uint8_t kPad = 0;
constexpr uint8_t kOverload = 52;
constexpr uint8_t kMessageType = 53;
constexpr uint8_t kEnd = 255;
constexpr uint8_t kEthernet = 1;

uint8_t Byte(absl::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }

uint32_t Read32(absl::string_view bytes, size_t at) {
  return static_cast<uint32_t>(Byte(bytes, at)) << 24 |
         static_cast<uint32_t>(Byte(bytes, at + 1)) << 16 |
         static_cast<uint32_t>(Byte(bytes, at + 2)) << 8 | Byte(bytes, at + 3);
}

void Append32(uint32_t value, std::string& out) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

void AppendOption(uint8_t code, absl::string_view value, std::string& out) {
  // A value over 255 bytes is split into several options of the same code (RFC 3396).
  do {
    const absl::string_view part = value.substr(0, 255);
    out.push_back(static_cast<char>(code));
    out.push_back(static_cast<char>(part.size()));
    absl::StrAppend(&out, part);
    value.remove_prefix(part.size());
  } while (!value.empty());
}

absl::Status ReadOptions(absl::string_view field, std::map<uint8_t, std::string>& options) {
  size_t at = 0;
  while (at < field.size()) {
    const uint8_t code = Byte(field, at++);
    if (code == kPad) continue;
    if (code == kEnd) break;
    if (at == field.size() || Byte(field, at) > field.size() - at - 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("DHCP message: option ", code, " runs over the end"));
    }
    const size_t length = Byte(field, at++);
    absl::StrAppend(&options[code], field.substr(at, length));
    at += length;
  }
  return absl::OkStatus();
}

}  // namespace

std::string EncodeDhcp(const DhcpMessage& message) {
  std::string out;
  out.push_back(static_cast<char>(message.op));
  out.push_back(static_cast<char>(kEthernet));
  out.push_back(static_cast<char>(message.chaddr.size()));
  out.push_back(static_cast<char>(message.hops));
  Append32(message.xid, out);
  Append32(message.flags, out);  // secs = 0, then flags
  Append32(message.ciaddr, out);
  Append32(message.yiaddr, out);
  Append32(message.siaddr, out);
  Append32(message.giaddr, out);
  out.append(message.chaddr.begin(), message.chaddr.end());
  out.resize(kCookieAt, '\0');
  absl::StrAppend(&out, kCookie);
  const char type = static_cast<char>(message.type);
  AppendOption(kMessageType, absl::string_view(&type, 1), out);
  for (const auto& [code, value] : message.options) {
    if (code == kPad || code == kEnd || code == kMessageType || code == kOptionRelayInformation)
      continue;
    AppendOption(code, value, out);
  }
  // What a relay adds comes last (RFC 3046, 2.1).
  if (const auto relay = message.options.find(kOptionRelayInformation);
      relay != message.options.end()) {
    AppendOption(kOptionRelayInformation, relay->second, out);
  }
  out.push_back(static_cast<char>(kEnd));
  if (out.size() < kLeastSize) out.resize(kLeastSize, '\0');
  return out;
}

absl::StatusOr<DhcpMessage> DecodeDhcp(absl::string_view bytes) {
  if (bytes.size() < kOptionsAt) {
    return absl::InvalidArgumentError(
        absl::StrCat("DHCP message: ", bytes.size(), " bytes, at least ", kOptionsAt, " expected"));
  }
  DhcpMessage message;
  message.op = Byte(bytes, 0);
  if (Byte(bytes, 1) != kEthernet || Byte(bytes, 2) != message.chaddr.size()) {
    return absl::InvalidArgumentError(absl::StrCat("DHCP message: hardware type ", Byte(bytes, 1),
                                                   " with ", Byte(bytes, 2),
                                                   " address bytes is not Ethernet"));
  }
  if (bytes.substr(kCookieAt, kCookie.size()) != kCookie) {
    return absl::InvalidArgumentError("DHCP message: wrong magic cookie");
  }
  message.hops = Byte(bytes, 3);
  message.xid = Read32(bytes, 4);
  message.flags = static_cast<uint16_t>(Read32(bytes, 8));
  message.ciaddr = Read32(bytes, 12);
  message.yiaddr = Read32(bytes, 16);
  message.siaddr = Read32(bytes, 20);
  message.giaddr = Read32(bytes, 24);
  for (size_t i = 0; i < message.chaddr.size(); ++i) message.chaddr[i] = Byte(bytes, kChaddrAt + i);

  TL_RETURN_IF_ERROR(ReadOptions(bytes.substr(kOptionsAt), message.options));
  // The two fixed fields may carry more options, the boot file first (RFC 2132, 9.3).
  if (const auto overload = message.options.find(kOverload); overload != message.options.end()) {
    const uint8_t which = overload->second.empty() ? 0 : Byte(overload->second, 0);
    if ((which & 1) != 0) {
      TL_RETURN_IF_ERROR(ReadOptions(bytes.substr(kBootFileAt, kBootFileSize), message.options));
    }
    if ((which & 2) != 0) {
      TL_RETURN_IF_ERROR(
          ReadOptions(bytes.substr(kServerNameAt, kServerNameSize), message.options));
    }
  }
  const auto type = message.options.find(kMessageType);
  if (type == message.options.end()) {
    return absl::InvalidArgumentError("DHCP message: no message type (option 53)");
  }
  if (type->second.size() != 1 || type->second[0] < 1 || type->second[0] > 8) {
    return absl::InvalidArgumentError("DHCP message: unknown message type (option 53)");
  }
  message.type = static_cast<DhcpType>(type->second[0]);
  message.options.erase(type);
  return message;
}

absl::StatusOr<uint32_t> ParseIpv4(absl::string_view text) {
  const auto wrong = [text] {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is not an IPv4 address"));
  };
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '.');
  if (parts.size() != 4) return wrong();
  uint32_t address = 0;
  for (const absl::string_view part : parts) {
    if (part.empty() || part.size() > 3 || (part.size() > 1 && part[0] == '0')) return wrong();
    uint32_t number = 0;
    for (const char c : part) {
      if (c < '0' || c > '9') return wrong();
      number = number * 10 + static_cast<uint32_t>(c - '0');
    }
    if (number > 255) return wrong();
    address = address << 8 | number;
  }
  return address;
}

std::string FormatIpv4(uint32_t address) {
  return absl::StrCat(address >> 24, ".", address >> 16 & 255, ".", address >> 8 & 255, ".",
                      address & 255);
}

bool Ipv4Subnet::Contains(uint32_t address) const {
  const uint32_t mask = prefix == 0 ? 0 : ~uint32_t{0} << (32 - prefix);
  return (address & mask) == network;
}

absl::StatusOr<Ipv4Subnet> ParseIpv4Subnet(absl::string_view text) {
  const size_t slash = text.find('/');
  int prefix = 0;
  if (slash == absl::string_view::npos || text.size() - slash > 3 ||
      !std::all_of(text.begin() + static_cast<std::ptrdiff_t>(slash) + 1, text.end(),
                   [](char c) { return c >= '0' && c <= '9'; }) ||
      !absl::SimpleAtoi(text.substr(slash + 1), &prefix) || prefix > 32) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is not an IPv4 subnet such as 10.30.0.0/24"));
  }
  Ipv4Subnet subnet;
  TL_ASSIGN_OR_RETURN(const uint32_t network, ParseIpv4(text.substr(0, slash)));
  subnet.prefix = prefix;
  const uint32_t mask = prefix == 0 ? 0 : ~uint32_t{0} << (32 - prefix);
  subnet.network = network & mask;
  if (subnet.network != network) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' has bits set behind its prefix; the subnet is ",
                     FormatIpv4(subnet.network), "/", prefix));
  }
  return subnet;
}

std::string EncodeOption150(const std::vector<uint32_t>& addresses) {
  std::string value;
  for (const uint32_t address : addresses) Append32(address, value);
  return value;
}

absl::StatusOr<std::vector<uint32_t>> DecodeOption150(absl::string_view value) {
  if (value.empty() || value.size() % 4 != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "option 150 has ", value.size(), " bytes; one or more IPv4 addresses of 4 bytes expected"));
  }
  std::vector<uint32_t> addresses;
  for (size_t at = 0; at < value.size(); at += 4) addresses.push_back(Read32(value, at));
  return addresses;
}

}  // namespace trustline
