#include "trust/list_exchange.h"

#include <gmock/gmock.h>

#include "absl/strings/match.h"
#include "tests/unit/trust/exchange_fixture.h"

namespace trustline {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Bytes stand for a list here: what is in them is looked at elsewhere.
class ListExchangeTest : public ExchangeTest {
 protected:
  ListExchangeTest() {
    AddNode("dst", "dst-sub1");
    list_.cluster = "dst";
    list_.node = "dst-sub1";
    list_.signer = {"dst", "dst-pub", "ITLRecovery"};
  }
  absl::Status PublishBytes(absl::string_view bytes, uint64_t sequence,
                            const std::string& exchange = "spring") {
    const testing::TestIdentity& identity = IdentityOfNode(list_.signer.node);
    return PublishList(hub_, exchange, list_, bytes, sequence, identity.key, identity.certificate,
                       now_);
  }
  BelievedListManifest Read() {
    absl::StatusOr<BelievedListManifest> read = ReadListManifest(hub_, Trust(), list_);
    EXPECT_TRUE(read.ok()) << read.status();
    return read.ok() ? *std::move(read) : BelievedListManifest();
  }
  static std::string ManifestOf(uint64_t sequence, const std::string& stem = "dst.dst-sub1.itl") {
    return Path(ListManifestFile(stem, sequence));
  }
  v1::ListManifest Honest() {
    EXPECT_EQ(PublishBytes("a list", 1), absl::OkStatus());
    return *Read().manifest;
  }
  // Only what `change` makes of an honest manifest is on the hub, signed by `signer`.
  BelievedListManifest ReadForged(const std::function<void(v1::ListManifest&)>& change,
                                  const std::string& signer = "dst-pub") {
    v1::ListManifest manifest = Honest();
    change(manifest);
    server_.Put(ManifestOf(1),
                Sealed(manifest, "trustline.v1.ListManifest", IdentityOfNode(signer)));
    return Read();
  }
  ExpectedList list_;
};

TEST_F(ListExchangeTest, WhatWasPublishedIsRead) {
  EXPECT_EQ(Read().manifest, std::nullopt);
  ASSERT_EQ(PublishBytes("a list", 1), absl::OkStatus());
  const BelievedListManifest read = Read();
  ASSERT_TRUE(read.manifest);
  EXPECT_THAT(read.rejected, IsEmpty());
  EXPECT_EQ(read.manifest->for_node(), "dst-sub1");
  EXPECT_EQ(*ReadListObject(hub_, *read.manifest), "a list");
}

TEST_F(ListExchangeTest, TheNewestCountsAndNothingIsOverwritten) {
  ASSERT_EQ(PublishBytes("old", 1), absl::OkStatus());
  ASSERT_EQ(PublishBytes("new", 2), absl::OkStatus());
  EXPECT_EQ(*ReadListObject(hub_, *Read().manifest), "new");
  EXPECT_EQ(*HighestListSequence(hub_, "spring", list_), 2u);
  EXPECT_TRUE(absl::IsAlreadyExists(PublishBytes("newer", 2)));
  EXPECT_EQ(*ReadListObject(hub_, *Read().manifest), "new");
}

TEST_F(ListExchangeTest, AnObjectWithoutManifestTakesItsSequence) {
  server_.FailCall(2, absl::UnavailableError("dropped"));  // the manifest
  EXPECT_TRUE(absl::IsUnavailable(PublishBytes("a list", 1)));
  EXPECT_EQ(Read().manifest, std::nullopt);
  EXPECT_EQ(*HighestListSequence(hub_, "spring", list_), 1u);
}

TEST_F(ListExchangeTest, AnAlteredObjectIsNoList) {
  const v1::ListManifest manifest = Honest();
  server_.Put(Path(manifest.object()), "A list");
  EXPECT_THAT(ReadListObject(hub_, manifest).status().ToString(),
              HasSubstr("DATA_LOSS: spring/lists/dst.dst-sub1.itl.00000001"));
  server_.Remove(Path(manifest.object()));
  EXPECT_THAT(ReadListObject(hub_, manifest).status().message(),
              HasSubstr("is signed for but is not on the hub"));
  server_.Put(Path(manifest.object()), std::string(70000, 'x'));
  EXPECT_TRUE(absl::IsDataLoss(ReadListObject(hub_, manifest).status()));
}

TEST_F(ListExchangeTest, OnlyTheNodeWithTheKeyIsBelieved) {
  const BelievedListManifest read =
      ReadForged([](v1::ListManifest& manifest) { manifest.set_node("dst-sub1"); }, "dst-sub1");
  EXPECT_EQ(read.manifest, std::nullopt);
  ASSERT_THAT(read.rejected, SizeIs(1));
  EXPECT_THAT(read.rejected[0], HasSubstr("but dst-pub holds the key this list is signed with"));
}

TEST_F(ListExchangeTest, ASignatureByAnotherIsNotBelieved) {
  EXPECT_THAT(
      ReadForged([](v1::ListManifest&) {}, "src-pub").rejected,
      ::testing::ElementsAre(HasSubstr("is signed by trustline://example.test/agent/src-pub")));
}

TEST_F(ListExchangeTest, AStrangersSignatureIsNotBelieved) {
  const v1::ListManifest manifest = Honest();
  const testing::TestPki others("example.test");
  server_.Put(ManifestOf(1),
              Sealed(manifest, "trustline.v1.ListManifest", others.AgentIdentity("dst-pub")));
  EXPECT_EQ(Read().manifest, std::nullopt);
  EXPECT_THAT(Read().rejected, SizeIs(1));
  server_.Put(ManifestOf(1), "no envelope at all");
  EXPECT_THAT(Read().rejected, SizeIs(1));
}

TEST_F(ListExchangeTest, AnotherNodesListUnderThisNodesNameIsNotBelieved) {
  for (const auto& change : std::vector<std::function<void(v1::ListManifest&)>>{
           [](v1::ListManifest& manifest) { manifest.set_for_node("dst-pub"); },
           [](v1::ListManifest& manifest) { manifest.set_list("ctl"); },
           [](v1::ListManifest& manifest) { manifest.set_cluster("src"); },
           [](v1::ListManifest& manifest) { manifest.set_sequence(7); },
           [](v1::ListManifest& manifest) { manifest.set_exchange("autumn"); },
           [](v1::ListManifest& manifest) { manifest.set_object("lists/another.tlv"); },
           [](v1::ListManifest& manifest) { manifest.set_object("../../etc/passwd"); },
           [](v1::ListManifest& manifest) { manifest.set_object_sha256("short"); }}) {
    const BelievedListManifest read = ReadForged(change);
    EXPECT_EQ(read.manifest, std::nullopt);
    EXPECT_THAT(read.rejected, SizeIs(1));
    server_.Clear();
  }
}

TEST_F(ListExchangeTest, AForgedNewerManifestDoesNotHideTheTrueOne) {
  const v1::ListManifest manifest = Honest();
  server_.Put(ManifestOf(2), Sealed(manifest, "trustline.v1.ListManifest",
                                    IdentityOfNode("dst-pub")));  // a copy under a newer name
  const BelievedListManifest read = Read();
  ASSERT_TRUE(read.manifest);
  EXPECT_EQ(read.manifest->sequence(), 1u);
  EXPECT_THAT(read.rejected, ::testing::ElementsAre(HasSubstr("00000002.manifest")));
}

TEST_F(ListExchangeTest, ACtlIsTheClusters) {
  list_.type = ListType::kCtl;
  list_.node.clear();
  ASSERT_EQ(PublishBytes("a ctl", 1), absl::OkStatus());
  EXPECT_TRUE(server_.Get(ManifestOf(1, "dst.ctl")).ok());
  EXPECT_EQ(*ReadListObject(hub_, *Read().manifest), "a ctl");
}

TEST_F(ListExchangeTest, OnlyTheBuilderPublishes) {
  const testing::TestIdentity& other = IdentityOfNode("dst-sub1");
  EXPECT_TRUE(absl::IsInvalidArgument(
      PublishList(hub_, "spring", list_, "x", 1, other.key, other.certificate, now_)));
  EXPECT_TRUE(absl::IsInvalidArgument(PublishBytes("x", 0)));
  EXPECT_TRUE(absl::IsInvalidArgument(PublishBytes("x", 1, "../up")));
  EXPECT_THAT(server_.Files(), IsEmpty());
}

TEST_F(ListExchangeTest, ErrorsOfTheLinkAreErrors) {
  ASSERT_EQ(PublishBytes("a list", 1), absl::OkStatus());
  server_.FailCall(2, absl::UnavailableError("dropped"));
  EXPECT_TRUE(absl::IsUnavailable(ReadListManifest(hub_, Trust(), list_).status()));
}

}  // namespace
}  // namespace trustline
