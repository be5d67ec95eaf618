#include "agent/state_lock.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/temp_directory.h"

namespace trustline::agent {
namespace {

class StateLockTest : public ::testing::Test {
 protected:
  const testing::TempDirectory scratch_;
  const std::string directory_ = scratch_.path();
  const std::string state_ = directory_ + "/below/state";
};

TEST_F(StateLockTest, SecondIsRefusedAndTheHolderNamed) {
  const absl::StatusOr<StateLock> first = StateLock::Take(state_);
  ASSERT_TRUE(first.ok()) << first.status();
  const absl::Status second = StateLock::Take(state_).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(second.message(),
            absl::StrCat(state_, " is already in use by another agent (process ", ::getpid(),
                         "); stop it, or give this one a state_directory of its own"));
}

TEST_F(StateLockTest, IsFreeAgainAfterTheHolder) {
  { ASSERT_TRUE(StateLock::Take(state_).ok()); }
  EXPECT_TRUE(StateLock::Take(state_).ok());
}

TEST_F(StateLockTest, MakesAPrivateStateDirectory) {
  ASSERT_TRUE(StateLock::Take(state_).ok());
  struct stat info {};
  ASSERT_EQ(::stat(state_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(StateLockTest, LinkInPlaceOfTheLockIsNotFollowed) {
  std::filesystem::create_directories(state_);
  ASSERT_EQ(::symlink((directory_ + "/elsewhere").c_str(), (state_ + "/lock").c_str()), 0);
  EXPECT_FALSE(StateLock::Take(state_).ok());
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/elsewhere"));
}

}  // namespace
}  // namespace trustline::agent
