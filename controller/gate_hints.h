// Why a certificate that a gate misses is missing, from what the nodes say of their stores: not
// imported, imported but not loaded, or regenerated since it was exported. Pure.
#pragma once

#include <map>
#include <set>
#include <string>

#include "controller/compile.h"
#include "protos/trustline/v1/agent.pb.h"
#include "protos/trustline/v1/gate.pb.h"

namespace trustline::controller {

struct GateHints {
  const CompiledPlaybook& playbook;
  std::string playbook_argument, inventory_arguments;  // as the operator typed them
  std::map<std::string, v1::StatusResponse> statuses;  // by node; those that answered
};

// Nodes whose TVS lacks something.
std::set<std::string> NodesInQuestion(const v1::GateReport& report);
// Adds notes, and replaces commands that mend by ones that can be typed as they are.
void AddGateHints(const GateHints& hints, v1::GateReport& report);

}  // namespace trustline::controller
