// Putting one wave back within the run that moved it.
#pragma once

#include <map>
#include <string>

#include "controller/run_rollback.h"

namespace trustline::controller {

// Undoes what this run did in `stage` on the servers it asked there, and only that: earlier waves
// stay. What is back is `rolled_back` in the record. Sets `stopped`, and `arrival.put_back`.
void PutBackWave(const RollbackRoom& room, const RunInput& input, const StagePlan& stage,
                 const std::map<std::string, absl::Status>& no_lease, ArrivalRecord& arrival,
                 RunRecord& record);

}  // namespace trustline::controller
