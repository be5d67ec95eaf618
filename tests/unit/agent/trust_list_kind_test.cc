// The steps of `trust_list` between honest nodes. What a hub or a node that lies can do:
// trust_list_tampering_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/fakes/list_certificates.h"
#include "tests/unit/agent/trust_list_fixture.h"
#include "trust/trust_list/list_verify.h"

namespace trustline::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST_F(TrustListKindTest, PublishPutsPublicCertificatesOnTheHub) {
  world_.GiveListIdentities("dst");
  Expect("dst-pub", kPublish, v1::OUTCOME_CHANGED);
  int manifests = 0;
  for (const auto& [path, bytes] : world_.server.Files()) {
    manifests += absl::EndsWith(path, ".manifest") ? 1 : 0;
    EXPECT_THAT(bytes, Not(HasSubstr("PRIVATE KEY"))) << path;
  }
  EXPECT_EQ(manifests, 3);  // CallManager, ITLRecovery, TVS
  Expect("dst-pub", kPublish, v1::OUTCOME_UNCHANGED);
}

TEST_F(TrustListKindTest, PublishNamesTheCertificateThatIsMissing) {
  world_.GiveIdentity("dst-sub1", "CallManager");
  Expect("dst-sub1", kPublish, v1::OUTCOME_PENDING, "dst-sub1 has no TVS certificate of its own");
}

TEST_F(TrustListKindTest, PublishRefusesTwoCertificatesOfOneUnit) {
  world_.GiveListIdentities("dst");
  world_.GiveIdentity("dst-sub1", "TVS");
  Expect("dst-sub1", kPublish, v1::OUTCOME_REFUSED, "holds 2 own certificates of TVS");
}

TEST_F(TrustListKindTest, BuildWaitsForEveryCertificateByName) {
  world_.GiveListIdentities("dst");
  Expect("dst-pub", kPublish, v1::OUTCOME_CHANGED);
  const std::string text = Expect("dst-pub", kBuild, v1::OUTCOME_PENDING,
                                  "no TVS of dst-sub1 (cluster dst) in exchange 'spring'");
  EXPECT_THAT(text, HasSubstr("no CallManager of dst-sub1"));
  EXPECT_THAT(ListsOnHub(), IsEmpty());
}

TEST_F(TrustListKindTest, ThePublisherBuildsEveryNodesListFrom125On) {
  Build("dst");
  EXPECT_THAT(ListsOnHub(), ElementsAre(HasSubstr("dst.dst-pub.itl.00000001."),
                                        HasSubstr("dst.dst-sub1.itl.00000001.")));
  Expect("dst-sub1", kBuild, v1::OUTCOME_UNCHANGED, "other nodes sign this cluster's lists");
  Expect("dst-pub", kInstall, v1::OUTCOME_CHANGED);
  Expect("dst-sub1", kInstall, v1::OUTCOME_CHANGED);
  const TrustList list = Installed("dst-sub1");
  EXPECT_TRUE(VerifyTrustList(list).verified());
  EXPECT_TRUE(VerifyListSignature(list, Own("dst-pub", "ITLRecovery")).ok());
  EXPECT_THAT(RecordsOf(list),
              ElementsAre(Entry(ListRole::kSast, "dst-pub", "ITLRecovery", "10.20.0.11"),
                          Entry(ListRole::kSast, "dst-sub1", "CallManager", "10.20.0.12"),
                          Entry(ListRole::kTftp, "dst-sub1", "CallManager", "10.20.0.12"),
                          Entry(ListRole::kTvs, "dst-pub", "TVS", "10.20.0.11"),
                          Entry(ListRole::kTvs, "dst-sub1", "TVS", "10.20.0.12")));
  EXPECT_EQ(list.header.digest, 1);
  EXPECT_EQ(list.header.signer_version, std::nullopt);
}

TEST_F(TrustListKindTest, WhatIsNoIpv4AddressIsNoAddressInTheList) {
  v1::Cluster& dst = *world_.topology.mutable_clusters(1);
  dst.mutable_nodes(0)->set_addresses(0, "10.20.300.11");
  dst.mutable_nodes(1)->set_addresses(0, "10.example.net");
  Build("dst");
  Expect("dst-sub1", kInstall, v1::OUTCOME_CHANGED);
  EXPECT_THAT(RecordsOf(Installed("dst-sub1")),
              ElementsAre(Entry(ListRole::kSast, "dst-pub", "ITLRecovery", "0.0.0.0"),
                          Entry(ListRole::kSast, "dst-sub1", "CallManager", "0.0.0.0"),
                          Entry(ListRole::kTftp, "dst-sub1", "CallManager", "0.0.0.0"),
                          Entry(ListRole::kTvs, "dst-pub", "TVS", "0.0.0.0"),
                          Entry(ListRole::kTvs, "dst-sub1", "TVS", "0.0.0.0")));
}

TEST_F(TrustListKindTest, Scenario02EveryTftpNodeSignsItsOwnListBelow12) {
  Build("src");
  for (const char* node : {"src-pub", "src-sub1"}) {
    Expect(node, kInstall, v1::OUTCOME_CHANGED);
    const TrustList list = Installed(node);
    EXPECT_TRUE(VerifyTrustList(list).verified());
    EXPECT_TRUE(VerifyListSignature(list, Own(node, "CallManager")).ok());
    EXPECT_THAT(RecordsOf(list)[1], HasSubstr(Own(node, "ITLRecovery").serial_hex()));
  }
  // Whoever trusts one node's signer does not trust the other's.
  EXPECT_TRUE(
      absl::IsNotFound(VerifyListSignature(Installed("src-sub1"), Own("src-pub", "CallManager"))));
}

TEST_F(TrustListKindTest, AListIsWrittenAnewOnlyWhenItTellsPhonesSomethingElse) {
  Build("dst");
  Expect("dst-sub1", kInstall, v1::OUTCOME_CHANGED);
  const std::string before = Installed("dst-sub1").bytes;
  for (const char* node : {"dst-pub", "dst-sub1"}) {
    world_.Node(node).host.clock.Advance(absl::Hours(48));
    Expect(node, kPublish, v1::OUTCOME_UNCHANGED);
  }
  Expect("dst-pub", kBuild, v1::OUTCOME_UNCHANGED);
  Expect("dst-sub1", kInstall, v1::OUTCOME_UNCHANGED);
  EXPECT_EQ(Installed("dst-sub1").bytes, before);

  Renew("dst-sub1", "TVS");
  Expect("dst-sub1", kPublish, v1::OUTCOME_CHANGED);
  Expect("dst-pub", kBuild, v1::OUTCOME_CHANGED);
  EXPECT_THAT(ListsOnHub(), ::testing::SizeIs(4));  // old ones stay
  Expect("dst-sub1", kInstall, v1::OUTCOME_CHANGED);
  EXPECT_NE(Installed("dst-sub1").bytes, before);
  EXPECT_THAT(RecordsOf(Installed("dst-sub1"))[4], HasSubstr(Own("dst-sub1", "TVS").serial_hex()));
}

TEST_F(TrustListKindTest, OnlyTheListThatDiffersIsBuiltAgain) {
  Build("dst");
  Renew("dst-sub1", "CallManager");
  Expect("dst-sub1", kPublish, v1::OUTCOME_CHANGED);
  Expect("dst-pub", kBuild, v1::OUTCOME_CHANGED);
  EXPECT_THAT(ListsOnHub(),
              ElementsAre(HasSubstr("dst-pub.itl.00000001"), HasSubstr("dst-sub1.itl.00000001"),
                          HasSubstr("dst-sub1.itl.00000002")));
}

TEST_F(TrustListKindTest, DevicesGetCopiesThatKeepTheNameInside) {
  Build("dst");
  v1::Resource install = world_.List(kInstall);
  install.mutable_trust_list()->add_devices("SEP001B54AABB01");
  install.mutable_trust_list()->add_devices("SEP001B54AABB02");
  ExpectRow("dst-sub1", install, v1::OUTCOME_CHANGED);
  for (const char* name : {"ITLFile.tlv", "ITLSEP001B54AABB01.tlv", "ITLSEP001B54AABB02.tlv"}) {
    const auto image = ReadServed("dst-sub1", name);
    ASSERT_TRUE(image.ok()) << name;
    EXPECT_EQ(image->mode, 0644u);
    EXPECT_EQ(image->bytes, Installed("dst-sub1").bytes);
  }
  EXPECT_EQ(Installed("dst-sub1").header.file_name, "ITLFile.tlv");
  ExpectRow("dst-sub1", install, v1::OUTCOME_UNCHANGED);
}

TEST_F(TrustListKindTest, AFileTheServerMayNotReadIsWrittenAgain) {
  Build("dst");
  Expect("dst-sub1", kInstall, v1::OUTCOME_CHANGED);
  FileImage image = *ReadServed("dst-sub1", "ITLFile.tlv");
  image.mode = 0600;
  image.uid = 7;
  world_.Node("dst-sub1").host.files.Put("/srv/tftp/ITLFile.tlv", image);
  Expect("dst-sub1", kInstall, v1::OUTCOME_CHANGED, "mode is not 0644");
  EXPECT_EQ(ReadServed("dst-sub1", "ITLFile.tlv")->mode, 0644u);
  EXPECT_EQ(ReadServed("dst-sub1", "ITLFile.tlv")->uid, 7u);  // whose it was
}

TEST_F(TrustListKindTest, RollbackBringsTheOldFileBack) {
  Build("dst");
  FileImage old;
  old.bytes = "the list of before";
  old.mode = 0640;
  old.uid = 7;
  world_.Node("dst-sub1").host.files.Put("/srv/tftp/ITLFile.tlv", old);
  v1::Resource install = world_.List(kInstall);
  install.mutable_trust_list()->add_devices("SEP001B54AABB01");
  ExpectRow("dst-sub1", install, v1::OUTCOME_CHANGED);
  ASSERT_TRUE(world_.Node("dst-sub1").Rollback().ok());
  EXPECT_EQ(*ReadServed("dst-sub1", "ITLFile.tlv"), old);
  EXPECT_TRUE(absl::IsNotFound(ReadServed("dst-sub1", "ITLSEP001B54AABB01.tlv").status()));
}

TEST_F(TrustListKindTest, InstallWaitsForTheListByName) {
  world_.GiveListIdentities("dst");
  Expect("dst-pub", kPublish, v1::OUTCOME_CHANGED);
  Expect("dst-sub1", kInstall, v1::OUTCOME_PENDING,
         "no list for the itl of dst-sub1 by dst-pub in exchange 'spring'");
  v1::Resource install = world_.List(kInstall);
  install.mutable_trust_list()->clear_tftp_root();
  ExpectRow("dst-sub1", install, v1::OUTCOME_REFUSED, "needs tftp_root");
}

TEST_F(TrustListKindTest, InstallWaitsWhenTheNodesFilesAreSignedByAnotherCallManager) {
  Build("dst");
  Renew("dst-sub1", "CallManager");
  Expect("dst-sub1", kInstall, v1::OUTCOME_PENDING, "names another CallManager");
  EXPECT_TRUE(absl::IsNotFound(ReadServed("dst-sub1", "ITLFile.tlv").status()));
}

TEST_F(TrustListKindTest, NodesThatServeNoFilesInstallNothing) {
  v1::ClusterNode& node = *world_.topology.mutable_clusters(1)->add_nodes();
  node.set_name("dst-sub2");
  node.add_roles(v1::NODE_ROLE_TVS);
  Build("dst");
  Expect("dst-sub2", kInstall, v1::OUTCOME_UNCHANGED, "serves no files to phones");
  Expect("dst-sub1", kInstall, v1::OUTCOME_CHANGED);
  EXPECT_EQ(Installed("dst-sub1").records.size(), 6u);  // its TVS is in every list
}

TEST_F(TrustListKindTest, MixedModeHasOneCtlForAllNodes) {
  Mixed("dst");
  world_.GiveListIdentities("dst");
  world_.PublishAndBuild("dst", v1::TRUST_LIST_TYPE_CTL);
  EXPECT_THAT(ListsOnHub(), ElementsAre(HasSubstr("lists/dst.ctl.00000001.")));
  for (const char* node : {"dst-pub", "dst-sub1"}) {
    ExpectRow(node, world_.List(kInstall, v1::TRUST_LIST_TYPE_CTL), v1::OUTCOME_CHANGED);
  }
  const TrustList ctl = Installed("dst-sub1", "CTLFile.tlv");
  EXPECT_EQ(ctl.bytes, Installed("dst-pub", "CTLFile.tlv").bytes);
  EXPECT_TRUE(ctl.IsCtl());
  EXPECT_TRUE(VerifyListSignature(ctl, Own("dst-pub", "ITLRecovery")).ok());
  EXPECT_THAT(RecordsOf(ctl),
              ElementsAre(Entry(ListRole::kSast, "dst-pub", "ITLRecovery", "10.20.0.11"),
                          Entry(ListRole::kSast, "dst-pub", "CallManager", "10.20.0.11"),
                          Entry(ListRole::kCcmTftp, "dst-pub", "CallManager", "10.20.0.11"),
                          Entry(ListRole::kCcmTftp, "dst-sub1", "CallManager", "10.20.0.12"),
                          Entry(ListRole::kCapf, "dst-pub", "CAPF", "10.20.0.11")));
  // And the ITL beside it.
  world_.PublishAndBuild("dst");
  Expect("dst-sub1", kInstall, v1::OUTCOME_CHANGED);
  EXPECT_TRUE(Installed("dst-sub1").records[2].Is(ListRole::kCcmTftp));
}

TEST_F(TrustListKindTest, ACtlThatCannotBeIsRefused) {
  world_.GiveListIdentities("dst");
  const v1::Resource build = world_.List(kBuild, v1::TRUST_LIST_TYPE_CTL);
  ExpectRow("dst-pub", build, v1::OUTCOME_REFUSED, "cluster dst is not in mixed mode");
}

TEST_F(TrustListKindTest, MixedModeWithoutCapfIsRefused) {
  Mixed("dst");
  world_.topology.mutable_clusters(1)->mutable_nodes(0)->mutable_roles()->RemoveLast();
  ExpectRow("dst-pub", world_.List(kBuild, v1::TRUST_LIST_TYPE_CTL), v1::OUTCOME_REFUSED,
            "no node has the role capf");
  Expect("dst-pub", kPublish, v1::OUTCOME_REFUSED, "no node has the role capf");
}

v1::Resource Empty(v1::Resource resource) {
  resource.mutable_trust_list()->set_content(v1::LIST_CONTENT_EMPTY);
  return resource;
}

TEST_F(TrustListKindTest, TheEmptyListOfTheRollbackParameterNamesCapfOnly) {
  world_.topology.mutable_clusters(1)->mutable_nodes(0)->add_roles(v1::NODE_ROLE_CAPF);
  Build("dst");
  Expect("dst-sub1", kInstall, v1::OUTCOME_CHANGED);
  // Whoever installs must want what was built.
  ExpectRow("dst-sub1", Empty(world_.List(kInstall)), v1::OUTCOME_PENDING, "is a full one");
  ExpectRow("dst-pub", Empty(world_.List(kBuild)), v1::OUTCOME_CHANGED);
  Expect("dst-sub1", kInstall, v1::OUTCOME_PENDING, "an empty one");
  ExpectRow("dst-sub1", Empty(world_.List(kInstall)), v1::OUTCOME_CHANGED);
  const TrustList list = Installed("dst-sub1");
  EXPECT_THAT(RecordsOf(list),
              ElementsAre(Entry(ListRole::kCapf, "dst-pub", "CAPF", "10.20.0.11")));
  // Phones take it by the signer their list names.
  EXPECT_TRUE(VerifyListSignature(list, Own("dst-pub", "ITLRecovery")).ok());
}

TEST_F(TrustListKindTest, Scenario16TheEmptyListIsRefusedInMixedMode) {
  Mixed("dst");
  for (const v1::TrustListStep step : {kBuild, kInstall}) {
    ExpectRow("dst-pub", Empty(world_.List(step)), v1::OUTCOME_REFUSED, "is in mixed mode");
  }
}

TEST_F(TrustListKindTest, Scenario38Sha512IsBuiltAndFlagged) {
  world_.GiveListIdentities("dst");
  for (const char* node : {"dst-pub", "dst-sub1"}) Expect(node, kPublish, v1::OUTCOME_CHANGED);
  v1::Resource build = world_.List(kBuild);
  build.mutable_trust_list()->set_digest(v1::LIST_DIGEST_SHA512);
  build.mutable_trust_list()->set_signer_version(true);
  ExpectRow("dst-pub", build, v1::OUTCOME_CHANGED, "phones that only know SHA-1");
  Expect("dst-pub", kInstall, v1::OUTCOME_CHANGED);
  EXPECT_EQ(Installed("dst-pub").header.digest, 3);
  EXPECT_EQ(Installed("dst-pub").header.signer_version, (ListVersion{1, 1}));
  // Going back to SHA-1 tells phones something else.
  Expect("dst-pub", kBuild, v1::OUTCOME_CHANGED);
}

TEST_F(TrustListKindTest, Scenario26ThirtyNineCertificatesAreBuilt) {
  AddTvsNodes(34);
  Build("dst");
  Expect("dst-sub1", kInstall, v1::OUTCOME_CHANGED);
  EXPECT_EQ(Installed("dst-sub1").records.size(), 39u);
}

TEST_F(TrustListKindTest, Scenario26MoreThan39CertificatesAreRefused) {
  AddTvsNodes(35);
  PublishAll("dst");
  Expect("dst-pub", kBuild, v1::OUTCOME_REFUSED,
         "the itl of dst-pub: the list has 40 certificates");
  EXPECT_THAT(ListsOnHub(), IsEmpty());
}

TEST_F(TrustListKindTest, Scenario26MoreThan64KilobytesAreRefused) {
  AddTvsNodes(30, /*name_bytes=*/200);
  PublishAll("dst");
  Expect("dst-pub", kBuild, v1::OUTCOME_REFUSED, "phones load 65536 at most");
  EXPECT_THAT(ListsOnHub(), IsEmpty());
}

TEST_F(TrustListKindTest, ASignerOf3072BitsIsRefused) {
  Identities("dst", {"CallManager", "TVS"});
  const Certificate signer =
      testing::ListCertificate({3072, "dst-pub recovery", "", "\x11\x22\x33"});
  Put("dst-pub", "ITLRecovery", signer, testing::ListKeyOfSize(3072));
  for (const char* node : {"dst-pub", "dst-sub1"}) Expect(node, kPublish, v1::OUTCOME_CHANGED);
  Expect("dst-pub", kBuild, v1::OUTCOME_REFUSED, "RSA key of 3072");
  EXPECT_THAT(ListsOnHub(), IsEmpty());
}

TEST_F(TrustListKindTest, WhichOfTwoKeysSignsIsNotGuessed) {
  Build("dst");
  world_.GiveIdentity("dst-pub", "ITLRecovery");
  Expect("dst-pub", kBuild, v1::OUTCOME_REFUSED, "which one signs is not guessed");
}

TEST_F(TrustListKindTest, TheSignerMustBePublishedAsItIs) {
  Build("dst");
  Renew("dst-pub", "ITLRecovery");
  Expect("dst-pub", kBuild, v1::OUTCOME_PENDING, "the hub holds another ITLRecovery of dst-pub");
}

TEST_F(TrustListKindTest, ANodeOfNoClusterHasNoLists) {
  for (const v1::TrustListStep step : {kPublish, kBuild, kInstall}) {
    Expect("stranger", step, v1::OUTCOME_REFUSED, "is a node of no cluster");
  }
}

}  // namespace
}  // namespace trustline::agent
