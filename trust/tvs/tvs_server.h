// A Trust Verification Service: answers phones over TLS from the node's trust stores. It trusts no
// peer: handshakes, reads and writes never block, a connection has a limited life, a limited number
// of bytes and one answer at a time, and there is a most of connections.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "trust/certificate.h"
#include "trust/private_key.h"
#include "trust/tvs/tvs_responder.h"

namespace trustline {

enum class TvsSeverity { kDebug, kInfo, kWarning };
// Gets what happens, with fields; from any of the server's threads. Texts may hold bytes a peer
// sent.
using TvsLog = std::function<void(TvsSeverity severity, absl::string_view message,
                                  const std::vector<std::pair<std::string, std::string>>& fields)>;

struct TvsServerOptions {
  Certificate certificate;
  PrivateKey key;
  std::string stores = {};  // directory with one directory per unit and trust store
  TvsResponderOptions answers = {};
  // TLS 1.0 and old ciphers too, for phones of that age; anonymous ciphers never.
  bool legacy_phones = false;
  // Asks for the phone's certificate and logs it. Never required, never verified.
  bool ask_phone_certificate = false;
  size_t max_connections = 20'000;
  absl::Duration connection_time = absl::Seconds(30);  // from accepting to the end
  size_t connection_bytes = 1 << 20;                   // of questions over one connection
  unsigned threads = 1;                                // each serves its share of the connections
  TvsLog log = {};                                     // may be null
};

struct TvsServerFigures {
  uint64_t accepted = 0;    // connections
  uint64_t handshakes = 0;  // completed
  uint64_t answered = 0;    // questions
  uint64_t found = 0;       // of these with status 0
  uint64_t malformed = 0;   // connections closed for what they sent
  uint64_t overdue = 0;     // connections closed for taking too long
  uint64_t open = 0;        // connections now
  uint64_t rounds = 0;      // in which every connection with something to do gets its turn
  uint64_t turns = 0;       // given to connections; two at most per connection and round
};

// A listening socket. Unavailable: the address is in use or not this machine's. Port 0 takes a free
// one. Made before privileges are dropped.
class TvsListener {
 public:
  static absl::StatusOr<TvsListener> Open(const std::string& ipv4, uint16_t port);
  TvsListener(TvsListener&& other) noexcept;
  TvsListener& operator=(TvsListener&&) = delete;
  ~TvsListener();
  int fd() const { return fd_; }
  uint16_t port() const { return port_; }

 private:
  TvsListener(int fd, uint16_t port) : fd_(fd), port_(port) {}
  int fd_;
  uint16_t port_;
};

// Safe for concurrent use.
class TvsServer {
 public:
  // Serves when it returns. InvalidArgument: certificate and key do not belong together, OpenSSL
  // takes them not, or a limit is zero.
  static absl::StatusOr<std::unique_ptr<TvsServer>> Start(TvsListener listener,
                                                          TvsServerOptions options);
  // Stop(0).
  ~TvsServer();
  TvsServer(const TvsServer&) = delete;
  TvsServer& operator=(const TvsServer&) = delete;

  uint16_t port() const;
  TvsServerFigures figures() const;
  // Accepts no more, lets open connections finish for up to `drain`, then closes them. Blocks until
  // all threads have ended. A second call does nothing.
  void Stop(absl::Duration drain);

 private:
  struct Shared;
  class Loop;
  explicit TvsServer(std::unique_ptr<Shared> shared);

  std::unique_ptr<Shared> shared_;
  std::vector<std::unique_ptr<Loop>> loops_;
};

}  // namespace trustline
