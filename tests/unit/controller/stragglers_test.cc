// The ledger of phones that did not arrive, and what waits for them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>

#include "controller/exit_codes.h"
#include "controller/history/history_store.h"
#include "controller/render/straggler_output.h"
#include "controller/runner.h"
#include "controller/straggler_guard.h"
#include "tests/fakes/fake_fleet.h"
#include "tests/support/temp_directory.h"

namespace trustline::controller {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::trustline::testing::FakeFleet;

constexpr char kExchange[] = "spring";
constexpr char kPlaybook[] = "migrate-phones";

class StragglersTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }

  void Open() {
    store_.reset();
    absl::StatusOr<std::unique_ptr<HistoryStore>> store = HistoryStore::Open(path_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  void Verify(const std::vector<ArrivalFinding>& arrivals,
              absl::Duration later = absl::ZeroDuration()) {
    const absl::Status status =
        store_->RecordArrivals(kExchange, kPlaybook, arrivals, now_ + later);
    EXPECT_TRUE(status.ok()) << status;
  }
  std::vector<std::string> Missing(const std::string& exchange = "",
                                   const std::string& playbook = "") {
    const absl::StatusOr<std::vector<Straggler>> missing = store_->Stragglers(exchange, playbook);
    EXPECT_TRUE(missing.ok()) << missing.status();
    std::vector<std::string> devices;
    for (const Straggler& straggler : *missing) devices.push_back(straggler.device);
    return devices;
  }
  Straggler Only() { return store_->Stragglers("", "", /*settled=*/true)->at(0); }

  const testing::TempDirectory scratch_;
  const std::string directory_ = scratch_.path();
  const std::string path_ = directory_ + "/history.db";
  std::unique_ptr<HistoryStore> store_;
  absl::Time now_ = absl::FromUnixSeconds(1795305600);  // 2026-11-22
};

TEST_F(StragglersTest, AMissingPhoneStaysUntilItArrives) {
  Verify({{"SEP1", false, "still has the ITL of src-pub"}, {"SEP2", true, ""}});
  EXPECT_THAT(Missing(), ElementsAre("SEP1"));
  // Weeks later, by another process.
  Open();
  Verify({{"SEP1", false, "does not answer"}}, absl::Hours(24 * 30));
  EXPECT_THAT(Missing(), ElementsAre("SEP1"));
  EXPECT_EQ(Only().since, now_);
  EXPECT_EQ(Only().checked, now_ + absl::Hours(24 * 30));
  EXPECT_EQ(Only().reason, "does not answer");
  // A verification that did not look at it says nothing of it.
  Verify({{"SEP3", true, ""}}, absl::Hours(24 * 31));
  EXPECT_THAT(Missing(), ElementsAre("SEP1"));

  Verify({{"SEP1", true, ""}}, absl::Hours(24 * 32));
  EXPECT_THAT(Missing(), IsEmpty());
  EXPECT_EQ(Only().state, Straggler::State::kArrived);
  EXPECT_EQ(Only().settled, now_ + absl::Hours(24 * 32));
}

TEST_F(StragglersTest, APhoneThatFallsBackIsAStragglerAnew) {
  Verify({{"SEP1", false, "x"}});
  Verify({{"SEP1", true, ""}}, absl::Hours(1));
  Verify({{"SEP1", false, "has the ITL of src-pub again"}}, absl::Hours(2));
  EXPECT_THAT(Missing(), ElementsAre("SEP1"));
  EXPECT_EQ(Only().since, now_ + absl::Hours(2));
  EXPECT_EQ(Only().settled, absl::InfiniteFuture());
}

TEST_F(StragglersTest, AnExcuseNeedsAReasonAndHoldsUntilThePhoneArrives) {
  Verify({{"SEP1", false, "x"}, {"SEP2", false, "y"}});
  EXPECT_TRUE(
      absl::IsInvalidArgument(store_->ExcuseStraggler("", "SEP1", "", "alice", now_).status()));
  EXPECT_TRUE(
      absl::IsNotFound(store_->ExcuseStraggler("", "SEP9", "scrapped", "alice", now_).status()));
  EXPECT_TRUE(absl::IsNotFound(
      store_->ExcuseStraggler("autumn", "SEP1", "scrapped", "alice", now_).status()));
  EXPECT_EQ(*store_->ExcuseStraggler(kExchange, "SEP1", "scrapped", "alice", now_), 1);
  EXPECT_THAT(Missing(), ElementsAre("SEP2"));
  Verify({{"SEP1", false, "does not answer"}}, absl::Hours(1));
  EXPECT_THAT(Missing(), ElementsAre("SEP2"));
  EXPECT_EQ(Only().excuse, "scrapped");
  EXPECT_EQ(Only().excused_by, "alice");
  // Back from the dead, and lost again: the old excuse is used up.
  Verify({{"SEP1", true, ""}}, absl::Hours(2));
  Verify({{"SEP1", false, "does not answer"}}, absl::Hours(3));
  EXPECT_THAT(Missing(), ElementsAre("SEP1", "SEP2"));
  EXPECT_EQ(Only().excuse, "");
}

TEST_F(StragglersTest, MigrationsAreKeptApart) {
  Verify({{"SEP1", false, "x"}});
  ASSERT_TRUE(store_->RecordArrivals("autumn", "other", {{"SEP1", false, "y"}}, now_).ok());
  ASSERT_TRUE(store_->RecordArrivals("autumn", "other", {{"SEP5", false, "y"}}, now_).ok());
  EXPECT_THAT(Missing("autumn"), ElementsAre("SEP1", "SEP5"));
  EXPECT_THAT(Missing("", kPlaybook), ElementsAre("SEP1"));
  Verify({{"SEP1", true, ""}});
  EXPECT_THAT(Missing(), ElementsAre("SEP1", "SEP5"));
  EXPECT_TRUE(absl::IsInvalidArgument(store_->RecordArrivals("", kPlaybook, {}, now_)));
  EXPECT_TRUE(absl::IsInvalidArgument(
      store_->RecordArrivals(kExchange, kPlaybook, {{"SEP7", false, ""}, {"", true, ""}}, now_)));
  EXPECT_THAT(Missing(kExchange), IsEmpty());
}

TEST_F(StragglersTest, AHistoryOfTheFirstReleaseIsBroughtUpToDate) {
  store_.reset();
  std::filesystem::remove(path_);
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
  // Its tables word for word, with one run in them.
  const char* sql = R"sql(
CREATE TABLE runs(
  run_id TEXT PRIMARY KEY, command TEXT NOT NULL, playbook TEXT NOT NULL, operator TEXT NOT NULL,
  started_ms INTEGER NOT NULL, finished_ms INTEGER, exit_code INTEGER, stopped TEXT NOT NULL DEFAULT '',
  interrupted INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE nodes(
  run_id TEXT NOT NULL REFERENCES runs(run_id), position INTEGER NOT NULL, node TEXT NOT NULL, document_sha256 TEXT NOT NULL,
  PRIMARY KEY(run_id, node)) STRICT;
CREATE TABLE outcomes(
  run_id TEXT NOT NULL REFERENCES runs(run_id), position INTEGER NOT NULL, node TEXT NOT NULL, stage INTEGER NOT NULL,
  play TEXT NOT NULL, wave TEXT NOT NULL, outcome INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY(run_id, position)) STRICT;
CREATE TABLE skipped(
  run_id TEXT NOT NULL REFERENCES runs(run_id), node TEXT NOT NULL, stage INTEGER NOT NULL, task TEXT NOT NULL) STRICT;
CREATE INDEX runs_by_start ON runs(started_ms);
CREATE INDEX outcomes_by_node ON outcomes(node);
INSERT INTO runs(run_id, command, playbook, operator, started_ms) VALUES('20261101-1-abcdef', 'apply', 'p', 'alice', 1000);
PRAGMA application_id=1953261617;
PRAGMA user_version=1;
)sql";
  ASSERT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
  sqlite3_close(db);

  Open();
  ASSERT_NE(store_, nullptr);
  EXPECT_EQ(store_->Summary("20261101-1-abcdef")->operator_name, "alice");
  Verify({{"SEP1", false, "x"}});
  Open();
  EXPECT_THAT(Missing(), ElementsAre("SEP1"));
}

TEST_F(StragglersTest, TheListSaysWhoIsMissingAndWhoWasExcused) {
  Verify({{"SEP1", false, "does not answer"}, {"SEP2", false, "old ITL"}});
  ASSERT_TRUE(store_->ExcuseStraggler("", "SEP2", "scrapped", "alice", now_).ok());
  const std::vector<Straggler> all = *store_->Stragglers("", "", /*settled=*/true);
  EXPECT_THAT(StragglersTable(all, true),
              HasSubstr("SEP1    missing  spring    migrate-phones  2026-11-22T00:00:00Z  "
                        "2026-11-22T00:00:00Z  does not answer"));
  EXPECT_THAT(StragglersTable(all, true), HasSubstr("scrapped (alice)"));
  EXPECT_THAT(StragglersJson(all), HasSubstr(R"("state": "excused")"));
  EXPECT_THAT(StragglersJson({}), HasSubstr(R"("stragglers": [])"));
}

// A run of two stages whose second one takes the source away.
class DecommissionTest : public StragglersTest {
 protected:
  RunRecord Run() {
    RunInput input;
    input.playbook.name = kPlaybook;
    for (uint32_t number = 1; number <= 2; ++number) {
      StagePlan stage;
      stage.number = number;
      stage.play = number == 1 ? "Move" : "Take the source away";
      stage.hosts = {"a", "b"};
      stage.batches = {stage.hosts};
      stage.require_no_stragglers = number == 2;
      input.playbook.stages.push_back(stage);
      for (const std::string& host : stage.hosts) input.selected[number][host] = {};
    }
    for (const char* host : {"a", "b"}) input.envelopes[host].set_payload(host);
    RunOptions options;
    options.run_id = "20261122-1";
    options.why_source_must_stay = [this] { return WhySourceMustStay(*store_, kPlaybook); };
    RunObserver quiet;
    return RunApply(fleet_, input, options, quiet);
  }
  FakeFleet fleet_;
};

TEST_F(DecommissionTest, Scenario35TheSourceStaysWhileAPhoneIsMissing) {
  Verify({{"SEP001B54AABB01", false, "does not answer"}, {"SEP001B54AABB02", true, ""}});
  const RunRecord record = Run();
  EXPECT_EQ(ExitCodeOf(record), kExitRefused);
  EXPECT_THAT(fleet_.Calls(), Contains("apply a 1"));
  EXPECT_THAT(fleet_.Calls(), Not(Contains("apply a 2")));
  EXPECT_THAT(fleet_.Calls(), Not(Contains("apply b 2")));
  EXPECT_EQ(record.rows.back().outcome.outcome(), v1::OUTCOME_REFUSED);
  EXPECT_THAT(record.rows.back().outcome.reasons(),
              ElementsAre("require_no_stragglers: 1 phone has not arrived: SEP001B54AABB01 (does "
                          "not answer); see `trustline stragglers list`"));
}

TEST_F(DecommissionTest, Scenario35TheSourceGoesWhenTheLastPhoneArrivedOrIsExcused) {
  Verify({{"SEP1", false, "does not answer"}, {"SEP2", false, "does not answer"}});
  Verify({{"SEP1", true, ""}}, absl::Hours(24 * 21));
  EXPECT_EQ(ExitCodeOf(Run()), kExitRefused);
  ASSERT_TRUE(store_->ExcuseStraggler("", "SEP2", "scrapped", "alice", now_).ok());
  EXPECT_EQ(ExitCodeOf(Run()), kExitOk);
  EXPECT_THAT(fleet_.Calls(), Contains("apply b 2"));
}

TEST_F(DecommissionTest, Scenario35AFleetThatNobodyVerifiedIsNoProof) {
  const RunRecord record = Run();
  EXPECT_EQ(ExitCodeOf(record), kExitRefused);
  EXPECT_THAT(record.rows.back().outcome.reasons(0), HasSubstr("nobody has verified yet"));
  ASSERT_TRUE(store_->RecordArrivals(kExchange, "other", {{"SEP1", true, ""}}, now_).ok());
  EXPECT_EQ(ExitCodeOf(Run()), kExitRefused);
  Verify({{"SEP1", true, ""}});
  EXPECT_EQ(ExitCodeOf(Run()), kExitOk);
}

TEST_F(DecommissionTest, WithoutALedgerNothingIsTakenAway) {
  EXPECT_THAT(*RunOptions().why_source_must_stay(), HasSubstr("nobody keeps a ledger"));
}

TEST_F(StragglersTest, TrustStaysWhileAPhoneOfTheRunsPlaybookIsMissing) {
  const std::string run = *store_->Begin("apply", kPlaybook, "alice", now_);
  const std::string other = *store_->Begin("apply", "other", "alice", now_);
  EXPECT_EQ(*WhyTrustMustStay(*store_, ""), "");
  Verify({{"SEP1", false, "does not answer"}});
  EXPECT_THAT(*WhyTrustMustStay(*store_, run), HasSubstr("SEP1"));
  EXPECT_EQ(*WhyTrustMustStay(*store_, other), "");
  // Which run that will be is not known here.
  EXPECT_THAT(*WhyTrustMustStay(*store_, ""), HasSubstr("SEP1"));
  EXPECT_THAT(*WhyTrustMustStay(*store_, "20250101-1-000000"), HasSubstr("SEP1"));
}

TEST_F(StragglersTest, ManyAreCountedAndAFewNamed) {
  std::vector<ArrivalFinding> arrivals;
  for (int i = 10; i < 30; ++i) arrivals.push_back({"SEP" + std::to_string(i), false, ""});
  Verify(arrivals);
  EXPECT_EQ(*WhySourceMustStay(*store_, kPlaybook),
            "20 phones have not arrived: SEP10, SEP11, SEP12, SEP13, SEP14 and 15 more; see "
            "`trustline stragglers list`");
}

}  // namespace
}  // namespace trustline::controller
