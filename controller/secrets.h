// The values behind !env and !file, read when a plan or an apply needs them and kept nowhere.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "protos/trustline/v1/secret.pb.h"

namespace trustline::controller {

// Reads "env:NAME" and "file:PATH" references; relative paths count from `directory` (the
// playbook's). A file must be a regular one of at most 64 KiB; one trailing newline is no part of
// the secret unless it is PEM. FailedPrecondition names every reference that cannot be read and
// why, never a value. Empty values are errors.
absl::StatusOr<v1::SecretValues> ResolveSecrets(const std::vector<std::string>& names,
                                                const std::string& directory);

}  // namespace trustline::controller
