#include "tests/integration/hub/tcp_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

namespace trustline {
namespace {

struct Link {
  int client = -1;
  int server = -1;
  Cut left;
};

// Moves what is there, at most what may still pass. False when the link ends.
bool Move(int from, int to, uint64_t* left) {
  char bytes[16384];
  const ssize_t got = recv(from, bytes, std::min<uint64_t>(sizeof(bytes), *left), 0);
  if (got <= 0) return false;
  for (ssize_t sent = 0; sent < got;) {
    const ssize_t n = send(to, bytes + sent, static_cast<size_t>(got - sent), MSG_NOSIGNAL);
    if (n <= 0) return false;
    sent += n;
  }
  *left -= static_cast<uint64_t>(got);
  return *left > 0;
}

}  // namespace

TcpProxy::TcpProxy(uint16_t target_port, std::function<Cut(int)> cut)
    : target_port_(target_port), cut_(std::move(cut)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
      listen(listener_, 16) == 0 &&
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    port_ = ntohs(address.sin_port);
  }
  if (pipe(stop_) == 0) thread_ = std::thread([this] { Serve(); });
}

TcpProxy::~TcpProxy() {
  close(stop_[1]);
  if (thread_.joinable()) thread_.join();
  close(stop_[0]);
  close(listener_);
}

void TcpProxy::Serve() {
  std::vector<Link> links;
  for (;;) {
    std::vector<pollfd> polled = {{stop_[0], POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const Link& link : links) {
      polled.push_back({link.client, POLLIN, 0});
      polled.push_back({link.server, POLLIN, 0});
    }
    poll(polled.data(), polled.size(), -1);
    if (polled[0].revents != 0) break;
    std::vector<Link> alive;
    for (size_t i = 0; i < links.size(); ++i) {
      Link link = links[i];
      bool ok = true;
      if (polled[2 + 2 * i].revents != 0) {
        ok = Move(link.client, link.server, &link.left.after_from_client);
      }
      if (ok && polled[3 + 2 * i].revents != 0) {
        ok = Move(link.server, link.client, &link.left.after_from_server);
      }
      if (ok) {
        alive.push_back(link);
      } else {
        close(link.client);
        close(link.server);
      }
    }
    links = std::move(alive);
    if (polled[1].revents != 0) {
      Link link;
      link.client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      link.server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in address = {};
      address.sin_family = AF_INET;
      address.sin_port = htons(target_port_);
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      link.left = cut_(connections_++);
      if (connect(link.server, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
        links.push_back(link);
      } else {
        close(link.client);
        close(link.server);
      }
    }
  }
  for (const Link& link : links) {
    close(link.client);
    close(link.server);
  }
}

}  // namespace trustline
