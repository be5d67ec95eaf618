// The topology that travels in every document, and how nodes are reached, from host variables.
#pragma once

#include <map>
#include <string>

#include "controller/compile.h"
#include "controller/inventory/variables.h"
#include "protos/trustline/v1/topology.pb.h"

namespace trustline::controller {

// Hosts with `cluster` become nodes of that cluster: `version` (required), `security_mode`
// (non-secure, mixed), `roles`, `address` or an `ansible_host` that is an IPv4 address, further
// `addresses`, `tvs_order`. Hosts with `dhcp_server` become DHCP servers. What the hosts of one
// cluster say differently is an error with both places, as are two publishers and an address of two
// nodes. Reports everything; the result is meaningful without errors only.
v1::Topology BuildTopology(VariableWorld& world, const std::string& domain,
                           yaml::Diagnostics& diagnostics);

// Every host: `ansible_host`, else `address`, else its name; `trustline_port`, else `ansible_port`,
// else 9443.
std::map<std::string, NodeAddress> NodeAddresses(VariableWorld& world,
                                                 yaml::Diagnostics& diagnostics);

}  // namespace trustline::controller
