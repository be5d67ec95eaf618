// Tells a run whose controller still lives from one that was killed: a lock on a file beside the
// history, which the kernel drops with the process however it ends.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace trustline::controller {

// Held while the object lives. Thread-compatible.
class RunLock {
 public:
  // Unavailable: the file cannot be made or is locked already.
  static absl::StatusOr<std::unique_ptr<RunLock>> Hold(const std::string& history_file,
                                                       const std::string& run_id);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  // True while some process on this machine holds the lock. A lock file that nobody holds is
  // removed. In doubt true: the caller may then wait, not take what belongs to another.
  static bool IsHeld(const std::string& history_file, const std::string& run_id);

 private:
  RunLock(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  int fd_;
};

}  // namespace trustline::controller
