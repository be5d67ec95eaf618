// A kind's own note on the node, below <state directory>/kinds/<kind>/.
#pragma once

#include <string>

#include "agent/host.h"

namespace trustline::agent {

// The agent's own file: its user and group, mode 0600.
FileImage KindRecord(std::string bytes);

}  // namespace trustline::agent
