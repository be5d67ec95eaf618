// The way of a question on the wire from the agent that wants to know to the agent that can ask.
#pragma once

#include <memory>
#include <vector>

#include "controller/fleet.h"
#include "controller/mailbox.h"

namespace trustline::controller {

// Answers proof questions by having the fleet's agents probe. Calls are started on the thread that
// delivers `mailbox` and kept in `handles`, which lives until nothing is in flight any more.
ProofHandler RouteProofs(Fleet& fleet, std::shared_ptr<Mailbox> mailbox,
                         std::shared_ptr<std::vector<std::unique_ptr<CallHandle>>> handles);

}  // namespace trustline::controller
