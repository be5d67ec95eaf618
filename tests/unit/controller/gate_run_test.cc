// Runs with gates: what a refusal stops, what an override does not, and how verdicts are carried.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "controller/exit_codes.h"
#include "controller/render/run_text.h"
#include "controller/runner.h"
#include "tests/fakes/fake_fleet.h"

namespace trustline::controller {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::trustline::testing::FakeFleet;
using ::trustline::testing::ReportOf;

class Quiet : public RunObserver {};

// Stage 1 on the probe judges stage 2 on two DHCP servers.
RunInput GatedRun() {
  RunInput input;
  input.playbook.name = "migrate";
  StagePlan gate, pointer;
  gate.number = 1;
  gate.play = "GATE [Point]";
  gate.gate_for = 2;
  gate.hosts = {"probe"};
  pointer.number = 2;
  pointer.play = "Point";
  pointer.pointer = true;
  pointer.hosts = {"dhcp-a", "dhcp-b"};
  for (StagePlan* stage : {&gate, &pointer}) {
    stage->batches = {stage->hosts};
    for (const std::string& host : stage->hosts) {
      input.selected[stage->number][host] = {};
      input.envelopes[host].set_payload("document of " + host);
      input.playbook.nodes[host] = {host, "127.0.0.1", 9443};
    }
    input.playbook.stages.push_back(*stage);
  }
  return input;
}

v1::GateReport Refusal() {
  v1::GateReport report;
  report.set_judge("probe");
  report.add_reasons("3 phones would be locked");
  return report;
}

v1::StageReport GateReportOf(v1::Outcome outcome) {
  v1::StageReport report = ReportOf("probe", 1, {outcome}, "trust_gate");
  if (outcome == v1::OUTCOME_REFUSED) *report.mutable_resources(0)->mutable_gate() = Refusal();
  return report;
}

class GateRunTest : public ::testing::Test {
 protected:
  GateRunTest() {
    options_.run_id = "20261125-1";
    fleet_.on_plan = [](const std::string&, const v1::PlanRequest& request) {
      v1::Plan plan;
      plan.set_stage(request.stage());
      plan.add_resources()->set_outcome(v1::OUTCOME_WOULD_CHANGE);
      return plan;
    };
    fleet_.on_apply = [this](const std::string& node, const v1::ApplyStart& start) {
      overrides_[node] = start.override_gate();
      if (node == "probe") return GateReportOf(gate_);
      return ReportOf(node, 2, {v1::OUTCOME_CHANGED}, "tftp_pointer");
    };
  }
  RunRecord Run() { return RunApply(fleet_, GatedRun(), options_, quiet_); }

  FakeFleet fleet_;
  Quiet quiet_;
  RunOptions options_;
  v1::Outcome gate_ = v1::OUTCOME_UNCHANGED;
  std::map<std::string, std::string> overrides_;
};

TEST_F(GateRunTest, AnAcceptingGateLetsThePointersMove) {
  const RunRecord record = Run();
  EXPECT_EQ(ExitCodeOf(record), kExitOk);
  EXPECT_THAT(fleet_.Calls(), Contains("apply dhcp-b 2"));
}

TEST_F(GateRunTest, Scenario34ARefusingGateStopsTheRunBeforeItsWave) {
  gate_ = v1::OUTCOME_REFUSED;
  const RunRecord record = Run();
  EXPECT_EQ(ExitCodeOf(record), kExitRefused);
  EXPECT_THAT(fleet_.Calls(), Not(Contains("apply dhcp-a 2")));
  EXPECT_THAT(record.stopped, HasSubstr("probe refused"));
}

TEST_F(GateRunTest, AnOverrideShowsTheRefusalAndGoesOn) {
  gate_ = v1::OUTCOME_REFUSED;
  options_.override_gate = "drill";
  const RunRecord record = Run();
  EXPECT_EQ(ExitCodeOf(record), kExitOk);
  EXPECT_THAT(fleet_.Calls(), Contains("apply dhcp-a 2"));
  EXPECT_EQ(record.gate_override, "drill");
  EXPECT_EQ(overrides_["dhcp-a"], "drill");
  // Judging needs no admin.
  EXPECT_EQ(overrides_["probe"], "");
  EXPECT_EQ(CountRecap(record)["probe"].refused, 1);
}

TEST_F(GateRunTest, AGateIsNotAskedWhenItsPointersAreInPlace) {
  gate_ = v1::OUTCOME_REFUSED;  // the evidence is old by now, say
  fleet_.on_plan = [](const std::string& node, const v1::PlanRequest& request) {
    v1::Plan plan;
    plan.set_stage(request.stage());
    plan.add_resources()->set_outcome(node == "probe" ? v1::OUTCOME_REFUSED
                                                      : v1::OUTCOME_UNCHANGED);
    return plan;
  };
  fleet_.on_apply = [](const std::string& node, const v1::ApplyStart&) {
    return ReportOf(node, 2, {v1::OUTCOME_UNCHANGED}, "tftp_pointer");
  };
  const RunRecord record = Run();
  EXPECT_EQ(ExitCodeOf(record), kExitOk);
  EXPECT_THAT(fleet_.Calls(), Not(Contains("apply probe 1")));
  EXPECT_EQ(CountRecap(record)["probe"].ok, 1);
  const RunInput input = GatedRun();
  const PlanResult plan = RunPlan(fleet_, input, options_, quiet_);
  ASSERT_EQ(plan.stages.size(), 1u);
  EXPECT_EQ(plan.stages[0].stage->number, 2u);
}

TEST_F(GateRunTest, QuestionsForAVerdictGoToTheJudge) {
  v1::ProofQuestion question;
  question.set_id(7);
  question.set_from_node("probe");
  question.mutable_gate()->set_gate("trust_gate");
  fleet_.questions["dhcp-a"] = question;
  fleet_.questions["dhcp-b"] = question;
  fleet_.on_judge = [](const std::string& node, const v1::JudgeRequest& request) {
    v1::JudgeResponse response;
    response.mutable_verdict()->set_payload(node + " on " + request.question().gate());
    return response;
  };
  EXPECT_EQ(ExitCodeOf(Run()), kExitOk);
  EXPECT_EQ(fleet_.Answers().at("dhcp-a").verdict().payload(), "probe on trust_gate");
  EXPECT_EQ(fleet_.Answers().at("dhcp-a").id(), 7u);
}

TEST_F(GateRunTest, AJudgeThatCannotBeAskedIsAnError) {
  v1::ProofQuestion question;
  question.set_from_node("probe");
  question.mutable_gate()->set_gate("trust_gate");
  fleet_.questions["dhcp-a"] = question;
  Run();
  EXPECT_THAT(fleet_.Answers().at("dhcp-a").error(), HasSubstr("probe did not judge"));
}

TEST_F(GateRunTest, OnlyTheGatesAreAskedForAPreflightEachByItself) {
  fleet_.on_plan = [](const std::string&, const v1::PlanRequest&) {
    v1::Plan plan;
    v1::ResourcePlan& gate = *plan.add_resources();
    gate.set_outcome(v1::OUTCOME_REFUSED);
    *gate.mutable_gate() = Refusal();
    return plan;
  };
  const RunInput input = GatedRun();
  const PlanResult result = RunGates(fleet_, input, options_, quiet_);
  ASSERT_EQ(result.stages.size(), 1u);
  EXPECT_EQ(result.stages[0].stage->number, 1u);
  EXPECT_EQ(CountPlan(result).refused, 1);
}

TEST_F(GateRunTest, APlanShowsTheVerdictAndSaysThatNothingWasChanged) {
  fleet_.on_plan = [](const std::string& node, const v1::PlanRequest&) {
    v1::Plan plan;
    v1::ResourcePlan& gate = *plan.add_resources();
    gate.set_outcome(v1::OUTCOME_WOULD_CHANGE);
    if (node != "probe") return plan;
    gate.set_id("trust_gate");
    gate.set_outcome(v1::OUTCOME_REFUSED);
    *gate.mutable_gate() = Refusal();
    return plan;
  };
  const RunInput input = GatedRun();
  const PlanResult plan = RunPlan(fleet_, input, options_, quiet_);
  std::ostringstream out;
  PrintPlan(plan, input.playbook, {}, out);
  EXPECT_THAT(out.str(),
              HasSubstr("REFUSED  3 phones would be locked; option 150 was not changed."));
  EXPECT_THAT(out.str(), HasSubstr("PLAY [Point]: known after stage 1"));
}

}  // namespace
}  // namespace trustline::controller
