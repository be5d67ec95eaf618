#include "controller/run_record.h"

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"
#include "controller/exit_codes.h"

namespace trustline::controller {

std::string OutcomeName(v1::Outcome outcome) {
  std::string name = v1::Outcome_Name(outcome);
  return absl::AsciiStrToLower(absl::StripPrefix(name, "OUTCOME_"));
}

v1::Outcome OutcomeFromName(const std::string& name) {
  v1::Outcome outcome = v1::OUTCOME_UNSPECIFIED;
  v1::Outcome_Parse("OUTCOME_" + absl::AsciiStrToUpper(name), &outcome);
  return outcome;
}

std::map<std::string, RecapCounters> CountRecap(const RunRecord& record) {
  std::map<std::string, RecapCounters> counters;
  for (const std::string& node : record.nodes) counters[node];
  for (const SkippedTask& task : record.skipped) {
    if (counters.contains(task.node)) ++counters[task.node].skipped;
  }
  for (const ResourceRow& row : record.rows) {
    RecapCounters& c = counters[row.node];
    switch (row.outcome.outcome()) {
      case v1::OUTCOME_UNCHANGED:
        ++c.ok;
        break;
      case v1::OUTCOME_CHANGED:
        ++c.ok, ++c.changed;
        break;
      case v1::OUTCOME_WOULD_CHANGE:
        ++c.ok;
        break;
      case v1::OUTCOME_PENDING:
        ++c.pending;
        break;
      case v1::OUTCOME_REFUSED:
        ++c.refused;
        break;
      case v1::OUTCOME_BLOCKED:
        ++c.blocked;
        break;
      case v1::OUTCOME_UNREACHABLE:
        ++c.unreachable;
        break;
      case v1::OUTCOME_ROLLED_BACK:
        ++c.rolled_back;
        break;
      case v1::OUTCOME_CANCELLED:
        ++c.cancelled;
        break;
      default:
        ++c.failed;
        break;  // FAILED, UNSUPPORTED, and anything this build does not know
    }
  }
  return counters;
}

int ExitCodeOf(const RunRecord& record) {
  if (record.interrupted) return kExitInterrupted;
  RecapCounters all;
  for (const auto& [node, c] : CountRecap(record)) {
    all.failed += c.failed;
    all.unreachable += c.unreachable;
    all.refused += c.refused;
    all.pending += c.pending;
    all.blocked += c.blocked;
    all.rolled_back += c.rolled_back;
    all.cancelled += c.cancelled;
  }
  if (record.denied) return kExitDenied;
  // Somebody's work was put back: its own code, unless a node was also silent.
  if (all.rolled_back > 0 && all.unreachable == 0 && record.command != "rollback")
    return kExitRolledBack;
  int code = 0;
  if (all.failed > 0 || all.cancelled > 0) code |= kExitFailed;
  if (all.unreachable > 0) code |= kExitUnreachable;
  if (code != 0) return code;
  if (all.refused > 0) return kExitRefused;
  if (all.pending > 0 || all.blocked > 0) return kExitFailed;
  if (record.awaiting_confirm) return kExitAwaitingConfirm;
  if (!record.stopped.empty()) return kExitFailed;
  return kExitOk;
}

}  // namespace trustline::controller
