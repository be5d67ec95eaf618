// A TLS server that says what a test wants, on 127.0.0.1 and a free port.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "tests/fakes/test_pki.h"

namespace trustline::testing {

// Serves one connection after another. `answer` gets what a client has sent so far and returns what
// to say; an empty text says nothing and reads on, "close" closes. Ends in its destructor.
class ScriptedTlsServer {
 public:
  using Answer = std::function<std::string(const std::string& received)>;
  struct Options {
    bool tls10_only = false;        // as an old Unified CM
    size_t bytes_at_a_time = 0;     // 0: as a whole
    bool speak_plain_text = false;  // no TLS at all
  };
  ScriptedTlsServer(TestIdentity identity, Answer answer, Options options);
  ScriptedTlsServer(TestIdentity identity, Answer answer)
      : ScriptedTlsServer(std::move(identity), std::move(answer), Options()) {}
  ~ScriptedTlsServer();
  ScriptedTlsServer(const ScriptedTlsServer&) = delete;
  ScriptedTlsServer& operator=(const ScriptedTlsServer&) = delete;

  uint16_t port() const { return port_; }

 private:
  void Run();
  void Serve(int fd, void* context);

  TestIdentity identity_;
  Answer answer_;
  Options options_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

}  // namespace trustline::testing
