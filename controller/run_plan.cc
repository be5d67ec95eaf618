// Planning a whole playbook over the fleet, and its gates by themselves.
#include <algorithm>
#include <deque>
#include <memory>
#include <set>
#include <utility>

#include "controller/leases.h"
#include "controller/mailbox.h"
#include "controller/runner.h"

namespace trustline::controller {
namespace {

class Planner {
 public:
  Planner(Fleet& fleet, const RunInput& input, const RunOptions& options, RunObserver& observer)
      : fleet_(fleet), input_(input), options_(options), observer_(observer) {}

  PlanResult Run(bool gates_only) {
    PlanResult result;
    uint32_t first_unfinished = 0;
    for (const StagePlan& stage : input_.playbook.stages) {
      if (input_.selected.count(stage.number) == 0 || (gates_only && stage.gate_for == 0)) continue;
      if (first_unfinished != 0) {
        StagePlanResult& later = result.stages.emplace_back();
        later.stage = &stage;
        later.known_after = first_unfinished;
        continue;
      }
      if (stage.gate_for != 0 && !gates_only && GuardedIsInPlace(stage)) continue;
      if (interrupted_) break;
      StagePlanResult& entry = result.stages.emplace_back();
      entry.stage = &stage;
      Ask(stage, entry);
      if (interrupted_) break;
      if (!Settled(entry) && !gates_only) first_unfinished = stage.number;
    }
    result.interrupted = interrupted_;
    return result;
  }

 private:
  static bool Settled(const StagePlanResult& stage) {
    return std::all_of(stage.by_node.begin(), stage.by_node.end(), [](const auto& answer) {
      return answer.second.ok() &&
             std::all_of(answer.second->resources().begin(), answer.second->resources().end(),
                         [](const v1::ResourcePlan& resource) {
                           return resource.outcome() == v1::OUTCOME_UNCHANGED;
                         });
    });
  }

  // Whether everything a gate guards is as it shall be: then there is nothing to judge.
  bool GuardedIsInPlace(const StagePlan& gate) {
    for (const StagePlan& stage : input_.playbook.stages) {
      if (stage.number != gate.gate_for || input_.selected.count(stage.number) == 0) continue;
      StagePlanResult guarded;
      Ask(stage, guarded);
      return !interrupted_ && Settled(guarded);
    }
    return true;
  }

  void Ask(const StagePlan& stage, StagePlanResult& entry) {
    // A gate waits for servers on behalf of phones.
    const absl::Duration patience = stage.gate_for == 0
                                        ? options_.answer_timeout
                                        : std::max(options_.answer_timeout, kVerdictPatience);
    const auto& selected = input_.selected.at(stage.number);
    std::vector<std::unique_ptr<CallHandle>> calls;
    std::set<std::string> waiting;
    std::deque<std::string> queue;
    for (const auto& [node, ids] : selected) queue.push_back(node);
    while (!queue.empty() || !waiting.empty()) {
      while (!queue.empty() && static_cast<int>(waiting.size()) < options_.forks) {
        const std::string node = queue.front();
        queue.pop_front();
        waiting.insert(node);
        v1::PlanRequest request;
        *request.mutable_document() = input_.envelopes.at(node);
        request.set_stage(stage.number);
        for (const std::string& id : selected.at(node)) request.add_only(id);
        *request.mutable_secrets() = input_.secrets;
        calls.push_back(fleet_.Plan(
            node, request, patience,
            ByMail<v1::PlanResponse>(mailbox_, [&, node](absl::StatusOr<v1::PlanResponse> answer) {
              waiting.erase(node);
              if (answer.ok()) {
                entry.by_node.emplace(node, std::move(*answer->mutable_plan()));
              } else {
                entry.by_node.emplace(node, answer.status());
              }
            })));
      }
      mailbox_->Deliver(kRunTick);
      observer_.OnTick(stage, std::vector<std::string>(waiting.begin(), waiting.end()));
      if (options_.interrupts() > 0 && !interrupted_) {
        interrupted_ = true;
        queue.clear();
        for (auto& call : calls) call->Cancel();
      }
    }
  }

  Fleet& fleet_;
  const RunInput& input_;
  const RunOptions& options_;
  RunObserver& observer_;
  const std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
  bool interrupted_ = false;
};

}  // namespace

PlanResult RunPlan(Fleet& fleet, const RunInput& input, const RunOptions& options,
                   RunObserver& observer) {
  return Planner(fleet, input, options, observer).Run(/*gates_only=*/false);
}

PlanResult RunGates(Fleet& fleet, const RunInput& input, const RunOptions& options,
                    RunObserver& observer) {
  return Planner(fleet, input, options, observer).Run(/*gates_only=*/true);
}

}  // namespace trustline::controller
