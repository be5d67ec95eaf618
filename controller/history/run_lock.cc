#include "controller/history/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace trustline::controller {
namespace {

std::string LockPath(const std::string& history_file, const std::string& run_id) {
  return absl::StrCat(history_file, ".run-", run_id);
}

}  // namespace

absl::StatusOr<std::unique_ptr<RunLock>> RunLock::Hold(const std::string& history_file,
                                                       const std::string& run_id) {
  std::string path = LockPath(history_file, run_id);
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    if (fd >= 0) close(fd);
    return absl::UnavailableError(absl::StrCat("cannot lock ", path, ": ", std::strerror(error)));
  }
  return std::unique_ptr<RunLock>(new RunLock(std::move(path), fd));
}

RunLock::~RunLock() {
  // Gone before it is free, so that nobody finds a file without a holder.
  unlink(path_.c_str());
  close(fd_);
}

bool RunLock::IsHeld(const std::string& history_file, const std::string& run_id) {
  const std::string path = LockPath(history_file, run_id);
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return errno != ENOENT;
  const bool held = flock(fd, LOCK_EX | LOCK_NB) != 0;
  if (!held) unlink(path.c_str());
  close(fd);
  return held;
}

}  // namespace trustline::controller
