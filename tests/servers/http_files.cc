#include "tests/servers/http_files.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace trustline {
namespace {

void Check(bool good, const char* what) {
  if (good) return;
  std::perror(what);
  std::abort();
}

}  // namespace

HttpFiles::HttpFiles() {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  Check(listener_ >= 0, "socket");
  sockaddr_in any{};
  any.sin_family = AF_INET;
  Check(bind(listener_, reinterpret_cast<sockaddr*>(&any), sizeof(any)) == 0, "bind");
  Check(listen(listener_, 64) == 0, "listen");
  socklen_t size = sizeof(any);
  Check(getsockname(listener_, reinterpret_cast<sockaddr*>(&any), &size) == 0, "getsockname");
  port_ = ntohs(any.sin_port);
  tftp_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  Check(tftp_ >= 0, "socket");
  Check(bind(tftp_, reinterpret_cast<sockaddr*>(&any), sizeof(any)) == 0, "bind");
  thread_ = std::thread([this] { Run(); });
}

HttpFiles::~HttpFiles() {
  stop_ = true;
  thread_.join();
  close(listener_);
  close(tftp_);
}

void HttpFiles::Serve(const std::string& address, const std::string& name, std::string bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  files_[{address, name}] = std::move(bytes);
}

void HttpFiles::AnswerOnly(const std::string& status) {
  const std::lock_guard<std::mutex> lock(mutex_);
  only_status_ = status;
}

void HttpFiles::DenyTftp() {
  char request[1024];
  sockaddr_in from{};
  socklen_t size = sizeof(from);
  const ssize_t got = recvfrom(tftp_, request, sizeof(request), MSG_DONTWAIT,
                               reinterpret_cast<sockaddr*>(&from), &size);
  if (got < 2) return;
  // RFC 1350: ERROR, file not found.
  const char error[] = "\0\5\0\1no such file";
  if (sendto(tftp_, error, sizeof(error), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&from), size) <
      0) {
    std::perror("sendto");
  }
}

void HttpFiles::Run() {
  while (!stop_) {
    pollfd waiting[] = {{listener_, POLLIN, 0}, {tftp_, POLLIN, 0}};
    if (poll(waiting, 2, 50) <= 0) continue;
    if ((waiting[1].revents & POLLIN) != 0) DenyTftp();
    if ((waiting[0].revents & POLLIN) == 0) continue;
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    const timeval limit{5, 0};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    Answer(connection);
    close(connection);
  }
}

void HttpFiles::Answer(int connection) {
  std::string request;
  char buffer[4096];
  while (request.find("\r\n\r\n") == std::string::npos) {
    const ssize_t got = recv(connection, buffer, sizeof(buffer), 0);
    if (got <= 0) return;
    request.append(buffer, static_cast<size_t>(got));
  }
  sockaddr_in local{};
  socklen_t size = sizeof(local);
  if (getsockname(connection, reinterpret_cast<sockaddr*>(&local), &size) != 0) return;
  char address[INET_ADDRSTRLEN] = {};
  inet_ntop(AF_INET, &local.sin_addr, address, sizeof(address));
  const size_t begin = request.find('/') + 1;
  const std::string name = request.substr(begin, request.find(' ', begin) - begin);
  std::string reply = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!only_status_.empty()) {
      reply = "HTTP/1.1 " + only_status_ + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    } else if (const auto found = files_.find({address, name}); found != files_.end()) {
      reply = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(found->second.size()) +
              "\r\nConnection: close\r\n\r\n" + found->second;
    }
  }
  for (size_t sent = 0; sent < reply.size();) {
    const ssize_t wrote = send(connection, reply.data() + sent, reply.size() - sent, MSG_NOSIGNAL);
    if (wrote <= 0) return;
    sent += static_cast<size_t>(wrote);
  }
}

}  // namespace trustline
