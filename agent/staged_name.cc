#include "agent/staged_name.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace trustline::agent {
namespace {

constexpr absl::string_view kStaged = ".staged";
constexpr absl::string_view kKept = ".kept";
constexpr size_t kDigits = 16;

std::string Beside(absl::string_view target, absl::string_view digits, absl::string_view ending) {
  const std::string directory = DirectoryOf(target);
  return absl::StrCat(directory == "/" ? "" : directory, "/.", NameOf(target), ".", digits, ending);
}

bool HasForm(absl::string_view name, absl::string_view target_name, absl::string_view ending) {
  if (!absl::ConsumePrefix(&name, ".") || !absl::ConsumeSuffix(&name, ending)) return false;
  if (name.size() < kDigits + 2 || name[name.size() - kDigits - 1] != '.') return false;
  for (char c : name.substr(name.size() - kDigits)) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return false;
  }
  name.remove_suffix(kDigits + 1);
  return target_name.empty() || name == target_name;
}

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
  return Beside(target, absl::StrFormat("%016x", random), kStaged);
}

std::string KeptPath(absl::string_view target, absl::string_view digest) {
  return Beside(target, digest.substr(0, kDigits), kKept);
}

bool IsStagedName(absl::string_view name, absl::string_view target_name) {
  return HasForm(name, target_name, kStaged);
}

bool IsKeptName(absl::string_view name) { return HasForm(name, "", kKept); }

}  // namespace trustline::agent
