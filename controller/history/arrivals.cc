#include "controller/history/arrivals.h"

#include <utility>

#include "protos/trustline/v1/report.pb.h"
#include "trust/status_macros.h"

namespace trustline::controller {

namespace {

// Whether something may have been moved, whatever came of it.
bool MayHaveMoved(v1::Outcome outcome) {
  return outcome == v1::OUTCOME_CHANGED || outcome == v1::OUTCOME_ROLLED_BACK ||
         outcome == v1::OUTCOME_FAILED || outcome == v1::OUTCOME_UNREACHABLE ||
         outcome == v1::OUTCOME_CANCELLED;
}

// Whether a run that began after the one in row `since` may have moved the pointers of the wave.
absl::StatusOr<bool> MovedLater(sqlite3* db, int64_t since, const std::string& playbook,
                                const std::string& play, const std::string& wave,
                                const std::string& asking) {
  // A rollback belongs to no playbook. A run that was killed has no rows: nobody knows.
  Statement runs(db,
                 "SELECT r.command, r.finished_ms IS NULL, o.play, o.wave, o.body FROM runs r LEFT "
                 "JOIN outcomes o USING(run_id) WHERE r.rowid > ? AND r.run_id<>? AND "
                 "(r.playbook=? OR r.command='rollback')");
  runs.Bind(since).Bind(asking).Bind(playbook);
  bool moved = false;
  while (!moved && runs.Next()) {
    const bool rollback = runs.Text(0) == "rollback";
    moved = runs.Int(1) != 0;
    if (moved || runs.IsNull(4)) continue;
    v1::ResourceOutcome outcome;
    if (!outcome.ParseFromString(runs.Blob(4))) {
      return absl::DataLossError("history: an outcome is damaged");
    }
    if (!MayHaveMoved(outcome.outcome())) continue;
    // An empty id is the word on a whole node.
    moved = rollback ? outcome.kind() == "tftp_pointer" || outcome.id().empty()
                     : runs.Text(3) == wave &&
                           (runs.Text(2) == play || runs.Text(2) == PutBackPlay(play));
  }
  TL_RETURN_IF_ERROR(runs.status());
  return moved;
}

}  // namespace

absl::StatusOr<std::string> HistoryStore::LastArrival(const std::string& playbook,
                                                      const std::string& play,
                                                      const std::string& wave,
                                                      const std::string& asking) {
  std::string run_id;
  int64_t row = 0;
  {
    // Rows of runs are in the order they began.
    Statement statement(impl_->db(),
                        "SELECT a.run_id, a.ended_as, r.rowid FROM arrivals a JOIN runs r "
                        "USING(run_id) WHERE r.playbook=? AND a.play=? AND a.wave=? ORDER BY "
                        "r.rowid DESC LIMIT 1");
    if (statement.Bind(playbook).Bind(play).Bind(wave).Next() &&
        statement.Int(1) == static_cast<int64_t>(ArrivalRecord::End::kReached)) {
      run_id = statement.Text(0);
      row = statement.Int(2);
    }
    TL_RETURN_IF_ERROR(statement.status());
  }
  if (run_id.empty()) return run_id;
  TL_ASSIGN_OR_RETURN(const bool moved, MovedLater(impl_->db(), row, playbook, play, wave, asking));
  return moved ? "" : run_id;
}

absl::StatusOr<std::string> HistoryStore::LastChange(const std::string& playbook,
                                                     const std::string& play,
                                                     const std::string& wave,
                                                     const std::string& node,
                                                     const std::string& asking) {
  Statement statement(impl_->db(),
                      "SELECT r.run_id FROM runs r JOIN outcomes o USING(run_id) WHERE "
                      "r.playbook=? AND r.run_id<>? AND o.play=? AND o.wave=? AND o.node=? AND "
                      "o.outcome=? ORDER BY r.rowid DESC LIMIT 1");
  statement.Bind(playbook).Bind(asking).Bind(play).Bind(wave).Bind(node).Bind(
      static_cast<int64_t>(v1::OUTCOME_CHANGED));
  std::string run_id;
  if (statement.Next()) run_id = statement.Text(0);
  TL_RETURN_IF_ERROR(statement.status());
  return run_id;
}

absl::Status FinishArrivals(sqlite3* db, const RunRecord& record) {
  for (const ArrivalRecord& arrival : record.arrivals) {
    Statement insert(db, "INSERT INTO arrivals VALUES(?,?,?,?,?,?,?,?,?,?,?,?)");
    TL_RETURN_IF_ERROR(insert.Bind(record.run_id)
                           .Bind(static_cast<int64_t>(arrival.stage))
                           .Bind(arrival.play)
                           .Bind(arrival.wave)
                           .Bind(static_cast<int64_t>(arrival.end))
                           .Bind(static_cast<int64_t>(arrival.put_back))
                           .Bind(static_cast<int64_t>(arrival.at_least))
                           .Bind(absl::ToInt64Milliseconds(arrival.within))
                           .Bind(absl::ToUnixMillis(arrival.began))
                           .Bind(absl::ToUnixMillis(arrival.ended))
                           .Bind(static_cast<int64_t>(arrival.phones.excluded))
                           .Bind(arrival.problem)
                           .Run());
    int64_t position = 0;
    for (const FoundPhone& phone : arrival.phones.phones) {
      Statement row(db, "INSERT INTO arrival_phones VALUES(?,?,?,?,?,?,?,?)");
      TL_RETURN_IF_ERROR(row.Bind(record.run_id)
                             .Bind(static_cast<int64_t>(arrival.stage))
                             .Bind(position++)
                             .Bind(phone.device)
                             .Bind(static_cast<int64_t>(phone.arrived))
                             .Bind(static_cast<int64_t>(phone.counts))
                             .Bind(phone.why)
                             .Bind(static_cast<int64_t>(phone.known))
                             .Run());
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ArrivalRecord>> LoadArrivals(sqlite3* db, const std::string& run_id) {
  std::vector<ArrivalRecord> arrivals;
  {
    Statement statement(db,
                        "SELECT stage, play, wave, ended_as, put_back, at_least, within_ms, "
                        "began_ms, ended_ms, excluded, problem FROM arrivals WHERE run_id=? "
                        "ORDER BY stage");
    statement.Bind(run_id);
    while (statement.Next()) {
      ArrivalRecord arrival;
      arrival.stage = static_cast<uint32_t>(statement.Int(0));
      arrival.play = statement.Text(1);
      arrival.wave = statement.Text(2);
      const int64_t end = statement.Int(3);
      if (end < 0 || end > static_cast<int64_t>(ArrivalRecord::End::kLooked)) {
        return absl::DataLossError("history: an arrival of run " + run_id + " is damaged");
      }
      arrival.end = static_cast<ArrivalRecord::End>(end);
      arrival.put_back = statement.Int(4) != 0;
      arrival.at_least = static_cast<int>(statement.Int(5));
      arrival.within = absl::Milliseconds(statement.Int(6));
      arrival.began = absl::FromUnixMillis(statement.Int(7));
      arrival.ended = absl::FromUnixMillis(statement.Int(8));
      arrival.phones.excluded = static_cast<int>(statement.Int(9));
      arrival.problem = statement.Text(10);
      arrivals.push_back(std::move(arrival));
    }
    TL_RETURN_IF_ERROR(statement.status());
  }
  for (ArrivalRecord& arrival : arrivals) {
    Statement statement(
        db,
        "SELECT device, arrived, counts, why, known FROM arrival_phones WHERE run_id=? "
        "AND stage=? ORDER BY position");
    statement.Bind(run_id).Bind(static_cast<int64_t>(arrival.stage));
    while (statement.Next()) {
      arrival.phones.phones.push_back({statement.Text(0), statement.Int(1) != 0,
                                       statement.Int(2) != 0, statement.Text(3),
                                       statement.Int(4) != 0});
    }
    TL_RETURN_IF_ERROR(statement.status());
  }
  return arrivals;
}

}  // namespace trustline::controller
