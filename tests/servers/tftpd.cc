#include "tests/servers/tftpd.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace trustline {
namespace {

constexpr char kProgram[] = "/usr/sbin/in.tftpd";
constexpr int kPortsTried = 5;
constexpr int kQuestions = 200;  // of 50 ms each, before it counts as silent

class UdpSocket {
 public:
  UdpSocket() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(any);
    if (fd_ < 0 || bind(fd_, reinterpret_cast<sockaddr*>(&any), size) != 0 ||
        getsockname(fd_, reinterpret_cast<sockaddr*>(&any), &size) != 0) {
      std::perror("socket");
      std::abort();
    }
    port_ = ntohs(any.sin_port);
  }
  ~UdpSocket() { close(fd_); }
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;
  int fd() const { return fd_; }
  uint16_t port() const { return port_; }

 private:
  const int fd_;
  uint16_t port_ = 0;
};

}  // namespace

Tftpd::Tftpd() : problem_(Start()) {}

Tftpd::~Tftpd() { Kill(); }

std::string Tftpd::Start() {
  if (geteuid() != 0) return "in.tftpd shuts itself into a directory: only root can have it do so";
  if (access(kProgram, X_OK) != 0) return std::string(kProgram) + " (package tftpd-hpa) is missing";
  if (chmod(directory_.path().c_str(), 0755) != 0) return "no directory to serve";
  for (int i = 0; i < kPortsTried; ++i) {
    // Free a moment ago; somebody else may take it before the server does.
    port_ = UdpSocket().port();
    if (Launch()) return "";
    Kill();
  }
  return "in.tftpd does not answer";
}

bool Tftpd::Launch() {
  const std::string address = "127.0.0.1:" + std::to_string(port_);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) return false;
  if (pid_ == 0) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    execl(kProgram, "in.tftpd", "--listen", "--foreground", "--address", address.c_str(), "--user",
          "nobody", "--secure", directory_.path().c_str(), nullptr);
    _exit(127);
  }
  setpgid(pid_, pid_);  // whoever comes first
  // RFC 1350: a request to read a file there is not; an error is an answer.
  const std::string question("\0\1no-such-file\0octet\0", 21);
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  server.sin_port = htons(port_);
  const UdpSocket socket;
  for (int i = 0; i < kQuestions; ++i) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      return false;
    }
    if (sendto(socket.fd(), question.data(), question.size(), 0,
               reinterpret_cast<sockaddr*>(&server), sizeof(server)) < 0) {
      return false;
    }
    pollfd waiting{socket.fd(), POLLIN, 0};
    if (poll(&waiting, 1, 50) > 0) return true;
  }
  return false;
}

void Tftpd::Kill() {
  if (pid_ < 0) return;
  kill(-pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void Tftpd::Serve(const std::string& name, const std::string& bytes) const {
  const std::string path = directory_.File(name);
  {
    std::ofstream file(path + ".new", std::ios::binary);
    if (!(file << bytes).flush()) {
      std::perror(path.c_str());
      std::abort();
    }
  }
  if (chmod((path + ".new").c_str(), 0644) != 0 ||
      rename((path + ".new").c_str(), path.c_str()) != 0) {
    std::perror(path.c_str());
    std::abort();
  }
}

}  // namespace trustline
