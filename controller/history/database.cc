#include "controller/history/database.h"

#include <iterator>

namespace trustline::controller {
namespace {

constexpr int kApplicationId = 0x746c6831;  // "tlh1"

// What each version added to the one before; the first is that of the first release.
constexpr const char* kSteps[] = {
    R"sql(
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
)sql",
    // One row for a device that a verification missed, kept when it arrived or was excused.
    R"sql(
CREATE TABLE stragglers(
  exchange TEXT NOT NULL, playbook TEXT NOT NULL, device TEXT NOT NULL, state INTEGER NOT NULL, reason TEXT NOT NULL,
  since_ms INTEGER NOT NULL, checked_ms INTEGER NOT NULL, settled_ms INTEGER, excuse TEXT NOT NULL DEFAULT '', excused_by TEXT NOT NULL DEFAULT '',
  PRIMARY KEY(exchange, playbook, device)) STRICT;
CREATE TABLE verifications(
  exchange TEXT NOT NULL, playbook TEXT NOT NULL, checked_ms INTEGER NOT NULL, devices INTEGER NOT NULL, missing INTEGER NOT NULL) STRICT;
CREATE INDEX verifications_by_playbook ON verifications(playbook, checked_ms);
)sql",
    // How waves of phones came along, and every phone of them as it was last seen.
    R"sql(
CREATE TABLE arrivals(
  run_id TEXT NOT NULL REFERENCES runs(run_id), stage INTEGER NOT NULL, play TEXT NOT NULL, wave TEXT NOT NULL, ended_as INTEGER NOT NULL,
  put_back INTEGER NOT NULL, at_least INTEGER NOT NULL, within_ms INTEGER NOT NULL, began_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL,
  excluded INTEGER NOT NULL, problem TEXT NOT NULL, PRIMARY KEY(run_id, stage)) STRICT;
CREATE TABLE arrival_phones(
  run_id TEXT NOT NULL REFERENCES runs(run_id), stage INTEGER NOT NULL, position INTEGER NOT NULL, device TEXT NOT NULL,
  arrived INTEGER NOT NULL, counts INTEGER NOT NULL, why TEXT NOT NULL, PRIMARY KEY(run_id, stage, position)) STRICT;
)sql",
    // Why the gates of a run were overridden, and which run a rollback put back.
    R"sql(
ALTER TABLE runs ADD COLUMN gate_override TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN of_run TEXT NOT NULL DEFAULT '';
)sql",
    // Whether anything says where a phone is since it was to move; and runs that only looked.
    R"sql(
ALTER TABLE arrival_phones ADD COLUMN known INTEGER NOT NULL DEFAULT 1;
)sql"};
constexpr int kSchemaVersion = static_cast<int>(std::size(kSteps));

}  // namespace

absl::Status HistoryStore::Impl::Execute(const char* sql) {
  char* message = nullptr;
  if (sqlite3_exec(db_, sql, nullptr, nullptr, &message) == SQLITE_OK) return absl::OkStatus();
  absl::Status status = absl::InternalError(
      absl::StrCat("history: ", message == nullptr ? "unknown error" : message));
  sqlite3_free(message);
  return status;
}

absl::Status HistoryStore::Impl::Prepare(const std::string& path) {
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
    const bool fresh = application == 0 && version == 0 && tables == 0;
    if (!fresh && application != kApplicationId)
      return absl::FailedPreconditionError(absl::StrCat(path, " is not a trustline history"));
    if (version > kSchemaVersion) {
      return absl::FailedPreconditionError(
          absl::StrCat(path, " was written by a newer trustline (schema ", version,
                       ", this one knows ", kSchemaVersion, ")"));
    }
    if (version == kSchemaVersion) return absl::OkStatus();
    for (int64_t step = version; step < kSchemaVersion; ++step)
      TL_RETURN_IF_ERROR(Execute(kSteps[step]));
    if (fresh)
      TL_RETURN_IF_ERROR(Execute(absl::StrCat("PRAGMA application_id=", kApplicationId).c_str()));
    return Execute(absl::StrCat("PRAGMA user_version=", kSchemaVersion).c_str());
  });
}

}  // namespace trustline::controller
