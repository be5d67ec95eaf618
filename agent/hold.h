// Enforcement held on this node: set by a rollback, lifted by the next apply.
#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "agent/state_files.h"
#include "protos/trustline/v1/node_state.pb.h"

namespace trustline::agent {

absl::StatusOr<std::optional<v1::Hold>> ReadHold(const StateFiles& state);
v1::StateWrite WriteOfHold(const v1::Hold& hold);
v1::StateWrite RemovalOfHold();

}  // namespace trustline::agent
