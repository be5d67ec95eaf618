#include "protos/yaml/places.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace trustline::yaml {
namespace {

constexpr size_t kNoEnd = absl::string_view::npos;

bool IsBlank(char c) { return c == ' ' || c == '\t'; }
bool IsBreak(char c) { return c == '\n' || c == '\r'; }

// Past the closing quote of the quoted scalar at `from`, or kNoEnd.
size_t EndOfQuoted(absl::string_view text, size_t from) {
  const char quote = text[from];
  for (size_t i = from + 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      const bool doubled = quote == '\'' && i + 1 < text.size() && text[i + 1] == quote;
      if (!doubled) return i + 1;
      ++i;
    }
  }
  return kNoEnd;
}

}  // namespace

Places::Places(std::shared_ptr<const SourceFile> file)
    : file_(std::move(file)), text_(file_->text) {
  starts_.push_back(0);
  for (size_t i = 0; i < text_.size(); ++i) {
    if (text_[i] == '\n') starts_.push_back(i + 1);
  }
}

Span Places::At(size_t offset, size_t end) const {
  offset = std::min(offset, text_.size());
  const auto next = std::upper_bound(starts_.begin(), starts_.end(), offset);
  const auto line = static_cast<size_t>(next - starts_.begin());
  Span span;
  span.file = file_;
  span.line = static_cast<uint32_t>(line);
  span.column = static_cast<uint32_t>(offset - starts_[line - 1] + 1);
  if (end > offset) {
    size_t line_end = next == starts_.end() ? text_.size() : *next - 1;
    if (line_end > offset && text_[line_end - 1] == '\r') --line_end;
    end = std::max(offset, std::min(end, line_end));
    span.end_column = span.column + static_cast<uint32_t>(end - offset);
  }
  return span;
}

size_t Places::SkipProperties(size_t offset) const {
  while (offset < text_.size() && (text_[offset] == '!' || text_[offset] == '&')) {
    while (offset < text_.size() && !IsBlank(text_[offset]) && !IsBreak(text_[offset])) ++offset;
    size_t content = offset;
    while (content < text_.size() && IsBlank(text_[content])) ++content;
    if (content == text_.size() || IsBreak(text_[content])) return offset;
    offset = content;
  }
  return offset;
}

Span Places::Scalar(size_t offset, absl::string_view value) const {
  return At(offset, std::max(offset + 1, EndOfScalar(SkipProperties(offset), value)));
}

Span Places::MissingValue(size_t offset) const {
  size_t end = std::min(offset, text_.size());
  while (end > 0) {
    size_t begin = text_.rfind('\n', end - 1);
    begin = begin == absl::string_view::npos ? 0 : begin + 1;
    absl::string_view line = text_.substr(begin, end - begin);
    const size_t comment = absl::StartsWith(line, "#") ? 0 : line.find(" #");
    line = absl::StripTrailingAsciiWhitespace(line.substr(0, comment));
    if (!line.empty()) return At(begin + line.size() - 1, begin + line.size());
    if (begin == 0) break;
    end = begin - 1;
  }
  return At(0);
}

bool Places::CutOff(size_t offset) const {
  const size_t content = SkipProperties(offset);
  if (content >= text_.size()) return false;
  const bool quoted = text_[content] == '"' || text_[content] == '\'';
  return quoted && EndOfQuoted(text_, content) == kNoEnd;
}

bool Places::KeyHasColon(size_t offset, absl::string_view value) const {
  // The key of "? key" may go without.
  const absl::string_view before = absl::StripTrailingAsciiWhitespace(text_.substr(0, offset));
  if (before == "?" || absl::EndsWith(before, " ?") || absl::EndsWith(before, "\n?")) return true;
  size_t end = EndOfScalar(SkipProperties(offset), value);
  while (end < text_.size() && IsBlank(text_[end])) ++end;
  return end < text_.size() && text_[end] == ':';
}

// Past its last byte, at least of its first line; kNoEnd for a quoted scalar that never ends.
size_t Places::EndOfScalar(size_t from, absl::string_view value) const {
  if (from >= text_.size()) return text_.size();
  if (text_[from] == '"' || text_[from] == '\'') return EndOfQuoted(text_, from);
  if (!value.empty() && absl::StartsWith(text_.substr(from), value)) return from + value.size();
  // A block scalar or several lines: what is left of the first.
  size_t end = text_.find('\n', from);
  if (end == absl::string_view::npos) end = text_.size();
  while (end > from && (IsBlank(text_[end - 1]) || IsBreak(text_[end - 1]))) --end;
  return end;
}

}  // namespace trustline::yaml
