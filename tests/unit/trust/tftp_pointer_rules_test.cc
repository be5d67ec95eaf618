#include "trust/tftp_pointer_rules.h"

#include <gtest/gtest.h>

#include "absl/strings/str_join.h"

namespace trustline {
namespace {

v1::Topology TwoClusters() {
  v1::Topology topology;
  auto add = [&](v1::Cluster& cluster, const char* name, const char* address, bool tftp) {
    v1::ClusterNode& node = *cluster.add_nodes();
    node.set_name(name);
    node.add_addresses(address);
    node.add_roles(v1::NODE_ROLE_TVS);
    if (tftp) node.add_roles(v1::NODE_ROLE_TFTP);
  };
  v1::Cluster& source = *topology.add_clusters();
  source.set_name("src");
  add(source, "src-pub", "10.10.0.11", true);
  v1::Cluster& destination = *topology.add_clusters();
  destination.set_name("dst");
  add(destination, "dst-pub", "10.20.0.11", true);
  add(destination, "dst-sub1", "10.20.0.12", true);
  add(destination, "dst-sub2", "10.20.0.13", true);
  add(destination, "dst-sub3", "10.20.0.14", false);
  return topology;
}

TftpPointerFindings Check(const std::vector<std::string>& addresses,
                          const std::string& subnet = "10.30.0.0/24") {
  v1::TftpPointerSpec spec;
  spec.mutable_scope()->set_subnet(subnet);
  for (const std::string& address : addresses) spec.add_tftp_servers(address);
  return CheckTftpPointer(spec, TwoClusters());
}
std::string Errors(const std::vector<std::string>& addresses) {
  return absl::StrJoin(Check(addresses).errors, "; ");
}
std::string Warnings(const std::vector<std::string>& addresses) {
  return absl::StrJoin(Check(addresses).warnings, "; ");
}

TEST(TftpPointerRulesTest, Scenario27OneOrTwoAddressesOfTheDestinationAreFine) {
  EXPECT_EQ(Errors({"10.20.0.11"}), "");
  EXPECT_EQ(Errors({"10.20.0.12", "10.20.0.11"}), "");
  EXPECT_EQ(Warnings({"10.20.0.12", "10.20.0.11"}), "");
}

TEST(TftpPointerRulesTest, Scenario27OldAndNewTogetherAreRefused) {
  EXPECT_EQ(Errors({"10.20.0.11", "10.10.0.11"}),
            "addresses of two clusters together: 10.20.0.11 (dst-pub, cluster dst) and 10.10.0.11 "
            "(src-pub, cluster src); phones would flap between them");
}

TEST(TftpPointerRulesTest, Scenario27AddressesNoServerCanHaveAreErrors) {
  for (const char* address : {"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255"}) {
    EXPECT_EQ(Errors({address}), std::string(address) + " is no address of a server");
  }
}

TEST(TftpPointerRulesTest, Scenario27NoAddressIsAnError) {
  EXPECT_EQ(Errors({}), "tftp_servers is empty; option 150 needs 1 or 2 addresses");
}

TEST(TftpPointerRulesTest, Scenario27AThirdAddressIsAWarning) {
  EXPECT_EQ(Errors({"10.20.0.11", "10.20.0.12", "10.20.0.13"}), "");
  EXPECT_EQ(Warnings({"10.20.0.11", "10.20.0.12", "10.20.0.13"}),
            "tftp_servers has 3 addresses; phones use the first two and ignore the others");
}

TEST(TftpPointerRulesTest, Scenario27ANodeWithoutTftpIsAnError) {
  EXPECT_EQ(Errors({"10.20.0.14"}), "10.20.0.14 is dst-sub3, which does not have the role tftp");
}

TEST(TftpPointerRulesTest, AnUnknownAddressIsAWarning) {
  EXPECT_EQ(Errors({"10.99.0.1", "10.20.0.11"}), "");
  EXPECT_EQ(Warnings({"10.99.0.1"}), "10.99.0.1 belongs to no node of the inventory");
}

TEST(TftpPointerRulesTest, MalformedAndRepeatedAddressesAreErrors) {
  EXPECT_EQ(Errors({"10.20.0.256"}), "'10.20.0.256' is not an IPv4 address");
  EXPECT_EQ(Errors({"10.20.0.11", "10.20.0.11"}), "10.20.0.11 is given twice");
}

TEST(TftpPointerRulesTest, TheSubnetMustBeOne) {
  EXPECT_EQ(absl::StrJoin(Check({"10.20.0.11"}, "10.30.0.5/24").errors, ";"),
            "'10.30.0.5/24' has bits set behind its prefix; the subnet is 10.30.0.0/24");
  EXPECT_EQ(absl::StrJoin(Check({"10.20.0.11"}, "10.30.0.0/33").errors, ";"),
            "'10.30.0.0/33' is not an IPv4 subnet such as 10.30.0.0/24");
  EXPECT_EQ(absl::StrJoin(Check({"10.20.0.11"}, "0.0.0.0/0").errors, ";"), "");
}

TEST(TftpPointerRulesTest, ClientClassesAreUnsupported) {
  v1::TftpPointerSpec spec;
  spec.mutable_scope()->set_class_name("phones");
  spec.add_tftp_servers("10.20.0.11");
  EXPECT_EQ(CheckTftpPointer(spec, TwoClusters()).errors[0],
            "unsupported: a client class as scope; use a subnet, a reservation or global");
}

TEST(TftpPointerRulesTest, ScopesHaveOneNameHoweverTheyAreWritten) {
  v1::PointerScope scope;
  scope.set_reservation("00:1B:54:AA:BB:01");
  EXPECT_EQ(PointerScopeName(scope), "reservation 00:1b:54:aa:bb:01");
  scope.Clear();
  scope.set_global(true);
  EXPECT_EQ(PointerScopeName(scope), "global");
}

}  // namespace
}  // namespace trustline
