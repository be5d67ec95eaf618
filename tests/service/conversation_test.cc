// Leases, applies and rollbacks on the wire: events, proofs, and what happens when one side goes
// away.
#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "agent/log.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/service/service_fixture.h"

namespace trustline::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

v1::ApplyStart Start(const std::string& run_id) {
  v1::ApplyStart start;
  start.set_run_id(run_id);
  start.set_stage(2);
  return start;
}

controller::ProofHandler Unasked() {
  return [](const v1::ProofQuestion& question, const std::function<void(v1::ProofAnswer)>&) {
    ADD_FAILURE() << "unexpected question " << question.ShortDebugString();
  };
}

class ConversationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    agent_.Start();
    fleet_ = TestOperator(pki_, "olga").Fleet({agent_.address()});
  }
  void TakeRun1() { ASSERT_TRUE(TakeLease(*fleet_, "src-pub", "run-1").ok()); }

  TestPki pki_;
  TestAgent agent_{pki_, "src-pub"};
  std::unique_ptr<controller::Fleet> fleet_;
};

TEST_F(ConversationTest, ApplyWithoutTheLeaseIsRefusedBeforeAnyWork) {
  std::atomic<bool> worked{false};
  const StopsFirst stops_first(agent_);
  agent_.runner.apply = [&](const agent::StageRequest&, agent::Prover&, const agent::EventSink&,
                            const std::function<bool()>&) -> absl::StatusOr<v1::StageReport> {
    worked = true;
    return v1::StageReport();
  };
  const absl::Status none = Apply(*fleet_, "src-pub", "run-1").status();
  EXPECT_EQ(none.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(none.message()), HasSubstr("run run-1 holds no lease on this node"));
  EXPECT_EQ(Rollback(*fleet_, "src-pub", "run-1").status().code(),
            absl::StatusCode::kFailedPrecondition);
  TakeRun1();
  EXPECT_EQ(Apply(*fleet_, "src-pub", "run-2").status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(worked);
}

TEST_F(ConversationTest, SecondOperatorIsToldWhoHoldsTheLease) {
  TakeRun1();
  const auto otto = TestOperator(pki_, "otto").Fleet({agent_.address()});
  const absl::Status refused = TakeLease(*otto, "src-pub", "run-2").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("run run-1 of trustline://example.test/operator/olga holds this node for"));
  EXPECT_EQ(Apply(*otto, "src-pub", "run-1").status().code(),
            absl::StatusCode::kFailedPrecondition);  // not with the other's run either
  const absl::StatusOr<v1::StatusResponse> status = GetStatus(*otto, "src-pub");
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(status->lease_run(), "run-1");
  EXPECT_EQ(status->lease_holder(), "trustline://example.test/operator/olga");
  ASSERT_TRUE(ReleaseLease(*fleet_, "src-pub", "run-1").ok());
  EXPECT_TRUE(TakeLease(*otto, "src-pub", "run-2").ok());
}

TEST_F(ConversationTest, RequestArrivesWholeAndEventsComeInOrderBeforeTheReport) {
  agent::StageRequest seen;
  const StopsFirst stops_first(agent_);
  agent_.runner.apply = [&](const agent::StageRequest& request, agent::Prover&,
                            const agent::EventSink& events,
                            const std::function<bool()>&) -> absl::StatusOr<v1::StageReport> {
    seen = request;
    for (int i = 0; i < 200; ++i) {
      v1::ApplyEvent event;
      event.set_progress(std::to_string(i));
      events(event);
    }
    v1::StageReport report;
    report.set_node("src-pub");
    report.set_generation(7);
    return report;
  };
  TakeRun1();
  v1::ApplyStart start = Start("run-1");
  start.mutable_document()->set_payload("document");
  start.add_only("certificate \"web\"");
  (*start.mutable_secrets()->mutable_by_name())["HUB_PASSWORD"] = "hunter2";
  start.set_plan_id("abc");
  std::vector<std::string> events;
  Result<v1::StageReport> result;
  std::vector<std::string> lines;
  std::mutex mutex;
  agent::SetLogSink([&](const std::string& line) {
    std::lock_guard<std::mutex> lock(mutex);
    lines.push_back(line);
  });
  const auto call = fleet_->Apply(
      "src-pub", start, absl::Seconds(50),
      [&](const v1::ApplyEvent& event) { events.push_back(event.progress()); }, Unasked(),
      result.Callback());
  const absl::StatusOr<v1::StageReport> report = result.Get();
  agent::SetLogSink(nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->generation(), 7u);
  ASSERT_EQ(events.size(), 200u);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(events[static_cast<size_t>(i)], std::to_string(i));
  EXPECT_EQ(seen.document.payload(), "document");
  EXPECT_EQ(seen.stage, 2u);
  EXPECT_THAT(seen.only, ElementsAre("certificate \"web\""));
  EXPECT_EQ(seen.secrets.by_name().at("HUB_PASSWORD"), "hunter2");
  EXPECT_EQ(seen.run_id, "run-1");
  EXPECT_EQ(seen.plan_id, "abc");
  for (const std::string& line : lines) EXPECT_THAT(line, Not(HasSubstr("hunter2")));
}

TEST_F(ConversationTest, QuestionForAProofGoesThereAndBack) {
  const StopsFirst stops_first(agent_);
  agent_.runner.apply = [&](const agent::StageRequest&, agent::Prover& prover,
                            const agent::EventSink&,
                            const std::function<bool()>&) -> absl::StatusOr<v1::StageReport> {
    v1::ProbeRequest probe;
    probe.set_server("10.30.0.5");
    v1::StageReport report;
    for (int i = 0; i < 2; ++i) {
      const absl::StatusOr<v1::ProbeResponse> answer = prover.Ask("probe-floor3", probe);
      if (!answer.ok()) return answer.status();
      report.set_playbook(report.playbook() + answer->option_150());
    }
    const absl::StatusOr<v1::ProbeResponse> nobody = prover.Ask("probe-floor4", probe);
    EXPECT_EQ(nobody.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(nobody.status().message(), "probe-floor4 is unreachable");
    return report;
  };
  TakeRun1();
  std::atomic<int> asked{0};
  Result<v1::StageReport> result;
  std::vector<std::thread> answering;  // a handler answers later, on a thread of its own
  const auto call = fleet_->Apply(
      "src-pub", Start("run-1"), absl::Seconds(50), [](const v1::ApplyEvent&) {},
      [&](const v1::ProofQuestion& question, std::function<void(v1::ProofAnswer)> reply) {
        ++asked;
        EXPECT_EQ(question.probe().server(), "10.30.0.5");
        v1::ProofAnswer answer;
        if (question.from_node() == "probe-floor4") {
          answer.set_error("probe-floor4 is unreachable");
        } else {
          answer.mutable_response()->set_option_150("x");
        }
        answering.emplace_back([reply = std::move(reply), answer] { reply(answer); });
      },
      result.Callback());
  const absl::StatusOr<v1::StageReport> report = result.Get();
  for (std::thread& thread : answering) thread.join();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->playbook(), "xx");
  EXPECT_EQ(asked, 3);
}

TEST_F(ConversationTest, RollbackAsksForProofsToo) {
  const StopsFirst stops_first(agent_);
  agent_.runner.rollback = [&](const v1::RollbackStart& start, const std::string&,
                               agent::Prover& prover,
                               const agent::EventSink&) -> absl::StatusOr<v1::StageReport> {
    EXPECT_EQ(start.run_id(), "run-1");
    return prover.Ask("probe-floor3", {}).ok() ? absl::StatusOr<v1::StageReport>(v1::StageReport())
                                               : absl::InternalError("not proven");
  };
  TakeRun1();
  v1::RollbackStart start;
  start.set_run_id("run-1");
  Result<v1::StageReport> result;
  const auto call = fleet_->Rollback(
      "src-pub", start, absl::Seconds(50), [](const v1::ApplyEvent&) {},
      [](const v1::ProofQuestion&, const std::function<void(v1::ProofAnswer)>& reply) {
        v1::ProofAnswer answer;
        answer.mutable_response()->set_answered(true);
        reply(answer);
      },
      result.Callback());
  EXPECT_TRUE(result.Get().ok()) << result.Get().status();
}

TEST_F(ConversationTest, LateReplyToAnEndedCallIsHarmless) {
  const StopsFirst stops_first(agent_);
  agent_.runner.apply = [&](const agent::StageRequest&, agent::Prover& prover,
                            const agent::EventSink&,
                            const std::function<bool()>&) -> absl::StatusOr<v1::StageReport> {
    return prover.Ask("probe-floor3", {}).status();
  };
  TakeRun1();
  Gate asked;
  std::function<void(v1::ProofAnswer)> late;
  Result<v1::StageReport> result;
  const auto call = fleet_->Apply(
      "src-pub", Start("run-1"), absl::Minutes(2), [](const v1::ApplyEvent&) {},
      [&](const v1::ProofQuestion&, std::function<void(v1::ProofAnswer)> reply) {
        late = std::move(reply);
        asked.Open();
      },
      result.Callback());
  ASSERT_TRUE(asked.Wait());
  call->Cancel();
  EXPECT_EQ(result.Get().status().code(), absl::StatusCode::kCancelled);
  late(v1::ProofAnswer());
  fleet_.reset();
  late(v1::ProofAnswer());
}

// Works until it is told to stop, then says how it was told.
class UntilCancelled {
 public:
  explicit UntilCancelled(TestAgent& agent) : stops_first_(agent) {
    agent.runner.apply =
        [this](const agent::StageRequest&, agent::Prover& prover, const agent::EventSink&,
               const std::function<bool()>& cancelled) -> absl::StatusOr<v1::StageReport> {
      running.Open();
      if (Eventually(cancelled)) told.Open();
      proof = prover.Ask("probe-floor3", {}).status();
      ended.Open();
      return v1::StageReport();
    };
  }
  Gate running, told, ended;
  absl::Status proof;

 private:
  const StopsFirst stops_first_;  // last
};

TEST_F(ConversationTest, ClientThatGoesAwayMidApplyCancelsAtTheNextSafePoint) {
  UntilCancelled work(agent_);
  TakeRun1();
  Result<v1::StageReport> result;
  const auto call = fleet_->Apply(
      "src-pub", Start("run-1"), absl::Minutes(2), [](const v1::ApplyEvent&) {}, Unasked(),
      result.Callback());
  ASSERT_TRUE(work.running.Wait());
  fleet_.reset();  // the controller is gone, its connections with it
  EXPECT_TRUE(work.told.Wait());
  ASSERT_TRUE(work.ended.Wait());
  EXPECT_EQ(work.proof.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(result.Get().status().code(), absl::StatusCode::kCancelled);
}

TEST_F(ConversationTest, DeadlineCancelsTheWorkToo) {
  UntilCancelled work(agent_);
  TakeRun1();
  Result<v1::StageReport> result;
  // The agent may see the deadline a moment before the client does, and its question slip through.
  const controller::ProofHandler nobody_answers =
      [](const v1::ProofQuestion&, const std::function<void(v1::ProofAnswer)>&) {};
  const auto call = fleet_->Apply(
      "src-pub", Start("run-1"), absl::Milliseconds(500), [](const v1::ApplyEvent&) {},
      nobody_answers, result.Callback());
  EXPECT_EQ(result.Get().status().code(), absl::StatusCode::kDeadlineExceeded);
  if (work.running.IsOpen()) {
    EXPECT_TRUE(work.told.Wait());
  }
}

TEST_F(ConversationTest, ClientThatGoesAwayWhileAskedEndsTheQuestion) {
  Gate ended;
  absl::Status answer;
  const StopsFirst stops_first(agent_);
  agent_.runner.apply =
      [&](const agent::StageRequest&, agent::Prover& prover, const agent::EventSink&,
          const std::function<bool()>& cancelled) -> absl::StatusOr<v1::StageReport> {
    answer = prover.Ask("probe-floor3", {}).status();
    EXPECT_TRUE(cancelled());
    ended.Open();
    return v1::StageReport();
  };
  TakeRun1();
  Gate asked;
  Result<v1::StageReport> result;
  const auto call = fleet_->Apply(
      "src-pub", Start("run-1"), absl::Minutes(2), [](const v1::ApplyEvent&) {},
      [&](const v1::ProofQuestion&, const std::function<void(v1::ProofAnswer)>&) { asked.Open(); },
      result.Callback());
  ASSERT_TRUE(asked.Wait());
  call->Cancel();
  ASSERT_TRUE(ended.Wait());
  EXPECT_EQ(answer.code(), absl::StatusCode::kUnavailable);
}

TEST_F(ConversationTest, LeaseIsNotLostWhileItsApplyWorks) {
  Gate running, release;
  const StopsFirst stops_first(agent_);
  agent_.runner.apply = [&](const agent::StageRequest&, agent::Prover&, const agent::EventSink&,
                            const std::function<bool()>&) -> absl::StatusOr<v1::StageReport> {
    running.Open();
    release.Wait();
    return v1::StageReport();
  };
  ASSERT_TRUE(TakeLease(*fleet_, "src-pub", "run-1", 5).ok());
  Result<v1::StageReport> result;
  const auto call = fleet_->Apply(
      "src-pub", Start("run-1"), absl::Minutes(2), [](const v1::ApplyEvent&) {}, Unasked(),
      result.Callback());
  ASSERT_TRUE(running.Wait());
  agent_.clock.Advance(absl::Minutes(5));
  const auto otto = TestOperator(pki_, "otto").Fleet({agent_.address()});
  EXPECT_EQ(TakeLease(*otto, "src-pub", "run-2").status().code(),
            absl::StatusCode::kFailedPrecondition);
  release.Open();
  EXPECT_TRUE(result.Get().ok());
  // Whoever has the report may release at once.
  EXPECT_TRUE(ReleaseLease(*fleet_, "src-pub", "run-1").ok());
  EXPECT_TRUE(TakeLease(*otto, "src-pub", "run-2").ok());
}

TEST_F(ConversationTest, ErrorOfTheWorkReachesTheCallerWithItsCode) {
  agent_.runner.apply = [](const agent::StageRequest&, agent::Prover&, const agent::EventSink&,
                           const std::function<bool()>&) -> absl::StatusOr<v1::StageReport> {
    return absl::FailedPreconditionError("the plan changed meanwhile");
  };
  TakeRun1();
  const absl::Status status = Apply(*fleet_, "src-pub", "run-1").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), "src-pub: the plan changed meanwhile");
}

TEST_F(ConversationTest, AnswerBeforeTheStartIsRefused) {
  // ApplyRequest.answer, empty: field 2, length 0.
  const auto channel = RawChannel(agent_.port(), pki_.OperatorIdentity("olga"), pki_.roots());
  EXPECT_EQ(RawUnary(*channel, "/trustline.v1.Agent/ApplyStage", std::string("\x12\x00", 2))
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace trustline::testing
