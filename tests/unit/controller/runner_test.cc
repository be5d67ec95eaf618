#include "controller/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "absl/strings/match.h"
#include "controller/exit_codes.h"
#include "controller/render/json_output.h"
#include "controller/render/run_text.h"
#include "tests/fakes/fake_fleet.h"

namespace trustline::controller {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::trustline::testing::FakeFleet;
using ::trustline::testing::ReportOf;

class Quiet : public RunObserver {};

RunInput InputOf(const std::vector<std::vector<std::string>>& hosts_per_stage) {
  RunInput input;
  input.playbook.name = "migrate-phones";
  for (size_t i = 0; i < hosts_per_stage.size(); ++i) {
    StagePlan stage;
    stage.number = static_cast<uint32_t>(i + 1);
    stage.play = "play " + std::to_string(i + 1);
    stage.hosts = hosts_per_stage[i];
    stage.batches = {hosts_per_stage[i]};
    input.playbook.stages.push_back(stage);
    for (const std::string& host : hosts_per_stage[i]) {
      input.selected[stage.number][host] = {};
      input.envelopes[host].set_payload("document of " + host);
      input.playbook.nodes[host] = {host, "127.0.0.1", 9443};
    }
  }
  return input;
}

RunOptions Options() {
  RunOptions options;
  options.run_id = "20261122-1";
  return options;
}

TEST(Runner, AppliesStageByStageUnderLeasesAndReleasesThem) {
  FakeFleet fleet;
  Quiet quiet;
  RunRecord record = RunApply(fleet, InputOf({{"a", "b"}, {"a"}}), Options(), quiet);
  std::vector<std::string> calls = fleet.Calls();
  ASSERT_EQ(calls.size(), 7u);
  EXPECT_THAT(std::vector<std::string>(calls.begin(), calls.begin() + 2),
              ElementsAre("lease take a", "lease take b"));
  EXPECT_EQ(calls[4], "apply a 2");
  EXPECT_THAT(std::vector<std::string>(calls.begin() + 5, calls.end()),
              ElementsAre("lease release a", "lease release b"));
  EXPECT_EQ(record.rows.size(), 3u);
  EXPECT_EQ(record.document_digests["a"], "d1");
  EXPECT_EQ(CountRecap(record)["a"].changed, 2);
  EXPECT_EQ(ExitCodeOf(record), kExitOk);
}

TEST(Runner, AnUnreachableNodeHasARowAndStopsTheNextStage) {
  FakeFleet fleet;
  fleet.lease_errors["b"] = absl::UnavailableError("b (127.0.0.1:9443): connection refused");
  Quiet quiet;
  RunRecord record = RunApply(fleet, InputOf({{"a", "b"}, {"a"}}), Options(), quiet);
  EXPECT_THAT(fleet.Calls(), Not(Contains("apply b 1")));
  EXPECT_THAT(fleet.Calls(), Not(Contains("apply a 2")));
  EXPECT_EQ(CountRecap(record)["b"].unreachable, 1);
  EXPECT_THAT(record.stopped, HasSubstr("b unreachable"));
  EXPECT_EQ(ExitCodeOf(record), kExitUnreachable);
}

TEST(Runner, ALeaseHeldByAnotherIsRefusedAndNamed) {
  FakeFleet fleet;
  fleet.lease_errors["a"] = absl::FailedPreconditionError("held by alice, run 20261122-9");
  Quiet quiet;
  RunRecord record = RunApply(fleet, InputOf({{"a"}}), Options(), quiet);
  ASSERT_EQ(record.rows.size(), 1u);
  EXPECT_EQ(record.rows[0].outcome.outcome(), v1::OUTCOME_REFUSED);
  EXPECT_THAT(record.rows[0].outcome.reasons(0), HasSubstr("alice"));
  EXPECT_EQ(ExitCodeOf(record), kExitRefused);
}

TEST(Runner, TheRunsThatEndedAreNamedSoThatTheirLeasesChangeHands) {
  FakeFleet fleet;
  std::vector<std::string> ended;
  fleet.on_lease = [&](const std::string&, const v1::LeaseRequest& request) {
    ended.insert(ended.end(), request.ended_runs().begin(), request.ended_runs().end());
    return absl::OkStatus();
  };
  Quiet quiet;
  RunOptions options = Options();
  options.ended_runs = {"20261121-5", "20261121-4"};
  EXPECT_EQ(ExitCodeOf(RunApply(fleet, InputOf({{"a"}}), options, quiet)), kExitOk);
  EXPECT_THAT(ended, ElementsAre("20261121-5", "20261121-4"));
}

TEST(Runner, TheFirstInterruptSaysWhatIsWaitedFor) {
  class Notices : public RunObserver {
   public:
    void OnNotice(const std::string& text) override { texts.push_back(text); }
    std::vector<std::string> texts;
  } notices;
  FakeFleet fleet;
  fleet.hanging = {"b"};
  RunOptions options = Options();
  int asked = 0;
  // The second comes only after the first was answered.
  options.interrupts = [&] {
    std::vector<std::string> calls = fleet.Calls();
    if (std::find(calls.begin(), calls.end(), "apply b 1") == calls.end()) return 0;
    ++asked;
    return notices.texts.empty() ? 1 : 2;
  };
  RunRecord record = RunApply(fleet, InputOf({{"a", "b"}}), options, notices);
  EXPECT_TRUE(record.interrupted);
  ASSERT_EQ(notices.texts.size(), 1u);
  EXPECT_THAT(notices.texts[0],
              ::testing::AllOf(HasSubstr("waiting for "), HasSubstr("b (again to cancel)")));
  EXPECT_GT(asked, 0);
}

TEST(Runner, AFailureStopsLaterStagesAndExitIsTwo) {
  FakeFleet fleet;
  fleet.on_apply = [](const std::string& node,
                      const v1::ApplyStart& start) -> absl::StatusOr<v1::StageReport> {
    return ReportOf(node, start.stage(), {node == "b" ? v1::OUTCOME_FAILED : v1::OUTCOME_CHANGED});
  };
  Quiet quiet;
  RunRecord record = RunApply(fleet, InputOf({{"a", "b"}, {"a"}}), Options(), quiet);
  EXPECT_THAT(fleet.Calls(), Not(Contains("apply a 2")));
  EXPECT_EQ(ExitCodeOf(record), kExitFailed);
}

TEST(Runner, AProofIsAskedFromTheNamedNodeAndCarriedBack) {
  FakeFleet fleet;
  v1::ProofQuestion question;
  question.set_id(7);
  question.set_from_node("probe");
  fleet.questions["dhcp-a"] = question;
  fleet.on_probe = [](const std::string&,
                      const v1::ProbeRequest&) -> absl::StatusOr<v1::ProbeResponse> {
    v1::ProbeResponse response;
    response.set_answered(true);
    response.set_option_150("\x0a\x14\x00\x0b");
    return response;
  };
  Quiet quiet;
  RunRecord record = RunApply(fleet, InputOf({{"dhcp-a"}}), Options(), quiet);
  EXPECT_THAT(fleet.Calls(), Contains("probe probe"));
  EXPECT_EQ(fleet.Answers()["dhcp-a"].id(), 7u);
  EXPECT_TRUE(fleet.Answers()["dhcp-a"].response().answered());
  EXPECT_EQ(ExitCodeOf(record), kExitOk);
}

TEST(Runner, AProberThatCannotBeAskedIsAnErrorInTheAnswer) {
  FakeFleet fleet;
  v1::ProofQuestion question;
  question.set_id(1);
  question.set_from_node("probe");
  fleet.questions["dhcp-a"] = question;
  fleet.on_probe = [](const std::string&,
                      const v1::ProbeRequest&) -> absl::StatusOr<v1::ProbeResponse> {
    return absl::UnavailableError("no route");
  };
  Quiet quiet;
  RunApply(fleet, InputOf({{"dhcp-a"}}), Options(), quiet);
  EXPECT_EQ(fleet.Answers()["dhcp-a"].error(), "probe could not ask: no route");
}

TEST(Runner, TheFirstInterruptStartsNothingMoreTheSecondCancels) {
  FakeFleet fleet;
  fleet.hanging = {"b"};
  Quiet quiet;
  RunOptions options = Options();
  int asked = 0;
  // As an operator would: once, and again when it does not end.
  options.interrupts = [&asked, &fleet] {
    bool hangs = false;
    for (const std::string& call : fleet.Calls()) hangs |= call == "apply b 1";
    if (!hangs) return 0;
    return ++asked > 3 ? 2 : 1;
  };
  RunRecord record = RunApply(fleet, InputOf({{"a", "b"}, {"a"}}), options, quiet);
  EXPECT_TRUE(record.interrupted);
  EXPECT_EQ(CountRecap(record)["a"].changed, 1);
  EXPECT_EQ(CountRecap(record)["b"].cancelled, 1);
  EXPECT_THAT(fleet.Calls(), Not(Contains("apply a 2")));
  EXPECT_THAT(fleet.Calls(), Contains("lease release b"));
  EXPECT_EQ(ExitCodeOf(record), kExitInterrupted);
}

TEST(Runner, AnUnconfirmedPauseStopsWithItsOwnCode) {
  FakeFleet fleet;
  RunInput input = InputOf({{"a"}, {"a"}});
  input.playbook.stages[0].pause_after = "Reset the phones of pilot, then continue";
  Quiet quiet;
  RunRecord record = RunApply(fleet, input, Options(), quiet);
  EXPECT_THAT(fleet.Calls(), Not(Contains("apply a 2")));
  EXPECT_THAT(record.stopped, HasSubstr("Reset the phones of pilot"));
  EXPECT_EQ(ExitCodeOf(record), kExitAwaitingConfirm);
  RunOptions yes = Options();
  yes.confirm = [](const std::string&, const std::function<void()>&) { return true; };
  EXPECT_EQ(ExitCodeOf(RunApply(fleet, input, yes, quiet)), kExitOk);
}

TEST(Runner, Scenario33OnePartnerOfAScopeFailedIsReportedAsPartialAndGoesNoFurther) {
  FakeFleet fleet;
  fleet.on_apply = [](const std::string& node,
                      const v1::ApplyStart& start) -> absl::StatusOr<v1::StageReport> {
    return ReportOf(node, start.stage(),
                    {node == "dhcp-b" ? v1::OUTCOME_FAILED : v1::OUTCOME_CHANGED}, "tftp_pointer");
  };
  Quiet quiet;
  RunRecord record =
      RunApply(fleet, InputOf({{"dhcp-a", "dhcp-b"}, {"dhcp-a", "dhcp-b"}}), Options(), quiet);
  EXPECT_THAT(fleet.Calls(), Not(Contains("apply dhcp-a 2")));
  std::string advice = SplitBatchAdvice(record, "migrate-phones.yml", "-i inventory.yml");
  EXPECT_THAT(advice, HasSubstr("tftp_pointer 0 holds on dhcp-a but not on dhcp-b"));
  // Both commands name all servers: a command for one of them would make the next split.
  EXPECT_THAT(advice, HasSubstr("finish: trustline apply migrate-phones.yml -i inventory.yml\n"));
  EXPECT_THAT(advice,
              HasSubstr("revert: trustline rollback -i inventory.yml -l dhcp-a:dhcp-b --run "
                        "20261122-1\n"));
}

// Servers of one scope: hosts of a pointer stage.
RunInput PointerInput() {
  RunInput input = InputOf({{"dhcp-a", "dhcp-b"}});
  input.playbook.stages[0].pointer = true;
  return input;
}

absl::StatusOr<v1::Plan> PlanOf(v1::Outcome outcome) {
  v1::Plan plan;
  v1::ResourcePlan* resource = plan.add_resources();
  resource->set_id("tftp_pointer 0");
  resource->set_kind("tftp_pointer");
  resource->set_outcome(outcome);
  resource->add_reasons("changed by hand");
  return plan;
}

TEST(PointerBatch, StartsNobodyWhenOneServersPlanIsRefused) {
  FakeFleet fleet;
  fleet.on_plan = [](const std::string& node, const v1::PlanRequest&) {
    return PlanOf(node == "dhcp-a" ? v1::OUTCOME_REFUSED : v1::OUTCOME_WOULD_CHANGE);
  };
  Quiet quiet;
  RunRecord record = RunApply(fleet, PointerInput(), Options(), quiet);
  for (const std::string& call : fleet.Calls())
    EXPECT_FALSE(absl::StartsWith(call, "apply")) << call;
  ASSERT_EQ(record.rows.size(), 2u);
  EXPECT_EQ(CountRecap(record)["dhcp-a"].refused, 1);
  EXPECT_EQ(CountRecap(record)["dhcp-b"].blocked, 1);
  EXPECT_EQ(ExitCodeOf(record), kExitRefused);
}

TEST(PointerBatch, StartsNobodyWhenOneServerIsAway) {
  FakeFleet fleet;
  fleet.lease_errors["dhcp-b"] = absl::UnavailableError("dhcp-b: connection refused");
  fleet.on_plan = [](const std::string&, const v1::PlanRequest&) {
    return PlanOf(v1::OUTCOME_WOULD_CHANGE);
  };
  Quiet quiet;
  RunRecord record = RunApply(fleet, PointerInput(), Options(), quiet);
  EXPECT_THAT(fleet.Calls(), Not(Contains("apply dhcp-a 1")));
  EXPECT_EQ(CountRecap(record)["dhcp-b"].unreachable, 1);
  EXPECT_EQ(CountRecap(record)["dhcp-a"].blocked, 1);
  EXPECT_EQ(ExitCodeOf(record), kExitUnreachable);
}

TEST(PointerBatch, BeginsWholeWhateverTheForks) {
  FakeFleet fleet;
  fleet.on_plan = [](const std::string&, const v1::PlanRequest&) {
    return PlanOf(v1::OUTCOME_WOULD_CHANGE);
  };
  fleet.hanging = {"dhcp-a"};
  Quiet quiet;
  RunOptions options = Options();
  options.forks = 1;
  options.interrupts = [&fleet] {
    std::vector<std::string> calls = fleet.Calls();
    return std::find(calls.begin(), calls.end(), "apply dhcp-b 1") == calls.end() ? 0 : 2;
  };
  RunApply(fleet, PointerInput(), options, quiet);
  EXPECT_THAT(fleet.Calls(), Contains("apply dhcp-b 1"));
}

TEST(Runner, APauseKeepsTheLeasesAlive) {
  FakeFleet fleet;
  RunInput input = InputOf({{"a"}, {"a"}});
  input.playbook.stages[0].pause_after = "Reset the phones";
  RunOptions options = Options();
  absl::Time now = absl::FromUnixSeconds(1795305600);
  options.now = [&] { return now; };
  options.confirm = [&](const std::string&, const std::function<void()>& meanwhile) {
    for (int i = 0; i < 10; ++i) {
      now += absl::Seconds(30);
      meanwhile();
    }
    return true;
  };
  Quiet quiet;
  EXPECT_EQ(ExitCodeOf(RunApply(fleet, input, options, quiet)), kExitOk);
  int takes = 0;
  for (const std::string& call : fleet.Calls()) takes += call == "lease take a";
  EXPECT_GE(takes, 10);
}

TEST(Runner, AnInterruptAtAPauseIsAnInterrupt) {
  FakeFleet fleet;
  RunInput input = InputOf({{"a"}, {"a"}});
  input.playbook.stages[0].pause_after = "Reset the phones";
  bool pressed = false;
  RunOptions options = Options();
  options.interrupts = [&] { return pressed ? 1 : 0; };
  options.confirm = [&](const std::string&, const std::function<void()>&) {
    pressed = true;
    return false;
  };
  Quiet quiet;
  RunRecord record = RunApply(fleet, input, options, quiet);
  EXPECT_EQ(ExitCodeOf(record), kExitInterrupted);
  EXPECT_THAT(fleet.Calls(), Not(Contains("apply a 2")));
}

TEST(Runner, OfTwoRunsThatMeetTheLaterOneLetsGoOfEverything) {
  FakeFleet fleet;
  fleet.lease_errors["b"] =
      absl::FailedPreconditionError("run 20261122-9 of alice holds this node");
  Quiet quiet;
  RunRecord record = RunApply(fleet, InputOf({{"a"}, {"b"}}), Options(), quiet);
  EXPECT_THAT(fleet.Calls(), ElementsAre("lease take a", "lease take b", "lease release a"));
  EXPECT_EQ(CountRecap(record)["a"].blocked, 1);
  EXPECT_EQ(CountRecap(record)["b"].refused, 1);
  EXPECT_THAT(record.stopped, HasSubstr("20261122-9"));
  EXPECT_EQ(ExitCodeOf(record), kExitRefused);
}

TEST(Rollback, IsOfOneRunOnAllNodes) {
  FakeFleet fleet;
  fleet.on_status = [](const std::string& node) -> absl::StatusOr<v1::StatusResponse> {
    v1::StatusResponse status;
    v1::GenerationStatus* generation = status.add_generations();
    generation->set_run_id(node == "a" ? "20261122-5" : "20261122-4");
    generation->set_created_unix(node == "a" ? 500 : 400);
    v1::GenerationStatus* later = status.add_generations();
    later->set_run_id("20261122-6");
    later->set_created_unix(600);
    later->set_rolled_back(true);
    return status;
  };
  std::vector<std::string> of;
  fleet.on_rollback = [&](const std::string& node, const v1::RollbackStart& start) {
    of.push_back(start.of_run());
    return absl::StatusOr<v1::StageReport>(
        ReportOf(node, 4, {node == "a" ? v1::OUTCOME_CHANGED : v1::OUTCOME_UNCHANGED}));
  };
  Quiet quiet;
  RollbackInput input;
  input.nodes = {"a", "b"};
  RunRecord record = RunRollback(fleet, input, Options(), quiet);
  EXPECT_THAT(of, ElementsAre("20261122-5", "20261122-5"));
  EXPECT_EQ(record.of_run, "20261122-5");
  input.of_run = "20261122-4";
  of.clear();
  RunRollback(fleet, input, Options(), quiet);
  EXPECT_THAT(of, ElementsAre("20261122-4", "20261122-4"));
}

TEST(Rollback, AServerThatCouldNotGoBackIsASplitWithACommandForAll) {
  FakeFleet fleet;
  fleet.on_rollback = [](const std::string& node,
                         const v1::RollbackStart&) -> absl::StatusOr<v1::StageReport> {
    if (node == "dhcp-b") return absl::UnavailableError("dhcp-b: connection refused");
    return ReportOf(node, 4, {v1::OUTCOME_CHANGED}, "tftp_pointer");
  };
  Quiet quiet;
  RollbackInput input;
  input.nodes = {"dhcp-a", "dhcp-b"};
  std::string advice =
      SplitBatchAdvice(RunRollback(fleet, input, Options(), quiet), "", "-i inventory.yml");
  EXPECT_THAT(advice, HasSubstr("is put back on dhcp-a but not on dhcp-b"));
  EXPECT_THAT(advice, HasSubstr("finish: trustline rollback -i inventory.yml -l dhcp-a:dhcp-b\n"));
}

TEST(Runner, WhenAllPartnersAgreeThereIsNoSplitToReport) {
  FakeFleet fleet;
  Quiet quiet;
  EXPECT_THAT(SplitBatchAdvice(RunApply(fleet, InputOf({{"dhcp-a", "dhcp-b"}}), Options(), quiet),
                               "p.yml", ""),
              IsEmpty());
}

TEST(PartialPointers, NamesTheServersALimitLeavesOut) {
  RunInput input = InputOf({{"dhcp-a", "dhcp-b"}});
  for (const std::string node : {"dhcp-a", "dhcp-b"}) {
    v1::Resource* resource = input.playbook.documents[node].add_resources();
    resource->set_id("tftp_pointer \"global\"");
    resource->set_stage(1);
    resource->mutable_tftp_pointer()->mutable_scope()->set_global(true);
  }
  EXPECT_THAT(PartialPointers(input), IsEmpty());
  input.selected[1].erase("dhcp-b");
  ASSERT_EQ(PartialPointers(input).size(), 1u);
  EXPECT_THAT(PartialPointers(input)[0], HasSubstr("selected on dhcp-a but not on dhcp-b"));
  input.selected.clear();  // nobody: nothing is split
  EXPECT_THAT(PartialPointers(input), IsEmpty());
}

TEST(Runner, OneHangingNodeNeverStallsTheOthers) {
  FakeFleet fleet;
  fleet.hanging = {"n0"};
  std::vector<std::string> hosts;
  for (int i = 0; i < 50; ++i) hosts.push_back("n" + std::to_string(i));
  Quiet quiet;
  RunOptions options = Options();
  options.forks = 10;
  options.interrupts = [&fleet] {
    int applied = 0;
    for (const std::string& call : fleet.Calls()) applied += absl::StartsWith(call, "apply ");
    return applied == 50 ? 2 : 0;
  };
  RunRecord record = RunApply(fleet, InputOf({hosts}), options, quiet);
  std::map<std::string, RecapCounters> recap = CountRecap(record);
  EXPECT_EQ(recap["n0"].cancelled, 1);
  for (int i = 1; i < 50; ++i) EXPECT_EQ(recap["n" + std::to_string(i)].changed, 1) << i;
}

TEST(Runner, APlanStopsKnowingAtTheFirstStageWithSomethingToDo) {
  FakeFleet fleet;
  fleet.on_plan = [](const std::string&,
                     const v1::PlanRequest& request) -> absl::StatusOr<v1::Plan> {
    v1::Plan plan;
    v1::ResourcePlan* resource = plan.add_resources();
    resource->set_id("bundle_import \"CallManager\"");
    resource->set_outcome(request.stage() == 2 ? v1::OUTCOME_WOULD_CHANGE : v1::OUTCOME_UNCHANGED);
    if (request.stage() == 2) {
      resource->set_summary("1 of 6 certificates missing");
      v1::Change* change = resource->add_changes();
      change->set_action(v1::Change::ACTION_ADD);
      change->set_text("Phone-SAST-trust  CN=dst-pub  serial 5A0F91");
    }
    return plan;
  };
  RunInput input = InputOf({{"a", "b"}, {"a", "b"}, {"a"}});
  input.playbook.stages[2].wave = "pilot";
  Quiet quiet;
  PlanResult plan = RunPlan(fleet, input, Options(), quiet);
  EXPECT_THAT(fleet.Calls(), Not(Contains("plan a 3")));
  TextOptions text;
  text.diff = true;
  std::ostringstream out;
  PrintPlan(plan, input.playbook, text, out);
  EXPECT_EQ(
      out.str(),
      "PLAY [play 1] *****************************************************************\n"
      "PLAY [play 2] *****************************************************************\n"
      "~ a  bundle_import \"CallManager\"   1 of 6 certificates missing\n"
      "    + Phone-SAST-trust  CN=dst-pub  serial 5A0F91\n"
      "~ b  bundle_import \"CallManager\"   1 of 6 certificates missing\n"
      "    + Phone-SAST-trust  CN=dst-pub  serial 5A0F91\n"
      "PLAY [play 3], wave pilot: known after stage 2\n"
      "PLAN  2 nodes, 2 with changes, 2 changes, 1 stage not known yet; nothing was written\n");
}

TEST(Runner, ARecapLineHasAnsiblesCountersFirst) {
  FakeFleet fleet;
  fleet.on_apply = [](const std::string& node,
                      const v1::ApplyStart& start) -> absl::StatusOr<v1::StageReport> {
    return ReportOf(
        node, start.stage(),
        {v1::OUTCOME_CHANGED, v1::OUTCOME_CHANGED, v1::OUTCOME_UNCHANGED, v1::OUTCOME_UNCHANGED});
  };
  Quiet quiet;
  RunRecord record = RunApply(fleet, InputOf({{"dst-pub"}}), Options(), quiet);
  record.finished = record.started + absl::Seconds(43);
  std::ostringstream out;
  PrintRecap(record, TextOptions(), out);
  EXPECT_EQ(out.str(),
            "PLAY RECAP ********************************************************************\n"
            "dst-pub : ok=4  changed=2  unreachable=0  failed=0  skipped=0  rescued=0  ignored=0  "
            "refused=0  pending=0\n"
            "run 20261122-1  43 s  history: trustline history show 20261122-1\n");
}

TEST(Runner, ARollbackAsksEveryNodeAtOnce) {
  FakeFleet fleet;
  fleet.on_rollback = [](const std::string& node,
                         const v1::RollbackStart&) -> absl::StatusOr<v1::StageReport> {
    if (node == "b") return absl::UnavailableError("b: connection refused");
    return ReportOf(node, 4, {v1::OUTCOME_CHANGED}, "tftp_pointer");
  };
  Quiet quiet;
  RunRecord record = RunRollback(fleet, {{"a", "b"}, "", false, {}}, Options(), quiet);
  EXPECT_EQ(CountRecap(record)["a"].changed, 1);
  EXPECT_EQ(CountRecap(record)["b"].unreachable, 1);
  EXPECT_EQ(ExitCodeOf(record), kExitUnreachable);
}

TEST(ExitCode, PendingOrWorseIsNeverZero) {
  for (v1::Outcome outcome : {v1::OUTCOME_PENDING, v1::OUTCOME_REFUSED, v1::OUTCOME_BLOCKED,
                              v1::OUTCOME_FAILED, v1::OUTCOME_UNSUPPORTED, v1::OUTCOME_UNREACHABLE,
                              v1::OUTCOME_ROLLED_BACK, v1::OUTCOME_CANCELLED}) {
    RunRecord record;
    record.command = "apply";
    record.nodes = {"a"};
    ResourceRow row;
    row.node = "a";
    row.outcome.set_outcome(outcome);
    record.rows.push_back(row);
    EXPECT_NE(ExitCodeOf(record), 0) << v1::Outcome_Name(outcome);
  }
}

TEST(JsonLinesOutput, EveryLineCarriesSchemaTimeAndRun) {
  FakeFleet fleet;
  std::ostringstream out;
  JsonLines lines("20261122-1", out, [] { return absl::FromUnixSeconds(1795305600); });
  RunRecord record = RunApply(fleet, InputOf({{"a"}}), Options(), lines);
  lines.RunFinished(record, 0);
  std::istringstream in(out.str());
  std::string line, last;
  int count = 0;
  while (std::getline(in, line)) {
    ++count;
    last = line;
    EXPECT_THAT(
        line, ::testing::StartsWith(
                  "{\"schema\":\"trustline/1\",\"ts\":\"2026-11-22T00:00:00.000Z\",\"event\":\""));
    EXPECT_THAT(line, HasSubstr("\"run_id\":\"20261122-1\""));
  }
  EXPECT_EQ(count, 4);  // stage_started, resource, stage_ended, run_finished
  EXPECT_THAT(last, HasSubstr("\"exit_code\":0"));
}

}  // namespace
}  // namespace trustline::controller
