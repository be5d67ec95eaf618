// What must hold between the resources of a playbook, beyond each one by itself.
#pragma once

#include <vector>

#include "controller/playbook/drafts.h"
#include "protos/trustline/v1/topology.pb.h"
#include "protos/yaml/diagnostics.h"

namespace trustline::controller {

// Reports, each once:
//   pointers   the rules of trust/tftp_pointer_rules.h; a node that is no DHCP server; an unknown
//              prober, or one that would ask itself; servers of one scope in different batches or
//              plays; max_fail_percentage above 0 in a play with pointers or before one; a TFTP
//              server of a mixed-mode cluster on which no earlier play installs a CTL
//   claims     two resources of one node that say different things about the same (scope, identity
//              certificate, trust certificate)
//   exchange   consolidations and imports the topology cannot serve (a single cluster, no
//              publisher)
//   lists      trust lists the topology cannot have (trust/list_rules.h), installing without a
//              tftp_root
//   services   restarted or reloaded with nothing that notifies; a handler that does neither
void CheckDocuments(const std::vector<StageDraft>& stages, const Drafts& drafts,
                    const v1::Topology& topology, const Inventory& inventory,
                    yaml::Diagnostics& diagnostics);

}  // namespace trustline::controller
