#include "controller/bin/gate_advice.h"

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "controller/gate_hints.h"

namespace trustline::controller {
namespace {

// What the nodes say of their stores; those that do not answer are left out, as it is about hints.
std::map<std::string, v1::StatusResponse> AskStatuses(Fleet& fleet,
                                                      const std::set<std::string>& nodes,
                                                      absl::Duration patience) {
  std::map<std::string, v1::StatusResponse> statuses;
  std::mutex mutex;
  std::condition_variable answered;
  size_t answers = 0;
  std::vector<std::unique_ptr<CallHandle>> calls;
  for (const std::string& node : nodes) {
    calls.push_back(
        fleet.Status(node, patience, [&, node](absl::StatusOr<v1::StatusResponse> status) {
          const std::lock_guard<std::mutex> lock(mutex);
          if (status.ok()) statuses.emplace(node, *std::move(status));
          ++answers;
          answered.notify_one();
        }));
  }
  std::unique_lock<std::mutex> lock(mutex);
  answered.wait(lock, [&] { return answers == nodes.size(); });
  return statuses;
}

}  // namespace

void AdviseOnGates(const Arguments& arguments, const Prepared& prepared, absl::Duration patience,
                   PlanResult& plan) {
  std::vector<v1::GateReport*> reports;
  std::set<std::string> in_question;
  for (StagePlanResult& stage : plan.stages) {
    for (auto& [judge, answer] : stage.by_node) {
      if (!answer.ok()) continue;
      for (v1::ResourcePlan& resource : *answer->mutable_resources()) {
        if (!resource.has_gate()) continue;
        reports.push_back(resource.mutable_gate());
        in_question.merge(NodesInQuestion(resource.gate()));
      }
    }
  }
  if (in_question.empty()) return;
  std::string inventories;
  for (const std::string& inventory : arguments.inventories) {
    absl::StrAppend(&inventories, inventories.empty() ? "" : " ", "-i ", inventory);
  }
  const GateHints hints{prepared.input.playbook, arguments.playbook, inventories,
                        AskStatuses(*prepared.fleet, in_question, patience)};
  for (v1::GateReport* report : reports) AddGateHints(hints, *report);
}

}  // namespace trustline::controller
