#include "controller/expression/scalar_span.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"

namespace trustline::controller {
namespace {

constexpr size_t kNowhere = static_cast<size_t>(-1);

size_t OffsetOfLine(absl::string_view text, uint32_t line) {
  size_t at = 0;
  for (uint32_t i = 1; i < line; ++i) {
    at = text.find('\n', at);
    if (at == absl::string_view::npos) return kNowhere;
    ++at;
  }
  return at;
}

// Walks the source and the decoded text together.
class Walker {
 public:
  Walker(absl::string_view source, absl::string_view decoded, size_t begin)
      : source_(source), decoded_(decoded), at_(begin) {}

  // Source offsets of every decoded byte; nullopt when the two cannot be matched.
  std::optional<std::vector<size_t>> Walk() {
    SkipProperties();
    if (at_ >= source_.size()) return std::nullopt;
    const char first = source_[at_];
    if (first == '\'' || first == '"') {
      quote_ = first;
      ++at_;
    } else if (first == '|' || first == '>') {
      at_ = source_.find('\n', at_);
      if (at_ == absl::string_view::npos) return std::nullopt;
      ++at_;
      SkipSpaces();
    }
    std::vector<size_t> places;
    places.reserve(decoded_.size());
    for (size_t i = 0; i < decoded_.size(); ++i) {
      if (!Match(decoded_[i])) {
        // The end of a block scalar may have more or fewer newlines than the source.
        if (absl::StripAsciiWhitespace(decoded_.substr(i)).empty()) {
          places.resize(decoded_.size(), at_);
          return places;
        }
        return std::nullopt;
      }
      places.push_back(matched_);
    }
    return places;
  }

 private:
  // Tags and anchors before the scalar itself.
  void SkipProperties() {
    while (at_ < source_.size() && (source_[at_] == '!' || source_[at_] == '&')) {
      while (at_ < source_.size() && !absl::ascii_isspace(source_[at_])) ++at_;
      SkipSpaces();
    }
  }
  void SkipSpaces() {
    while (at_ < source_.size() && absl::ascii_isspace(source_[at_])) ++at_;
  }

  bool Match(char wanted) {
    if (at_ >= source_.size()) return false;
    matched_ = at_;
    const char c = source_[at_];
    if (quote_ == '\'' && c == '\'') {
      if (wanted != '\'' || at_ + 1 >= source_.size() || source_[at_ + 1] != '\'') return false;
      at_ += 2;
      return true;
    }
    if (quote_ == '"' && c == '\\') return MatchEscape(wanted);
    if (absl::ascii_isspace(wanted) && absl::ascii_isspace(c)) {
      // A folded line: one blank or newline of text is a line break with its indentation in the
      // source.
      if (c == wanted && c != '\n') {
        ++at_;
        const size_t rest = source_.find_first_not_of(" \t", at_);
        if (rest != absl::string_view::npos && source_[rest] == '\n') SkipSpaces();
        return true;
      }
      SkipSpaces();
      return true;
    }
    if (c != wanted) return false;
    ++at_;
    return true;
  }

  bool MatchEscape(char wanted) {
    if (at_ + 1 >= source_.size()) return false;
    const char next = source_[at_ + 1];
    if (next == 'x' || next == 'u' || next == 'U')
      return false;  // rare; the whole scalar is place enough
    if (next == '"' || next == '\\' || next == '/') {
      if (wanted != next) return false;
    }
    at_ += 2;
    return true;
  }

  absl::string_view source_;
  absl::string_view decoded_;
  size_t at_;
  size_t matched_ = 0;
  char quote_ = 0;
};

}  // namespace

yaml::Span SpanInScalar(const yaml::Value& scalar, size_t offset, size_t length) {
  const yaml::Span& whole = scalar.span();
  if (whole.file == nullptr || whole.line == 0 || whole.column == 0) return whole;
  const absl::string_view source = whole.file->text;
  const size_t line_begin = OffsetOfLine(source, whole.line);
  if (line_begin == kNowhere || line_begin + whole.column - 1 > source.size()) return whole;
  const absl::string_view decoded = scalar.text();
  std::optional<std::vector<size_t>> places =
      Walker(source, decoded, line_begin + whole.column - 1).Walk();
  if (!places) return whole;
  // A place behind the last byte ("the expression ends too early") is one after it.
  const size_t place = offset < places->size() ? (*places)[offset]
                       : places->empty()       ? line_begin + whole.column - 1
                                               : places->back() + 1;
  yaml::Span span = whole;
  span.line = static_cast<uint32_t>(1 + std::count(source.begin(), source.begin() + place, '\n'));
  const size_t before = source.substr(0, place).rfind('\n');
  const size_t begin = before == absl::string_view::npos ? 0 : before + 1;
  span.column = static_cast<uint32_t>(place - begin + 1);
  const size_t line_end = std::min(source.find('\n', place), source.size());
  size_t end = place + std::max<size_t>(length, 1);
  if (length > 0 && offset + length <= places->size()) end = (*places)[offset + length - 1] + 1;
  end = std::max(std::min(end, line_end), place + 1);
  span.end_column = static_cast<uint32_t>(end - begin + 1);
  return span;
}

}  // namespace trustline::controller
