#include "controller/rollout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trustline::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using State = NodeProgress::State;
using Kind = RolloutStep::Kind;

StagePlan Stage(uint32_t number, std::vector<std::vector<std::string>> batches, int max_fail = 0) {
  StagePlan stage;
  stage.number = number;
  stage.play = "play " + std::to_string(number);
  stage.batches = batches;
  for (const auto& batch : batches)
    stage.hosts.insert(stage.hosts.end(), batch.begin(), batch.end());
  stage.max_fail_percentage = max_fail;
  return stage;
}

struct Rollout {
  explicit Rollout(std::vector<StagePlan> stages) {
    policy.stages = std::move(stages);
    for (const StagePlan& stage : policy.stages) {
      for (const std::string& host : stage.hosts) progress.nodes[stage.number][host] = {};
    }
  }
  RolloutStep Next() const { return NextStep(policy, progress); }
  void Set(uint32_t stage, const std::string& node, State state) {
    progress.nodes[stage][node].state = state;
  }
  void SetAll(uint32_t stage, State state) {
    for (auto& [node, p] : progress.nodes[stage]) p.state = state;
  }
  RolloutPolicy policy;
  RolloutProgress progress;
};

TEST(Rollout, StartsAWholeBatchAndWaitsForIt) {
  Rollout rollout({Stage(1, {{"a", "b"}, {"c"}})});
  RolloutStep step = rollout.Next();
  EXPECT_EQ(step.kind, Kind::kStart);
  EXPECT_THAT(step.start, ElementsAre("a", "b"));
  rollout.Set(1, "a", State::kConverged);
  rollout.Set(1, "b", State::kRunning);
  EXPECT_EQ(rollout.Next().kind, Kind::kWait);
  rollout.Set(1, "b", State::kConverged);
  EXPECT_THAT(rollout.Next().start, ElementsAre("c"));
  rollout.Set(1, "c", State::kConverged);
  EXPECT_EQ(rollout.Next().kind, Kind::kDone);
}

TEST(Rollout, ForksBoundTheCallsInFlight) {
  Rollout rollout({Stage(1, {{"a", "b", "c"}})});
  rollout.policy.forks = 2;
  EXPECT_THAT(rollout.Next().start, ElementsAre("a", "b"));
  rollout.Set(1, "a", State::kRunning);
  rollout.Set(1, "b", State::kRunning);
  EXPECT_EQ(rollout.Next().kind, Kind::kWait);
  rollout.Set(1, "a", State::kConverged);
  EXPECT_THAT(rollout.Next().start, ElementsAre("c"));
}

TEST(Rollout, AStageIsABarrier) {
  Rollout rollout({Stage(1, {{"a", "b"}}), Stage(2, {{"a"}})});
  rollout.Set(1, "a", State::kConverged);
  rollout.Set(1, "b", State::kRunning);
  EXPECT_EQ(rollout.Next().kind, Kind::kWait);
  EXPECT_EQ(rollout.Next().stage, 1u);
}

class EveryBadEnd : public ::testing::TestWithParam<State> {};
TEST_P(EveryBadEnd, StopsLaterBatchesAndStages) {
  Rollout rollout({Stage(1, {{"a", "b"}, {"c"}}), Stage(2, {{"a"}})});
  rollout.Set(1, "a", State::kConverged);
  rollout.Set(1, "b", GetParam());
  RolloutStep step = rollout.Next();
  EXPECT_EQ(step.kind, Kind::kStop);
  EXPECT_THAT(step.why, HasSubstr("1 of 2 nodes did not converge (b "));
  EXPECT_THAT(step.why, HasSubstr("max_fail_percentage is 0"));
}
INSTANTIATE_TEST_SUITE_P(Ends, EveryBadEnd,
                         ::testing::Values(State::kFailed, State::kUnreachable, State::kRefused,
                                           State::kPending, State::kCancelled, State::kRolledBack));

TEST(Rollout, UnreachableNodesAreInsideTheBudgetAndLeaveTheRun) {
  Rollout rollout({Stage(1, {{"a", "b", "c", "d"}}, 25), Stage(2, {{"a", "b"}}, 25)});
  rollout.SetAll(1, State::kConverged);
  rollout.Set(1, "b", State::kUnreachable);  // 25 %: not exceeded
  RolloutStep step = rollout.Next();
  EXPECT_EQ(step.kind, Kind::kStart);
  EXPECT_THAT(step.start, ElementsAre("a"));  // b is not asked again
  rollout.Set(1, "c", State::kFailed);        // 50 %: exceeded
  EXPECT_EQ(rollout.Next().kind, Kind::kStop);
}

TEST(Rollout, ABudgetCountsPerBatch) {
  Rollout rollout({Stage(1, {{"a"}, {"b", "c", "d"}}, 40)});
  rollout.Set(1, "a", State::kFailed);  // one of four nodes, but the whole first batch
  EXPECT_EQ(rollout.Next().kind, Kind::kStop);
}

TEST(Rollout, NodesOutsideTheSelectionAreNotStarted) {
  Rollout rollout({Stage(1, {{"a", "b"}})});
  rollout.progress.nodes[1].erase("a");
  EXPECT_THAT(rollout.Next().start, ElementsAre("b"));
}

TEST(Rollout, InterruptedStartsNothingMoreButWaitsForWhatRuns) {
  Rollout rollout({Stage(1, {{"a", "b"}})});
  rollout.policy.forks = 1;
  rollout.Set(1, "a", State::kRunning);
  rollout.progress.interrupted = true;
  EXPECT_EQ(rollout.Next().kind, Kind::kWait);
  rollout.Set(1, "a", State::kConverged);
  RolloutStep step = rollout.Next();
  EXPECT_EQ(step.kind, Kind::kStop);
  EXPECT_EQ(step.why, "interrupted");
}

TEST(Rollout, PausesComeBeforeAndAfterTheirStageOnce) {
  StagePlan stage = Stage(1, {{"a"}});
  stage.pause_before = "ready?";
  stage.pause_after = "phones reset?";
  Rollout rollout({stage, Stage(2, {{"a"}})});
  RolloutStep step = rollout.Next();
  EXPECT_EQ(step.kind, Kind::kPause);
  EXPECT_EQ(step.prompt, "ready?");
  EXPECT_FALSE(step.pause_is_after);
  rollout.progress.pauses_passed.insert({1, false});
  EXPECT_EQ(rollout.Next().kind, Kind::kStart);
  rollout.Set(1, "a", State::kConverged);
  step = rollout.Next();
  EXPECT_EQ(step.kind, Kind::kPause);
  EXPECT_EQ(step.prompt, "phones reset?");
  EXPECT_TRUE(step.pause_is_after);
  rollout.progress.pauses_passed.insert({1, true});
  step = rollout.Next();
  EXPECT_EQ(step.kind, Kind::kStart);
  EXPECT_EQ(step.stage, 2u);
}

TEST(Rollout, AFailedStageDoesNotAskToContinue) {
  StagePlan stage = Stage(1, {{"a"}});
  stage.pause_after = "phones reset?";
  Rollout rollout({stage, Stage(2, {{"a"}})});
  rollout.Set(1, "a", State::kFailed);
  EXPECT_EQ(rollout.Next().kind, Kind::kStop);
}

}  // namespace
}  // namespace trustline::controller
