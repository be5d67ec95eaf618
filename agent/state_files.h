// The agent's own files below its state directory: each replaced atomically, synced, mode 0600, and
// checked when read.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/host.h"
#include "google/protobuf/message_lite.h"

namespace trustline::agent {

// Thread-compatible. Files are {"trustline-state-v1", SHA-256, payload}, so that a damaged one is
// noticed (DataLoss) instead of believed.
class StateFiles {
 public:
  StateFiles(Files& files, std::string directory)
      : files_(files), directory_(std::move(directory)) {}

  // Paths are relative to the state directory. NotFound when absent.
  absl::Status Read(const std::string& path, google::protobuf::MessageLite& into) const;
  // After OK the new content is there for good, also through a power cut. After an error either the
  // old or the new content is there, never a mixture.
  absl::Status Write(const std::string& path, const google::protobuf::MessageLite& message);
  absl::Status WritePayload(const std::string& path, const std::string& payload);
  absl::Status Remove(const std::string& path);
  // Names in a directory (empty: the state directory itself) without what waits to be renamed;
  // empty when the directory is absent.
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) const;
  // Removes what a crash left waiting anywhere below the state directory, kinds' own records
  // included. Returns how many.
  absl::StatusOr<int> Sweep();

  std::string Path(const std::string& path) const;

 private:
  absl::StatusOr<int> SweepBelow(const std::string& directory);

  Files& files_;
  std::string directory_;
};

}  // namespace trustline::agent
