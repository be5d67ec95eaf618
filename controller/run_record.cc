#include "controller/run_record.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "controller/exit_codes.h"

namespace trustline::controller {
namespace {

constexpr char kPutBack[] = "PUT BACK [";

}  // namespace

size_t WavePhones::Counted() const {
  return static_cast<size_t>(std::count_if(phones.begin(), phones.end(),
                                           [](const FoundPhone& phone) { return phone.counts; }));
}

size_t WavePhones::Arrived() const {
  return static_cast<size_t>(
      std::count_if(phones.begin(), phones.end(),
                    [](const FoundPhone& phone) { return phone.counts && phone.arrived; }));
}

size_t WavePhones::Unknown() const {
  return static_cast<size_t>(
      std::count_if(phones.begin(), phones.end(),
                    [](const FoundPhone& phone) { return phone.counts && !phone.known; }));
}

std::string PutBackPlay(const std::string& play) { return absl::StrCat(kPutBack, play, "]"); }

bool IsPutBack(const ResourceRow& row) { return absl::StartsWith(row.play, kPutBack); }

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

std::vector<PointerSplit> FindPointerSplits(const RunRecord& record) {
  const bool rollback = record.command == "rollback";
  // A rollback takes several stages back at once: there a resource counts, wherever it stood.
  const auto stage_of = [&](const ResourceRow& row) { return rollback ? 0 : row.stage; };
  std::map<std::pair<uint32_t, std::string>, PointerSplit> splits;
  std::map<uint32_t, std::vector<std::string>> silent;  // no word on single resources
  std::set<std::string> pointer_nodes;
  for (const ResourceRow& row : record.rows) {
    if (IsPutBack(row)) {
      // What is not put back is still there.
      if (row.outcome.outcome() != v1::OUTCOME_ROLLED_BACK) continue;
      const auto split = splits.find({stage_of(row), row.outcome.id()});
      if (split == splits.end() || std::erase(split->second.done, row.node) == 0) continue;
      split->second.not_done.push_back(row.node);
    } else if (row.outcome.id().empty()) {
      silent[stage_of(row)].push_back(row.node);
    } else if (row.outcome.kind() == "tftp_pointer") {
      pointer_nodes.insert(row.node);
      PointerSplit& split = splits[{stage_of(row), row.outcome.id()}];
      const bool done = row.outcome.outcome() == v1::OUTCOME_CHANGED ||
                        (!rollback && row.outcome.outcome() == v1::OUTCOME_UNCHANGED);
      (done ? split.done : split.not_done).push_back(row.node);
      if (done && row.outcome.outcome() == v1::OUTCOME_UNCHANGED) {
        split.from_before.push_back(row.node);
      }
    }
  }
  std::vector<PointerSplit> found;
  for (auto& [key, split] : splits) {
    split.stage = key.first;
    split.resource = key.second;
    std::set<std::string> heard(split.done.begin(), split.done.end());
    heard.insert(split.not_done.begin(), split.not_done.end());
    for (const std::string& node : silent[key.first]) split.not_done.push_back(node);
    // A server that put back other pointers of the run, but had this one from an earlier run.
    for (const std::string& node : pointer_nodes) {
      if (rollback && heard.insert(node).second) split.not_done.push_back(node);
    }
    if (!split.done.empty() && !split.not_done.empty()) found.push_back(split);
  }
  return found;
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
  if (!record.gate_override.empty()) {
    for (const ResourceRow& row : record.rows) {
      if (row.outcome.kind() == "trust_gate" && row.outcome.outcome() == v1::OUTCOME_REFUSED) {
        --all.refused;
      }
    }
  }
  // A wave that is to be back and is not, somewhere, is not a wave that was put back.
  const bool stuck =
      std::any_of(record.rows.begin(), record.rows.end(), [](const ResourceRow& row) {
        return IsPutBack(row) && row.outcome.outcome() != v1::OUTCOME_ROLLED_BACK &&
               row.outcome.outcome() != v1::OUTCOME_UNCHANGED;
      });
  // Somebody's work was put back: its own code, unless a node was also silent.
  if (all.rolled_back > 0 && all.unreachable == 0 && !stuck && record.command != "rollback")
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
