// One phone's connection to the Trust Verification Service, without the waiting. Internal to the
// server.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <functional>
#include <string>

#include "trust/openssl_handles.h"
#include "trust/tvs/frame.h"
#include "trust/tvs/message.h"

namespace trustline {

// Thread-compatible.
class TvsConnection {
 public:
  // What to do next with the socket.
  enum class Want {
    kRead,   // wait until there is something to read
    kWrite,  // wait until the peer takes more
    kAgain,  // go on as soon as others had their turn
    kClose,  // over; `outcome` says how
  };
  enum class Outcome { kOpen, kPeerClosed, kMalformed, kFailed };

  struct Events {
    std::function<void(TvsConnection&)> handshake_done;
    std::function<TvsReply(TvsConnection&, const TvsRequest&)> answer;
  };

  // Owns `fd`, which is non-blocking. Needs no TLS memory before the peer has said anything.
  // `context` and `events` outlive it.
  TvsConnection(int fd, std::string peer, SSL_CTX* context, size_t bytes_left,
                const Events* events);
  ~TvsConnection();
  TvsConnection(const TvsConnection&) = delete;
  TvsConnection& operator=(const TvsConnection&) = delete;

  // Does what can be done now without waiting, a bounded amount of it.
  Want Step();

  int fd() const { return fd_; }
  const std::string& peer() const { return peer_; }  // address:port
  SSL* ssl() const { return ssl_.get(); }            // null before the first byte
  Outcome outcome() const { return outcome_; }
  const std::string& reason() const { return reason_; }  // for kMalformed and kFailed
  bool established() const { return established_; }      // the handshake is done
  bool answered() const { return answered_; }
  // Whether a peer that will send nothing more cannot come to its question. Up to TLS 1.2 it must
  // hear us before it asks; in TLS 1.3 its question may have come with the end of the handshake.
  bool LostWithoutPeer() const {
    return !established_ && (ssl_ == nullptr || SSL_version(ssl_.get()) < TLS1_3_VERSION);
  }

 private:
  Want StepOnce();
  Want Handshake();
  Want Write();
  Want Read();
  Want After(int result, int error);
  Want Close(Outcome outcome, std::string reason = "");
  absl::Status Take(absl::string_view bytes);

  const int fd_;
  const std::string peer_;
  SSL_CTX* const context_;
  const Events* const events_;
  openssl::Handle<SSL, SSL_free> ssl_;
  size_t bytes_left_;
  bool established_ = false;
  bool answered_ = false;
  TvsFrameDecoder decoder_;
  std::string input_;   // read and not yet looked at: questions behind the one being answered
  std::string output_;  // the answer under way
  size_t sent_ = 0;
  Outcome outcome_ = Outcome::kOpen;
  std::string reason_;
};

}  // namespace trustline
