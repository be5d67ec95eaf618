#include "agent/dhcp/kea_control.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/dhcp/kea_config.h"
#include "agent/dhcp/kea_json.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

using Steady = std::chrono::steady_clock;

constexpr size_t kLargestAnswer = size_t{64} << 20;
constexpr size_t kLongestWords = 2000;

class Connection {
 public:
  Connection(int fd, std::string path, Steady::time_point deadline)
      : fd_(fd), path_(std::move(path)), deadline_(deadline) {}
  ~Connection() {
    if (fd_ >= 0) close(fd_);
  }
  Connection(Connection&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)),
        path_(std::move(other.path_)),
        deadline_(other.deadline_) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  Connection& operator=(Connection&&) = delete;

  static absl::StatusOr<Connection> Open(const std::string& path, absl::Duration timeout) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof(address.sun_path)) {
      return absl::InvalidArgumentError(absl::StrCat("control socket '", path, "': a path of 1 to ",
                                                     sizeof(address.sun_path) - 1,
                                                     " bytes is needed"));
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    Connection connection(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), path,
                          Steady::now() + absl::ToChronoNanoseconds(timeout));
    if (connection.fd_ < 0) return connection.Failed(errno);
    // A UNIX socket whose queue is full says EAGAIN at once: ask again until the time is over.
    while (connect(connection.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) !=
           0) {
      if (errno != EAGAIN && errno != EINTR) return connection.Failed(errno);
      if (Steady::now() >= connection.deadline_) return connection.TooLate();
      poll(nullptr, 0, 10);
    }
    return connection;
  }

  absl::Status Send(absl::string_view bytes) {
    while (!bytes.empty()) {
      TL_RETURN_IF_ERROR(Wait(POLLOUT));
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent >= 0) {
        bytes.remove_prefix(static_cast<size_t>(sent));
      } else if (errno != EAGAIN && errno != EINTR) {
        return Failed(errno);
      }
    }
    return absl::OkStatus();
  }

  // Everything until the server closes, as it does after one answer.
  absl::StatusOr<std::string> Receive() {
    std::string answer;
    std::array<char, 65536> buffer;
    while (true) {
      TL_RETURN_IF_ERROR(Wait(POLLIN));
      const ssize_t size = recv(fd_, buffer.data(), buffer.size(), 0);
      if (size == 0) return answer;
      if (size < 0) {
        if (errno == EAGAIN || errno == EINTR) continue;
        return Failed(errno);
      }
      if (answer.size() + static_cast<size_t>(size) > kLargestAnswer) {
        return absl::ResourceExhaustedError(
            absl::StrCat("Kea's answer on ", path_, " is larger than 64 MiB"));
      }
      answer.append(buffer.data(), static_cast<size_t>(size));
    }
  }

 private:
  absl::Status Wait(short events) {
    while (true) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Steady::now()).count();
      if (left <= 0) return TooLate();
      pollfd waiting{fd_, events, 0};
      const int ready = poll(&waiting, 1, static_cast<int>(std::min<long long>(left, 60000)));
      if (ready > 0) return absl::OkStatus();
      if (ready < 0 && errno != EINTR) return Failed(errno);
    }
  }

  absl::Status TooLate() const {
    return absl::UnavailableError(
        absl::StrCat("Kea did not answer in time on its control socket ", path_));
  }

  absl::Status Failed(int error) const {
    const std::string text =
        absl::StrCat("Kea's control socket ", path_, ": ", std::strerror(error));
    if (error == EACCES || error == EPERM) return absl::PermissionDeniedError(text);
    return absl::UnavailableError(absl::StrCat(text, "; is kea-dhcp4 running"));
  }

  int fd_;
  std::string path_;
  Steady::time_point deadline_;
};

// A node without a DHCP server.
class NoDhcp final : public Dhcp {
 public:
  absl::StatusOr<std::string> RunningConfig() const override { return None(); }
  absl::StatusOr<std::string> ConfigPath() const override { return None(); }
  absl::StatusOr<std::string> ServerAddress() const override { return None(); }
  absl::Status TestConfig(const std::string&) const override { return None(); }
  absl::Status Reload() override { return None(); }

 private:
  static absl::Status None() {
    return absl::FailedPreconditionError(
        "this node's agent.yaml names no DHCP server; give it a kea section");
  }
};

}  // namespace

KeaControl::KeaControl(v1::KeaServer server, CallHook hook, absl::Duration timeout)
    : server_(std::move(server)), hook_(std::move(hook)), timeout_(timeout) {}

absl::StatusOr<std::string> KeaControl::Command(absl::string_view name,
                                                const std::string& request) const {
  TL_ASSIGN_OR_RETURN(Connection connection, Connection::Open(server_.control_socket(), timeout_));
  TL_RETURN_IF_ERROR(connection.Send(request));
  TL_ASSIGN_OR_RETURN(const std::string answer, connection.Receive());
  if (answer.empty()) {
    return absl::UnavailableError(
        absl::StrCat("Kea closed its control socket without an answer to ", name));
  }
  const absl::StatusOr<KeaValue> parsed = ParseKeaJson(answer);
  const KeaValue* result = parsed.ok() ? parsed->Find("result") : nullptr;
  int code = 0;
  if (result == nullptr || !absl::SimpleAtoi(result->text, &code)) {
    return absl::InternalError(absl::StrCat("Kea's answer to ", name, " cannot be understood"));
  }
  if (code != 0) {
    const KeaValue* text = parsed->Find("text");
    const std::string words = absl::StrCat(
        "Kea answers to ", name, ": ",
        text == nullptr ? absl::StrCat("result ", code) : text->text.substr(0, kLongestWords));
    return code == 2 ? absl::UnimplementedError(words) : absl::InvalidArgumentError(words);
  }
  const KeaValue* arguments = parsed->Find("arguments");
  if (arguments == nullptr) return std::string();
  return answer.substr(arguments->begin, arguments->end - arguments->begin);
}

absl::StatusOr<std::string> KeaControl::RunningConfig() const {
  TL_ASSIGN_OR_RETURN(std::string arguments,
                      Command("config-get", "{ \"command\": \"config-get\" }"));
  if (arguments.empty()) return absl::InternalError("Kea's answer to config-get has no arguments");
  return arguments;
}

absl::StatusOr<std::string> KeaControl::ConfigPath() const { return server_.config(); }

absl::StatusOr<std::string> KeaControl::ServerAddress() const { return server_.address(); }

absl::Status KeaControl::TestConfig(const std::string& json) const {
  TL_ASSIGN_OR_RETURN(const KeaConfig config, KeaConfig::Parse(json));
  return Command("config-test", absl::StrCat("{ \"command\": \"config-test\", \"arguments\": ",
                                             config.WireJson(), " }"))
      .status();
}

absl::Status KeaControl::Reload() {
  if (hook_) TL_RETURN_IF_ERROR(hook_("kea-config-reload", server_.config()));
  return Command("config-reload", "{ \"command\": \"config-reload\" }").status();
}

std::unique_ptr<Dhcp> MakeDhcp(const v1::AgentConfig& config, CallHook hook) {
  if (!config.has_kea()) return std::make_unique<NoDhcp>();
  return std::make_unique<KeaControl>(config.kea(), std::move(hook));
}

}  // namespace trustline::agent
