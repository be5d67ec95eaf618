// Replacing or removing one file durably, for effects that run outside a transaction's own files.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "agent/host.h"

namespace trustline::agent {

// Stage, rename, sync the directory. A failure before the rename leaves nothing beside the target.
absl::Status ReplaceFile(Files& files, const std::string& path, const FileImage& image);

// OK when it, or its directory, is already absent.
absl::Status RemoveFileDurably(Files& files, const std::string& path);

}  // namespace trustline::agent
