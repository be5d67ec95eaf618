#include "tests/unit/trust/scripted_tls_server.h"

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "trust/openssl_handles.h"
#include "trust/tvs/socket_bio.h"

namespace trustline::testing {
namespace {

using SslCtxPtr = openssl::Handle<SSL_CTX, SSL_CTX_free>;
using SslPtr = openssl::Handle<SSL, SSL_free>;

}  // namespace

ScriptedTlsServer::ScriptedTlsServer(TestIdentity identity, Answer answer, Options options)
    : identity_(std::move(identity)), answer_(std::move(answer)), options_(options) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener_, 16) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Run(); });
}

ScriptedTlsServer::~ScriptedTlsServer() {
  ending_ = true;
  shutdown(listener_, SHUT_RDWR);
  thread_.join();
  close(listener_);
}

void ScriptedTlsServer::Run() {
  SslCtxPtr context(SSL_CTX_new(TLS_server_method()));
  if (options_.tls10_only) {
    SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context.get(), TLS1_VERSION);
    SSL_CTX_set_cipher_list(context.get(), "AES256-SHA:@SECLEVEL=0");
  }
  const std::string der = identity_.certificate.der();
  SSL_CTX_use_certificate_ASN1(context.get(), static_cast<int>(der.size()), openssl::Bytes(der));
  SSL_CTX_use_PrivateKey(context.get(), static_cast<EVP_PKEY*>(identity_.key.native()));
  while (!ending_) {
    const int fd = accept(listener_, nullptr, nullptr);
    if (fd < 0) continue;
    Serve(fd, context.get());
    close(fd);
  }
}

void ScriptedTlsServer::Serve(int fd, void* context) {
  const openssl::ErrorQueueGuard guard;
  if (options_.speak_plain_text) {
    const std::string text = answer_("");
    send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    char rest[256];
    while (recv(fd, rest, sizeof(rest), 0) > 0) continue;
    return;
  }
  SslPtr ssl(SSL_new(static_cast<SSL_CTX*>(context)));
  BIO* const bio = NewSocketBio(fd);
  SSL_set_bio(ssl.get(), bio, bio);
  if (SSL_accept(ssl.get()) != 1) return;
  std::string received;
  while (true) {
    char bytes[4096];
    pollfd poller = {fd, POLLIN, 0};
    while (SSL_pending(ssl.get()) == 0 && poll(&poller, 1, 20) == 0) {
      if (ending_) return;
    }
    const int got = SSL_read(ssl.get(), bytes, sizeof(bytes));
    if (got <= 0) return;
    received.append(bytes, static_cast<size_t>(got));
    const std::string answer = answer_(received);
    if (answer.empty()) continue;
    if (answer == "close") return;
    const size_t step = options_.bytes_at_a_time == 0 ? answer.size() : options_.bytes_at_a_time;
    for (size_t at = 0; at < answer.size(); at += step) {
      const size_t part = std::min(step, answer.size() - at);
      if (SSL_write(ssl.get(), answer.data() + at, static_cast<int>(part)) <= 0) return;
    }
    received.clear();
  }
}

}  // namespace trustline::testing
