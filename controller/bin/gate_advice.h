// What mends a gate's refusal, with commands as this operator would type them.
#pragma once

#include "absl/time/time.h"
#include "controller/bin/arguments.h"
#include "controller/bin/session.h"
#include "controller/runner.h"

namespace trustline::controller {

// Asks the nodes in question what their stores hold, and completes the reports in `plan`. Nodes
// that do not answer within `patience` are left out: it is about hints.
void AdviseOnGates(const Arguments& arguments, const Prepared& prepared, absl::Duration patience,
                   PlanResult& plan);

}  // namespace trustline::controller
