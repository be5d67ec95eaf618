#include "controller/render/style.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace trustline::controller {
namespace {

bool EnvIsSet(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

// Columns a terminal shows for UTF-8 text, near enough for tables: one per code point.
size_t Columns(absl::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

}  // namespace

std::string Style::Apply(Paint paint, absl::string_view text) const {
  const char* code = nullptr;
  switch (paint) {
    case Paint::kPlain:
      break;
    case Paint::kGood:
      code = "32";
      break;
    case Paint::kChanged:
      code = "33";
      break;
    case Paint::kBad:
      code = "31";
      break;
    case Paint::kWarning:
      code = "35";
      break;
    case Paint::kFaint:
      code = "2";
      break;
  }
  if (!colour || code == nullptr) return std::string(text);
  return absl::StrCat("\x1b[", code, "m", text, "\x1b[0m");
}

Style StyleFor(int fd, const std::string& colour_flag) {
  Style style;
  int columns = 0;
  const char* env = std::getenv("COLUMNS");
  if (env != nullptr && absl::SimpleAtoi(env, &columns) && columns >= 40 && columns <= 400)
    style.width = columns;
  if (colour_flag == "always") {
    style.colour = true;
  } else if (colour_flag == "never" || EnvIsSet("NO_COLOR")) {
    style.colour = false;
  } else if (EnvIsSet("CLICOLOR_FORCE") && std::strcmp(std::getenv("CLICOLOR_FORCE"), "0") != 0) {
    style.colour = true;
  } else {
    const char* term = std::getenv("TERM");
    style.colour = isatty(fd) == 1 && !(term != nullptr && std::strcmp(term, "dumb") == 0);
  }
  return style;
}

Paint PaintOf(v1::Outcome outcome) {
  switch (outcome) {
    case v1::OUTCOME_UNCHANGED:
      return Paint::kGood;
    case v1::OUTCOME_CHANGED:
    case v1::OUTCOME_WOULD_CHANGE:
      return Paint::kChanged;
    case v1::OUTCOME_PENDING:
    case v1::OUTCOME_BLOCKED:
      return Paint::kWarning;
    default:
      return Paint::kBad;
  }
}

std::string Banner(absl::string_view title, const Style& style) {
  std::string line = absl::StrCat(title, " ");
  size_t width = static_cast<size_t>(std::max(style.width - 1, 20));
  size_t used = Columns(line);
  line.append(used + 3 > width ? 3 : width - used, '*');
  return line;
}

std::string HumanDuration(absl::Duration duration) {
  int64_t seconds = std::max<int64_t>(0, absl::ToInt64Seconds(duration));
  constexpr int64_t kMinute = 60, kHour = 3600, kDay = 86400, kYear = 365 * 86400;
  if (seconds >= kYear) return absl::StrCat(seconds / kYear, " y");
  if (seconds >= 2 * kDay) return absl::StrCat(seconds / kDay, " d");
  if (seconds >= kHour) return absl::StrCat(seconds / kHour, " h");
  if (seconds >= kMinute) return absl::StrCat(seconds / kMinute, " m");
  return absl::StrCat(seconds, " s");
}

std::string HumanAgo(absl::Time when, absl::Time now) {
  if (when == absl::InfinitePast()) return "never";
  return absl::StrCat(HumanDuration(now - when), " ago");
}

std::string FormatTable(const std::vector<std::vector<std::string>>& rows, bool headings) {
  std::vector<size_t> widths;
  for (size_t i = headings ? 0 : 1; i < rows.size(); ++i) {
    for (size_t column = 0; column < rows[i].size(); ++column) {
      if (widths.size() <= column) widths.resize(column + 1);
      widths[column] = std::max(widths[column], Columns(rows[i][column]));
    }
  }
  std::string out;
  for (size_t i = headings ? 0 : 1; i < rows.size(); ++i) {
    std::string line;
    for (size_t column = 0; column < rows[i].size(); ++column) {
      line += rows[i][column];
      if (column + 1 < rows[i].size())
        line.append(widths[column] - Columns(rows[i][column]) + 2, ' ');
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    absl::StrAppend(&out, line, "\n");
  }
  return out;
}

std::string GroupDigits(int64_t value) {
  std::string digits = absl::StrCat(value);
  for (int at = static_cast<int>(digits.size()) - 3; at > (value < 0 ? 1 : 0); at -= 3)
    digits.insert(at, ",");
  return digits;
}

std::string Count(int64_t value, absl::string_view singular, absl::string_view plural) {
  return absl::StrCat(GroupDigits(value), " ", value == 1 ? singular : plural);
}

}  // namespace trustline::controller
