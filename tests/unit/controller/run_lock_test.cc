#include "controller/history/run_lock.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/controller/temp_files.h"

namespace trustline::controller {
namespace {

TEST(RunLock, IsHeldWhileTheRunLivesAndFreeAfterIt) {
  TempFiles files;
  const std::string history = files.Path("history.db");
  EXPECT_FALSE(RunLock::IsHeld(history, "20261122-1"));
  {
    auto lock = RunLock::Hold(history, "20261122-1");
    ASSERT_TRUE(lock.ok()) << lock.status();
    EXPECT_TRUE(RunLock::IsHeld(history, "20261122-1"));
    EXPECT_FALSE(RunLock::IsHeld(history, "20261122-2"));
    EXPECT_FALSE(RunLock::Hold(history, "20261122-1").ok());
  }
  EXPECT_FALSE(RunLock::IsHeld(history, "20261122-1"));
  EXPECT_TRUE(std::filesystem::is_empty(files.directory()));
}

TEST(RunLock, IsFreeAfterItsHolderWasKilledAndLeavesNoFile) {
  TempFiles files;
  const std::string history = files.Path("history.db");
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    auto lock = RunLock::Hold(history, "20261122-1");
    const char byte = lock.ok() ? 'y' : 'n';
    (void)!write(ready[1], &byte, 1);
    pause();
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'y');
  EXPECT_TRUE(RunLock::IsHeld(history, "20261122-1"));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_FALSE(RunLock::IsHeld(history, "20261122-1"));
  EXPECT_TRUE(std::filesystem::is_empty(files.directory()));
  close(ready[0]);
  close(ready[1]);
}

TEST(RunLock, ADirectoryThatCannotBeWrittenIsAnError) {
  EXPECT_FALSE(RunLock::Hold("/nonexistent/history.db", "20261122-1").ok());
}

}  // namespace
}  // namespace trustline::controller
