// Rows that speak of a whole node, what rows come to, and the words of a run that is interrupted:
// what apply and rollback say alike.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "controller/rollout.h"
#include "controller/run_record.h"

namespace trustline::controller {

// A call to the node ended with `status`, which is not OK. `plan` may be null.
ResourceRow WholeNodeRow(const std::string& node, uint32_t stage, const StagePlan* plan,
                         const absl::Status& status);

// A node that is left alone because of another.
ResourceRow NotStartedRow(const std::string& node, const StagePlan& stage, const std::string& why);

std::string InterruptNotice(const std::vector<std::string>& waiting);

// The node's state in a stage, from its rows: the worst counts.
NodeProgress::State StateOfRows(const std::vector<ResourceRow>& rows);

}  // namespace trustline::controller
