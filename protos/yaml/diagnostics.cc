#include "protos/yaml/diagnostics.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace trustline::yaml {
namespace {

// A file that is wrong all over is not read to its end by anybody.
constexpr size_t kMostShown = 100;

// Longer lines are shown as a window around the place.
constexpr size_t kLongestLine = 200;

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// What a terminal could act upon is shown, not sent. Line breaks of a message stay.
std::string Harmless(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool c1 = c == 0xC2 && i + 1 < text.size() &&
                    static_cast<unsigned char>(text[i + 1]) >= 0x80 &&
                    static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (c1) {
      absl::StrAppendFormat(&out, "\\x%02x", static_cast<unsigned char>(text[++i]));
    } else if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7F) {
      absl::StrAppendFormat(&out, "\\x%02x", c);
    } else {
      out += text[i];
    }
  }
  return out;
}

absl::string_view LineOf(absl::string_view text, uint32_t number) {
  for (uint32_t line = 1; line < number; ++line) {
    const size_t end = text.find('\n');
    if (end == absl::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  text = text.substr(0, text.find('\n'));
  if (absl::EndsWith(text, "\r")) text.remove_suffix(1);
  return text;
}

// In a source line every odd byte becomes one '?', so that columns keep their width.
std::string Printable(absl::string_view line) {
  std::string out;
  size_t i = 0;
  while (i < line.size()) {
    const auto c = static_cast<unsigned char>(line[i]);
    if (c < 0x80) {
      out += (c < 0x20 && c != '\t') || c == 0x7F ? '?' : line[i];
      ++i;
      continue;
    }
    const size_t length = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC2 ? 2 : 0;
    size_t have = 1;
    while (have < length && i + have < line.size() && IsContinuation(line[i + have])) ++have;
    const bool c1 = c == 0xC2 && have == 2 && static_cast<unsigned char>(line[i + 1]) < 0xA0;
    if (length == 0 || have < length || c1) {
      out.append(have, '?');
    } else {
      out.append(line.data() + i, length);
    }
    i += have;
  }
  return out;
}

absl::string_view SeverityName(Severity severity) {
  switch (severity) {
    case Severity::kError:
      return "error";
    case Severity::kWarning:
      return "warning";
    case Severity::kNote:
      return "note";
  }
  return "error";
}

using Hidden = std::vector<std::pair<uint32_t, uint32_t>>;  // [column, end), 0: to the end

// Replaces hidden stretches by '*', one for each byte, so that columns still fit. `line` begins
// `skipped` bytes into the line of the file.
void Mask(const Hidden& hidden, size_t skipped, std::string& line) {
  for (const auto& [column, end] : hidden) {
    const size_t last = line.size() + skipped;
    const size_t stop = end == 0 ? last : std::min<size_t>(end - 1, last);
    for (size_t i = std::max<size_t>(column - 1, skipped); i < stop; ++i) line[i - skipped] = '*';
  }
}

void AppendSnippet(const Span& span, const Hidden& hidden, std::string& out) {
  const absl::string_view whole = LineOf(span.file->text, span.line);
  size_t column = span.column == 0 ? 0 : span.column - 1;  // 0-based from here on
  if (column > whole.size()) column = whole.size();
  size_t end = span.end_column > span.column ? span.end_column - 1 : column + 1;
  size_t from = 0, to = whole.size();
  if (whole.size() > kLongestLine) {
    from = column > kLongestLine / 2 ? column - kLongestLine / 2 : 0;
    while (from > 0 && IsContinuation(whole[from])) --from;
    to = std::min(whole.size(), from + kLongestLine);
    while (to < whole.size() && IsContinuation(whole[to])) ++to;
  }
  std::string line(whole.substr(from, to - from));
  Mask(hidden, from, line);
  line = Printable(line);
  const absl::string_view before = from > 0 ? "..." : "";
  line = absl::StrCat(before, line, to < whole.size() ? "..." : "");
  column = column - from + before.size();
  end = std::min(end, to) - from + before.size();
  absl::StrAppendFormat(&out, "%5d | %s\n", span.line, line);
  std::string marks;
  for (size_t i = 0; i < column && i < line.size(); ++i) {
    if (line[i] == '\t') {
      marks += '\t';
    } else if (!IsContinuation(line[i])) {
      marks += ' ';
    }
  }
  marks += '^';
  for (size_t i = column + 1; i < end && i < line.size(); ++i) {
    if (!IsContinuation(line[i])) marks += '~';
  }
  absl::StrAppend(&out, "      | ", marks, "\n");
}

void AppendDiagnostic(const Diagnostic& item, const std::vector<Span>& secrets, std::string& out) {
  const Span& span = item.span;
  if (span.file != nullptr) {
    absl::StrAppend(&out, Harmless(span.file->name), ":");
    if (span.line > 0) absl::StrAppend(&out, span.line, ":", span.column, ":");
    absl::StrAppend(&out, " ");
  }
  absl::StrAppend(&out, SeverityName(item.severity), ": ", Harmless(item.message), "\n");
  if (span.file == nullptr || span.line == 0) return;
  Hidden hidden;
  for (const Span& secret : secrets) {
    if (secret.file->name == span.file->name && secret.line == span.line) {
      hidden.emplace_back(secret.column, secret.end_column);
    }
  }
  AppendSnippet(span, hidden, out);
}

int EditDistance(absl::string_view a, absl::string_view b) {
  // Optimal string alignment: a swap of neighbours counts as one mistake.
  std::vector<std::vector<int>> d(a.size() + 1, std::vector<int>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = static_cast<int>(i);
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const int substitution = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, substitution});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

void Diagnostics::Error(const Span& span, std::string message) {
  ++errors_;
  all_.push_back({Severity::kError, span, std::move(message)});
}

void Diagnostics::Warning(const Span& span, std::string message) {
  all_.push_back({Severity::kWarning, span, std::move(message)});
}

void Diagnostics::Note(const Span& span, std::string message) {
  all_.push_back({Severity::kNote, span, std::move(message)});
}

void Diagnostics::Hide(const Span& span) {
  if (span.file != nullptr && span.line > 0 && span.column > 0) hidden_.push_back(span);
}

std::string Diagnostics::Render() const {
  // A diagnostic and its notes move together; files stay in the order in which they first spoke up.
  struct Group {
    size_t file, first, count;
  };
  std::vector<std::string> files;
  std::vector<Group> groups;
  for (size_t i = 0; i < all_.size(); ++i) {
    if (all_[i].severity == Severity::kNote && !groups.empty()) {
      ++groups.back().count;
      continue;
    }
    const std::string name = all_[i].span.file == nullptr ? "" : all_[i].span.file->name;
    const auto known = std::find(files.begin(), files.end(), name);
    groups.push_back({static_cast<size_t>(known - files.begin()), i, 1});
    if (known == files.end()) files.push_back(name);
  }
  std::stable_sort(groups.begin(), groups.end(), [&](const Group& a, const Group& b) {
    const Span& x = all_[a.first].span;
    const Span& y = all_[b.first].span;
    return std::tie(a.file, x.line, x.column) < std::tie(b.file, y.line, y.column);
  });

  std::string out;
  std::set<std::string> said;  // a loop or a second host meets the same mistake again
  for (size_t k = 0; k < groups.size(); ++k) {
    if (said.size() == kMostShown) {
      absl::StrAppend(&out, "note: ", groups.size() - k, " more are not shown\n");
      break;
    }
    std::string text;
    for (size_t i = groups[k].first; i < groups[k].first + groups[k].count; ++i) {
      AppendDiagnostic(all_[i], hidden_, text);
    }
    if (said.insert(text).second) absl::StrAppend(&out, text);
  }
  return out;
}

absl::Status Diagnostics::ToStatus() const {
  if (errors_ == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(Render());
}

std::string DidYouMean(absl::string_view word, const std::vector<std::string>& candidates) {
  if (word.size() < 2 || word.size() > 100) return "";
  const std::string wanted = absl::AsciiStrToLower(word);
  int best = std::max<int>(1, static_cast<int>(word.size() / 3)) + 1;
  std::string found;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > word.size() * 2 + 2) continue;
    const int distance = EditDistance(wanted, absl::AsciiStrToLower(candidate));
    if (distance < best) {
      best = distance;
      found = candidate;
    }
  }
  return found;
}

std::string DidYouMeanSuffix(absl::string_view word, const std::vector<std::string>& candidates) {
  const std::string found = DidYouMean(word, candidates);
  return found.empty() ? "" : absl::StrCat(" (did you mean \"", found, "\"?)");
}

}  // namespace trustline::yaml
