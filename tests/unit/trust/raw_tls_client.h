// A TLS client that does exactly what a test says: old protocols, odd pieces, silence.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "tests/fakes/test_pki.h"
#include "trust/tvs/frame.h"

namespace trustline::testing {

class RawTlsClient {
 public:
  struct Options {
    int version = 0;                       // TLS1_VERSION, ...: only this one; 0: any
    std::string ciphers;                   // OpenSSL's list, for TLS 1.2 and older; empty: default
    std::optional<TestIdentity> identity;  // offered when asked for
  };
  // Connects to 127.0.0.1, nothing more. Ends the test program when it cannot.
  explicit RawTlsClient(uint16_t port);
  ~RawTlsClient();
  RawTlsClient(const RawTlsClient&) = delete;
  RawTlsClient& operator=(const RawTlsClient&) = delete;

  bool Handshake(const Options& options);
  bool Handshake() { return Handshake(Options()); }
  // As one record each. False: the server is gone.
  bool Send(absl::string_view bytes);
  // Below TLS, as they are.
  bool SendPlain(absl::string_view bytes);
  // Waits for one frame; nothing when the server closes instead.
  std::optional<TvsFrame> Receive();
  // Waits until the server closes; whatever it sends before is dropped. Works before a handshake.
  void AwaitClose();
  std::string cipher() const;
  bool got_ticket() const;
  int fd() const { return fd_; }

 private:
  struct Tls;
  int fd_ = -1;
  std::unique_ptr<Tls> tls_;
  std::string rest_;
};

}  // namespace trustline::testing
