// How long generations are kept: a run whole or not at all.
#include "agent/generations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/fakes/fake_host.h"

namespace trustline::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class GenerationsTest : public ::testing::Test {
 protected:
  // Commits one, and returns the files that were removed for it.
  std::vector<std::string> Commit(const std::string& run) {
    v1::Generation generation;
    generation.set_number(generations.NextNumber().value());
    generation.set_run_id(run);
    EXPECT_TRUE(state.Write(Generations::ImagesPath(generation.number()), v1::SavedImages()).ok());
    std::vector<std::string> removed;
    const auto writes = generations.CommitWrites(generation);
    EXPECT_TRUE(writes.ok()) << writes.status();
    for (const v1::StateWrite& write : *writes) {
      if (write.remove()) removed.push_back(write.path());
      EXPECT_TRUE((write.remove() ? state.Remove(write.path())
                                  : state.WritePayload(write.path(), write.payload()))
                      .ok());
    }
    return removed;
  }

  CallSwitch calls;
  FakeFiles files{calls};
  StateFiles state{files, "/var/lib/trustline"};
  Generations generations{state};
};

TEST_F(GenerationsTest, ARunUnderWayForgetsNoneOfItsOwn) {
  EXPECT_THAT(Commit("before"), IsEmpty());
  for (int stage = 1; stage < 64; ++stage) EXPECT_THAT(Commit("long"), IsEmpty()) << stage;
  EXPECT_THAT(Commit("long"), ElementsAre(Generations::RecordPath(1), Generations::ImagesPath(1)));
  for (int stage = 65; stage <= 70; ++stage) EXPECT_THAT(Commit("long"), IsEmpty()) << stage;
  EXPECT_EQ(generations.All()->size(), 70u);
}

TEST_F(GenerationsTest, ARunIsForgottenWhole) {
  for (int stage = 0; stage < 3; ++stage) Commit("first");
  for (int run = 0; run < 63; ++run) EXPECT_THAT(Commit(absl::StrCat("r", run)), IsEmpty()) << run;
  // Only now none of the first run is among the newest 64.
  EXPECT_EQ(Commit("last").size(), 6u);
  EXPECT_EQ(generations.All()->size(), 64u);
}

TEST_F(GenerationsTest, ADamagedRecordIsForgottenInItsTurn) {
  for (int run = 0; run < 64; ++run) Commit(absl::StrCat("r", run));
  files.Put("/var/lib/trustline/generations/00000001", "trustline-state-v1 garbage");
  EXPECT_THAT(Commit("last"), ElementsAre(Generations::RecordPath(1), Generations::ImagesPath(1)));
}

}  // namespace
}  // namespace trustline::agent
