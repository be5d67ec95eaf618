// After a wave's pointers are in place: its phones are looked at again and again until enough of
// them are at the destination, or their time is up.
#pragma once

#include <memory>
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

// Whether the run touches a pointer of the stage at all: masks may have left them out.
bool MovesPointers(const RunInput& input, const StagePlan& stage);

// Whether this run moved nothing of the stage, which has an arrival, and an earlier one saw its
// phones arrive, or nothing depends on the look: the evidence may be as old as it likes then. Tells
// `observer` who saw them.
bool NeedNotLook(const StagePlan& stage, const RunOptions& options, const RunRecord& record,
                 RunObserver& observer);

// `stage` has an arrival. Blocks until it is reached, missed, looked at or interrupted; on the
// run's thread, except that looks run on one of their own. A look that fails is told and counts as
// none.
ArrivalRecord WatchArrival(const StagePlan& stage, const RunOptions& options,
                           const std::shared_ptr<Mailbox>& mailbox, Leases& leases,
                           RunObserver& observer);

}  // namespace trustline::controller
