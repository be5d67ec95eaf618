// What a run did, as plain values: filled by the runner, stored by the history, printed by the
// renderer.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "controller/compile.h"
#include "protos/trustline/v1/report.pb.h"

namespace trustline::controller {

// One resource on one node in one stage; or, with an empty id, the word on a node that could not be
// asked.
struct ResourceRow {
  std::string node;
  uint32_t stage = 0;
  std::string play, wave;
  v1::ResourceOutcome outcome;
};

// A phone of a wave, as a look found it.
struct FoundPhone {
  std::string device;
  bool arrived = false;
  bool counts = true;  // false: DHCP cannot move it
  std::string why;     // of one that has not arrived
  // False: nothing says where it is since it was to move; it did not arrive as far as is known.
  bool known = true;
  friend bool operator==(const FoundPhone&, const FoundPhone&) = default;
};
struct WavePhones {
  std::vector<FoundPhone> phones;
  int excluded = 0;                   // by the evidence file
  std::vector<std::string> problems;  // servers that could not be compared with
  bool Nobody() const { return phones.empty() && excluded == 0; }
  size_t Counted() const;
  size_t Arrived() const;  // of those that count
  size_t Unknown() const;  // of those that count
};

// How the arrival of a stage's phones ended.
struct ArrivalRecord {
  // Stored as numbers. kLooked: the run went on whatever was found.
  enum class End { kReached = 0, kMissed = 1, kInterrupted = 2, kLooked = 3 };
  uint32_t stage = 0;
  std::string play, wave;
  End end = End::kMissed;
  bool put_back = false;  // missed, and every pointer the run changed in the stage is as before
  int at_least = 0;       // percent
  absl::Duration within;
  absl::Time began, ended;
  WavePhones phones;    // of the last look that found anything out
  std::string problem;  // why the last look of all did not; empty: it did
};

struct RunRecord {
  std::string run_id;
  std::string command;   // "apply", "rollback"
  std::string playbook;  // empty for a rollback
  std::string operator_name;
  absl::Time started, finished;
  std::vector<std::string> nodes;    // every node asked, then those with skipped tasks only
  std::vector<ResourceRow> rows;     // in the order things ended
  std::vector<SkippedTask> skipped;  // `when` was false
  std::vector<ArrivalRecord> arrivals;
  std::map<std::string, std::string> document_digests;  // node -> hex
  std::string stopped;  // why later batches or stages were not started; empty: they were
  std::string of_run;   // rollback: the run that was put back
  // Why gates were overridden: then what they refused is told, but stopped nothing.
  std::string gate_override;
  bool interrupted = false;
  bool denied = false;  // some agent refused the operator's identity or role
  bool awaiting_confirm = false;
};

// A row about a stage whose pointers were put back within the run that changed them.
std::string PutBackPlay(const std::string& play);
bool IsPutBack(const ResourceRow& row);

// Per node, Ansible's counters and ours after them.
struct RecapCounters {
  int ok = 0, changed = 0, unreachable = 0, failed = 0, skipped = 0, rescued = 0, ignored = 0,
      refused = 0, pending = 0, blocked = 0, rolled_back = 0, cancelled = 0;
};
std::map<std::string, RecapCounters> CountRecap(const RunRecord& record);

// A pointer that some servers of its scope have now and others do not.
struct PointerSplit {
  uint32_t stage = 0;
  std::string resource;
  std::vector<std::string> done, not_done;  // changed (or put back), and not
  std::vector<std::string> from_before;     // those of `done` that an earlier run changed
};
std::vector<PointerSplit> FindPointerSplits(const RunRecord& record);

// The exit code that tells the worst of it (controller/exit_codes.h).
int ExitCodeOf(const RunRecord& record);

// "changed", "would_change", ...
std::string OutcomeName(v1::Outcome outcome);
// The reverse; OUTCOME_UNSPECIFIED for an unknown word.
v1::Outcome OutcomeFromName(const std::string& name);

}  // namespace trustline::controller
