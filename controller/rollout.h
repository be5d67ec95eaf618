// Rolling a compiled playbook out: what comes next is a pure decision over what happened so far;
// the loop around it does the calls.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controller/compile.h"
#include "controller/fleet.h"
#include "trust/certificate.h"
#include "trust/private_key.h"

namespace trustline::controller {

// What is known of one node in one stage.
struct NodeProgress {
  enum class State {
    kWaiting,
    kRunning,
    kConverged,
    kFailed,
    kUnreachable,
    kRefused,
    kPending,
    kCancelled,
    kRolledBack,
    kSkipped
  } state = State::kWaiting;
};

struct RolloutPolicy {
  std::vector<StagePlan> stages;
  std::set<std::string> allowed;  // nodes of --limit
  int forks = 50;                 // calls in flight
};
struct RolloutProgress {
  // [stage number][node]
  std::map<uint32_t, std::map<std::string, NodeProgress>> nodes;
  std::set<std::pair<uint32_t, bool>> pauses_passed;  // (stage, after?)
  std::set<uint32_t> arrived;  // stages whose phones are there, or need not be waited for
  bool interrupted = false;
};

struct RolloutStep {
  // kWatch: the stage's phones are to arrive before anything else begins.
  enum class Kind { kStart, kWait, kPause, kWatch, kStop, kDone } kind = Kind::kDone;
  uint32_t stage = 0;
  std::vector<std::string> start;  // kStart: nodes to call now
  std::string prompt;              // kPause
  bool pause_is_after = false;
  std::string why;  // kStop: which budget was spent by whom, in an operator's words
};
// Pure. Batches in order; a stage ends when every asked node ended; a node that did not converge
// counts against max_fail_percentage of the batch (failed, unreachable, refused, pending alike;
// "exceeded" as in Ansible, default 0); then later batches and stages stop. Interrupted: start
// nothing more.
RolloutStep NextStep(const RolloutPolicy& policy, const RolloutProgress& progress);

}  // namespace trustline::controller
