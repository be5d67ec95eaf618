// The phones of a gate: from the evidence file beside the playbook to classes of phones that decide
// alike.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "controller/playbook/gate_settings.h"
#include "protos/trustline/v1/kinds/trust_gate.pb.h"
#include "protos/yaml/diagnostics.h"

namespace trustline::controller {

// What the gates of a playbook made of one file of evidence.
struct EvidenceUse {
  yaml::Span span;                   // where it is named first
  bool missing = false;              // said once is enough
  std::vector<std::string> devices;  // to be judged by somebody, in the order of the file
  std::set<std::string> judged;
};
using EvidenceUses = std::map<std::string, EvidenceUse>;  // by path

// Phones that no gate judges are moved unseen, should a pointer concern them.
void WarnOfUnjudged(const EvidenceUses& uses, yaml::Diagnostics& diagnostics);

// Fills `spec` (whose pointers are set) with the phones its scopes concern. Reports every bad row
// with its place and returns false then. `input_missing` when there is no such file.
bool AddGateEvidence(const std::string& playbook_directory, const GateSettings& settings,
                     v1::TrustGateSpec& spec, EvidenceUses& uses, yaml::Diagnostics& diagnostics,
                     bool& input_missing);

}  // namespace trustline::controller
