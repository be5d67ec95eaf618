#include "trust/cluster_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace trustline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

v1::Cluster* AddCluster(v1::Topology* topology, const std::string& name,
                        const std::string& version) {
  v1::Cluster* cluster = topology->add_clusters();
  cluster->set_name(name);
  cluster->set_version(version);
  const auto add = [&](const std::string& node, std::vector<v1::NodeRole> roles) {
    v1::ClusterNode* member = cluster->add_nodes();
    member->set_name(name + "-" + node);
    for (v1::NodeRole role : roles) member->add_roles(role);
  };
  add("pub", {v1::NODE_ROLE_PUBLISHER, v1::NODE_ROLE_TFTP, v1::NODE_ROLE_TVS});
  add("sub1", {v1::NODE_ROLE_TFTP, v1::NODE_ROLE_TVS});
  add("sub2", {v1::NODE_ROLE_CALLMANAGER});
  return cluster;
}

v1::Topology TwoClusters(const std::string& source = "11.5",
                         const std::string& destination = "14") {
  v1::Topology topology;
  AddCluster(&topology, "src", source);
  AddCluster(&topology, "dst", destination);
  return topology;
}

std::vector<std::string> Names(const absl::StatusOr<std::vector<ExpectedExport>>& exports) {
  if (!exports.ok()) return {exports.status().ToString()};
  std::vector<std::string> names;
  for (const ExpectedExport& e : *exports)
    names.push_back(absl::StrCat(e.cluster, "/", e.node, "/", e.unit));
  return names;
}

TEST(ClusterVersion, ReadsWhatTheVendorWrites) {
  const struct {
    const char* text;
    ClusterVersion version;
  } cases[] = {{"11.5", {11, 5, 0}},        {"10.5(2)", {10, 5, 2}},
               {"12.5(1)SU3", {12, 5, 1}},  {"14", {14, 0, 0}},
               {"14SU2", {14, 0, 0}},       {"8.6(2a)", {8, 6, 2}},
               {"12.5(1)SU4a", {12, 5, 1}}, {"12.5.1.13900-152", {12, 5, 1}},
               {"15.0.1", {15, 0, 1}},      {"11.5(1)ES12", {11, 5, 1}}};
  for (const auto& c : cases) {
    const auto version = ParseClusterVersion(c.text);
    ASSERT_TRUE(version.ok()) << c.text << version.status();
    EXPECT_EQ(*version, c.version) << c.text;
  }
  EXPECT_LT(*ParseClusterVersion("10.5(1)"), *ParseClusterVersion("10.5(2)"));
  EXPECT_LT(*ParseClusterVersion("9.1"), *ParseClusterVersion("10.0"));
  EXPECT_EQ(*ParseClusterVersion("14"), *ParseClusterVersion("14SU2"));
}

TEST(ClusterVersion, RefusesTheRest) {
  for (const std::string text :
       {"", "x", "v14", "14.", "14.x", "12.5(", "12.5(1", "12.5()", "12.5(1)SU", "12.5(1)xx",
        "12.5 (1)", "12.5.1.", "99999", "0", "-14", "14 ", "12.5(1)SU3ab"}) {
    const auto version = ParseClusterVersion(text);
    EXPECT_EQ(version.status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(ExpectedExports, CallManagerComesFromEveryTftpNode) {
  EXPECT_THAT(Names(ExpectedExports(TwoClusters(), {"CallManager"})),
              ElementsAre("dst/dst-pub/CallManager", "dst/dst-sub1/CallManager",
                          "src/src-pub/CallManager", "src/src-sub1/CallManager"));
}

TEST(ExpectedExports, ItlRecoveryDependsOnTheVersion) {
  EXPECT_THAT(Names(ExpectedExports(TwoClusters("10.5(1)", "10.5"), {"ITLRecovery"})), IsEmpty());
  EXPECT_THAT(Names(ExpectedExports(TwoClusters("10.5(2)", "12.0"), {"ITLRecovery"})),
              ElementsAre("dst/dst-pub/ITLRecovery", "dst/dst-sub1/ITLRecovery",
                          "src/src-pub/ITLRecovery", "src/src-sub1/ITLRecovery"));
  EXPECT_THAT(Names(ExpectedExports(TwoClusters("12.5", "15"), {"ITLRecovery"})),
              ElementsAre("dst/dst-pub/ITLRecovery", "src/src-pub/ITLRecovery"));
}

TEST(ExpectedExports, CapfIsThePublisherOrTheNodeWithTheRole) {
  v1::Topology topology = TwoClusters();
  topology.mutable_clusters(0)->mutable_nodes(2)->add_roles(v1::NODE_ROLE_CAPF);
  EXPECT_THAT(Names(ExpectedExports(topology, {"CAPF"})),
              ElementsAre("dst/dst-pub/CAPF", "src/src-sub2/CAPF"));
}

TEST(ExpectedExports, TomcatIsEveryNode) {
  EXPECT_EQ(Names(ExpectedExports(TwoClusters(), {"tomcat"})).size(), 6u);
}

TEST(ExpectedExports, UnitsAreCombinedSortedAndCountOnce) {
  EXPECT_THAT(Names(ExpectedExports(TwoClusters(), {"ITLRecovery", "CAPF", "CAPF"})),
              ElementsAre("dst/dst-pub/CAPF", "dst/dst-pub/ITLRecovery", "src/src-pub/CAPF",
                          "src/src-pub/ITLRecovery", "src/src-sub1/ITLRecovery"));
}

void ExpectRefused(const v1::Topology& topology, const std::string& unit, const std::string& word) {
  const auto exports = ExpectedExports(topology, {unit});
  EXPECT_EQ(exports.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(exports.status().message(), word)) << exports.status();
}

TEST(ExpectedExports, ImpossibleTopologiesAreRefusedByName) {
  v1::Topology one;
  ExpectRefused(one, "CallManager", "needs two clusters");
  AddCluster(&one, "src", "11.5");
  ExpectRefused(one, "CallManager", "only src");

  ExpectRefused(TwoClusters("11.5", "new"), "CallManager", "cluster dst");
  ExpectRefused(TwoClusters("", "14"), "CallManager", "cluster src");
  ExpectRefused(TwoClusters(), "TVS", "\"TVS\"");

  v1::Topology headless = TwoClusters();
  headless.mutable_clusters(1)->mutable_nodes(0)->clear_roles();
  ExpectRefused(headless, "CallManager", "cluster dst has no node with the role publisher");
  v1::Topology two_heads = TwoClusters();
  two_heads.mutable_clusters(1)->mutable_nodes(1)->add_roles(v1::NODE_ROLE_PUBLISHER);
  ExpectRefused(two_heads, "CallManager", "dst-pub, dst-sub1");
  v1::Topology no_tftp = TwoClusters();
  no_tftp.mutable_clusters(0)->mutable_nodes(1)->clear_roles();
  no_tftp.mutable_clusters(0)->mutable_nodes(0)->clear_roles();
  no_tftp.mutable_clusters(0)->mutable_nodes(0)->add_roles(v1::NODE_ROLE_PUBLISHER);
  ExpectRefused(no_tftp, "CallManager", "cluster src has no node with the role tftp");
  v1::Topology same_cluster = TwoClusters();
  same_cluster.mutable_clusters(1)->set_name("src");
  ExpectRefused(same_cluster, "CallManager", "cluster src is there twice");
  v1::Topology same_node = TwoClusters();
  same_node.mutable_clusters(1)->mutable_nodes(0)->set_name("src-sub2");
  ExpectRefused(same_node, "CallManager", "src-sub2");
}

TEST(DefaultPlacement, IsTheVendorsTable) {
  EXPECT_THAT(DefaultPlacement("CallManager"),
              ElementsAre("CallManager-trust", "Phone-SAST-trust"));
  EXPECT_THAT(DefaultPlacement("ITLRecovery"),
              ElementsAre("Phone-SAST-trust", "CallManager-trust"));
  EXPECT_THAT(DefaultPlacement("CAPF"), ElementsAre("CallManager-trust"));
  EXPECT_THAT(DefaultPlacement("tomcat"), ElementsAre("tomcat-trust"));
  EXPECT_THAT(DefaultPlacement("TVS"), IsEmpty());
}

TEST(ClusterOf, FindsTheClusterOfANode) {
  const v1::Topology topology = TwoClusters();
  EXPECT_EQ(ClusterOf(topology, "dst-sub1")->name(), "dst");
  EXPECT_EQ(ClusterOf(topology, "dhcp-a"), nullptr);
}

}  // namespace
}  // namespace trustline
