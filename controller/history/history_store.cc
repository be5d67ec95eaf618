#include "controller/history/history_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "controller/history/arrivals.h"
#include "controller/history/database.h"
#include "trust/status_macros.h"

namespace trustline::controller {
HistoryStore::HistoryStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HistoryStore::~HistoryStore() = default;

absl::StatusOr<std::unique_ptr<HistoryStore>> HistoryStore::Open(const std::string& path) {
  std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (!parent.empty() && !std::filesystem::exists(parent)) {
    std::error_code error;
    std::filesystem::create_directories(parent, error);
    if (error)
      return absl::UnavailableError(
          absl::StrCat("history directory ", parent.string(), ": ", error.message()));
    std::filesystem::permissions(parent, std::filesystem::perms::owner_all, error);
    if (error)
      return absl::UnavailableError(
          absl::StrCat("history directory ", parent.string(), ": ", error.message()));
  }
  // SQLite would create it with the umask's mode.
  int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return absl::UnavailableError(absl::StrCat("history ", path, ": ", strerror(errno)));
  close(fd);
  sqlite3* db = nullptr;
  int code = sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE, nullptr);
  auto impl = std::make_unique<Impl>(db);
  if (code != SQLITE_OK)
    return absl::InternalError(absl::StrCat("history ", path, ": ", sqlite3_errstr(code)));
  if (absl::Status status = impl->Prepare(path); !status.ok()) {
    if (absl::IsFailedPrecondition(status)) return status;
    return absl::FailedPreconditionError(absl::StrCat("history ", path, ": ", status.message()));
  }
  return std::unique_ptr<HistoryStore>(new HistoryStore(std::move(impl)));
}

absl::StatusOr<std::string> HistoryStore::Begin(const std::string& command,
                                                const std::string& playbook,
                                                const std::string& operator_name, absl::Time now) {
  std::string run_id;
  std::string day = absl::FormatTime("%Y%m%d", now, absl::UTCTimeZone());
  TL_RETURN_IF_ERROR(impl_->InTransaction([&]() -> absl::Status {
    int64_t next = 1;
    {
      Statement statement(impl_->db(),
                          "SELECT coalesce(max(cast(substr(run_id, 10) AS INTEGER)), 0) + 1 FROM "
                          "runs WHERE substr(run_id, 1, 9) = ?");
      if (statement.Bind(day + "-").Next()) next = statement.Int(0);
      TL_RETURN_IF_ERROR(statement.status());
    }
    // The number is for people; the tail keeps runs of different histories apart, because agents
    // know a run by its id alone.
    run_id = absl::StrFormat("%s-%d-%06x", day, next, std::random_device()() & 0xffffff);
    Statement insert(
        impl_->db(),
        "INSERT INTO runs(run_id, command, playbook, operator, started_ms) VALUES(?,?,?,?,?)");
    return insert.Bind(run_id)
        .Bind(command)
        .Bind(playbook)
        .Bind(operator_name)
        .Bind(absl::ToUnixMillis(now))
        .Run();
  }));
  return run_id;
}

absl::Status HistoryStore::Finish(const RunRecord& record, int exit_code) {
  return impl_->InTransaction([&]() -> absl::Status {
    Statement update(
        impl_->db(),
        "UPDATE runs SET finished_ms=?, exit_code=?, stopped=?, interrupted=?, gate_override=?, "
        "of_run=? WHERE run_id=?");
    TL_RETURN_IF_ERROR(update.Bind(absl::ToUnixMillis(record.finished))
                           .Bind(exit_code)
                           .Bind(record.stopped)
                           .Bind(record.interrupted ? 1 : 0)
                           .Bind(record.gate_override)
                           .Bind(record.of_run)
                           .Bind(record.run_id)
                           .Run());
    int64_t position = 0;
    for (const std::string& node : record.nodes) {
      auto digest = record.document_digests.find(node);
      Statement insert(impl_->db(), "INSERT INTO nodes VALUES(?,?,?,?)");
      TL_RETURN_IF_ERROR(
          insert.Bind(record.run_id)
              .Bind(position++)
              .Bind(node)
              .Bind(digest == record.document_digests.end() ? std::string() : digest->second)
              .Run());
    }
    position = 0;
    for (const ResourceRow& row : record.rows) {
      Statement insert(impl_->db(), "INSERT INTO outcomes VALUES(?,?,?,?,?,?,?,?)");
      insert.Bind(record.run_id)
          .Bind(position++)
          .Bind(row.node)
          .Bind(static_cast<int64_t>(row.stage))
          .Bind(row.play)
          .Bind(row.wave);
      TL_RETURN_IF_ERROR(insert.Bind(static_cast<int64_t>(row.outcome.outcome()))
                             .BindBlob(row.outcome.SerializeAsString())
                             .Run());
    }
    for (const SkippedTask& task : record.skipped) {
      Statement insert(impl_->db(), "INSERT INTO skipped VALUES(?,?,?,?)");
      TL_RETURN_IF_ERROR(insert.Bind(record.run_id)
                             .Bind(task.node)
                             .Bind(static_cast<int64_t>(task.stage))
                             .Bind(task.task)
                             .Run());
    }
    return FinishArrivals(impl_->db(), record);
  });
}

namespace {

// "SELECT ... FROM runs r " with the columns ReadSummary reads.
std::string SelectSummary() {
  auto count = [](std::initializer_list<v1::Outcome> outcomes) {
    return absl::StrCat(
        " (SELECT count(*) FROM outcomes o WHERE o.run_id=r.run_id AND o.outcome IN (",
        absl::StrJoin(outcomes, ","), "))");
  };
  return absl::StrCat(
      "SELECT r.run_id, r.command, r.playbook, r.operator, r.started_ms, r.finished_ms, "
      "r.exit_code, r.stopped,"
      " (SELECT count(*) FROM nodes n WHERE n.run_id=r.run_id),",
      count({v1::OUTCOME_CHANGED}), ",",
      count({v1::OUTCOME_FAILED, v1::OUTCOME_UNSUPPORTED, v1::OUTCOME_CANCELLED,
             v1::OUTCOME_ROLLED_BACK}),
      ",", count({v1::OUTCOME_UNREACHABLE}), ",", count({v1::OUTCOME_REFUSED}), ",",
      count({v1::OUTCOME_PENDING, v1::OUTCOME_BLOCKED}), " FROM runs r ");
}

RunSummary ReadSummary(const Statement& row) {
  RunSummary summary;
  summary.run_id = row.Text(0);
  summary.command = row.Text(1);
  summary.playbook = row.Text(2);
  summary.operator_name = row.Text(3);
  summary.started = absl::FromUnixMillis(row.Int(4));
  summary.finished = row.IsNull(5) ? absl::InfinitePast() : absl::FromUnixMillis(row.Int(5));
  summary.exit_code = row.IsNull(6) ? -1 : static_cast<int>(row.Int(6));
  summary.stopped = row.Text(7);
  summary.nodes = static_cast<int>(row.Int(8));
  summary.changed = static_cast<int>(row.Int(9));
  summary.failed = static_cast<int>(row.Int(10));
  summary.unreachable = static_cast<int>(row.Int(11));
  summary.refused = static_cast<int>(row.Int(12));
  summary.pending = static_cast<int>(row.Int(13));
  return summary;
}

}  // namespace

absl::StatusOr<std::vector<RunSummary>> HistoryStore::List(int limit) {
  std::vector<RunSummary> runs;
  Statement statement(
      impl_->db(),
      absl::StrCat(SelectSummary(), "ORDER BY r.started_ms DESC, r.rowid DESC LIMIT ?").c_str());
  statement.Bind(static_cast<int64_t>(limit));
  while (statement.Next()) runs.push_back(ReadSummary(statement));
  TL_RETURN_IF_ERROR(statement.status());
  return runs;
}

absl::StatusOr<RunSummary> HistoryStore::Summary(const std::string& run_id) {
  Statement statement(impl_->db(), absl::StrCat(SelectSummary(), "WHERE r.run_id=?").c_str());
  if (statement.Bind(run_id).Next()) return ReadSummary(statement);
  TL_RETURN_IF_ERROR(statement.status());
  return absl::NotFoundError(absl::StrCat("no run ", run_id, " in the history"));
}

absl::StatusOr<RunRecord> HistoryStore::Load(const std::string& run_id) {
  TL_ASSIGN_OR_RETURN(RunSummary summary, Summary(run_id));
  RunRecord record;
  record.run_id = summary.run_id;
  record.command = summary.command;
  record.playbook = summary.playbook;
  record.operator_name = summary.operator_name;
  record.started = summary.started;
  record.finished = summary.finished;
  record.stopped = summary.stopped;
  {
    Statement statement(impl_->db(),
                        "SELECT interrupted, gate_override, of_run FROM runs WHERE run_id=?");
    if (statement.Bind(run_id).Next()) {
      record.interrupted = statement.Int(0) != 0;
      record.gate_override = statement.Text(1);
      record.of_run = statement.Text(2);
    }
    TL_RETURN_IF_ERROR(statement.status());
  }
  {
    Statement statement(impl_->db(),
                        "SELECT node, document_sha256 FROM nodes WHERE run_id=? ORDER BY position");
    statement.Bind(run_id);
    while (statement.Next()) {
      record.nodes.push_back(statement.Text(0));
      if (!statement.Text(1).empty())
        record.document_digests[statement.Text(0)] = statement.Text(1);
    }
    TL_RETURN_IF_ERROR(statement.status());
  }
  {
    Statement statement(
        impl_->db(),
        "SELECT node, stage, play, wave, body FROM outcomes WHERE run_id=? ORDER BY position");
    statement.Bind(run_id);
    while (statement.Next()) {
      ResourceRow row;
      row.node = statement.Text(0);
      row.stage = static_cast<uint32_t>(statement.Int(1));
      row.play = statement.Text(2);
      row.wave = statement.Text(3);
      if (!row.outcome.ParseFromString(statement.Blob(4)))
        return absl::DataLossError(
            absl::StrCat("history: an outcome of run ", run_id, " is damaged"));
      record.rows.push_back(std::move(row));
    }
    TL_RETURN_IF_ERROR(statement.status());
  }
  Statement statement(impl_->db(), "SELECT node, stage, task FROM skipped WHERE run_id=?");
  statement.Bind(run_id);
  while (statement.Next())
    record.skipped.push_back(
        {statement.Text(0), static_cast<uint32_t>(statement.Int(1)), statement.Text(2)});
  TL_RETURN_IF_ERROR(statement.status());
  TL_ASSIGN_OR_RETURN(record.arrivals, LoadArrivals(impl_->db(), run_id));
  return record;
}

absl::StatusOr<LastSeen> HistoryStore::NodeLastSeen(const std::string& node) {
  LastSeen seen;
  Statement statement(impl_->db(),
                      "SELECT r.run_id, coalesce(r.finished_ms, r.started_ms) FROM outcomes o JOIN "
                      "runs r USING(run_id) WHERE o.node=? AND o.outcome<>? "
                      "ORDER BY r.started_ms DESC, r.rowid DESC LIMIT 1");
  if (statement.Bind(node).Bind(static_cast<int64_t>(v1::OUTCOME_UNREACHABLE)).Next()) {
    seen.run_id = statement.Text(0);
    seen.when = absl::FromUnixMillis(statement.Int(1));
  }
  TL_RETURN_IF_ERROR(statement.status());
  return seen;
}

}  // namespace trustline::controller
