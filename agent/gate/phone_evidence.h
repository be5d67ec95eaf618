// From what the evidence says of a class of phones to simulated phones that remember just that.
#pragma once

#include <string>
#include <vector>

#include "agent/gate/served_lists.h"
#include "protos/trustline/v1/kinds/trust_gate.pb.h"
#include "trust/phone/phone.h"

namespace trustline::agent {

struct ClassEvidence {
  PhoneState state;                   // meaningless where the class is unproven or excluded
  const v1::Cluster* home = nullptr;  // the cluster whose phones they are; null: not known
  std::string holds;                  // "ITL src-pub 3fa9..."
  std::string unproven;               // why nothing can be said of them; empty: something can
  std::string excluded;               // why they do not move; empty: they do
  std::string refused;                // known to lock them without asking anybody
  std::vector<std::string> warnings, assumptions;
};

ClassEvidence ReadEvidence(const v1::PhoneClass& phones, const ClusterMap& map, ServedLists& lists,
                           uint16_t tvs_port);

}  // namespace trustline::agent
