// What a gate comes to: the phones' evidence, simulated phones against live servers, the verdict in
// an engineer's words. Refuses exactly when a phone would be locked out: the new signer is unknown
// to it, TVS cannot be reached, or TVS lacks the signer; and whatever else keeps it from what the
// destination serves. Reads only.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "agent/gate/phone_networks.h"
#include "protos/trustline/v1/gate.pb.h"
#include "protos/trustline/v1/kinds/trust_gate.pb.h"
#include "protos/trustline/v1/topology.pb.h"

namespace trustline::agent {

struct GateCase {
  const v1::TrustGateSpec& spec;
  const v1::Topology& topology;
  std::string judge;     // the node the phones are simulated at
  std::string playbook;  // named in commands that mend
  absl::Time now;
};

// Would the phones of the evidence accept every TFTP node of the gate's pointers, and where
// `require_return` asks for it, come back? Blocks for as long as servers take to answer.
v1::GateReport JudgeMove(const GateCase& gate, const PhoneNetworks& phones);

// Would phones that have moved to the destination of the gate's pointers of `scope` accept
// `tftp_servers` again? They hold what the destination serves now.
v1::GateReport JudgeReturn(const GateCase& gate, const v1::PointerScope& scope,
                           const std::vector<std::string>& tftp_servers,
                           const PhoneNetworks& phones);

// Hex SHA-256 over what the evidence says of the phones.
std::string EvidenceDigest(const v1::TrustGateSpec& spec);

}  // namespace trustline::agent
