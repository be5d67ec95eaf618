#include "controller/run_rollback.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/ask_statuses.h"
#include "controller/leases.h"
#include "controller/mailbox.h"
#include "controller/proof_routes.h"
#include "controller/run_rows.h"
#include "controller/runner.h"

namespace trustline::controller {
namespace {

// Runs that changed any of the nodes and were not put back yet, newest first, and who did not say.
struct OpenRuns {
  std::vector<std::string> runs;
  std::map<std::string, absl::Status> silent;
};

OpenRuns FindOpenRuns(Fleet& fleet, const std::vector<std::string>& nodes,
                      const RunOptions& options, const std::shared_ptr<Mailbox>& mailbox) {
  OpenRuns open;
  std::map<std::string, int64_t> newest;
  for (const auto& [node, status] : AskStatuses(fleet, nodes, options, mailbox)) {
    if (!status.ok()) {
      open.silent.emplace(node, status.status());
      continue;
    }
    for (const v1::GenerationStatus& generation : status->generations()) {
      if (generation.rolled_back() || generation.is_rollback()) continue;
      int64_t& created = newest[generation.run_id()];
      created = std::max(created, generation.created_unix());
    }
  }
  std::vector<std::pair<int64_t, std::string>> order;
  for (const auto& [run, created] : newest) order.emplace_back(created, run);
  std::sort(order.rbegin(), order.rend());
  for (auto& [created, run] : order) open.runs.push_back(std::move(run));
  return open;
}

// The agent's words for what it left as it is; said in full, because a node that keeps things
// looks like one that put them back.
void SayWhatStays(bool include_trust, ResourceRow& row) {
  const std::string& summary = row.outcome.summary();
  if (row.outcome.outcome() != v1::OUTCOME_UNCHANGED || summary.empty()) return;
  const bool trust = !include_trust && absl::StartsWith(summary, "kept: ");
  row.outcome.add_reasons(
      absl::StrCat(summary, trust ? "; --include-trust takes it back as well" : ""));
}

bool NothingPutBack(const std::vector<ResourceRow>& rows) {
  return std::all_of(rows.begin(), rows.end(), [](const ResourceRow& row) {
    return row.outcome.outcome() == v1::OUTCOME_UNCHANGED;
  });
}

// Whether a run left something on a node that its rollback does not take back.
bool KeepsSomething(const std::vector<ResourceRow>& rows) {
  return std::any_of(rows.begin(), rows.end(),
                     [](const ResourceRow& row) { return row.outcome.kind() != "rollback"; });
}

std::string TitleOf(const OpenRuns& open, const std::string& of_run) {
  if (!of_run.empty()) return absl::StrCat("Put back what run ", of_run, " changed");
  if (open.silent.empty()) return "Nothing to put back";
  const std::string names = absl::StrJoin(
      open.silent, ", ", [](std::string* out, const auto& node) { out->append(node.first); });
  return absl::StrCat("Not known what to put back: ", names,
                      open.silent.size() == 1 ? " does" : " do", " not answer");
}

}  // namespace

bool MayBeKnown(Fleet& fleet, const std::vector<std::string>& nodes, const std::string& run_id,
                const RunOptions& options) {
  for (const auto& [node, status] :
       AskStatuses(fleet, nodes, options, std::make_shared<Mailbox>())) {
    if (!status.ok()) return true;
    for (const v1::GenerationStatus& generation : status->generations()) {
      if (generation.run_id() == run_id) return true;
    }
  }
  return false;
}

std::vector<ResourceRow> RollBackNodes(const RollbackRoom& room, const RollbackInput& input,
                                       const StagePlan& stage,
                                       const std::map<std::string, absl::Status>& no_lease,
                                       RunRecord& record) {
  auto probes = std::make_shared<std::vector<std::unique_ptr<CallHandle>>>();
  std::vector<ResourceRow> rows;
  room.observer.OnStageStart(stage, input.nodes);
  std::set<std::string> running;
  std::vector<std::unique_ptr<CallHandle>> calls;
  auto add = [&](ResourceRow row) {
    SayWhatStays(input.include_trust, row);
    // Within the run that made the change.
    if (IsPutBack(row) && row.outcome.outcome() == v1::OUTCOME_CHANGED) {
      row.outcome.set_outcome(v1::OUTCOME_ROLLED_BACK);
    }
    room.observer.OnResource(row);
    rows.push_back(std::move(row));
  };
  for (const std::string& node : input.nodes) {
    if (auto problem = no_lease.find(node); problem != no_lease.end()) {
      if (absl::IsPermissionDenied(problem->second)) record.denied = true;
      add(WholeNodeRow(node, stage.number, &stage, problem->second));
      continue;
    }
    running.insert(node);
    v1::RollbackStart request;
    request.set_run_id(room.options.run_id);
    request.set_of_run(input.of_run);
    request.set_stage(input.stage);
    request.set_include_trust(input.include_trust);
    request.set_override_gate(room.options.override_gate);
    *request.mutable_secrets() = input.secrets;
    calls.push_back(room.fleet.Rollback(
        node, request, room.options.apply_timeout, [](const v1::ApplyEvent&) {},
        RouteProofs(room.fleet, room.mailbox, probes),
        ByMail<v1::StageReport>(room.mailbox, [&, node](absl::StatusOr<v1::StageReport> report) {
          running.erase(node);
          if (!report.ok()) {
            if (absl::IsPermissionDenied(report.status())) record.denied = true;
            add(WholeNodeRow(node, stage.number, &stage, report.status()));
            return;
          }
          for (const v1::ResourceOutcome& outcome : report->resources()) {
            add({node, stage.number == 0 ? outcome.stage() : stage.number, stage.play, stage.wave,
                 outcome});
          }
        })));
  }
  bool cancelled = false;
  while (!running.empty()) {
    room.mailbox->Deliver(kRunTick);
    room.leases.RenewWhenDue();
    std::vector<std::string> waiting(running.begin(), running.end());
    room.observer.OnTick(stage, waiting);
    if (room.options.interrupts() > 0 && !record.interrupted) {
      record.interrupted = true;
      if (!waiting.empty()) room.observer.OnNotice(InterruptNotice(waiting));
    }
    if (room.options.interrupts() > 1 && !cancelled) {
      cancelled = true;
      for (auto& call : calls) call->Cancel();
    }
  }
  room.observer.OnStageEnd(stage, rows);
  return rows;
}

RunRecord RunRollback(Fleet& fleet, const RollbackInput& input, const RunOptions& options,
                      RunObserver& observer) {
  auto mailbox = std::make_shared<Mailbox>();
  Leases leases(fleet, mailbox, options);
  RunRecord record;
  record.run_id = options.run_id;
  record.command = "rollback";
  record.gate_override = options.override_gate;
  record.started = options.now();
  record.nodes = input.nodes;
  std::map<std::string, absl::Status> no_lease = leases.TakeAll(input.nodes);
  // One run for all nodes: each node's own last run would mix several on servers that must agree.
  OpenRuns open;
  if (input.of_run.empty()) {
    open = FindOpenRuns(fleet, input.nodes, options, mailbox);
    // Asked for no run in particular, a node that answers again would choose one of its own.
    if (open.runs.empty()) no_lease.insert(open.silent.begin(), open.silent.end());
  } else {
    open.runs = {input.of_run};
  }
  const RollbackRoom room{fleet, options, observer, mailbox, leases};
  record.interrupted = options.interrupts() > 0;
  for (size_t i = 0; !record.interrupted && i < std::max<size_t>(open.runs.size(), 1); ++i) {
    record.of_run = open.runs.empty() ? "" : open.runs[i];
    RollbackInput input_of = input;
    input_of.of_run = record.of_run;
    StagePlan stage;
    stage.play = TitleOf(open, record.of_run);
    stage.hosts = input.nodes;
    std::vector<ResourceRow> rows = RollBackNodes(room, input_of, stage, no_lease, record);
    const bool nothing = NothingPutBack(rows), keeps = KeepsSomething(rows);
    std::move(rows.begin(), rows.end(), std::back_inserter(record.rows));
    if (!nothing || !keeps || record.interrupted) break;
    // A run of which everything stays would hide those before it for ever.
    const bool older = i + 1 < open.runs.size();
    observer.OnNotice(absl::StrCat(
        "nothing was put back: what run ", record.of_run, " did stays",
        input.include_trust ? "" : ", imported trust unless --include-trust is given",
        older ? absl::StrCat("; now the one before it, ", open.runs[i + 1])
              : "; `trustline rollback --run ID` takes an older run back, `trustline history list` "
                "names them"));
  }
  const bool unknown =
      !input.of_run.empty() && !record.rows.empty() &&
      std::all_of(record.rows.begin(), record.rows.end(), [](const auto& row) {
        return row.outcome.kind() == "rollback" && row.outcome.outcome() == v1::OUTCOME_UNCHANGED;
      });
  if (unknown) {
    observer.OnNotice(absl::StrCat("run ", input.of_run,
                                   " changed nothing on these nodes, or is put back already"));
  }
  for (const std::string& line : leases.ReleaseAll()) observer.OnNotice(line);
  record.finished = options.now();
  return record;
}

}  // namespace trustline::controller
