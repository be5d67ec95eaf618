// Verdicts on the wire: who may ask for one, how a run carries it, who may go without.
#include <atomic>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/service/service_fixture.h"

namespace trustline::testing {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<v1::JudgeResponse> Judge(controller::Fleet& fleet, const std::string& node,
                                        const v1::GateQuestion& question) {
  Result<v1::JudgeResponse> result;
  v1::JudgeRequest request;
  *request.mutable_question() = question;
  const auto call = fleet.Judge(node, request, absl::Seconds(30), result.Callback());
  return result.Get();
}

v1::GateQuestion AboutFloor3() {
  v1::GateQuestion question;
  question.set_playbook("migrate");
  question.set_gate("trust_gate \"floor 3\"");
  question.set_document_sha256(std::string(64, 'a'));
  question.mutable_scope()->set_subnet("10.30.0.0/24");
  question.add_tftp_servers("10.20.0.11");
  return question;
}

v1::Envelope SomeVerdict() {
  v1::Envelope envelope;
  envelope.set_payload_type("trustline.v1.GateVerdict");
  envelope.set_payload("sealed by the judge");
  return envelope;
}

class GateServiceTest : public ::testing::Test {
 protected:
  void SetUp() override { agent_.Start(); }
  std::unique_ptr<controller::Fleet> FleetOf(const std::string& name) {
    return TestOperator(pki_, name).Fleet({agent_.address()});
  }
  absl::StatusOr<v1::StageReport> ApplyAs(controller::Fleet& fleet, const std::string& why,
                                          controller::ProofHandler on_question) {
    EXPECT_TRUE(TakeLease(fleet, "dhcp-a", "run-1").ok());
    v1::ApplyStart start;
    start.set_run_id("run-1");
    start.set_stage(2);
    start.set_override_gate(why);
    Result<v1::StageReport> result;
    const auto call = fleet.Apply(
        "dhcp-a", start, absl::Seconds(30), [](const v1::ApplyEvent&) {}, std::move(on_question),
        result.Callback());
    return result.Get();
  }
  absl::Status RollbackAs(controller::Fleet& fleet, const std::string& why) {
    EXPECT_TRUE(TakeLease(fleet, "dhcp-a", "run-1").ok());
    v1::RollbackStart start;
    start.set_run_id("run-1");
    start.set_override_gate(why);
    Result<v1::StageReport> result;
    const auto call = fleet.Rollback(
        "dhcp-a", start, absl::Seconds(30), [](const v1::ApplyEvent&) {},
        [](const v1::ProofQuestion&, const std::function<void(v1::ProofAnswer)>&) {},
        result.Callback());
    return result.Get().status();
  }
  static controller::ProofHandler Unasked() {
    return [](const v1::ProofQuestion& question, const std::function<void(v1::ProofAnswer)>&) {
      ADD_FAILURE() << "unexpected question " << question.ShortDebugString();
    };
  }

  TestPki pki_;
  TestAgent agent_{pki_, "dhcp-a"};
};

TEST_F(GateServiceTest, AnOperatorHasAGateJudgeAndAViewerHasNot) {
  const StopsFirst stops_first(agent_);
  v1::GateQuestion asked;
  agent_.runner.judge = [&](const v1::GateQuestion& question) {
    asked = question;
    v1::JudgeResponse response;
    *response.mutable_verdict() = SomeVerdict();
    response.mutable_report()->set_phones(3);
    return response;
  };
  const absl::StatusOr<v1::JudgeResponse> response =
      Judge(*FleetOf("olga"), "dhcp-a", AboutFloor3());
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->verdict().payload(), "sealed by the judge");
  EXPECT_EQ(response->report().phones(), 3u);
  EXPECT_EQ(asked.SerializeAsString(), AboutFloor3().SerializeAsString());
  EXPECT_EQ(Judge(*FleetOf("vera"), "dhcp-a", AboutFloor3()).status().code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(GateServiceTest, AGateThatIsNotInForceIsNotFound) {
  const StopsFirst stops_first(agent_);
  agent_.runner.judge = [](const v1::GateQuestion&) -> absl::StatusOr<v1::JudgeResponse> {
    return absl::NotFoundError("no such gate is in force");
  };
  EXPECT_EQ(Judge(*FleetOf("olga"), "dhcp-a", AboutFloor3()).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(GateServiceTest, ARunCarriesQuestionsToTheJudgeAndItsVerdictBack) {
  const StopsFirst stops_first(agent_);
  absl::StatusOr<v1::Envelope> verdict = absl::UnknownError("not asked");
  absl::Status nobody;
  agent_.runner.apply = [&](const agent::StageRequest&, agent::Prover& prover,
                            const agent::EventSink&,
                            const std::function<bool()>&) -> absl::StatusOr<v1::StageReport> {
    verdict = prover.AskGate("probe-floor3", AboutFloor3());
    nobody = prover.AskGate("probe-floor4", AboutFloor3()).status();
    return v1::StageReport();
  };
  const auto answer = [](const v1::ProofQuestion& question,
                         const std::function<void(v1::ProofAnswer)>& reply) {
    EXPECT_TRUE(question.has_gate());
    EXPECT_EQ(question.gate().SerializeAsString(), AboutFloor3().SerializeAsString());
    v1::ProofAnswer proof;
    proof.set_id(question.id());
    if (question.from_node() == "probe-floor3") {
      *proof.mutable_verdict() = SomeVerdict();
    } else {
      proof.set_error("probe-floor4 did not judge: connection refused");
    }
    reply(proof);
  };
  ASSERT_TRUE(ApplyAs(*FleetOf("olga"), "", answer).ok());
  ASSERT_TRUE(verdict.ok()) << verdict.status();
  EXPECT_EQ(verdict->payload(), "sealed by the judge");
  EXPECT_TRUE(absl::IsUnavailable(nobody));
  EXPECT_THAT(std::string(nobody.message()), HasSubstr("probe-floor4 did not judge"));
}

TEST_F(GateServiceTest, OverridingNeedsTheAdminRole) {
  const StopsFirst stops_first(agent_);
  std::atomic<bool> worked{false};
  agent_.runner.apply = [&](const agent::StageRequest&, agent::Prover&, const agent::EventSink&,
                            const std::function<bool()>&) -> absl::StatusOr<v1::StageReport> {
    worked = true;
    return v1::StageReport();
  };
  agent_.runner.rollback = [&](const v1::RollbackStart&, const std::string&, agent::Prover&,
                               const agent::EventSink&) -> absl::StatusOr<v1::StageReport> {
    worked = true;
    return v1::StageReport();
  };
  const auto fleet = FleetOf("olga");
  const absl::Status denied = ApplyAs(*fleet, "in a hurry", Unasked()).status();
  EXPECT_EQ(denied.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(denied.message()),
              HasSubstr("lacks role admin on dhcp-a, which moving a pointer without a verdict "
                        "needs"));
  EXPECT_EQ(RollbackAs(*fleet, "in a hurry").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_FALSE(worked);
}

TEST_F(GateServiceTest, AnAdminsOverrideReachesTheNode) {
  const StopsFirst stops_first(agent_);
  std::string why, by, back, back_by;
  agent_.runner.apply = [&](const agent::StageRequest& request, agent::Prover&,
                            const agent::EventSink&,
                            const std::function<bool()>&) -> absl::StatusOr<v1::StageReport> {
    why = request.override_gate;
    by = request.caller;
    return v1::StageReport();
  };
  agent_.runner.rollback = [&](const v1::RollbackStart& start, const std::string& caller,
                               agent::Prover&,
                               const agent::EventSink&) -> absl::StatusOr<v1::StageReport> {
    back = start.override_gate();
    back_by = caller;
    return v1::StageReport();
  };
  const auto fleet = FleetOf("adam");
  ASSERT_TRUE(ApplyAs(*fleet, "site power goes off at noon", Unasked()).ok());
  EXPECT_EQ(why, "site power goes off at noon");
  EXPECT_EQ(by, "trustline://example.test/operator/adam");
  ASSERT_TRUE(RollbackAs(*fleet, "and comes back").ok());
  EXPECT_EQ(back, "and comes back");
  EXPECT_EQ(back_by, "trustline://example.test/operator/adam");
}

}  // namespace
}  // namespace trustline::testing
