// Runs a program with an argument vector, no shell, a deadline, and nothing of ours in its hands.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace trustline::agent {

struct ChildResult {
  int exit_code = 0;   // 128 + N when a signal ended it
  std::string output;  // stdout and stderr, at most the first 8 KiB
};

// Blocks until it ends. Runs in its own process group with an empty stdin, PATH, LANG=C and
// LC_ALL=C only, signals as by default. argv[0] is looked up in PATH. DeadlineExceeded: the whole
// group was killed. NotFound or PermissionDenied: it could not be started. Daemons it leaves
// running do not delay the return.
absl::StatusOr<ChildResult> RunChild(const std::vector<std::string>& argv, absl::Duration timeout);

}  // namespace trustline::agent
