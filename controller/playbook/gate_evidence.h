// The phones of a gate: from the evidence file beside the playbook to classes of phones that decide
// alike.
#pragma once

#include <string>

#include "controller/playbook/gate_settings.h"
#include "protos/trustline/v1/kinds/trust_gate.pb.h"
#include "protos/yaml/diagnostics.h"

namespace trustline::controller {

// Fills `spec` (whose pointers are set) with the phones its scopes concern. Reports every bad row
// with its place and returns false then. `input_missing` when there is no such file.
bool AddGateEvidence(const std::string& playbook_directory, const GateSettings& settings,
                     v1::TrustGateSpec& spec, yaml::Diagnostics& diagnostics, bool& input_missing);

}  // namespace trustline::controller
