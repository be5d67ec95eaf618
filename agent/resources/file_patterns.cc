#include "agent/resources/file_patterns.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/staged_name.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

bool HasWildcard(absl::string_view part) {
  return part.find_first_of("*?") != absl::string_view::npos;
}

// Directories reached so far; each part of the pattern goes one level down.
absl::StatusOr<std::vector<std::string>> Descend(const FileView& files,
                                                 const std::vector<std::string>& directories,
                                                 const std::string& part, size_t limit,
                                                 absl::string_view except_ending) {
  std::vector<std::string> found;
  for (const std::string& directory : directories) {
    const std::string prefix = directory == "/" ? directory : absl::StrCat(directory, "/");
    const auto excepted = [&](absl::string_view name) {
      return !except_ending.empty() && absl::EndsWith(name, except_ending);
    };
    if (!HasWildcard(part)) {
      if (excepted(part)) continue;
      found.push_back(absl::StrCat(prefix, part));
      continue;
    }
    const absl::StatusOr<std::vector<std::string>> names = files.List(directory);
    // What is no directory, or a link, has nothing below it.
    if (absl::IsNotFound(names.status()) || absl::IsFailedPrecondition(names.status())) continue;
    TL_RETURN_IF_ERROR(names.status());
    for (const std::string& name : *names) {
      if (!MatchesPattern(part, name) || IsStagedName(name) || IsKeptName(name) || excepted(name)) {
        continue;
      }
      if (found.size() >= limit) {
        return absl::ResourceExhaustedError(absl::StrCat(
            "more than ", limit, " names in ", directory, " match ", part, "; name fewer"));
      }
      found.push_back(absl::StrCat(prefix, name));
    }
  }
  return found;
}

}  // namespace

bool MatchesPattern(absl::string_view pattern, absl::string_view name) {
  if (absl::StartsWith(name, ".") && !absl::StartsWith(pattern, ".")) return false;
  size_t p = 0, n = 0, star = absl::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != absl::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

absl::Status CheckPattern(absl::string_view pattern) {
  for (const absl::string_view part : absl::StrSplit(pattern, '/')) {
    if (part.empty() || part == "." || part == "..") {
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", pattern, "\" is no name below a directory: no empty, '.' or '..' parts"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> FindFiles(const FileView& files, const std::string& root,
                                                   absl::string_view pattern, size_t limit,
                                                   absl::string_view except_ending) {
  TL_RETURN_IF_ERROR(CheckPattern(pattern));
  std::vector<std::string> found = {root};
  const std::vector<std::string> parts = absl::StrSplit(pattern, '/');
  for (size_t i = 0; i < parts.size(); ++i) {
    const bool last = i + 1 == parts.size();  // before it are directories
    TL_ASSIGN_OR_RETURN(found, Descend(files, found, parts[i], limit, last ? except_ending : ""));
  }
  return found;
}

}  // namespace trustline::agent
