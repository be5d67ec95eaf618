#include "trust/tvs/tvs_client.h"

#include <openssl/ssl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "trust/openssl_handles.h"
#include "trust/status_macros.h"
#include "trust/tcp_connect.h"
#include "trust/tvs/socket_bio.h"
#include "trust/tvs/tls_settings.h"

namespace trustline {
namespace {

using Clock = std::chrono::steady_clock;
using SslCtxPtr = openssl::Handle<SSL_CTX, SSL_CTX_free>;
using SslPtr = openssl::Handle<SSL, SSL_free>;

class OwnedSocket {
 public:
  explicit OwnedSocket(int fd) : fd_(fd) {}
  ~OwnedSocket() { close(fd_); }
  OwnedSocket(const OwnedSocket&) = delete;
  OwnedSocket& operator=(const OwnedSocket&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

// What the server showed during the handshake.
struct Peer {
  const std::vector<Certificate>* pinned = nullptr;
  std::optional<Certificate> presented;
  absl::Status wrong;
};

std::string Described(const Certificate& certificate, absl::Time now) {
  return absl::StrCat(
      certificate.subject(), ", serial ", certificate.serial_hex(), ", SHA-256 ",
      certificate.sha256_hex(),
      certificate.not_after() < now
          ? absl::StrCat(", expired on ",
                         absl::FormatTime("%Y-%m-%d", certificate.not_after(), absl::UTCTimeZone()))
          : "");
}

absl::Status Judge(Peer& peer, X509* x509) {
  if (x509 == nullptr) return absl::PermissionDeniedError("the server presents no certificate");
  const absl::StatusOr<Certificate> presented =
      Certificate::FromDer(openssl::ToDer<X509>(x509, i2d_X509));
  if (!presented.ok()) {
    return absl::PermissionDeniedError(
        absl::StrCat("the server's certificate cannot be read: ", presented.status().message()));
  }
  peer.presented = *presented;
  if (std::find(peer.pinned->begin(), peer.pinned->end(), *presented) != peer.pinned->end()) {
    return absl::OkStatus();
  }
  const absl::Time now = absl::Now();
  std::string expected;
  for (const Certificate& certificate : *peer.pinned) {
    absl::StrAppend(&expected, expected.empty() ? "" : "; or ", Described(certificate, now));
  }
  return absl::PermissionDeniedError(
      absl::StrCat("the server presents ", Described(*presented, now), "; expected ", expected));
}

// Replaces OpenSSL's own verification: a phone compares certificates and builds no chain.
int VerifyPeer(X509_STORE_CTX* context, void* argument) {
  Peer& peer = *static_cast<Peer*>(argument);
  peer.wrong = Judge(peer, X509_STORE_CTX_get0_cert(context));
  if (peer.wrong.ok()) return 1;
  X509_STORE_CTX_set_error(context, X509_V_ERR_CERT_REJECTED);
  return 0;
}

absl::Status NoMemory() { return absl::ResourceExhaustedError("OpenSSL has no memory"); }

class Connection {
 public:
  Connection(std::string where, Clock::time_point deadline)
      : where_(std::move(where)), deadline_(deadline) {}

  absl::Status Start(int fd, const TvsClientOptions& options) {
    fd_ = fd;
    peer_.pinned = &options.pinned;
    context_.reset(SSL_CTX_new(TLS_client_method()));
    if (context_ == nullptr) return NoMemory();
    TL_RETURN_IF_ERROR(SetTvsTls(context_.get(), options.legacy_tls));
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_cert_verify_callback(context_.get(), VerifyPeer, &peer_);
    ssl_.reset(SSL_new(context_.get()));
    BIO* const bio = NewSocketBio(fd);
    if (ssl_ == nullptr || bio == nullptr) {
      BIO_free(bio);
      return NoMemory();
    }
    SSL_set_bio(ssl_.get(), bio, bio);
    TL_RETURN_IF_ERROR(
        Drive([this] { return SSL_connect(ssl_.get()); }, "the TLS handshake").status());
    return absl::OkStatus();
  }

  absl::Status Send(absl::string_view bytes) {
    while (!bytes.empty()) {
      TL_ASSIGN_OR_RETURN(
          const size_t sent,
          Drive([&] { return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())); },
                "sending the question"));
      bytes.remove_prefix(sent);
    }
    return absl::OkStatus();
  }

  // How many bytes came; at least one.
  absl::StatusOr<size_t> Receive(char* into, size_t size) {
    return Drive([&] { return SSL_read(ssl_.get(), into, static_cast<int>(size)); },
                 "waiting for the answer");
  }

  // Best effort: the answer is here, and the server may be gone.
  void End() {
    const openssl::ErrorQueueGuard guard;
    SSL_shutdown(ssl_.get());
  }

  const Certificate& presented() const { return *peer_.presented; }
  std::string tls() const {
    return absl::StrCat(SSL_get_version(ssl_.get()), " ", SSL_get_cipher_name(ssl_.get()));
  }

 private:
  // Repeats `step` until it succeeds, waiting for the socket in between.
  template <typename Step>
  absl::StatusOr<size_t> Drive(Step step, absl::string_view what) {
    while (true) {
      const openssl::ErrorQueueGuard guard;
      errno = 0;
      const int result = step();
      if (result > 0) return static_cast<size_t>(result);
      const int error = SSL_get_error(ssl_.get(), result);
      if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
        return Failed(error, errno, what);
      }
      TL_RETURN_IF_ERROR(Wait(error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, what));
    }
  }

  absl::Status Failed(int error, int system_error, absl::string_view what) const {
    if (!peer_.wrong.ok()) {
      return absl::PermissionDeniedError(absl::StrCat(where_, ": ", peer_.wrong.message()));
    }
    const unsigned long code = ERR_peek_last_error();  // NOLINT(runtime/int): OpenSSL's type
    const int reason = ERR_GET_REASON(code);
    const bool gone = error == SSL_ERROR_ZERO_RETURN ||
                      (error == SSL_ERROR_SSL && reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) ||
                      (error == SSL_ERROR_SYSCALL && system_error == 0);
    if (gone) {
      return absl::UnavailableError(
          absl::StrCat(where_, ": ", what, ": the server closed the connection"));
    }
    if (error == SSL_ERROR_SYSCALL) {
      return absl::UnavailableError(
          absl::StrCat(where_, ": ", what, ": ", std::strerror(system_error)));
    }
    const std::string words = openssl::TakeReason();
    // Not TLS at all, as opposed to TLS that does not want us.
    if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST ||
        reason == SSL_R_PACKET_LENGTH_TOO_LONG || reason == SSL_R_UNEXPECTED_MESSAGE) {
      return absl::InvalidArgumentError(
          absl::StrCat(where_, ": ", what, ": no TLS is spoken there (", words, ")"));
    }
    return absl::UnavailableError(absl::StrCat(where_, ": ", what, ": ", words));
  }

  absl::Status Wait(short events, absl::string_view what) const {  // NOLINT(runtime/int): poll's
    while (true) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
      if (left <= 0) {
        return absl::UnavailableError(absl::StrCat(where_, ": ", what, ": no answer in time"));
      }
      pollfd poller = {fd_, events, 0};
      const int ready = poll(&poller, 1, static_cast<int>(std::min<int64_t>(left, 1 << 30)));
      if (ready > 0) return absl::OkStatus();
      if (ready < 0 && errno != EINTR) return absl::UnavailableError(std::strerror(errno));
    }
  }

  const std::string where_;
  const Clock::time_point deadline_;
  int fd_ = -1;
  Peer peer_;
  SslCtxPtr context_;
  SslPtr ssl_;
};

absl::StatusOr<TvsFrame> ReadFrame(Connection& connection, const std::string& where,
                                   std::string& wire) {
  TvsFrameDecoder decoder;
  char bytes[4096];
  while (!decoder.ready()) {
    absl::StatusOr<size_t> got = connection.Receive(bytes, sizeof(bytes));
    if (!got.ok() && decoder.in_frame()) {
      return absl::Status(got.status().code(), absl::StrCat(got.status().message(), " (after ",
                                                            wire.size(), " bytes of a reply)"));
    }
    TL_RETURN_IF_ERROR(got.status());
    const absl::StatusOr<size_t> taken = decoder.Feed(absl::string_view(bytes, *got));
    if (!taken.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": ", taken.status().message()));
    }
    // What follows the frame answers no question of ours.
    wire.append(bytes, *taken);
  }
  return decoder.Take();
}

}  // namespace

absl::StatusOr<TvsAnswer> AskTvs(const TvsAddress& server, const TvsRequest& request,
                                 const TvsClientOptions& options) {
  const std::string where = absl::StrCat("TVS ", server.Text());
  if (options.pinned.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(where, ": no certificate to compare the server's with"));
  }
  TL_ASSIGN_OR_RETURN(std::string question, EncodeTvsRequest(request));
  const Clock::time_point deadline = Clock::now() + absl::ToChronoMilliseconds(options.timeout);
  const absl::StatusOr<int> fd = ConnectTcp(server.host, server.port, options.timeout);
  if (!fd.ok()) {
    return absl::UnavailableError(absl::StrCat(where, ": ", fd.status().message()));
  }
  const OwnedSocket socket(*fd);
  Connection connection(where, deadline);
  TL_RETURN_IF_ERROR(connection.Start(socket.get(), options));
  TL_RETURN_IF_ERROR(connection.Send(question));
  std::string wire;
  TL_ASSIGN_OR_RETURN(const TvsFrame frame, ReadFrame(connection, where, wire));
  connection.End();
  absl::StatusOr<TvsReply> reply = DecodeTvsReply(frame);
  absl::Status fits = reply.status();
  if (fits.ok()) fits = CheckTvsReply(*reply, request);
  if (!fits.ok()) return absl::InvalidArgumentError(absl::StrCat(where, ": ", fits.message()));
  return TvsAnswer{*std::move(reply), connection.presented(), std::move(question), std::move(wire),
                   connection.tls()};
}

}  // namespace trustline
