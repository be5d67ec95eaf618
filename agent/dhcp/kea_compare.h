// Whether a running Kea has loaded what its file says. config-get shows the file with every default
// filled in, lists in another order and values in Kea's own spelling, so the file is compared as a
// part of it. Pure.
#pragma once

#include <optional>
#include <string>

#include "agent/dhcp/kea_config.h"

namespace trustline::agent {

// The first place where the file says something that the running configuration does not, or where
// the server has an option, subnet, shared network, pool, reservation, class, definition or hook
// that the file does not: "subnet4/10.30.0.0/24/option-data/150/data: the file says \"10.20.0.11\",
// the server has \"10.10.0.11\"". nullopt: the server has loaded the file. A single setting that
// was deleted from the file and had another value than the default is not seen. Values of passwords
// are never shown.
std::optional<std::string> FirstDifference(const KeaConfig& file, const KeaConfig& running);

}  // namespace trustline::agent
