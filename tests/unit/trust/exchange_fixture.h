// Two clusters, their agents' identities and an exchange in memory.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/fakes/fake_hub.h"
#include "tests/fakes/test_pki.h"
#include "trust/envelope.h"
#include "trust/exchange.h"
#include "trust/exchange_names.h"
#include "trust/sha256.h"

namespace trustline {

class ExchangeTest : public ::testing::Test {
 protected:
  static constexpr char kPassword[] = "bundle password";
  static constexpr char kUnit[] = "CallManager";

  ExchangeTest() {
    topology_.set_domain("example.test");
    AddNode("src", "src-pub");
    AddNode("src", "src-sub1");
    AddNode("dst", "dst-pub");
  }

  void AddNode(const std::string& cluster, const std::string& node) {
    v1::Cluster* found = nullptr;
    for (v1::Cluster& there : *topology_.mutable_clusters()) {
      if (there.name() == cluster) found = &there;
    }
    if (found == nullptr) found = topology_.add_clusters();
    found->set_name(cluster);
    found->add_nodes()->set_name(node);
    who_.push_back({cluster, node, kUnit});
    identities_.emplace(node, pki_.AgentIdentity(node));
    entries_[node] = {{testing::TestPki::UnitCertificate(node), absl::StrCat(kUnit, " of ", node)}};
  }

  const testing::TestIdentity& IdentityOfNode(const std::string& node) const {
    return identities_.at(node);
  }

  ExchangeTrust Trust(const std::string& exchange = "spring") const {
    return {exchange, topology_, pki_.roots(), now_};
  }

  absl::Status Publish(const ExpectedExport& who, uint64_t sequence = 1,
                       const std::string& exchange = "spring") {
    const testing::TestIdentity& identity = IdentityOfNode(who.node);
    return PublishExport(hub_, exchange, {who, entries_.at(who.node), sequence}, kPassword,
                         BundleProfile::kModern, identity.key, identity.certificate, now_);
  }

  void PublishAll(uint64_t sequence = 1, const std::string& exchange = "spring") {
    for (const ExpectedExport& who : who_) {
      ASSERT_EQ(Publish(who, sequence, exchange), absl::OkStatus());
    }
  }

  std::vector<BundleEntry> AllEntries() const {
    std::vector<BundleEntry> all;
    for (const auto& [node, entries] : entries_) {
      all.insert(all.end(), entries.begin(), entries.end());
    }
    return all;
  }

  absl::Status Consolidate(uint64_t sequence = 1, const std::string& exchange = "spring") {
    std::vector<v1::Manifest> manifests;
    for (auto& [who, manifest] : Believed(exchange).manifests) manifests.push_back(manifest);
    const testing::TestIdentity& identity = IdentityOfNode("dst-pub");
    return PublishConsolidated(hub_, exchange, kUnit, AllEntries(), manifests, sequence, kPassword,
                               BundleProfile::kModern, "dst-pub", identity.key,
                               identity.certificate, now_);
  }

  BelievedManifests Believed(const std::string& exchange = "spring") {
    absl::StatusOr<BelievedManifests> read = ReadManifests(hub_, Trust(exchange), {kUnit});
    EXPECT_TRUE(read.ok()) << read.status();
    return read.ok() ? *std::move(read) : BelievedManifests();
  }

  absl::StatusOr<Consolidated> ReadIndex(const std::string& exchange = "spring") {
    return ReadConsolidated(hub_, Trust(exchange), kUnit, kPassword);
  }

  static std::string Path(const std::string& relative) { return absl::StrCat("spring/", relative); }
  static std::string ManifestPath(const ExpectedExport& who, uint64_t sequence = 1) {
    return Path(ManifestFile(who, sequence));
  }

  // What a forger or a careless node would sign: any manifest, any object, any signer.
  std::string Sealed(const google::protobuf::MessageLite& message, const std::string& type,
                     const testing::TestIdentity& signer) const {
    return Seal(type, message.SerializeAsString(), signer.key, signer.certificate)
        ->SerializeAsString();
  }
  std::string SealedManifest(const v1::Manifest& manifest,
                             const testing::TestIdentity& signer) const {
    return Sealed(manifest, "trustline.v1.Manifest", signer);
  }
  v1::Manifest HonestManifest(const ExpectedExport& who, uint64_t sequence = 1) {
    if (!server_.Get(ManifestPath(who, sequence)).ok()) {
      EXPECT_EQ(Publish(who, sequence), absl::OkStatus());
    }
    v1::Envelope envelope;
    v1::Manifest manifest;
    EXPECT_TRUE(envelope.ParseFromString(*server_.Get(ManifestPath(who, sequence))));
    EXPECT_TRUE(manifest.ParseFromString(envelope.payload()));
    return manifest;
  }

  testing::TestPki pki_;
  absl::Time now_ = testing::TestPki::SomeTime();
  v1::Topology topology_;
  std::vector<ExpectedExport> who_;
  std::map<std::string, testing::TestIdentity> identities_;
  std::map<std::string, std::vector<BundleEntry>> entries_;
  FakeHubServer server_;
  FakeHub hub_{&server_};
};

}  // namespace trustline
