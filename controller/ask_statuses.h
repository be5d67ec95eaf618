// What many nodes say of themselves, asked at once.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "controller/fleet.h"
#include "controller/mailbox.h"
#include "controller/run_options.h"

namespace trustline::controller {

using NodeStatuses = std::map<std::string, absl::StatusOr<v1::StatusResponse>>;

// At most `options.forks` at a time, each for `options.answer_timeout`; every node has an answer or
// a reason when this returns. Ctrl-C ends it: who had not answered yet is `cancelled`. `tick` gets
// who is waited for, about ten times a second.
NodeStatuses AskStatuses(
    Fleet& fleet, const std::vector<std::string>& nodes, const RunOptions& options,
    const std::shared_ptr<Mailbox>& mailbox,
    const std::function<void(const std::vector<std::string>& waiting)>& tick = nullptr);

}  // namespace trustline::controller
