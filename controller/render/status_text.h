// The fleet's state as one table.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controller/render/style.h"
#include "protos/trustline/v1/agent.pb.h"

namespace trustline::controller {

struct NodeStatus {
  std::string node;
  absl::StatusOr<v1::StatusResponse> answer;
  absl::Time last_seen = absl::InfinitePast();  // from the history, for a node that does not answer
};

// "converged", "drifted", "pending", "held", "idle" (no document yet), "unreachable", "denied".
std::string StateWord(const NodeStatus& status);
std::string FormatStatus(const std::vector<NodeStatus>& nodes, absl::Time now, const Style& style,
                         bool headings);

}  // namespace trustline::controller
