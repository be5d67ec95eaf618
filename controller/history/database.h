// SQLite as the history uses it: statements, transactions, the tables and how they grew. Only the
// files of this folder include it.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "controller/history/history_store.h"
#include "trust/status_macros.h"

namespace trustline::controller {

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

class HistoryStore::Impl {
 public:
  explicit Impl(sqlite3* db) : db_(db) {}
  ~Impl() { sqlite3_close(db_); }

  sqlite3* db() { return db_; }

  absl::Status Execute(const char* sql);

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

  // Sets the connection up, makes the tables of a new file, and brings those of an older trustline
  // up to date.
  absl::Status Prepare(const std::string& path);

 private:
  sqlite3* db_;
};

}  // namespace trustline::controller
