#include "agent/dhcp/kea_json.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

constexpr int kDeepest = 100;

void AppendUtf8(uint32_t code_point, std::string& out) {
  const auto put = [&out](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xc0 | code_point >> 6);
    put(0x80 | (code_point & 0x3f));
  } else {
    put(0xe0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
  }
}

class Parser {
 public:
  explicit Parser(absl::string_view text) : text_(text) {}

  absl::StatusOr<KeaValue> Whole() {
    TL_RETURN_IF_ERROR(SkipBlanks());
    TL_ASSIGN_OR_RETURN(KeaValue value, Value(0));
    TL_RETURN_IF_ERROR(SkipBlanks());
    if (at_ != text_.size()) return Wrong("something follows the configuration");
    return value;
  }

 private:
  absl::Status Wrong(absl::string_view what) const { return Wrong(what, at_); }
  absl::Status Wrong(absl::string_view what, size_t at) const {
    return absl::InvalidArgumentError(absl::StrCat(Place(at), ": ", what));
  }
  std::string Place(size_t at) const {
    const absl::string_view before = text_.substr(0, at);
    const size_t line = 1 + static_cast<size_t>(std::count(before.begin(), before.end(), '\n'));
    const size_t newline = before.rfind('\n');
    const size_t column = newline == absl::string_view::npos ? at + 1 : at - newline;
    return absl::StrCat("line ", line, ":", column);
  }
  bool AtEnd() const { return at_ >= text_.size(); }
  char Peek() const { return text_[at_]; }

  absl::Status SkipBlanks() {
    while (!AtEnd()) {
      const absl::string_view rest = text_.substr(at_);
      if (absl::ascii_isspace(static_cast<unsigned char>(Peek()))) {
        ++at_;
      } else if (Peek() == '#' || absl::StartsWith(rest, "//")) {
        const size_t newline = rest.find('\n');
        at_ = newline == absl::string_view::npos ? text_.size() : at_ + newline;
      } else if (absl::StartsWith(rest, "/*")) {
        const size_t close = rest.find("*/", 2);
        if (close == absl::string_view::npos) return Wrong("this comment is not closed");
        at_ += close + 2;
      } else if (absl::StartsWith(rest, "<?")) {
        return absl::UnimplementedError(absl::StrCat(
            Place(at_),
            ": <?include?> is not supported, as the value could stand in another file; ",
            "put the included text into this file"));
      } else {
        break;
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<KeaValue> Value(int depth) {
    if (depth > kDeepest) return Wrong("nested too deeply");
    if (AtEnd()) return Wrong("the text ends where a value is expected");
    KeaValue value;
    value.begin = at_;
    const char first = Peek();
    if (first == '{') {
      value.type = KeaValue::Type::kMap;
      TL_RETURN_IF_ERROR(Map(value, depth));
    } else if (first == '[') {
      value.type = KeaValue::Type::kList;
      TL_RETURN_IF_ERROR(List(value, depth));
    } else if (first == '"') {
      value.type = KeaValue::Type::kString;
      TL_ASSIGN_OR_RETURN(value.text, String());
    } else if (first == '-' || first == '+' || first == '.' ||
               absl::ascii_isdigit(static_cast<unsigned char>(first))) {
      value.type = KeaValue::Type::kNumber;
      while (!AtEnd() && (absl::ascii_isalnum(static_cast<unsigned char>(Peek())) ||
                          Peek() == '.' || Peek() == '+' || Peek() == '-')) {
        value.text.push_back(text_[at_++]);
      }
      double number = 0;
      if (!absl::SimpleAtod(value.text, &number)) return Wrong("this is not a number", value.begin);
    } else {
      TL_RETURN_IF_ERROR(Word(value));
    }
    value.end = at_;
    return value;
  }

  absl::Status Word(KeaValue& value) {
    const absl::string_view rest = text_.substr(at_);
    for (const absl::string_view word : {"true", "false", "null"}) {
      if (!absl::StartsWith(rest, word)) continue;
      at_ += word.size();
      value.type = word == "null" ? KeaValue::Type::kNull : KeaValue::Type::kBool;
      value.boolean = word == "true";
      return absl::OkStatus();
    }
    return Wrong("a value is expected here");
  }

  absl::Status Map(KeaValue& map, int depth) {
    std::set<std::string> keys;
    ++at_;
    while (true) {
      TL_RETURN_IF_ERROR(SkipBlanks());
      if (AtEnd()) return Wrong("this { is not closed", map.begin);
      if (Peek() == '}') break;
      KeaMember member;
      member.begin = at_;
      if (Peek() != '"') return Wrong("a name in quotes is expected here");
      TL_ASSIGN_OR_RETURN(member.key, String());
      if (!keys.insert(member.key).second) {
        return Wrong(absl::StrCat("\"", member.key, "\" is given twice"), member.begin);
      }
      TL_RETURN_IF_ERROR(SkipBlanks());
      if (AtEnd() || Peek() != ':') return Wrong("a colon is expected here");
      ++at_;
      TL_RETURN_IF_ERROR(SkipBlanks());
      TL_ASSIGN_OR_RETURN(member.value, Value(depth + 1));
      map.members.push_back(std::move(member));
      TL_ASSIGN_OR_RETURN(const bool more, Comma('}'));
      if (!more) break;
    }
    ++at_;
    return absl::OkStatus();
  }

  absl::Status List(KeaValue& list, int depth) {
    ++at_;
    while (true) {
      TL_RETURN_IF_ERROR(SkipBlanks());
      if (AtEnd()) return Wrong("this [ is not closed", list.begin);
      if (Peek() == ']') break;
      TL_ASSIGN_OR_RETURN(KeaValue item, Value(depth + 1));
      list.items.push_back(std::move(item));
      TL_ASSIGN_OR_RETURN(const bool more, Comma(']'));
      if (!more) break;
    }
    ++at_;
    return absl::OkStatus();
  }

  // Stands at `close` (false), or took a comma (true).
  absl::StatusOr<bool> Comma(char close) {
    TL_RETURN_IF_ERROR(SkipBlanks());
    if (AtEnd()) return Wrong(absl::StrCat("the text ends before ", std::string(1, close)));
    if (Peek() == close) return false;
    if (Peek() != ',') {
      return Wrong(absl::StrCat("a comma or ", std::string(1, close), " is expected here"));
    }
    ++at_;
    return true;
  }

  absl::StatusOr<std::string> String() {
    const size_t begin = at_++;
    std::string out;
    while (true) {
      if (AtEnd() || Peek() == '\n') return Wrong("this string is not closed", begin);
      const char c = text_[at_++];
      if (c == '"') return out;
      if (c != '\\') {
        out.push_back(c);
        continue;
      }
      if (AtEnd()) return Wrong("this string is not closed", begin);
      const char escaped = text_[at_++];
      switch (escaped) {
        case '"':
        case '\\':
        case '/':
          out.push_back(escaped);
          break;
        case 'b':
          out.push_back('\b');
          break;
        case 'f':
          out.push_back('\f');
          break;
        case 'n':
          out.push_back('\n');
          break;
        case 'r':
          out.push_back('\r');
          break;
        case 't':
          out.push_back('\t');
          break;
        case 'u': {
          uint32_t code_point = 0;
          const absl::string_view digits = text_.substr(at_, 4);
          if (digits.size() != 4 || !std::all_of(digits.begin(), digits.end(), [](char digit) {
                return absl::ascii_isxdigit(static_cast<unsigned char>(digit));
              })) {
            return Wrong("\\u needs four hex digits");
          }
          if (!absl::SimpleHexAtoi(digits, &code_point)) return Wrong("\\u needs four hex digits");
          at_ += 4;
          AppendUtf8(code_point, out);
          break;
        }
        default:
          return Wrong("unknown escape in a string", at_ - 2);
      }
    }
  }

  absl::string_view text_;
  size_t at_ = 0;
};

// Kea takes ".5", "5." and "+5", other readers of JSON do not.
std::string StrictNumber(absl::string_view text) {
  std::string out(absl::ConsumePrefix(&text, "-") ? "-" : "");
  (void)absl::ConsumePrefix(&text, "+");
  if (absl::StartsWith(text, ".")) out.push_back('0');
  const size_t dot = text.find('.');
  if (dot == absl::string_view::npos) return absl::StrCat(out, text);
  const absl::string_view fraction = text.substr(dot + 1);
  const bool empty =
      fraction.empty() || !absl::ascii_isdigit(static_cast<unsigned char>(fraction.front()));
  return absl::StrCat(out, text.substr(0, dot + 1), empty ? "0" : "", fraction);
}

void WriteStrict(const KeaValue& value, std::string& out) {
  switch (value.type) {
    case KeaValue::Type::kNull:
      absl::StrAppend(&out, "null");
      break;
    case KeaValue::Type::kBool:
      absl::StrAppend(&out, value.boolean ? "true" : "false");
      break;
    case KeaValue::Type::kNumber:
      absl::StrAppend(&out, StrictNumber(value.text));
      break;
    case KeaValue::Type::kString:
      absl::StrAppend(&out, QuoteJson(value.text));
      break;
    case KeaValue::Type::kList: {
      absl::string_view separator = "[";
      for (const KeaValue& item : value.items) {
        absl::StrAppend(&out, separator);
        WriteStrict(item, out);
        separator = ",";
      }
      absl::StrAppend(&out, value.items.empty() ? "[]" : "]");
      break;
    }
    case KeaValue::Type::kMap: {
      absl::string_view separator = "{";
      for (const KeaMember& member : value.members) {
        absl::StrAppend(&out, separator, QuoteJson(member.key), ":");
        WriteStrict(member.value, out);
        separator = ",";
      }
      absl::StrAppend(&out, value.members.empty() ? "{}" : "}");
      break;
    }
  }
}

// What stands between the last element of a container and its closing bracket.
struct Tail {
  bool comma = false;
  size_t after_comma = 0;
  bool comment = false;
  size_t after_comment = 0;   // before the newline of a line comment
  bool line_comment = false;  // the last comment ends with its line
};

Tail ReadTail(absl::string_view text, size_t begin, size_t end) {
  Tail tail;
  size_t at = begin;
  while (at < end) {
    const absl::string_view rest = text.substr(at, end - at);
    if (rest[0] == ',') {
      tail.comma = true;
      tail.after_comma = ++at;
    } else if (rest[0] == '#' || absl::StartsWith(rest, "//")) {
      const size_t newline = rest.find('\n');
      at = newline == absl::string_view::npos ? end : at + newline;
      tail.comment = tail.line_comment = true;
      tail.after_comment = at > begin && text[at - 1] == '\r' ? at - 1 : at;
    } else if (absl::StartsWith(rest, "/*")) {
      const size_t close = rest.find("*/", 2);
      at = close == absl::string_view::npos ? end : at + close + 2;
      tail.comment = true;
      tail.line_comment = false;
      tail.after_comment = at;
    } else {
      ++at;
    }
  }
  return tail;
}

// The line break and indentation in front of `at`, or one blank when something else stands before
// it on its line.
std::string LayoutBefore(absl::string_view text, size_t at) {
  size_t start = at;
  while (start > 0 && (text[start - 1] == ' ' || text[start - 1] == '\t')) --start;
  if (start == 0 || text[start - 1] != '\n') return " ";
  --start;
  if (start > 0 && text[start - 1] == '\r') --start;
  return std::string(text.substr(start, at - start));
}

}  // namespace

const KeaValue* KeaValue::Find(absl::string_view key) const {
  for (const KeaMember& member : members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

absl::StatusOr<KeaValue> ParseKeaJson(absl::string_view text) { return Parser(text).Whole(); }

std::string ToStrictJson(const KeaValue& value) {
  std::string out;
  WriteStrict(value, out);
  return out;
}

std::string QuoteJson(absl::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppend(&out, absl::StrFormat("\\u%04x", static_cast<unsigned>(c)));
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
  return out;
}

std::string AppendElement(absl::string_view text, const KeaValue& container,
                          absl::string_view element) {
  const size_t close = container.end - 1;
  size_t last_begin = 0;
  size_t last_end = 0;
  if (!container.members.empty()) {
    last_begin = container.members.back().begin;
    last_end = container.members.back().value.end;
  } else if (!container.items.empty()) {
    last_begin = container.items.back().begin;
    last_end = container.items.back().end;
  } else {
    // Empty. Right before the bracket no comment can swallow the element.
    const bool padded = close > container.begin + 1 && text[close - 1] == ' ';
    return absl::StrCat(text.substr(0, close), padded ? "" : " ", element, " ", text.substr(close));
  }
  const Tail tail = ReadTail(text, last_end, close);
  std::string layout = LayoutBefore(text, last_begin);
  size_t at = tail.comma ? tail.after_comma : last_end;
  if (tail.comment && tail.after_comment > at) {
    at = tail.after_comment;
    if (tail.line_comment && layout == " ") layout = "\n";
  }
  return absl::StrCat(text.substr(0, last_end), tail.comma ? "" : ",",
                      text.substr(last_end, at - last_end), layout, element, text.substr(at));
}

}  // namespace trustline::agent
