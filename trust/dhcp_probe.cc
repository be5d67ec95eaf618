#include "trust/dhcp_probe.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/attributes.h"
#include "absl/base/const_init.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "trust/dhcp_message.h"
#include "trust/status_macros.h"

namespace trustline {
namespace {

using Steady = std::chrono::steady_clock;
using HardwareAddress = std::array<uint8_t, 6>;

constexpr uint16_t kServerPort = 67;
constexpr uint16_t kClientPort = 68;
constexpr uint8_t kParameterRequestList = 55;
constexpr uint8_t kServerIdentifier = 54;
constexpr uint8_t kLinkSelection = 5;
constexpr int kTries = 4;
constexpr uint32_t kDefaultTimeoutMs = 3000;
constexpr uint32_t kLongestTimeoutMs = 60000;

// Ports 67 and 68 of a host cannot be shared by two probes.
ABSL_CONST_INIT absl::Mutex probing(absl::kConstInit);

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  Socket& operator=(Socket&&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

absl::Status SystemError(int error, absl::string_view what) {
  std::string text = absl::StrCat(what, ": ", std::strerror(error));
  switch (error) {
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(
          absl::StrCat(text, "; the agent needs CAP_NET_BIND_SERVICE to ask DHCP servers"));
    case EADDRINUSE:
      return absl::FailedPreconditionError(
          absl::StrCat(text, "; another DHCP program of this host holds the port"));
    default:
      return absl::UnavailableError(text);
  }
}

sockaddr_in SocketAddress(uint32_t address, uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  out.sin_addr.s_addr = htonl(address);
  return out;
}

struct OwnAddress {
  uint32_t address = 0;
  std::string interface;
};

struct OwnAddresses {
  std::vector<OwnAddress> addresses;
  std::map<std::string, HardwareAddress> hardware;  // by interface
};

absl::StatusOr<OwnAddresses> ListOwnAddresses() {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return SystemError(errno, "listing own addresses");
  OwnAddresses own;
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || (entry->ifa_flags & IFF_UP) == 0) continue;
    if (entry->ifa_addr->sa_family == AF_INET) {
      sockaddr_in address;
      std::memcpy(&address, entry->ifa_addr, sizeof(address));
      own.addresses.push_back({ntohl(address.sin_addr.s_addr), entry->ifa_name});
    } else if (entry->ifa_addr->sa_family == AF_PACKET) {
      sockaddr_ll link;
      std::memcpy(&link, entry->ifa_addr, sizeof(link));
      if (link.sll_halen == 6) {
        HardwareAddress& hardware = own.hardware[entry->ifa_name];
        std::copy_n(link.sll_addr, hardware.size(), hardware.begin());
      }
    }
  }
  freeifaddrs(first);
  return own;
}

// The address this host speaks from when it speaks to `server`: the kernel's routing decides.
absl::StatusOr<uint32_t> SourceTowards(uint32_t server) {
  const Socket socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (socket.fd() < 0) return SystemError(errno, "opening a UDP socket");
  const sockaddr_in target = SocketAddress(server, kServerPort);
  if (connect(socket.fd(), reinterpret_cast<const sockaddr*>(&target), sizeof(target)) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("no way from here to ", FormatIpv4(server), ": ", std::strerror(errno)));
  }
  sockaddr_in source{};
  socklen_t size = sizeof(source);
  if (getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&source), &size) != 0) {
    return SystemError(errno, "reading the own address");
  }
  return ntohl(source.sin_addr.s_addr);
}

absl::StatusOr<Socket> BindUdp(uint32_t address, uint16_t port) {
  Socket socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.fd() < 0) return SystemError(errno, "opening a UDP socket");
  // A DHCP client of this host usually listens on the wildcard address; ours is the more specific
  // one, so it gets the answer.
  const int on = 1;
  if (setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0) {
    return SystemError(errno, "preparing a UDP socket");
  }
  const sockaddr_in own = SocketAddress(address, port);
  if (bind(socket.fd(), reinterpret_cast<const sockaddr*>(&own), sizeof(own)) != 0) {
    return SystemError(errno, absl::StrCat("binding UDP ", FormatIpv4(address), ":", port));
  }
  return socket;
}

absl::StatusOr<HardwareAddress> ParseHardwareAddress(const std::string& text) {
  const absl::Status wrong = absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is not a MAC address such as 00:1b:54:aa:bb:01"));
  HardwareAddress out{};
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  if (parts.size() != out.size()) return wrong;
  for (size_t i = 0; i < out.size(); ++i) {
    if (parts[i].size() != 2 || !absl::ascii_isxdigit(static_cast<unsigned char>(parts[i][0])) ||
        !absl::ascii_isxdigit(static_cast<unsigned char>(parts[i][1]))) {
      return wrong;
    }
    out[i] = static_cast<uint8_t>(absl::HexStringToBytes(parts[i])[0]);
  }
  return out;
}

// Sends `question` until something that belongs to it comes back or the time is over.
absl::StatusOr<std::optional<DhcpMessage>> Converse(const Socket& socket, uint32_t server,
                                                    const DhcpMessage& question, DhcpType wanted,
                                                    uint32_t timeout_ms) {
  const std::string bytes = EncodeDhcp(question);
  const sockaddr_in target = SocketAddress(server, kServerPort);
  const Steady::time_point start = Steady::now();
  const Steady::time_point end = start + std::chrono::milliseconds(timeout_ms);
  int sent = 0;
  int send_error = 0;
  while (true) {
    const Steady::time_point now = Steady::now();
    if (now >= end) break;
    const Steady::time_point next_send =
        sent < kTries ? start + std::chrono::milliseconds(timeout_ms) * sent / kTries : end;
    if (sent < kTries && now >= next_send) {
      ++sent;
      if (sendto(socket.fd(), bytes.data(), bytes.size(), 0,
                 reinterpret_cast<const sockaddr*>(&target), sizeof(target)) < 0) {
        send_error = errno;  // may be a port unreachable of the try before; the next try tells
      } else {
        send_error = 0;
      }
      continue;
    }
    const auto wait =
        std::chrono::ceil<std::chrono::milliseconds>(std::min(next_send, end) - now).count();
    pollfd waiting{socket.fd(), POLLIN, 0};
    const int ready = poll(&waiting, 1, static_cast<int>(wait));
    if (ready < 0 && errno != EINTR) return SystemError(errno, "waiting for the DHCP server");
    if (ready <= 0) continue;
    std::array<char, 4096> buffer;
    const ssize_t size = recv(socket.fd(), buffer.data(), buffer.size(), 0);
    if (size < 0) continue;  // nothing after all, or a queued ICMP error: the server may yet answer
    const absl::StatusOr<DhcpMessage> answer =
        DecodeDhcp(absl::string_view(buffer.data(), static_cast<size_t>(size)));
    // Anything else on this port is somebody else's conversation.
    if (answer.ok() && answer->op == 2 && answer->xid == question.xid &&
        answer->chaddr == question.chaddr && answer->type == wanted) {
      return *answer;
    }
  }
  if (send_error != 0 && send_error != ECONNREFUSED) {
    return SystemError(send_error, absl::StrCat("asking ", FormatIpv4(server)));
  }
  return std::optional<DhcpMessage>();
}

}  // namespace

absl::StatusOr<v1::ProbeResponse> UdpDhcpProber::Probe(const v1::ProbeRequest& request) {
  if (request.server().empty()) {
    return absl::InvalidArgumentError("no DHCP server to ask; broadcasts are never sent");
  }
  TL_ASSIGN_OR_RETURN(const uint32_t server, ParseIpv4(request.server()));
  std::optional<Ipv4Subnet> subnet;
  if (!request.subnet().empty()) {
    TL_ASSIGN_OR_RETURN(subnet, ParseIpv4Subnet(request.subnet()));
  }
  const uint32_t timeout_ms = request.timeout_ms() == 0
                                  ? kDefaultTimeoutMs
                                  : std::min(request.timeout_ms(), kLongestTimeoutMs);

  absl::MutexLock lock(&probing);
  TL_ASSIGN_OR_RETURN(const OwnAddresses own, ListOwnAddresses());
  std::optional<uint32_t> inside;
  for (const OwnAddress& address : own.addresses) {
    if (address.address == server) {
      return absl::FailedPreconditionError(
          absl::StrCat("DHCP server ", request.server(),
                       " runs on this host and does not answer its own host; ask from another"));
    }
    if (!inside && subnet && subnet->Contains(address.address)) inside = address.address;
  }
  if (!subnet) {
    TL_ASSIGN_OR_RETURN(inside, SourceTowards(server));
  }
  if (!inside && !request.may_discover()) {
    return absl::FailedPreconditionError(
        absl::StrCat("this host has no address in ", request.subnet(),
                     ", so DHCPINFORM cannot be used, and a DHCPDISCOVER is not allowed now"));
  }

  uint32_t source = 0;
  if (inside) {
    source = *inside;
  } else {
    TL_ASSIGN_OR_RETURN(source, SourceTowards(server));
  }

  DhcpMessage question;
  if (getrandom(&question.xid, sizeof(question.xid), 0) != sizeof(question.xid)) {
    return SystemError(errno, "making a transaction id");
  }
  if (!request.hardware_address().empty()) {
    TL_ASSIGN_OR_RETURN(question.chaddr, ParseHardwareAddress(request.hardware_address()));
  } else {
    // An interface without a MAC still needs some client identity: a locally administered one.
    question.chaddr = {0x02,
                       0x00,
                       static_cast<uint8_t>(source >> 24),
                       static_cast<uint8_t>(source >> 16),
                       static_cast<uint8_t>(source >> 8),
                       static_cast<uint8_t>(source)};
    for (const OwnAddress& address : own.addresses) {
      const auto hardware = own.hardware.find(address.interface);
      if (address.address == source && hardware != own.hardware.end() &&
          hardware->second != HardwareAddress{}) {
        question.chaddr = hardware->second;
      }
    }
  }
  question.options[kParameterRequestList] = std::string(1, static_cast<char>(kOptionTftpServers));

  v1::ProbeResponse response;
  DhcpType wanted = DhcpType::kAck;
  if (inside) {
    question.type = DhcpType::kInform;
    question.ciaddr = source;
    response.set_how("DHCPINFORM");
  } else {
    question.type = DhcpType::kDiscover;
    question.hops = 1;
    question.giaddr = source;
    std::string link_selection = {static_cast<char>(kLinkSelection), 4};
    absl::StrAppend(&link_selection, EncodeOption150({subnet->network}));  // 4 bytes, network order
    question.options[kOptionRelayInformation] = link_selection;
    wanted = DhcpType::kOffer;
    response.set_how(absl::StrCat("DHCPDISCOVER via relay ", FormatIpv4(source)));
  }
  TL_ASSIGN_OR_RETURN(const Socket socket, BindUdp(source, inside ? kClientPort : kServerPort));
  TL_ASSIGN_OR_RETURN(const std::optional<DhcpMessage> answer,
                      Converse(socket, server, question, wanted, timeout_ms));
  if (!answer) return response;
  response.set_answered(true);
  if (const auto value = answer->options.find(kOptionTftpServers); value != answer->options.end()) {
    response.set_present(true);
    response.set_option_150(value->second);
  }
  if (const auto identifier = answer->options.find(kServerIdentifier);
      identifier != answer->options.end()) {
    const absl::StatusOr<std::vector<uint32_t>> address = DecodeOption150(identifier->second);
    if (address.ok()) response.set_server_identifier(FormatIpv4(address->front()));
  }
  return response;
}

}  // namespace trustline
