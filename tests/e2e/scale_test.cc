// Fifty agents on one machine.
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/test_fleet.h"

namespace trustline::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

TEST(ScaleTest, FiftyAgentsConvergeInOneRunAndTheSecondChangesNothing) {
  constexpr int kAgents = 50;
  TestFleet fleet;
  for (int i = 1; i <= kAgents; ++i) fleet.Add(absl::StrFormat("node%02d", i));
  ASSERT_TRUE(fleet.StartAll());
  std::string inventory = "all:\n  hosts:\n";
  for (Node* node : fleet.nodes())
    absl::StrAppend(&inventory, "    ", node->name(), ": ", fleet.Reach(node->name()), "\n");
  fleet.Write("inventory.yml", inventory);
  fleet.Write("peer.pem", testing::TestPki::UnitCertificate("peer").ToPem());
  const std::string playbook =
      fleet.Write("trust.yml",
                  "- name: Trust the peer\n  hosts: all\n  tasks:\n    - name: The peer's "
                  "certificate\n      certificate: { unit: "
                  "CallManager-trust, src: peer.pem }\n      notify: restart TVS\n  handlers:\n    "
                  "- name: restart TVS\n      service: { name: "
                  "tvs, state: restarted }\n");
  const Finished first = fleet.Operate({"apply", playbook, "-i", fleet.inventory(), "-o", "json"});
  ASSERT_EQ(first.exit_code, 0) << first;
  EXPECT_THAT(RowsOf(Json(first), "changed"), SizeIs(2 * kAgents));
  EXPECT_THAT(RowsOtherThan(Json(first), "changed"), IsEmpty());
  const Finished second = fleet.Operate({"apply", playbook, "-i", fleet.inventory(), "-o", "json"});
  ASSERT_EQ(second.exit_code, 0) << second;
  EXPECT_THAT(RowsOf(Json(second), "unchanged"), SizeIs(2 * kAgents));
  EXPECT_THAT(RowsOtherThan(Json(second), "unchanged"), IsEmpty());
  // Few calls at a time give the same.
  const Finished few =
      fleet.Operate({"apply", playbook, "-i", fleet.inventory(), "-o", "json", "--forks", "3"});
  EXPECT_EQ(few.exit_code, 0);
  for (Node* node : fleet.nodes()) EXPECT_EQ(node->service_restarts(), 1) << node->name();
  std::cout << kAgents << " agents: first run " << first.took << ", second run " << second.took
            << ", three at a time " << few.took << "\n";
}

}  // namespace
}  // namespace trustline::e2e
