// Two clusters whose nodes publish, build and install trust lists.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/two_clusters.h"
#include "trust/exchange.h"
#include "trust/list_rules.h"
#include "trust/trust_list/trust_list.h"

namespace trustline::agent {

class TrustListKindTest : public ::testing::Test {
 protected:
  static constexpr v1::TrustListStep kPublish = v1::TRUST_LIST_STEP_PUBLISH;
  static constexpr v1::TrustListStep kBuild = v1::TRUST_LIST_STEP_BUILD;
  static constexpr v1::TrustListStep kInstall = v1::TRUST_LIST_STEP_INSTALL;

  // Applies and returns all that the row says.
  std::string ExpectRow(const std::string& node, const v1::Resource& resource, v1::Outcome outcome,
                        const std::string& words = "") {
    const v1::ResourceOutcome row = OnlyRow(world_.Node(node).Apply({resource}));
    EXPECT_EQ(row.outcome(), outcome) << node << ": " << v1::Outcome_Name(row.outcome()) << "\n"
                                      << TextOf(row);
    EXPECT_THAT(TextOf(row), ::testing::HasSubstr(words));
    return TextOf(row);
  }
  std::string Expect(const std::string& node, v1::TrustListStep step, v1::Outcome outcome,
                     const std::string& words = "") {
    return ExpectRow(node, world_.List(step), outcome, words);
  }

  // Changes of the topology come before the first use of a node.
  void Mixed(const std::string& cluster) {
    for (v1::Cluster& known : *world_.topology.mutable_clusters()) {
      if (known.name() != cluster) continue;
      known.set_security_mode(v1::SECURITY_MODE_MIXED);
      known.mutable_nodes(0)->add_roles(v1::NODE_ROLE_CAPF);
    }
  }
  // Nodes of dst that only answer TVS, their names (in certificates) that long.
  void AddTvsNodes(int count, size_t name_bytes = 0) {
    testing::UnitOptions options;
    if (name_bytes > 0) options.subject = {{"CN", "tvs"}, {"O", std::string(name_bytes, 'o')}};
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i) {
      v1::ClusterNode& node = *world_.topology.mutable_clusters(1)->add_nodes();
      node.set_name(absl::StrCat("dst-tvs", i));
      node.add_roles(v1::NODE_ROLE_TVS);
      names.push_back(node.name());
    }
    for (const std::string& name : names) {
      if (name_bytes > 0) world_.GiveIdentity(name, "TVS", options);
    }
    long_names_ = name_bytes > 0;
  }

  void Identities(const std::string& cluster, const std::vector<std::string>& units) {
    for (const v1::Cluster& known : world_.topology.clusters()) {
      if (known.name() != cluster) continue;
      for (const v1::ClusterNode& node : known.nodes()) {
        for (const std::string& unit : units) world_.GiveIdentity(node.name(), unit);
      }
    }
  }
  void Put(const std::string& node, const std::string& unit, const Certificate& certificate,
           const PrivateKey& key) {
    std::string path = TwoClusters::PathOf(unit, certificate);
    FileImage image;
    image.bytes = key.ToPkcs8Pem();
    image.mode = 0600;
    world_.Node(node).host.files.Put(path, certificate.ToPem());
    world_.Node(node).host.files.Put(path.replace(path.size() - 4, 4, ".key"), image);
  }
  // The node's one own certificate of the unit.
  Certificate Own(const std::string& node, const std::string& unit) {
    for (const auto& [path, image] : world_.Node(node).host.files.Snapshot()) {
      if (absl::StartsWith(path, absl::StrCat("/etc/certificates/", unit, "/")) &&
          absl::EndsWith(path, ".pem")) {
        return Certificate::FromPem(image.bytes).value();
      }
    }
    ADD_FAILURE() << node << " has no " << unit;
    return testing::TestPki::UnitCertificate("none");
  }
  void Renew(const std::string& node, const std::string& unit) {
    world_.TakeIdentity(node, unit, Own(node, unit));
    world_.GiveIdentity(node, unit);
  }

  void PublishAll(const std::string& cluster) {
    for (const v1::Cluster& known : world_.topology.clusters()) {
      if (known.name() != cluster) continue;
      for (const v1::ClusterNode& node : known.nodes()) {
        const auto units = UnitsInLists(world_.topology, node.name());
        ASSERT_TRUE(units.ok()) << units.status();
        for (const std::string& unit : *units) {
          if (!long_names_ || unit != "TVS" || !absl::StrContains(node.name(), "tvs")) {
            world_.GiveIdentity(node.name(), unit);
          }
        }
        Expect(node.name(), kPublish, v1::OUTCOME_CHANGED);
      }
    }
  }
  // Everybody publishes, whoever signs builds.
  void Build(const std::string& cluster) {
    world_.GiveListIdentities(cluster);
    world_.PublishAndBuild(cluster);
  }

  std::vector<std::string> ListsOnHub() {
    std::vector<std::string> paths;
    for (const auto& [path, bytes] : world_.server.Files()) {
      if (absl::EndsWith(path, ".tlv")) paths.push_back(path);
    }
    return paths;
  }
  absl::StatusOr<FileImage> ReadServed(const std::string& node, const std::string& name) {
    return world_.Node(node).host.files.Read(absl::StrCat(TwoClusters::kTftpRoot, "/", name));
  }
  TrustList Installed(const std::string& node, const std::string& name = "ITLFile.tlv") {
    const absl::StatusOr<FileImage> image = ReadServed(node, name);
    EXPECT_TRUE(image.ok()) << node << ": " << image.status();
    if (!image.ok()) return TrustList();
    EXPECT_EQ(image->mode, 0644u);
    const absl::StatusOr<TrustList> list = ParseTrustList(image->bytes);
    EXPECT_TRUE(list.ok()) << list.status();
    return list.value_or(TrustList());
  }

  std::string Entry(ListRole role, const std::string& node, const std::string& unit,
                    const std::string& address) {
    return absl::StrCat(static_cast<int>(role), " ", node, " ", Own(node, unit).serial_hex(), " ",
                        address);
  }
  static std::vector<std::string> RecordsOf(const TrustList& list) {
    std::vector<std::string> texts;
    for (const TrustListRecord& record : list.records) {
      const Certificate certificate = Certificate::FromDer(record.certificate.value_or("")).value();
      const std::array<uint8_t, 4> address = record.address.value_or(std::array<uint8_t, 4>{});
      texts.push_back(absl::StrCat(record.role.value_or(0), " ", record.dns_name.value_or(""), " ",
                                   certificate.serial_hex(), " ", address[0], ".", address[1], ".",
                                   address[2], ".", address[3]));
    }
    return texts;
  }

  TwoClusters world_;
  bool long_names_ = false;
};

}  // namespace trustline::agent
