#include "agent/child_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/unique_fd.h"

namespace trustline::agent {
namespace {

constexpr size_t kMaxOutput = 8 << 10;
constexpr char kPath[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// Reads what is there without waiting; false at the end.
bool Drain(int fd, std::string& output) {
  char buffer[4096];
  while (true) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got == 0) return false;
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    const size_t room = kMaxOutput - std::min(output.size(), kMaxOutput);
    output.append(buffer, std::min(room, static_cast<size_t>(got)));
  }
}

class SpawnSetup {
 public:
  SpawnSetup() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
  }
  ~SpawnSetup() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  // 0 or an errno.
  int Prepare(int output) {
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    int error = ::posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    if (error == 0) error = ::posix_spawn_file_actions_adddup2(&actions_, output, 1);
    if (error == 0) error = ::posix_spawn_file_actions_adddup2(&actions_, output, 2);
    if (error == 0) error = ::posix_spawn_file_actions_addclosefrom_np(&actions_, 3);
    if (error == 0) {
      error = ::posix_spawnattr_setflags(
          &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    }
    if (error == 0) error = ::posix_spawnattr_setpgroup(&attributes_, 0);
    if (error == 0) error = ::posix_spawnattr_setsigdefault(&attributes_, &all);
    if (error == 0) error = ::posix_spawnattr_setsigmask(&attributes_, &none);
    return error;
  }

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

}  // namespace

absl::StatusOr<ChildResult> RunChild(const std::vector<std::string>& argv, absl::Duration timeout) {
  if (argv.empty()) return absl::InvalidArgumentError("no program to run");
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return absl::ResourceExhaustedError(absl::StrCat("pipe: ", ::strerror(errno)));
  }
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  if (::fcntl(reading.get(), F_SETFL, O_NONBLOCK) != 0) {
    return absl::InternalError(absl::StrCat("pipe: ", ::strerror(errno)));
  }
  std::vector<char*> arguments;
  for (const std::string& argument : argv) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  std::string path = kPath, language = "LANG=C", locale = "LC_ALL=C";
  char* environment[] = {path.data(), language.data(), locale.data(), nullptr};

  SpawnSetup setup;
  pid_t pid = 0;
  int error = setup.Prepare(writing.get());
  if (error == 0) {
    error = ::posix_spawnp(&pid, arguments[0], setup.actions(), setup.attributes(),
                           arguments.data(), environment);
  }
  writing.Close();
  if (error != 0) {
    const std::string message = absl::StrCat("cannot run ", argv[0], ": ", ::strerror(error));
    if (error == ENOENT) return absl::NotFoundError(message);
    if (error == EACCES || error == EPERM) return absl::PermissionDeniedError(message);
    return absl::ResourceExhaustedError(message);
  }

  ChildResult result;
  bool open = true;
  const absl::Time deadline = absl::Now() + timeout;
  while (true) {
    if (open) open = Drain(reading.get(), result.output);
    int status = 0;
    const pid_t ended = ::waitpid(pid, &status, WNOHANG);
    if (ended == pid) {
      if (open) Drain(reading.get(), result.output);
      result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      return result;
    }
    if (ended < 0 && errno != EINTR) {
      return absl::InternalError(absl::StrCat("wait for ", argv[0], ": ", ::strerror(errno)));
    }
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) {
      ::kill(-pid, SIGKILL);
      while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
      }
      return absl::DeadlineExceededError(
          absl::StrCat(argv[0], " did not end within ", absl::FormatDuration(timeout)));
    }
    // A daemon may keep the pipe open for ever, so the pipe alone does not tell the end.
    pollfd wait = {open ? reading.get() : -1, POLLIN, 0};
    const absl::Duration nap = std::min(left, absl::Milliseconds(10));
    ::poll(&wait, 1, static_cast<int>(absl::ToInt64Milliseconds(nap)) + 1);
  }
}

}  // namespace trustline::agent
