// Services by argument vector, by pid file and by systemctl; programs run without a shell and with
// a deadline.
#include "agent/node_services.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "agent/child_process.h"
#include "tests/support/temp_directory.h"

namespace trustline::agent {
namespace {

using ::testing::HasSubstr;

class NodeServicesTest : public ::testing::Test {
 protected:
  std::string Script(const std::string& name, const std::string& body) {
    const std::string path = root + "/" + name;
    std::ofstream(path) << "#!/bin/sh\n" << body << "\n";
    ::chmod(path.c_str(), 0755);
    return path;
  }
  NodeServices::Options Options() {
    NodeServices::Options options;
    options.systemd_mark = root + "/no-systemd";
    options.timeout = absl::Seconds(20);
    return options;
  }
  std::string Text(const std::string& name) {
    std::ifstream file(root + "/" + name);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }

  const testing::TempDirectory scratch;
  const std::string root = scratch.path();
};

TEST_F(NodeServicesTest, CommandServiceStartsRestartsAndReloads) {
  v1::ManagedService service;
  service.set_name("tvs");
  v1::CommandService* command = service.mutable_command();
  command->set_timeout_seconds(20);
  const std::string script =
      Script("ctl", "echo \"$@\" >> " + root + "/log; [ \"$1\" = status ] || : > " + root +
                        "/up; [ -e " + root + "/up ]");
  for (auto* vector :
       {command->mutable_status(), command->mutable_start(), command->mutable_restart()}) {
    *vector->Add() = script;
  }
  command->add_status("status");
  command->add_start("start");
  command->add_start("$(touch " + root + "/shell) ; *");
  command->add_restart("restart");
  NodeServices services({service}, Options());
  EXPECT_FALSE(services.Status("tvs")->running);
  EXPECT_TRUE(services.Start("tvs").ok());
  EXPECT_TRUE(services.Status("tvs")->running);
  EXPECT_TRUE(services.Reload("tvs").ok());  // no reload given: restart
  EXPECT_THAT(Text("log"), HasSubstr("start $(touch"));
  EXPECT_THAT(Text("log"), HasSubstr("restart"));
  EXPECT_FALSE(std::filesystem::exists(root + "/shell"));
}

TEST_F(NodeServicesTest, AStatusCommandWithoutAWordIsNamedWithItsExitCode) {
  v1::ManagedService service;
  service.set_name("tvs");
  service.mutable_command()->set_timeout_seconds(20);
  const std::string script = Script("ctl", "exit 3");
  service.mutable_command()->add_status(script);
  const absl::StatusOr<ServiceStatus> status = NodeServices({service}, Options()).Status("tvs");
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_FALSE(status->running);
  EXPECT_EQ(status->detail, script + " ended with 3");
}

TEST_F(NodeServicesTest, FailingCommandSaysItsLastWords) {
  v1::ManagedService service;
  service.set_name("tvs");
  service.mutable_command()->set_timeout_seconds(20);
  service.mutable_command()->add_status("false");
  service.mutable_command()->add_start("true");
  *service.mutable_command()->add_restart() =
      Script("restart", "echo first; echo 'port in use' >&2; exit 3");
  NodeServices services({service}, Options());
  const absl::Status status = services.Restart("tvs");
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("ended with 3: port in use"));
}

TEST_F(NodeServicesTest, ServiceThatDoesNotComeUpIsDeadlineExceeded) {
  v1::ManagedService service;
  service.set_name("tvs");
  service.mutable_command()->set_timeout_seconds(1);
  service.mutable_command()->add_status("false");
  service.mutable_command()->add_start("true");
  service.mutable_command()->add_restart("true");
  NodeServices services({service}, Options());
  EXPECT_TRUE(absl::IsDeadlineExceeded(services.Start("tvs")));
}

TEST_F(NodeServicesTest, PidFileServiceIsSignalled) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t daemon = ::fork();
  ASSERT_GE(daemon, 0);
  if (daemon == 0) {
    sigset_t hup;
    ::sigemptyset(&hup);
    ::sigaddset(&hup, SIGHUP);
    ::sigprocmask(SIG_BLOCK, &hup, nullptr);
    if (::write(ready[1], "x", 1) != 1) ::_exit(2);
    const timespec limit = {30, 0};
    ::_exit(::sigtimedwait(&hup, nullptr, &limit) == SIGHUP ? 42 : 1);
  }
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ::close(ready[0]);
  ::close(ready[1]);
  v1::ManagedService service;
  service.set_name("dhcp");
  service.mutable_pid_file()->set_path(root + "/pid");
  service.mutable_pid_file()->set_signal("HUP");
  NodeServices services({service}, Options());
  EXPECT_FALSE(services.Status("dhcp")->running);
  EXPECT_TRUE(absl::IsFailedPrecondition(services.Start("dhcp")));
  std::ofstream(root + "/pid") << daemon << "\n";
  EXPECT_TRUE(services.Status("dhcp")->running);
  EXPECT_TRUE(services.Start("dhcp").ok());
  EXPECT_TRUE(services.Reload("dhcp").ok());
  int status = 0;
  ASSERT_EQ(::waitpid(daemon, &status, 0), daemon);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 42);
  EXPECT_FALSE(services.Status("dhcp")->running);
  EXPECT_TRUE(absl::IsFailedPrecondition(services.Reload("dhcp")));
}

TEST_F(NodeServicesTest, SystemdUnitsGoThroughSystemctl) {
  NodeServices::Options options = Options();
  options.systemd_mark = root;
  options.systemctl = Script(
      "systemctl", "echo \"$@\" >> " + root +
                       "/log\n"
                       "if [ \"$1\" = show ]; then\n"
                       "  case \"$*\" in *unknown*) echo LoadState=not-found; exit 0;; esac\n"
                       "  echo LoadState=loaded; echo SubState=running; echo MainPID=77\n"
                       "  [ -e " +
                       root +
                       "/up ] && echo ActiveState=active || echo ActiveState=inactive\n"
                       "else : > " +
                       root + "/up; fi");
  v1::ManagedService service;
  service.set_name("tvs");
  service.set_unit("trustline-tvs.service");
  NodeServices services({service}, options);
  EXPECT_FALSE(services.Status("tvs")->running);
  EXPECT_TRUE(services.Restart("tvs").ok());
  EXPECT_THAT(Text("log"), HasSubstr("restart -- trustline-tvs.service"));
  EXPECT_THAT(services.Status("tvs")->detail, HasSubstr("pid 77"));
  EXPECT_TRUE(services.Reload("other").ok());  // not in agent.yaml, but systemd knows it
  EXPECT_THAT(Text("log"), HasSubstr("reload-or-restart -- other"));
  EXPECT_TRUE(absl::IsNotFound(services.Restart("unknown")));
}

TEST_F(NodeServicesTest, UnknownWithoutSystemdIsNotFound) {
  NodeServices services({}, Options());
  EXPECT_TRUE(absl::IsNotFound(services.Status("tvs").status()));
  EXPECT_TRUE(absl::IsNotFound(services.Restart("tvs")));
}

// NotFound makes the kinds say "name it in agent.yaml", which has been done.
TEST_F(NodeServicesTest, AServiceInTheConfigurationWhoseUnitIsMissingIsNotCalledUnknown) {
  v1::ManagedService service;
  service.set_name("tvs");
  service.set_unit("cluster-tvs.service");
  NodeServices::Options options = Options();
  absl::Status status = NodeServices({service}, options).Status("tvs").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(),
            "service tvs is cluster-tvs.service in agent.yaml, but systemd does not run here");
  options.systemd_mark = root;
  options.systemctl = Script("systemctl", "echo LoadState=not-found");
  status = NodeServices({service}, options).Status("tvs").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(),
            "service tvs is cluster-tvs.service in agent.yaml, but systemd knows no such unit");
  EXPECT_EQ(NodeServices({service}, options).Restart("tvs"), status);
}

TEST_F(NodeServicesTest, HookStandsBeforeEveryEffect) {
  NodeServices::Options options = Options();
  std::string seen;
  options.hook = [&](absl::string_view call, absl::string_view target) {
    seen = absl::StrCat(call, " ", target);
    return absl::AbortedError("stop");
  };
  v1::ManagedService service;
  service.set_name("tvs");
  *service.mutable_command()->add_restart() = Script("restart", ": > " + root + "/ran");
  NodeServices services({service}, options);
  EXPECT_TRUE(absl::IsAborted(services.Restart("tvs")));
  EXPECT_EQ(seen, "service-restart tvs");
  EXPECT_FALSE(std::filesystem::exists(root + "/ran"));
}

TEST_F(NodeServicesTest, ChildIsKilledWithItsGroupAtTheDeadline) {
  const std::string script = Script("hang", "echo $$ > " + root + "/pid; sleep 600 & wait");
  EXPECT_TRUE(absl::IsDeadlineExceeded(RunChild({script}, absl::Seconds(1)).status()));
  const int pid = std::atoi(Text("pid").c_str());
  ASSERT_GT(pid, 1);
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST_F(NodeServicesTest, ADaemonLeftBehindDoesNotDelayTheReturn) {
  const auto result =
      RunChild({Script("daemonize", "sleep 30 & echo $! > " + root + "/pid; echo started")},
               absl::Seconds(20));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->output, "started\n");
  ::kill(std::atoi(Text("pid").c_str()), SIGKILL);
}

TEST_F(NodeServicesTest, ChildGetsNothingOfOurs) {
  ::setenv("TL_TEST_SECRET", "hush", 1);
  const int held = ::open("/dev/null", O_RDONLY);
  const auto result = RunChild({"sh", "-c", "env; ls /proc/self/fd | wc -l"}, absl::Seconds(20));
  ::close(held);
  ::unsetenv("TL_TEST_SECRET");
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(result->output, ::testing::Not(HasSubstr("hush")));
  EXPECT_THAT(result->output, HasSubstr("LC_ALL=C"));
  EXPECT_THAT(result->output, ::testing::EndsWith("\n4\n"));  // 0, 1, 2 and the listed directory
}

TEST_F(NodeServicesTest, ChildOutputIsBounded) {
  const auto result =
      RunChild({"sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x; exit 7"}, absl::Seconds(20));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->exit_code, 7);
  EXPECT_EQ(result->output.size(), 8192u);
}

TEST_F(NodeServicesTest, MissingProgramIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(RunChild({root + "/none"}, absl::Seconds(5)).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(RunChild({}, absl::Seconds(5)).status()));
}

}  // namespace
}  // namespace trustline::agent
