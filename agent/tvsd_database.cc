#include "agent/tvsd_database.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

constexpr char kTable[] =
    "CREATE TABLE IF NOT EXISTS certificates (certificate_hash TEXT PRIMARY KEY, serial_number "
    "TEXT NOT NULL, subject_name TEXT NOT NULL, issuer_name TEXT NOT NULL, certificate TEXT NOT "
    "NULL, roles TEXT NOT NULL, ttl INTEGER) WITHOUT ROWID";
// The header's write and read versions; 2 means a write-ahead log.
constexpr size_t kVersionAt = 18, kHeaderBytes = 100;

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
struct FreeBytes {
  void operator()(unsigned char* bytes) const { sqlite3_free(bytes); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

absl::Status Failed(sqlite3* database) {
  return absl::InvalidArgumentError(
      absl::StrCat("not a database of tvsd: ", sqlite3_errmsg(database)));
}

absl::Status Run(sqlite3* database, const char* sql) {
  if (sqlite3_exec(database, sql, nullptr, nullptr, nullptr) == SQLITE_OK) return absl::OkStatus();
  return Failed(database);
}

absl::StatusOr<Statement> Prepared(sqlite3* database, const char* sql) {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v2(database, sql, -1, &raw, nullptr);
  Statement statement(raw);
  if (code != SQLITE_OK) return Failed(database);
  return statement;
}

// The file as a database in memory.
absl::StatusOr<Database> Opened(absl::string_view file) {
  if (file.size() >= kHeaderBytes && (file[kVersionAt] == 2 || file[kVersionAt + 1] == 2)) {
    return absl::FailedPreconditionError(
        "the database keeps a write-ahead log; run `PRAGMA journal_mode=DELETE` on it once");
  }
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(":memory:", &raw, SQLITE_OPEN_READWRITE, nullptr);
  Database database(raw);
  if (code != SQLITE_OK) return absl::ResourceExhaustedError("SQLite has no memory");
  // What the file itself would have done along with a change is not done.
  sqlite3_db_config(raw, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  if (file.empty()) return database;
  auto* bytes = static_cast<unsigned char*>(sqlite3_malloc64(file.size()));
  if (bytes == nullptr) return absl::ResourceExhaustedError("SQLite has no memory");
  std::memcpy(bytes, file.data(), file.size());
  if (sqlite3_deserialize(raw, "main", bytes, static_cast<sqlite3_int64>(file.size()),
                          static_cast<sqlite3_int64>(file.size()),
                          SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE) !=
      SQLITE_OK) {
    return Failed(raw);
  }
  return database;
}

std::string Column(sqlite3_stmt* statement, int column) {
  const void* const bytes = sqlite3_column_blob(statement, column);
  const int size = sqlite3_column_bytes(statement, column);
  return size <= 0 ? std::string()
                   : std::string(static_cast<const char*>(bytes), static_cast<size_t>(size));
}

void Bind(sqlite3_stmt* statement, int at, const std::string& text) {
  sqlite3_bind_text64(statement, at, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

absl::Status Finish(sqlite3* database, sqlite3_stmt* statement) {
  return sqlite3_step(statement) == SQLITE_DONE ? absl::OkStatus() : Failed(database);
}

absl::Status Put(sqlite3* database, const Certificate& certificate, const TvsdEntry& entry) {
  TL_ASSIGN_OR_RETURN(
      const Statement statement,
      Prepared(database,
               "INSERT INTO certificates (certificate_hash, serial_number, subject_name, "
               "issuer_name, certificate, roles, ttl) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT "
               "(certificate_hash) DO UPDATE SET roles = excluded.roles, ttl = excluded.ttl"));
  Bind(statement.get(), 1, certificate.sha256_hex());
  Bind(statement.get(), 2, absl::AsciiStrToLower(certificate.serial_hex()));
  Bind(statement.get(), 3, certificate.subject());
  Bind(statement.get(), 4, certificate.issuer());
  // tvsctl stores bytes, and its export expects them.
  const std::string pem = certificate.ToPem();
  sqlite3_bind_blob64(statement.get(), 5, pem.data(), pem.size(), SQLITE_TRANSIENT);
  Bind(statement.get(), 6, entry.roles);
  sqlite3_bind_int64(statement.get(), 7, entry.ttl_seconds);
  return Finish(database, statement.get());
}

absl::Status Delete(sqlite3* database, const Certificate& certificate) {
  TL_ASSIGN_OR_RETURN(const Statement statement,
                      Prepared(database, "DELETE FROM certificates WHERE certificate_hash = ?"));
  Bind(statement.get(), 1, certificate.sha256_hex());
  return Finish(database, statement.get());
}

}  // namespace

std::string TvsdRoles(const std::vector<ListRole>& roles) {
  std::vector<std::string> words;
  for (const auto& [role, word] : {std::pair<ListRole, const char*>{ListRole::kSast, "SAST"},
                                   {ListRole::kCcm, "CCM"},
                                   {ListRole::kCcmTftp, "CCM+TFTP"},
                                   {ListRole::kTftp, "TFTP"},
                                   {ListRole::kCapf, "CAPF"},
                                   {ListRole::kAppServer, "APP-SERVER"},
                                   {ListRole::kTvs, "TVS"}}) {
    if (std::find(roles.begin(), roles.end(), role) != roles.end()) words.emplace_back(word);
  }
  return absl::StrJoin(words, ",");
}

absl::StatusOr<std::map<std::string, TvsdEntry>> ReadTvsd(absl::string_view file) {
  std::map<std::string, TvsdEntry> entries;
  if (file.empty()) return entries;
  TL_ASSIGN_OR_RETURN(const Database database, Opened(file));
  TL_ASSIGN_OR_RETURN(
      const Statement tables,
      Prepared(database.get(),
               "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'certificates'"));
  const int there = sqlite3_step(tables.get());
  if (there == SQLITE_DONE) return entries;
  if (there != SQLITE_ROW) return Failed(database.get());
  TL_ASSIGN_OR_RETURN(
      const Statement rows,
      Prepared(database.get(), "SELECT certificate_hash, roles, ttl FROM certificates"));
  int code = SQLITE_ROW;
  while ((code = sqlite3_step(rows.get())) == SQLITE_ROW) {
    // A row without a TTL has tvsd's own default, which is not ours to know.
    entries[Column(rows.get(), 0)] = {Column(rows.get(), 1),
                                      sqlite3_column_type(rows.get(), 2) == SQLITE_NULL
                                          ? -1
                                          : sqlite3_column_int64(rows.get(), 2)};
  }
  if (code != SQLITE_DONE) return Failed(database.get());
  return entries;
}

absl::StatusOr<std::string> WithTvsdChanges(absl::string_view file,
                                            const std::vector<TvsdChange>& changes) {
  TL_ASSIGN_OR_RETURN(const Database database, Opened(file));
  TL_RETURN_IF_ERROR(Run(database.get(), "BEGIN"));
  TL_RETURN_IF_ERROR(Run(database.get(), kTable));
  for (const TvsdChange& change : changes) {
    TL_RETURN_IF_ERROR(change.entry ? Put(database.get(), change.certificate, *change.entry)
                                    : Delete(database.get(), change.certificate));
  }
  TL_RETURN_IF_ERROR(Run(database.get(), "COMMIT"));
  sqlite3_int64 size = 0;
  const std::unique_ptr<unsigned char, FreeBytes> bytes(
      sqlite3_serialize(database.get(), "main", &size, 0));
  if (bytes == nullptr) return absl::ResourceExhaustedError("SQLite has no memory");
  return std::string(reinterpret_cast<const char*>(bytes.get()), static_cast<size_t>(size));
}

}  // namespace trustline::agent
