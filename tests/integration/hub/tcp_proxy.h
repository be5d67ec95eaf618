// A TCP proxy on 127.0.0.1 that cuts connections after a number of bytes.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

namespace trustline {

// When a connection is cut: once that many bytes have come from that side. Both sides are closed at
// once.
struct Cut {
  uint64_t after_from_client = UINT64_MAX;
  uint64_t after_from_server = UINT64_MAX;
};

class TcpProxy {
 public:
  // `cut` is asked for each connection, counted from 0, on the proxy's thread.
  TcpProxy(uint16_t target_port, std::function<Cut(int)> cut);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  uint16_t port() const { return port_; }
  int connections() const { return connections_; }

 private:
  void Serve();

  const uint16_t target_port_;
  const std::function<Cut(int)> cut_;
  std::atomic<int> connections_ = 0;
  int listener_ = -1;
  int stop_[2] = {-1, -1};
  uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace trustline
