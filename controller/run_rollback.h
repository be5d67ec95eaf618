// The conversations of a rollback, for runs that hold their leases already.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "controller/leases.h"
#include "controller/mailbox.h"
#include "controller/runner.h"

namespace trustline::controller {

// What one conversation after the other needs of its run. All outlive it.
struct RollbackRoom {
  Fleet& fleet;
  const RunOptions& options;
  RunObserver& observer;
  const std::shared_ptr<Mailbox>& mailbox;
  Leases& leases;
};

// Whether any of the nodes knows the run, undone or not; also where one does not answer.
bool MayBeKnown(Fleet& fleet, const std::vector<std::string>& nodes, const std::string& run_id,
                const RunOptions& options);

// Undoes `input.of_run` on all nodes at once, under the leases of `room`; `no_lease` says where
// there is none. In a stage named by PutBackPlay what is back is `rolled_back`. Rows come back in
// the order things ended; `record` gets what becomes of the run (denied, interrupted).
std::vector<ResourceRow> RollBackNodes(const RollbackRoom& room, const RollbackInput& input,
                                       const StagePlan& stage,
                                       const std::map<std::string, absl::Status>& no_lease,
                                       RunRecord& record);

}  // namespace trustline::controller
