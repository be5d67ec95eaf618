#include "tests/e2e/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <ostream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/servers/sshd.h"

namespace trustline::e2e {
namespace {

[[noreturn]] void Die(const std::string& what) {
  std::perror(what.c_str());
  std::abort();
}

constexpr absl::Duration kPoll = absl::Milliseconds(10);

std::map<std::string, std::string> SnapshotOf(const std::string& directory, bool strict) {
  std::map<std::string, std::string> entries;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator it(directory, error), end; it != end && !error;
       it.increment(error)) {
    const std::string path = it->path().string();
    struct stat info = {};
    if (lstat(path.c_str(), &info) != 0) continue;
    std::string entry = absl::StrCat(absl::Hex(info.st_mode), " ", info.st_uid, ":", info.st_gid);
    if (strict)
      absl::StrAppend(&entry, " ", info.st_ino, " ", info.st_ctim.tv_sec, ".",
                      info.st_ctim.tv_nsec);
    if (S_ISREG(info.st_mode)) absl::StrAppend(&entry, "\n", ReadFileOrDie(path));
    entries[path.substr(directory.size() + 1)] = entry;
  }
  return entries;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Finished& finished) {
  return out << "exit " << finished.exit_code << " signal " << finished.signal
             << (finished.in_time ? "" : " (killed: not in time)") << " after " << finished.took
             << "\n--- stdout\n"
             << finished.out << "--- stderr\n"
             << finished.err << "---\n";
}

Program::Program(const Command& command) : own_group_(command.own_group), began_(absl::Now()) {
  const std::string in = files_.path() + "/in";
  WriteFileOrDie(in, command.input, 0600);
  std::vector<std::string> environment = {
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
      absl::StrCat("HOME=", files_.path()), absl::StrCat("TMPDIR=", ::testing::TempDir())};
  for (const auto& [name, value] : command.environment)
    environment.push_back(absl::StrCat(name, "=", value));
  std::vector<char*> argv, envp;
  for (const std::string& argument : command.argv)
    argv.push_back(const_cast<char*>(argument.c_str()));
  for (const std::string& variable : environment)
    envp.push_back(const_cast<char*>(variable.c_str()));
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  int terminal = -1;
  if (command.on_terminal || command.asks_on_terminal) {
    terminal_ = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (terminal_ < 0 || grantpt(terminal_) != 0 || unlockpt(terminal_) != 0) Die("posix_openpt");
    terminal = open(ptsname(terminal_), O_RDWR | O_NOCTTY | O_CLOEXEC);
    winsize size = {24, 80, 0, 0};
    if (terminal < 0 || ioctl(terminal, TIOCSWINSZ, &size) != 0) Die("terminal");
  }
  const std::string out_path = files_.path() + "/out", err_path = files_.path() + "/err";
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) Die("fork");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, command.death_signal);
    if (getppid() != parent) _exit(127);
    if (command.own_group) setpgid(0, 0);
    // Ctrl-C is a signal only from a terminal that is one's own.
    if (command.asks_on_terminal && (setsid() < 0 || ioctl(terminal, TIOCSCTTY, 0) != 0)) {
      _exit(127);
    }
    signal(SIGPIPE, SIG_DFL);
    const int input = command.asks_on_terminal ? terminal : open(in.c_str(), O_RDONLY);
    const int out = open(out_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    const int err =
        terminal >= 0 ? terminal : open(err_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (input < 0 || out < 0 || err < 0) _exit(127);
    dup2(input, 0);
    dup2(out, 1);
    dup2(err, 2);
    if (input > 2) close(input);
    if (out > 2) close(out);
    if (err > 2 && err != input) close(err);
    if (!command.directory.empty() && chdir(command.directory.c_str()) != 0) _exit(127);
    execve(argv[0], argv.data(), envp.data());
    _exit(127);
  }
  if (command.own_group) setpgid(pid_, pid_);
  if (terminal >= 0) close(terminal);
}

Program::~Program() {
  if (!ended_) {
    if (own_group_) SignalGroup(SIGKILL);
    Signal(SIGKILL);
    Reap(true);
  }
  if (terminal_ >= 0) close(terminal_);
}

bool Program::Reap(bool block) {
  if (ended_) return true;
  const pid_t got = waitpid(pid_, &status_, block ? 0 : WNOHANG);
  if (got != pid_) return false;
  ended_ = true;
  ended_at_ = absl::Now();
  return true;
}

void Program::DrainTerminal() const {
  char bytes[4096];
  ssize_t got;
  while (terminal_ >= 0 && (got = read(terminal_, bytes, sizeof(bytes))) > 0)
    shown_.append(bytes, static_cast<size_t>(got));
}

std::string Program::out() const {
  const std::string path = files_.path() + "/out";
  return access(path.c_str(), R_OK) == 0 ? ReadFileOrDie(path) : "";
}

std::string Program::err() const {
  DrainTerminal();
  if (terminal_ >= 0) return shown_;
  const std::string path = files_.path() + "/err";
  return access(path.c_str(), R_OK) == 0 ? ReadFileOrDie(path) : "";
}

bool Program::Running() { return !Reap(false); }

void Program::Signal(int number) const {
  if (!ended_) kill(pid_, number);
}

void Program::SignalGroup(int number) const {
  if (own_group_) kill(-pid_, number);
}

void Program::Type(absl::string_view keys) const {
  if (write(terminal_, keys.data(), keys.size()) != static_cast<ssize_t>(keys.size())) Die("type");
}

Finished Program::Wait(absl::Duration limit) {
  Finished finished;
  const absl::Time until = absl::Now() + limit;
  while (!Reap(false)) {
    DrainTerminal();
    if (absl::Now() > until) {
      finished.in_time = false;
      if (own_group_) SignalGroup(SIGKILL);
      Signal(SIGKILL);
      Reap(true);
      break;
    }
    absl::SleepFor(kPoll);
  }
  finished.took = ended_at_ - began_;
  if (finished.in_time && WIFEXITED(status_)) finished.exit_code = WEXITSTATUS(status_);
  if (WIFSIGNALED(status_)) finished.signal = WTERMSIG(status_);
  finished.out = out();
  finished.err = err();
  return finished;
}

Finished RunToEnd(const Command& command, absl::Duration limit) {
  return Program(command).Wait(limit);
}

bool Eventually(absl::Duration limit, const std::function<bool()>& holds, absl::Duration every) {
  const absl::Time until = absl::Now() + limit;
  while (!holds()) {
    if (absl::Now() > until) return false;
    absl::SleepFor(every);
  }
  return true;
}

std::map<std::string, std::string> Snapshot(const std::string& directory) {
  return SnapshotOf(directory, false);
}
std::map<std::string, std::string> StrictSnapshot(const std::string& directory) {
  return SnapshotOf(directory, true);
}

std::vector<std::string> FilesContaining(const std::string& directory, absl::string_view needle) {
  std::vector<std::string> found;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator it(directory, error), end; it != end && !error;
       it.increment(error)) {
    if (!it->is_regular_file(error) || it->is_symlink(error)) continue;
    if (absl::StrContains(ReadFileOrDie(it->path().string()), needle))
      found.push_back(it->path().string());
  }
  return found;
}

}  // namespace trustline::e2e
