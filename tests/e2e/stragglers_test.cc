// The ledger of phones through the real command: what it lists, and what it holds back.
#include "controller/history/history_store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/test_fleet.h"

namespace trustline::e2e {
namespace {

using controller::HistoryStore;
using ::testing::HasSubstr;

class StragglersCliTest : public ::testing::Test {
 protected:
  StragglersCliTest() {
    fleet_.Write("inventory.yml",
                 "all:\n  hosts:\n    src-pub: { ansible_host: 127.0.0.1, ansible_port: 1 }\n");
  }
  void Miss(const std::string& device) {
    const auto store = HistoryStore::Open(fleet_.history());
    ASSERT_TRUE(store.ok()) << store.status();
    ASSERT_TRUE((*store)
                    ->RecordArrivals("spring", "decommission", {{device, false, "does not answer"}},
                                     absl::FromUnixSeconds(1795305600))
                    .ok());
  }
  TestFleet fleet_;
};

TEST_F(StragglersCliTest, AreListedUntilTheyAreExcused) {
  EXPECT_EQ(fleet_.Operate({"stragglers", "list"}).exit_code, 66);
  Miss("SEP001B54AABB01");
  Miss("SEP001B54AABB02");
  const nlohmann::json list = Json(fleet_.Operate({"stragglers", "list", "-o", "json"}));
  ASSERT_EQ(list["stragglers"].size(), 2u) << list;
  EXPECT_EQ(list["stragglers"][0]["device"], "SEP001B54AABB01");
  EXPECT_EQ(list["stragglers"][0]["state"], "missing");
  EXPECT_EQ(fleet_.Operate({"stragglers", "list", "-o", "yaml", "--exchange", "autumn"}).out,
            "schema: trustline/1\nstragglers: []\n");

  EXPECT_EQ(fleet_.Operate({"stragglers", "excuse", "SEP001B54AABB01"}).exit_code, 64);
  const Finished excused =
      fleet_.Operate({"stragglers", "excuse", "SEP001B54AABB01", "--reason", "scrapped"});
  EXPECT_EQ(excused.exit_code, 0) << excused;
  EXPECT_EQ(fleet_.Operate({"stragglers", "excuse", "SEP001B54AABB01", "--reason", "x"}).exit_code,
            66);
  const Finished table = fleet_.Operate({"stragglers", "list", "--all", "--no-headers"});
  EXPECT_THAT(table.out, HasSubstr("scrapped (alice)"));
  EXPECT_THAT(table.out, HasSubstr("SEP001B54AABB02  missing"));
}

TEST_F(StragglersCliTest, ImportedTrustStaysWhileOneIsMissing) {
  Miss("SEP001B54AABB01");
  const Finished named = fleet_.Operate({"rollback", "-i", fleet_.inventory(), "--include-trust"});
  EXPECT_EQ(named.exit_code, 8) << named;
  EXPECT_THAT(named.err, HasSubstr("SEP001B54AABB01 (does not answer)"));
  // Nothing was begun, and without --include-trust it is not asked.
  EXPECT_EQ(Json(fleet_.Operate({"history", "list", "-o", "json"}))["runs"].size(), 0u);
  EXPECT_EQ(fleet_.Operate({"rollback", "-i", fleet_.inventory(), "-T", "2"}).exit_code, 4);
}

TEST_F(StragglersCliTest, APlanSaysThatADecommissioningStageWouldNotStart) {
  Miss("SEP001B54AABB01");
  const std::string playbook = fleet_.Write("decommission.yml",
                                            "- name: Take the source away\n  hosts: src-pub\n  "
                                            "require_no_stragglers: true\n  tasks:\n    "
                                            "- service: { name: tvs }\n");
  const Finished plan = fleet_.Operate({"plan", playbook, "-i", fleet_.inventory(), "-T", "2"});
  EXPECT_THAT(plan.err, HasSubstr("stage 1 \"Take the source away\" would not start: 1 phone has "
                                  "not arrived: SEP001B54AABB01"))
      << plan;
}

}  // namespace
}  // namespace trustline::e2e
