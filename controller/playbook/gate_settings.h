// The play key `gate:`: which simulated phones judge a play's pointers, and where they stand.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controller/inventory/inventory.h"
#include "protos/trustline/v1/kinds/trust_gate.pb.h"
#include "protos/yaml/diagnostics.h"
#include "protos/yaml/value.h"

namespace trustline::controller {

struct GateSettings {
  std::string phones;  // the evidence file, as the playbook names it
  yaml::Span phones_span;
  std::vector<std::string> run_on;  // hosts, in inventory order
  // Everything a trust_gate takes as the playbook says it: no pointers, no classes yet.
  v1::TrustGateSpec spec;
};

// From the rendered value of `gate`. Reports everything wrong; `no_hosts_matched` when `run_on`
// matches none.
std::optional<GateSettings> ReadGateSettings(const yaml::Value& value, const Inventory& inventory,
                                             yaml::Diagnostics& diagnostics,
                                             bool& no_hosts_matched);

// "90s", "30m", "24h", "7d" in seconds; nullopt for anything else.
std::optional<uint32_t> ReadAge(const std::string& text);

}  // namespace trustline::controller
