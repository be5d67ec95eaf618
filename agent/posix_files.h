// Files on this machine, confined: paths are walked without following symbolic links, and nothing
// outside the writable roots is touched.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/host.h"

namespace trustline::agent {

// Safe for concurrent use. Beside what Files promises: InvalidArgument for a path that is not
// absolute or has an empty, "." or ".." part; ResourceExhausted for a full disk. Of a file's
// attributes it keeps those that can be set again (not security.ima, security.evm).
class PosixFiles final : public Files {
 public:
  // `writable`: absolute directories. What is below them may be written, they themselves may be
  // made. `hook`: see host.h; its calls are mkdir, create, write, fsync, rename, remove and sync.
  explicit PosixFiles(std::vector<std::string> writable, CallHook hook = nullptr);

  absl::StatusOr<FileImage> Read(const std::string& path) const override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) const override;
  absl::StatusOr<std::string> Stage(const std::string& target, const FileImage& image) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status SyncDirectory(const std::string& directory) override;

 private:
  absl::Status CheckWritable(const std::string& path) const;
  absl::Status Before(absl::string_view call, const std::string& target) const;
  absl::Status Fill(int fd, const std::string& path, const FileImage& image);

  std::vector<std::string> writable_;
  CallHook hook_;
};

}  // namespace trustline::agent
