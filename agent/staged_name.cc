#include "agent/staged_name.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace trustline::agent {
namespace {

constexpr absl::string_view kEnding = ".staged";
constexpr size_t kDigits = 16;

}  // namespace

std::string DirectoryOf(absl::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == absl::string_view::npos || slash == 0) return "/";
  return std::string(path.substr(0, slash));
}

std::string NameOf(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return std::string(slash == absl::string_view::npos ? path : path.substr(slash + 1));
}

std::string StagedPath(absl::string_view target, uint64_t random) {
  const std::string directory = DirectoryOf(target);
  return absl::StrCat(directory == "/" ? "" : directory, "/.", NameOf(target), ".",
                      absl::StrFormat("%016x", random), kEnding);
}

bool IsStagedName(absl::string_view name, absl::string_view target_name) {
  if (!absl::ConsumePrefix(&name, ".") || !absl::ConsumeSuffix(&name, kEnding)) return false;
  if (name.size() < kDigits + 2 || name[name.size() - kDigits - 1] != '.') return false;
  for (char c : name.substr(name.size() - kDigits)) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return false;
  }
  name.remove_suffix(kDigits + 1);
  return target_name.empty() || name == target_name;
}

}  // namespace trustline::agent
