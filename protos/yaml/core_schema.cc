#include "protos/yaml/core_schema.h"

#include <charconv>
#include <limits>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace trustline::yaml {
namespace {

bool IsOneOf(absl::string_view text, std::initializer_list<absl::string_view> words) {
  for (const absl::string_view word : words) {
    if (text == word) return true;
  }
  return false;
}

template <typename Predicate>
bool All(absl::string_view text, Predicate predicate) {
  for (const char c : text) {
    if (!predicate(static_cast<unsigned char>(c))) return false;
  }
  return !text.empty();
}

bool IsOctalDigit(unsigned char c) { return c >= '0' && c <= '7'; }

size_t DigitsAt(absl::string_view text, size_t from) {
  size_t n = 0;
  while (from + n < text.size() && absl::ascii_isdigit(text[from + n])) ++n;
  return n;
}

PlainScalar Integer(absl::string_view digits, int base, bool negative, absl::string_view text) {
  PlainScalar result;
  result.type = Type::kInt;
  uint64_t magnitude = 0;
  const auto parsed =
      std::from_chars(digits.data(), digits.data() + digits.size(), magnitude, base);
  const uint64_t limit =
      static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) + (negative ? 1 : 0);
  if (parsed.ec != std::errc() || magnitude > limit) {
    result.problem =
        absl::StrCat("integer ", text, " does not fit 64 bits; quote it if it is text");
    return result;
  }
  result.int_value = static_cast<int64_t>(negative ? 0 - magnitude : magnitude);
  return result;
}

// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool IsNumber(absl::string_view text, bool& integer) {
  size_t i = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  const size_t whole = DigitsAt(text, i);
  i += whole;
  integer = whole > 0 && i == text.size();
  if (integer) return true;
  if (i < text.size() && text[i] == '.') {
    const size_t fraction = DigitsAt(text, ++i);
    if (whole == 0 && fraction == 0) return false;
    i += fraction;
  } else if (whole == 0) {
    return false;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
    const size_t exponent = DigitsAt(text, i);
    if (exponent == 0) return false;
    i += exponent;
  }
  return i == text.size();
}

}  // namespace

PlainScalar ResolvePlain(absl::string_view text) {
  PlainScalar result;
  if (text.empty() || IsOneOf(text, {"~", "null", "Null", "NULL"})) {
    result.type = Type::kNull;
    return result;
  }
  if (IsOneOf(text, {"true", "True", "TRUE", "false", "False", "FALSE"})) {
    result.type = Type::kBool;
    result.bool_value = absl::ascii_tolower(text[0]) == 't';
    return result;
  }
  if (IsOneOf(absl::AsciiStrToLower(text), {"yes", "no", "on", "off"})) {
    result.looks_like_boolean = true;
    return result;
  }
  if (absl::StartsWith(text, "0o") && All(text.substr(2), IsOctalDigit)) {
    return Integer(text.substr(2), 8, false, text);
  }
  if (absl::StartsWith(text, "0x") && All(text.substr(2), absl::ascii_isxdigit)) {
    return Integer(text.substr(2), 16, false, text);
  }
  const bool negative = text[0] == '-';
  const absl::string_view unsigned_text = text.substr(negative || text[0] == '+' ? 1 : 0);
  if (IsOneOf(unsigned_text, {".inf", ".Inf", ".INF"})) {
    result.type = Type::kFloat;
    result.float_value = (negative ? -1 : 1) * std::numeric_limits<double>::infinity();
    return result;
  }
  if (IsOneOf(text, {".nan", ".NaN", ".NAN"})) {
    result.type = Type::kFloat;
    result.float_value = std::numeric_limits<double>::quiet_NaN();
    return result;
  }
  bool integer = false;
  if (!IsNumber(text, integer)) return result;
  if (unsigned_text.size() > 1 && unsigned_text[0] == '0' &&
      absl::ascii_isdigit(unsigned_text[1])) {
    result.problem = absl::StrCat("number ", text,
                                  " begins with a zero, which some readers take as octal; quote "
                                  "it, or write it without the zero");
    if (integer && All(unsigned_text, IsOctalDigit)) {
      const size_t significant = unsigned_text.find_first_not_of('0');
      absl::StrAppend(
          &result.problem, " or as 0o",
          significant == absl::string_view::npos ? "0" : unsigned_text.substr(significant));
    }
    return result;
  }
  if (integer) return Integer(unsigned_text, 10, negative, text);
  result.type = Type::kFloat;
  const absl::string_view body = text[0] == '+' ? text.substr(1) : text;
  const auto parsed = std::from_chars(body.data(), body.data() + body.size(), result.float_value);
  if (parsed.ec != std::errc()) {
    result.problem = absl::StrCat("number ", text, " is out of range; quote it if it is text");
  }
  return result;
}

size_t FindUnreadableByte(absl::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F) return i;
      ++i;
      continue;
    }
    const size_t length = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
    if (c < 0xC2 || c > 0xF4 || i + length > text.size()) return i;
    uint32_t point = c & (0xFFU >> (length + 1));
    for (size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xC0) != 0x80) return i;
      point = point << 6 | (next & 0x3FU);
    }
    const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
    const bool surrogate = point >= 0xD800 && point < 0xE000;
    const bool control = point >= 0x80 && point < 0xA0 && point != 0x85;
    if (overlong || surrogate || control || point > 0x10FFFF) return i;
    i += length;
  }
  return absl::string_view::npos;
}

}  // namespace trustline::yaml
