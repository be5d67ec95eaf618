// Waves whose phones are waited for: when enough arrived, and what is put back when they did not.
#include "controller/arrival_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "controller/exit_codes.h"
#include "controller/history/history_store.h"
#include "controller/render/json_output.h"
#include "controller/render/run_text.h"
#include "controller/straggler_guard.h"
#include "tests/fakes/fake_fleet.h"
#include "tests/unit/controller/temp_files.h"

namespace trustline::controller {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::trustline::testing::FakeFleet;
using ::trustline::testing::ReportOf;

constexpr char kRun[] = "20261125-1";

WavePhones Phones(int arrived, int of) {
  WavePhones phones;
  for (int i = 1; i <= of; ++i) {
    phones.phones.push_back(
        {absl::StrCat("SEP", i), i <= arrived, true,
         i <= arrived ? "" : "holds ITL 3fa9, which no destination node serves"});
  }
  return phones;
}

TEST(ArrivalVerdict, Scenario34AtLeastTheShareOfThoseThatCount) {
  EXPECT_EQ(JudgeArrival(95, Phones(19, 20), false), ArrivalVerdict::kReached);
  EXPECT_EQ(JudgeArrival(95, Phones(18, 20), false), ArrivalVerdict::kLookAgain);
  EXPECT_EQ(JudgeArrival(95, Phones(18, 20), true), ArrivalVerdict::kMissed);
  EXPECT_EQ(JudgeArrival(95, Phones(19, 20), true), ArrivalVerdict::kReached);
  // 95 % of three is three.
  EXPECT_EQ(JudgeArrival(95, Phones(2, 3), true), ArrivalVerdict::kMissed);
  EXPECT_EQ(JudgeArrival(100, Phones(3, 3), false), ArrivalVerdict::kReached);
}

TEST(ArrivalVerdict, Scenario34WhoCannotBeMovedDoesNotCountAndNobodyIsNotEverybody) {
  WavePhones phones = Phones(1, 2);
  phones.phones[1].counts = false;
  EXPECT_EQ(JudgeArrival(100, phones, false), ArrivalVerdict::kReached);
  EXPECT_EQ(JudgeArrival(1, WavePhones(), true), ArrivalVerdict::kMissed);
  WavePhones excluded;
  excluded.excluded = 3;
  EXPECT_EQ(JudgeArrival(100, excluded, false), ArrivalVerdict::kReached);
}

TEST(ArrivalStep, Scenario34TheNextWaveWaitsForThePauseAndThenForThePhones) {
  RolloutPolicy policy;
  RolloutProgress progress;
  for (uint32_t number = 1; number <= 2; ++number) {
    StagePlan stage;
    stage.number = number;
    stage.hosts = {"dhcp-a"};
    stage.batches = {stage.hosts};
    stage.pause_after = "reset the phones";
    stage.arrival.emplace();
    policy.stages.push_back(stage);
    progress.nodes[number]["dhcp-a"] = {};
  }
  progress.nodes[1]["dhcp-a"].state = NodeProgress::State::kConverged;
  EXPECT_EQ(NextStep(policy, progress).kind, RolloutStep::Kind::kPause);
  progress.pauses_passed.insert({1, true});
  const RolloutStep watch = NextStep(policy, progress);
  EXPECT_EQ(watch.kind, RolloutStep::Kind::kWatch);
  EXPECT_EQ(watch.stage, 1u);
  RolloutProgress interrupted = progress;
  interrupted.interrupted = true;
  EXPECT_EQ(NextStep(policy, interrupted).kind, RolloutStep::Kind::kStop);
  progress.arrived.insert(1);
  const RolloutStep next = NextStep(policy, progress);
  EXPECT_EQ(next.kind, RolloutStep::Kind::kStart);
  EXPECT_EQ(next.stage, 2u);
  // A wave that did not converge is not watched.
  progress.arrived.clear();
  progress.nodes[1]["dhcp-a"].state = NodeProgress::State::kFailed;
  EXPECT_EQ(NextStep(policy, progress).kind, RolloutStep::Kind::kStop);
}

class Notices : public RunObserver {
 public:
  void OnNotice(const std::string& text) override { texts.push_back(text); }
  std::vector<std::string> texts;
};

// Two waves on two DHCP servers; the clock moves only while the run sleeps.
class ArrivalRunTest : public ::testing::Test {
 protected:
  ArrivalRunTest() {
    input_.playbook.name = "migrate";
    for (uint32_t number = 1; number <= 2; ++number) {
      StagePlan stage;
      stage.number = number;
      stage.play = "Point";
      stage.wave = number == 1 ? "pilot" : "floor 3";
      stage.hosts = {"dhcp-a", "dhcp-b"};
      stage.batches = {stage.hosts};
      stage.pointer = true;
      stage.arrival.emplace();
      stage.arrival->at_least = 95;
      stage.arrival->within = absl::Minutes(30);
      stage.arrival->every = absl::Seconds(30);
      stage.arrival->exchange = "spring";
      stage.arrival->phones = stage.wave;  // tells the looks apart
      for (const std::string& host : stage.hosts) {
        input_.selected[number][host] = {};
        input_.envelopes[host].set_payload("document of " + host);
        v1::Resource& resource = *input_.playbook.documents[host].add_resources();
        resource.set_id(absl::StrCat("tftp_pointer ", number));
        resource.set_stage(number);
        resource.mutable_tftp_pointer()->add_tftp_servers("10.20.0.11");
      }
      input_.playbook.stages.push_back(stage);
    }
    fleet_.on_plan = [](const std::string&, const v1::PlanRequest& request) {
      v1::Plan plan;
      plan.set_stage(request.stage());
      plan.add_resources()->set_outcome(v1::OUTCOME_WOULD_CHANGE);
      return plan;
    };
    fleet_.on_apply = [this](const std::string& node, const v1::ApplyStart& start) {
      return PointerReport(node, start.stage(), applied_);
    };
    fleet_.on_rollback = [this](const std::string& node, const v1::RollbackStart& start) {
      rollbacks_.push_back(absl::StrCat(node, " ", start.of_run(), " stage ", start.stage(), " by ",
                                        start.run_id(), start.include_trust() ? " trust" : ""));
      return back_(node, start);
    };
    back_ = [](const std::string& node, const v1::RollbackStart& start) {
      return PointerReport(node, start.stage(), v1::OUTCOME_CHANGED);
    };
    options_.run_id = kRun;
    options_.now = [this] { return now_; };
    options_.sleep = [this](absl::Duration duration) { now_ += duration; };
    options_.look_for_arrivals = [this](const ArrivalDemand& demand, const std::function<bool()>&) {
      return Look(demand);
    };
    options_.record_arrival = [this](const ArrivalDemand& demand, const ArrivalRecord& arrival) {
      recorded_.push_back(arrival);
      return RecordWave(*store_, "migrate", demand, arrival);
    };
    store_ = *HistoryStore::Open(files_.Path("history.db"));
  }

  static v1::StageReport PointerReport(const std::string& node, uint32_t stage,
                                       v1::Outcome outcome) {
    v1::StageReport report = ReportOf(node, stage, {outcome}, "tftp_pointer");
    report.mutable_resources(0)->set_id(absl::StrCat("tftp_pointer ", stage));
    return report;
  }
  absl::StatusOr<WavePhones> Look(const ArrivalDemand& demand) {
    demands_.push_back(demand);
    looks_.push_back(absl::StrCat(demand.phones, " at ", absl::FormatDuration(now_ - began_)));
    return found_[demand.phones](now_ - began_);
  }
  RunRecord Run() {
    RunRecord record = RunApply(fleet_, input_, options_, notices_);
    record.operator_name = "alice";
    return record;
  }
  void ArriveAfter(const std::string& wave, absl::Duration when, WavePhones before,
                   WavePhones after) {
    found_[wave] = [=](absl::Duration passed) { return passed < when ? before : after; };
  }
  std::vector<std::string> Missing() {
    std::vector<std::string> devices;
    const absl::StatusOr<std::vector<Straggler>> missing = store_->Stragglers("spring", "migrate");
    EXPECT_TRUE(missing.ok()) << missing.status();
    if (!missing.ok()) return devices;
    for (const Straggler& straggler : *missing) {
      devices.push_back(absl::StrCat(straggler.device, ": ", straggler.reason));
    }
    return devices;
  }

  TempFiles files_;
  std::unique_ptr<HistoryStore> store_;
  FakeFleet fleet_;
  Notices notices_;
  RunInput input_;
  RunOptions options_;
  const absl::Time began_ = absl::FromUnixSeconds(1795305600);
  absl::Time now_ = began_;
  v1::Outcome applied_ = v1::OUTCOME_CHANGED;
  std::function<absl::StatusOr<v1::StageReport>(const std::string&, const v1::RollbackStart&)>
      back_;
  std::map<std::string, std::function<absl::StatusOr<WavePhones>(absl::Duration)>> found_;
  std::vector<std::string> looks_, rollbacks_;
  std::vector<ArrivalDemand> demands_;
  std::vector<ArrivalRecord> recorded_;
};

TEST_F(ArrivalRunTest, Scenario34EveryWaveIsWaitedForAndTheRunGoesOn) {
  ArriveAfter("pilot", absl::Seconds(50), Phones(3, 4), Phones(4, 4));
  ArriveAfter("floor 3", absl::ZeroDuration(), Phones(0, 40), Phones(38, 40));
  const RunRecord record = Run();
  EXPECT_EQ(ExitCodeOf(record), kExitOk);
  EXPECT_EQ(record.stopped, "");
  EXPECT_THAT(looks_, ElementsAre("pilot at 0", "pilot at 30s", "pilot at 1m", "floor 3 at 1m"));
  EXPECT_THAT(rollbacks_, IsEmpty());
  ASSERT_EQ(record.arrivals.size(), 2u);
  EXPECT_EQ(record.arrivals[0].end, ArrivalRecord::End::kReached);
  EXPECT_EQ(record.arrivals[0].ended - record.arrivals[0].began, absl::Minutes(1));
  EXPECT_EQ(record.arrivals[1].phones.Arrived(), 38u);
  EXPECT_THAT(notices_.texts, Contains("wave pilot: 3 of 4 phones arrived (75%), 95% are wanted; "
                                       "30m left"));
  // Who is left behind is in the ledger; the fleet is not verified by that.
  EXPECT_THAT(Missing(), ElementsAre("SEP39: holds ITL 3fa9, which no destination node serves",
                                     "SEP40: holds ITL 3fa9, which no destination node serves"));
  EXPECT_EQ(*store_->LastVerification("migrate"), absl::InfinitePast());
}

TEST_F(ArrivalRunTest, Scenario34AWaveThatIsMissedIsPutBackAndNoOtherOne) {
  ArriveAfter("pilot", absl::ZeroDuration(), Phones(0, 1), Phones(1, 1));
  ArriveAfter("floor 3", absl::Minutes(10), Phones(0, 40), Phones(37, 40));
  input_.playbook.stages.push_back(input_.playbook.stages[0]);
  input_.playbook.stages.back().number = 3;
  for (const char* host : {"dhcp-a", "dhcp-b"}) input_.selected[3][host] = {};
  const RunRecord record = Run();
  EXPECT_EQ(ExitCodeOf(record), kExitRolledBack);
  EXPECT_THAT(fleet_.Calls(), AllOf(Contains("apply dhcp-a 2"), Not(Contains("apply dhcp-a 3"))));
  EXPECT_THAT(rollbacks_,
              ::testing::UnorderedElementsAre(absl::StrCat("dhcp-a ", kRun, " stage 2 by ", kRun),
                                              absl::StrCat("dhcp-b ", kRun, " stage 2 by ", kRun)));
  EXPECT_EQ(record.stopped,
            "wave floor 3: 37 of 40 phones arrived (92%) within 30m, 95% are wanted; its pointers "
            "were put back");
  // The last look is when time is up.
  EXPECT_EQ(looks_.back(), "floor 3 at 30m");
  EXPECT_EQ(looks_.size(), 1u + 61u);
  EXPECT_EQ(CountRecap(record)["dhcp-a"].changed, 2);
  EXPECT_EQ(CountRecap(record)["dhcp-a"].rolled_back, 1);
  EXPECT_THAT(FindPointerSplits(record), IsEmpty());
  ASSERT_EQ(record.arrivals.size(), 2u);
  EXPECT_TRUE(record.arrivals[1].put_back);
  // Those that had moved are on the way back: nobody of the wave is at the destination for good.
  EXPECT_EQ(Missing().size(), 40u);
  EXPECT_THAT(Missing(), Contains("SEP1: had moved when wave floor 3 was put back"));

  std::ostringstream text;
  PrintRecap(record, TextOptions(), text);
  EXPECT_THAT(text.str(), HasSubstr("arrival of wave pilot: 1 of 1 phone arrived (100%)\n"));
  EXPECT_THAT(text.str(), HasSubstr("arrival of wave floor 3: 37 of 40 phones arrived (92%), too "
                                    "few; put back\n  moved already: SEP1\n"));
  EXPECT_THAT(text.str(), HasSubstr("  moved already: SEP37\n  not arrived: SEP38  holds ITL"));
  EXPECT_THAT(RunJson(record, kExitRolledBack),
              AllOf(HasSubstr(R"("end": "missed")"), HasSubstr(R"("put_back": true)"),
                    HasSubstr(R"("SEP37")")));
}

TEST_F(ArrivalRunTest, Scenario34LeasesLiveAsLongAsThePhonesAreWaitedFor) {
  ArriveAfter("pilot", absl::Minutes(10), Phones(0, 1), Phones(1, 1));
  ArriveAfter("floor 3", absl::ZeroDuration(), {}, Phones(1, 1));
  EXPECT_EQ(ExitCodeOf(Run()), kExitOk);
  const std::vector<std::string> calls = fleet_.Calls();
  EXPECT_GE(std::count(calls.begin(), calls.end(), "lease take dhcp-a"), 20);
}

TEST_F(ArrivalRunTest, Scenario34AServerThatCannotGoBackIsNamed) {
  ArriveAfter("pilot", absl::Hours(1), Phones(0, 2), Phones(2, 2));
  back_ = [](const std::string& node,
             const v1::RollbackStart& start) -> absl::StatusOr<v1::StageReport> {
    if (node == "dhcp-b") return PointerReport(node, start.stage(), v1::OUTCOME_REFUSED);
    return PointerReport(node, start.stage(), v1::OUTCOME_CHANGED);
  };
  RunRecord record = Run();
  EXPECT_EQ(ExitCodeOf(record), kExitRefused);
  EXPECT_THAT(record.stopped, HasSubstr("NOT put back on dhcp-b"));
  EXPECT_FALSE(record.arrivals.at(0).put_back);
  const std::vector<PointerSplit> splits = FindPointerSplits(record);
  ASSERT_EQ(splits.size(), 1u);
  EXPECT_THAT(splits[0].done, ElementsAre("dhcp-b"));
  EXPECT_THAT(splits[0].not_done, ElementsAre("dhcp-a"));

  back_ = [](const std::string&, const v1::RollbackStart&) {
    return absl::StatusOr<v1::StageReport>(absl::UnavailableError("connection refused"));
  };
  now_ = began_;
  record = Run();
  EXPECT_EQ(ExitCodeOf(record), kExitUnreachable);
  EXPECT_THAT(record.stopped, HasSubstr("NOT put back on dhcp-a, dhcp-b"));
  EXPECT_THAT(FindPointerSplits(record), IsEmpty());  // both still have it
}

TEST_F(ArrivalRunTest, Scenario34WhatAnEarlierRunMovedIsNotPutBackByThisOne) {
  ArriveAfter("pilot", absl::Hours(1), Phones(0, 2), Phones(2, 2));
  applied_ = v1::OUTCOME_UNCHANGED;
  back_ = [](const std::string& node, const v1::RollbackStart& start) {
    v1::StageReport report = ReportOf(node, start.stage(), {v1::OUTCOME_UNCHANGED}, "rollback");
    report.mutable_resources(0)->set_id("rollback");
    return report;
  };
  const RunRecord record = Run();
  EXPECT_EQ(ExitCodeOf(record), kExitFailed);
  EXPECT_THAT(record.stopped, HasSubstr("nothing was put back"));
  EXPECT_FALSE(record.arrivals.at(0).put_back);
  EXPECT_THAT(fleet_.Calls(), Not(Contains("apply dhcp-a 2")));
}

TEST_F(ArrivalRunTest, Scenario34AWaveThatArrivedInAnEarlierRunIsNotWaitedForAgain) {
  ArriveAfter("pilot", absl::ZeroDuration(), {}, Phones(1, 1));
  ArriveAfter("floor 3", absl::Hours(1), Phones(0, 2), Phones(2, 2));
  int interrupts = 0;
  options_.interrupts = [&] { return interrupts; };
  options_.sleep = [&](absl::Duration duration) {
    now_ += duration;
    interrupts = now_ - began_ > absl::Minutes(1) ? 1 : 0;
  };
  options_.arrived_in = [this](const StagePlan& stage) {
    return store_->LastArrival("migrate", stage.play, stage.wave, options_.run_id);
  };
  options_.run_id = *store_->Begin("apply", "migrate", "alice", began_);
  const RunRecord first = Run();
  EXPECT_TRUE(first.interrupted);
  ASSERT_TRUE(store_->Finish(first, kExitInterrupted).ok());

  // Again: everything is in place, and only the wave that was not seen to arrive is waited for.
  applied_ = v1::OUTCOME_UNCHANGED;
  interrupts = 0;
  options_.sleep = [this](absl::Duration duration) { now_ += duration; };
  options_.run_id = *store_->Begin("apply", "migrate", "alice", now_);
  looks_.clear();
  now_ = began_ + absl::Minutes(50);
  const RunRecord second = Run();
  EXPECT_EQ(ExitCodeOf(second), kExitOk);
  EXPECT_EQ(looks_.front(), "floor 3 at 50m");
  EXPECT_EQ(looks_.back(), "floor 3 at 1h");
  EXPECT_THAT(notices_.texts,
              Contains(absl::StrCat("wave pilot: its phones arrived in run ", first.run_id,
                                    ", and nothing was moved since")));
  // A wave that is moved anew is waited for anew.
  applied_ = v1::OUTCOME_CHANGED;
  looks_.clear();
  ASSERT_TRUE(store_->Finish(second, kExitOk).ok());
  options_.run_id = *store_->Begin("apply", "migrate", "alice", now_);
  EXPECT_EQ(ExitCodeOf(Run()), kExitOk);
  EXPECT_EQ(looks_.size(), 2u);
}

TEST_F(ArrivalRunTest, Scenario34WhatAnEarlierRunMovedOnOneServerIsNotSaidToBeBack) {
  ArriveAfter("pilot", absl::Hours(1), Phones(0, 2), Phones(2, 2));
  fleet_.on_apply = [](const std::string& node, const v1::ApplyStart& start) {
    return PointerReport(node, start.stage(),
                         node == "dhcp-a" ? v1::OUTCOME_UNCHANGED : v1::OUTCOME_CHANGED);
  };
  back_ = [](const std::string& node, const v1::RollbackStart& start) {
    if (node == "dhcp-b") return PointerReport(node, start.stage(), v1::OUTCOME_CHANGED);
    v1::StageReport report = ReportOf(node, start.stage(), {v1::OUTCOME_UNCHANGED}, "rollback");
    report.mutable_resources(0)->set_id("rollback");
    return report;
  };
  // An earlier run moved dhcp-a and failed on dhcp-b.
  RunRecord earlier;
  earlier.run_id = *store_->Begin("apply", "migrate", "alice", began_);
  ResourceRow moved{"dhcp-a", 1, "Point", "pilot", {}};
  moved.outcome = PointerReport("dhcp-a", 1, v1::OUTCOME_CHANGED).resources(0);
  earlier.rows = {moved};
  ASSERT_TRUE(store_->Finish(earlier, kExitFailed).ok());
  options_.run_id = *store_->Begin("apply", "migrate", "alice", began_);
  options_.changed_in = [this](const StagePlan& stage, const std::string& node) {
    return store_->LastChange("migrate", stage.play, stage.wave, node, options_.run_id);
  };
  const RunRecord record = Run();
  EXPECT_EQ(ExitCodeOf(record), kExitFailed);
  EXPECT_FALSE(record.arrivals.at(0).put_back);
  EXPECT_THAT(record.stopped,
              HasSubstr(absl::StrCat("NOT put back on dhcp-a; what an earlier run moved goes back "
                                     "with `trustline rollback -l dhcp-a --run ",
                                     earlier.run_id, "`")));
  const std::string advice = SplitBatchAdvice(record, "m.yml", "-i i.yml");
  EXPECT_THAT(advice, HasSubstr("holds on dhcp-a but not on dhcp-b"));
  EXPECT_THAT(advice, HasSubstr("revert: trustline rollback -i i.yml -l dhcp-a\n"));
  EXPECT_THAT(advice, Not(HasSubstr("--run")));

  // Where the history does not know, the node does.
  options_.changed_in = RunOptions().changed_in;
  now_ = began_;
  EXPECT_THAT(Run().stopped, HasSubstr("with `trustline rollback -l dhcp-a`"));
}

TEST_F(ArrivalRunTest, Scenario34ThatNobodyCouldBeWaitedForIsSaid) {
  WavePhones excluded;
  excluded.excluded = 3;
  ArriveAfter("pilot", absl::ZeroDuration(), {}, excluded);
  ArriveAfter("floor 3", absl::ZeroDuration(), {}, Phones(1, 1));
  EXPECT_EQ(ExitCodeOf(Run()), kExitOk);
  EXPECT_THAT(notices_.texts,
              Contains(HasSubstr("wave pilot: nobody could be waited for: all its phones")));
  EXPECT_THAT(notices_.texts, Not(Contains(HasSubstr("wave floor 3: nobody"))));
}

TEST_F(ArrivalRunTest, Scenario34ALookThatFailsIsToldOnceAndIsNoArrival) {
  bool broken = true;
  found_["pilot"] = [&](absl::Duration passed) -> absl::StatusOr<WavePhones> {
    broken = passed < absl::Minutes(2);
    if (broken) return absl::UnavailableError("10.20.0.11: no answer in time");
    return Phones(1, 1);
  };
  found_["floor 3"] = [](absl::Duration) -> absl::StatusOr<WavePhones> {
    return absl::InvalidArgumentError("phones.csv:2:17: error: no such digest");
  };
  const RunRecord record = Run();
  EXPECT_EQ(ExitCodeOf(record), kExitRolledBack);
  EXPECT_EQ(record.arrivals.at(0).end, ArrivalRecord::End::kReached);
  EXPECT_EQ(record.arrivals.at(0).problem, "");
  EXPECT_THAT(record.stopped, HasSubstr("the last look failed: phones.csv:2:17: error"));
  EXPECT_EQ(std::count(notices_.texts.begin(), notices_.texts.end(),
                       "looking for the phones of wave pilot: 10.20.0.11: no answer in time"),
            1);
}

TEST_F(ArrivalRunTest, Scenario34CtrlCStopsTheWaitAndLeavesThePointers) {
  ArriveAfter("pilot", absl::Hours(1), Phones(0, 2), Phones(2, 2));
  options_.interrupts = [this] { return now_ - began_ > absl::Minutes(5) ? 1 : 0; };
  const RunRecord record = Run();
  EXPECT_EQ(ExitCodeOf(record), kExitInterrupted);
  EXPECT_THAT(record.stopped, HasSubstr("interrupted while the phones were waited for"));
  EXPECT_THAT(rollbacks_, IsEmpty());
  EXPECT_EQ(record.arrivals.at(0).end, ArrivalRecord::End::kInterrupted);
  EXPECT_THAT(recorded_, IsEmpty());
  EXPECT_THAT(fleet_.Calls(), Not(Contains("apply dhcp-a 2")));
}

TEST_F(ArrivalRunTest, Scenario34AWaveWhosePointersAreLeftOutIsNotWaitedFor) {
  input_.playbook.documents["dhcp-a"].mutable_resources(0)->clear_tftp_pointer();
  for (auto& [host, ids] : input_.selected[1]) ids = {"service kea"};
  ArriveAfter("floor 3", absl::ZeroDuration(), {}, Phones(1, 1));
  EXPECT_EQ(ExitCodeOf(Run()), kExitOk);
  EXPECT_THAT(looks_, Each(HasSubstr("floor 3")));
}

TEST_F(ArrivalRunTest, Scenario34OnlyPhonesOfPointersThatAreInPlaceAreWaitedFor) {
  const auto add = [&](const std::string& subnet, v1::Mode mode) {
    v1::GatedPointer pointer;
    pointer.mutable_scope()->set_subnet(subnet);
    input_.playbook.stages[0].arrival->pointers.push_back(pointer);
    v1::Resource& resource = *input_.playbook.documents["dhcp-a"].add_resources();
    resource.set_id(absl::StrCat("tftp_pointer ", subnet));
    resource.set_stage(1);
    resource.set_mode(mode);
    *resource.mutable_tftp_pointer()->mutable_scope() = pointer.scope();
  };
  add("10.30.0.0/24", v1::MODE_ENFORCE);
  add("10.31.0.0/24", v1::MODE_ENFORCE);
  add("10.32.0.0/24", v1::MODE_REPORT);
  input_.selected[1] = {{"dhcp-a", {"tftp_pointer 10.30.0.0/24", "tftp_pointer 10.32.0.0/24"}}};
  ArriveAfter("pilot", absl::ZeroDuration(), {}, Phones(1, 1));
  ArriveAfter("floor 3", absl::ZeroDuration(), {}, Phones(1, 1));
  EXPECT_EQ(ExitCodeOf(Run()), kExitOk);
  ASSERT_EQ(demands_.size(), 2u);
  ASSERT_EQ(demands_[0].pointers.size(), 1u);
  EXPECT_EQ(demands_[0].pointers[0].scope().subnet(), "10.30.0.0/24");
}

TEST_F(ArrivalRunTest, Scenario34TheHistoryKeepsWhoHadMoved) {
  ArriveAfter("pilot", absl::Hours(1), Phones(1, 3), Phones(3, 3));
  options_.run_id = *store_->Begin("apply", "migrate", "alice", began_);
  const RunRecord record = Run();
  ASSERT_TRUE(store_->Finish(record, ExitCodeOf(record)).ok());
  store_ = *HistoryStore::Open(files_.Path("history.db"));
  const absl::StatusOr<RunRecord> loaded = store_->Load(record.run_id);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(store_->Summary(record.run_id)->exit_code, kExitRolledBack);
  ASSERT_EQ(loaded->arrivals.size(), 1u);
  const ArrivalRecord& arrival = loaded->arrivals[0];
  EXPECT_EQ(arrival.stage, 1u);
  EXPECT_EQ(arrival.wave, "pilot");
  EXPECT_EQ(arrival.end, ArrivalRecord::End::kMissed);
  EXPECT_TRUE(arrival.put_back);
  EXPECT_EQ(arrival.at_least, 95);
  EXPECT_EQ(arrival.within, absl::Minutes(30));
  EXPECT_EQ(arrival.ended - arrival.began, absl::Minutes(30));
  EXPECT_EQ(arrival.phones.phones, record.arrivals[0].phones.phones);
  EXPECT_EQ(loaded->rows.back().play, "PUT BACK [Point]");
  EXPECT_EQ(loaded->rows.back().outcome.outcome(), v1::OUTCOME_ROLLED_BACK);
}

class ArrivalLookRunTest : public ArrivalRunTest {
 protected:
  ArrivalLookRunTest() {
    for (StagePlan& stage : input_.playbook.stages) {
      stage.pause_after = "Reset the phones";
      stage.arrival->only_look = true;
      stage.arrival->at_least = 0;
    }
    options_.confirm = [](const std::string&, const std::function<void()>&) { return true; };
  }
};

TEST_F(ArrivalLookRunTest, Scenario34APauseIsFollowedByOneLookThatStopsNothing) {
  ArriveAfter("pilot", absl::Hours(1), Phones(1, 2), Phones(2, 2));
  ArriveAfter("floor 3", absl::Hours(1), Phones(0, 22), {});
  options_.run_id = *store_->Begin("apply", "migrate", "alice", began_);
  const RunRecord record = Run();
  EXPECT_EQ(ExitCodeOf(record), kExitOk);
  EXPECT_EQ(record.stopped, "");
  EXPECT_THAT(looks_, ElementsAre("pilot at 0", "floor 3 at 0"));
  EXPECT_THAT(notices_.texts, ElementsAre("wave pilot: 1 of 2 phones arrived (50%)",
                                          "wave floor 3: 0 of 22 phones arrived (0%)"));
  // Both waves have a SEP2.
  EXPECT_EQ(Missing().size(), 22u);

  std::ostringstream text;
  PrintRecap(record, TextOptions(), text);
  EXPECT_THAT(text.str(),
              HasSubstr("arrival of wave pilot: 1 of 2 phones arrived (50%)\n"
                        "  not arrived: SEP2  holds ITL 3fa9, which no destination node serves\n"
                        "arrival of wave floor 3: 0 of 22"));
  EXPECT_THAT(text.str(), AllOf(HasSubstr("not arrived: SEP20"), Not(HasSubstr("SEP21")),
                                HasSubstr(absl::StrCat("  and 2 more, see `trustline history show ",
                                                       record.run_id, " -o json`\n"))));
  EXPECT_THAT(RunJson(record, kExitOk), HasSubstr(R"("end": "looked")"));
  ASSERT_TRUE(store_->Finish(record, ExitCodeOf(record)).ok());
  const absl::StatusOr<RunRecord> loaded = store_->Load(record.run_id);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->arrivals.at(1).end, ArrivalRecord::End::kLooked);
  // A look is no arrival that a later run may rely on.
  EXPECT_EQ(*store_->LastArrival("migrate", "Point", "pilot", ""), "");
}

TEST_F(ArrivalLookRunTest, Scenario34ALookThatFindsNothingOutSaysSoAndTheRunGoesOn) {
  found_["pilot"] = [](absl::Duration) -> absl::StatusOr<WavePhones> {
    return absl::UnavailableError("the destination serves no list to compare with");
  };
  ArriveAfter("floor 3", absl::ZeroDuration(), {}, Phones(1, 1));
  const RunRecord record = Run();
  EXPECT_EQ(ExitCodeOf(record), kExitOk);
  ASSERT_EQ(recorded_.size(), 1u);
  EXPECT_EQ(recorded_[0].wave, "floor 3");
  EXPECT_THAT(notices_.texts, Contains("looking for the phones of wave pilot: the destination "
                                       "serves no list to compare with"));
  std::ostringstream text;
  PrintRecap(record, TextOptions(), text);
  EXPECT_THAT(text.str(), HasSubstr("arrival of wave pilot: not known: the destination serves no "
                                    "list to compare with\n"));
}

TEST_F(ArrivalLookRunTest, Scenario34WhoeverNothingIsKnownOfIsNoStraggler) {
  WavePhones pilot = Phones(1, 6);
  for (size_t i = 2; i < 6; ++i) {
    pilot.phones[i].known = false;
    pilot.phones[i].why = "its page was not read";
  }
  ArriveAfter("pilot", absl::Hours(1), pilot, {});
  ArriveAfter("floor 3", absl::ZeroDuration(), {}, Phones(1, 1));
  options_.run_id = *store_->Begin("apply", "migrate", "alice", began_);
  const RunRecord record = Run();
  EXPECT_THAT(Missing(), ElementsAre(HasSubstr("SEP2: holds ITL")));
  EXPECT_THAT(notices_.texts, Contains("wave pilot: 1 of 6 phones arrived (16%), nothing is known "
                                       "of 4"));
  EXPECT_THAT(RunJson(record, kExitOk), HasSubstr(R"("known": false)"));
  ASSERT_TRUE(store_->Finish(record, ExitCodeOf(record)).ok());
  const absl::StatusOr<RunRecord> loaded = store_->Load(record.run_id);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->arrivals.at(0).phones.phones, pilot.phones);
  std::ostringstream text;
  PrintRecap(*loaded, TextOptions(), text);
  EXPECT_THAT(text.str(), HasSubstr("  not known: SEP5  its page was not read\n  and 1 more, see"));
}

TEST_F(ArrivalLookRunTest, Scenario34WhatWasReadBeforeThePauseIsOld) {
  ArriveAfter("pilot", absl::ZeroDuration(), {}, Phones(1, 1));
  ArriveAfter("floor 3", absl::ZeroDuration(), {}, Phones(1, 1));
  // The pilot's phones take ten minutes.
  options_.confirm = [this](const std::string&, const std::function<void()>&) {
    now_ += absl::Minutes(10);
    return true;
  };
  Run();
  ASSERT_EQ(demands_.size(), 2u);
  EXPECT_EQ(demands_[0].since, began_);
  EXPECT_EQ(demands_[1].since, began_ + absl::Minutes(10));
}

// The run was stopped at the pause before, say: what it moved then is in place now.
TEST_F(ArrivalLookRunTest, Scenario34ARunThatFindsThePointersInPlaceLooksToo) {
  applied_ = v1::OUTCOME_UNCHANGED;
  ArriveAfter("pilot", absl::ZeroDuration(), {}, Phones(1, 1));
  ArriveAfter("floor 3", absl::ZeroDuration(), {}, Phones(1, 1));
  EXPECT_EQ(ExitCodeOf(Run()), kExitOk);
  EXPECT_THAT(looks_, ElementsAre("pilot at 0", "floor 3 at 0"));
}

TEST_F(ArrivalLookRunTest, Scenario34CtrlCEndsTheLookAndTheRun) {
  std::atomic<int> pressed = 0;
  options_.interrupts = [&] { return pressed.load(); };
  found_["pilot"] = [&](absl::Duration) -> absl::StatusOr<WavePhones> {
    pressed = 1;
    return absl::CancelledError("interrupted");
  };
  const RunRecord record = Run();
  EXPECT_EQ(ExitCodeOf(record), kExitInterrupted);
  EXPECT_EQ(record.arrivals.at(0).end, ArrivalRecord::End::kInterrupted);
  EXPECT_EQ(record.stopped, "interrupted while the phones were looked at");
  EXPECT_THAT(recorded_, IsEmpty());
  EXPECT_THAT(fleet_.Calls(), Not(Contains("apply dhcp-a 2")));
  std::ostringstream text;
  PrintRecap(record, TextOptions(), text);
  EXPECT_THAT(text.str(), HasSubstr("arrival of wave pilot: not known, interrupted\n"));
}

}  // namespace
}  // namespace trustline::controller
