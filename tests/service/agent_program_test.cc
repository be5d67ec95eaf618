// The real binary: how it starts, what it tells systemd, how it ends.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/service/service_fixture.h"

namespace trustline::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A child of this test; killed when the test leaves it running.
class AgentProcess {
 public:
  AgentProcess(const std::vector<std::string>& arguments, const std::string& output,
               const std::vector<std::string>& environment = {}) {
    std::vector<std::string> words = {absl::StrCat(TRUSTLINE_BINARY_DIR, "/trustline-agent")};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv, envp;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    std::vector<std::string> variables = environment;
    for (std::string& variable : variables) envp.push_back(variable.data());
    envp.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(),
                                       O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    EXPECT_EQ(::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), envp.data()), 0);
    ::posix_spawn_file_actions_destroy(&actions);
  }
  ~AgentProcess() {
    if (pid_ <= 0 || Ended()) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  void Signal(int number) const { ::kill(pid_, number); }
  bool Ended() {
    if (!ended_ && ::waitpid(pid_, &status_, WNOHANG) == pid_) ended_ = true;
    return ended_;
  }
  // -1: still running, or ended by a signal.
  int ExitCode() {
    if (!Eventually([this] { return Ended(); }) || !WIFEXITED(status_)) return -1;
    return WEXITSTATUS(status_);
  }

 private:
  pid_t pid_ = -1;
  bool ended_ = false;
  int status_ = 0;
};

class AgentProgramTest : public ::testing::Test {
 protected:
  void SetUp() override { WriteConfig("agent.yaml", "src-pub", "127.0.0.1:0"); }
  void WriteConfig(const std::string& file, const std::string& state, const std::string& listen) {
    const TempDirectory& files = agent_.directory;
    WriteFile(files.File(file),
              absl::StrCat("node: src-pub\ndomain: example.test\nlisten: \"", listen,
                           "\"\nport_file: ", files.File(file + ".port"),
                           "\nstate_directory: ", files.File(state),
                           "\nidentity:\n  certificate: ", agent_.config.identity().certificate(),
                           "\n  key: ", agent_.config.identity().key(),
                           "\n  ca: ", agent_.config.identity().ca(),
                           "\nroles:\n  - { operator: olga, role: operator }\n"));
  }
  AgentProcess Run(const std::vector<std::string>& arguments,
                   const std::vector<std::string>& environment = {}) {
    return AgentProcess(arguments, log(), environment);
  }
  std::string config(const std::string& file = "agent.yaml") const {
    return agent_.directory.File(file);
  }
  std::string log() const { return agent_.directory.File("output"); }
  uint16_t PortOf(const std::string& file) const {
    uint32_t port = 0;
    EXPECT_TRUE(Eventually([&] {
      return absl::SimpleAtoi(ReadFile(agent_.directory.File(file + ".port")), &port);
    })) << ReadFile(log());
    return static_cast<uint16_t>(port);
  }

  TestPki pki_;
  TestAgent agent_{pki_, "src-pub"};  // its files; the agent itself runs in a process of its own
};

TEST_F(AgentProgramTest, VersionAndHelpNeedNoConfiguration) {
  EXPECT_EQ(Run({"--version"}).ExitCode(), 0);
  EXPECT_THAT(ReadFile(log()), HasSubstr("trustline-agent "));
  EXPECT_EQ(Run({"--help"}).ExitCode(), 0);
  EXPECT_THAT(ReadFile(log()), HasSubstr("Example:"));
  EXPECT_EQ(Run({"--frobnicate"}).ExitCode(), 64);
}

TEST_F(AgentProgramTest, CheckConfigSaysWhetherItIsRight) {
  EXPECT_EQ(Run({"--check-config", "--config", config()}).ExitCode(), 0) << ReadFile(log());
  EXPECT_FALSE(std::filesystem::exists(agent_.directory.File("src-pub")));  // nothing was started
  WriteFile(config("broken.yaml"), "node: src-pub\nroles: []\n");
  EXPECT_EQ(Run({"--check-config", "--config", config("broken.yaml")}).ExitCode(), 78);
  EXPECT_THAT(ReadFile(log()), HasSubstr("broken.yaml:2:"));
}

// What the agent refuses to start with is not called right.
TEST_F(AgentProgramTest, CheckConfigSaysWhatIsWrongWithTheIdentity) {
  const auto check = [&](const TestIdentity& identity, const std::vector<Certificate>& roots) {
    agent_.WriteIdentity(identity, roots);
    std::filesystem::remove(log());
    EXPECT_EQ(Run({"--check-config", "--config", config()}).ExitCode(), 78);
    EXPECT_THAT(ReadFile(log()), Not(HasSubstr("no errors")));
    return ReadFile(log());
  };
  EXPECT_THAT(check(pki_.AgentIdentity("src-sub1"), pki_.roots()),
              HasSubstr("this agent is trustline://example.test/agent/src-pub"));
  EXPECT_THAT(check(pki_.OperatorIdentity("olga"), pki_.roots()),
              HasSubstr("is the certificate of trustline://example.test/operator/olga"));
  const TestPki other;
  EXPECT_THAT(check(pki_.AgentIdentity("src-pub"), other.roots()), HasSubstr("does not hold"));
  TestIdentity mixed = pki_.AgentIdentity("src-pub");
  mixed.key = pki_.AgentIdentity("src-pub").key;
  EXPECT_THAT(check(mixed, pki_.roots()), HasSubstr("does not belong to the certificate"));
  EXPECT_FALSE(std::filesystem::exists(agent_.directory.File("src-pub")));  // nothing was written
}

TEST_F(AgentProgramTest, ServesTellsSystemdAndEndsCleanlyOnSigterm) {
  // An abstract socket in place of systemd's.
  const std::string name = absl::StrCat("tl-agent-program-", ::getpid());
  const int systemd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  ASSERT_EQ(::bind(systemd, reinterpret_cast<sockaddr*>(&address),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size())),
            0);
  const auto hears = [&](const std::string& state) {
    return Eventually([&] {
      char buffer[256];
      const ssize_t n = ::recv(systemd, buffer, sizeof(buffer), 0);
      return n > 0 && std::string(buffer, static_cast<size_t>(n)) == state;
    });
  };
  AgentProcess agent = Run({"--config", config()}, {absl::StrCat("NOTIFY_SOCKET=@", name)});
  EXPECT_TRUE(hears("READY=1")) << ReadFile(log());
  const auto fleet =
      TestOperator(pki_, "olga").Fleet({{"src-pub", "127.0.0.1", PortOf("agent.yaml")}});
  EXPECT_TRUE(Describe(*fleet, "src-pub").ok()) << ReadFile(log());
  EXPECT_TRUE(GetStatus(*fleet, "src-pub").ok()) << ReadFile(log());
  agent.Signal(SIGTERM);
  EXPECT_TRUE(hears("STOPPING=1"));
  EXPECT_EQ(agent.ExitCode(), 0) << ReadFile(log());
  ::close(systemd);
}

TEST_F(AgentProgramTest, SighupLooksAtTheIdentityAtOnceAndKeepsTheOldOneWhenItIsWrong) {
  AgentProcess agent = Run({"--config", config()});
  const uint16_t port = PortOf("agent.yaml");
  WriteFile(agent_.config.identity().key(), pki_.AgentIdentity("src-pub").key_pem());
  agent.Signal(SIGHUP);
  EXPECT_TRUE(Eventually([&] {
    return ReadFile(log()).find("does not belong to the certificate") != std::string::npos;
  })) << ReadFile(log());
  const auto fleet = TestOperator(pki_, "olga").Fleet({{"src-pub", "127.0.0.1", port}});
  EXPECT_TRUE(Describe(*fleet, "src-pub").ok());
}

TEST_F(AgentProgramTest, SighupTakesARoleAwayAndABrokenFileTakesNone) {
  AgentProcess agent = Run({"--config", config()});
  const auto fleet =
      TestOperator(pki_, "olga").Fleet({{"src-pub", "127.0.0.1", PortOf("agent.yaml")}});
  EXPECT_TRUE(Describe(*fleet, "src-pub").ok()) << ReadFile(log());
  const auto logs = [&](const std::string& words) {
    return Eventually([&] { return ReadFile(log()).find(words) != std::string::npos; });
  };
  const std::string good = ReadFile(config());
  WriteFile(config(), "node: src-pub\nroles: []\n");
  agent.Signal(SIGHUP);
  EXPECT_TRUE(logs("the old roles stay")) << ReadFile(log());
  EXPECT_THAT(ReadFile(log()), HasSubstr("agent.yaml:2:"));
  EXPECT_TRUE(Describe(*fleet, "src-pub").ok());

  WriteFile(config(), absl::StrReplaceAll(good, {{"operator: olga", "operator: otto"}}));
  agent.Signal(SIGHUP);
  EXPECT_TRUE(logs("the roles were read again")) << ReadFile(log());
  EXPECT_THAT(ReadFile(log()), HasSubstr("otto operator"));
  EXPECT_THAT(ReadFile(log()), Not(HasSubstr("need a restart")));
  EXPECT_EQ(Describe(*fleet, "src-pub").status().code(), absl::StatusCode::kPermissionDenied);

  WriteFile(config(), absl::StrCat(good, "gated_pointers_only: true\n"));
  agent.Signal(SIGHUP);
  EXPECT_TRUE(logs("other settings have changed too; they need a restart")) << ReadFile(log());
  EXPECT_TRUE(Describe(*fleet, "src-pub").ok());
}

TEST_F(AgentProgramTest, SecondAgentIsRefusedOnTheSamePortAndInTheSameState) {
  AgentProcess first = Run({"--config", config()});
  const uint16_t port = PortOf("agent.yaml");
  WriteConfig("port.yaml", "other", absl::StrCat("127.0.0.1:", port));
  EXPECT_EQ(Run({"--config", config("port.yaml")}).ExitCode(), 1);
  EXPECT_THAT(ReadFile(log()), HasSubstr("already in use: is another agent running?"));
  WriteConfig("state.yaml", "src-pub", "127.0.0.1:0");
  EXPECT_EQ(Run({"--config", config("state.yaml")}).ExitCode(), 1);
  EXPECT_THAT(ReadFile(log()), HasSubstr("is already in use by another agent (process "));
  EXPECT_FALSE(first.Ended());
}

TEST_F(AgentProgramTest, AnotherNodesIdentityIsAConfigurationError) {
  agent_.WriteIdentity(pki_.AgentIdentity("src-sub1"), pki_.roots());
  EXPECT_EQ(Run({"--config", config()}).ExitCode(), 78);
  EXPECT_THAT(ReadFile(log()), HasSubstr("this agent is trustline://example.test/agent/src-pub"));
}

}  // namespace
}  // namespace trustline::testing
