// Structured logs: one line per event on stderr, RFC 3339 UTC, fields as key=value or JSON. Safe
// for concurrent use.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace trustline::agent {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kText, kJson };

struct LogField {
  std::string key;    // [a-z_]+
  std::string value;  // any bytes; never a secret
};
using LogFields = std::vector<LogField>;

// Takes the words of agent.yaml ("text", "json"; "debug", "info", "warning", "error"; empty:
// "text", "info"). InvalidArgument for another word. Until called: text, info.
absl::Status ConfigureLog(absl::string_view format, absl::string_view level);

void Log(LogLevel level, absl::string_view message, const LogFields& fields = {});

// A whole line without its newline. Pure. Control bytes and invalid UTF-8 never get out unescaped:
// one event is one line whatever a field holds.
//   text  2026-11-22T07:15:45.123Z info apply finished run=20261122-7 code=OK
//   json  {"ts":"2026-11-22T07:15:45.123Z","level":"info","message":"apply
//   finished","run":"20261122-7","code":"OK"}
std::string FormatLogLine(LogFormat format, absl::Time when, LogLevel level,
                          absl::string_view message, const LogFields& fields);

// Takes lines instead of stderr; null: stderr again. For tests.
void SetLogSink(std::function<void(const std::string& line)> sink);

}  // namespace trustline::agent
