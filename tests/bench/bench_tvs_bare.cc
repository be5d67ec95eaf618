// A bare OpenSSL accept loop: what this machine can do with this certificate when nothing is
// looked up, logged, bounded or watched. Answers a fixed frame to whatever it reads and hangs up.
// TLS settings are the service's own.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <iostream>
#include <memory>
#include <vector>

#include "tests/bench/bench_files.h"
#include "trust/tvs/tls_settings.h"

namespace trustline::bench {
namespace {

struct Connection {
  int fd = -1;
  SSL* ssl = nullptr;
  bool established = false;
  bool hold = false;
};

void Check(bool good, const char* what) {
  if (good) return;
  std::perror(what);
  ERR_print_errors_fp(stderr);
  std::exit(1);
}

// False when the connection is over.
bool Step(Connection& connection, const std::string& answer) {
  if (!connection.established) {
    const int result = SSL_accept(connection.ssl);
    if (result != 1) return SSL_get_error(connection.ssl, result) == SSL_ERROR_WANT_READ;
    connection.established = true;
  }
  char bytes[4096];
  const int result = SSL_read(connection.ssl, bytes, sizeof(bytes));
  if (result <= 0) return SSL_get_error(connection.ssl, result) == SSL_ERROR_WANT_READ;
  // Small enough for any socket's buffer.
  SSL_write(connection.ssl, answer.data(), static_cast<int>(answer.size()));
  if (connection.hold) return true;
  SSL_shutdown(connection.ssl);
  return false;
}

// `hold`: leaves the connection to the client after the answer, for measuring memory.
int Serve(const std::string& directory, bool hold) {
  const std::string answer = ReadWhole(directory + "/" + kAnswerFile);
  SSL_CTX* const context = SSL_CTX_new(TLS_server_method());
  Check(context != nullptr && SetTvsTls(context, false).ok() &&
            SSL_CTX_use_certificate_file(context, (directory + "/" + kCertificateFile).c_str(),
                                         SSL_FILETYPE_PEM) == 1 &&
            SSL_CTX_use_PrivateKey_file(context, (directory + "/" + kKeyFile).c_str(),
                                        SSL_FILETYPE_PEM) == 1,
        "TLS");
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  epoll_event listening{};
  listening.events = EPOLLIN;
  Check(listener >= 0 && bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
            listen(listener, 4096) == 0 &&
            getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
            epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &listening) == 0,
        "listen");
  std::cout << ntohs(address.sin_port) << " " << getpid() << std::endl;

  std::vector<epoll_event> events(128);
  while (true) {
    const int count = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      auto* connection = static_cast<Connection*>(events[static_cast<size_t>(i)].data.ptr);
      if (connection == nullptr) {
        const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) continue;
        const int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        SSL* const ssl = SSL_new(context);
        Check(ssl != nullptr && SSL_set_fd(ssl, fd) == 1, "TLS");
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.ptr = new Connection{fd, ssl, false, hold};
        Check(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
        continue;
      }
      if (Step(*connection, answer)) continue;
      ERR_clear_error();
      SSL_free(connection->ssl);
      close(connection->fd);
      delete connection;
    }
  }
}

}  // namespace
}  // namespace trustline::bench

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3 || (argc == 3 && std::strcmp(argv[2], "--hold") != 0)) {
    std::cerr << "usage: bench_tvs_bare DIRECTORY [--hold]\nprints its port and process id\n";
    return 64;
  }
  signal(SIGPIPE, SIG_IGN);
  trustline::bench::AllowDescriptors();
  return trustline::bench::Serve(argv[1], argc == 3);
}
