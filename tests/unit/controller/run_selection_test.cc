// --start-at-task and --step, and whose line the recap has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/exit_codes.h"
#include "controller/runner.h"
#include "tests/fakes/fake_fleet.h"

namespace trustline::controller {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;
using ::trustline::testing::FakeFleet;

v1::Resource Task(uint32_t stage, const std::string& title) {
  v1::Resource resource;
  resource.set_stage(stage);
  resource.set_task(title);
  resource.set_id(title + " id");
  return resource;
}

// Two stages; b skips "second" and has a handler.
RunInput Input() {
  RunInput input;
  input.playbook.name = "p";
  for (uint32_t number = 1; number <= 3; ++number) {
    StagePlan stage;
    stage.number = number;
    stage.play = "play " + std::to_string(number);
    stage.hosts = {"a", "b"};
    stage.batches = {stage.hosts};
    input.playbook.stages.push_back(stage);
  }
  v1::DesiredState a, b;
  for (const char* title : {"first", "second", "third"}) *a.add_resources() = Task(2, title);
  *b.add_resources() = Task(2, "first");
  *b.add_resources() = Task(2, "third");
  *b.add_resources() = Task(2, "handler");
  b.mutable_resources(2)->add_notified_by("first id");
  *a.add_resources() = Task(1, "early");
  *b.add_resources() = Task(3, "late");
  input.playbook.documents = {{"a", a}, {"b", b}};
  for (const char* node : {"a", "b"}) input.envelopes[node].set_payload(node);
  SelectResources(Mask(), {"a", "b"}, input);
  return input;
}

TEST(StartAtTask, LeavesOutWhatComesBeforeOnEveryNode) {
  RunInput input = Input();
  ASSERT_TRUE(StartAtTask("second", input).ok());
  EXPECT_THAT(input.selected[2],
              UnorderedElementsAre(Pair("a", ElementsAre("second id", "third id")),
                                   // Its "second" was skipped; "first" comes before it elsewhere.
                                   Pair("b", ElementsAre("third id", "handler id"))));
  EXPECT_FALSE(input.selected.contains(1));
  EXPECT_TRUE(input.selected.contains(3));
}

TEST(StartAtTask, TheFirstTaskOfAStageLeavesTheStageWhole) {
  RunInput input = Input();
  ASSERT_TRUE(StartAtTask("first", input).ok());
  EXPECT_THAT(input.selected[2], UnorderedElementsAre(Pair("a", IsEmpty()), Pair("b", IsEmpty())));
}

TEST(StartAtTask, ANodeWithNothingLeftIsNotAsked) {
  RunInput input = Input();
  ASSERT_TRUE(StartAtTask("late", input).ok());
  EXPECT_EQ(input.selected.size(), 1u);
  EXPECT_THAT(input.selected[3], UnorderedElementsAre(Pair("b", IsEmpty())));
}

TEST(StartAtTask, AnUnknownTaskIsNamedWithTheNearestOne) {
  RunInput input = Input();
  const absl::Status status = StartAtTask("secnd", input);
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(status.message(),
            "--start-at-task: no task \"secnd\" is selected (did you mean \"second\"?)");
}

TEST(StartAtTask, OnlySelectedTasksCount) {
  RunInput input = Input();
  input.selected.clear();
  SelectResources(Mask(), {"b"}, input);
  EXPECT_TRUE(absl::IsNotFound(StartAtTask("second", input)));
}

TEST(Step, AsksBeforeEveryStageThatAsksNodes) {
  FakeFleet fleet;
  RunInput input = Input();
  input.playbook.stages[1].pause_before = "Window open?";
  input.selected.erase(1);
  AskBeforeEveryStage(input);
  std::vector<std::string> prompts;
  RunOptions options;
  options.run_id = "r";
  options.confirm = [&](const std::string& prompt, const std::function<void()>&) {
    prompts.push_back(prompt);
    return prompts.size() < 2;
  };
  RunObserver quiet;
  const RunRecord record = RunApply(fleet, input, options, quiet);
  EXPECT_THAT(prompts, ElementsAre("Next: stage 2 \"play 2\" on a, b\nWindow open?",
                                   "Next: stage 3 \"play 3\" on b"));
  EXPECT_THAT(fleet.Calls(), Contains("apply a 2"));
  EXPECT_THAT(fleet.Calls(), Not(Contains("apply b 3")));
  EXPECT_EQ(ExitCodeOf(record), kExitAwaitingConfirm);
}

TEST(Recap, ListsHostsWhoseTasksWereAllSkipped) {
  FakeFleet fleet;
  RunInput input = Input();
  input.playbook.skipped = {{"a", 1, "x"}, {"c", 1, "x"}, {"c", 2, "y"}, {"d", 1, "x"}};
  input.allowed = {"a", "b", "c"};
  RunOptions options;
  options.run_id = "r";
  RunObserver quiet;
  const RunRecord record = RunApply(fleet, input, options, quiet);
  EXPECT_THAT(record.nodes, ElementsAre("a", "b", "c"));
  EXPECT_EQ(CountRecap(record)["c"].skipped, 2);
  EXPECT_EQ(CountRecap(record)["a"].skipped, 1);
  EXPECT_THAT(fleet.Calls(), Not(Contains("lease take c")));
  EXPECT_EQ(ExitCodeOf(record), kExitOk);
}

}  // namespace
}  // namespace trustline::controller
