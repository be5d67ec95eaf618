// agent.yaml: read strictly, checked for what a start would otherwise trip over later.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "protos/trustline/v1/agent_config.pb.h"

namespace trustline::agent {

// Reads and checks the file; defaults are filled in. InvalidArgument carries every error with
// file:line:column, its line and a caret. Beyond the fields' own rules: paths are absolute and
// without "..", the identity's files are there and its key is private to its owner, what the agent
// replaces (certificates, Kea's configuration) lies below `writable` or the state directory,
// addresses parse, sizes and times are sane, names are unique.
absl::StatusOr<v1::AgentConfig> LoadAgentConfig(const std::string& path);

}  // namespace trustline::agent
