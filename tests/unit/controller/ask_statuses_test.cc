#include "controller/ask_statuses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/fakes/fake_fleet.h"

namespace trustline::controller {
namespace {

using ::trustline::testing::FakeFleet;

TEST(AskStatuses, CtrlCEndsTheWaitForANodeThatHangs) {
  FakeFleet fleet;
  fleet.hanging = {"b"};
  RunOptions options;
  options.forks = 2;
  bool pressed = false;
  options.interrupts = [&] { return pressed ? 1 : 0; };
  const NodeStatuses statuses = AskStatuses(fleet, {"a", "b"}, options, std::make_shared<Mailbox>(),
                                            [&](const std::vector<std::string>& waiting) {
                                              if (waiting == std::vector<std::string>{"b"})
                                                pressed = true;
                                            });
  ASSERT_EQ(statuses.size(), 2u);
  EXPECT_TRUE(statuses.at("a").ok());
  EXPECT_FALSE(statuses.at("b").ok());
}

TEST(AskStatuses, AsksNoMoreAtATimeThanForksAllow) {
  FakeFleet fleet;
  fleet.hanging = {"a", "b", "c"};
  RunOptions options;
  options.forks = 2;
  size_t most = 0;
  options.interrupts = [&] { return most > 0 ? 1 : 0; };
  const NodeStatuses statuses = AskStatuses(
      fleet, {"a", "b", "c"}, options, std::make_shared<Mailbox>(),
      [&](const std::vector<std::string>& waiting) { most = std::max(most, waiting.size()); });
  EXPECT_EQ(most, 2u);
  EXPECT_EQ(statuses.size(), 3u);
  EXPECT_TRUE(absl::IsCancelled(statuses.at("c").status()));
}

}  // namespace
}  // namespace trustline::controller
