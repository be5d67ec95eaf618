#include <algorithm>
#include <deque>
#include <memory>
#include <set>
#include <utility>

#include "controller/mailbox.h"
#include "controller/runner.h"

namespace trustline::controller {

PlanResult RunPlan(Fleet& fleet, const RunInput& input, const RunOptions& options,
                   RunObserver& observer) {
  auto mailbox = std::make_shared<Mailbox>();
  PlanResult result;
  uint32_t first_unfinished = 0;
  for (const StagePlan& stage : input.playbook.stages) {
    auto selected = input.selected.find(stage.number);
    if (selected == input.selected.end()) continue;
    StagePlanResult& entry = result.stages.emplace_back();
    entry.stage = &stage;
    if (first_unfinished != 0) {
      entry.known_after = first_unfinished;
      continue;
    }
    std::vector<std::unique_ptr<CallHandle>> calls;
    std::set<std::string> waiting;
    std::deque<std::string> queue;
    for (const auto& [node, ids] : selected->second) queue.push_back(node);
    bool cancelled = false;
    while (!queue.empty() || !waiting.empty()) {
      while (!queue.empty() && static_cast<int>(waiting.size()) < options.forks) {
        std::string node = queue.front();
        queue.pop_front();
        waiting.insert(node);
        v1::PlanRequest request;
        *request.mutable_document() = input.envelopes.at(node);
        request.set_stage(stage.number);
        for (const std::string& id : selected->second.at(node)) request.add_only(id);
        *request.mutable_secrets() = input.secrets;
        calls.push_back(fleet.Plan(
            node, request, options.answer_timeout,
            ByMail<v1::PlanResponse>(mailbox, [&, node](absl::StatusOr<v1::PlanResponse> answer) {
              waiting.erase(node);
              if (answer.ok()) {
                entry.by_node.emplace(node, std::move(*answer->mutable_plan()));
              } else {
                entry.by_node.emplace(node, answer.status());
              }
            })));
      }
      mailbox->Deliver(kRunTick);
      observer.OnTick(stage, std::vector<std::string>(waiting.begin(), waiting.end()));
      if (options.interrupts() > 0 && !cancelled) {
        cancelled = true;
        result.interrupted = true;
        queue.clear();
        for (auto& call : calls) call->Cancel();
      }
    }
    if (result.interrupted) break;
    for (const auto& [node, plan] : entry.by_node) {
      bool settled = plan.ok() && std::all_of(plan->resources().begin(), plan->resources().end(),
                                              [](const v1::ResourcePlan& r) {
                                                return r.outcome() == v1::OUTCOME_UNCHANGED;
                                              });
      if (!settled) first_unfinished = stage.number;
    }
  }
  return result;
}

}  // namespace trustline::controller
