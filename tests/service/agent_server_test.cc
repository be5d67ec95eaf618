// The server as a whole: its port, its limits, its credentials while they change, its end.
#include "agent/service/agent_server.h"

#include <atomic>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/service/service_fixture.h"

namespace trustline::testing {
namespace {

using ::testing::HasSubstr;

const char kHealthCheck[] = "/grpc.health.v1.Health/Check";

class AgentServerTest : public ::testing::Test {
 protected:
  TestPki pki_;
  TestAgent agent_{pki_, "src-pub"};
  TestOperator olga_{pki_, "olga"};
};

TEST_F(AgentServerTest, SecondAgentOnTheSamePortIsRefused) {
  agent_.Start();
  TestAgent second(pki_, "src-sub1");
  second.config.set_listen(absl::StrCat("127.0.0.1:", agent_.port()));
  const absl::Status refused = second.TryStart();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(refused.message(),
            absl::StrCat("cannot listen on 127.0.0.1:", agent_.port(),
                         ": the address is already in use: is another agent running?"));
  EXPECT_TRUE(Describe(*olga_.Fleet({agent_.address()}), "src-pub").ok());
}

TEST_F(AgentServerTest, PortInUseIsWrittenToThePortFile) {
  agent_.config.set_port_file(agent_.directory.File("port"));
  agent_.Start();
  EXPECT_EQ(ReadFile(agent_.directory.File("port")), absl::StrCat(agent_.port(), "\n"));
}

TEST_F(AgentServerTest, MessageOverTheLimitIsResourceExhausted) {
  agent_.config.set_max_message_bytes(64 << 10);
  agent_.Start();
  const auto fleet = olga_.Fleet({agent_.address()});
  v1::PlanRequest request;
  request.mutable_document()->set_payload(std::string(60 << 10, 'x'));
  EXPECT_TRUE(Plan(*fleet, "src-pub", request).ok());
  request.mutable_document()->set_payload(std::string(65 << 10, 'x'));
  EXPECT_EQ(Plan(*fleet, "src-pub", request).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Plan(*fleet, "src-pub").ok());  // the connection lives on
}

TEST_F(AgentServerTest, FloodOfPlansIsAnsweredInsteadOfStored) {
  Gate release;
  std::atomic<int> running{0};
  const StopsFirst stops_first(agent_);
  agent_.runner.plan = [&](const agent::StageRequest&) -> absl::StatusOr<v1::Plan> {
    ++running;
    release.Wait();
    return v1::Plan();
  };
  agent_.Start();
  const auto fleet = olga_.Fleet({agent_.address()});
  std::vector<Result<v1::PlanResponse>> results(40);
  std::vector<std::unique_ptr<controller::CallHandle>> calls;
  for (auto& result : results)
    calls.push_back(fleet->Plan("src-pub", {}, absl::Minutes(2), result.Callback()));
  // 4 at work and 16 waiting; the other 20 are answered while nothing has been finished.
  const auto ready = [&] {
    size_t count = 0;
    for (const auto& result : results) count += result.Ready() ? 1 : 0;
    return count;
  };
  EXPECT_TRUE(Eventually([&] { return ready() == 20 && running == 4; })) << ready();
  size_t refused = 0;
  for (const auto& result : results) {
    if (result.Ready() && result.Get().status().code() == absl::StatusCode::kResourceExhausted)
      ++refused;
  }
  EXPECT_EQ(refused, 20u);
  // gRPC's own threads are free meanwhile.
  EXPECT_TRUE(Describe(*fleet, "src-pub").ok());
  release.Open();
  size_t done = 0;
  for (const auto& result : results) done += result.Get().ok() ? 1 : 0;
  EXPECT_EQ(done, 20u);
}

TEST_F(AgentServerTest, PlanNobodyWaitsForAnyMoreIsNotMade) {
  Gate release;
  std::atomic<int> plans{0};
  const StopsFirst stops_first(agent_);
  agent_.runner.plan = [&](const agent::StageRequest&) -> absl::StatusOr<v1::Plan> {
    ++plans;
    release.Wait();
    return v1::Plan();
  };
  agent_.Start();
  const auto fleet = olga_.Fleet({agent_.address()});
  std::vector<Result<v1::PlanResponse>> busy(4);
  std::vector<std::unique_ptr<controller::CallHandle>> calls;
  for (auto& result : busy)
    calls.push_back(fleet->Plan("src-pub", {}, absl::Minutes(2), result.Callback()));
  ASSERT_TRUE(Eventually([&] { return plans == 4; }));
  Result<v1::PlanResponse> impatient;
  const auto call = fleet->Plan("src-pub", {}, absl::Milliseconds(200), impatient.Callback());
  EXPECT_EQ(impatient.Get().status().code(), absl::StatusCode::kDeadlineExceeded);
  release.Open();
  for (const auto& result : busy) EXPECT_TRUE(result.Get().ok());
  EXPECT_TRUE(Plan(*fleet, "src-pub").ok());
  EXPECT_EQ(plans, 5);
}

TEST_F(AgentServerTest, ProbeIsBoundedByTheCallsDeadline) {
  std::atomic<uint32_t> milliseconds{0};
  const StopsFirst stops_first(agent_);
  agent_.prober.probe = [&](const v1::ProbeRequest& request) -> absl::StatusOr<v1::ProbeResponse> {
    milliseconds = request.timeout_ms();
    v1::ProbeResponse response;
    response.set_option_150("\x0a\x14\x00\x0b");
    return response;
  };
  agent_.Start();
  const auto fleet = olga_.Fleet({agent_.address()});
  v1::ProbeRequest request;
  request.set_timeout_ms(600'000);
  Result<v1::ProbeResponse> result;
  const auto call = fleet->Probe("src-pub", request, absl::Seconds(50), result.Callback());
  ASSERT_TRUE(result.Get().ok());
  EXPECT_EQ(result.Get()->option_150(), "\x0a\x14\x00\x0b");
  EXPECT_GT(milliseconds, 0u);
  EXPECT_LE(milliseconds, 50'000u);
}

TEST_F(AgentServerTest, NewIdentityIsServedAndAMismatchedOneIsNot) {
  agent_.Start();
  // Which certificate a new connection sees. gRPC looks behind the link once a second.
  const auto serves = [&](const std::vector<Certificate>& roots) {
    const TestOperator olga(pki_.OperatorIdentity("olga"), roots);
    return Describe(*olga.Fleet({agent_.address()}), "src-pub").ok();
  };
  const auto old_connection = olga_.Fleet({agent_.address()});
  ASSERT_TRUE(Describe(*old_connection, "src-pub").ok());

  // A mismatched pair on disk: refused, and whoever connects still gets the old one.
  const TestIdentity second = pki_.AgentIdentity("src-pub");
  WriteFile(agent_.config.identity().key(), second.key_pem());
  EXPECT_FALSE(agent_.keeper->Poll().ok());
  EXPECT_TRUE(serves(pki_.roots()));

  // The agent moves to another authority and trusts both: new connections are served with it, old
  // ones live on.
  const TestPki next;
  agent_.WriteIdentity(next.AgentIdentity("src-pub"),
                       {pki_.authority.certificate, next.authority.certificate});
  // Its certificate chains to one of the two.
  ASSERT_TRUE(agent_.keeper->Poll().value());
  EXPECT_TRUE(Eventually([&] {
    return serves(
               std::vector<Certificate>{pki_.authority.certificate, next.authority.certificate}) &&
           !serves(pki_.roots());
  }));
  EXPECT_TRUE(Describe(*old_connection, "src-pub").ok());

  // An operator of the new authority is let in as well.
  EXPECT_TRUE(Eventually([&] {
    return Describe(*TestOperator(next, "olga").Fleet({agent_.address()}), "src-pub").ok();
  }));
}

TEST_F(AgentServerTest, DrainWaitsForTheApplyAndRefusesNewOnes) {
  Gate running, release;
  const StopsFirst stops_first(agent_);
  agent_.runner.apply =
      [&](const agent::StageRequest&, agent::Prover&, const agent::EventSink&,
          const std::function<bool()>& cancelled) -> absl::StatusOr<v1::StageReport> {
    running.Open();
    release.Wait();
    EXPECT_FALSE(cancelled());
    v1::StageReport report;
    report.set_generation(3);
    return report;
  };
  agent_.Start();
  const auto fleet = olga_.Fleet({agent_.address()});
  ASSERT_TRUE(TakeLease(*fleet, "src-pub", "run-1").ok());
  v1::ApplyStart start;
  start.set_run_id("run-1");
  Result<v1::StageReport> result;
  const auto call = fleet->Apply(
      "src-pub", start, absl::Minutes(2), [](const v1::ApplyEvent&) {},
      [](const v1::ProofQuestion&, const std::function<void(v1::ProofAnswer)>&) {},
      result.Callback());
  ASSERT_TRUE(running.Wait());

  const auto health = RawChannel(agent_.port(), pki_.OperatorIdentity("olga"), pki_.roots());
  std::atomic<bool> drained{false}, idle{false};
  std::thread draining([&] {
    idle = agent_.server->Drain(absl::Minutes(5));
    drained = true;
  });
  // NOT_SERVING first: 2, overall and by name.
  EXPECT_TRUE(
      Eventually([&] { return RawUnary(*health, kHealthCheck, "").value_or("") == "\x08\x02"; }));
  EXPECT_EQ(RawUnary(*health, kHealthCheck, "\x0a\x12trustline.v1.Agent").value_or(""), "\x08\x02");
  EXPECT_TRUE(Eventually([&] {
    return Apply(*fleet, "src-pub", "run-1").status().code() == absl::StatusCode::kUnavailable;
  }));
  const absl::Status refused = Apply(*fleet, "src-pub", "run-1").status();
  EXPECT_THAT(std::string(refused.message()), HasSubstr("the agent of src-pub is shutting down"));
  EXPECT_EQ(Plan(*fleet, "src-pub").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(TakeLease(*fleet, "src-pub", "run-1").ok());  // who works may keep its lease
  EXPECT_FALSE(drained);
  release.Open();
  const absl::StatusOr<v1::StageReport> report = result.Get();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->generation(), 3u);
  draining.join();
  EXPECT_TRUE(idle);
  EXPECT_EQ(Describe(*fleet, "src-pub").status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(AgentServerTest, DrainThatRunsOutOfPatienceCancelsAtTheNextSafePoint) {
  Gate running;
  const StopsFirst stops_first(agent_);
  agent_.runner.apply =
      [&](const agent::StageRequest&, agent::Prover&, const agent::EventSink&,
          const std::function<bool()>& cancelled) -> absl::StatusOr<v1::StageReport> {
    running.Open();
    EXPECT_TRUE(Eventually(cancelled));
    return v1::StageReport();
  };
  agent_.Start();
  const auto fleet = olga_.Fleet({agent_.address()});
  ASSERT_TRUE(TakeLease(*fleet, "src-pub", "run-1").ok());
  v1::ApplyStart start;
  start.set_run_id("run-1");
  Result<v1::StageReport> result;
  const auto call = fleet->Apply(
      "src-pub", start, absl::Minutes(2), [](const v1::ApplyEvent&) {},
      [](const v1::ProofQuestion&, const std::function<void(v1::ProofAnswer)>&) {},
      result.Callback());
  ASSERT_TRUE(running.Wait());
  EXPECT_FALSE(agent_.server->Drain(absl::ZeroDuration()));
  EXPECT_TRUE(result.Get().ok() || result.Get().status().code() == absl::StatusCode::kUnavailable)
      << result.Get().status();
}

}  // namespace
}  // namespace trustline::testing
