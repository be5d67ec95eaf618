// The agent's gRPC server: mutual TLS always, health, reflection, one port of its own, a drain at
// the end.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/host.h"
#include "agent/service/agent_service.h"
#include "agent/service/identity_keeper.h"
#include "agent/service/stage_runner.h"
#include "protos/trustline/v1/agent_config.pb.h"
#include "trust/dhcp_probe.h"

namespace trustline::agent {

// What gRPC's libraries log goes into the agent's log, errors as warnings, the rest as debug. For
// the whole process.
void RouteGrpcLog();

// Safe for concurrent use.
class AgentServer {
 public:
  // Serves when it returns. Of `config` it reads node, listen, port_file, roles and
  // max_message_bytes. Everything passed in outlives the server. FailedPrecondition: the address
  // cannot be listened on, says why ("address already in use: is another agent running?").
  static absl::StatusOr<std::unique_ptr<AgentServer>> Start(
      const v1::AgentConfig& config, AgentDescription description, const Clock& clock,
      const IdentityKeeper& identity, StageRunner& runner, DhcpProber& prober);
  // Drains without patience when nobody did.
  ~AgentServer();

  uint16_t port() const;

  // The roles of `config` count from the next call on, nothing else of it.
  void TakeRoles(const v1::AgentConfig& config);

  // Health says NOT_SERVING first; nothing new is begun; a running apply gets `patience`, then is
  // cancelled at its next safe point. Returns when every call has ended: true when none had to be
  // cancelled. A second call returns true at once.
  bool Drain(absl::Duration patience);

 private:
  class Impl;
  explicit AgentServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace trustline::agent
