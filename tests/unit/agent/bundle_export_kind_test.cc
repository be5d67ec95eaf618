#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/fakes/two_clusters.h"
#include "trust/exchange.h"

namespace trustline::agent {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::TestPki;
using testing::UnitOptions;

class BundleExportKindTest : public ::testing::Test {
 protected:
  BelievedManifests Believed(const std::vector<std::string>& units) {
    FakeHub hub(&world_.server);
    const ExchangeTrust trust{
        "spring", world_.topology, {world_.fleet->root()}, world_.Node("src-pub").host.clock.Now()};
    return ReadManifests(hub, trust, units).value();
  }
  std::string ObjectOf(const ExpectedExport& who) {
    return "spring/" + Believed({who.unit}).manifests.at(who).object();
  }

  TwoClusters world_;
};

TEST_F(BundleExportKindTest, PublishesTheCertificateUnderASignedManifest) {
  const Certificate certificate = world_.GiveIdentity("src-pub", "CallManager");
  const v1::ResourcePlan plan = OnlyRow(world_.Node("src-pub").Plan({world_.Export()}));
  EXPECT_EQ(plan.outcome(), v1::OUTCOME_WOULD_CHANGE) << TextOf(plan);
  EXPECT_EQ(plan.summary(), "1 of 1 certificates not exported");
  EXPECT_TRUE(world_.server.Files().empty());

  EXPECT_EQ(OnlyRow(world_.Node("src-pub").Apply({world_.Export()})).outcome(),
            v1::OUTCOME_CHANGED);
  const BelievedManifests believed = Believed({"CallManager"});
  const v1::Manifest& manifest = believed.manifests.at({"src", "src-pub", "CallManager"});
  EXPECT_EQ(manifest.sequence(), 1u);
  ASSERT_EQ(manifest.certificates_size(), 1);
  EXPECT_EQ(manifest.certificates(0), certificate.sha256());
  FakeHub hub(&world_.server);
  const auto entries = ReadExport(hub, manifest, TwoClusters::kBundlePassword).value();
  EXPECT_EQ(entries.at(0).friendly_name, "CallManager of src-pub");
  EXPECT_TRUE(absl::IsPermissionDenied(ReadExport(hub, manifest, "another").status()));
}

TEST_F(BundleExportKindTest, SecondApplyPublishesNothing) {
  world_.GiveAllIdentities();
  world_.ExportAll({"CallManager", "ITLRecovery"});
  const auto before = world_.server.Files();
  for (const std::string& node : TwoClusters::NodeNames()) {
    const v1::ResourceOutcome row =
        OnlyRow(world_.Node(node).Apply({world_.Export({"CallManager", "ITLRecovery"})}));
    EXPECT_EQ(row.outcome(), v1::OUTCOME_UNCHANGED) << TextOf(row);
  }
  EXPECT_EQ(world_.server.Files(), before);
}

TEST_F(BundleExportKindTest, WritesTheHubNoPrivateKey) {
  world_.GiveAllIdentities();
  v1::Resource resource = world_.Export();
  resource.mutable_bundle_export()->clear_bundle_password();
  ASSERT_EQ(OnlyRow(world_.Node("src-pub").Apply({resource})).outcome(), v1::OUTCOME_CHANGED);
  FakeHub hub(&world_.server);
  // ReadBundle refuses a bundle with a key in it.
  EXPECT_TRUE(ReadBundle(*world_.server.Get(ObjectOf({"src", "src-pub", "CallManager"})), "").ok());
}

TEST_F(BundleExportKindTest, ExportsOnlyWhatTheVersionWantsFromThisNode) {
  world_.GiveAllIdentities();
  // From 12.5 on ITLRecovery is the publisher's alone: a stray copy on a subscriber is left out.
  world_.GiveIdentity("dst-sub1", "ITLRecovery");
  ASSERT_EQ(OnlyRow(world_.Node("dst-sub1").Apply({world_.Export({"ITLRecovery", "CallManager"})}))
                .outcome(),
            v1::OUTCOME_CHANGED);
  EXPECT_EQ(Believed({"ITLRecovery"}).manifests.size(), 0u);
  EXPECT_EQ(Believed({"CallManager"}).manifests.size(), 1u);
  const v1::ResourceOutcome row =
      OnlyRow(world_.Node("dst-sub1").Apply({world_.Export({"ITLRecovery"})}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_UNCHANGED);
  EXPECT_EQ(row.summary(), "nothing to export from this node");
}

TEST_F(BundleExportKindTest, WaitsForAnIdentityThatIsNotThere) {
  world_.GiveIdentity("src-pub", "CallManager");
  const v1::ResourceOutcome row =
      OnlyRow(world_.Node("src-pub").Apply({world_.Export({"CallManager", "ITLRecovery"})}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_PENDING);
  EXPECT_THAT(TextOf(row), AllOf(HasSubstr("src-pub has no ITLRecovery"), HasSubstr("11.5")));
  EXPECT_TRUE(world_.server.Files().empty());
}

TEST_F(BundleExportKindTest, ExportsNoCertificateWhoseKeyIsNotHere) {
  const Certificate certificate = world_.GiveIdentity("src-pub", "CallManager");
  const std::string path = TwoClusters::PathOf("CallManager", certificate);
  world_.Node("src-pub").host.files.Erase(path.substr(0, path.size() - 4) + ".key");
  const v1::ResourceOutcome row = OnlyRow(world_.Node("src-pub").Apply({world_.Export()}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_PENDING);
  EXPECT_THAT(TextOf(row), HasSubstr(path));
}

TEST_F(BundleExportKindTest, NodeOfNoClusterIsRefused) {
  const v1::ResourceOutcome row = OnlyRow(world_.Node("dhcp-a").Apply({world_.Export()}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_REFUSED);
  EXPECT_THAT(TextOf(row), HasSubstr("dhcp-a"));
}

TEST_F(BundleExportKindTest, AnAlteredBundleIsExportedAgainUnderAHigherSequence) {
  world_.GiveIdentity("src-pub", "CallManager");
  ASSERT_EQ(OnlyRow(world_.Node("src-pub").Apply({world_.Export()})).outcome(),
            v1::OUTCOME_CHANGED);
  const std::string object = ObjectOf({"src", "src-pub", "CallManager"});
  world_.server.Put(object, "altered");
  const v1::ResourceOutcome row = OnlyRow(world_.Node("src-pub").Apply({world_.Export()}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED);
  EXPECT_THAT(TextOf(row), HasSubstr("counts as absent"));
  EXPECT_EQ(Believed({"CallManager"}).manifests.at({"src", "src-pub", "CallManager"}).sequence(),
            2u);
  EXPECT_EQ(*world_.server.Get(object), "altered");  // nothing is ever overwritten
}

TEST_F(BundleExportKindTest, AnEmptiedHubIsFilledAgainAboveWhatOthersHaveBelieved) {
  const ExpectedExport who{"src", "src-pub", "CallManager"};
  const auto apply = [&] {
    return OnlyRow(world_.Node("src-pub").Apply({world_.Export()})).outcome();
  };
  world_.GiveIdentity("src-pub", "CallManager");
  EXPECT_EQ(apply(), v1::OUTCOME_CHANGED);
  world_.server.Remove(ObjectOf(who));
  EXPECT_EQ(apply(), v1::OUTCOME_CHANGED);
  EXPECT_EQ(Believed({"CallManager"}).manifests.at(who).sequence(), 2u);
  world_.server.Clear();
  EXPECT_EQ(apply(), v1::OUTCOME_CHANGED);
  EXPECT_EQ(Believed({"CallManager"}).manifests.at(who).sequence(), 3u);
  EXPECT_EQ(apply(), v1::OUTCOME_UNCHANGED);
}

TEST_F(BundleExportKindTest, AnOldStateOfTheHubIsSuperseded) {
  const ExpectedExport who{"src", "src-pub", "CallManager"};
  world_.GiveIdentity("src-pub", "CallManager");
  EXPECT_EQ(OnlyRow(world_.Node("src-pub").Apply({world_.Export()})).outcome(),
            v1::OUTCOME_CHANGED);
  const auto old = world_.server.Files();
  world_.server.Remove(ObjectOf(who));
  EXPECT_EQ(OnlyRow(world_.Node("src-pub").Apply({world_.Export()})).outcome(),
            v1::OUTCOME_CHANGED);
  world_.server.Clear();
  for (const auto& [path, bytes] : old) world_.server.Put(path, bytes);
  // The very same certificate, but no importer that saw #2 takes it from #1.
  const v1::ResourceOutcome row = OnlyRow(world_.Node("src-pub").Apply({world_.Export()}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED);
  EXPECT_THAT(TextOf(row), HasSubstr("on the hub is #1, but this node published #2"));
  EXPECT_EQ(Believed({"CallManager"}).manifests.at(who).sequence(), 3u);
}

TEST_F(BundleExportKindTest, AForgedManifestIsNamedAndSuperseded) {
  world_.GiveIdentity("src-pub", "CallManager");
  world_.server.Put("spring/manifests/src.src-pub.CallManager.00000007.manifest", "forged");
  const v1::ResourceOutcome row = OnlyRow(world_.Node("src-pub").Apply({world_.Export()}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED);
  EXPECT_THAT(TextOf(row), HasSubstr("00000007.manifest"));
  EXPECT_EQ(Believed({"CallManager"}).manifests.at({"src", "src-pub", "CallManager"}).sequence(),
            8u);
}

TEST_F(BundleExportKindTest, Scenario21ARegeneratedCertificateIsExportedAgain) {
  const Certificate old_one = world_.GiveIdentity("dst-pub", "CallManager");
  ASSERT_EQ(OnlyRow(world_.Node("dst-pub").Apply({world_.Export()})).outcome(),
            v1::OUTCOME_CHANGED);
  world_.TakeIdentity("dst-pub", "CallManager", old_one);
  const Certificate new_one = world_.GiveIdentity("dst-pub", "CallManager");

  const v1::ResourcePlan plan = OnlyRow(world_.Node("dst-pub").Plan({world_.Export()}));
  ASSERT_EQ(plan.changes_size(), 2);
  for (const v1::Change& change : plan.changes()) {
    const bool add = change.action() == v1::Change::ACTION_ADD;
    EXPECT_THAT(change.text(), HasSubstr((add ? new_one : old_one).serial_hex()));
  }
  EXPECT_EQ(OnlyRow(world_.Node("dst-pub").Apply({world_.Export()})).outcome(),
            v1::OUTCOME_CHANGED);
  const BelievedManifests believed = Believed({"CallManager"});
  const v1::Manifest& manifest = believed.manifests.at({"dst", "dst-pub", "CallManager"});
  EXPECT_EQ(manifest.sequence(), 2u);
  ASSERT_EQ(manifest.certificates_size(), 1);
  EXPECT_EQ(manifest.certificates(0), new_one.sha256());
}

TEST_F(BundleExportKindTest, Scenario23AFullDiskLeavesTheOldExportAndARetryIsSafe) {
  const Certificate old_one = world_.GiveIdentity("dst-pub", "CallManager");
  ASSERT_EQ(OnlyRow(world_.Node("dst-pub").Apply({world_.Export()})).outcome(),
            v1::OUTCOME_CHANGED);
  const auto before = world_.server.Files();
  world_.TakeIdentity("dst-pub", "CallManager", old_one);
  world_.GiveIdentity("dst-pub", "CallManager");
  uint64_t used = 0;
  for (const auto& [path, bytes] : before) used += bytes.size();
  world_.server.SetCapacity(used + 10);
  const v1::ResourceOutcome row = OnlyRow(world_.Node("dst-pub").Apply({world_.Export()}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_FAILED);
  EXPECT_EQ(world_.server.Files(), before);
  world_.server.SetCapacity(1 << 20);
  EXPECT_EQ(OnlyRow(world_.Node("dst-pub").Apply({world_.Export()})).outcome(),
            v1::OUTCOME_CHANGED);
}

TEST_F(BundleExportKindTest, WarnsOfAnExpiredCertificate) {
  UnitOptions options;
  options.not_after = world_.Node("src-pub").host.clock.Now() - absl::Hours(1);
  world_.GiveIdentity("src-pub", "CallManager", options);
  EXPECT_THAT(TextOf(OnlyRow(world_.Node("src-pub").Plan({world_.Export()}))),
              HasSubstr("expired on"));
}

TEST_F(BundleExportKindTest, MissingSecretIsPendingByName) {
  world_.GiveIdentity("src-pub", "CallManager");
  world_.Node("src-pub").secrets.mutable_by_name()->erase("env:BUNDLE_PASSWORD");
  const v1::ResourceOutcome row = OnlyRow(world_.Node("src-pub").Apply({world_.Export()}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_PENDING);
  EXPECT_THAT(TextOf(row), HasSubstr("secret env:BUNDLE_PASSWORD not held"));
}

}  // namespace
}  // namespace trustline::agent
