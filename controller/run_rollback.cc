#include "controller/run_rollback.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "controller/leases.h"
#include "controller/mailbox.h"
#include "controller/proof_routes.h"
#include "controller/run_rows.h"
#include "controller/runner.h"

namespace trustline::controller {
namespace {

// The newest run that changed any of the nodes and was not put back yet; empty: none is known.
std::string NewestChangingRun(Fleet& fleet, const std::vector<std::string>& nodes,
                              const RunOptions& options, const std::shared_ptr<Mailbox>& mailbox) {
  std::pair<int64_t, std::string> newest{0, ""};
  size_t answers = 0;
  std::vector<std::unique_ptr<CallHandle>> calls;
  for (const std::string& node : nodes) {
    calls.push_back(fleet.Status(
        node, options.answer_timeout,
        ByMail<v1::StatusResponse>(mailbox, [&](absl::StatusOr<v1::StatusResponse> status) {
          ++answers;
          if (!status.ok()) return;  // the rollback itself will say why
          for (const v1::GenerationStatus& generation : status->generations()) {
            if (generation.rolled_back() || generation.is_rollback()) continue;
            newest = std::max(newest, std::pair<int64_t, std::string>(generation.created_unix(),
                                                                      generation.run_id()));
          }
        })));
  }
  while (answers < nodes.size()) mailbox->Deliver(kRunTick);
  return newest.second;
}

}  // namespace

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
  record.of_run =
      input.of_run.empty() ? NewestChangingRun(fleet, input.nodes, options, mailbox) : input.of_run;
  RollbackInput input_of = input;
  input_of.of_run = record.of_run;
  StagePlan stage;
  stage.play = record.of_run.empty()
                   ? "Nothing to put back"
                   : absl::StrCat("Put back what run ", record.of_run, " changed");
  stage.hosts = input.nodes;
  record.rows =
      RollBackNodes({fleet, options, observer, mailbox, leases}, input_of, stage, no_lease, record);
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
