// When an arrival is no longer the last word on a wave.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/history/history_store.h"
#include "tests/unit/controller/temp_files.h"

namespace trustline::controller {
namespace {

class LastArrival : public ::testing::Test {
 protected:
  LastArrival() : store_(*HistoryStore::Open(files_.Path("history.db"))) {
    arrived_ = Begin("apply");
    RunRecord record = RecordOf(arrived_, v1::OUTCOME_CHANGED);
    ArrivalRecord arrival;
    arrival.stage = 3;
    arrival.play = "Point";
    arrival.wave = "pilot";
    arrival.end = ArrivalRecord::End::kReached;
    arrival.began = arrival.ended = now_;
    record.arrivals = {arrival};
    Finish(record);
  }

  std::string Begin(const std::string& command, const std::string& playbook = "migrate") {
    return *store_->Begin(command, command == "rollback" ? "" : playbook, "alice", now_);
  }
  RunRecord RecordOf(const std::string& run_id, v1::Outcome outcome,
                     const std::string& wave = "pilot", const std::string& play = "Point") const {
    RunRecord record;
    record.run_id = run_id;
    record.started = record.finished = now_;
    ResourceRow row{"dhcp-a", 3, play, wave, {}};
    row.outcome.set_id("tftp_pointer \"reservation 00:1b:54:aa:bb:01\"");
    row.outcome.set_kind("tftp_pointer");
    row.outcome.set_outcome(outcome);
    record.rows = {row};
    return record;
  }
  void Finish(const RunRecord& record) {
    const absl::Status status = store_->Finish(record, 0);
    EXPECT_TRUE(status.ok()) << status;
  }
  std::string Answer() {
    const absl::StatusOr<std::string> run =
        store_->LastArrival("migrate", "Point", "pilot", asking_);
    EXPECT_TRUE(run.ok()) << run.status();
    return run.value_or("error");
  }

  const absl::Time now_ = absl::FromUnixSeconds(1795305600);
  TempFiles files_;
  std::unique_ptr<HistoryStore> store_;
  std::string arrived_, asking_;
};

TEST_F(LastArrival, Scenario34HoldsWhileNothingMoved) {
  Finish(RecordOf(Begin("apply"), v1::OUTCOME_UNCHANGED));
  Finish(RecordOf(Begin("apply"), v1::OUTCOME_CHANGED, "floor 3"));
  Finish(RecordOf(Begin("apply", "another"), v1::OUTCOME_CHANGED));
  Begin("apply", "another");
  RunRecord refused = RecordOf(Begin("rollback"), v1::OUTCOME_REFUSED);
  Finish(refused);
  RunRecord imports = RecordOf(Begin("rollback"), v1::OUTCOME_CHANGED);
  imports.rows[0].outcome.set_kind("bundle_import");
  Finish(imports);
  // The one that asks has not ended either.
  asking_ = Begin("apply");
  EXPECT_EQ(Answer(), arrived_);
}

TEST_F(LastArrival, Scenario34EndsWhenALaterRunMovedTheWaveAndDidNotWaitForIt) {
  Finish(RecordOf(Begin("apply"), v1::OUTCOME_CHANGED));
  asking_ = Begin("apply");
  EXPECT_EQ(Answer(), "");
}

TEST_F(LastArrival, Scenario34EndsWhenTheWaveWasPutBack) {
  RunRecord back =
      RecordOf(Begin("rollback"), v1::OUTCOME_CHANGED, "", "Put back what run X changed");
  Finish(back);
  asking_ = Begin("apply");
  EXPECT_EQ(Answer(), "");
}

TEST_F(LastArrival, Scenario34EndsWhenALaterRunNeverSaidWhatItDid) {
  Begin("apply");
  asking_ = Begin("apply");
  EXPECT_EQ(Answer(), "");
}

TEST_F(LastArrival, Scenario34EndsWhenALaterRollbackNeverSaidWhatItDid) {
  Begin("rollback");
  asking_ = Begin("apply");
  EXPECT_EQ(Answer(), "");
}

}  // namespace
}  // namespace trustline::controller
