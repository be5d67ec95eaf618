// What an agent finds changed on its node when it starts.
#include <filesystem>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/test_fleet.h"

namespace trustline::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(DriftTest, AnAgentSaysAtItsStartWhatWasChangedByHandMeanwhile) {
  TestFleet fleet;
  Node& node = fleet.Add("node-a");
  ASSERT_TRUE(fleet.StartAll());
  const auto write_inventory = [&] {
    fleet.Write("inventory.yml", "all:\n  hosts:\n    node-a: " + fleet.Reach("node-a") + "\n");
  };
  write_inventory();
  fleet.Write("peer.pem", testing::TestPki::UnitCertificate("peer").ToPem());
  const std::string playbook = fleet.Write(
      "peer.yml",
      "- hosts: all\n  tasks:\n    - certificate: { unit: CallManager-trust, src: peer.pem }\n");
  const Finished applied = fleet.Operate({"apply", playbook, "-i", fleet.inventory()});
  ASSERT_EQ(applied.exit_code, 0) << applied;

  // Unchanged: nothing is said. It has looked when it has stopped.
  ASSERT_EQ(node.Stop().exit_code, 0);
  ASSERT_TRUE(node.Start()) << node.log();
  ASSERT_EQ(node.Stop().exit_code, 0);
  EXPECT_THAT(node.log(), Not(HasSubstr("drifted")));

  const std::string store = node.certificates() + "/CallManager-trust";
  ASSERT_FALSE(NamesIn(store).empty());
  for (const std::string& name : NamesIn(store)) std::filesystem::remove(store + "/" + name);
  ASSERT_TRUE(node.Start()) << node.log();
  EXPECT_TRUE(Eventually(absl::Seconds(60), [&] {
    return absl::StrContains(node.log(), "warning drifted playbook=");
  })) << node.log();
  EXPECT_THAT(node.log(), HasSubstr("CallManager-trust"));
  // It only says so: what was removed is put back by the next apply.
  EXPECT_TRUE(NamesIn(store).empty());
  write_inventory();
  const Finished status = fleet.Operate({"status", "-i", fleet.inventory()});
  EXPECT_THAT(status.out, HasSubstr("CallManager-trust")) << status;
}

}  // namespace
}  // namespace trustline::e2e
