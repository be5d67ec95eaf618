// File names with * and ? below a directory, matched against a read-only view of it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/host.h"

namespace trustline::agent {

// `*` stands for any bytes, `?` for one; neither stands for the dot a hidden name begins with.
bool MatchesPattern(absl::string_view pattern, absl::string_view name);

// InvalidArgument for a pattern with an empty, "." or ".." part, which would lead elsewhere.
absl::Status CheckPattern(absl::string_view pattern);

// Paths of the names below `root` that match `pattern` ("SEP*.cnf.xml", "locale/*/ring.xml"),
// ascending; directories and links too where their name matches, and a name without * and ? whether
// it is there or not. Follows no symbolic link. Names of content still being written are left out.
// Names that end in `except_ending`, where it is not empty, neither match nor count.
// ResourceExhausted for more than `limit`.
absl::StatusOr<std::vector<std::string>> FindFiles(const FileView& files, const std::string& root,
                                                   absl::string_view pattern, size_t limit,
                                                   absl::string_view except_ending = "");

}  // namespace trustline::agent
