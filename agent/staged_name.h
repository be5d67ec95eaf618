// The names of files that wait beside their targets: ".NAME.<16 hex digits>.staged". A crash can
// leave them; recovery knows them by this form.
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

// Whether `name` (no directory) is content waiting for a file called `target_name`; an empty
// target_name means any.
bool IsStagedName(absl::string_view name, absl::string_view target_name = "");

}  // namespace trustline::agent
