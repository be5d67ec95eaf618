#include "controller/render/run_text.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "controller/arrival_watch.h"
#include "controller/render/gate_text.h"

namespace trustline::controller {
namespace {

char SignOf(v1::Change::Action action) {
  switch (action) {
    case v1::Change::ACTION_ADD:
      return '+';
    case v1::Change::ACTION_REMOVE:
      return '-';
    default:
      return '~';
  }
}

void PrintChanges(const google::protobuf::RepeatedPtrField<v1::Change>& changes,
                  const TextOptions& options, std::ostream& out) {
  for (const v1::Change& change : changes) {
    char sign = SignOf(change.action());
    Paint paint = sign == '+' ? Paint::kGood : sign == '-' ? Paint::kBad : Paint::kChanged;
    out << "    "
        << options.style.Apply(paint, absl::StrCat(std::string(1, sign), " ", change.text()))
        << "\n";
  }
}

template <typename Lines>
void PrintLines(const char* lead, Paint paint, const Lines& lines, const TextOptions& options,
                std::ostream& out) {
  for (const std::string& line : lines) {
    // Reasons may carry a server's own words over several lines.
    out << "    "
        << options.style.Apply(paint,
                               absl::StrCat(lead, absl::StrReplaceAll(line, {{"\n", "\n      "}})))
        << "\n";
  }
}

char SignOf(v1::Outcome outcome) {
  switch (outcome) {
    case v1::OUTCOME_UNCHANGED:
      return '=';
    case v1::OUTCOME_WOULD_CHANGE:
      return '~';
    case v1::OUTCOME_PENDING:
    case v1::OUTCOME_BLOCKED:
      return '?';
    default:
      return '!';
  }
}

std::string StageBanner(const StagePlan& stage) {
  return stage.wave.empty() ? absl::StrCat("PLAY [", stage.play, "]")
                            : absl::StrCat("PLAY [", stage.play, "], wave ", stage.wave);
}

// "changed: [src-pub]" as Ansible prints it; our own outcomes follow the same form.
std::string Word(v1::Outcome outcome) {
  switch (outcome) {
    case v1::OUTCOME_UNCHANGED:
      return "ok";
    case v1::OUTCOME_FAILED:
      return "fatal";
    default:
      return OutcomeName(outcome);
  }
}

}  // namespace

PlanCounts CountPlan(const PlanResult& plan) {
  PlanCounts counts;
  std::set<std::string> nodes, changing;
  for (const StagePlanResult& stage : plan.stages) {
    if (stage.known_after != 0) ++counts.stages_unknown;
    for (const auto& [node, answer] : stage.by_node) {
      nodes.insert(node);
      if (!answer.ok()) {
        v1::Outcome outcome = OutcomeOfStatus(answer.status());
        if (absl::IsPermissionDenied(answer.status())) ++counts.denied;
        if (outcome == v1::OUTCOME_UNREACHABLE) {
          ++counts.unreachable;
        } else if (outcome == v1::OUTCOME_REFUSED) {
          ++counts.refused;
        } else {
          ++counts.failed;
        }
        continue;
      }
      for (const v1::ResourcePlan& resource : answer->resources()) {
        switch (resource.outcome()) {
          case v1::OUTCOME_UNCHANGED:
            break;
          case v1::OUTCOME_WOULD_CHANGE:
            changing.insert(node);
            ++counts.resources_changing;
            counts.changes += resource.changes_size();
            break;
          case v1::OUTCOME_PENDING:
          case v1::OUTCOME_BLOCKED:
            ++counts.pending;
            break;
          case v1::OUTCOME_REFUSED:
            ++counts.refused;
            break;
          default:
            ++counts.failed;
            break;
        }
      }
    }
  }
  counts.nodes = static_cast<int>(nodes.size());
  counts.nodes_with_changes = static_cast<int>(changing.size());
  return counts;
}

void PrintPlan(const PlanResult& plan, const CompiledPlaybook& playbook, const TextOptions& options,
               std::ostream& out) {
  for (const StagePlanResult& stage : plan.stages) {
    if (stage.known_after != 0) {
      out << StageBanner(*stage.stage) << ": known after stage " << stage.known_after << "\n";
      continue;
    }
    out << Banner(StageBanner(*stage.stage), options.style) << "\n";
    size_t width = 0;
    for (const auto& [node, answer] : stage.by_node) width = std::max(width, node.size());
    auto lead = [&](char sign, const std::string& node) {
      return absl::StrFormat("%c %-*s  ", sign, static_cast<int>(width), node);
    };
    for (const std::string& node : stage.stage->hosts) {
      auto found = stage.by_node.find(node);
      if (found == stage.by_node.end()) continue;
      const absl::StatusOr<v1::Plan>& answer = found->second;
      if (!answer.ok()) {
        std::string word = OutcomeName(OutcomeOfStatus(answer.status()));
        out << options.style.Apply(Paint::kBad, absl::StrCat(lead('!', node), word)) << "\n";
        PrintLines("", Paint::kPlain,
                   std::vector<std::string>{std::string(answer.status().message())}, options, out);
        continue;
      }
      for (const v1::ResourcePlan& resource : answer->resources()) {
        bool quiet = resource.outcome() == v1::OUTCOME_UNCHANGED && resource.warnings().empty();
        if (quiet && options.verbosity == 0) continue;
        std::string line = absl::StrCat(lead(SignOf(resource.outcome()), node), resource.id());
        if (resource.outcome() != v1::OUTCOME_WOULD_CHANGE &&
            resource.outcome() != v1::OUTCOME_UNCHANGED) {
          absl::StrAppend(&line, "   ", OutcomeName(resource.outcome()));
        }
        if (!resource.summary().empty()) {
          absl::StrAppend(&line, "   ", resource.summary());
        } else if (resource.outcome() == v1::OUTCOME_WOULD_CHANGE) {
          absl::StrAppend(&line, "   ", Count(resource.changes_size(), "change", "changes"));
        }
        out << options.style.Apply(PaintOf(resource.outcome()), line) << "\n";
        if (resource.has_gate()) {
          out << GateTable(resource.gate(), options.style);
          if (resource.outcome() == v1::OUTCOME_REFUSED) {
            out << GateRefusal(resource.gate(), options.style, options.gate_overridden);
          }
          continue;
        }
        PrintLines("", Paint::kPlain, resource.reasons(), options, out);
        PrintLines("warning: ", Paint::kWarning, resource.warnings(), options, out);
        if (options.diff) PrintChanges(resource.changes(), options, out);
      }
    }
  }
  if (options.verbosity > 0) {
    for (const SkippedTask& task : playbook.skipped)
      out << "- " << task.node << "  " << task.task << "   skipped: its `when` is false\n";
  }
  PlanCounts counts = CountPlan(plan);
  std::vector<std::string> parts = {Count(counts.nodes, "node", "nodes"),
                                    absl::StrCat(counts.nodes_with_changes, " with changes"),
                                    Count(counts.changes, "change", "changes")};
  if (counts.pending > 0) parts.push_back(absl::StrCat(counts.pending, " pending"));
  if (counts.refused > 0) parts.push_back(absl::StrCat(counts.refused, " refused"));
  if (counts.failed > 0) parts.push_back(absl::StrCat(counts.failed, " failed"));
  if (counts.unreachable > 0) parts.push_back(absl::StrCat(counts.unreachable, " unreachable"));
  if (counts.stages_unknown > 0)
    parts.push_back(
        absl::StrCat(Count(counts.stages_unknown, "stage", "stages"), " not known yet"));
  out << "PLAN  " << absl::StrJoin(parts, ", ") << "; nothing was written\n";
}

void RunPrinter::OnStageStart(const StagePlan& stage, const std::vector<std::string>&) {
  out_ << Banner(StageBanner(stage), options_.style) << "\n" << std::flush;
}

void RunPrinter::OnStageEnd(const StagePlan& stage, const std::vector<ResourceRow>& rows) {
  std::map<std::string, size_t> host_order;
  for (size_t i = 0; i < stage.hosts.size(); ++i) host_order[stage.hosts[i]] = i;
  // Group by task, tasks in the order the first node reports them; whole-node rows come first.
  std::vector<std::string> tasks;
  std::map<std::string, std::vector<const ResourceRow*>> by_task;
  std::vector<const ResourceRow*> ordered;
  for (const ResourceRow& row : rows) ordered.push_back(&row);
  std::stable_sort(ordered.begin(), ordered.end(), [&](const ResourceRow* a, const ResourceRow* b) {
    return host_order[a->node] < host_order[b->node];
  });
  for (const ResourceRow* row : ordered) {
    std::string task = row->outcome.task().empty() ? row->outcome.id() : row->outcome.task();
    if (!by_task.contains(task)) tasks.push_back(task);
    by_task[task].push_back(row);
  }
  for (const std::string& task : tasks) {
    if (!task.empty())
      out_ << "\n" << Banner(absl::StrCat("TASK [", task, "]"), options_.style) << "\n";
    for (const ResourceRow* row : by_task[task]) {
      std::string line = absl::StrCat(Word(row->outcome.outcome()), ": [", row->node, "]");
      if (row->outcome.id() != task && !row->outcome.id().empty())
        absl::StrAppend(&line, " => ", row->outcome.id());
      // What was missing before is news only where something still is.
      if (row->outcome.outcome() == v1::OUTCOME_CHANGED) {
        absl::StrAppend(&line, "   ", Count(row->outcome.changes_size(), "change", "changes"));
      } else if (row->outcome.outcome() != v1::OUTCOME_UNCHANGED &&
                 !row->outcome.summary().empty()) {
        absl::StrAppend(&line, "   ", row->outcome.summary());
      }
      out_ << options_.style.Apply(PaintOf(row->outcome.outcome()), line) << "\n";
      if (row->outcome.has_gate() && row->outcome.outcome() == v1::OUTCOME_REFUSED) {
        out_ << GateTable(row->outcome.gate(), options_.style)
             << GateRefusal(row->outcome.gate(), options_.style, options_.gate_overridden);
        continue;
      }
      PrintLines("", Paint::kPlain, row->outcome.reasons(), options_, out_);
      PrintLines("warning: ", Paint::kWarning, row->outcome.warnings(), options_, out_);
      if (options_.diff || options_.verbosity > 0)
        PrintChanges(row->outcome.changes(), options_, out_);
    }
  }
  out_ << "\n" << std::flush;
}

void RunPrinter::OnNotice(const std::string& text) {
  err_ << "note: " << text << "\n" << std::flush;
}

void ProgressLine::Clear() {
  if (shown_) err_ << "\r\x1b[K" << std::flush;
  shown_ = false;
}

void ProgressLine::OnStageStart(const StagePlan& stage, const std::vector<std::string>& nodes) {
  Clear();
  last_progress_.clear();
  inner_.OnStageStart(stage, nodes);
}

void ProgressLine::OnProgress(const std::string& node, const std::string& text) {
  last_progress_ = absl::StrCat(node, ": ", text);
  inner_.OnProgress(node, text);
}

void ProgressLine::OnTick(const StagePlan& stage, const std::vector<std::string>& waiting) {
  inner_.OnTick(stage, waiting);
  absl::Time now = now_();
  if (!terminal_ || now - began_ < absl::Seconds(1) || now - drawn_ < absl::Milliseconds(100) ||
      waiting.empty())
    return;
  drawn_ = now;
  std::string line = absl::StrCat(
      HumanDuration(now - began_), "  waiting for ",
      waiting.size() == 1 ? waiting[0]
                          : absl::StrCat(waiting.size(), " nodes (", waiting[0], ", ...)"));
  if (!last_progress_.empty()) absl::StrAppend(&line, "  ", last_progress_);
  if (line.size() > 78) line.resize(78);
  err_ << "\r\x1b[K" << line << std::flush;
  shown_ = true;
}

void ProgressLine::OnStageEnd(const StagePlan& stage, const std::vector<ResourceRow>& rows) {
  Clear();
  inner_.OnStageEnd(stage, rows);
}

void ProgressLine::OnNotice(const std::string& text) {
  Clear();
  inner_.OnNotice(text);
}

namespace {

// How it ended, after the counts.
std::string ArrivalEnd(const ArrivalRecord& arrival) {
  switch (arrival.end) {
    case ArrivalRecord::End::kInterrupted:
      return ", interrupted";
    case ArrivalRecord::End::kMissed:
      return arrival.put_back ? ", too few; put back" : ", too few";
    case ArrivalRecord::End::kReached:
    case ArrivalRecord::End::kLooked:
      return "";
  }
  return "";
}

// Who is where after a wave; of one that went on, only who is not there.
std::string ArrivalText(const ArrivalRecord& arrival, const std::string& run_id) {
  // A look comes as soon as a pause is confirmed, with --yes before any phone was reset; phones
  // that nothing is known of often share the reason.
  constexpr int kMissingNamed = 20, kUnknownNamed = 3;
  const bool looked = arrival.end == ArrivalRecord::End::kLooked;
  const bool went_on = looked || arrival.end == ArrivalRecord::End::kReached;
  std::string text =
      absl::StrCat("arrival of ",
                   arrival.wave.empty() ? arrival.play : absl::StrCat("wave ", arrival.wave), ": ");
  if (looked && !arrival.problem.empty()) {
    return absl::StrCat(text, "not known: ", arrival.problem, "\n");
  }
  if (arrival.end == ArrivalRecord::End::kInterrupted && arrival.phones.Nobody()) {
    return absl::StrCat(text, "not known, interrupted\n");
  }
  absl::StrAppend(&text, ArrivalCounts(arrival.phones), ArrivalEnd(arrival), "\n");
  int missing = 0, unknown = 0, more = 0;
  for (const FoundPhone& phone : arrival.phones.phones) {
    if (phone.arrived) {
      if (!went_on) absl::StrAppend(&text, "  moved already: ", phone.device, "\n");
    } else if (looked && (phone.known ? ++missing > kMissingNamed : ++unknown > kUnknownNamed)) {
      ++more;
    } else {
      absl::StrAppend(&text,
                      !phone.counts  ? "  not moved by DHCP: "
                      : !phone.known ? "  not known: "
                                     : "  not arrived: ",
                      phone.device, phone.why.empty() ? "" : "  ", phone.why, "\n");
    }
  }
  if (more > 0) {
    absl::StrAppend(&text, "  and ", more, " more, see `trustline history show ", run_id,
                    " -o json`\n");
  }
  return text;
}

}  // namespace

void PrintRecap(const RunRecord& record, const TextOptions& options, std::ostream& out) {
  out << Banner("PLAY RECAP", options.style) << "\n";
  size_t width = 0;
  for (const std::string& node : record.nodes) width = std::max(width, node.size());
  std::map<std::string, RecapCounters> recap = CountRecap(record);
  for (const std::string& node : record.nodes) {
    const RecapCounters& c = recap[node];
    // Scripts parse this line: the first seven counters and their order are Ansible's.
    std::string line = absl::StrFormat(
        "%-*s : "
        "ok=%-3dchanged=%-3dunreachable=%-3dfailed=%-3dskipped=%-3drescued=%-3dignored=%-3drefused="
        "%-3dpending=%d",
        static_cast<int>(width), node, c.ok, c.changed, c.unreachable, c.failed, c.skipped,
        c.rescued, c.ignored, c.refused, c.pending);
    if (c.blocked > 0) absl::StrAppend(&line, "  blocked=", c.blocked);
    if (c.rolled_back > 0) absl::StrAppend(&line, "  rolledback=", c.rolled_back);
    if (c.cancelled > 0) absl::StrAppend(&line, "  cancelled=", c.cancelled);
    bool bad = c.failed + c.unreachable + c.refused + c.rolled_back + c.cancelled > 0;
    bool waits = c.pending + c.blocked > 0;
    out << options.style.Apply(bad             ? Paint::kBad
                               : waits         ? Paint::kWarning
                               : c.changed > 0 ? Paint::kChanged
                                               : Paint::kGood,
                               line)
        << "\n";
  }
  for (const ArrivalRecord& arrival : record.arrivals) out << ArrivalText(arrival, record.run_id);
  if (!record.stopped.empty())
    out << options.style.Apply(Paint::kBad, absl::StrCat("stopped: ", record.stopped)) << "\n";
  if (record.interrupted)
    out << "interrupted: what is listed above was done; the same command resumes the rest\n";
  out << "run " << record.run_id << "  " << HumanDuration(record.finished - record.started)
      << "  history: trustline history show " << record.run_id << "\n";
}

std::string SplitBatchAdvice(const RunRecord& record, const std::string& playbook_argument,
                             const std::string& inventory_arguments) {
  const std::string inventory =
      inventory_arguments.empty() ? "" : absl::StrCat(" ", inventory_arguments);
  const bool rollback = record.command == "rollback";
  std::string advice;
  std::set<std::string> servers, from_before, of_this_run;
  for (const PointerSplit& split : FindPointerSplits(record)) {
    absl::StrAppend(&advice, "partial: ", split.resource,
                    rollback ? " is put back on " : " holds on ", absl::StrJoin(split.done, ", "),
                    " but not on ", absl::StrJoin(split.not_done, ", "),
                    "; phones get whichever server answers first\n");
    servers.insert(split.done.begin(), split.done.end());
    servers.insert(split.not_done.begin(), split.not_done.end());
    from_before.insert(split.from_before.begin(), split.from_before.end());
    of_this_run.insert(split.done.begin(), split.done.end());
  }
  if (advice.empty()) return advice;
  // Always all servers of the scope: a command for one of them would make the next split.
  const std::string all = absl::StrCat(inventory, " -l ", absl::StrJoin(servers, ":"));
  if (rollback) {
    return absl::StrCat(advice, "  finish: trustline rollback", all, "\n");
  }
  absl::StrAppend(&advice, "  finish: trustline apply ", playbook_argument, inventory, "\n");
  for (const std::string& node : from_before) of_this_run.erase(node);
  if (!of_this_run.empty()) {
    absl::StrAppend(&advice, "  revert: trustline rollback", all, " --run ", record.run_id, "\n");
  }
  // What an earlier run changed is not taken back by taking this one back.
  if (!from_before.empty()) {
    absl::StrAppend(&advice, "  revert: trustline rollback", inventory, " -l ",
                    absl::StrJoin(from_before, ":"), "\n");
  }
  return advice;
}

}  // namespace trustline::controller
