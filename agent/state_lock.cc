#include "agent/state_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace trustline::agent {

absl::StatusOr<StateLock> StateLock::Take(const std::string& state_directory) {
  std::error_code error;
  const std::filesystem::path directory(state_directory);
  std::filesystem::create_directories(directory.parent_path(), error);
  if (!error && ::mkdir(state_directory.c_str(), 0700) != 0 && errno != EEXIST) {
    error = std::error_code(errno, std::generic_category());
  }
  if (error) {
    return absl::FailedPreconditionError(
        absl::StrCat("create state directory ", state_directory, ": ", error.message()));
  }
  const std::string path = absl::StrCat(state_directory, "/lock");
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("open ", path));
  StateLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return absl::ErrnoToStatus(errno, absl::StrCat("lock ", path));
    char holder[32] = {};
    const ssize_t n = ::pread(fd, holder, sizeof(holder) - 1, 0);
    const absl::string_view pid =
        absl::StripAsciiWhitespace(absl::string_view(holder, n > 0 ? static_cast<size_t>(n) : 0));
    return absl::FailedPreconditionError(
        absl::StrCat(state_directory, " is already in use by another agent",
                     pid.empty() ? "" : absl::StrCat(" (process ", pid, ")"),
                     "; stop it, or give this one a state_directory of its own"));
  }
  // Only for the message above; the lock itself is the kernel's.
  const std::string text = absl::StrCat(::getpid(), "\n");
  if (::ftruncate(fd, 0) != 0 ||
      ::pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return absl::ErrnoToStatus(errno, absl::StrCat("write ", path));
  }
  return lock;
}

StateLock::~StateLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace trustline::agent
