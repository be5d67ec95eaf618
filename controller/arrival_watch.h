// After a wave's pointers are in place: its phones are looked at again and again until enough of
// them are at the destination, or their time is up.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "controller/leases.h"
#include "controller/mailbox.h"
#include "controller/run_options.h"
#include "controller/run_record.h"
#include "controller/runner.h"

namespace trustline::controller {

enum class ArrivalVerdict { kReached, kLookAgain, kMissed };

// Pure. Of no phone at all nothing is known: that is not an arrival; where all are excluded or
// cannot be moved by DHCP there is nobody to wait for.
ArrivalVerdict JudgeArrival(int at_least, const WavePhones& phones, bool time_is_up);

// "37 of 40 phones arrived (92%)".
std::string ArrivalCounts(const WavePhones& phones);

// "wave floor 3: 37 of 40 phones arrived (92%) within 30m, 95% are wanted".
std::string WhyMissed(const ArrivalRecord& arrival);

// The arrival of the stage, about those of its pointers that the run has in place: masks may have
// left some out, and others are only reported on. Nothing where no pointer is left.
std::optional<ArrivalDemand> DemandOf(const RunInput& input, const StagePlan& stage);

// Whether an earlier run saw the phones of the stage arrive and this one moved nothing since: the
// evidence may be as old as it likes then. Tells `observer`.
bool ArrivedEarlier(const StagePlan& stage, const RunOptions& options, const RunRecord& record,
                    RunObserver& observer);

// Blocks until it is reached, missed, looked at or interrupted; on the
// run's thread, except that looks run on one of their own. A look that fails is told and counts as
// none.
ArrivalRecord WatchArrival(const StagePlan& stage, const ArrivalDemand& demand,
                           const RunOptions& options, const std::shared_ptr<Mailbox>& mailbox,
                           Leases& leases, RunObserver& observer);

}  // namespace trustline::controller
