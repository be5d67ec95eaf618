#include "agent/log.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "nlohmann/json.hpp"

namespace trustline::agent {
namespace {

std::atomic<LogFormat> format_in_use{LogFormat::kText};
std::atomic<LogLevel> least_level{LogLevel::kInfo};

std::mutex& SinkMutex() {
  static auto* mutex = new std::mutex;
  return *mutex;
}
std::function<void(const std::string&)>& Sink() {
  static auto* sink = new std::function<void(const std::string&)>;
  return *sink;
}

const char* LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

std::string JsonString(absl::string_view text) {
  return nlohmann::json(std::string(text))
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Bare where that is unambiguous, else a JSON string.
std::string TextValue(absl::string_view value) {
  bool bare = !value.empty();
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte >= 0x7F || c == '"' || c == '=' || c == '\\') bare = false;
  }
  return bare ? std::string(value) : JsonString(value);
}

// A message is words; only what could forge a line or a terminal sequence is escaped.
std::string TextMessage(absl::string_view message) {
  for (const char c : message) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte >= 0x7F) return JsonString(message);
  }
  return std::string(message);
}

void WriteWhole(const std::string& line) {
  size_t done = 0;
  while (done < line.size()) {
    const ssize_t n = ::write(STDERR_FILENO, line.data() + done, line.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // nowhere left to say it
    done += static_cast<size_t>(n);
  }
}

}  // namespace

absl::Status ConfigureLog(absl::string_view format, absl::string_view level) {
  LogFormat new_format = LogFormat::kText;
  LogLevel new_level = LogLevel::kInfo;
  if (format == "json") {
    new_format = LogFormat::kJson;
  } else if (!format.empty() && format != "text") {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown log format \"", format, "\"; use text or json"));
  }
  if (level == "debug") {
    new_level = LogLevel::kDebug;
  } else if (level == "warning") {
    new_level = LogLevel::kWarning;
  } else if (level == "error") {
    new_level = LogLevel::kError;
  } else if (!level.empty() && level != "info") {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown log level \"", level, "\"; use debug, info, warning or error"));
  }
  format_in_use = new_format;
  least_level = new_level;
  return absl::OkStatus();
}

void Log(LogLevel level, absl::string_view message, const LogFields& fields) {
  if (level < least_level.load()) return;
  std::string line = FormatLogLine(format_in_use, absl::Now(), level, message, fields);
  std::lock_guard<std::mutex> lock(SinkMutex());
  if (Sink()) {
    Sink()(line);
    return;
  }
  line.push_back('\n');
  WriteWhole(line);
}

std::string FormatLogLine(LogFormat format, absl::Time when, LogLevel level,
                          absl::string_view message, const LogFields& fields) {
  const std::string timestamp = absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", when, absl::UTCTimeZone());
  std::string line;
  if (format == LogFormat::kJson) {
    absl::StrAppend(&line, "{\"ts\":\"", timestamp, "\",\"level\":\"", LevelName(level),
                    "\",\"message\":", JsonString(message));
    for (const LogField& field : fields)
      absl::StrAppend(&line, ",", JsonString(field.key), ":", JsonString(field.value));
    line.push_back('}');
    return line;
  }
  absl::StrAppend(&line, timestamp, " ", LevelName(level), " ", TextMessage(message));
  for (const LogField& field : fields)
    absl::StrAppend(&line, " ", field.key, "=", TextValue(field.value));
  return line;
}

void SetLogSink(std::function<void(const std::string& line)> sink) {
  std::lock_guard<std::mutex> lock(SinkMutex());
  Sink() = std::move(sink);
}

}  // namespace trustline::agent
