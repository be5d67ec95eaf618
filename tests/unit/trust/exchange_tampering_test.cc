// The hub is not trusted: whatever is done to its files, nothing is believed that the right node
// has not signed, and the reason names the file.
#include <functional>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "tests/unit/trust/exchange_fixture.h"

namespace trustline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::TestIdentity;
using testing::TestPki;

class ExchangeTamperingTest : public ExchangeTest {
 protected:
  // Every manifest but that of `path` is believed, and the reason for the one names it.
  void ExpectRejected(const std::string& path, const std::string& how) {
    const BelievedManifests believed = Believed();
    EXPECT_EQ(believed.manifests.size(), who_.size() - 1) << path << " " << how;
    EXPECT_THAT(believed.rejected, ElementsAre(HasSubstr(path))) << how;
  }

  // The manifest at `path` becomes `bytes`; returns why it is not believed.
  std::string WhyNot(const std::string& path, const std::string& bytes) {
    server_.Put(path, bytes);
    const BelievedManifests believed = Believed();
    EXPECT_EQ(believed.manifests.count(who_[0]), 0u);
    EXPECT_THAT(believed.rejected, ElementsAre(HasSubstr(path)));
    return believed.rejected.empty() ? "" : believed.rejected.back();
  }

  // Puts `bytes` as the bundle of src-pub under a manifest that src-pub signed for exactly these
  // bytes.
  v1::Manifest SignedFor(const std::string& bytes) {
    v1::Manifest manifest = HonestManifest(who_[0]);
    manifest.set_object_sha256(Sha256(bytes));
    server_.Put(Path(manifest.object()), bytes);
    server_.Put(ManifestPath(who_[0]), SealedManifest(manifest, IdentityOfNode("src-pub")));
    return Believed().manifests.at(who_[0]);
  }
};

TEST_F(ExchangeTamperingTest, AnyAlteredByteOfAnyManifestIsNoticed) {
  PublishAll();
  int altered = 0;
  for (const ExpectedExport& who : who_) {
    const std::string path = ManifestPath(who);
    const std::string honest = *server_.Get(path);
    // The first one byte by byte, the others here and there.
    const size_t step = who == who_[0] ? 1 : 37;
    for (size_t at = 0; at < honest.size(); at += step) {
      std::string bytes = honest;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << (at % 8)));
      server_.Put(path, bytes);
      ExpectRejected(path, absl::StrCat("byte ", at));
      ++altered;
      if (HasFailure()) return;
    }
    server_.Put(path, honest);
  }
  EXPECT_GT(altered, 800);
  EXPECT_THAT(Believed().manifests, SizeIs(3));
}

TEST_F(ExchangeTamperingTest, AnyAlteredByteOfAnyBundleIsNoticed) {
  PublishAll();
  ASSERT_EQ(Consolidate(), absl::OkStatus());
  const auto files = server_.Files();
  int altered = 0;
  for (const auto& [path, honest] : files) {
    const bool is_export = absl::StartsWith(path, "spring/exports/");
    const bool is_consolidated = absl::StartsWith(path, "spring/consolidated/");
    if (!is_export && !is_consolidated) continue;
    for (size_t at = 0; at < honest.size(); at += 53) {
      std::string bytes = honest;
      bytes[at] = static_cast<char>(bytes[at] ^ 0x20);
      server_.Put(path, bytes);
      ++altered;
      absl::Status status;
      if (is_export) {
        for (const auto& [who, manifest] : Believed().manifests) {
          if (Path(manifest.object()) == path) {
            status = ReadExport(hub_, manifest, kPassword).status();
          }
        }
      } else {
        status = ReadIndex().status();
      }
      EXPECT_EQ(status.code(), absl::EndsWith(path, ".index") ? absl::StatusCode::kNotFound
                                                              : absl::StatusCode::kDataLoss)
          << path << " " << at << " " << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr(path));
      if (HasFailure()) return;
    }
    server_.Put(path, honest);
  }
  EXPECT_GT(altered, 100);
  EXPECT_TRUE(ReadIndex().ok());
}

TEST_F(ExchangeTamperingTest, TruncatedAndAbsentFilesAreNoticed) {
  PublishAll();
  ASSERT_EQ(Consolidate(), absl::OkStatus());
  const std::string path = ManifestPath(who_[1]);
  const std::string honest = *server_.Get(path);
  for (size_t length = 0; length < honest.size(); length += 29) {
    server_.Put(path, honest.substr(0, length));
    ExpectRejected(path, absl::StrCat("cut at ", length));
  }
  server_.Put(path, honest + std::string(1, '\0'));
  ExpectRejected(path, "a byte more");
  server_.Put(path, std::string((1 << 20) + 1, 'x'));
  ExpectRejected(path, "too large");
  server_.Put(path, honest);

  const v1::Manifest manifest = Believed().manifests.at(who_[1]);
  const std::string object = Path(manifest.object());
  const std::string bundle = *server_.Get(object);
  for (const size_t length : {size_t{0}, bundle.size() / 2, bundle.size() - 1}) {
    server_.Put(object, bundle.substr(0, length));
    const absl::Status status = ReadExport(hub_, manifest, kPassword).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(status.message()), HasSubstr(object));
  }
  ASSERT_TRUE(server_.Remove(object));
  EXPECT_EQ(ReadExport(hub_, manifest, kPassword).status().code(), absl::StatusCode::kDataLoss);
  ASSERT_TRUE(server_.Remove(Path(ReadIndex()->index.pem_object())));
  EXPECT_EQ(ReadIndex().status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(ExchangeTamperingTest, SwappedFilesAreNoticed) {
  PublishAll();
  ASSERT_EQ(Consolidate(), absl::OkStatus());
  const BelievedManifests honest = Believed();
  const auto files = server_.Files();
  for (const ExpectedExport& a : who_) {
    for (const ExpectedExport& b : who_) {
      if (a == b) continue;
      server_.Put(ManifestPath(a), files.at(ManifestPath(b)));
      ExpectRejected(ManifestPath(a), "swapped");
      server_.Put(ManifestPath(a), files.at(ManifestPath(a)));
      const std::string object = Path(honest.manifests.at(a).object());
      server_.Put(object, files.at(Path(honest.manifests.at(b).object())));
      EXPECT_EQ(ReadExport(hub_, honest.manifests.at(a), kPassword).status().code(),
                absl::StatusCode::kDataLoss);
      server_.Put(object, files.at(object));
    }
  }
  // A signed envelope of another type is no index and no manifest.
  server_.Put(Path(IndexFile(kUnit, 2)), files.at(ManifestPath(who_[0])));
  EXPECT_EQ(ReadIndex()->index.sequence(), 1u);
  server_.Put(ManifestPath(who_[0], 2), files.at(Path(IndexFile(kUnit, 1))));
  EXPECT_EQ(Believed().manifests.at(who_[0]).sequence(), 1u);
}

TEST_F(ExchangeTamperingTest, OldWordsUnderNewNamesAreNotBelieved) {
  PublishAll();
  ASSERT_EQ(Consolidate(), absl::OkStatus());
  server_.Put(ManifestPath(who_[0], 9), *server_.Get(ManifestPath(who_[0], 1)));
  const BelievedManifests believed = Believed();
  EXPECT_EQ(believed.manifests.at(who_[0]).sequence(), 1u);
  EXPECT_THAT(believed.rejected, ElementsAre(HasSubstr("00000009.manifest")));
  server_.Put(Path(IndexFile(kUnit, 9)), *server_.Get(Path(IndexFile(kUnit, 1))));
  EXPECT_EQ(ReadIndex()->index.sequence(), 1u);
  ASSERT_TRUE(server_.Remove(Path(IndexFile(kUnit, 1))));
  const absl::Status status = ReadIndex().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("00000009.index"));
}

TEST_F(ExchangeTamperingTest, ReplayFromAnotherExchangeIsNotBelieved) {
  PublishAll(1, "autumn");
  ASSERT_EQ(Consolidate(1, "autumn"), absl::OkStatus());
  for (const auto& [path, bytes] : server_.Files()) {
    server_.Put(absl::StrCat("spring", path.substr(path.find('/'))), bytes);
  }
  const BelievedManifests believed = Believed("spring");
  EXPECT_THAT(believed.manifests, IsEmpty());
  ASSERT_THAT(believed.rejected, SizeIs(3));
  for (const std::string& reason : believed.rejected) {
    EXPECT_THAT(reason, HasSubstr("autumn"));
    EXPECT_THAT(reason, HasSubstr("spring/manifests/"));
  }
  EXPECT_EQ(ReadIndex("spring").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Believed("autumn").manifests, SizeIs(3));
}

TEST_F(ExchangeTamperingTest, OnlyTheNodesOwnAgentSpeaksForIt) {
  const v1::Manifest manifest = HonestManifest(who_[0]);
  const std::string path = ManifestPath(who_[0]);
  const TestPki foreign("example.test"), elsewhere("other.test");
  EXPECT_THAT(WhyNot(path, SealedManifest(manifest, IdentityOfNode("src-sub1"))),
              HasSubstr("src-sub1"));
  EXPECT_THAT(WhyNot(path, SealedManifest(manifest, pki_.OperatorIdentity("src-pub"))),
              HasSubstr("operator"));
  WhyNot(path, SealedManifest(manifest, foreign.AgentIdentity("src-pub")));
  WhyNot(path, SealedManifest(manifest, elsewhere.AgentIdentity("src-pub")));
  const TestIdentity expired = pki_.Issue({"example.test", IdentityKind::kAgent, "src-pub"},
                                          now_ - absl::Hours(48), absl::Hours(24));
  EXPECT_THAT(WhyNot(path, SealedManifest(manifest, expired)), HasSubstr("expired"));
  const TestIdentity future = pki_.Issue({"example.test", IdentityKind::kAgent, "src-pub"},
                                         now_ + absl::Hours(24), absl::Hours(24));
  WhyNot(path, SealedManifest(manifest, future));
  // A key that is not the certificate's.
  TestIdentity stolen = IdentityOfNode("src-pub");
  stolen.key = IdentityOfNode("dst-pub").key;
  const auto forged =
      Seal("trustline.v1.Manifest", manifest.SerializeAsString(), stolen.key, stolen.certificate);
  if (forged.ok()) WhyNot(path, forged->SerializeAsString());
  v1::Envelope unsigned_envelope;
  unsigned_envelope.set_payload_type("trustline.v1.Manifest");
  unsigned_envelope.set_payload(manifest.SerializeAsString());
  WhyNot(path, unsigned_envelope.SerializeAsString());
  WhyNot(path, "");
  server_.Put(path, SealedManifest(manifest, IdentityOfNode("src-pub")));
  EXPECT_EQ(Believed().manifests.count(who_[0]), 1u);
}

TEST_F(ExchangeTamperingTest, SecondCaTrustedElsewhereIsNotTrustedInThisDomain) {
  const TestPki elsewhere("other.test");
  const v1::Manifest manifest = HonestManifest(who_[0]);
  server_.Put(ManifestPath(who_[0]), SealedManifest(manifest, elsewhere.AgentIdentity("src-pub")));
  ExchangeTrust trust = Trust();
  trust.roots.push_back(elsewhere.authority.certificate);
  const auto read = ReadManifests(hub_, trust, {kUnit});
  ASSERT_TRUE(read.ok());
  EXPECT_THAT(read->manifests, IsEmpty());
  EXPECT_THAT(read->rejected, ElementsAre(HasSubstr("other.test")));
  trust.topology.clear_domain();
  EXPECT_EQ(ReadManifests(hub_, trust, {kUnit}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(ExchangeTamperingTest, NodesOutsideTheTopologyAreNotBelieved) {
  PublishAll();
  const ExpectedExport stranger{"src", "stranger", kUnit};
  identities_.emplace("stranger", pki_.AgentIdentity("stranger"));
  entries_["stranger"] = entries_["src-pub"];
  ASSERT_EQ(Publish(stranger), absl::OkStatus());
  // A node of the topology under another cluster's name.
  ASSERT_EQ(Publish({"dst", "src-pub", kUnit}), absl::OkStatus());
  const BelievedManifests believed = Believed();
  EXPECT_THAT(believed.manifests, SizeIs(3));
  EXPECT_THAT(believed.rejected, ElementsAre(HasSubstr("dst.src-pub"), HasSubstr("src.stranger")));
}

TEST_F(ExchangeTamperingTest, ManifestsThatMakeNoSenseAreNotBelieved) {
  const v1::Manifest honest = HonestManifest(who_[0]);
  const auto reject = [&](const std::function<void(v1::Manifest*)>& change) {
    v1::Manifest manifest = honest;
    change(&manifest);
    return WhyNot(ManifestPath(who_[0]), SealedManifest(manifest, IdentityOfNode("src-pub")));
  };
  reject([](v1::Manifest* m) { m->set_cluster("dst"); });
  reject([](v1::Manifest* m) { m->set_node("src-sub1"); });
  reject([](v1::Manifest* m) { m->set_unit("ITLRecovery"); });
  reject([](v1::Manifest* m) { m->set_sequence(2); });
  reject([](v1::Manifest* m) { m->set_exchange("Spring"); });
  reject([](v1::Manifest* m) { m->clear_certificates(); });
  reject([](v1::Manifest* m) { m->set_certificates(0, "short"); });
  reject([](v1::Manifest* m) { m->add_certificates(m->certificates(0)); });
  reject([](v1::Manifest* m) { m->add_certificates(std::string(32, '\0')); });
  reject([](v1::Manifest* m) { m->set_object("../other/" + m->object()); });
  reject([&](v1::Manifest* m) { m->set_object(HonestManifest(who_[1]).object()); });
  reject([](v1::Manifest* m) { m->set_object_sha256("short"); });
  // A line break in signed text must not break the report's line.
  EXPECT_THAT(reject([](v1::Manifest* m) { m->set_exchange("a\nb"); }), HasSubstr("a\\nb"));
  // ReadExport is as careful with a manifest from elsewhere.
  v1::Manifest astray = honest;
  astray.set_object("../../etc/passwd");
  EXPECT_EQ(ReadExport(hub_, astray, kPassword).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(ExchangeTamperingTest, IndexCountsOnlyFromAnAgentOfTheTopology) {
  PublishAll();
  ASSERT_EQ(Consolidate(1), absl::OkStatus());
  v1::ConsolidationIndex index = ReadIndex()->index;
  index.set_sequence(2);
  const auto put = [&](const TestIdentity& signer) {
    server_.Put(Path(IndexFile(kUnit, 2)),
                Sealed(index, "trustline.v1.ConsolidationIndex", signer));
    return ReadIndex()->index.sequence();
  };
  EXPECT_EQ(put(IdentityOfNode("dst-pub")), 2u);
  EXPECT_EQ(put(IdentityOfNode("src-pub")), 1u) << "speaks as dst-pub";
  EXPECT_EQ(put(pki_.OperatorIdentity("dst-pub")), 1u);
  EXPECT_EQ(put(TestPki("example.test").AgentIdentity("dst-pub")), 1u);
  index.set_node("dhcp-a");
  EXPECT_EQ(put(pki_.AgentIdentity("dhcp-a")), 1u);
  topology_.add_dhcp_servers()->set_node("dhcp-a");
  EXPECT_EQ(put(pki_.AgentIdentity("dhcp-a")), 2u);
  index.set_p12_object("exports/other.p12");
  EXPECT_EQ(put(pki_.AgentIdentity("dhcp-a")), 1u);
}

TEST_F(ExchangeTamperingTest, Scenario20PrivateKeyInABundleIsRefusedAndNamed) {
  const std::string with_key =
      absl::StrCat(WritePem(entries_["src-pub"]), TestPki::UnitKey().ToPkcs8Pem());
  const v1::Manifest manifest = SignedFor(with_key);
  const absl::Status status = ReadExport(hub_, manifest, kPassword).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("private key"));
  EXPECT_THAT(std::string(status.message()), HasSubstr(manifest.object()));

  PublishAll(2);
  ASSERT_EQ(Consolidate(), absl::OkStatus());
  v1::ConsolidationIndex index = ReadIndex()->index;
  const std::string merged = absl::StrCat(WritePem(AllEntries()), TestPki::UnitKey().ToPkcs8Pem());
  server_.Put(Path(index.p12_object()), merged);
  index.set_p12_sha256(Sha256(merged));
  server_.Put(Path(IndexFile(kUnit, 1)),
              Sealed(index, "trustline.v1.ConsolidationIndex", IdentityOfNode("dst-pub")));
  EXPECT_EQ(ReadIndex().status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ExchangeTamperingTest, Scenario20WrongPasswordIsPermissionDenied) {
  PublishAll();
  ASSERT_EQ(Consolidate(), absl::OkStatus());
  const absl::Status status =
      ReadExport(hub_, Believed().manifests.at(who_[0]), "s3cret guess").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(status.message()), HasSubstr("spring/exports/src.src-pub"));
  EXPECT_FALSE(absl::StrContains(status.message(), "s3cret"));
  EXPECT_EQ(ReadConsolidated(hub_, Trust(), kUnit, "s3cret guess").status().code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(ExchangeTamperingTest, Scenario20BundleCutShortBeforeItWasSignedForIsRefused) {
  const std::string whole = *server_.Get(Path(HonestManifest(who_[0]).object()));
  const v1::Manifest manifest = SignedFor(whole.substr(0, whole.size() / 2));
  const absl::Status status = ReadExport(hub_, manifest, kPassword).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr(manifest.object()));
}

TEST_F(ExchangeTamperingTest, Scenario20ForeignExtraOrMissingCertificateIsRefusedAndNamed) {
  const Certificate foreign = TestPki::UnitCertificate("mallory");
  std::vector<BundleEntry> more = entries_["src-pub"];
  more.push_back({foreign, "CallManager of src-pub"});
  v1::Manifest manifest = SignedFor(*WritePkcs12(more, kPassword, BundleProfile::kModern));
  const absl::Status extra = ReadExport(hub_, manifest, kPassword).status();
  EXPECT_EQ(extra.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(extra.message()), HasSubstr(foreign.sha256_hex()));
  manifest = SignedFor(*WritePkcs12(entries_["dst-pub"], kPassword, BundleProfile::kModern));
  const absl::Status missing = ReadExport(hub_, manifest, kPassword).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(missing.message()),
              HasSubstr(absl::StrCat("lacks ", entries_["src-pub"][0].certificate.sha256_hex())));
}

}  // namespace
}  // namespace trustline
