#include "tests/unit/trust/raw_tls_client.h"

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "trust/openssl_handles.h"
#include "trust/tvs/socket_bio.h"

namespace trustline::testing {

struct RawTlsClient::Tls {
  openssl::Handle<SSL_CTX, SSL_CTX_free> context;
  openssl::Handle<SSL, SSL_free> ssl;
  int tickets = 0;
};

RawTlsClient::RawTlsClient(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) std::abort();
}

RawTlsClient::~RawTlsClient() {
  tls_.reset();
  close(fd_);
}

bool RawTlsClient::Handshake(const Options& options) {
  const openssl::ErrorQueueGuard guard;
  tls_ = std::make_unique<Tls>();
  SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  tls_->context.reset(context);
  if (options.version != 0) {
    SSL_CTX_set_min_proto_version(context, options.version);
    SSL_CTX_set_max_proto_version(context, options.version);
  }
  if (!options.ciphers.empty() && SSL_CTX_set_cipher_list(context, options.ciphers.c_str()) != 1) {
    std::abort();
  }
  if (options.identity) {
    const std::string& der = options.identity->certificate.der();
    SSL_CTX_use_certificate_ASN1(context, static_cast<int>(der.size()), openssl::Bytes(der));
    SSL_CTX_use_PrivateKey(context, static_cast<EVP_PKEY*>(options.identity->key.native()));
  }
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT);
  SSL_CTX_sess_set_new_cb(context, [](SSL* ssl, SSL_SESSION* session) {
    if (SSL_SESSION_has_ticket(session) == 1) ++*static_cast<int*>(SSL_get_app_data(ssl));
    return 0;
  });
  SSL* const ssl = SSL_new(context);
  tls_->ssl.reset(ssl);
  SSL_set_app_data(ssl, &tls_->tickets);
  BIO* const bio = NewSocketBio(fd_);
  SSL_set_bio(ssl, bio, bio);
  return SSL_connect(ssl) == 1;
}

bool RawTlsClient::Send(absl::string_view bytes) {
  const openssl::ErrorQueueGuard guard;
  return SSL_write(tls_->ssl.get(), bytes.data(), static_cast<int>(bytes.size())) ==
         static_cast<int>(bytes.size());
}

bool RawTlsClient::SendPlain(absl::string_view bytes) {
  return send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

std::optional<TvsFrame> RawTlsClient::Receive() {
  const openssl::ErrorQueueGuard guard;
  TvsFrameDecoder decoder;
  while (true) {
    if (!rest_.empty()) {
      const absl::StatusOr<size_t> taken = decoder.Feed(rest_);
      if (!taken.ok()) return std::nullopt;
      rest_.erase(0, *taken);
    }
    if (decoder.ready()) return decoder.Take();
    char bytes[4096];
    const int got = SSL_read(tls_->ssl.get(), bytes, sizeof(bytes));
    if (got <= 0) return std::nullopt;
    rest_.append(bytes, static_cast<size_t>(got));
  }
}

void RawTlsClient::AwaitClose() {
  char bytes[4096];
  while (recv(fd_, bytes, sizeof(bytes), 0) > 0) continue;
}

std::string RawTlsClient::cipher() const {
  return std::string(SSL_get_version(tls_->ssl.get())) + " " + SSL_get_cipher_name(tls_->ssl.get());
}

bool RawTlsClient::got_ticket() const { return tls_->tickets > 0; }

}  // namespace trustline::testing
