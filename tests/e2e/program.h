// Programs as an operator or a supervisor runs them: started with arguments, environment and input,
// waited for with a limit, signalled, and gone when the test is.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tests/support/temp_directory.h"

namespace trustline::e2e {

using testing::TempDirectory;

struct Command {
  std::vector<std::string> argv;
  // The whole environment besides PATH, HOME, TMPDIR and LC_ALL: what the machine's own says
  // (proxies, roots) must not reach the programs.
  std::map<std::string, std::string> environment;
  std::string input;       // what it reads from standard input
  std::string directory;   // where it runs; empty: here
  bool own_group = false;  // leads a process group, so that a signal can reach what it starts
  int death_signal = 9;    // what it gets when the test dies before it
  bool on_terminal =
      false;  // standard error is a terminal (80 columns); `err` holds what was shown
  // Standard input is that terminal too, and the program's own: see Type. `input` is not read.
  bool asks_on_terminal = false;
};

struct Finished {
  int exit_code = -1;  // -1: ended by a signal or not in time
  int signal = 0;
  bool in_time = true;  // false: it was killed
  absl::Duration took;
  std::string out, err;
};
// Everything a failing test wants to know.
std::ostream& operator<<(std::ostream& out, const Finished& finished);

// A running program. Whatever ends the test ends it too, also when it is stopped (SIGSTOP).
class Program {
 public:
  explicit Program(const Command& command);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  pid_t pid() const { return pid_; }
  // What it has written up to now.
  std::string out() const;
  std::string err() const;
  bool Running();
  void Signal(int number) const;
  void SignalGroup(int number) const;
  // What somebody at its terminal types: "\n" ends a line, "\x03" is Ctrl-C.
  void Type(absl::string_view keys) const;
  // Kills it when it does not end within `limit`.
  Finished Wait(absl::Duration limit);

 private:
  bool Reap(bool block);
  void DrainTerminal() const;

  TempDirectory files_;
  pid_t pid_ = -1;
  int terminal_ = -1;
  bool own_group_ = false;
  bool ended_ = false;
  int status_ = 0;
  absl::Time began_;
  absl::Time ended_at_;
  mutable std::string shown_;
};

Finished RunToEnd(const Command& command, absl::Duration limit = absl::Seconds(60));

// Asks until it is true; false when it was not within `limit`.
bool Eventually(absl::Duration limit, const std::function<bool()>& holds,
                absl::Duration every = absl::Milliseconds(10));

// One entry per file, directory and link below `directory`, by path relative to it: type, mode,
// owner, content.
std::map<std::string, std::string> Snapshot(const std::string& directory);
// The same with inode and time of last change: equal only when nothing was written at all.
std::map<std::string, std::string> StrictSnapshot(const std::string& directory);
// Paths of the files below `directory` that contain `needle`.
std::vector<std::string> FilesContaining(const std::string& directory, absl::string_view needle);

}  // namespace trustline::e2e
