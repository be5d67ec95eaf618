// Images of files as values: digests to tell whether a file still is what was written, and the form
// in which they are saved.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "agent/host.h"
#include "protos/trustline/v1/node_state.pb.h"

namespace trustline::agent {

// Nothing: the file is absent.
using MaybeImage = std::optional<FileImage>;

// What is there; absence is not an error.
absl::StatusOr<MaybeImage> ReadImage(const FileView& files, const std::string& path);

// Hex SHA-256 over bytes, mode, owner and extended attributes; empty for absence.
std::string ImageDigest(const MaybeImage& image);

v1::SavedFile SaveImage(const std::string& path, const MaybeImage& image);
MaybeImage LoadImage(const v1::SavedFile& saved);

}  // namespace trustline::agent
