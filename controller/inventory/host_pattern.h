// Ansible's host patterns: which hosts a play or --limit means.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controller/inventory/inventory.h"
#include "protos/yaml/value.h"

namespace trustline::controller {

// Hosts matched by `pattern`, a string or a list of strings that counts as joined by commas, in
// inventory order:
//   a:b and a,b  either; :&x  and in x; :!x  and not in x; all unions first, then &, then !,
//   whatever their order NAME         a host or group; `all` and `*`; globs * ? [ab]; ~regex (RE2,
//   over names of hosts and groups, from the beginning) grp[0] grp[-1] grp[0:2] grp[1:]   by
//   position in the group, both ends included
// An unknown name without wildcard is an error with did-you-mean; nullopt then. Matching nothing is
// an empty list.
std::optional<std::vector<std::string>> MatchHosts(const Inventory& inventory,
                                                   const yaml::Value& pattern,
                                                   yaml::Diagnostics& diagnostics);

}  // namespace trustline::controller
