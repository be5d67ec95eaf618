// lint, plan, apply, rollback.
#include <unistd.h>

#include <iostream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/arrival_look.h"
#include "controller/bin/commands.h"
#include "controller/bin/gate_advice.h"
#include "controller/bin/session.h"
#include "controller/exit_codes.h"
#include "controller/history/history_store.h"
#include "controller/history/run_lock.h"
#include "controller/inventory/inventory.h"
#include "controller/render/json_output.h"
#include "controller/render/run_text.h"
#include "controller/run_rollback.h"
#include "controller/straggler_guard.h"
#include "trust/status_macros.h"

namespace trustline::controller {
namespace {

std::string InventoryArguments(const Arguments& arguments) {
  std::string text;
  for (const std::string& inventory : arguments.inventories)
    absl::StrAppend(&text, text.empty() ? "" : " ", "-i ", inventory);
  return text;
}

// Nobody reads along; used where the output is one document at the end.
class Silent : public RunObserver {
  void OnNotice(const std::string& text) override { std::cerr << "note: " << text << "\n"; }
};

// A run under way: its id, written down as begun, and the lock that shows that it lives.
struct BegunRun {
  std::string run_id;
  std::unique_ptr<RunLock> lock;
  std::vector<std::string> ended;  // of this operator, the latest; see RunOptions
};

absl::StatusOr<BegunRun> BeginRun(const Arguments& arguments, HistoryStore& history,
                                  const std::string& command, const std::string& playbook,
                                  const std::string& operator_name) {
  constexpr int kLookBack = 50;
  constexpr absl::Duration kJustBegun = absl::Seconds(5);
  BegunRun run;
  TL_ASSIGN_OR_RETURN(std::vector<RunSummary> earlier, history.List(kLookBack));
  TL_ASSIGN_OR_RETURN(run.run_id, history.Begin(command, playbook, operator_name, absl::Now()));
  TL_ASSIGN_OR_RETURN(run.lock, RunLock::Hold(arguments.history_file, run.run_id));
  for (const RunSummary& summary : earlier) {
    if (summary.operator_name != operator_name) continue;
    const bool ended = summary.finished != absl::InfinitePast();
    // One that began this very moment may not hold its lock yet.
    if (!ended && (absl::Now() - summary.started < kJustBegun ||
                   RunLock::IsHeld(arguments.history_file, summary.run_id)))
      continue;
    run.ended.push_back(summary.run_id);
  }
  return run;
}

// Prints, stores and maps to an exit code what a run did.
int Conclude(const Arguments& arguments, const RunRecord& record, HistoryStore& history,
             JsonLines* lines) {
  int code = ExitCodeOf(record);
  if (arguments.output == "json") {
    std::cout << RunJson(record, code);
  } else if (arguments.output == "jsonl") {
    lines->RunFinished(record, code);
  } else {
    PrintRecap(record, TextOptionsOf(arguments), std::cout);
    std::cerr << SplitBatchAdvice(record, arguments.playbook, InventoryArguments(arguments));
  }
  if (absl::Status status = history.Finish(record, code); !status.ok()) {
    std::cerr << "trustline: the run is done but not in the history: " << status.message() << "\n";
    if (code == kExitOk) code = kExitError;
  }
  return code;
}

// Runs `body` with the observer the output format asks for.
template <typename Body>
int Observed(const Arguments& arguments, const std::string& run_id, HistoryStore& history,
             Body body) {
  JsonLines lines(run_id, std::cout, absl::Now);
  Silent silent;
  RunPrinter printer(TextOptionsOf(arguments), std::cout, std::cerr);
  RunObserver* inner = arguments.output == "jsonl"  ? static_cast<RunObserver*>(&lines)
                       : arguments.output == "json" ? static_cast<RunObserver*>(&silent)
                                                    : &printer;
  RunRecord record;
  {
    ProgressLine progress(*inner, std::cerr, isatty(STDERR_FILENO) == 1, absl::Now);
    record = body(progress);
  }
  return Conclude(arguments, record, history, &lines);
}

// Planning looks at nodes only; what the ledger would refuse is said beside it.
void WarnOfStragglers(const Arguments& arguments, const CompiledPlaybook& playbook) {
  for (const StagePlan& stage : playbook.stages) {
    if (!stage.require_no_stragglers) continue;
    absl::StatusOr<std::string> why =
        absl::StrCat("there is no history at ", arguments.history_file);
    if (access(arguments.history_file.c_str(), R_OK) == 0) {
      absl::StatusOr<std::unique_ptr<HistoryStore>> history =
          HistoryStore::Open(arguments.history_file);
      why = history.ok() ? WhySourceMustStay(**history, playbook.name) : history.status();
    }
    const std::string text = why.ok() ? *why : std::string(why.status().message());
    if (text.empty()) return;
    std::cerr << "warning: stage " << stage.number << " \"" << stage.play
              << "\" would not start: " << text << "\n";
    return;
  }
}

}  // namespace

int LintCommand(const Arguments& arguments) {
  int code = kExitOk;
  std::optional<CompiledPlaybook> compiled = CompileOrExplain(arguments, "", code);
  if (!compiled) return code;
  if (WantsLists(arguments)) {
    PrintLists(arguments, *compiled);
    return kExitOk;
  }
  int resources = 0;
  for (const auto& [node, document] : compiled->documents) resources += document.resources_size();
  // As JSON the warnings are the answer; they are printed.
  if (arguments.output != "json") {
    std::cout << arguments.playbook << ": "
              << Count(static_cast<int64_t>(compiled->stages.size()), "stage", "stages") << ", "
              << Count(static_cast<int64_t>(compiled->documents.size()), "node", "nodes") << ", "
              << Count(resources, "resource", "resources") << "; no errors\n";
  }
  return kExitOk;
}

int PlanCommand(const Arguments& arguments) {
  CatchInterrupts();
  int code = kExitOk;
  if (WantsLists(arguments)) {
    std::optional<CompiledPlaybook> compiled = CompileOrExplain(arguments, "", code);
    if (compiled) PrintLists(arguments, *compiled);
    return code;
  }
  std::optional<Prepared> prepared = Prepare(arguments, code);
  if (!prepared) return code;
  if (arguments.check && arguments.output == "jsonl") {
    std::cerr << "trustline: --check knows -o table and -o json\n";
    return kExitUsage;
  }
  RunOptions options = RunOptionsOf(arguments);
  Silent silent;
  PlanResult plan;
  {
    ProgressLine progress(silent, std::cerr, isatty(STDERR_FILENO) == 1, absl::Now);
    plan = RunPlan(*prepared->fleet, prepared->input, options, progress);
  }
  AdviseOnGates(arguments, *prepared, options.answer_timeout, plan);
  if (arguments.output == "json") {
    std::cout << PlanJson(plan, prepared->input.playbook);
  } else {
    if (arguments.check) std::cout << "CHECK MODE: nothing will be written\n";
    PrintPlan(plan, prepared->input.playbook, TextOptionsOf(arguments), std::cout);
  }
  if (plan.interrupted) return kExitInterrupted;
  WarnOfStragglers(arguments, prepared->input.playbook);
  PlanCounts counts = CountPlan(plan);
  if (counts.denied > 0) return kExitDenied;
  code = (counts.failed > 0 ? kExitFailed : 0) | (counts.unreachable > 0 ? kExitUnreachable : 0);
  if (code != 0) return code;
  if (counts.refused > 0) return kExitRefused;
  if (counts.pending > 0) return kExitFailed;
  if (arguments.detailed_exitcode && (counts.resources_changing > 0 || counts.stages_unknown > 0))
    return kExitChangesPending;
  return kExitOk;
}

int ApplyCommand(const Arguments& arguments) {
  CatchInterrupts();
  int code = kExitOk;
  if (WantsLists(arguments)) {
    std::optional<CompiledPlaybook> compiled = CompileOrExplain(arguments, "", code);
    if (compiled) PrintLists(arguments, *compiled);
    return code;
  }
  std::optional<Prepared> prepared = Prepare(arguments, code);
  if (!prepared) return code;
  absl::StatusOr<std::unique_ptr<HistoryStore>> history =
      HistoryStore::Open(arguments.history_file);
  if (!history.ok()) return Fail(history.status());
  absl::StatusOr<BegunRun> begun =
      BeginRun(arguments, **history, "apply", prepared->input.playbook.name, prepared->who.name);
  if (!begun.ok()) return Fail(begun.status());
  RunOptions options = RunOptionsOf(arguments);
  options.run_id = begun->run_id;
  options.ended_runs = begun->ended;
  options.why_source_must_stay = [&] {
    return WhySourceMustStay(**history, prepared->input.playbook.name);
  };
  options.look_for_arrivals = [](const ArrivalDemand& demand,
                                 const std::function<bool()>& cancelled) {
    return LookForArrivals(demand, cancelled, absl::Now());
  };
  options.arrived_in = [&](const StagePlan& stage) {
    return (*history)->LastArrival(prepared->input.playbook.name, stage.play, stage.wave,
                                   begun->run_id);
  };
  options.changed_in = [&](const StagePlan& stage, const std::string& node) {
    return (*history)->LastChange(prepared->input.playbook.name, stage.play, stage.wave, node,
                                  begun->run_id);
  };
  options.record_arrival = [&](const ArrivalDemand& demand, const ArrivalRecord& arrival) {
    return RecordWave(**history, prepared->input.playbook.name, demand, arrival);
  };
  return Observed(arguments, begun->run_id, **history, [&](RunObserver& observer) {
    RunRecord record = RunApply(*prepared->fleet, prepared->input, options, observer);
    record.operator_name = prepared->who.name;
    return record;
  });
}

int RollbackCommand(const Arguments& arguments) {
  CatchInterrupts();
  absl::StatusOr<Operator> who = LoadOperator(arguments.pki_directory, arguments.operator_name);
  if (!who.ok()) return FailOnIdentity(who.status());
  int code = kExitOk;
  std::map<std::string, NodeAddress> all;
  std::optional<std::map<std::string, NodeAddress>> nodes = NodesOf(arguments, code, &all);
  if (!nodes) return code;
  absl::StatusOr<std::unique_ptr<Fleet>> fleet = MakeGrpcFleet(who->files, all);
  if (!fleet.ok()) return Fail(fleet.status());
  absl::StatusOr<std::unique_ptr<HistoryStore>> history =
      HistoryStore::Open(arguments.history_file);
  if (!history.ok()) return Fail(history.status());
  if (arguments.include_trust) {
    absl::StatusOr<std::string> why = WhyTrustMustStay(**history, arguments.run_id);
    if (!why.ok()) return Fail(why.status());
    if (!why->empty()) {
      std::cerr << "refused: trust stays while phones may need it to move or to return: " << *why
                << "\n";
      return kExitRefused;
    }
  }
  RunOptions options = RunOptionsOf(arguments);
  RollbackInput input;
  for (const auto& [node, address] : *nodes) input.nodes.push_back(node);
  // A run of another controller is none of this history, but the nodes know it.
  if (!arguments.run_id.empty() &&
      absl::IsNotFound((*history)->Summary(arguments.run_id).status()) &&
      !MayBeKnown(**fleet, input.nodes, arguments.run_id, options)) {
    return Fail(UnknownRun(**history, arguments.run_id, "; no node knows it either"));
  }
  absl::StatusOr<BegunRun> begun = BeginRun(arguments, **history, "rollback", "", who->name);
  if (!begun.ok()) return Fail(begun.status());
  options.run_id = begun->run_id;
  options.ended_runs = begun->ended;
  input.include_trust = arguments.include_trust;
  input.of_run = arguments.run_id;
  return Observed(arguments, begun->run_id, **history, [&](RunObserver& observer) {
    RunRecord record = RunRollback(**fleet, input, options, observer);
    record.operator_name = who->name;
    return record;
  });
}

}  // namespace trustline::controller
