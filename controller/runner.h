// The loop around NextStep: takes leases, starts calls, routes proofs, waits, and writes down what
// happened. One thread owns everything that changes; callbacks of the fleet only post to it.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "controller/compile.h"
#include "controller/fleet.h"
#include "controller/rollout.h"
#include "controller/run_options.h"
#include "controller/run_record.h"
#include "protos/trustline/v1/envelope.pb.h"
#include "protos/trustline/v1/secret.pb.h"

namespace trustline::controller {

// Told of everything as it happens, on the runner's thread.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  virtual void OnStageStart(const StagePlan&, const std::vector<std::string>& /*nodes*/) {}
  virtual void OnResource(const ResourceRow&) {}
  virtual void OnProgress(const std::string& /*node*/, const std::string& /*text*/) {}
  // `waiting`: nodes whose answer is outstanding. About ten times a second while something runs.
  virtual void OnTick(const StagePlan&, const std::vector<std::string>& /*waiting*/) {}
  virtual void OnStageEnd(const StagePlan&, const std::vector<ResourceRow>& /*rows*/) {}
  virtual void OnNotice(const std::string& /*text*/) {}
};

// What a run applies: sealed documents and the resources each stage may touch.
struct RunInput {
  CompiledPlaybook playbook;
  std::map<std::string, v1::Envelope> envelopes;  // by node
  v1::SecretValues secrets;
  // [stage][node] -> ids; nodes that are not there are not asked. An empty list means every
  // resource of the stage.
  std::map<uint32_t, std::map<std::string, std::vector<std::string>>> selected;
  // Nodes of --limit; they have a line in the recap also when all of their tasks were skipped.
  std::set<std::string> allowed;
};

// Fills `selected` from a mask and the nodes of --limit.
void SelectResources(const Mask& mask, const std::vector<std::string>& allowed, RunInput& input);

// --start-at-task: leaves out what comes before the first task of that name, as Ansible does; also
// stages before. NotFound, with the nearest name, when no selected task is called that.
absl::Status StartAtTask(const std::string& task, RunInput& input);

// --step: has every stage that asks nodes wait for a confirmation before it starts.
void AskBeforeEveryStage(RunInput& input);

// Pointer resources that the mask leaves out on some of the nodes that declare them: phones of the
// scope would get whichever server answers first. One line each, naming who is in and who is out.
std::vector<std::string> PartialPointers(const RunInput& input);

// Runs the playbook. Returns when nothing is in flight any more and the leases are released. Nodes
// that were asked have at least one row each.
RunRecord RunApply(Fleet& fleet, const RunInput& input, const RunOptions& options,
                   RunObserver& observer);

struct RollbackInput {
  std::vector<std::string> nodes;
  std::string of_run;  // empty: the newest run that changed any of the nodes
  bool include_trust = false;
  v1::SecretValues secrets;
  uint32_t stage = 0;  // only this stage of `of_run`; 0: all of it
};
// Undoes one run on all the nodes at once; a node it did not change is left alone.
RunRecord RunRollback(Fleet& fleet, const RollbackInput& input, const RunOptions& options,
                      RunObserver& observer);

// What a plan over a whole playbook found: stages up to the first one that has something to do are
// known, the rest depends on it.
struct StagePlanResult {
  const StagePlan* stage = nullptr;
  uint32_t known_after = 0;  // 0: known now; else the stage whose changes must come first
  std::map<std::string, absl::StatusOr<v1::Plan>> by_node;
};
struct PlanResult {
  std::vector<StagePlanResult> stages;
  bool interrupted = false;
};
PlanResult RunPlan(Fleet& fleet, const RunInput& input, const RunOptions& options,
                   RunObserver& observer);
// Only the gates of `input.selected`, each by itself: none waits for what another one says.
PlanResult RunGates(Fleet& fleet, const RunInput& input, const RunOptions& options,
                    RunObserver& observer);

// How a failed call counts: unreachable (no answer, wrong identity), refused (lease, precondition,
// role), failed.
v1::Outcome OutcomeOfStatus(const absl::Status& status);

}  // namespace trustline::controller
