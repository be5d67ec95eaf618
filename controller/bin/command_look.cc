// status, history, inventory, explain: looking.
#include <unistd.h>

#include <iostream>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/ask_statuses.h"
#include "controller/bin/commands.h"
#include "controller/bin/session.h"
#include "controller/exit_codes.h"
#include "controller/history/history_store.h"
#include "controller/inventory/render_inventory.h"
#include "controller/render/json_output.h"
#include "controller/render/status_text.h"
#include "protos/generic/kinds.h"

namespace trustline::controller {
namespace {

// Every node has an answer or a reason when this returns, at the latest when Ctrl-C is pressed.
std::vector<NodeStatus> AskAll(Fleet& fleet, const std::map<std::string, NodeAddress>& nodes,
                               const RunOptions& options, ProgressLine& progress) {
  StagePlan stage;
  for (const auto& [node, address] : nodes) stage.hosts.push_back(node);
  progress.OnStageStart(stage, stage.hosts);
  NodeStatuses answers = AskStatuses(
      fleet, stage.hosts, options, std::make_shared<Mailbox>(),
      [&](const std::vector<std::string>& waiting) { progress.OnTick(stage, waiting); });
  progress.OnStageEnd(stage, {});
  std::vector<NodeStatus> statuses;
  for (auto& [node, answer] : answers) {
    statuses.push_back({node, std::move(answer), absl::InfinitePast()});
  }
  return statuses;
}

int StatusExitCode(const std::vector<NodeStatus>& statuses) {
  int code = kExitOk;
  for (const NodeStatus& status : statuses) {
    std::string word = StateWord(status);
    if (word == "denied") return kExitDenied;
    if (word == "unreachable") code |= kExitUnreachable;
    if (word == "error") code |= kExitFailed;
  }
  return code;
}

}  // namespace

int StatusCommand(const Arguments& arguments) {
  CatchInterrupts();
  absl::StatusOr<Operator> who = LoadOperator(arguments.pki_directory, arguments.operator_name);
  if (!who.ok()) return FailOnIdentity(who.status());
  int code = kExitOk;
  std::optional<std::map<std::string, NodeAddress>> nodes = NodesOf(arguments, code);
  if (!nodes) return code;
  absl::StatusOr<std::unique_ptr<Fleet>> fleet = MakeGrpcFleet(who->files, *nodes);
  if (!fleet.ok()) return Fail(fleet.status());
  // Looking must work without a history; it only knows when a silent node last spoke.
  std::unique_ptr<HistoryStore> history;
  if (access(arguments.history_file.c_str(), R_OK) == 0) {
    absl::StatusOr<std::unique_ptr<HistoryStore>> opened =
        HistoryStore::Open(arguments.history_file);
    if (opened.ok()) {
      history = *std::move(opened);
    } else {
      std::cerr << "trustline: " << opened.status().message() << "\n";
    }
  }
  const RunOptions options = RunOptionsOf(arguments);
  while (true) {
    RunObserver nobody;
    ProgressLine progress(nobody, std::cerr, isatty(STDERR_FILENO) == 1, absl::Now);
    std::vector<NodeStatus> statuses = AskAll(**fleet, *nodes, options, progress);
    if (Interrupts() > 0) return kExitInterrupted;
    for (NodeStatus& status : statuses) {
      if (status.answer.ok() || history == nullptr) continue;
      absl::StatusOr<LastSeen> seen = history->NodeLastSeen(status.node);
      if (seen.ok()) status.last_seen = seen->when;
    }
    if (arguments.output == "json") {
      std::cout << StatusJson(statuses, absl::Now());
    } else {
      if (arguments.watch && isatty(STDOUT_FILENO) == 1) std::cout << "\x1b[H\x1b[2J";
      std::cout << FormatStatus(statuses, absl::Now(), StyleFor(STDOUT_FILENO, arguments.colour),
                                !arguments.no_headers);
    }
    std::cout << std::flush;
    code = StatusExitCode(statuses);
    if (!arguments.watch) return code;
    for (int i = 0; i < 20 && Interrupts() == 0; ++i) absl::SleepFor(absl::Milliseconds(100));
    if (Interrupts() > 0) return kExitInterrupted;
  }
}

namespace {

// Looking makes no database.
absl::StatusOr<std::unique_ptr<HistoryStore>> ExistingHistory(const Arguments& arguments) {
  if (access(arguments.history_file.c_str(), F_OK) != 0) {
    return absl::NotFoundError(absl::StrCat("there is no history at ", arguments.history_file,
                                            " yet; the first apply makes it"));
  }
  return HistoryStore::Open(arguments.history_file);
}

}  // namespace

int HistoryListCommand(const Arguments& arguments) {
  absl::StatusOr<std::unique_ptr<HistoryStore>> history = ExistingHistory(arguments);
  if (!history.ok()) return Fail(history.status());
  absl::StatusOr<std::vector<RunSummary>> runs = (*history)->List(arguments.history_limit);
  if (!runs.ok()) return Fail(runs.status());
  if (arguments.output == "json") {
    std::cout << HistoryJson(*runs);
    return kExitOk;
  }
  std::vector<std::vector<std::string>> rows = {{"RUN", "COMMAND", "PLAYBOOK", "OPERATOR",
                                                 "STARTED", "TOOK", "NODES", "CHANGED", "EXIT",
                                                 "STOPPED"}};
  for (const RunSummary& run : *runs) {
    bool ended = run.finished != absl::InfinitePast();
    rows.push_back(
        {run.run_id, run.command, run.playbook.empty() ? "-" : run.playbook, run.operator_name,
         absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", run.started, absl::UTCTimeZone()),
         ended ? HumanDuration(run.finished - run.started) : "not ended", absl::StrCat(run.nodes),
         absl::StrCat(run.changed), ended ? absl::StrCat(run.exit_code) : "-", run.stopped});
  }
  std::cout << FormatTable(rows, !arguments.no_headers);
  return kExitOk;
}

int HistoryShowCommand(const Arguments& arguments) {
  absl::StatusOr<std::unique_ptr<HistoryStore>> history = ExistingHistory(arguments);
  if (!history.ok()) return Fail(history.status());
  absl::StatusOr<RunSummary> summary = (*history)->Summary(arguments.run_id);
  if (absl::IsNotFound(summary.status())) return Fail(UnknownRun(**history, arguments.run_id));
  if (!summary.ok()) return Fail(summary.status());
  absl::StatusOr<RunRecord> record = (*history)->Load(arguments.run_id);
  if (!record.ok()) return Fail(record.status());
  if (arguments.output == "json") {
    std::cout << RunJson(*record, summary->exit_code);
    return kExitOk;
  }
  std::cout << record->command << (record->playbook.empty() ? "" : " " + record->playbook) << " by "
            << record->operator_name << ", "
            << absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", record->started, absl::UTCTimeZone()) << "\n";
  if (record->finished == absl::InfinitePast()) {
    std::cout << "not ended: the controller stopped before it could write down what was done; the "
                 "agents know (trustline status)\n";
    return kExitOk;
  }
  TextOptions options = TextOptionsOf(arguments);
  options.gate_overridden = !record->gate_override.empty();
  RunPrinter printer(options, std::cout, std::cerr);
  // Rows are stored in the order things ended; stages follow one another.
  size_t at = 0;
  while (at < record->rows.size()) {
    StagePlan stage;
    stage.number = record->rows[at].stage;
    stage.play = record->rows[at].play;
    stage.wave = record->rows[at].wave;
    stage.hosts = record->nodes;
    std::vector<ResourceRow> rows;
    for (; at < record->rows.size() && record->rows[at].stage == stage.number &&
           record->rows[at].play == stage.play;
         ++at)
      rows.push_back(record->rows[at]);
    printer.OnStageStart(stage, {});
    printer.OnStageEnd(stage, rows);
  }
  PrintRecap(*record, options, std::cout);
  return kExitOk;
}

int InventoryCommand(const Arguments& arguments) {
  yaml::Diagnostics diagnostics;
  bool input_missing = false;
  std::optional<Inventory> inventory =
      LoadInventory({arguments.inventories, ""}, diagnostics, &input_missing);
  std::cerr << diagnostics.Render();
  if (!inventory) return input_missing ? kExitNoInput : kExitBadPlaybook;
  std::set<std::string> only;
  for (const InventoryHost& host : inventory->hosts()) only.insert(host.name);
  if (!arguments.limit.empty()) {
    yaml::Diagnostics of_limit;
    const std::optional<std::vector<std::string>> limited =
        LimitHosts(CompileOptionsOf(arguments, ""), arguments.limit, of_limit);
    std::cerr << of_limit.Render();
    if (!limited) return kExitNoInput;
    only = {limited->begin(), limited->end()};
  }
  if (arguments.graph) {
    std::cout << RenderInventoryGraph(*inventory, arguments.graph_vars, only);
  } else if (!arguments.host.empty()) {
    const InventoryHost* host = inventory->FindHost(arguments.host);
    if (host == nullptr) {
      std::cerr << "trustline: unknown host \"" << arguments.host << "\""
                << yaml::DidYouMeanSuffix(arguments.host, inventory->HostNames()) << "\n";
      return kExitNoInput;
    }
    if (!only.contains(host->name)) {
      std::cerr << "trustline: " << host->name << " is not among the hosts of --limit "
                << arguments.limit << "\n";
      return kExitNoInput;
    }
    std::cout << RenderInventoryHost(*host);
  } else {
    std::cout << RenderInventoryList(*inventory, only);
  }
  return kExitOk;
}

int ExplainCommand(const Arguments& arguments) {
  if (arguments.kind.empty()) {
    std::vector<std::vector<std::string>> rows;
    rows.push_back({"KIND", "DECLARES"});
    for (const KindDescriptor& kind : AllKinds()) rows.push_back({kind.name, kind.rule.summary()});
    std::cout << FormatTable(rows);
    return kExitOk;
  }
  const KindDescriptor* kind = FindKind(arguments.kind);
  if (kind == nullptr) {
    std::vector<std::string> names;
    for (const KindDescriptor& known : AllKinds()) names.push_back(known.name);
    std::cerr << "trustline: unknown kind \"" << arguments.kind << "\""
              << yaml::DidYouMeanSuffix(arguments.kind, names)
              << "; known: " << absl::StrJoin(names, ", ") << "\n";
    return kExitUsage;
  }
  std::cout << ExplainKind(*kind);
  return kExitOk;
}

}  // namespace trustline::controller
