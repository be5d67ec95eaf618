#include "trust/list_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace trustline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// pub: publisher, TFTP, TVS, CAPF. sub1: TFTP, TVS. sub2: calls only.
v1::Topology Topology(const std::string& version, bool mixed = false) {
  v1::Topology topology;
  v1::Cluster* cluster = topology.add_clusters();
  cluster->set_name("dst");
  cluster->set_version(version);
  cluster->set_security_mode(mixed ? v1::SECURITY_MODE_MIXED : v1::SECURITY_MODE_NON_SECURE);
  const auto add = [&](const std::string& name, std::vector<v1::NodeRole> roles) {
    v1::ClusterNode* node = cluster->add_nodes();
    node->set_name(name);
    for (const v1::NodeRole role : roles) node->add_roles(role);
  };
  add("pub", {v1::NODE_ROLE_PUBLISHER, v1::NODE_ROLE_TFTP, v1::NODE_ROLE_TVS, v1::NODE_ROLE_CAPF});
  add("sub1", {v1::NODE_ROLE_TFTP, v1::NODE_ROLE_TVS});
  add("sub2", {v1::NODE_ROLE_CALLMANAGER});
  return topology;
}

std::string Text(const ExpectedList& list) {
  std::string text = absl::StrCat(ListTypeName(list.type), " ", list.node.empty() ? "-" : list.node,
                                  " by ", list.signer.unit, "@", list.signer.node, ":");
  for (const ExpectedRecord& record : list.records) {
    absl::StrAppend(&text, " ",
                    RoleText(static_cast<uint16_t>(record.role)) ==
                            RoleText(static_cast<uint16_t>(ListRole::kSast))
                        ? "SAST"
                        : RoleText(static_cast<uint16_t>(record.role)),
                    "=", record.source.unit, "@", record.source.node);
  }
  return text;
}

std::vector<std::string> Lists(const v1::Topology& topology, ListType type,
                               ListContent content = ListContent::kFull) {
  const auto lists = ExpectedLists(topology, "dst", type, content);
  if (!lists.ok()) return {lists.status().ToString()};
  std::vector<std::string> texts;
  for (const ExpectedList& list : *lists) texts.push_back(Text(list));
  return texts;
}

constexpr char kRest[] = " TVS=TVS@pub TVS=TVS@sub1 CAPF=CAPF@pub";

TEST(ListRules, Scenario02EveryTftpNodeSignsItsOwnItlBelow12) {
  EXPECT_THAT(Lists(Topology("11.5"), ListType::kItl),
              ElementsAre(absl::StrCat("itl pub by CallManager@pub: SAST=CallManager@pub "
                                       "SAST=ITLRecovery@pub TFTP=CallManager@pub",
                                       kRest),
                          absl::StrCat("itl sub1 by CallManager@sub1: SAST=CallManager@sub1 "
                                       "SAST=ITLRecovery@sub1 TFTP=CallManager@sub1",
                                       kRest)));
}

TEST(ListRules, ItlRecoverySignsFrom12On) {
  EXPECT_THAT(Lists(Topology("12.0"), ListType::kItl),
              ElementsAre(absl::StrCat("itl pub by ITLRecovery@pub: SAST=ITLRecovery@pub "
                                       "SAST=CallManager@pub TFTP=CallManager@pub",
                                       kRest),
                          absl::StrCat("itl sub1 by ITLRecovery@sub1: SAST=ITLRecovery@sub1 "
                                       "SAST=CallManager@sub1 TFTP=CallManager@sub1",
                                       kRest)));
}

TEST(ListRules, ThePublishersItlRecoverySignsFrom125On) {
  for (const char* version : {"12.5", "12.5(1)SU3", "14"}) {
    EXPECT_THAT(Lists(Topology(version), ListType::kItl),
                ElementsAre(absl::StrCat("itl pub by ITLRecovery@pub: SAST=ITLRecovery@pub "
                                         "SAST=CallManager@pub TFTP=CallManager@pub",
                                         kRest),
                            absl::StrCat("itl sub1 by ITLRecovery@pub: SAST=ITLRecovery@pub "
                                         "SAST=CallManager@sub1 TFTP=CallManager@sub1",
                                         kRest)))
        << version;
  }
}

TEST(ListRules, ThereIsNoItlRecoveryBefore105) {
  for (const char* version : {"8.6(2a)", "9.1", "10.0", "10.5(1)"}) {
    EXPECT_THAT(Lists(Topology(version), ListType::kItl)[1],
                absl::StrCat("itl sub1 by CallManager@sub1: SAST=CallManager@sub1 "
                             "TFTP=CallManager@sub1",
                             kRest))
        << version;
  }
}

TEST(ListRules, MixedModeItlsNameCallManagerForCallsToo) {
  EXPECT_THAT(Lists(Topology("14", /*mixed=*/true), ListType::kItl)[1],
              absl::StrCat("itl sub1 by ITLRecovery@pub: SAST=ITLRecovery@pub "
                           "SAST=CallManager@sub1 CCM+TFTP=CallManager@sub1",
                           kRest));
}

TEST(ListRules, OneCtlPerClusterSignedByThePublisher) {
  const std::string rest =
      " CCM+TFTP=CallManager@pub CCM+TFTP=CallManager@sub1 CCM+TFTP=CallManager@sub2 "
      "CAPF=CAPF@pub";
  EXPECT_THAT(Lists(Topology("10.0", true), ListType::kCtl),
              ElementsAre(absl::StrCat("ctl - by CallManager@pub: SAST=CallManager@pub", rest)));
  for (const char* version : {"10.5(2)", "11.5"}) {
    EXPECT_THAT(Lists(Topology(version, true), ListType::kCtl),
                ElementsAre(absl::StrCat("ctl - by CallManager@pub: SAST=CallManager@pub "
                                         "SAST=ITLRecovery@pub",
                                         rest)));
  }
  for (const char* version : {"12.0", "12.5", "14"}) {
    EXPECT_THAT(Lists(Topology(version, true), ListType::kCtl),
                ElementsAre(absl::StrCat("ctl - by ITLRecovery@pub: SAST=ITLRecovery@pub "
                                         "SAST=CallManager@pub",
                                         rest)));
  }
}

TEST(ListRules, TheEmptyListNamesCapfOnlyAndKeepsItsSigner) {
  EXPECT_THAT(Lists(Topology("11.5"), ListType::kItl, ListContent::kEmpty),
              ElementsAre("itl pub by CallManager@pub: CAPF=CAPF@pub",
                          "itl sub1 by CallManager@sub1: CAPF=CAPF@pub"));
}

TEST(ListRules, Scenario16TheEmptyListIsRefusedInMixedMode) {
  const auto lists =
      ExpectedLists(Topology("11.5", true), "dst", ListType::kItl, ListContent::kEmpty);
  EXPECT_TRUE(absl::IsFailedPrecondition(lists.status()));
  EXPECT_THAT(lists.status().message(), HasSubstr("cluster dst is in mixed mode"));
}

TEST(ListRules, ListsThatCannotBeAreRefusedWithTheReason) {
  const auto refusal = [](const v1::Topology& topology, ListType type,
                          ListContent content = ListContent::kFull) {
    return std::string(ExpectedLists(topology, "dst", type, content).status().message());
  };
  EXPECT_THAT(refusal(Topology("14"), ListType::kCtl), HasSubstr("is not in mixed mode"));
  EXPECT_THAT(refusal(Topology("9.1", true), ListType::kCtl), HasSubstr("only hardware tokens"));
  EXPECT_THAT(refusal(Topology("7.1"), ListType::kItl), HasSubstr("from 8.0 on"));
  EXPECT_THAT(refusal(Topology("14"), ListType::kCtl, ListContent::kEmpty),
              HasSubstr("no empty CTL"));
  v1::Topology no_capf = Topology("14", true);
  no_capf.mutable_clusters(0)->mutable_nodes(0)->mutable_roles()->RemoveLast();
  EXPECT_THAT(refusal(no_capf, ListType::kCtl), HasSubstr("no node has the role capf"));
  v1::Topology no_tftp = Topology("14");
  for (v1::ClusterNode& node : *no_tftp.mutable_clusters(0)->mutable_nodes()) {
    if (node.name() != "pub") node.clear_roles();
  }
  no_tftp.mutable_clusters(0)->mutable_nodes(0)->set_roles(1, v1::NODE_ROLE_TVS);
  EXPECT_THAT(refusal(no_tftp, ListType::kItl), HasSubstr("no node with the role tftp"));
  v1::Topology no_publisher = Topology("14");
  no_publisher.mutable_clusters(0)->mutable_nodes(0)->clear_roles();
  EXPECT_THAT(refusal(no_publisher, ListType::kItl), HasSubstr("no node with the role publisher"));
  v1::Topology twice = Topology("14");
  twice.mutable_clusters(0)->add_nodes()->set_name("sub1");
  EXPECT_THAT(refusal(twice, ListType::kItl), HasSubstr("is there twice"));
  EXPECT_THAT(refusal(v1::Topology(), ListType::kItl), HasSubstr("no cluster dst"));
}

TEST(ListRules, EveryNodePublishesWhatListsNameOfIt) {
  const auto units = [](const v1::Topology& topology, const char* node) {
    const auto found = UnitsInLists(topology, node);
    return found.ok() ? *found : std::vector<std::string>{found.status().ToString()};
  };
  EXPECT_THAT(units(Topology("14"), "pub"),
              ElementsAre("CAPF", "CallManager", "ITLRecovery", "TVS"));
  EXPECT_THAT(units(Topology("14"), "sub1"), ElementsAre("CallManager", "TVS"));
  EXPECT_THAT(units(Topology("14"), "sub2"), ElementsAre());
  EXPECT_THAT(units(Topology("11.5"), "sub1"), ElementsAre("CallManager", "ITLRecovery", "TVS"));
  EXPECT_THAT(units(Topology("10.0"), "sub1"), ElementsAre("CallManager", "TVS"));
  // Phones authenticate the nodes they call through by the CTL.
  EXPECT_THAT(units(Topology("14", true), "sub2"), ElementsAre("CallManager"));
  EXPECT_TRUE(absl::IsInvalidArgument(UnitsInLists(Topology("14"), "elsewhere").status()));
}

// What vouches for a list must be among what migrations carry, whoever signs.
TEST(ListRules, EverySignerOfAListIsExportedForOtherClusters) {
  for (const char* version : {"8.6", "10.0", "10.5(2)", "11.5", "12.0", "12.5", "14"}) {
    for (const bool mixed : {false, true}) {
      v1::Topology topology = Topology(version, mixed);
      // The publisher serves no files.
      v1::ClusterNode& publisher = *topology.mutable_clusters(0)->mutable_nodes(0);
      publisher.clear_roles();
      publisher.add_roles(v1::NODE_ROLE_PUBLISHER);
      publisher.add_roles(v1::NODE_ROLE_CAPF);
      v1::Cluster* other = topology.add_clusters();
      *other = Topology("14").clusters(0);
      other->set_name("src");
      for (v1::ClusterNode& node : *other->mutable_nodes()) node.set_name("src-" + node.name());
      const auto exports = ExpectedExports(topology, {"CallManager", "ITLRecovery"});
      ASSERT_TRUE(exports.ok()) << exports.status();
      for (const ListType type : {ListType::kItl, ListType::kCtl}) {
        const auto lists = ExpectedLists(topology, "dst", type, ListContent::kFull);
        if (!lists.ok()) continue;
        for (const ExpectedList& list : *lists) {
          EXPECT_THAT(*exports, ::testing::Contains(list.signer)) << version << " " << Text(list);
        }
      }
    }
  }
}

}  // namespace
}  // namespace trustline
