#include "agent/dhcp/kea_control.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/temp_directory.h"

namespace trustline::agent {
namespace {

// A control socket that takes one connection after another, reads one request and answers with what
// the test says.
class ControlSocket {
 public:
  explicit ControlSocket(std::string answer, bool silent = false)
      : answer_(std::move(answer)), silent_(silent) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path().c_str(), sizeof(address.sun_path) - 1);
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(listener_, 4), 0);
    EXPECT_EQ(pipe(stop_), 0);
    thread_ = std::thread([this] { Serve(); });
  }
  ~ControlSocket() {
    EXPECT_EQ(write(stop_[1], "x", 1), 1);
    thread_.join();
    for (const int fd : {listener_, stop_[0], stop_[1]}) close(fd);
    unlink(path().c_str());
  }
  std::string path() const { return directory_.File("s"); }
  // Valid after a call has returned.
  const std::vector<std::string>& requests() const { return requests_; }

 private:
  bool Readable(int fd) {
    pollfd waiting[] = {{fd, POLLIN, 0}, {stop_[0], POLLIN, 0}};
    return poll(waiting, 2, -1) > 0 && waiting[1].revents == 0;
  }
  void Serve() {
    while (Readable(listener_)) {
      const int connection = accept(listener_, nullptr, nullptr);
      std::string request;
      char buffer[4096];
      // A request of these tests ends with the bracket that closes it.
      while (!absl::EndsWith(request, " }") && Readable(connection)) {
        const ssize_t size = read(connection, buffer, sizeof(buffer));
        if (size <= 0) break;
        request.append(buffer, static_cast<size_t>(size));
      }
      requests_.push_back(request);
      if (silent_) {
        (void)Readable(connection);
      } else {
        size_t sent = 0;
        while (sent < answer_.size()) {
          const ssize_t size =
              send(connection, answer_.data() + sent, answer_.size() - sent, MSG_NOSIGNAL);
          if (size <= 0) break;
          sent += static_cast<size_t>(size);
        }
      }
      close(connection);
    }
  }

  const std::string answer_;
  const bool silent_;
  // The path of a UNIX socket is short; TMPDIR may not be.
  const testing::TempDirectory directory_{"/tmp"};
  int listener_ = -1;
  int stop_[2] = {-1, -1};
  std::vector<std::string> requests_;
  std::thread thread_;
};

v1::KeaServer Server(const std::string& socket) {
  v1::KeaServer server;
  server.set_config("/etc/kea/kea-dhcp4.conf");
  server.set_control_socket(socket);
  server.set_address("10.30.0.2");
  return server;
}

TEST(KeaControlTest, RunningConfigIsTheArgumentsOfTheAnswer) {
  ControlSocket socket(R"({ "result": 0, "arguments": { "Dhcp4": { "x": 1 } } })");
  const KeaControl kea(Server(socket.path()));
  const absl::StatusOr<std::string> running = kea.RunningConfig();
  ASSERT_TRUE(running.ok()) << running.status();
  EXPECT_EQ(*running, R"({ "Dhcp4": { "x": 1 } })");
  EXPECT_EQ(socket.requests(), (std::vector<std::string>{R"({ "command": "config-get" })"}));
}

TEST(KeaControlTest, ATestedTextIsSentWithoutComments) {
  ControlSocket socket(R"({ "result": 0, "text": "fine" })");
  const KeaControl kea(Server(socket.path()));
  EXPECT_TRUE(kea.TestConfig("{ # note\n \"Dhcp4\": { \"x\": [1,], }, }").ok());
  EXPECT_EQ(socket.requests(),
            (std::vector<std::string>{
                R"({ "command": "config-test", "arguments": {"Dhcp4":{"x":[1]}} })"}));
  EXPECT_EQ(kea.TestConfig("{").code(), absl::StatusCode::kInvalidArgument);
}

TEST(KeaControlTest, KeasWordsArePassedOn) {
  ControlSocket socket(R"({ "result": 1, "text": "subnet configuration failed: <wire>:0" })");
  KeaControl kea(Server(socket.path()));
  EXPECT_EQ(kea.TestConfig("{ \"Dhcp4\": {} }"),
            absl::InvalidArgumentError(
                "Kea answers to config-test: subnet configuration failed: <wire>:0"));
  EXPECT_EQ(kea.Reload(),
            absl::InvalidArgumentError(
                "Kea answers to config-reload: subnet configuration failed: <wire>:0"));
}

TEST(KeaControlTest, AnUnknownCommandIsUnimplemented) {
  ControlSocket socket(R"({ "result": 2, "text": "'config-test' command not supported." })");
  EXPECT_EQ(KeaControl(Server(socket.path())).TestConfig("{ \"Dhcp4\": {} }").code(),
            absl::StatusCode::kUnimplemented);
}

TEST(KeaControlTest, ASilentServerIsUnavailableInTime) {
  ControlSocket socket("", /*silent=*/true);
  const KeaControl kea(Server(socket.path()), nullptr, absl::Milliseconds(50));
  EXPECT_EQ(kea.RunningConfig().status(),
            absl::UnavailableError(
                absl::StrCat("Kea did not answer in time on its control socket ", socket.path())));
}

TEST(KeaControlTest, AnythingElseThanAnAnswerIsAnError) {
  for (const char* answer : {"junk", "{}", "[]", R"({ "result": "x" })", R"({ "result": 0 )"}) {
    ControlSocket socket(answer);
    EXPECT_EQ(KeaControl(Server(socket.path())).RunningConfig().status().code(),
              absl::StatusCode::kInternal)
        << answer;
  }
  ControlSocket closing("");
  EXPECT_EQ(KeaControl(Server(closing.path())).RunningConfig().status().code(),
            absl::StatusCode::kUnavailable);
  ControlSocket without(R"({ "result": 0 })");
  EXPECT_EQ(KeaControl(Server(without.path())).RunningConfig().status().code(),
            absl::StatusCode::kInternal);
}

TEST(KeaControlTest, AnEndlessAnswerIsCutOff) {
  ControlSocket socket(std::string((size_t{64} << 20) + 1, ' '));
  EXPECT_EQ(
      KeaControl(Server(socket.path()), nullptr, absl::Seconds(60)).RunningConfig().status().code(),
      absl::StatusCode::kResourceExhausted);
}

TEST(KeaControlTest, AMissingServerIsUnavailableAndNamed) {
  const absl::Status status = KeaControl(Server("/tmp/tl-kea-none/s")).RunningConfig().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(absl::StrContains(status.message(), "/tmp/tl-kea-none/s")) << status;
  EXPECT_EQ(KeaControl(Server(std::string(108, 'x'))).RunningConfig().status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(KeaControlTest, OnlyReloadIsAnEffect) {
  ControlSocket socket(R"({ "result": 0, "arguments": {} })");
  std::vector<std::string> calls;
  KeaControl kea(Server(socket.path()), [&](absl::string_view call, absl::string_view target) {
    calls.push_back(absl::StrCat(call, " ", target));
    return absl::AbortedError("not now");
  });
  EXPECT_TRUE(kea.RunningConfig().ok());
  EXPECT_TRUE(kea.TestConfig("{ \"Dhcp4\": {} }").ok());
  EXPECT_EQ(kea.Reload(), absl::AbortedError("not now"));
  EXPECT_EQ(calls, (std::vector<std::string>{"kea-config-reload /etc/kea/kea-dhcp4.conf"}));
  EXPECT_EQ(socket.requests().size(), 2u);
}

TEST(KeaControlTest, ANodeWithoutAServerSaysSo) {
  const std::unique_ptr<Dhcp> none = MakeDhcp(v1::AgentConfig());
  EXPECT_EQ(none->ConfigPath().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(none->Reload().code(), absl::StatusCode::kFailedPrecondition);
  v1::AgentConfig config;
  *config.mutable_kea() = Server("/run/kea/s");
  EXPECT_EQ(*MakeDhcp(config)->ConfigPath(), "/etc/kea/kea-dhcp4.conf");
  EXPECT_EQ(*MakeDhcp(config)->ServerAddress(), "10.30.0.2");
}

}  // namespace
}  // namespace trustline::agent
