// Reading and publishing an exchange: what honest nodes do, and what interruptions leave.
#include "trust/exchange.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "tests/unit/trust/exchange_fixture.h"

namespace trustline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::TestPki;
using testing::UnitOptions;

std::vector<std::string> Digests(const std::vector<BundleEntry>& entries) {
  std::vector<std::string> digests;
  for (const BundleEntry& entry : entries) digests.push_back(entry.certificate.sha256_hex());
  std::sort(digests.begin(), digests.end());
  return digests;
}

TEST_F(ExchangeTest, WhatNodesPublishIsReadBack) {
  PublishAll();
  const BelievedManifests believed = Believed();
  EXPECT_THAT(believed.rejected, IsEmpty());
  ASSERT_THAT(believed.manifests, SizeIs(3));
  for (const ExpectedExport& who : who_) {
    const v1::Manifest& manifest = believed.manifests.at(who);
    EXPECT_EQ(manifest.sequence(), 1u);
    EXPECT_EQ(manifest.created_unix(), absl::ToUnixSeconds(now_));
    const auto entries = ReadExport(hub_, manifest, kPassword);
    ASSERT_TRUE(entries.ok()) << entries.status();
    EXPECT_EQ(Digests(*entries), Digests(entries_[who.node]));
    EXPECT_EQ((*entries)[0].friendly_name, absl::StrCat("CallManager of ", who.node));
  }
}

TEST_F(ExchangeTest, FilesAreNamedAsDocumented) {
  ASSERT_EQ(Publish(who_[0], 7), absl::OkStatus());
  const std::string set = Sha256Hex(entries_["src-pub"][0].certificate.sha256()).substr(0, 16);
  std::vector<std::string> names;
  for (const auto& [name, bytes] : server_.Files()) names.push_back(name);
  EXPECT_THAT(names, ElementsAre(absl::StrCat("spring/exports/src.src-pub.CallManager.00000007.",
                                              set, ".p12"),
                                 "spring/manifests/src.src-pub.CallManager.00000007.manifest"));
}

TEST_F(ExchangeTest, MissingExchangeIsEmpty) {
  EXPECT_THAT(Believed().manifests, IsEmpty());
  EXPECT_THAT(Believed().rejected, IsEmpty());
  EXPECT_EQ(ReadIndex().status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(HighestExportSequence(hub_, "spring", who_[0]).value(), 0u);
  EXPECT_EQ(HighestConsolidationSequence(hub_, "spring", kUnit).value(), 0u);
}

TEST_F(ExchangeTest, NewestManifestCountsAndOlderOnesAreNotRead) {
  PublishAll(1);
  entries_["src-pub"].push_back({TestPki::UnitCertificate("src-pub"), "renewed"});
  PublishAll(12);
  server_.ClearLog();
  const BelievedManifests believed = Believed();
  EXPECT_EQ(believed.manifests.at(who_[0]).sequence(), 12u);
  EXPECT_EQ(believed.manifests.at(who_[0]).certificates_size(), 2);
  EXPECT_THAT(server_.log(), SizeIs(1 + 3));
}

TEST_F(ExchangeTest, OtherUnitsAndOtherFilesAreIgnored) {
  PublishAll();
  ExpectedExport other = who_[0];
  other.unit = "ITLRecovery";
  ASSERT_EQ(Publish(other), absl::OkStatus());
  for (const char* name :
       {"manifests/.src.src-pub.CallManager.00000002.manifest.1234.part", "manifests/notes.txt",
        "manifests/src.src-pub.CallManager.2.manifest",
        "manifests/src.src-pub.CallManager.00000002.manifest.bak", "manifests/deep/er",
        "consolidated/consolidated.CallManager.00000009.index.part"}) {
    server_.Put(Path(name), "rubbish");
  }
  const BelievedManifests believed = Believed();
  EXPECT_THAT(believed.manifests, SizeIs(3));
  EXPECT_THAT(believed.rejected, IsEmpty());
  EXPECT_EQ(HighestExportSequence(hub_, "spring", who_[0]).value(), 1u);
  EXPECT_EQ(HighestConsolidationSequence(hub_, "spring", kUnit).value(), 0u);
}

TEST_F(ExchangeTest, NamesWithDotsAreToldApartBySignedContent) {
  AddNode("a", "b.c");
  AddNode("a.b", "c");
  // Both are "a.b.c.CallManager": the second one has to take the next sequence.
  ASSERT_EQ(ManifestFile(who_[3], 1), ManifestFile(who_[4], 1));
  ASSERT_EQ(Publish(who_[3], 1), absl::OkStatus());
  EXPECT_EQ(HighestExportSequence(hub_, "spring", who_[4]).value(), 1u);
  ASSERT_EQ(Publish(who_[4], 2), absl::OkStatus());
  const BelievedManifests believed = Believed();
  EXPECT_EQ(believed.manifests.at(who_[3]).node(), "b.c");
  EXPECT_EQ(believed.manifests.at(who_[4]).node(), "c");
}

TEST_F(ExchangeTest, SequencesInUseCountBelievedOrNotAndWithoutManifest) {
  ASSERT_EQ(Publish(who_[0], 3), absl::OkStatus());
  server_.Put(Path("manifests/src.src-pub.CallManager.00000005.manifest"), "forged");
  EXPECT_EQ(HighestExportSequence(hub_, "spring", who_[0]).value(), 5u);
  server_.Put(Path("exports/src.src-pub.CallManager.00000008.0123456789abcdef.p12"), "left");
  EXPECT_EQ(HighestExportSequence(hub_, "spring", who_[0]).value(), 8u);
  EXPECT_EQ(HighestExportSequence(hub_, "spring", who_[1]).value(), 0u);
  ASSERT_EQ(Consolidate(4), absl::OkStatus());
  EXPECT_EQ(HighestConsolidationSequence(hub_, "spring", kUnit).value(), 4u);
  server_.Put(Path("consolidated/consolidated.CallManager.0123456789abcdef.00000006.p12"), "x");
  EXPECT_EQ(HighestConsolidationSequence(hub_, "spring", kUnit).value(), 6u);
  EXPECT_EQ(HighestConsolidationSequence(hub_, "spring", "CAPF").value(), 0u);
}

TEST_F(ExchangeTest, SequencesEndWithAClearWord) {
  server_.Put(Path("manifests/src.src-pub.CallManager.99999999.manifest"), "trap");
  const uint64_t next = HighestExportSequence(hub_, "spring", who_[0]).value() + 1;
  const absl::Status status = Publish(who_[0], next);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("another exchange"));
  EXPECT_EQ(Publish(who_[0], 0).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ExchangeTest, WhatCannotBePublishedIsRefusedBeforeAnythingIsWritten) {
  const auto& identity = IdentityOfNode("src-pub");
  const auto publish = [&](const ExpectedExport& who, const std::string& exchange,
                           std::vector<BundleEntry> entries) {
    return PublishExport(hub_, exchange, {who, std::move(entries), 1}, kPassword,
                         BundleProfile::kModern, identity.key, identity.certificate, now_)
        .code();
  };
  const auto invalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(publish(who_[0], "spring", {}), invalid);
  EXPECT_EQ(publish(who_[0], "../spring", entries_["src-pub"]), invalid);
  EXPECT_EQ(publish(who_[0], "", entries_["src-pub"]), invalid);
  EXPECT_EQ(publish({"src", "../src-pub", kUnit}, "spring", entries_["src-pub"]), invalid);
  EXPECT_EQ(publish({"s/c", "src-pub", kUnit}, "spring", entries_["src-pub"]), invalid);
  EXPECT_EQ(publish({"src", "src-pub", "Call.Manager"}, "spring", entries_["src-pub"]), invalid);
  EXPECT_EQ(publish(who_[1], "spring", entries_["src-pub"]), invalid) << "another node's name";
  EXPECT_THAT(server_.Files(), IsEmpty());
}

TEST_F(ExchangeTest, ConsolidationMergesAscendingAndOnce) {
  PublishAll();
  ASSERT_EQ(Consolidate(), absl::OkStatus());
  const auto read = ReadIndex();
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(
      std::vector<std::string>(read->index.manifests().begin(), read->index.manifests().end()),
      ElementsAre("dst/dst-pub/CallManager#1", "src/src-pub/CallManager#1",
                  "src/src-sub1/CallManager#1"));
  EXPECT_EQ(Digests(read->entries), Digests(AllEntries()));
  EXPECT_TRUE(std::is_sorted(
      read->entries.begin(), read->entries.end(),
      [](const BundleEntry& a, const BundleEntry& b) { return a.certificate < b.certificate; }));
  EXPECT_EQ(read->index.node(), "dst-pub");
  // Again: the same set has the same names, and a new index.
  const size_t files = server_.Files().size();
  ASSERT_EQ(Consolidate(2), absl::OkStatus());
  EXPECT_EQ(server_.Files().size(), files + 1);
  EXPECT_EQ(ReadIndex()->index.sequence(), 2u);
  EXPECT_EQ(ReadIndex()->index.p12_object(), read->index.p12_object());
}

TEST_F(ExchangeTest, Scenario40SameNameWithAnotherSerialIsKeptBesideTheFirst) {
  UnitOptions one, two;
  one.serial = "\x01";
  two.serial = "\x02";
  entries_["src-pub"] = {{TestPki::UnitCertificate("cucm-pub", one), "CallManager of src-pub"}};
  entries_["dst-pub"] = {{TestPki::UnitCertificate("cucm-pub", two), "CallManager of dst-pub"}};
  ASSERT_EQ(entries_["src-pub"][0].certificate.subject_der(),
            entries_["dst-pub"][0].certificate.subject_der());
  PublishAll();
  ASSERT_EQ(Consolidate(), absl::OkStatus());
  const auto read = ReadIndex();
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(Digests(read->entries), Digests(AllEntries()));
  EXPECT_THAT(read->entries, SizeIs(3));
}

// At every call the hub may fail: what is there then is either not there for readers, or whole; and
// the next run gets through.
TEST_F(ExchangeTest, Scenario23PublishingInterruptedAtAnyCallLeavesNothingOrAll) {
  for (const bool same_sequence : {false, true}) {
    int failures = 0;
    for (int n = 1;; ++n) {
      server_.Clear();
      server_.FailCall(n, absl::UnavailableError("gone"));
      const absl::Status status = Publish(who_[0]);
      server_.ClearFailures();
      EXPECT_EQ(Believed().manifests.count(who_[0]), status.ok() ? 1u : 0u);
      EXPECT_THAT(Believed().rejected, IsEmpty());
      const uint64_t next =
          same_sequence ? 1 : HighestExportSequence(hub_, "spring", who_[0]).value() + 1;
      if (status.ok()) break;
      ++failures;
      EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
      EXPECT_EQ(Publish(who_[0], next), absl::OkStatus());
      EXPECT_TRUE(ReadExport(hub_, Believed().manifests.at(who_[0]), kPassword).ok());
    }
    EXPECT_EQ(failures, 2);
  }
}

TEST_F(ExchangeTest, Scenario23ConsolidationInterruptedAtAnyCallLeavesNothingOrAll) {
  PublishAll();
  const auto exports = server_.Files();
  int failures = 0;
  for (int n = 1;; ++n) {
    server_.Clear();
    for (const auto& [path, bytes] : exports) server_.Put(path, bytes);
    // Reading the manifests takes a listing and three files.
    server_.FailCall(4 + n, absl::UnavailableError("gone"));
    const absl::Status status = Consolidate();
    server_.ClearFailures();
    EXPECT_EQ(ReadIndex().ok(), status.ok());
    if (status.ok()) break;
    ++failures;
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(Consolidate(), absl::OkStatus());
    EXPECT_TRUE(ReadIndex().ok());
  }
  EXPECT_EQ(failures, 3);
}

TEST_F(ExchangeTest, Scenario23FullDiskLeavesTheEarlierExportInForce) {
  ASSERT_EQ(Publish(who_[0], 1), absl::OkStatus());
  uint64_t used = 0;
  for (const auto& [path, bytes] : server_.Files()) used += bytes.size();
  entries_["src-pub"].push_back({TestPki::UnitCertificate("src-pub"), "renewed"});
  const uint64_t bundle =
      WritePkcs12(entries_["src-pub"], kPassword, BundleProfile::kModern)->size();
  // No room for the bundle; room for the bundle but not for its manifest.
  for (const uint64_t room : {uint64_t{10}, bundle + 100}) {
    server_.SetCapacity(used + room);
    EXPECT_EQ(Publish(who_[0], 2).code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(Believed().manifests.at(who_[0]).sequence(), 1u);
  }
  server_.SetCapacity(UINT64_MAX);
  EXPECT_EQ(Publish(who_[0], 2), absl::OkStatus());
  EXPECT_EQ(Believed().manifests.at(who_[0]).sequence(), 2u);
}

TEST_F(ExchangeTest, BundleLeftByAnInterruptedRunIsTakenOnlyWithTheSameCertificates) {
  ASSERT_EQ(Publish(who_[0]), absl::OkStatus());
  const std::string object = Path(HonestManifest(who_[0]).object());
  const std::string left = *server_.Get(object);
  ASSERT_TRUE(server_.Remove(ManifestPath(who_[0])));
  ASSERT_EQ(Publish(who_[0]), absl::OkStatus());
  EXPECT_EQ(*server_.Get(object), left);
  EXPECT_EQ(HonestManifest(who_[0]).object_sha256(), Sha256(left));

  ASSERT_TRUE(server_.Remove(ManifestPath(who_[0])));
  server_.Put(object, WritePem(entries_["src-sub1"]));
  const absl::Status status = Publish(who_[0]);
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(status.message()), HasSubstr(object));
  EXPECT_THAT(Believed().manifests, IsEmpty());
}

TEST_F(ExchangeTest, DamagedConsolidationIsRepairedWithoutOverwriting) {
  PublishAll();
  ASSERT_EQ(Consolidate(1), absl::OkStatus());
  const std::string p12 = Path(ReadIndex()->index.p12_object());
  const std::string pem = Path(ReadIndex()->index.pem_object());
  for (const std::string& object : {p12, pem}) server_.Put(object, "altered");
  EXPECT_EQ(ReadIndex().status().code(), absl::StatusCode::kDataLoss);
  ASSERT_EQ(Consolidate(2), absl::OkStatus());
  EXPECT_EQ(Digests(ReadIndex()->entries), Digests(AllEntries()));
  for (const std::string& object : {p12, pem}) EXPECT_EQ(*server_.Get(object), "altered");
}

TEST_F(ExchangeTest, TroubleWithTheLinkIsNoWordAboutAFile) {
  PublishAll();
  ASSERT_EQ(Consolidate(), absl::OkStatus());
  for (const absl::Status& trouble :
       {absl::UnavailableError("gone"), absl::FailedPreconditionError("host key"),
        absl::InternalError("nonsense")}) {
    for (int n = 1; n <= 4; ++n) {
      server_.FailCall(n, trouble);
      EXPECT_EQ(ReadManifests(hub_, Trust(), {kUnit}).status(), trouble) << n;
    }
    for (int n = 1; n <= 4; ++n) {
      server_.FailCall(n, trouble);
      EXPECT_EQ(ReadIndex().status(), trouble) << n;
    }
    server_.FailCall(1, trouble);
    EXPECT_EQ(HighestExportSequence(hub_, "spring", who_[0]).status(), trouble);
    server_.FailCall(1, trouble);
    EXPECT_EQ(HighestConsolidationSequence(hub_, "spring", kUnit).status(), trouble);
  }
}

TEST_F(ExchangeTest, TooManyFilesAreRefused) {
  for (int i = 0; i < 4097; ++i) server_.Put(Path(absl::StrCat("manifests/", i)), "");
  const absl::Status status = ReadManifests(hub_, Trust(), {kUnit}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("4097"));
}

}  // namespace
}  // namespace trustline
