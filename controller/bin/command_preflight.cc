// preflight: only the gates, and why they refuse.
#include <unistd.h>

#include <condition_variable>
#include <iostream>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "controller/bin/commands.h"
#include "controller/bin/session.h"
#include "controller/exit_codes.h"
#include "controller/gate_hints.h"
#include "controller/render/gate_text.h"
#include "controller/render/json_output.h"
#include "controller/render/run_text.h"

namespace trustline::controller {
namespace {

class Silent : public RunObserver {
  void OnNotice(const std::string& text) override { std::cerr << "note: " << text << "\n"; }
};

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

std::string StageTitle(const StagePlan& stage) {
  return absl::StrCat(stage.play, stage.wave.empty() ? "" : ", wave ", stage.wave);
}

// One judge's word on one gate.
void PrintGate(const StagePlan& stage, const std::string& judge,
               const absl::StatusOr<v1::Plan>& answer, const TextOptions& options) {
  std::cout << Banner(absl::StrCat(StageTitle(stage), " on ", judge), options.style) << "\n";
  if (!answer.ok()) {
    std::cout << options.style.Apply(Paint::kBad, OutcomeName(OutcomeOfStatus(answer.status())))
              << "  " << answer.status().message() << "\n";
    return;
  }
  for (const v1::ResourcePlan& resource : answer->resources()) {
    if (resource.has_gate()) std::cout << GateTable(resource.gate(), options.style);
    if (resource.outcome() == v1::OUTCOME_UNCHANGED) {
      std::cout << options.style.Apply(Paint::kGood, "ACCEPTED") << "  " << resource.summary()
                << "\n";
    } else if (resource.has_gate()) {
      std::cout << GateRefusal(resource.gate(), options.style);
    } else {
      std::cout << options.style.Apply(Paint::kBad, OutcomeName(resource.outcome()));
      for (const std::string& reason : resource.reasons()) std::cout << "  " << reason;
      std::cout << "\n";
    }
  }
}

}  // namespace

int PreflightCommand(const Arguments& arguments) {
  CatchInterrupts();
  int code = kExitOk;
  std::optional<Prepared> prepared = Prepare(arguments, code);
  if (!prepared) return code;
  const RunOptions options = RunOptionsOf(arguments);
  Silent silent;
  PlanResult plan;
  {
    ProgressLine progress(silent, std::cerr, isatty(STDERR_FILENO) == 1, absl::Now);
    plan = RunGates(*prepared->fleet, prepared->input, options, progress);
  }
  if (plan.interrupted) return kExitInterrupted;
  std::set<std::string> in_question;
  const auto every_report = [&](const auto& visit) {
    for (StagePlanResult& stage : plan.stages) {
      for (auto& [judge, answer] : stage.by_node) {
        if (!answer.ok()) continue;
        for (v1::ResourcePlan& resource : *answer->mutable_resources()) {
          if (resource.has_gate()) visit(*resource.mutable_gate());
        }
      }
    }
  };
  every_report([&](const v1::GateReport& report) { in_question.merge(NodesInQuestion(report)); });
  std::string inventories;
  for (const std::string& inventory : arguments.inventories) {
    absl::StrAppend(&inventories, inventories.empty() ? "" : " ", "-i ", inventory);
  }
  const GateHints hints{prepared->input.playbook, arguments.playbook, inventories,
                        AskStatuses(*prepared->fleet, in_question, options.answer_timeout)};
  every_report([&](v1::GateReport& report) { AddGateHints(hints, report); });

  if (arguments.output == "json") {
    std::cout << PlanJson(plan, prepared->input.playbook);
  } else {
    const TextOptions text = TextOptionsOf(arguments);
    for (const StagePlanResult& stage : plan.stages) {
      for (const auto& [judge, answer] : stage.by_node) {
        PrintGate(*stage.stage, judge, answer, text);
      }
    }
  }
  const PlanCounts counts = CountPlan(plan);
  if (counts.denied > 0) return kExitDenied;
  code = (counts.failed > 0 ? kExitFailed : 0) | (counts.unreachable > 0 ? kExitUnreachable : 0);
  if (code != 0) return code;
  if (counts.refused > 0) return kExitRefused;
  return counts.pending > 0 ? kExitFailed : kExitOk;
}

}  // namespace trustline::controller
