// A real Kea DHCPv4 server at 10.77.0.1 and a host of the phones' network at 10.77.0.2, on one
// cable.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "agent/resource_kind.h"
#include "protos/trustline/v1/agent.pb.h"
#include "protos/trustline/v1/agent_config.pb.h"
#include "tests/integration/dhcp/network_lab.h"
#include "tests/support/temp_directory.h"
#include "trust/dhcp_probe.h"

namespace trustline {

class KeaLab {
 public:
  // `config` with @SOCKET@ replaced by the control socket's path. Waits until Kea answers there.
  explicit KeaLab(const std::string& config);

  // Kea's file as it was written first.
  const std::string& config() const { return config_; }
  std::string config_path() const { return directory_.File("kea.conf"); }
  const testing::TempDirectory& directory() const { return directory_; }
  v1::KeaServer Server() const;
  std::string Log() const { return ReadText(directory_.File("kea.log")); }
  void KillKea() { kea_->Kill(); }

  // Asks from the phones' network.
  absl::StatusOr<v1::ProbeResponse> Probe(const std::string& subnet, const std::string& mac = "",
                                          bool may_discover = true,
                                          uint32_t timeout_ms = 3000) const;
  // The same in one word: option 150 in hex, "none", "silent" or the error.
  std::string Ask(const std::string& subnet, const std::string& mac = "") const;
  // What a real DHCP client gets as option 150, in hex. `mac`: of its interface.
  std::string Udhcpc(const std::string& mac = "") const;

  const NetworkNamespace& server() const { return server_; }
  const NetworkNamespace& phones() const { return phones_; }

 private:
  // The path of a UNIX socket is short; TMPDIR may not be.
  testing::TempDirectory directory_{"/tmp"};
  NetworkNamespace server_, phones_;
  std::string config_;
  std::unique_ptr<LabProcess> kea_;
};

// Whatever node is named: the question is asked from the lab's phones' network.
class LabProver : public agent::Prover {
 public:
  explicit LabProver(const KeaLab& lab) : lab_(lab) {}
  absl::StatusOr<v1::ProbeResponse> Ask(const std::string& from_node,
                                        const v1::ProbeRequest& probe) override;
  // Pointers of this lab have no gate.
  absl::StatusOr<v1::Envelope> AskGate(const std::string& judge,
                                       const v1::GateQuestion& question) override;
  // From now on nothing is asked and the answer is silence.
  void Deafen() { deaf_ = true; }

 private:
  const KeaLab& lab_;
  bool deaf_ = false;
};

}  // namespace trustline
