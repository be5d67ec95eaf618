// preflight: only the gates, and why they refuse.
#include <unistd.h>

#include <iostream>

#include "absl/strings/str_cat.h"
#include "controller/bin/commands.h"
#include "controller/bin/gate_advice.h"
#include "controller/bin/session.h"
#include "controller/exit_codes.h"
#include "controller/render/gate_text.h"
#include "controller/render/json_output.h"
#include "controller/render/run_text.h"

namespace trustline::controller {
namespace {

class Silent : public RunObserver {
  void OnNotice(const std::string& text) override { std::cerr << "note: " << text << "\n"; }
};

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
  AdviseOnGates(arguments, *prepared, options.answer_timeout, plan);
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
