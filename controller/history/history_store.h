// Runs and what came of them, kept by the controller in SQLite. The one file that knows SQLite.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controller/run_record.h"

namespace trustline::controller {

struct RunSummary {
  std::string run_id, command, playbook, operator_name;
  absl::Time started,
      finished;  // finished is InfinitePast while it runs, or when it never said goodbye
  int exit_code = -1;
  int nodes = 0, changed = 0, failed = 0, unreachable = 0, refused = 0, pending = 0;
  std::string stopped;
};

struct LastSeen {
  absl::Time when = absl::InfinitePast();
  std::string run_id;
};

// One database file; several controllers' processes may use it at once (WAL, busy timeout). Never
// holds a secret value. Thread-compatible.
class HistoryStore {
 public:
  // Opens or creates `path` (0600, parent directories 0700). Unavailable: the file
  // cannot be made or opened. FailedPrecondition: not ours, or from
  // a newer trustline.
  static absl::StatusOr<std::unique_ptr<HistoryStore>> Open(const std::string& path);
  ~HistoryStore();

  // Reserves the next run id of the day, "20261122-7-3fa9c1", and writes the run down as begun, so
  // that an interrupted controller leaves a trace.
  absl::StatusOr<std::string> Begin(const std::string& command, const std::string& playbook,
                                    const std::string& operator_name, absl::Time now);
  // The rest of the run, in one transaction.
  absl::Status Finish(const RunRecord& record, int exit_code);

  // Newest first.
  absl::StatusOr<std::vector<RunSummary>> List(int limit);
  // NotFound for an unknown run.
  absl::StatusOr<RunRecord> Load(const std::string& run_id);
  absl::StatusOr<RunSummary> Summary(const std::string& run_id);
  // When a node last answered, in any run.
  absl::StatusOr<LastSeen> NodeLastSeen(const std::string& node);

 private:
  class Impl;
  explicit HistoryStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace trustline::controller
