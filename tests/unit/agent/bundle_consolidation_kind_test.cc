#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "tests/fakes/two_clusters.h"
#include "trust/exchange.h"

namespace trustline::agent {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::TestPki;
using testing::UnitOptions;

class BundleConsolidationKindTest : public ::testing::Test {
 protected:
  absl::StatusOr<Consolidated> Read(const std::string& unit = "CallManager") {
    FakeHub hub(&world_.server);
    const ExchangeTrust trust{
        "spring", world_.topology, {world_.fleet->root()}, world_.Node("src-pub").host.clock.Now()};
    return ReadConsolidated(hub, trust, unit, TwoClusters::kBundlePassword);
  }

  TwoClusters world_;
};

TEST_F(BundleConsolidationKindTest, MergesEveryExportOfEveryUnit) {
  world_.GiveAllIdentities();
  world_.ExportAll({"CallManager", "ITLRecovery"});
  const v1::ResourceOutcome row =
      OnlyRow(world_.Node("src-pub").Apply({world_.Consolidation({"CallManager", "ITLRecovery"})}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED) << TextOf(row);
  EXPECT_EQ(row.changes_size(), 7);
  EXPECT_EQ(Read("CallManager")->entries.size(), 4u);
  EXPECT_EQ(Read("ITLRecovery")->entries.size(), 3u);
  EXPECT_EQ(Read("CallManager")->index.manifests_size(), 4);
}

TEST_F(BundleConsolidationKindTest, AnyNodeComesToTheSameSet) {
  world_.GiveAllIdentities();
  world_.ExportAll();
  world_.Consolidate();
  const auto before = world_.server.Files();
  for (const std::string& node : TwoClusters::NodeNames()) {
    const v1::ResourceOutcome row = OnlyRow(world_.Node(node).Apply({world_.Consolidation()}));
    EXPECT_EQ(row.outcome(), v1::OUTCOME_UNCHANGED) << TextOf(row);
  }
  EXPECT_EQ(world_.server.Files(), before);
}

TEST_F(BundleConsolidationKindTest, LookingAgainReadsNoExport) {
  world_.GiveAllIdentities();
  world_.ExportAll();
  world_.Consolidate();
  world_.server.ClearLog();
  ASSERT_EQ(OnlyRow(world_.Node("dst-pub").Plan({world_.Consolidation()})).outcome(),
            v1::OUTCOME_UNCHANGED);
  for (const FakeHubCall& call : world_.server.log()) {
    EXPECT_FALSE(absl::StartsWith(call.path, "spring/exports/")) << call.path;
  }
}

TEST_F(BundleConsolidationKindTest, WaitsForEveryExpectedExportByName) {
  world_.GiveAllIdentities();
  for (const char* node : {"src-pub", "dst-pub"}) {
    ASSERT_EQ(OnlyRow(world_.Node(node).Apply({world_.Export()})).outcome(), v1::OUTCOME_CHANGED);
  }
  const v1::ResourceOutcome row = OnlyRow(world_.Node("dst-pub").Apply({world_.Consolidation()}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_PENDING);
  EXPECT_THAT(TextOf(row), AllOf(HasSubstr("CallManager by src-sub1 (cluster src)"),
                                 HasSubstr("CallManager by dst-sub1 (cluster dst)")));
  EXPECT_TRUE(absl::IsNotFound(Read().status()));
}

TEST_F(BundleConsolidationKindTest, Scenario22ExportsOfOneClusterOnlyAreRefused) {
  world_.GiveAllIdentities();
  for (const char* node : {"src-pub", "src-sub1"}) {
    ASSERT_EQ(OnlyRow(world_.Node(node).Apply({world_.Export()})).outcome(), v1::OUTCOME_CHANGED);
  }
  // The other cluster used another directory: to this exchange that looks the same.
  const v1::ResourceOutcome row = OnlyRow(world_.Node("dst-pub").Apply({world_.Consolidation()}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_REFUSED);
  EXPECT_THAT(TextOf(row),
              AllOf(HasSubstr("only cluster src has exported"), HasSubstr("nothing of cluster dst"),
                    HasSubstr("is every cluster using exchange 'spring' in directory '/bulk'?")));
  EXPECT_TRUE(absl::IsNotFound(Read().status()));
}

TEST_F(BundleConsolidationKindTest, Scenario22ATopologyOfOneClusterIsRefused) {
  world_.topology.mutable_clusters()->RemoveLast();
  const v1::ResourceOutcome row = OnlyRow(world_.Node("src-pub").Apply({world_.Consolidation()}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_REFUSED);
  EXPECT_THAT(TextOf(row), HasSubstr("cluster"));
}

TEST_F(BundleConsolidationKindTest, FollowsARegeneratedCertificate) {
  world_.GiveAllIdentities();
  const Certificate old_one = world_.GiveIdentity("dst-pub", "tomcat");
  for (const char* node : {"src-pub", "src-sub1", "dst-sub1"}) {
    world_.GiveIdentity(node, "tomcat");
  }
  world_.ExportAll({"tomcat"});
  world_.Consolidate({"tomcat"});
  world_.TakeIdentity("dst-pub", "tomcat", old_one);
  const Certificate new_one = world_.GiveIdentity("dst-pub", "tomcat");
  world_.ExportAll({"tomcat"});
  const v1::ResourceOutcome row =
      OnlyRow(world_.Node("src-pub").Apply({world_.Consolidation({"tomcat"})}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED);
  EXPECT_EQ(row.changes_size(), 2);
  const auto consolidated = Read("tomcat");
  for (const BundleEntry& entry : consolidated->entries) {
    EXPECT_FALSE(entry.certificate == old_one);
  }
}

TEST_F(BundleConsolidationKindTest, AnAlteredBundleIsMadeAgain) {
  world_.GiveAllIdentities();
  world_.ExportAll();
  world_.Consolidate();
  world_.server.Put("spring/" + Read()->index.p12_object(), "altered");
  ASSERT_FALSE(Read().ok());
  const v1::ResourceOutcome row = OnlyRow(world_.Node("dst-pub").Apply({world_.Consolidation()}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED) << TextOf(row);
  EXPECT_THAT(TextOf(row), HasSubstr("counts as absent"));
  EXPECT_EQ(Read()->entries.size(), 4u);
}

TEST_F(BundleConsolidationKindTest, AnAlteredExportIsNotMerged) {
  world_.GiveAllIdentities();
  world_.ExportAll();
  for (const auto& [path, bytes] : world_.server.Files()) {
    if (absl::StrContains(path, "exports/src.src-sub1")) world_.server.Put(path, "altered");
  }
  const v1::ResourceOutcome row = OnlyRow(world_.Node("dst-pub").Apply({world_.Consolidation()}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_PENDING);
  EXPECT_THAT(TextOf(row), AllOf(HasSubstr("src-sub1"), HasSubstr("altered")));
  EXPECT_TRUE(absl::IsNotFound(Read().status()));
}

TEST_F(BundleConsolidationKindTest, MergesPinnedCertificatesOfAClusterWithoutAgents) {
  world_.GiveAllIdentities();
  v1::Resource resource = world_.Consolidation();
  std::vector<Certificate> pinned;
  for (const char* node : {"src-pub", "src-sub1"}) {
    pinned.push_back(TestPki::UnitCertificate(node));
    v1::BundlePin* pin = resource.mutable_bundle_consolidation()->add_pins();
    pin->set_cluster("src");
    pin->set_node(node);
    pin->set_unit("CallManager");
    pin->set_sha256(pinned.back().sha256_hex());
  }
  for (const char* node : {"dst-pub", "dst-sub1"}) {
    ASSERT_EQ(OnlyRow(world_.Node(node).Apply({world_.Export()})).outcome(), v1::OUTCOME_CHANGED);
  }
  // One is there, with a stranger in the same file; the other is not yet.
  world_.server.Put("spring/exports/src.src-pub.CallManager.pem",
                    pinned[0].ToPem() + TestPki::UnitCertificate("stranger").ToPem());
  v1::ResourceOutcome row = OnlyRow(world_.Node("dst-pub").Apply({resource}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_PENDING) << TextOf(row);
  EXPECT_THAT(TextOf(row), HasSubstr("src-sub1"));
  world_.server.Put("spring/exports/src.src-sub1.CallManager.cer", pinned[1].der());
  row = OnlyRow(world_.Node("dst-pub").Apply({resource}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED) << TextOf(row);
  EXPECT_EQ(Read()->entries.size(), 4u);
  EXPECT_EQ(OnlyRow(world_.Node("dst-pub").Apply({resource})).outcome(), v1::OUTCOME_UNCHANGED);
}

}  // namespace
}  // namespace trustline::agent
