// The services of this machine: those agent.yaml describes (a systemd unit, a pid file, argument
// vectors), and systemd's where it runs.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/host.h"
#include "protos/trustline/v1/agent_config.pb.h"

namespace trustline::agent {

// Safe for concurrent use. Beside what Services promises: FailedPrecondition when a daemon known by
// its pid file only is to be started (its supervisor must); DeadlineExceeded when it did not come
// up in time; a command that fails is FailedPrecondition with the end of its words.
class NodeServices final : public Services {
 public:
  struct Options {
    CallHook hook;                        // service-start, service-restart, service-reload
    std::string systemctl = "systemctl";  // looked up in PATH
    std::string systemd_mark = "/run/systemd/system";  // there exactly when systemd runs
    absl::Duration timeout = absl::Seconds(30);        // for systemd and pid files
  };
  NodeServices(const std::vector<v1::ManagedService>& services, Options options);

  absl::StatusOr<ServiceStatus> Status(const std::string& name) const override;
  absl::Status Start(const std::string& name) override;
  absl::Status Restart(const std::string& name) override;
  absl::Status Reload(const std::string& name) override;

 private:
  enum class Action { kStart, kRestart, kReload };
  absl::Status Act(const std::string& name, Action action);
  absl::Status Command(const v1::CommandService& command, const std::string& name, Action action);
  absl::Status Signal(const v1::PidFileService& daemon, const std::string& name, Action action);
  absl::Status Systemd(const std::string& unit, Action action);
  absl::StatusOr<ServiceStatus> UnitStatus(const std::string& unit) const;
  absl::Status AwaitRunning(const std::string& name, absl::Time deadline) const;
  bool HasSystemd() const;

  std::map<std::string, v1::ManagedService> services_;
  Options options_;
};

}  // namespace trustline::agent
