// A DHCP agent with a gated pointer: what it believes before it moves one, and before it puts one
// back. Judges are real: their gate is applied, their verdicts sealed, their phones simulated.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "agent/dhcp/kea_config.h"
#include "agent/gate/gate_keeper.h"
#include "agent/gate/verdict.h"
#include "tests/fakes/fake_hub.h"
#include "tests/fakes/gate_world.h"
#include "tests/fakes/kind_harness.h"
#include "tests/fakes/two_clusters.h"
#include "trust/dhcp_message.h"
#include "trust/envelope.h"

namespace trustline::agent {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

constexpr char kPath[] = "/etc/kea/kea-dhcp4.conf";
constexpr char kConfig[] = R"({
  "Dhcp4": {
    "option-def": [ { "name": "voip-tftp", "code": 150, "type": "ipv4-address", "array": true } ],
    "subnet4": [
      { "subnet": "10.30.0.0/24", "id": 1,
        "option-data": [ { "name": "voip-tftp", "data": "10.10.0.11, 10.10.0.12" } ],
        "reservations": [ { "hw-address": "00:1b:54:aa:bb:01", "hostname": "pilot" } ] },
      { "subnet": "10.30.1.0/24", "id": 2 }
    ]
  }
}
)";
constexpr char kGate[] = "trust_gate \"floor 3\"";
constexpr char kJudge[] = "probe-floor3";

class GatedPointerTest : public ::testing::Test {
 protected:
  GatedPointerTest() {
    v1::DhcpServer* server = world_.topology.add_dhcp_servers();
    server->set_node("dhcp-a");
    server->set_software("kea");
    fleet_ = std::make_shared<TestFleet>();
    dhcp_ = std::make_unique<KindHarness>("dhcp-a", world_.topology, dialer_, kinds_, fleet_);
    judge_ = std::make_unique<KindHarness>(kJudge, world_.topology, dialer_, kinds_, fleet_);
    keeper_ = std::make_unique<GateKeeper>([this] { return fleet_->Agent(kJudge); },
                                           judge_->host.host(), world_.Networks());
    dhcp_->host.dhcp.Configure(kPath, kConfig, "10.30.0.2");
    dhcp_->prover.answer = [this](const std::string&, const v1::ProbeRequest& ask) {
      return Serve(ask);
    };
    dhcp_->prover.verdict = [this](const std::string& judge, const v1::GateQuestion& question) {
      questions_.push_back(question);
      return JudgeSays(judge, question);
    };
  }

  absl::StatusOr<v1::ProbeResponse> Serve(const v1::ProbeRequest& ask) {
    const KeaConfig config = KeaConfig::Parse(dhcp_->host.dhcp.RunningConfig().value()).value();
    KeaPointer pointer;
    if (!ask.hardware_address().empty()) {
      pointer = config.Pointer({KeaScope::Type::kReservation, ask.hardware_address()}).value();
    }
    if (pointer.addresses.empty()) {
      pointer = config.Pointer({KeaScope::Type::kSubnet, ask.subnet()}).value();
    }
    v1::ProbeResponse response;
    response.set_answered(true);
    response.set_how("DHCPINFORM");
    response.set_present(!pointer.addresses.empty());
    response.set_option_150(EncodeOption150(pointer.addresses));
    return response;
  }

  absl::StatusOr<v1::Envelope> JudgeSays(const std::string&, const v1::GateQuestion& question) {
    absl::StatusOr<v1::JudgeResponse> response = keeper_->Answer(question);
    if (!response.ok()) return response.status();
    return response->verdict();
  }

  v1::Resource Pointer(const std::string& subnet = "10.30.0.0/24") const {
    v1::Resource resource;
    resource.set_id("tftp_pointer");
    *resource.mutable_tftp_pointer()->mutable_tftp_servers() =
        world_.spec.pointers(0).tftp_servers();
    resource.mutable_tftp_pointer()->mutable_scope()->set_subnet(subnet);
    resource.mutable_tftp_pointer()->set_probe_from(kJudge);
    resource.mutable_gate()->set_gate(kGate);
    resource.mutable_gate()->add_judges(kJudge);
    return resource;
  }

  // The gate stage on the judge.
  v1::ResourceOutcome ApplyGate() {
    v1::Resource gate;
    gate.set_id(kGate);
    *gate.mutable_trust_gate() = world_.spec;
    return OnlyRow(judge_->Apply({gate}));
  }
  v1::ResourceOutcome Move() { return OnlyRow(dhcp_->Apply({Pointer()})); }

  void ExpectRefusedAndUntouched(const std::string& why) {
    const auto before = dhcp_->host.files.Snapshot();
    dhcp_->host.calls.Reset();
    const v1::ResourceOutcome row = Move();
    EXPECT_EQ(row.outcome(), v1::OUTCOME_REFUSED) << row.DebugString();
    EXPECT_THAT(TextOf(row), HasSubstr(why));
    EXPECT_EQ(dhcp_->host.calls.count(), 0u);
    EXPECT_TRUE(dhcp_->host.files.Snapshot() == before);
    EXPECT_EQ(dhcp_->host.dhcp.reloads(), 0);
  }
  // What the judge would say, bent before it arrives.
  void Bend(std::function<absl::StatusOr<v1::Envelope>(const v1::GateQuestion&)> bend) {
    dhcp_->prover.verdict = [bend](const std::string&, const v1::GateQuestion& question) {
      return bend(question);
    };
  }
  v1::GateVerdict Accepting(const v1::GateQuestion& question) {
    v1::GateVerdict verdict;
    verdict.set_judge(kJudge);
    *verdict.mutable_question() = question;
    verdict.set_accepted(true);
    verdict.set_issued_unix(absl::ToUnixSeconds(dhcp_->host.clock.Now()));
    verdict.set_expires_unix(verdict.issued_unix() + 300);
    return verdict;
  }
  // Every judge accepts; before `slow` answers, `patience` passes.
  void AcceptWithDelay(const std::string& slow, absl::Duration patience) {
    dhcp_->prover.verdict = [this, slow, patience](const std::string& judge,
                                                   const v1::GateQuestion& question) {
      if (judge == slow) dhcp_->host.clock.Advance(patience);
      v1::GateVerdict verdict = Accepting(question);
      verdict.set_judge(judge);
      return SealedBy(verdict, judge);
    };
  }
  v1::Resource PointerOfTwoJudges() const {
    v1::Resource pointer = Pointer();
    pointer.mutable_gate()->add_judges("probe-floor4");
    return pointer;
  }
  v1::Envelope SealedBy(const v1::GateVerdict& verdict, const std::string& node) {
    const NodeIdentity identity = fleet_->Agent(node);
    return Seal(kVerdictType, verdict.SerializeAsString(), identity.key, identity.certificate)
        .value();
  }

  GateWorld world_;
  FakeHubServer server_;
  FakeHubDialer dialer_{&server_};
  KindRegistry kinds_ = MakeKindRegistry(world_.Networks());
  std::shared_ptr<TestFleet> fleet_;
  std::unique_ptr<KindHarness> dhcp_, judge_;
  std::unique_ptr<GateKeeper> keeper_;
  std::vector<v1::GateQuestion> questions_;
};

TEST_F(GatedPointerTest, Scenario01MovesOnAnAcceptingVerdict) {
  world_.Import();
  ASSERT_EQ(ApplyGate().outcome(), v1::OUTCOME_UNCHANGED);
  const v1::ResourceOutcome row = Move();
  EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED) << TextOf(row);
  ASSERT_EQ(questions_.size(), 1u);
  EXPECT_EQ(questions_[0].scope().subnet(), "10.30.0.0/24");
  EXPECT_EQ(questions_[0].gate(), kGate);
  EXPECT_FALSE(questions_[0].return_trip());
  // What is in place already needs no verdict.
  EXPECT_EQ(Move().outcome(), v1::OUTCOME_UNCHANGED);
  EXPECT_EQ(questions_.size(), 1u);
}

TEST_F(GatedPointerTest, PlanningAsksNobody) {
  EXPECT_EQ(OnlyRow(dhcp_->Plan({Pointer()})).outcome(), v1::OUTCOME_WOULD_CHANGE);
  EXPECT_TRUE(questions_.empty());
}

TEST_F(GatedPointerTest, Scenario03IsRefusedWhenTheGateRefuses) {
  ASSERT_EQ(ApplyGate().outcome(), v1::OUTCOME_REFUSED);
  ExpectRefusedAndUntouched("probe-floor3: 3 phones would be locked");
}

TEST_F(GatedPointerTest, IsRefusedWithoutAGateInForce) {
  world_.Import();
  ExpectRefusedAndUntouched("no verdict from probe-floor3: no trust_gate");
}

TEST_F(GatedPointerTest, IsRefusedWhenTheJudgeCannotBeAsked) {
  world_.Import();
  ApplyGate();
  dhcp_->prover.verdict = nullptr;
  ExpectRefusedAndUntouched("no verdict from probe-floor3");
}

TEST_F(GatedPointerTest, IsRefusedForAScopeTheGateIsNotAbout) {
  world_.Import();
  ApplyGate();
  const v1::ResourceOutcome row = OnlyRow(dhcp_->Apply({Pointer("10.30.1.0/24")}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_REFUSED);
  EXPECT_THAT(TextOf(row), HasSubstr("is not about sending subnet 10.30.1.0/24"));
}

TEST_F(GatedPointerTest, IsRefusedWithAStaleVerdict) {
  Bend([this](const v1::GateQuestion& question) {
    v1::GateVerdict verdict = Accepting(question);
    verdict.set_issued_unix(verdict.issued_unix() - 301);
    verdict.set_expires_unix(verdict.expires_unix() - 301);
    return SealedBy(verdict, kJudge);
  });
  ExpectRefusedAndUntouched("is over");
}

TEST_F(GatedPointerTest, IsRefusedWithAVerdictThatLivesTooLong) {
  Bend([this](const v1::GateQuestion& question) {
    v1::GateVerdict verdict = Accepting(question);
    verdict.set_expires_unix(verdict.expires_unix() + 1);
    return SealedBy(verdict, kJudge);
  });
  ExpectRefusedAndUntouched("is not believed");
}

TEST_F(GatedPointerTest, IsRefusedWithAVerdictAboutAnotherScope) {
  Bend([this](const v1::GateQuestion& question) {
    v1::GateQuestion other = question;
    other.mutable_scope()->set_subnet("10.30.1.0/24");
    return SealedBy(Accepting(other), kJudge);
  });
  ExpectRefusedAndUntouched("it answers another question");
}

TEST_F(GatedPointerTest, IsRefusedWithAVerdictAboutOtherServers) {
  Bend([this](const v1::GateQuestion& question) {
    v1::GateQuestion other = question;
    other.set_tftp_servers(0, "10.66.0.1");
    return SealedBy(Accepting(other), kJudge);
  });
  ExpectRefusedAndUntouched("it answers another question");
}

TEST_F(GatedPointerTest, IsRefusedWithAVerdictForAnotherDocument) {
  Bend([this](const v1::GateQuestion& question) {
    v1::GateQuestion other = question;
    other.set_document_sha256(std::string(64, 'a'));
    return SealedBy(Accepting(other), kJudge);
  });
  ExpectRefusedAndUntouched("it answers another question");
}

TEST_F(GatedPointerTest, IsRefusedWithTheVerdictOfTheWayBack) {
  Bend([this](const v1::GateQuestion& question) {
    v1::GateQuestion other = question;
    other.set_return_trip(true);
    return SealedBy(Accepting(other), kJudge);
  });
  ExpectRefusedAndUntouched("it answers another question");
}

TEST_F(GatedPointerTest, IsRefusedWithAnotherNodesSignature) {
  Bend([this](const v1::GateQuestion& question) {
    return SealedBy(Accepting(question), "dst-pub");
  });
  ExpectRefusedAndUntouched("signed by trustline://example.net/agent/dst-pub");
}

TEST_F(GatedPointerTest, IsRefusedWithAForgedVerdict) {
  Bend([this](const v1::GateQuestion& question) {
    v1::GateVerdict refusing = Accepting(question);
    refusing.set_accepted(false);
    v1::Envelope envelope = SealedBy(refusing, kJudge);
    envelope.set_payload(Accepting(question).SerializeAsString());
    return envelope;
  });
  ExpectRefusedAndUntouched("is not believed");
}

TEST_F(GatedPointerTest, IsRefusedWithAJudgeOfAnotherFleet) {
  TestFleet elsewhere;
  Bend([this, &elsewhere](const v1::GateQuestion& question) {
    const NodeIdentity identity = elsewhere.Agent(kJudge);
    return Seal(kVerdictType, Accepting(question).SerializeAsString(), identity.key,
                identity.certificate);
  });
  ExpectRefusedAndUntouched("is not believed");
}

TEST_F(GatedPointerTest, EveryJudgeMustAccept) {
  world_.Import();
  ApplyGate();
  v1::Resource pointer = Pointer();
  pointer.mutable_gate()->add_judges("probe-floor4");
  const v1::ResourceOutcome row = OnlyRow(dhcp_->Apply({pointer}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_REFUSED);
  EXPECT_THAT(TextOf(row), HasSubstr("verdict of probe-floor4 is not believed"));
}

TEST_F(GatedPointerTest, IsRefusedWhenAVerdictEndsBeforeTheLastOneArrives) {
  AcceptWithDelay("probe-floor4", absl::Minutes(5));
  const auto before = dhcp_->host.files.Snapshot();
  v1::ResourceOutcome row = OnlyRow(dhcp_->Apply({PointerOfTwoJudges()}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_REFUSED) << row.DebugString();
  EXPECT_THAT(TextOf(row), HasSubstr("the verdict of probe-floor3 on trust_gate \"floor 3\" expired"
                                     " at "));
  EXPECT_THAT(TextOf(row), HasSubstr("running this again asks again"));
  EXPECT_TRUE(dhcp_->host.files.Snapshot() == before);
  EXPECT_EQ(dhcp_->host.dhcp.reloads(), 0);

  AcceptWithDelay("probe-floor4", absl::Minutes(5) - absl::Seconds(1));
  row = OnlyRow(dhcp_->Apply({PointerOfTwoJudges()}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED) << TextOf(row);
}

TEST_F(GatedPointerTest, AnEndedVerdictHoldsBackOnlyItsOwnPointer) {
  AcceptWithDelay("probe-floor4", absl::Minutes(5));
  v1::Resource first = Pointer(), second = Pointer("10.30.1.0/24");
  second.set_id("tftp_pointer 2");
  second.mutable_gate()->set_judges(0, "probe-floor4");
  const auto report = dhcp_->Apply({first, second});
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->resources_size(), 2);
  EXPECT_EQ(report->resources(0).outcome(), v1::OUTCOME_REFUSED) << report->DebugString();
  EXPECT_EQ(report->resources(1).outcome(), v1::OUTCOME_CHANGED) << report->DebugString();
  const KeaConfig config = KeaConfig::Parse(dhcp_->host.files.Read(kPath)->bytes).value();
  const auto served = [&config](const std::string& subnet) {
    return config.Pointer({KeaScope::Type::kSubnet, subnet}).value().addresses;
  };
  EXPECT_EQ(served("10.30.0.0/24"), KeaConfig::Parse(kConfig)
                                        ->Pointer({KeaScope::Type::kSubnet, "10.30.0.0/24"})
                                        .value()
                                        .addresses);
  EXPECT_FALSE(served("10.30.1.0/24").empty());
}

TEST_F(GatedPointerTest, AnOverrideMovesItDespiteAnEndedVerdict) {
  AcceptWithDelay("probe-floor4", absl::Minutes(5));
  dhcp_->override_gate = "drill";
  const v1::ResourceOutcome row = OnlyRow(dhcp_->Apply({PointerOfTwoJudges()}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED) << TextOf(row);
  EXPECT_THAT(row.warnings(), Contains(HasSubstr("overridden: the verdict of probe-floor3")));
}

TEST_F(GatedPointerTest, IsNotPutBackWhenAVerdictEndsBeforeTheLastOneArrives) {
  AcceptWithDelay("", absl::ZeroDuration());
  ASSERT_EQ(OnlyRow(dhcp_->Apply({PointerOfTwoJudges()})).outcome(), v1::OUTCOME_CHANGED);
  const auto moved = dhcp_->host.files.Read(kPath)->bytes;
  AcceptWithDelay("probe-floor4", absl::Minutes(5));
  v1::ResourceOutcome row = OnlyRow(dhcp_->Rollback());
  EXPECT_EQ(row.outcome(), v1::OUTCOME_REFUSED) << row.DebugString();
  EXPECT_THAT(TextOf(row), HasSubstr("the way back is not proven: the verdict of probe-floor3"));
  EXPECT_EQ(dhcp_->host.files.Read(kPath)->bytes, moved);

  AcceptWithDelay("probe-floor4", absl::Minutes(5) - absl::Seconds(1));
  row = OnlyRow(dhcp_->Rollback());
  EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED) << TextOf(row);
  EXPECT_EQ(dhcp_->host.files.Read(kPath)->bytes, kConfig);
}

TEST_F(GatedPointerTest, AnOverrideMovesItAndIsRecorded) {
  dhcp_->override_gate = "site power goes off at noon";
  const v1::ResourceOutcome row = Move();
  EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED) << TextOf(row);
  EXPECT_THAT(row.warnings(), Contains(HasSubstr("overridden: site power goes off at noon")));
  EXPECT_THAT(row.warnings(), Contains(HasSubstr("no verdict from probe-floor3")));
  bool recorded = false;
  for (const auto& [path, image] : dhcp_->host.files.Snapshot()) {
    recorded |= path.find("/generations/") != std::string::npos &&
                image.bytes.find("site power goes off at noon") != std::string::npos;
  }
  EXPECT_TRUE(recorded);
}

TEST_F(GatedPointerTest, UngatedPointersAreRefusedWhereOnlyGatedOnesMayMove) {
  v1::Resource pointer = Pointer();
  pointer.clear_gate();
  dhcp_->host.layout.gated_pointers_only = true;
  const v1::ResourcePlan plan = OnlyRow(dhcp_->Plan({pointer}));
  EXPECT_THAT(TextOf(plan), HasSubstr("gated_pointers_only"));
  const v1::ResourceOutcome row = OnlyRow(dhcp_->Apply({pointer}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_REFUSED);
  EXPECT_EQ(dhcp_->host.dhcp.reloads(), 0);
}

TEST_F(GatedPointerTest, SeveralServersShareOneJudgementForAMinute) {
  world_.Import();
  ApplyGate();
  const int judged = world_.opened;
  v1::GateQuestion question;
  question.set_playbook("site");
  question.set_gate(kGate);
  question.set_document_sha256(std::string(64, 'a'));
  *question.mutable_scope() = world_.spec.pointers(0).scope();
  *question.mutable_tftp_servers() = world_.spec.pointers(0).tftp_servers();
  ASSERT_TRUE(keeper_->Answer(question).ok());
  question.set_document_sha256(std::string(64, 'b'));
  ASSERT_TRUE(keeper_->Answer(question).ok());
  EXPECT_EQ(world_.opened, judged + 1);
  judge_->host.clock.Advance(absl::Seconds(61));
  ASSERT_TRUE(keeper_->Answer(question).ok());
  EXPECT_EQ(world_.opened, judged + 2);
  EXPECT_EQ(keeper_->Answer({}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(GatedPointerTest, Scenario11IsPutBackOnlyWhenTheWayBackIsProven) {
  world_.Import();
  ApplyGate();
  ASSERT_EQ(Move().outcome(), v1::OUTCOME_CHANGED);
  const auto moved = dhcp_->host.files.Read(kPath)->bytes;
  auto knows = world_.phones.tvs.at("10.20.0.11").knows;
  world_.phones.tvs.at("10.20.0.11").knows.clear();
  v1::ResourceOutcome row = OnlyRow(dhcp_->Rollback());
  EXPECT_EQ(row.outcome(), v1::OUTCOME_REFUSED);
  EXPECT_THAT(TextOf(row), HasSubstr("the way back is not proven: probe-floor3: phones with the "
                                     "lists of dst-pub would not come back"));
  EXPECT_EQ(dhcp_->host.files.Read(kPath)->bytes, moved);

  world_.phones.tvs.at("10.20.0.11").knows = knows;
  judge_->host.clock.Advance(absl::Seconds(61));
  dhcp_->host.clock.Advance(absl::Seconds(61));
  row = OnlyRow(dhcp_->Rollback());
  EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED) << TextOf(row);
  EXPECT_EQ(dhcp_->host.files.Read(kPath)->bytes, kConfig);
  ASSERT_EQ(questions_.size(), 3u);
  EXPECT_TRUE(questions_[2].return_trip());
  EXPECT_THAT(questions_[2].tftp_servers(), ::testing::ElementsAre("10.10.0.11", "10.10.0.12"));
}

TEST_F(GatedPointerTest, DoesNotGoBackToWhatNoJudgeCouldTry) {
  world_.Import();
  const std::string garbage = absl::StrReplaceAll(
      kConfig, {{R"("data": "10.10.0.11, 10.10.0.12")", R"("csv-format": false, "data": "0A0A")"}});
  dhcp_->host.dhcp.Configure(kPath, garbage, "10.30.0.2");
  ApplyGate();
  ASSERT_EQ(Move().outcome(), v1::OUTCOME_CHANGED);
  const auto moved = dhcp_->host.files.Read(kPath)->bytes;
  const size_t asked = questions_.size();
  v1::ResourceOutcome row = OnlyRow(dhcp_->Rollback());
  EXPECT_EQ(row.outcome(), v1::OUTCOME_REFUSED);
  EXPECT_THAT(TextOf(row), HasSubstr("the way back is not proven: option 150 of subnet "
                                     "10.30.0.0/24 would be '0A0A' again, which is no list of "
                                     "addresses that judges could try"));
  EXPECT_EQ(questions_.size(), asked);
  EXPECT_EQ(dhcp_->host.files.Read(kPath)->bytes, moved);
}

TEST_F(GatedPointerTest, AnOverrideAlsoPutsItBack) {
  dhcp_->override_gate = "drill";
  ASSERT_EQ(Move().outcome(), v1::OUTCOME_CHANGED);
  const v1::ResourceOutcome row = OnlyRow(dhcp_->Rollback());
  EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED) << TextOf(row);
  EXPECT_THAT(row.warnings(),
              Contains(HasSubstr(absl::StrCat("overridden by ", kRollbackCaller, ": drill"))));
}

TEST_F(GatedPointerTest, APilotGoesBackToWhatItsSubnetServes) {
  world_.Import();
  world_.spec.mutable_pointers(0)->mutable_scope()->set_reservation("00:1b:54:aa:bb:01");
  world_.spec.mutable_pointers(0)->mutable_scope()->clear_subnet();
  ApplyGate();
  v1::Resource pilot = Pointer();
  *pilot.mutable_tftp_pointer()->mutable_scope() = world_.spec.pointers(0).scope();
  ASSERT_EQ(OnlyRow(dhcp_->Apply({pilot})).outcome(), v1::OUTCOME_CHANGED);
  const v1::ResourceOutcome row = OnlyRow(dhcp_->Rollback());
  EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED) << TextOf(row);
  ASSERT_FALSE(questions_.empty());
  EXPECT_THAT(questions_.back().tftp_servers(), ::testing::ElementsAre("10.10.0.11", "10.10.0.12"));
}

constexpr char kShared[] = R"({
  "Dhcp4": {
    "option-def": [ { "name": "voip-tftp", "code": 150, "type": "ipv4-address", "array": true } ],
    "option-data": [ { "name": "voip-tftp", "data": "10.66.0.1" } ],
    "shared-networks": [
      { "name": "floors",
        "option-data": [ { "name": "voip-tftp", "data": "10.10.0.11, 10.10.0.12" } ],
        "subnet4": [ { "subnet": "10.30.0.0/24", "id": 1 } ] }
    ]
  }
}
)";

TEST_F(GatedPointerTest, ASubnetGoesBackToWhatItsSharedNetworkServes) {
  world_.Import();
  dhcp_->host.dhcp.Configure(kPath, kShared, "10.30.0.2");
  ApplyGate();
  ASSERT_EQ(Move().outcome(), v1::OUTCOME_CHANGED);
  const auto moved = dhcp_->host.files.Read(kPath)->bytes;
  world_.phones.tvs.at("10.20.0.11").knows.clear();
  EXPECT_EQ(OnlyRow(dhcp_->Rollback()).outcome(), v1::OUTCOME_REFUSED);
  EXPECT_EQ(dhcp_->host.files.Read(kPath)->bytes, moved);
  ASSERT_FALSE(questions_.empty());
  EXPECT_TRUE(questions_.back().return_trip());
  EXPECT_THAT(questions_.back().tftp_servers(), ::testing::ElementsAre("10.10.0.11", "10.10.0.12"));
}

}  // namespace
}  // namespace trustline::agent
