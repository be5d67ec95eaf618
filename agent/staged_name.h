// The names of files beside their targets: ".NAME.<16 hex digits>.staged" waits for its turn; a
// crash can leave it, and recovery knows it by this form. ".NAME.<16 hex digits>.kept" holds what
// somebody else had written where recovery put an earlier content back; only an admin removes it.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace trustline::agent {

// The directory of an absolute path, and its last part.
std::string DirectoryOf(absl::string_view path);
std::string NameOf(absl::string_view path);

// Where content for `target` waits.
std::string StagedPath(absl::string_view target, uint64_t random);
// Where content of `target` with this hex digest is kept: the same name for the same content.
std::string KeptPath(absl::string_view target, absl::string_view digest);

// Whether `name` (no directory) is content waiting for a file called `target_name`; an empty
// target_name means any.
bool IsStagedName(absl::string_view name, absl::string_view target_name = "");
bool IsKeptName(absl::string_view name);

}  // namespace trustline::agent
