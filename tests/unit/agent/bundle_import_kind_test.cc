#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/fakes/two_clusters.h"
#include "trust/exchange.h"
#include "trust/sha256.h"

namespace trustline::agent {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::TestPki;
using testing::UnitOptions;

absl::Time Day(int year) {
  return absl::FromCivil(absl::CivilDay(year, 1, 1), absl::UTCTimeZone());
}

class BundleImportKindTest : public ::testing::Test {
 protected:
  KindHarness& node() { return world_.Node("src-sub1"); }
  // Stores of the node that hold the certificate.
  std::set<std::string> StoresWith(const Certificate& certificate) {
    std::set<std::string> stores;
    for (const char* store :
         {"CallManager-trust", "Phone-SAST-trust", "tomcat-trust", "CAPF-trust", "my-trust"}) {
      if (node().host.files.Read(TwoClusters::PathOf(store, certificate)).ok()) {
        stores.insert(store);
      }
    }
    return stores;
  }
  int TrustFiles() {
    int count = 0;
    for (const auto& [path, image] : node().host.files.Snapshot()) {
      count += absl::StrContains(path, "-trust/") ? 1 : 0;
    }
    return count;
  }
  // Somebody with an agent's identity publishes a consolidated bundle of his own.
  void PublishConsolidatedAs(const std::string& who, std::vector<BundleEntry> entries,
                             const std::vector<v1::Manifest>& manifests,
                             absl::string_view password = TwoClusters::kBundlePassword) {
    FakeHub hub(&world_.server);
    const NodeIdentity identity = world_.fleet->Agent(who);
    const uint64_t highest = HighestConsolidationSequence(hub, "spring", "CallManager").value();
    ASSERT_TRUE(PublishConsolidated(hub, "spring", "CallManager", std::move(entries), manifests,
                                    highest + 1, password, BundleProfile::kModern, who,
                                    identity.key, identity.certificate, Now())
                    .ok());
  }
  absl::Time Now() { return node().host.clock.Now(); }
  ExchangeTrust Trust() { return {"spring", world_.topology, {world_.fleet->root()}, Now()}; }
  Consolidated Bundle() {
    FakeHub hub(&world_.server);
    return ReadConsolidated(hub, Trust(), "CallManager", TwoClusters::kBundlePassword).value();
  }
  std::vector<v1::Manifest> Manifests() {
    FakeHub hub(&world_.server);
    std::vector<v1::Manifest> all;
    const BelievedManifests believed = ReadManifests(hub, Trust(), {"CallManager"}).value();
    for (const auto& [who, manifest] : believed.manifests) all.push_back(manifest);
    return all;
  }
  void ExpectNothingInstalled(v1::Outcome outcome, const std::string& words) {
    const auto before = node().host.files.Snapshot();
    const v1::ResourceOutcome row = OnlyRow(node().Apply({world_.Import()}));
    EXPECT_EQ(row.outcome(), outcome) << TextOf(row);
    EXPECT_THAT(TextOf(row), HasSubstr(words));
    for (const auto& [path, image] : node().host.files.Snapshot()) {
      if (absl::StrContains(path, "/documents/")) continue;
      EXPECT_EQ(before.count(path), 1u) << path;
    }
    EXPECT_THAT(row.DebugString(), Not(HasSubstr("canary")));
  }

  TwoClusters world_;
};

TEST_F(BundleImportKindTest, InstallsEveryCertificateWhereItsUnitBelongs) {
  world_.GiveAllIdentities();
  const std::vector<std::string> units = {"CallManager", "ITLRecovery"};
  world_.ExportAll(units);
  world_.Consolidate(units);
  const v1::ResourcePlan plan = OnlyRow(node().Plan({world_.Import(units)}));
  EXPECT_EQ(plan.summary(), "14 of 14 certificates missing");
  EXPECT_EQ(OnlyRow(node().Apply({world_.Import(units)})).outcome(), v1::OUTCOME_CHANGED);
  EXPECT_EQ(TrustFiles(), 14);
  for (const BundleEntry& entry : Bundle().entries) {
    EXPECT_EQ(StoresWith(entry.certificate),
              (std::set<std::string>{"CallManager-trust", "Phone-SAST-trust"}));
  }
  EXPECT_EQ(OnlyRow(node().Apply({world_.Import(units)})).outcome(), v1::OUTCOME_UNCHANGED);
}

TEST_F(BundleImportKindTest, ThePlanSaysWhichCertificateGoesWhere) {
  world_.GiveAllIdentities();
  const Certificate dst = world_.GiveIdentity("dst-pub", "CAPF");
  const Certificate src = world_.GiveIdentity("src-pub", "CAPF");
  world_.ExportAll({"CAPF"});
  world_.Consolidate({"CAPF"});
  node().host.files.Put(TwoClusters::PathOf("CallManager-trust", src), src.ToPem());
  const v1::ResourcePlan plan = OnlyRow(node().Plan({world_.Import({"CAPF"})}));
  EXPECT_EQ(plan.summary(), "1 of 2 certificates missing");
  EXPECT_EQ(plan.changes(0).text(),
            absl::StrCat("CallManager-trust  ", dst.subject(), "  serial ", dst.serial_hex(),
                         "  CAPF of dst-pub, expires 2044-01-01"));
}

TEST_F(BundleImportKindTest, FollowsAPlacementOfItsOwn) {
  world_.GiveAllIdentities();
  world_.ExportAll();
  world_.Consolidate();
  v1::Resource resource = world_.Import();
  v1::Placement* placement = resource.mutable_bundle_import()->add_placement();
  placement->set_unit("CallManager");
  placement->add_stores("my-trust");
  ASSERT_EQ(OnlyRow(node().Apply({resource})).outcome(), v1::OUTCOME_CHANGED);
  for (const BundleEntry& entry : Bundle().entries) {
    EXPECT_EQ(StoresWith(entry.certificate), (std::set<std::string>{"my-trust"}));
  }
}

TEST_F(BundleImportKindTest, BringsBackWhatSomebodyRemovedAndRemovesNothingItself) {
  world_.GiveAllIdentities();
  world_.ExportAll();
  world_.Consolidate();
  const Certificate other = TestPki::UnitCertificate("unrelated");
  const std::string other_path = TwoClusters::PathOf("CallManager-trust", other);
  node().host.files.Put(other_path, other.ToPem());
  ASSERT_EQ(OnlyRow(node().Apply({world_.Import()})).outcome(), v1::OUTCOME_CHANGED);
  EXPECT_TRUE(node().host.files.Read(other_path).ok());
  const Certificate gone = Bundle().entries[0].certificate;
  node().host.files.Erase(TwoClusters::PathOf("Phone-SAST-trust", gone));
  const v1::ResourceOutcome row = OnlyRow(node().Apply({world_.Import()}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED);
  EXPECT_EQ(row.changes_size(), 1);
  EXPECT_EQ(StoresWith(gone).size(), 2u);
}

TEST_F(BundleImportKindTest, WaitsForExportsAndThenForTheConsolidation) {
  world_.GiveAllIdentities();
  ExpectNothingInstalled(v1::OUTCOME_PENDING, "CallManager by dst-sub1 (cluster dst)");
  world_.ExportAll();
  ExpectNothingInstalled(v1::OUTCOME_PENDING, "consolidate first");
  world_.Consolidate();
  EXPECT_EQ(OnlyRow(node().Apply({world_.Import()})).outcome(), v1::OUTCOME_CHANGED);
}

TEST_F(BundleImportKindTest, Scenario12ARepeatedImportInstallsNothingTwice) {
  world_.GiveAllIdentities();
  world_.ExportAll();
  world_.Consolidate();
  // The run is cut off in the middle of the import, and repeated.
  node().host.calls.CrashAt(12);
  const absl::StatusOr<v1::StageReport> cut_off = node().Apply({world_.Import()});
  ASSERT_TRUE(node().host.calls.dead()) << cut_off.status();
  ASSERT_TRUE(node().Restart().ok());
  world_.ExportAll();
  world_.Consolidate();
  EXPECT_EQ(OnlyRow(node().Apply({world_.Import()})).outcome(), v1::OUTCOME_CHANGED);
  EXPECT_EQ(TrustFiles(), 8);
  EXPECT_EQ(OnlyRow(node().Apply({world_.Import()})).outcome(), v1::OUTCOME_UNCHANGED);
}

TEST_F(BundleImportKindTest, Scenario19OneNameInTwoClustersConflictsOnlyWhereOneIsKept) {
  node().host.layout.one_per_subject = {"CallManager-trust"};
  UnitOptions here, there;
  here.subject = there.subject = {{"CN", "cucm-pub"}};
  here.not_before = Day(2024);
  there.not_before = Day(2022);
  const Certificate held = TestPki::UnitCertificate("", here);
  node().host.files.Put(TwoClusters::PathOf("CallManager-trust", held), held.ToPem());
  world_.GiveIdentity("src-pub", "CallManager");
  world_.GiveIdentity("src-sub1", "CallManager");
  world_.GiveIdentity("dst-sub1", "CallManager");
  const Certificate newcomer = world_.GiveIdentity("dst-pub", "CallManager", there);
  world_.ExportAll();
  world_.Consolidate();
  const v1::ResourceOutcome row = OnlyRow(node().Apply({world_.Import()}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_REFUSED);
  EXPECT_THAT(TextOf(row), AllOf(HasSubstr(held.serial_hex()), HasSubstr(newcomer.serial_hex()),
                                 HasSubstr("CallManager-trust")));
  EXPECT_EQ(TrustFiles(), 1);
}

TEST_F(BundleImportKindTest, Scenario20ForeignCertificateInTheBundleIsRefusedByName) {
  world_.GiveAllIdentities();
  world_.ExportAll();
  world_.Consolidate();
  std::vector<BundleEntry> entries = Bundle().entries;
  const Certificate foreign = TestPki::UnitCertificate("intruder");
  entries.push_back({foreign, "CallManager of dst-pub"});
  PublishConsolidatedAs("dst-sub1", entries, Manifests());
  ExpectNothingInstalled(v1::OUTCOME_REFUSED, foreign.serial_hex());
  ExpectNothingInstalled(v1::OUTCOME_REFUSED, foreign.sha256_hex());
  ExpectNothingInstalled(v1::OUTCOME_REFUSED, foreign.subject());
}

TEST_F(BundleImportKindTest, Scenario20WrongPasswordIsRefused) {
  world_.GiveAllIdentities();
  world_.ExportAll();
  world_.Consolidate();
  const std::vector<BundleEntry> entries = Bundle().entries;
  for (const auto& [path, bytes] : world_.server.Files()) {
    if (absl::StrContains(path, "/consolidated/")) world_.server.Remove(path);
  }
  PublishConsolidatedAs("dst-pub", entries, Manifests(), "another password");
  ExpectNothingInstalled(v1::OUTCOME_REFUSED, "password");
}

TEST_F(BundleImportKindTest, Scenario20TruncatedOrAlteredBundleIsRefused) {
  world_.GiveAllIdentities();
  world_.ExportAll();
  world_.Consolidate();
  const std::string path = "spring/" + Bundle().index.p12_object();
  const std::string bytes = *world_.server.Get(path);
  world_.server.Put(path, bytes.substr(0, bytes.size() / 2));
  ExpectNothingInstalled(v1::OUTCOME_REFUSED, path);
  std::string altered = bytes;
  altered[altered.size() / 2] ^= 1;
  world_.server.Put(path, altered);
  ExpectNothingInstalled(v1::OUTCOME_REFUSED, path);
  world_.server.Put(path, bytes);
  EXPECT_EQ(OnlyRow(node().Apply({world_.Import()})).outcome(), v1::OUTCOME_CHANGED);
}

TEST_F(BundleImportKindTest, Scenario20PrivateKeyInTheBundleIsRefused) {
  world_.GiveAllIdentities();
  world_.ExportAll();
  world_.Consolidate();
  // An agent of the fleet signs for a PEM bundle with a key in it.
  Consolidated bundle = Bundle();
  const std::string with_key = WritePem(bundle.entries) + TestPki::UnitKey().ToPkcs8Pem();
  const NodeIdentity identity = world_.fleet->Agent("dst-pub");
  bundle.index.set_sequence(bundle.index.sequence() + 1);
  bundle.index.set_p12_sha256(Sha256(with_key));
  world_.server.Put("spring/" + bundle.index.p12_object(), with_key);
  world_.server.Put(absl::StrCat("spring/consolidated/consolidated.CallManager.0000000",
                                 bundle.index.sequence(), ".index"),
                    Seal("trustline.v1.ConsolidationIndex", bundle.index.SerializeAsString(),
                         identity.key, identity.certificate)
                        ->SerializeAsString());
  ExpectNothingInstalled(v1::OUTCOME_REFUSED, "private key");
}

TEST_F(BundleImportKindTest, Scenario21FollowsACertificateRegeneratedAfterTheExport) {
  world_.GiveAllIdentities();
  const Certificate old_one = world_.GiveIdentity("dst-pub", "CAPF");
  world_.GiveIdentity("src-pub", "CAPF");
  world_.ExportAll({"CAPF"});
  world_.Consolidate({"CAPF"});
  ASSERT_EQ(OnlyRow(node().Apply({world_.Import({"CAPF"})})).outcome(), v1::OUTCOME_CHANGED);
  world_.TakeIdentity("dst-pub", "CAPF", old_one);
  const Certificate new_one = world_.GiveIdentity("dst-pub", "CAPF");
  world_.ExportAll({"CAPF"});
  v1::ResourceOutcome row = OnlyRow(node().Apply({world_.Import({"CAPF"})}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_PENDING);
  EXPECT_THAT(TextOf(row), AllOf(HasSubstr("consolidate first"), HasSubstr("dst-pub")));
  world_.Consolidate({"CAPF"});
  row = OnlyRow(node().Apply({world_.Import({"CAPF"})}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED);
  EXPECT_EQ(StoresWith(new_one).size(), 1u);
  EXPECT_EQ(StoresWith(old_one).size(), 1u);  // trust is never taken away by an import
}

TEST_F(BundleImportKindTest, AnOldStatePutBackOnTheHubIsRefused) {
  world_.GiveAllIdentities();
  const Certificate compromised = world_.GiveIdentity("dst-pub", "CAPF");
  world_.GiveIdentity("src-pub", "CAPF");
  world_.ExportAll({"CAPF"});
  world_.Consolidate({"CAPF"});
  const auto old_hub = world_.server.Files();
  world_.TakeIdentity("dst-pub", "CAPF", compromised);
  world_.GiveIdentity("dst-pub", "CAPF");
  world_.ExportAll({"CAPF"});
  world_.Consolidate({"CAPF"});
  ASSERT_EQ(OnlyRow(node().Apply({world_.Import({"CAPF"})})).outcome(), v1::OUTCOME_CHANGED);
  ASSERT_TRUE(StoresWith(compromised).empty());

  world_.server.Clear();
  for (const auto& [path, bytes] : old_hub) world_.server.Put(path, bytes);
  const v1::ResourceOutcome row = OnlyRow(node().Apply({world_.Import({"CAPF"})}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_REFUSED);
  EXPECT_THAT(TextOf(row), AllOf(HasSubstr("dst-pub"), HasSubstr("#1"), HasSubstr("#2")));
  EXPECT_TRUE(StoresWith(compromised).empty());
}

TEST_F(BundleImportKindTest, ANewerManifestOfTheSameCertificatesIsRemembered) {
  world_.GiveAllIdentities();
  world_.ExportAll();
  world_.Consolidate();
  ASSERT_EQ(OnlyRow(node().Apply({world_.Import()})).outcome(), v1::OUTCOME_CHANGED);
  const auto old_hub = world_.server.Files();
  for (const auto& [path, bytes] : old_hub) {
    if (absl::StrContains(path, "exports/dst.dst-pub.")) world_.server.Put(path, "altered");
  }
  world_.ExportAll();  // dst-pub repairs its export under #2
  const v1::ResourceOutcome row = OnlyRow(node().Apply({world_.Import()}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED) << TextOf(row);
  ASSERT_EQ(row.changes_size(), 1);
  EXPECT_THAT(row.changes(0).text(), HasSubstr("dst/dst-pub#2"));
  EXPECT_EQ(OnlyRow(node().Apply({world_.Import()})).outcome(), v1::OUTCOME_UNCHANGED);
  world_.server.Clear();
  for (const auto& [path, bytes] : old_hub) world_.server.Put(path, bytes);
  EXPECT_EQ(OnlyRow(node().Apply({world_.Import()})).outcome(), v1::OUTCOME_REFUSED);
}

TEST_F(BundleImportKindTest, AForgedManifestInstallsNothing) {
  world_.GiveAllIdentities();
  for (const char* name : {"src-pub", "src-sub1", "dst-sub1"}) {
    ASSERT_EQ(OnlyRow(world_.Node(name).Apply({world_.Export()})).outcome(), v1::OUTCOME_CHANGED);
  }
  // dst-sub1 speaks for dst-pub: a certificate of its own choice.
  const Certificate intruder = TestPki::UnitCertificate("dst-pub");
  FakeHub hub(&world_.server);
  ExportToPublish forged;
  forged.who = {"dst", "dst-sub1", "CallManager"};
  forged.entries = {{intruder, "CallManager of dst-pub"}};
  forged.sequence = 9;
  const NodeIdentity forger = world_.fleet->Agent("dst-sub1");
  ASSERT_TRUE(PublishExport(hub, "spring", forged, TwoClusters::kBundlePassword,
                            BundleProfile::kModern, forger.key, forger.certificate, Now())
                  .ok());
  const std::string stolen =
      *world_.server.Get("spring/manifests/dst.dst-sub1.CallManager.00000009.manifest");
  world_.server.Remove("spring/manifests/dst.dst-sub1.CallManager.00000009.manifest");
  world_.server.Put("spring/manifests/dst.dst-pub.CallManager.00000009.manifest", stolen);
  ExpectNothingInstalled(v1::OUTCOME_PENDING, "dst.dst-pub.CallManager.00000009.manifest");
}

TEST_F(BundleImportKindTest, Scenario40OneNameInBothClustersKeepsBothSerials) {
  UnitOptions options;
  options.subject = {{"CN", "cucm-pub"}, {"O", "example"}};
  const Certificate src = world_.GiveIdentity("src-pub", "CallManager", options);
  const Certificate dst = world_.GiveIdentity("dst-pub", "CallManager", options);
  world_.GiveIdentity("src-sub1", "CallManager");
  world_.GiveIdentity("dst-sub1", "CallManager");
  ASSERT_EQ(src.subject_der(), dst.subject_der());
  ASSERT_NE(src.serial(), dst.serial());
  world_.ExportAll();
  world_.Consolidate();
  ASSERT_EQ(OnlyRow(node().Apply({world_.Import()})).outcome(), v1::OUTCOME_CHANGED);
  EXPECT_EQ(StoresWith(src).size(), 2u);
  EXPECT_EQ(StoresWith(dst).size(), 2u);
}

TEST_F(BundleImportKindTest, Scenario41ASerialWithItsTopBitSetIsKeptExactly) {
  world_.GiveAllIdentities();
  UnitOptions options;
  options.serial = std::string(
      "\xff\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
      "\x10\x11\x12\x13",
      20);
  options.subject = {{"CN", "dst, \"pub\""}, {"O", "M\xc3\xbcller"}};
  const Certificate odd = world_.GiveIdentity("dst-pub", "CAPF", options);
  UnitOptions one_byte;
  one_byte.serial = "\x01";
  const Certificate small = world_.GiveIdentity("src-pub", "CAPF", one_byte);
  world_.ExportAll({"CAPF"});
  world_.Consolidate({"CAPF"});
  ASSERT_EQ(OnlyRow(node().Apply({world_.Import({"CAPF"})})).outcome(), v1::OUTCOME_CHANGED);
  for (const Certificate& certificate : {odd, small}) {
    EXPECT_EQ(node().host.files.Read(TwoClusters::PathOf("CallManager-trust", certificate))->bytes,
              certificate.ToPem());
  }
}

TEST_F(BundleImportKindTest, PinsStandInForAClusterWithoutAgents) {
  world_.GiveAllIdentities();
  v1::Resource consolidation = world_.Consolidation(), import = world_.Import();
  std::vector<Certificate> pinned;
  for (const char* name : {"dst-pub", "dst-sub1"}) {
    pinned.push_back(TestPki::UnitCertificate(name));
    v1::BundlePin* pin = import.mutable_bundle_import()->add_pins();
    pin->set_cluster("dst");
    pin->set_node(name);
    pin->set_unit("CallManager");
    pin->set_sha256(pinned.back().sha256_hex());
    *consolidation.mutable_bundle_consolidation()->add_pins() = *pin;
    world_.server.Put(absl::StrCat("spring/exports/dst.", name, ".CallManager.pem"),
                      pinned.back().ToPem());
  }
  for (const char* name : {"src-pub", "src-sub1"}) {
    ASSERT_EQ(OnlyRow(world_.Node(name).Apply({world_.Export()})).outcome(), v1::OUTCOME_CHANGED);
  }
  ASSERT_EQ(OnlyRow(world_.Node("src-pub").Apply({consolidation})).outcome(), v1::OUTCOME_CHANGED);
  const v1::ResourceOutcome row = OnlyRow(node().Apply({import}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED) << TextOf(row);
  for (const Certificate& certificate : pinned) EXPECT_EQ(StoresWith(certificate).size(), 2u);
  // Without the pins the same bundle is not believed.
  EXPECT_EQ(OnlyRow(world_.Node("src-pub").Apply({world_.Import()})).outcome(),
            v1::OUTCOME_PENDING);
}

TEST_F(BundleImportKindTest, MergedFileFollowsTheImport) {
  node().host.layout.merged_files["Phone-SAST-trust"] = "/etc/merged/sast.pem";
  world_.GiveAllIdentities();
  world_.ExportAll();
  world_.Consolidate();
  ASSERT_EQ(OnlyRow(node().Apply({world_.Import()})).outcome(), v1::OUTCOME_CHANGED);
  std::string expected;
  for (const BundleEntry& entry : Bundle().entries) expected += entry.certificate.ToPem();
  EXPECT_EQ(node().host.files.Read("/etc/merged/sast.pem")->bytes, expected);
  node().host.files.Erase("/etc/merged/sast.pem");
  const v1::ResourceOutcome row = OnlyRow(node().Apply({world_.Import()}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED);
  EXPECT_EQ(row.changes_size(), 1);
  EXPECT_EQ(node().host.files.Read("/etc/merged/sast.pem")->bytes, expected);
}

TEST_F(BundleImportKindTest, TwoImportsOfOneStageMayMeetInOneStore) {
  node().host.layout.merged_files["CallManager-trust"] = "/etc/merged/cm.pem";
  world_.GiveAllIdentities();
  world_.ExportAll({"CallManager", "ITLRecovery"});
  world_.Consolidate({"CallManager", "ITLRecovery"});
  v1::Resource both = world_.Import({"CallManager", "ITLRecovery"});
  v1::Resource one = world_.Import({"CallManager"});
  one.set_id("the same again");
  const absl::StatusOr<v1::StageReport> report = node().Apply({both, one});
  ASSERT_TRUE(report.ok());
  for (const v1::ResourceOutcome& row : report->resources()) {
    EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED) << TextOf(row);
  }
  EXPECT_EQ(TrustFiles(), 14);
}

TEST_F(BundleImportKindTest, RollbackKeepsTrustUnlessToldOtherwise) {
  world_.GiveAllIdentities();
  world_.ExportAll();
  world_.Consolidate();
  ASSERT_EQ(OnlyRow(node().Apply({world_.Import()})).outcome(), v1::OUTCOME_CHANGED);
  ASSERT_TRUE(node().Rollback().ok());
  EXPECT_EQ(TrustFiles(), 8);
  ASSERT_TRUE(node().Rollback(/*include_trust=*/true).ok());
  EXPECT_EQ(TrustFiles(), 0);
}

TEST_F(BundleImportKindTest, ADamagedRecordIsNamedAndNothingIsInstalled) {
  world_.GiveAllIdentities();
  world_.ExportAll();
  world_.Consolidate();
  const std::string record = "/var/lib/trustline/kinds/bundle_import/spring.CallManager.sequences";
  node().host.files.Put(record, std::string("nonsense\n"));
  ExpectNothingInstalled(v1::OUTCOME_FAILED, record);
}

TEST_F(BundleImportKindTest, AHubThatDoesNotAnswerIsAFailure) {
  world_.GiveAllIdentities();
  world_.ExportAll();
  world_.Consolidate();
  world_.server.FailEveryCall(absl::UnavailableError("the link dropped"));
  ExpectNothingInstalled(v1::OUTCOME_FAILED, "the link dropped");
}

}  // namespace
}  // namespace trustline::agent
