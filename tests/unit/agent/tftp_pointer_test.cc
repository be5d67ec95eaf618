#include "agent/resources/tftp_pointer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "agent/dhcp/kea_config.h"
#include "tests/fakes/fake_hub.h"
#include "tests/fakes/kind_harness.h"

namespace trustline::agent {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kPath[] = "/etc/kea/kea-dhcp4.conf";
constexpr char kConfig[] = R"({
  // Phones of the building.
  "Dhcp4": {
    "option-def": [ { "name": "voip-tftp", "code": 150, "type": "ipv4-address", "array": true } ],
    "option-data": [ { "name": "voip-tftp", "data": "10.10.0.11" } ], /* the old cluster */
    "subnet4": [
      { "subnet": "10.30.0.0/24", "id": 1,
        "option-data": [ { "name": "voip-tftp", "data": "10.10.0.12" } ],
        "reservations": [ { "hw-address": "00:1B:54:AA:BB:01", "hostname": "pilot" } ] },
      { "subnet": "10.30.1.0/24", "id": 2 },
      { "subnet": "10.30.2.0/24", "id": 3,
        "option-data": [ { "code": 150, "csv-format": false, "data": "0A0A000B" } ] }
    ]
  }
}
)";

v1::ClusterNode TftpNode(const std::string& name, const std::string& address) {
  v1::ClusterNode node;
  node.set_name(name);
  node.add_addresses(address);
  node.add_roles(v1::NODE_ROLE_TFTP);
  return node;
}

v1::Topology Fleet() {
  v1::Topology topology;
  v1::Cluster& source = *topology.add_clusters();
  source.set_name("src");
  source.set_version("11.5");
  *source.add_nodes() = TftpNode("src-pub", "10.10.0.11");
  v1::Cluster& destination = *topology.add_clusters();
  destination.set_name("dst");
  destination.set_version("14");
  *destination.add_nodes() = TftpNode("dst-pub", "10.20.0.11");
  *destination.add_nodes() = TftpNode("dst-sub1", "10.20.0.12");
  *destination.add_nodes() = TftpNode("dst-sub2", "10.20.0.13");
  *destination.add_nodes() = TftpNode("dst-sub3", "10.20.0.14");
  v1::ClusterNode& plain = *destination.add_nodes();
  plain = TftpNode("dst-sub4", "10.20.0.15");
  plain.clear_roles();
  v1::DhcpServer& server = *topology.add_dhcp_servers();
  server.set_node("dhcp-a");
  server.set_software("kea");
  return topology;
}

v1::Resource Pointer(std::vector<std::string> servers = {"10.20.0.11", "10.20.0.12"}) {
  v1::Resource resource;
  v1::TftpPointerSpec& spec = *resource.mutable_tftp_pointer();
  for (std::string& server : servers) spec.add_tftp_servers(std::move(server));
  spec.set_probe_from("probe-floor3");
  return resource;
}
v1::Resource SubnetPointer(const std::string& subnet,
                           std::vector<std::string> servers = {"10.20.0.11", "10.20.0.12"}) {
  v1::Resource resource = Pointer(std::move(servers));
  resource.mutable_tftp_pointer()->mutable_scope()->set_subnet(subnet);
  resource.set_id(absl::StrCat("tftp_pointer ", subnet));
  return resource;
}
v1::Resource ReservationPointer(const std::string& mac) {
  v1::Resource resource = Pointer();
  resource.mutable_tftp_pointer()->mutable_scope()->set_reservation(mac);
  return resource;
}
v1::Resource GlobalPointer() {
  v1::Resource resource = Pointer();
  resource.mutable_tftp_pointer()->mutable_scope()->set_global(true);
  return resource;
}

class TftpPointerTest : public ::testing::Test {
 protected:
  TftpPointerTest() {
    harness_.host.dhcp.Configure(kPath, kConfig, "10.30.0.2");
    harness_.prover.answer = [this](const std::string& from, const v1::ProbeRequest& question) {
      asked_from_.push_back(from);
      questions_.push_back(question);
      return Serve(question);
    };
  }

  // What a server that runs this configuration answers.
  v1::ProbeResponse Serve(const v1::ProbeRequest& question) {
    v1::ProbeResponse response;
    response.set_how("DHCPINFORM");
    const absl::StatusOr<std::string> running = harness_.host.dhcp.RunningConfig();
    if (!running.ok()) return response;
    response.set_answered(true);
    const KeaConfig config = KeaConfig::Parse(*running).value();
    std::vector<KeaScope> scopes;
    if (!question.hardware_address().empty()) {
      scopes.push_back({KeaScope::Type::kReservation, question.hardware_address()});
    }
    if (!question.subnet().empty()) scopes.push_back({KeaScope::Type::kSubnet, question.subnet()});
    scopes.push_back({KeaScope::Type::kGlobal, ""});
    for (const KeaScope& scope : scopes) {
      const KeaPointer pointer = config.Pointer(scope).value();
      if (pointer.addresses.empty()) continue;
      response.set_present(true);
      response.set_option_150(EncodeOption150(pointer.addresses));
      break;
    }
    return response;
  }

  std::string File() { return harness_.host.files.Read(kPath).value().bytes; }

  v1::ResourcePlan PlanOne(const v1::Resource& resource) {
    const absl::StatusOr<v1::Plan> plan = harness_.Plan({resource});
    EXPECT_TRUE(plan.ok()) << plan.status();
    return plan.ok() ? plan->resources(0) : v1::ResourcePlan();
  }
  v1::ResourceOutcome ApplyOne(const v1::Resource& resource) {
    const absl::StatusOr<v1::StageReport> report = harness_.Apply({resource});
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? report->resources(0) : v1::ResourceOutcome();
  }
  void Replace(const std::string& from, const std::string& to) {
    harness_.host.dhcp.Configure(kPath, absl::StrReplaceAll(kConfig, {{from, to}}), "10.30.0.2");
  }

  FakeHubServer hub_;
  FakeHubDialer dialer_{&hub_};
  KindRegistry kinds_ = [] {
    KindRegistry kinds;
    kinds.push_back(std::make_unique<TftpPointerKind>());
    return kinds;
  }();
  KindHarness harness_{"dhcp-a", Fleet(), dialer_, kinds_};
  std::vector<std::string> asked_from_;
  std::vector<v1::ProbeRequest> questions_;
};

TEST_F(TftpPointerTest, OnlyTheOptionChangesInTheFileAndTheServerLoadsIt) {
  FileImage before = harness_.host.files.Read(kPath).value();
  before.mode = 0640;
  before.uid = 101;
  before.gid = 102;
  before.xattrs["user.note"] = "kept";
  harness_.host.files.Put(kPath, before);

  const v1::ResourceOutcome outcome = ApplyOne(SubnetPointer("10.30.0.0/24"));
  EXPECT_EQ(outcome.outcome(), v1::OUTCOME_CHANGED) << outcome.DebugString();
  ASSERT_EQ(outcome.changes_size(), 1);
  EXPECT_EQ(outcome.changes(0).text(),
            "option 150 of subnet 10.30.0.0/24: 10.10.0.12 -> 10.20.0.11, 10.20.0.12");

  FileImage expected = before;
  expected.bytes = absl::StrReplaceAll(kConfig, {{"10.10.0.12", "10.20.0.11, 10.20.0.12"}});
  EXPECT_EQ(harness_.host.files.Read(kPath).value(), expected);
  const KeaConfig running = KeaConfig::Parse(*harness_.host.dhcp.RunningConfig()).value();
  EXPECT_EQ(running.Pointer({KeaScope::Type::kSubnet, "10.30.0.0/24"})->text,
            "10.20.0.11, 10.20.0.12");
}

TEST_F(TftpPointerTest, SecondApplyWritesNothingAndProvesAgain) {
  ASSERT_EQ(ApplyOne(SubnetPointer("10.30.0.0/24")).outcome(), v1::OUTCOME_CHANGED);
  const auto files = harness_.host.files.Snapshot();
  const int reloads = harness_.host.dhcp.reloads();
  const size_t asked = questions_.size();
  EXPECT_EQ(ApplyOne(SubnetPointer("10.30.0.0/24")).outcome(), v1::OUTCOME_UNCHANGED);
  EXPECT_EQ(harness_.host.files.Snapshot(), files);
  EXPECT_EQ(harness_.host.dhcp.reloads(), reloads);
  EXPECT_EQ(questions_.size(), asked + 1);
}

TEST_F(TftpPointerTest, PlanningAsksNobodyOnTheWire) {
  EXPECT_EQ(PlanOne(SubnetPointer("10.30.0.0/24")).outcome(), v1::OUTCOME_WOULD_CHANGE);
  EXPECT_EQ(harness_.prover.asked, 0);
  EXPECT_EQ(harness_.host.calls.count(), 0u);
}

TEST_F(TftpPointerTest, TheQuestionFitsTheScope) {
  ASSERT_EQ(ApplyOne(SubnetPointer("10.30.1.0/24")).outcome(), v1::OUTCOME_CHANGED);
  ASSERT_EQ(ApplyOne(ReservationPointer("00:1B:54:aa:bb:01")).outcome(), v1::OUTCOME_CHANGED);
  Replace("10.10.0.12", "10.10.0.13");
  // 10.30.0.0/24 sets a value itself, so the global one shows in the next subnet.
  ASSERT_EQ(ApplyOne(GlobalPointer()).outcome(), v1::OUTCOME_CHANGED);
  ASSERT_EQ(questions_.size(), 3u);
  for (const v1::ProbeRequest& question : questions_) {
    EXPECT_EQ(question.server(), "10.30.0.2");
    EXPECT_TRUE(question.may_discover());
  }
  EXPECT_EQ(questions_[0].subnet(), "10.30.1.0/24");
  EXPECT_EQ(questions_[0].hardware_address(), "");
  EXPECT_EQ(questions_[1].subnet(), "10.30.0.0/24");
  EXPECT_EQ(questions_[1].hardware_address(), "00:1b:54:aa:bb:01");
  EXPECT_EQ(questions_[2].subnet(), "10.30.1.0/24");
  EXPECT_THAT(asked_from_, ElementsAre("probe-floor3", "probe-floor3", "probe-floor3"));
}

TEST_F(TftpPointerTest, AGlobalValueThatNobodyCanSeeOnlyNeedsALivingServer) {
  Replace(R"("id": 2 })", R"("id": 2, "option-data": [ { "code": 150, "data": "10.10.0.19" } ] })");
  const v1::ResourceOutcome outcome = ApplyOne(GlobalPointer());
  EXPECT_EQ(outcome.outcome(), v1::OUTCOME_CHANGED) << outcome.DebugString();
  EXPECT_EQ(questions_.back().subnet(), "");
  EXPECT_THAT(outcome.warnings(),
              Contains(HasSubstr("subnet 10.30.1.0/24 sets option 150 itself")));
}

TEST_F(TftpPointerTest, Scenario08OnlyTheNamedSubnetsChange) {
  const absl::StatusOr<v1::StageReport> report =
      harness_.Apply({SubnetPointer("10.30.0.0/24"), SubnetPointer("10.30.2.0/24")});
  ASSERT_TRUE(report.ok()) << report.status();
  for (const v1::ResourceOutcome& outcome : report->resources()) {
    EXPECT_EQ(outcome.outcome(), v1::OUTCOME_CHANGED) << outcome.DebugString();
  }
  EXPECT_EQ(File(), absl::StrReplaceAll(kConfig, {{"10.10.0.12", "10.20.0.11, 10.20.0.12"},
                                                  {"0A0A000B", "0A14000B0A14000C"}}));
  // Both scopes are loaded at once.
  EXPECT_EQ(harness_.host.dhcp.reloads(), 1);
}

TEST_F(TftpPointerTest, Scenario09APilotReservationLeavesItsSubnetAlone) {
  const v1::ResourceOutcome outcome = ApplyOne(ReservationPointer("00:1b:54:aa:bb:01"));
  EXPECT_EQ(outcome.outcome(), v1::OUTCOME_CHANGED) << outcome.DebugString();
  const KeaConfig file = KeaConfig::Parse(File()).value();
  EXPECT_EQ(file.Pointer({KeaScope::Type::kReservation, "00:1b:54:aa:bb:01"})->text,
            "10.20.0.11, 10.20.0.12");
  EXPECT_EQ(file.Pointer({KeaScope::Type::kSubnet, "10.30.0.0/24"})->text, "10.10.0.12");
  EXPECT_THAT(
      PlanOne(SubnetPointer("10.30.0.0/24", {"10.20.0.12"})).warnings(),
      ElementsAre("reservation 00:1b:54:aa:bb:01 sets option 150 itself (10.20.0.11, "
                  "10.20.0.12), so its clients do not get the value of subnet 10.30.0.0/24"));
}

TEST_F(TftpPointerTest, Scenario27SenselessAddressesAreRefused) {
  const auto refused = [&](std::vector<std::string> servers) {
    const v1::ResourcePlan plan = PlanOne(SubnetPointer("10.30.0.0/24", std::move(servers)));
    EXPECT_EQ(plan.outcome(), v1::OUTCOME_REFUSED) << plan.DebugString();
    return plan.reasons_size() > 0 ? plan.reasons(0) : std::string();
  };
  EXPECT_THAT(refused({"10.10.0.11", "10.20.0.11"}), HasSubstr("two clusters"));
  EXPECT_THAT(refused({}), HasSubstr("1 or 2 addresses"));
  EXPECT_THAT(refused({"10.20.0.15"}), HasSubstr("role tftp"));
  EXPECT_EQ(harness_.prover.asked, 0);
  EXPECT_EQ(File(), kConfig);
}

TEST_F(TftpPointerTest, Scenario27AThirdAddressIsAWarning) {
  const v1::ResourcePlan plan =
      PlanOne(SubnetPointer("10.30.0.0/24", {"10.20.0.11", "10.20.0.12", "10.20.0.13"}));
  EXPECT_EQ(plan.outcome(), v1::OUTCOME_WOULD_CHANGE);
  EXPECT_THAT(plan.warnings(), Contains(HasSubstr("phones use the first two")));
}

TEST_F(TftpPointerTest, AValueHiddenByNarrowerScopesIsAWarning) {
  EXPECT_THAT(PlanOne(GlobalPointer()).warnings(),
              ElementsAre("subnet 10.30.0.0/24 sets option 150 itself (10.10.0.12), so its clients "
                          "do not get the value of global",
                          "subnet 10.30.2.0/24 sets option 150 itself (10.10.0.11), so its clients "
                          "do not get the value of global"));
  // The same value hides nothing.
  Replace("10.10.0.12", "10.20.0.11, 10.20.0.12");
  EXPECT_EQ(PlanOne(GlobalPointer()).warnings_size(), 1);
}

TEST_F(TftpPointerTest, AScopeTheServerDoesNotHaveIsRefusedNamingThoseItHas) {
  const v1::ResourcePlan plan = PlanOne(SubnetPointer("10.31.0.0/24"));
  EXPECT_EQ(plan.outcome(), v1::OUTCOME_REFUSED);
  EXPECT_THAT(plan.reasons(),
              ElementsAre("the DHCP server has no subnet 10.31.0.0/24; it has: 10.30.0.0/24, "
                          "10.30.1.0/24, 10.30.2.0/24"));
}

TEST_F(TftpPointerTest, WhatIsNotBuiltYetIsUnsupported) {
  v1::Resource resource = Pointer();
  resource.mutable_tftp_pointer()->mutable_scope()->set_class_name("lab");
  EXPECT_EQ(PlanOne(resource).outcome(), v1::OUTCOME_UNSUPPORTED);
  v1::Topology topology = Fleet();
  topology.mutable_dhcp_servers(0)->set_software("dnsmasq");
  KindHarness other("dhcp-a", topology, dialer_, kinds_);
  const absl::StatusOr<v1::Plan> plan = other.Plan({SubnetPointer("10.30.0.0/24")});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->resources(0).outcome(), v1::OUTCOME_UNSUPPORTED);
  EXPECT_THAT(plan->resources(0).reasons(0), HasSubstr("dnsmasq"));
}

TEST_F(TftpPointerTest, AProbeOnTheServersOwnNodeIsRefused) {
  v1::Resource resource = SubnetPointer("10.30.0.0/24");
  resource.mutable_tftp_pointer()->set_probe_from("dhcp-a");
  const v1::ResourcePlan plan = PlanOne(resource);
  EXPECT_EQ(plan.outcome(), v1::OUTCOME_REFUSED);
  EXPECT_THAT(plan.reasons(0), HasSubstr("name another node"));
}

TEST_F(TftpPointerTest, ANodeWithoutAServerIsRefused) {
  KindHarness bare("dhcp-a", Fleet(), dialer_, kinds_);
  const absl::StatusOr<v1::Plan> plan = bare.Plan({SubnetPointer("10.30.0.0/24")});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->resources(0).outcome(), v1::OUTCOME_REFUSED);
}

TEST_F(TftpPointerTest, AFileThatIsNotLoadedIsRefusedNamingThePlace) {
  harness_.host.files.Put(kPath, absl::StrReplaceAll(kConfig, {{"0A0A000B", "0A0A0063"}}));
  const v1::ResourceOutcome outcome = ApplyOne(SubnetPointer("10.30.0.0/24"));
  EXPECT_EQ(outcome.outcome(), v1::OUTCOME_REFUSED);
  EXPECT_THAT(outcome.reasons(0),
              HasSubstr("/etc/kea/kea-dhcp4.conf: subnet4/10.30.2.0/24/option-data/150/data: the "
                        "file says \"0A0A0063\", the server has \"0A0A000B\""));
  EXPECT_EQ(harness_.host.dhcp.reloads(), 0);
}

TEST_F(TftpPointerTest, AnUnreadableFileIsRefusedWithItsPlace) {
  harness_.host.files.Put(kPath, "{ \"Dhcp4\": {\n  <?include \"x.json\"?> } }");
  const v1::ResourcePlan plan = PlanOne(SubnetPointer("10.30.0.0/24"));
  EXPECT_EQ(plan.outcome(), v1::OUTCOME_REFUSED);
  EXPECT_THAT(plan.reasons(0), HasSubstr("kea-dhcp4.conf: line 2:3: <?include?>"));
}

TEST_F(TftpPointerTest, AServerThatIsDownFailsThePlan) {
  harness_.host.dhcp.SetAnswers(false);
  EXPECT_EQ(PlanOne(SubnetPointer("10.30.0.0/24")).outcome(), v1::OUTCOME_FAILED);
}

TEST_F(TftpPointerTest, StatusSaysThatAServerThatWasRightIsDown) {
  ASSERT_EQ(ApplyOne(SubnetPointer("10.30.0.0/24")).outcome(), v1::OUTCOME_CHANGED);
  harness_.host.dhcp.SetAnswers(false);
  v1::StatusResponse status;
  ASSERT_TRUE(harness_.converger().FillStatus(status).ok());
  EXPECT_EQ(status.documents(0).converged(), 0u);
  ASSERT_EQ(status.documents(0).drifted_size(), 1);
  EXPECT_THAT(status.documents(0).drifted(0), HasSubstr("does not answer"));
}

TEST_F(TftpPointerTest, ATextTheServerRejectsIsNeverWritten) {
  harness_.host.dhcp.RejectTexts("10.20.0.11");
  const v1::ResourceOutcome outcome = ApplyOne(SubnetPointer("10.30.0.0/24"));
  EXPECT_EQ(outcome.outcome(), v1::OUTCOME_FAILED);
  EXPECT_THAT(outcome.reasons(0), HasSubstr("unsupported parameter"));
  EXPECT_EQ(File(), kConfig);
  EXPECT_EQ(harness_.host.dhcp.reloads(), 0);
}

TEST_F(TftpPointerTest, AServerThatAnswersNothingAnyMoreGetsItsPreviousFileBack) {
  harness_.prover.answer = [](const std::string&, const v1::ProbeRequest&) {
    v1::ProbeResponse silence;
    silence.set_how("DHCPINFORM");
    return silence;
  };
  const v1::ResourceOutcome outcome = ApplyOne(SubnetPointer("10.30.0.0/24"));
  EXPECT_NE(outcome.outcome(), v1::OUTCOME_CHANGED);
  ASSERT_FALSE(outcome.reasons().empty());
  EXPECT_THAT(outcome.reasons(0), HasSubstr("dhcp-a does not answer any more"));
  EXPECT_EQ(File(), kConfig);
  EXPECT_EQ(harness_.host.dhcp.reloads(), 2);  // there and back
  const KeaConfig running = KeaConfig::Parse(*harness_.host.dhcp.RunningConfig()).value();
  EXPECT_EQ(running.Pointer({KeaScope::Type::kSubnet, "10.30.0.0/24"})->text, "10.10.0.12");
}

TEST_F(TftpPointerTest, AServerThatDiesOfTheNewFileIsRevivedWithTheOldOne) {
  harness_.host.dhcp.DieOn("10.20.0.11");
  const v1::ResourceOutcome outcome = ApplyOne(SubnetPointer("10.30.0.0/24"));
  EXPECT_NE(outcome.outcome(), v1::OUTCOME_CHANGED);
  EXPECT_EQ(File(), kConfig);
  EXPECT_TRUE(harness_.host.dhcp.RunningConfig().ok());
}

TEST_F(TftpPointerTest, OtherBytesOnTheWireAreShownBesideTheExpectedOnes) {
  harness_.prover.answer = [](const std::string&, const v1::ProbeRequest&) {
    v1::ProbeResponse response;
    response.set_answered(true);
    response.set_present(true);
    response.set_option_150(EncodeOption150({0x0a0a000c}));
    response.set_how("DHCPINFORM");
    return response;
  };
  const v1::ResourceOutcome outcome = ApplyOne(SubnetPointer("10.30.0.0/24"));
  EXPECT_NE(outcome.outcome(), v1::OUTCOME_CHANGED);
  EXPECT_THAT(outcome.reasons(0),
              HasSubstr("dhcp-a hands out 10.10.0.12 (0a0a000c) for subnet 10.30.0.0/24 where "
                        "10.20.0.11, 10.20.0.12 (0a14000b0a14000c) is expected (DHCPINFORM from "
                        "probe-floor3)"));
  EXPECT_EQ(File(), kConfig);
}

TEST_F(TftpPointerTest, Scenario33WhatNobodyCouldProveIsPutBack) {
  harness_.prover.answer = nullptr;
  const v1::ResourceOutcome outcome = ApplyOne(SubnetPointer("10.30.0.0/24"));
  EXPECT_NE(outcome.outcome(), v1::OUTCOME_CHANGED);
  EXPECT_THAT(outcome.reasons(0), HasSubstr("could not be asked for from probe-floor3"));
  EXPECT_EQ(File(), kConfig);
}

TEST_F(TftpPointerTest, RollbackBringsTheOldBytesBack) {
  ASSERT_EQ(ApplyOne(SubnetPointer("10.30.0.0/24")).outcome(), v1::OUTCOME_CHANGED);
  ASSERT_TRUE(harness_.Rollback().ok());
  EXPECT_EQ(File(), kConfig);
  v1::ProbeRequest question;
  question.set_subnet("10.30.0.0/24");
  EXPECT_EQ(Serve(question).option_150(), EncodeOption150({0x0a0a000c}));
}

TEST_F(TftpPointerTest, FailureAtEveryEffectPutsItBackAndTheNextApplyConverges) {
  size_t n = 1;
  for (; n < 200; ++n) {
    KindHarness harness("dhcp-a", Fleet(), dialer_, kinds_);
    harness.host.dhcp.Configure(kPath, kConfig, "10.30.0.2");
    harness.prover.answer = [](const std::string&, const v1::ProbeRequest&) {
      v1::ProbeResponse response;
      response.set_answered(true);
      response.set_present(true);
      response.set_option_150(EncodeOption150({0x0a14000b, 0x0a14000c}));
      return response;
    };
    harness.host.calls.FailAt(n);
    (void)harness.Apply({SubnetPointer("10.30.0.0/24")});
    if (!harness.host.calls.fired()) break;
    const absl::StatusOr<v1::StageReport> report = harness.Apply({SubnetPointer("10.30.0.0/24")});
    ASSERT_TRUE(report.ok()) << n << report.status();
    EXPECT_TRUE(report->resources(0).outcome() == v1::OUTCOME_CHANGED ||
                report->resources(0).outcome() == v1::OUTCOME_UNCHANGED)
        << n << report->DebugString();
    const KeaConfig running = KeaConfig::Parse(*harness.host.dhcp.RunningConfig()).value();
    EXPECT_EQ(running.Pointer({KeaScope::Type::kSubnet, "10.30.0.0/24"})->text,
              "10.20.0.11, 10.20.0.12")
        << n;
  }
  EXPECT_GT(n, 5u);
  EXPECT_LT(n, 200u);
}

TEST_F(TftpPointerTest, ACrashAtAnyEffectLeavesFileAndServerAgreeing) {
  size_t n = 1;
  for (; n < 200; ++n) {
    KindHarness harness("dhcp-a", Fleet(), dialer_, kinds_);
    harness.host.dhcp.Configure(kPath, kConfig, "10.30.0.2");
    harness.prover.answer = harness_.prover.answer;
    harness.host.calls.CrashAt(n);
    (void)harness.Apply({SubnetPointer("10.30.0.0/24")});
    if (!harness.host.calls.fired()) break;
    const absl::StatusOr<std::vector<std::string>> recovered = harness.Restart();
    ASSERT_TRUE(recovered.ok()) << n << recovered.status();
    const std::string file = harness.host.files.Read(kPath).value().bytes;
    const KeaConfig running = KeaConfig::Parse(*harness.host.dhcp.RunningConfig()).value();
    EXPECT_EQ(running.Pointer({KeaScope::Type::kSubnet, "10.30.0.0/24"})->text,
              KeaConfig::Parse(file)->Pointer({KeaScope::Type::kSubnet, "10.30.0.0/24"})->text)
        << n;
  }
  EXPECT_GT(n, 5u);
  EXPECT_LT(n, 200u);
}

TEST_F(TftpPointerTest, AServerThatCameUpWithTheNewFileGetsTheRestoredOneLoaded) {
  for (size_t n = 1; n < 200; ++n) {
    KindHarness harness("dhcp-a", Fleet(), dialer_, kinds_);
    harness.host.dhcp.Configure(kPath, kConfig, "10.30.0.2");
    harness.host.calls.CrashAt(n);
    (void)harness.Apply({SubnetPointer("10.30.0.0/24")});
    if (!harness.host.calls.fired()) break;
    harness.host.calls.Reset();
    ASSERT_TRUE(harness.host.dhcp.Reload().ok());  // as after a reboot
    ASSERT_TRUE(harness.Restart().ok()) << n;
    EXPECT_EQ(harness.host.files.Read(kPath)->bytes, kConfig) << n;
    const KeaConfig running = KeaConfig::Parse(*harness.host.dhcp.RunningConfig()).value();
    EXPECT_EQ(running.Pointer({KeaScope::Type::kSubnet, "10.30.0.0/24"})->text, "10.10.0.12") << n;
  }
}

TEST_F(TftpPointerTest, OneScopeHasOneOwner) {
  const TftpPointerKind kind;
  EXPECT_THAT(kind.Claims(SubnetPointer("10.30.0.0/24")),
              ElementsAre("tftp_pointer subnet 10.30.0.0/24"));
  EXPECT_EQ(kind.Claims(ReservationPointer("00:1B:54:AA:BB:01")),
            kind.Claims(ReservationPointer("00:1b:54:aa:bb:01")));
}

TEST_F(TftpPointerTest, ARollbackIsAskedForFromWhereTheValueWasAskedFor) {
  ASSERT_EQ(ApplyOne(SubnetPointer("10.30.0.0/24")).outcome(), v1::OUTCOME_CHANGED);
  ASSERT_EQ(ApplyOne(ReservationPointer("00:1b:54:aa:bb:01")).outcome(), v1::OUTCOME_CHANGED);
  questions_.clear();
  asked_from_.clear();
  // The reservation had no value of its own, so its subnet's is what must be served again.
  ASSERT_TRUE(harness_.Rollback().ok());
  ASSERT_EQ(questions_.size(), 1u);
  EXPECT_EQ(questions_[0].server(), "10.30.0.2");
  EXPECT_EQ(questions_[0].subnet(), "10.30.0.0/24");
  EXPECT_EQ(questions_[0].hardware_address(), "00:1b:54:aa:bb:01");
  const absl::StatusOr<v1::StageReport> rolled = harness_.Rollback();
  ASSERT_TRUE(rolled.ok()) << rolled.status();
  EXPECT_EQ(rolled->resources(0).outcome(), v1::OUTCOME_CHANGED) << rolled->DebugString();
  EXPECT_THAT(asked_from_, ElementsAre("probe-floor3", "probe-floor3"));
  EXPECT_EQ(File(), kConfig);
}

TEST_F(TftpPointerTest, AScopeThatSetNothingBeforeIsComparedWithWhatItInherits) {
  ASSERT_EQ(ApplyOne(SubnetPointer("10.30.1.0/24")).outcome(), v1::OUTCOME_CHANGED);
  const absl::StatusOr<v1::StageReport> rolled = harness_.Rollback();
  ASSERT_TRUE(rolled.ok()) << rolled.status();
  EXPECT_EQ(rolled->resources(0).outcome(), v1::OUTCOME_CHANGED) << rolled->DebugString();
  EXPECT_EQ(questions_.back().subnet(), "10.30.1.0/24");
  EXPECT_EQ(File(), kConfig);
}

TEST_F(TftpPointerTest, ARollbackAfterWhichTheWireSaysOtherwiseIsPutBackButNotProven) {
  ASSERT_EQ(ApplyOne(SubnetPointer("10.30.0.0/24")).outcome(), v1::OUTCOME_CHANGED);
  harness_.prover.answer = [](const std::string&, const v1::ProbeRequest&) {
    v1::ProbeResponse response;
    response.set_answered(true);
    response.set_present(true);
    response.set_how("DHCPINFORM");
    response.set_option_150(EncodeOption150({0x0a14000b, 0x0a14000c}));
    return response;
  };
  const absl::StatusOr<v1::StageReport> rolled = harness_.Rollback();
  ASSERT_TRUE(rolled.ok()) << rolled.status();
  EXPECT_EQ(rolled->resources(0).outcome(), v1::OUTCOME_FAILED);
  EXPECT_THAT(rolled->resources(0).reasons(),
              ElementsAre("put back, but not proven: dhcp-a hands out 10.20.0.11, 10.20.0.12 "
                          "(0a14000b0a14000c) for subnet 10.30.0.0/24 where 10.10.0.12 (0a0a000c) "
                          "is expected (DHCPINFORM from probe-floor3)"));
  EXPECT_EQ(File(), kConfig);
}

TEST_F(TftpPointerTest, AServerThatAnswersNobodyAfterARollbackIsReported) {
  ASSERT_EQ(ApplyOne(SubnetPointer("10.30.0.0/24")).outcome(), v1::OUTCOME_CHANGED);
  harness_.prover.answer = [](const std::string&, const v1::ProbeRequest&) {
    v1::ProbeResponse response;
    response.set_how("DHCPINFORM");
    return response;
  };
  const absl::StatusOr<v1::StageReport> rolled = harness_.Rollback();
  EXPECT_EQ(rolled->resources(0).outcome(), v1::OUTCOME_FAILED);
  EXPECT_THAT(rolled->resources(0).reasons(0), HasSubstr("dhcp-a does not answer any more"));
  EXPECT_EQ(File(), kConfig);
}

TEST_F(TftpPointerTest, AnUndoArgumentOfAnOlderAgentStillWorks) {
  const TftpPointerKind kind;
  EXPECT_TRUE(kind.Undo("subnet 10.30.0.0/24", harness_.host.host()).ok());
  std::vector<std::string> warnings;
  EXPECT_TRUE(kind.ProveUndone("subnet 10.30.0.0/24", "dhcp-a", harness_.host.host().view(),
                               harness_.prover, warnings)
                  .ok());
  EXPECT_EQ(harness_.prover.asked, 0);
  EXPECT_THAT(warnings, ElementsAre("option 150 of subnet 10.30.0.0/24 was not asked for on the "
                                    "wire: the run did not record from where"));
}

}  // namespace
}  // namespace trustline::agent
