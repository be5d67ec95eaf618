#include "agent/node_services.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "agent/child_process.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(20);

// The last line a program said, which is where most say why.
std::string LastWords(const std::string& output) {
  std::string last;
  for (absl::string_view line : absl::StrSplit(output, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (!line.empty()) last = std::string(line.substr(0, 300));
  }
  return last;
}

absl::Status RunToSuccess(const std::vector<std::string>& argv, absl::Duration timeout) {
  TL_ASSIGN_OR_RETURN(const ChildResult result, RunChild(argv, timeout));
  if (result.exit_code == 0) return absl::OkStatus();
  const std::string words = LastWords(result.output);
  return absl::FailedPreconditionError(
      absl::StrCat(argv[0], " ended with ", result.exit_code, words.empty() ? "" : ": ", words));
}

template <typename Strings>
std::vector<std::string> Vector(const Strings& strings) {
  return std::vector<std::string>(strings.begin(), strings.end());
}

// The pid a daemon wrote, when a process with it lives.
std::optional<pid_t> LivePid(const std::string& path) {
  std::ifstream file(path);
  std::string word;
  int pid = 0;
  if (!(file >> word) || !absl::SimpleAtoi(word, &pid) || pid <= 1) return std::nullopt;
  if (::kill(pid, 0) != 0 && errno != EPERM) return std::nullopt;
  return pid;
}

int SignalNumber(const std::string& name) {
  if (name == "USR1") return SIGUSR1;
  if (name == "USR2") return SIGUSR2;
  if (name == "TERM") return SIGTERM;
  return SIGHUP;
}

absl::string_view Verb(int action) {
  static constexpr absl::string_view kVerbs[] = {"start", "restart", "reload"};
  return kVerbs[action];
}

}  // namespace

NodeServices::NodeServices(const std::vector<v1::ManagedService>& services, Options options)
    : options_(std::move(options)) {
  for (const v1::ManagedService& service : services) services_[service.name()] = service;
}

bool NodeServices::HasSystemd() const { return ::access(options_.systemd_mark.c_str(), F_OK) == 0; }

absl::StatusOr<ServiceStatus> NodeServices::UnitStatus(const std::string& unit) const {
  if (!HasSystemd()) {
    return absl::NotFoundError(
        absl::StrCat("service ", unit, " is not in agent.yaml, and systemd does not run here"));
  }
  TL_ASSIGN_OR_RETURN(const ChildResult result,
                      RunChild({options_.systemctl, "show",
                                "--property=LoadState,ActiveState,SubState,MainPID", "--", unit},
                               options_.timeout));
  if (result.exit_code != 0) {
    return absl::UnavailableError(absl::StrCat("systemctl: ", LastWords(result.output)));
  }
  std::map<std::string, std::string> properties;
  for (absl::string_view line : absl::StrSplit(result.output, '\n', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> property =
        absl::StrSplit(line, absl::MaxSplits('=', 1));
    properties[property.first] = property.second;
  }
  if (properties["LoadState"] != "loaded") {
    return absl::NotFoundError(absl::StrCat("systemd knows no unit ", unit, " (",
                                            properties["LoadState"], "); name it in agent.yaml"));
  }
  ServiceStatus status;
  status.running =
      properties["ActiveState"] == "active" || properties["ActiveState"] == "reloading";
  status.detail = absl::StrCat(properties["ActiveState"], " (", properties["SubState"], ")");
  if (status.running && properties["MainPID"] != "0") {
    absl::StrAppend(&status.detail, ", pid ", properties["MainPID"]);
  }
  return status;
}

absl::StatusOr<ServiceStatus> NodeServices::Status(const std::string& name) const {
  const auto found = services_.find(name);
  if (found == services_.end()) return UnitStatus(name);
  const v1::ManagedService& service = found->second;
  if (service.has_pid_file()) {
    const std::optional<pid_t> pid = LivePid(service.pid_file().path());
    if (!pid.has_value()) {
      return ServiceStatus{false, absl::StrCat("no process by ", service.pid_file().path())};
    }
    return ServiceStatus{true, absl::StrCat("pid ", *pid)};
  }
  if (service.has_command()) {
    TL_ASSIGN_OR_RETURN(const ChildResult result,
                        RunChild(Vector(service.command().status()),
                                 absl::Seconds(service.command().timeout_seconds())));
    if (result.exit_code == 0) return ServiceStatus{true, "running"};
    const std::string words = LastWords(result.output);
    return ServiceStatus{false, !words.empty() ? words
                                               : absl::StrCat(service.command().status(0),
                                                              " ended with ", result.exit_code)};
  }
  const absl::StatusOr<ServiceStatus> status = UnitStatus(service.unit());
  // NotFound is for a name nobody knows; this one is in agent.yaml, and its unit is what is wrong.
  if (absl::IsNotFound(status.status())) {
    return absl::FailedPreconditionError(
        absl::StrCat("service ", name, " is ", service.unit(), " in agent.yaml, but ",
                     HasSystemd() ? "systemd knows no such unit" : "systemd does not run here"));
  }
  return status;
}

absl::Status NodeServices::AwaitRunning(const std::string& name, absl::Time deadline) const {
  while (true) {
    TL_ASSIGN_OR_RETURN(const ServiceStatus status, Status(name));
    if (status.running) return absl::OkStatus();
    if (absl::Now() >= deadline) {
      return absl::DeadlineExceededError(
          absl::StrCat("service ", name, " did not come up: ", status.detail));
    }
    absl::SleepFor(kPoll);
  }
}

absl::Status NodeServices::Command(const v1::CommandService& command, const std::string& name,
                                   Action action) {
  const absl::Duration timeout = absl::Seconds(command.timeout_seconds());
  const auto& argv = action == Action::kStart                                 ? command.start()
                     : action == Action::kReload && !command.reload().empty() ? command.reload()
                                                                              : command.restart();
  TL_RETURN_IF_ERROR(RunToSuccess(Vector(argv), timeout));
  return AwaitRunning(name, absl::Now() + timeout);
}

absl::Status NodeServices::Signal(const v1::PidFileService& daemon, const std::string& name,
                                  Action action) {
  const std::optional<pid_t> pid = LivePid(daemon.path());
  if (!pid.has_value()) {
    return absl::FailedPreconditionError(
        absl::StrCat("service ", name, " does not run (no process by ", daemon.path(),
                     "); start it by what supervises it"));
  }
  if (action == Action::kStart) return absl::OkStatus();
  if (::kill(*pid, SignalNumber(daemon.signal())) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("signal service ", name, ": ", ::strerror(errno)));
  }
  if (daemon.signal() != "TERM") return absl::OkStatus();
  // Its supervisor starts it anew: wait for another process.
  const absl::Time deadline = absl::Now() + options_.timeout;
  while (true) {
    const std::optional<pid_t> now = LivePid(daemon.path());
    if (now.has_value() && *now != *pid) return absl::OkStatus();
    if (absl::Now() >= deadline) {
      return absl::DeadlineExceededError(
          absl::StrCat("service ", name, " was ended and did not come back"));
    }
    absl::SleepFor(kPoll);
  }
}

absl::Status NodeServices::Systemd(const std::string& unit, Action action) {
  // Says NotFound for a unit nobody knows before anything is tried.
  TL_ASSIGN_OR_RETURN(const ServiceStatus status, UnitStatus(unit));
  const std::string verb = action == Action::kStart                      ? "start"
                           : action == Action::kReload && status.running ? "reload-or-restart"
                                                                         : "restart";
  return RunToSuccess({options_.systemctl, verb, "--", unit}, options_.timeout);
}

absl::Status NodeServices::Act(const std::string& name, Action action) {
  const absl::string_view verb = Verb(static_cast<int>(action));
  if (options_.hook) TL_RETURN_IF_ERROR(options_.hook(absl::StrCat("service-", verb), name));
  const auto found = services_.find(name);
  if (found != services_.end() && found->second.has_command()) {
    return Command(found->second.command(), name, action);
  }
  if (found != services_.end() && found->second.has_pid_file()) {
    return Signal(found->second.pid_file(), name, action);
  }
  if (found != services_.end()) TL_RETURN_IF_ERROR(Status(name).status());
  TL_RETURN_IF_ERROR(Systemd(found == services_.end() ? name : found->second.unit(), action));
  return AwaitRunning(name, absl::Now() + options_.timeout);
}

absl::Status NodeServices::Start(const std::string& name) { return Act(name, Action::kStart); }
absl::Status NodeServices::Restart(const std::string& name) { return Act(name, Action::kRestart); }
absl::Status NodeServices::Reload(const std::string& name) { return Act(name, Action::kReload); }

}  // namespace trustline::agent
