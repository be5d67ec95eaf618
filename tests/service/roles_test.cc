// Who may call what, on the wire.
#include "agent/converger.h"
#include "agent/log.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/fake_hub.h"
#include "tests/service/service_fixture.h"
#include "trust/envelope.h"

namespace trustline::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Field 7 of ServerReflectionRequest: list_services. A stream of one message is the same bytes as a
// unary call.
const char kListServices[] = "\x3a\x01*";
const char kReflection[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
const char kHealthCheck[] = "/grpc.health.v1.Health/Check";
const std::string kServing = "\x08\x01";

class RolesTest : public ::testing::Test {
 protected:
  void SetUp() override { agent_.Start(); }
  std::unique_ptr<controller::Fleet> FleetOf(const std::string& name) {
    return TestOperator(pki_, name).Fleet({agent_.address()});
  }
  std::shared_ptr<grpc::Channel> ChannelOf(const TestIdentity& identity) {
    return RawChannel(agent_.port(), identity, pki_.roots());
  }
  const std::string describe_ = "/trustline.v1.Agent/Describe";

  TestPki pki_;
  TestAgent agent_{pki_, "src-pub"};
};

TEST_F(RolesTest, ViewerLooksAndNothingElse) {
  const auto fleet = FleetOf("vera");
  const absl::StatusOr<v1::DescribeResponse> description = Describe(*fleet, "src-pub");
  ASSERT_TRUE(description.ok()) << description.status();
  EXPECT_EQ(description->node(), "src-pub");
  EXPECT_EQ(description->version(), "1.2.3");
  EXPECT_THAT(description->kinds(), ElementsAre("certificate", "service"));
  EXPECT_EQ(description->caller(), "trustline://example.test/operator/vera");
  EXPECT_THAT(description->roles(), ElementsAre("viewer"));
  EXPECT_TRUE(GetStatus(*fleet, "src-pub").ok());

  agent_.runner.plan = [](const agent::StageRequest&) -> absl::StatusOr<v1::Plan> {
    return absl::InternalError("a viewer's plan was made");
  };
  const absl::Status refused = Plan(*fleet, "src-pub").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(refused.message(),
            "src-pub: trustline://example.test/operator/vera lacks role operator on src-pub, which "
            "PlanStage needs; it has viewer");
  EXPECT_EQ(TakeLease(*fleet, "src-pub", "run-1").status().code(),
            absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(Apply(*fleet, "src-pub", "run-1").status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(Rollback(*fleet, "src-pub", "run-1").status().code(),
            absl::StatusCode::kPermissionDenied);
  Result<v1::ProbeResponse> probe;
  const auto call = fleet->Probe("src-pub", {}, absl::Seconds(50), probe.Callback());
  EXPECT_EQ(probe.Get().status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(RolesTest, OperatorDoesTheRestButCannotRemoveTrust) {
  const auto fleet = FleetOf("olga");
  EXPECT_TRUE(Describe(*fleet, "src-pub").ok());
  EXPECT_TRUE(Plan(*fleet, "src-pub").ok());
  ASSERT_TRUE(TakeLease(*fleet, "src-pub", "run-1").ok());
  EXPECT_TRUE(Apply(*fleet, "src-pub", "run-1").ok());
  EXPECT_TRUE(Rollback(*fleet, "src-pub", "run-1").ok());
  const absl::Status refused =
      Rollback(*fleet, "src-pub", "run-1", /*include_trust=*/true).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(
      std::string(refused.message()),
      HasSubstr(
          "operator/olga lacks role admin on src-pub, which removing trust (include_trust) needs"));
}

TEST_F(RolesTest, DocumentOfAnotherOperatorIsRefused) {
  agent::FakeHost host;
  host.clock.Set(agent_.clock.Now());
  FakeHubServer hub;
  FakeHubDialer dialer(&hub);
  const agent::KindRegistry kinds;
  agent::Converger converger([this] { return agent_.keeper->Current(); }, host.host(), dialer,
                             kinds);
  const StopsFirst stops_first(agent_);
  agent_.runner.plan = [&](const agent::StageRequest& request) {
    return converger.PlanStage(request);
  };
  agent_.runner.apply = [&](const agent::StageRequest& request, agent::Prover& prover,
                            const agent::EventSink& events,
                            const std::function<bool()>& cancelled) {
    return converger.ApplyStage(request, prover, events, cancelled);
  };
  v1::DesiredState document;
  document.set_node("src-pub");
  document.set_playbook("site");
  document.add_stages()->set_number(1);
  const TestIdentity otto = pki_.OperatorIdentity("otto");
  v1::PlanRequest request;
  request.set_stage(1);
  *request.mutable_document() =
      Seal("trustline.v1.DesiredState", document.SerializeAsString(), otto.key, otto.certificate)
          .value();

  const auto olga = FleetOf("olga");
  const absl::Status refused = Plan(*olga, "src-pub", request).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("signed by trustline://example.test/operator/otto but sent by "
                        "trustline://example.test/operator/olga"));
  ASSERT_TRUE(TakeLease(*olga, "src-pub", "run-1").ok());
  v1::ApplyStart start;
  start.set_run_id("run-1");
  start.set_stage(1);
  *start.mutable_document() = request.document();
  Result<v1::StageReport> applied;
  const auto call = olga->Apply(
      "src-pub", start, absl::Seconds(50), [](const v1::ApplyEvent&) {},
      [](const v1::ProofQuestion&, std::function<void(v1::ProofAnswer)>) {}, applied.Callback());
  EXPECT_EQ(applied.Get().status().code(), absl::StatusCode::kPermissionDenied);

  const absl::StatusOr<v1::PlanResponse> own = Plan(*FleetOf("otto"), "src-pub", request);
  EXPECT_TRUE(own.ok()) << own.status();
}

TEST_F(RolesTest, AdminMayRemoveTrust) {
  const auto fleet = FleetOf("adam");
  ASSERT_TRUE(TakeLease(*fleet, "src-pub", "run-1").ok());
  EXPECT_TRUE(Rollback(*fleet, "src-pub", "run-1", /*include_trust=*/true).ok());
}

TEST_F(RolesTest, OperatorWithoutABindingIsRefusedByName) {
  const absl::Status refused = Describe(*FleetOf("eve"), "src-pub").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(refused.message(),
            "src-pub: trustline://example.test/operator/eve lacks role viewer on src-pub, which "
            "Describe needs; no role is bound to it");
}

TEST_F(RolesTest, StarBindsEveryOperatorButNoAgent) {
  TestAgent open(pki_, "dst-pub");
  v1::RoleBinding* const binding = open.config.add_roles();
  binding->set_operator_("*");
  binding->set_role(v1::ROLE_VIEWER);
  open.Start();
  EXPECT_TRUE(Describe(*TestOperator(pki_, "eve").Fleet({open.address()}), "dst-pub").ok());
  // More for some stays more.
  const absl::StatusOr<v1::DescribeResponse> adam =
      Describe(*TestOperator(pki_, "adam").Fleet({open.address()}), "dst-pub");
  ASSERT_TRUE(adam.ok());
  EXPECT_THAT(adam->roles(), ElementsAre("viewer", "admin"));
  const absl::Status agent =
      RawUnary(*RawChannel(open.port(), pki_.AgentIdentity("eve"), pki_.roots()), describe_, "")
          .status();
  EXPECT_EQ(agent.code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(RolesTest, AgentsCertificateGetsNoRoleEvenUnderAnOperatorsName) {
  const absl::Status refused =
      RawUnary(*ChannelOf(pki_.AgentIdentity("adam")), describe_, "").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("trustline://example.test/agent/adam lacks role viewer"));
}

TEST_F(RolesTest, ExpiredOperatorIsNotLetIn) {
  const TestIdentity expired = pki_.Issue({pki_.domain, IdentityKind::kOperator, "adam"},
                                          TestPki::ValidFrom(), absl::Hours(24));
  EXPECT_EQ(RawUnary(*ChannelOf(expired), describe_, "").status().code(),
            absl::StatusCode::kUnavailable);  // hung up at the handshake
}

TEST_F(RolesTest, ForeignAuthoritysOperatorIsNotLetIn) {
  const TestPki foreign;
  EXPECT_EQ(RawUnary(*ChannelOf(foreign.OperatorIdentity("adam")), describe_, "").status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(RolesTest, OperatorOfAnotherDomainIsRefusedAlthoughItsAuthorityIsTrusted) {
  const TestPki other("other.test");
  TestAgent both(pki_, "dst-pub");
  both.WriteIdentity(pki_.AgentIdentity("dst-pub"),
                     {pki_.authority.certificate, other.authority.certificate});
  both.Start();
  const absl::Status refused =
      RawUnary(*RawChannel(both.port(), other.OperatorIdentity("adam"), other.roots()), describe_,
               "")
          .status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("trustline://other.test/operator/adam is of domain other.test"));
}

// TLS looks once, when the connection is made; an identity may end while it lives.
TEST_F(RolesTest, IdentityThatExpiresLosesItsOpenConnection) {
  const TestIdentity olga = pki_.Issue({pki_.domain, IdentityKind::kOperator, "olga"},
                                       absl::Now() - absl::Hours(1), absl::Hours(25));
  const auto channel = ChannelOf(olga);
  EXPECT_TRUE(RawUnary(*channel, describe_, "").ok());
  agent_.clock.Advance(absl::Hours(25));
  const absl::Status refused = RawUnary(*channel, describe_, "").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("expired"));
}

TEST_F(RolesTest, HealthIsOpenToTheFleetPerServiceAndOverall) {
  const auto channel = ChannelOf(pki_.AgentIdentity("probe-floor3"));
  EXPECT_EQ(RawUnary(*channel, kHealthCheck, "").value_or("none"), kServing);
  EXPECT_EQ(RawUnary(*channel, kHealthCheck, "\x0a\x12trustline.v1.Agent").value_or("none"),
            kServing);
  EXPECT_EQ(RawUnary(*channel, kHealthCheck, "\x0a\x05other").status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(RolesTest, ReflectionNeedsTheOperatorRole) {
  const absl::Status viewer =
      RawUnary(*ChannelOf(pki_.OperatorIdentity("vera")), kReflection, kListServices).status();
  EXPECT_EQ(viewer.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(viewer.message()),
              HasSubstr("operator/vera lacks role operator on src-pub, which reflection needs"));
  const absl::StatusOr<std::string> listed =
      RawUnary(*ChannelOf(pki_.OperatorIdentity("olga")), kReflection, kListServices);
  ASSERT_TRUE(listed.ok()) << listed.status();
  EXPECT_THAT(*listed, HasSubstr("trustline.v1.Agent"));
}

TEST_F(RolesTest, UnknownMethodIsNobodys) {
  const absl::Status refused =
      RawUnary(*ChannelOf(pki_.OperatorIdentity("adam")), "/trustline.v1.Agent/Shell", "").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(RolesTest, EveryCallIsLoggedWithCallerMethodRunAndOutcome) {
  std::mutex mutex;
  std::vector<std::string> lines;
  agent::SetLogSink([&](const std::string& line) {
    std::lock_guard<std::mutex> lock(mutex);
    lines.push_back(line);
  });
  EXPECT_FALSE(Plan(*FleetOf("vera"), "src-pub").ok());
  const auto olga = FleetOf("olga");
  EXPECT_TRUE(TakeLease(*olga, "src-pub", "run-1").ok());
  EXPECT_TRUE(Apply(*olga, "src-pub", "run-1").ok());
  agent::SetLogSink(nullptr);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_THAT(
      lines[0],
      HasSubstr(
          "warning call method=/trustline.v1.Agent/PlanStage "
          "caller=trustline://example.test/operator/vera code=PERMISSION_DENIED duration_ms="));
  EXPECT_THAT(lines[1],
              HasSubstr("info call method=Lease caller=trustline://example.test/operator/olga "
                        "run=run-1 code=OK duration_ms="));
  EXPECT_THAT(lines[2],
              HasSubstr("info call method=ApplyStage caller=trustline://example.test/operator/olga "
                        "run=run-1 stage=1 code=OK duration_ms="));
}

}  // namespace
}  // namespace trustline::testing
