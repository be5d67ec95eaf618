#include "trust/directory_name.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace trustline {
namespace {

std::vector<std::string> Attributes(absl::string_view name) {
  // A separator inside a value splits it on both sides alike.
  std::vector<std::string> parts =
      absl::StrSplit(absl::StrReplaceAll(name, {{"\\", ""}}), absl::ByAnyChar(";,"));
  for (std::string& part : parts) absl::StripAsciiWhitespace(&part);
  std::sort(parts.begin(), parts.end());
  return parts;
}

}  // namespace

bool SameDirectoryName(absl::string_view a, absl::string_view b) {
  return a == b || Attributes(a) == Attributes(b);
}

}  // namespace trustline
