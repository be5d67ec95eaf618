// The Kea DHCPv4 server of this node over its UNIX control socket. Source: Kea Administrator
// Reference Manual 2.2, "Management API".
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/host.h"
#include "protos/trustline/v1/agent_config.pb.h"

namespace trustline::agent {

// Every call makes its own connection and ends within the timeout, whatever the server does;
// answers are bounded to 64 MiB. Safe for concurrent use. Unavailable: the server does not answer.
// PermissionDenied: the agent may not use the socket. Unimplemented: the server does not know the
// command.
class KeaControl final : public Dhcp {
 public:
  // `hook` is called before Reload with ("kea-config-reload", configuration file).
  explicit KeaControl(v1::KeaServer server, CallHook hook = nullptr,
                      absl::Duration timeout = absl::Seconds(15));

  absl::StatusOr<std::string> RunningConfig() const override;
  absl::StatusOr<std::string> ConfigPath() const override;
  absl::StatusOr<std::string> ServerAddress() const override;
  absl::Status TestConfig(const std::string& json) const override;
  absl::Status Reload() override;

 private:
  // Sends a command (strict JSON) and returns the JSON text of its "arguments", empty when it has
  // none.
  absl::StatusOr<std::string> Command(absl::string_view name, const std::string& request) const;

  const v1::KeaServer server_;
  const CallHook hook_;
  const absl::Duration timeout_;
};

// The DHCP server agent.yaml names, or one that answers every call with FailedPrecondition where it
// names none.
std::unique_ptr<Dhcp> MakeDhcp(const v1::AgentConfig& config, CallHook hook = nullptr);

}  // namespace trustline::agent
