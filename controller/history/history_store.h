// Runs and what came of them, kept by the controller in SQLite, and the
// ledger of phones that did not arrive. Only this folder knows SQLite.
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

// A phone that a verification did not find at the destination.
struct Straggler {
  enum class State { kMissing = 0, kArrived = 1, kExcused = 2 };
  std::string exchange, playbook;  // the migration it belongs to
  std::string device;              // "SEP001B54AABB01"
  State state = State::kMissing;
  std::string reason;                           // of the last verification that missed it
  absl::Time since;                             // first missed
  absl::Time checked;                           // last verified
  absl::Time settled = absl::InfiniteFuture();  // arrived or excused
  std::string excuse, excused_by;
};

// What a verification found of one device.
struct ArrivalFinding {
  std::string device;
  bool arrived = false;
  std::string reason;  // of one that did not: "still has the ITL of src-pub", "does not answer"
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

  // The run in which the phones of a wave arrived, when that is the last word on them; empty where
  // they never did or were missed since, and where a run that began later may have moved the wave's
  // pointers forth or back, or never said what it did. `asking` is the run that wants to know.
  absl::StatusOr<std::string> LastArrival(const std::string& playbook, const std::string& play,
                                          const std::string& wave, const std::string& asking);
  // The newest run before `asking` that changed anything on the node for that wave; empty: none is
  // known.
  absl::StatusOr<std::string> LastChange(const std::string& playbook, const std::string& play,
                                         const std::string& wave, const std::string& node,
                                         const std::string& asking);

  // Writes a verification of the fleet down. Who is missing enters the ledger, or stays in it with
  // the new reason; who arrived leaves it. An excuse holds until the device has arrived once. Of
  // anything less than the `whole_fleet` it is not remembered that the fleet was verified.
  // InvalidArgument: no exchange or playbook, an empty device name.
  absl::Status RecordArrivals(const std::string& exchange, const std::string& playbook,
                              const std::vector<ArrivalFinding>& arrivals, absl::Time now,
                              bool whole_fleet = true);
  // When the fleet was last verified for a playbook; InfinitePast: never.
  absl::StatusOr<absl::Time> LastVerification(const std::string& playbook);
  // Missing ones, and with `settled` the others too; by exchange, playbook, device. Empty filters
  // match all.
  absl::StatusOr<std::vector<Straggler>> Stragglers(const std::string& exchange,
                                                    const std::string& playbook,
                                                    bool settled = false);
  // Takes a missing device off the ledger without its having arrived; in every exchange it is
  // missing in when `exchange` is empty. How many that were; NotFound: none.
  absl::StatusOr<int> ExcuseStraggler(const std::string& exchange, const std::string& device,
                                      const std::string& reason, const std::string& operator_name,
                                      absl::Time now);

  class Impl;  // controller/history/database.h

 private:
  explicit HistoryStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace trustline::controller
