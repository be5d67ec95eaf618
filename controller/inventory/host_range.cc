#include "controller/inventory/host_range.h"

#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "trust/status_macros.h"

namespace trustline::controller {
namespace {

bool AllDigits(absl::string_view text) {
  if (text.empty()) return false;
  for (char c : text) {
    if (!absl::ascii_isdigit(c)) return false;
  }
  return true;
}

absl::Status Wrong(absl::string_view range, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("range \"[", range, "]\": ", why));
}

// "01:20" into 01, 02, ..., 20.
absl::StatusOr<std::vector<std::string>> ExpandOne(absl::string_view range) {
  const std::vector<std::string> parts = absl::StrSplit(range, ':');
  if (parts.size() < 2 || parts.size() > 3) {
    return Wrong(range, "write [first:last] or [first:last:step]");
  }
  uint32_t step = 1;
  if (parts.size() == 3 &&
      (!AllDigits(parts[2]) || !absl::SimpleAtoi(parts[2], &step) || step == 0)) {
    return Wrong(range, "the step is a number from 1");
  }
  std::vector<std::string> result;
  const std::string& first = parts[0];
  const std::string& last = parts[1];
  if (AllDigits(first) && AllDigits(last)) {
    const size_t width = first.size() > 1 && first[0] == '0' ? first.size() : 0;
    if (width != 0 && last.size() != width) {
      return Wrong(range, "with leading zeros both ends need the same width");
    }
    uint32_t begin = 0, end = 0;
    if (!absl::SimpleAtoi(first, &begin) || !absl::SimpleAtoi(last, &end)) {
      return Wrong(range, "the number is too large");
    }
    if (end < begin) return Wrong(range, "the last is before the first");
    if ((end - begin) / step >= kMaxRangeHosts) {
      return Wrong(range, absl::StrCat("more than ", kMaxRangeHosts, " hosts"));
    }
    for (uint64_t i = begin; i <= end; i += step) {
      std::string number = absl::StrCat(i);
      if (number.size() < width) number.insert(0, width - number.size(), '0');
      result.push_back(std::move(number));
    }
    return result;
  }
  if (first.size() == 1 && last.size() == 1 &&
      ((absl::ascii_islower(first[0]) && absl::ascii_islower(last[0])) ||
       (absl::ascii_isupper(first[0]) && absl::ascii_isupper(last[0])))) {
    if (last[0] < first[0]) return Wrong(range, "the last is before the first");
    for (uint32_t c = static_cast<unsigned char>(first[0]);
         c <= static_cast<unsigned char>(last[0]); c += step) {
      result.emplace_back(1, static_cast<char>(c));
    }
    return result;
  }
  return Wrong(range, "both ends are numbers, or both are letters of one case");
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ExpandHostRange(absl::string_view name) {
  std::vector<std::string> names = {""};
  while (!name.empty()) {
    const size_t open = name.find('[');
    for (std::string& prefix : names) absl::StrAppend(&prefix, name.substr(0, open));
    if (open == absl::string_view::npos) break;
    const size_t close = name.find(']', open);
    if (close == absl::string_view::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"[\" without \"]\" in host name \"", name, "\""));
    }
    TL_ASSIGN_OR_RETURN(const std::vector<std::string> parts,
                        ExpandOne(name.substr(open + 1, close - open - 1)));
    if (names.size() * parts.size() > kMaxRangeHosts) {
      return absl::InvalidArgumentError(
          absl::StrCat("the ranges of one entry give more than ", kMaxRangeHosts, " hosts"));
    }
    std::vector<std::string> longer;
    longer.reserve(names.size() * parts.size());
    for (const std::string& prefix : names) {
      for (const std::string& part : parts) longer.push_back(absl::StrCat(prefix, part));
    }
    names = std::move(longer);
    name.remove_prefix(close + 1);
  }
  return names;
}

}  // namespace trustline::controller
