// The machine the agent runs on, as agent.yaml describes it.
#pragma once

#include <memory>

#include "agent/host.h"
#include "agent/node_services.h"
#include "agent/posix_files.h"
#include "protos/trustline/v1/agent_config.pb.h"

namespace trustline::agent {

class SystemClock final : public Clock {
 public:
  absl::Time Now() const override;
};

// Safe for concurrent use. Not copied or moved: host() refers to it.
class RealHost {
 public:
  // `dhcp`: MakeDhcp(config) of agent/dhcp. `hook` sees every effect on files and services;
  // production passes none.
  RealHost(const v1::AgentConfig& config, std::unique_ptr<Dhcp> dhcp,
           const CallHook& hook = nullptr);
  RealHost(const RealHost&) = delete;
  RealHost& operator=(const RealHost&) = delete;

  Host host() { return {clock_, files_, *dhcp_, services_, layout_}; }
  const Layout& layout() const { return layout_; }

 private:
  SystemClock clock_;
  PosixFiles files_;
  std::unique_ptr<Dhcp> dhcp_;
  NodeServices services_;
  Layout layout_;
};

}  // namespace trustline::agent
