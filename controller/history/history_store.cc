#include "controller/history/history_store.h"

#include <fcntl.h>
#include <sqlite3.h>
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
#include "trust/status_macros.h"

namespace trustline::controller {
namespace {

constexpr int kSchemaVersion = 1;
constexpr int kApplicationId = 0x746c6831;  // "tlh1"

constexpr char kSchema[] = R"sql(
CREATE TABLE runs(
  run_id TEXT PRIMARY KEY, command TEXT NOT NULL, playbook TEXT NOT NULL, operator TEXT NOT NULL,
  started_ms INTEGER NOT NULL, finished_ms INTEGER, exit_code INTEGER, stopped TEXT NOT NULL DEFAULT '',
  interrupted INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE nodes(
  run_id TEXT NOT NULL REFERENCES runs(run_id), position INTEGER NOT NULL, node TEXT NOT NULL, document_sha256 TEXT NOT NULL,
  PRIMARY KEY(run_id, node)) STRICT;
CREATE TABLE outcomes(
  run_id TEXT NOT NULL REFERENCES runs(run_id), position INTEGER NOT NULL, node TEXT NOT NULL, stage INTEGER NOT NULL,
  play TEXT NOT NULL, wave TEXT NOT NULL, outcome INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY(run_id, position)) STRICT;
CREATE TABLE skipped(
  run_id TEXT NOT NULL REFERENCES runs(run_id), node TEXT NOT NULL, stage INTEGER NOT NULL, task TEXT NOT NULL) STRICT;
CREATE INDEX runs_by_start ON runs(started_ms);
CREATE INDEX outcomes_by_node ON outcomes(node);
)sql";

// One prepared statement, finalised on every path.
class Statement {
 public:
  Statement(sqlite3* db, const char* sql) : db_(db) {
    code_ = sqlite3_prepare_v2(db, sql, -1, &statement_, nullptr);
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& Bind(const std::string& text) {
    if (code_ == SQLITE_OK)
      code_ = sqlite3_bind_text(statement_, ++bound_, text.data(), static_cast<int>(text.size()),
                                SQLITE_TRANSIENT);
    return *this;
  }
  Statement& BindBlob(const std::string& bytes) {
    if (code_ == SQLITE_OK)
      code_ = sqlite3_bind_blob(statement_, ++bound_, bytes.data(), static_cast<int>(bytes.size()),
                                SQLITE_TRANSIENT);
    return *this;
  }
  Statement& Bind(int64_t value) {
    if (code_ == SQLITE_OK) code_ = sqlite3_bind_int64(statement_, ++bound_, value);
    return *this;
  }
  // True: a row is there. False: no more, or an error (see status()).
  bool Next() {
    if (code_ != SQLITE_OK && code_ != SQLITE_ROW) return false;
    code_ = sqlite3_step(statement_);
    return code_ == SQLITE_ROW;
  }
  absl::Status Run() {
    while (Next()) {
    }
    return status();
  }
  absl::Status status() const {
    if (code_ == SQLITE_OK || code_ == SQLITE_ROW || code_ == SQLITE_DONE) return absl::OkStatus();
    return absl::InternalError(absl::StrCat("history: ", sqlite3_errmsg(db_)));
  }
  std::string Text(int column) const {
    const char* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return text == nullptr ? "" : std::string(text, sqlite3_column_bytes(statement_, column));
  }
  std::string Blob(int column) const {
    const void* bytes = sqlite3_column_blob(statement_, column);
    return bytes == nullptr ? ""
                            : std::string(static_cast<const char*>(bytes),
                                          sqlite3_column_bytes(statement_, column));
  }
  int64_t Int(int column) const { return sqlite3_column_int64(statement_, column); }
  bool IsNull(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

 private:
  sqlite3* db_;
  sqlite3_stmt* statement_ = nullptr;
  int code_ = SQLITE_OK;
  int bound_ = 0;
};

}  // namespace

class HistoryStore::Impl {
 public:
  explicit Impl(sqlite3* db) : db_(db) {}
  ~Impl() { sqlite3_close(db_); }

  sqlite3* db() { return db_; }

  absl::Status Execute(const char* sql) {
    char* message = nullptr;
    if (sqlite3_exec(db_, sql, nullptr, nullptr, &message) == SQLITE_OK) return absl::OkStatus();
    absl::Status status = absl::InternalError(
        absl::StrCat("history: ", message == nullptr ? "unknown error" : message));
    sqlite3_free(message);
    return status;
  }

  // Runs `body` in an immediate transaction; anything but OK leaves the database as it was.
  template <typename Body>
  absl::Status InTransaction(Body body) {
    TL_RETURN_IF_ERROR(Execute("BEGIN IMMEDIATE"));
    absl::Status status = body();
    if (status.ok()) status = Execute("COMMIT");
    if (!status.ok()) {
      // A rollback after a failed COMMIT may itself report "no transaction"; the first error is the
      // one to tell.
      absl::Status ignored = Execute("ROLLBACK");
      ignored.IgnoreError();
    }
    return status;
  }

  absl::Status Prepare(const std::string& path) {
    sqlite3_busy_timeout(db_, 10000);
    TL_RETURN_IF_ERROR(
        Execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"));
    return InTransaction([&]() -> absl::Status {
      int64_t application = 0, version = 0, tables = 0;
      {
        Statement statement(db_, "PRAGMA application_id");
        if (statement.Next()) application = statement.Int(0);
        TL_RETURN_IF_ERROR(statement.status());
      }
      {
        Statement statement(db_, "PRAGMA user_version");
        if (statement.Next()) version = statement.Int(0);
        TL_RETURN_IF_ERROR(statement.status());
      }
      {
        Statement statement(db_, "SELECT count(*) FROM sqlite_master");
        if (statement.Next()) tables = statement.Int(0);
        TL_RETURN_IF_ERROR(statement.status());
      }
      if (application == 0 && version == 0 && tables == 0) {
        TL_RETURN_IF_ERROR(Execute(kSchema));
        TL_RETURN_IF_ERROR(Execute(absl::StrCat("PRAGMA application_id=", kApplicationId).c_str()));
        return Execute(absl::StrCat("PRAGMA user_version=", kSchemaVersion).c_str());
      }
      if (application != kApplicationId)
        return absl::FailedPreconditionError(absl::StrCat(path, " is not a trustline history"));
      if (version > kSchemaVersion) {
        return absl::FailedPreconditionError(
            absl::StrCat(path, " was written by a newer trustline (schema ", version,
                         ", this one knows ", kSchemaVersion, ")"));
      }
      return absl::OkStatus();
    });
  }

 private:
  sqlite3* db_;
};

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
        "UPDATE runs SET finished_ms=?, exit_code=?, stopped=?, interrupted=? WHERE run_id=?");
    TL_RETURN_IF_ERROR(update.Bind(absl::ToUnixMillis(record.finished))
                           .Bind(exit_code)
                           .Bind(record.stopped)
                           .Bind(record.interrupted ? 1 : 0)
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
    return absl::OkStatus();
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
    Statement statement(impl_->db(), "SELECT interrupted FROM runs WHERE run_id=?");
    if (statement.Bind(run_id).Next()) record.interrupted = statement.Int(0) != 0;
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
