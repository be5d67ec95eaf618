#include "trust/tcp_connect.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "trust/status_macros.h"

namespace trustline {
namespace {

using Clock = std::chrono::steady_clock;  // a step of the wall clock must not end or stretch a wait

struct Address {
  sockaddr_storage storage = {};
  socklen_t length = 0;
};

// getaddrinfo cannot be given a limit, so it runs on a thread of its own, which outlives us when
// the name service hangs and then ends by itself.
struct Lookup {
  std::mutex mutex;
  std::condition_variable done_changed;
  bool done = false;
  int error = 0;
  std::vector<Address> addresses;
};

absl::StatusOr<std::vector<Address>> LookUp(const std::string& host, uint16_t port,
                                            Clock::time_point deadline) {
  const auto lookup = std::make_shared<Lookup>();
  std::thread([lookup, host, port] {
    addrinfo hints = {};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
    std::vector<Address> addresses;
    for (const addrinfo* at = error == 0 ? found : nullptr; at != nullptr; at = at->ai_next) {
      Address address;
      if (at->ai_addrlen > sizeof(address.storage)) continue;
      std::memcpy(&address.storage, at->ai_addr, at->ai_addrlen);
      address.length = at->ai_addrlen;
      addresses.push_back(address);
    }
    if (error == 0) freeaddrinfo(found);
    const std::lock_guard<std::mutex> lock(lookup->mutex);
    lookup->error = error;
    lookup->addresses = std::move(addresses);
    lookup->done = true;
    lookup->done_changed.notify_all();
  }).detach();

  std::unique_lock<std::mutex> lock(lookup->mutex);
  if (!lookup->done_changed.wait_until(lock, deadline, [&] { return lookup->done; })) {
    return absl::UnavailableError(absl::StrCat("the name service did not answer for ", host));
  }
  if (lookup->error == EAI_AGAIN || lookup->error == EAI_SYSTEM || lookup->error == EAI_MEMORY) {
    return absl::UnavailableError(
        absl::StrCat("cannot look up ", host, ": ", gai_strerror(lookup->error)));
  }
  if (lookup->error != 0 || lookup->addresses.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot look up ", host, ": ",
                     lookup->error != 0 ? gai_strerror(lookup->error) : "the name has no address"));
  }
  return lookup->addresses;
}

absl::StatusOr<int> ConnectOne(const Address& address, Clock::time_point deadline) {
  const int fd =
      socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
  if (fd < 0) return absl::UnavailableError(std::strerror(errno));
  const auto failed = [fd](int error) {
    close(fd);
    return absl::UnavailableError(error == 0 ? "no answer in time" : std::strerror(error));
  };
  int error = 0;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0) {
    if (errno != EINPROGRESS) return failed(errno);
    for (;;) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
      if (left <= 0) return failed(0);
      pollfd poller = {fd, POLLOUT, 0};
      const int ready = poll(&poller, 1, static_cast<int>(std::min<int64_t>(left, 1 << 30)));
      if (ready > 0) break;
      if (ready < 0 && errno != EINTR) return failed(errno);
    }
    socklen_t size = sizeof(error);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return failed(errno);
    if (error != 0) return failed(error);
  }
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  return fd;
}

}  // namespace

absl::StatusOr<int> ConnectTcp(absl::string_view host, uint16_t port, absl::Duration timeout) {
  const Clock::time_point start = Clock::now();
  const Clock::time_point deadline = start + absl::ToChronoMilliseconds(timeout);
  TL_ASSIGN_OR_RETURN(const std::vector<Address> addresses,
                      LookUp(std::string(host), port, deadline));
  absl::Status last;
  for (size_t i = 0; i < addresses.size(); ++i) {
    // An address that swallows everything must leave time for the next one.
    const auto share = (deadline - Clock::now()) / static_cast<int>(addresses.size() - i);
    absl::StatusOr<int> fd = ConnectOne(addresses[i], Clock::now() + share);
    if (fd.ok()) return fd;
    last = fd.status();
  }
  return absl::UnavailableError(
      absl::StrCat("cannot connect to ", host, " port ", port, ": ", last.message()));
}

}  // namespace trustline
