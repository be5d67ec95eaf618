// What whoever owns the hub, or one node, can do to trust lists: withhold them, and nothing else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/unit/agent/trust_list_fixture.h"
#include "trust/envelope.h"
#include "trust/exchange_names.h"
#include "trust/list_exchange.h"
#include "trust/sha256.h"
#include "trust/trust_list/list_verify.h"
#include "trust/trust_list/list_writer.h"

namespace trustline::agent {
namespace {

using ::testing::HasSubstr;

class TrustListTamperingTest : public TrustListKindTest {
 protected:
  // The list dst-sub1 is to serve.
  static ExpectedList ListOfSub1(const std::string& builder = "dst-pub") {
    ExpectedList list;
    list.cluster = "dst";
    list.node = "dst-sub1";
    list.signer = {"dst", builder, "ITLRecovery"};
    return list;
  }
  absl::Time Now() { return world_.Node("dst-pub").host.clock.Now(); }
  ExchangeTrust Trust() { return {"spring", world_.topology, {world_.fleet->root()}, Now()}; }
  std::string OnHub(uint64_t sequence) {
    for (const std::string& path : ListsOnHub()) {
      if (absl::StrContains(path, absl::StrCat("dst-sub1.itl.0000000", sequence))) return path;
    }
    return "";
  }
  static std::string ManifestPath(uint64_t sequence) {
    return absl::StrCat("spring/", ListManifestFile("dst.dst-sub1.itl", sequence));
  }
  // `node` puts `bytes` onto the hub as the list of dst-sub1, as `node` or in another's name.
  void PublishAs(const std::string& node, absl::string_view bytes, uint64_t sequence) {
    FakeHub hub(&world_.server);
    const NodeIdentity identity = world_.fleet->Agent(node);
    ASSERT_EQ(PublishList(hub, "spring", ListOfSub1(node), bytes, sequence, identity.key,
                          identity.certificate, Now()),
              absl::OkStatus());
  }
  // dst-sub1 installs nothing and says why; what it serves stays what it was.
  void ExpectNothingInstalled(v1::Outcome outcome, const std::string& words) {
    const auto before = ReadServed("dst-sub1", "ITLFile.tlv");
    Expect("dst-sub1", kInstall, outcome, words);
    const auto after = ReadServed("dst-sub1", "ITLFile.tlv");
    EXPECT_EQ(after.status().code(), before.status().code());
    if (before.ok() && after.ok()) {
      EXPECT_EQ(*after, *before);
    }
  }
  // A list like dst-sub1's with other records, timestamp or signer.
  std::string Rewritten(
      const Certificate& signer,
      const std::function<void(TrustListDraft&)>& change = [](auto&) {}) {
    const TrustList list = ParseTrustList(*world_.server.Get(OnHub(1))).value();
    TrustListDraft draft;
    draft.timestamp = Now();
    draft.records = list.records;
    change(draft);
    return WriteTrustList(draft, signer, testing::TestPki::UnitKey()).value();
  }
};

TEST_F(TrustListTamperingTest, Scenario29AnAlteredByteIsNotInstalled) {
  Build("dst");
  std::string bytes = *world_.server.Get(OnHub(1));
  bytes[bytes.size() - 5] ^= 1;
  world_.server.Put(OnHub(1), bytes);
  ExpectNothingInstalled(v1::OUTCOME_REFUSED, "was altered");
}

TEST_F(TrustListTamperingTest, AMissingListIsNotInstalled) {
  Build("dst");
  world_.server.Remove(OnHub(1));
  ExpectNothingInstalled(v1::OUTCOME_REFUSED, "is signed for but is not on the hub");
}

TEST_F(TrustListTamperingTest, AForgedManifestInstallsNothing) {
  Build("dst");
  std::string manifest = *world_.server.Get(ManifestPath(1));
  manifest[manifest.size() / 2] ^= 1;
  world_.server.Put(ManifestPath(1), manifest);
  ExpectNothingInstalled(v1::OUTCOME_PENDING, "not believed: spring/lists/dst.dst-sub1.itl");
}

TEST_F(TrustListTamperingTest, AnotherNodeOfTheClusterCannotBuildIt) {
  Build("dst");
  const std::string true_list = *world_.server.Get(OnHub(1));
  PublishAs("dst-sub1", Rewritten(Own("dst-pub", "ITLRecovery")), 2);
  const std::string text = Expect("dst-sub1", kInstall, v1::OUTCOME_CHANGED);
  EXPECT_THAT(text, HasSubstr("is by dst-sub1, but dst-pub holds the key"));
  EXPECT_EQ(Installed("dst-sub1").bytes, true_list);
}

TEST_F(TrustListTamperingTest, AnotherNodesListIsNotInstalled) {
  Build("dst");
  // The publisher's own list and manifest, under the names of dst-sub1's.
  for (const auto& [path, bytes] : world_.server.Files()) {
    if (!absl::StrContains(path, "lists/dst.dst-pub.itl")) continue;
    std::string other = path;
    other.replace(other.find("dst-pub"), 7, "dst-sub1");
    world_.server.Put(other, bytes);
  }
  ExpectNothingInstalled(v1::OUTCOME_PENDING, "speaks of the itl of dst-pub in cluster dst");
}

TEST_F(TrustListTamperingTest, AListForAnotherNodeSignedAsThisOnesIsNotInstalled) {
  Build("dst");
  std::string other;
  for (const std::string& path : ListsOnHub()) {
    if (absl::StrContains(path, "dst-pub.itl")) other = *world_.server.Get(path);
  }
  PublishAs("dst-pub", other, 2);
  ExpectNothingInstalled(v1::OUTCOME_PENDING, "names another CallManager");
}

TEST_F(TrustListTamperingTest, AnOlderListIsNotInstalledAgain) {
  Build("dst");
  const auto old = world_.server.Files();
  Renew("dst-sub1", "TVS");
  Expect("dst-sub1", kPublish, v1::OUTCOME_CHANGED);
  Expect("dst-pub", kBuild, v1::OUTCOME_CHANGED);
  Expect("dst-sub1", kInstall, v1::OUTCOME_CHANGED);
  world_.server.Clear();
  for (const auto& [path, bytes] : old) world_.server.Put(path, bytes);
  ExpectNothingInstalled(v1::OUTCOME_REFUSED, "is #1, but this node has believed #2 before");
}

TEST_F(TrustListTamperingTest, AnOlderCertificateIsNotBuiltInAgain) {
  Build("dst");
  const auto old = world_.server.Files();
  Renew("dst-sub1", "TVS");
  Expect("dst-sub1", kPublish, v1::OUTCOME_CHANGED);
  Expect("dst-pub", kBuild, v1::OUTCOME_CHANGED);
  world_.server.Clear();
  for (const auto& [path, bytes] : old) world_.server.Put(path, bytes);
  const std::string text = Expect("dst-pub", kBuild, v1::OUTCOME_REFUSED);
  EXPECT_THAT(text, HasSubstr("the newest manifest of TVS of dst-sub1 on the hub is #1"));
  EXPECT_THAT(ListsOnHub(), ::testing::SizeIs(2));
}

TEST_F(TrustListTamperingTest, AnEmptiedHubIsFilledAgainAboveWhatNodesBelieve) {
  Build("dst");
  Renew("dst-pub", "TVS");
  Expect("dst-pub", kPublish, v1::OUTCOME_CHANGED);
  Expect("dst-pub", kBuild, v1::OUTCOME_CHANGED);
  Expect("dst-sub1", kInstall, v1::OUTCOME_CHANGED);
  for (const auto& [path, bytes] : world_.server.Files()) {
    if (absl::StrContains(path, "/lists/")) world_.server.Remove(path);
  }
  Expect("dst-pub", kBuild, v1::OUTCOME_CHANGED);
  EXPECT_NE(OnHub(3), "");
  Expect("dst-sub1", kInstall, v1::OUTCOME_CHANGED);
  Expect("dst-sub1", kInstall, v1::OUTCOME_UNCHANGED);
}

TEST_F(TrustListTamperingTest, APutBackListIsBuiltAnewByItsBuilder) {
  Build("dst");
  const std::string list = *world_.server.Get(OnHub(1)),
                    manifest = *world_.server.Get(ManifestPath(1));
  const std::string object = OnHub(1);
  Renew("dst-sub1", "CallManager");
  Expect("dst-sub1", kPublish, v1::OUTCOME_CHANGED);
  Expect("dst-pub", kBuild, v1::OUTCOME_CHANGED);
  world_.server.Remove(OnHub(2));
  world_.server.Remove(ManifestPath(2));
  const std::string text = Expect("dst-pub", kBuild, v1::OUTCOME_CHANGED);
  EXPECT_THAT(text, HasSubstr("somebody put an old state back"));
  EXPECT_NE(OnHub(3), "");
}

TEST_F(TrustListTamperingTest, Scenario29AListSignedByAnotherKeyIsNotInstalled) {
  Build("dst");
  // Whole by itself, and by the builder; but not by the certificate phones will be told to trust.
  PublishAs("dst-pub", Rewritten(Own("dst-sub1", "CallManager")), 2);
  ExpectNothingInstalled(v1::OUTCOME_REFUSED, "it is not signed by ITLRecovery of dst-pub");
}

TEST_F(TrustListTamperingTest, AListSignedByARetiredKeyIsNotInstalled) {
  Build("dst");
  Renew("dst-pub", "ITLRecovery");
  Expect("dst-pub", kPublish, v1::OUTCOME_CHANGED);
  ExpectNothingInstalled(v1::OUTCOME_REFUSED, "as that node published it");
}

TEST_F(TrustListTamperingTest, WhatIsNoListIsNotInstalled) {
  Build("dst");
  PublishAs("dst-pub", "not a list", 2);
  ExpectNothingInstalled(v1::OUTCOME_REFUSED, "the itl of dst-sub1 on the hub is refused");
}

TEST_F(TrustListTamperingTest, ACtlUnderTheNameOfAnItlIsNotInstalled) {
  Build("dst");
  PublishAs("dst-pub",
            Rewritten(Own("dst-pub", "ITLRecovery"),
                      [](TrustListDraft& draft) { draft.file_name = kCtlFileName; }),
            2);
  ExpectNothingInstalled(v1::OUTCOME_REFUSED, "does not call it ITLFile.tlv");
}

TEST_F(TrustListTamperingTest, AnAlteredCertificateIsNotBuiltIn) {
  world_.GiveListIdentities("dst");
  for (const char* node : {"dst-pub", "dst-sub1"}) Expect(node, kPublish, v1::OUTCOME_CHANGED);
  for (const auto& [path, bytes] : world_.server.Files()) {
    if (!absl::StrContains(path, "exports/dst.dst-sub1.TVS.")) continue;
    std::string altered = bytes;
    altered[altered.size() / 2] ^= 1;
    world_.server.Put(path, altered);
  }
  Expect("dst-pub", kBuild, v1::OUTCOME_REFUSED, "TVS of dst-sub1 cannot be used");
  EXPECT_THAT(ListsOnHub(), ::testing::IsEmpty());
}

TEST_F(TrustListTamperingTest, ACertificateInAnothersNameIsNotBuiltIn) {
  world_.GiveListIdentities("dst");
  Expect("dst-pub", kPublish, v1::OUTCOME_CHANGED);
  // src-sub1's agent publishes a TVS as dst-sub1's.
  FakeHub hub(&world_.server);
  const NodeIdentity thief = world_.fleet->Agent("src-sub1");
  v1::Manifest manifest;
  manifest.set_exchange("spring");
  manifest.set_cluster("dst");
  manifest.set_node("dst-sub1");
  manifest.set_unit("TVS");
  manifest.set_sequence(1);
  const absl::StatusOr<v1::Envelope> envelope =
      Seal("trustline.v1.Manifest", manifest.SerializeAsString(), thief.key, thief.certificate);
  ASSERT_TRUE(envelope.ok());
  world_.server.Put(absl::StrCat("spring/", ManifestFile({"dst", "dst-sub1", "TVS"}, 1)),
                    envelope->SerializeAsString());
  const std::string text =
      Expect("dst-pub", kBuild, v1::OUTCOME_PENDING, "no TVS of dst-sub1 (cluster dst)");
  EXPECT_THAT(text, HasSubstr("not believed: spring/manifests/dst.dst-sub1.TVS"));
}

}  // namespace
}  // namespace trustline::agent
