#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "controller/history/history_store.h"
#include "tests/support/temp_directory.h"

namespace trustline::controller {
namespace {

using ::testing::MatchesRegex;
using ::testing::StartsWith;

class History : public ::testing::Test {
 protected:
  std::unique_ptr<HistoryStore> Open() {
    absl::StatusOr<std::unique_ptr<HistoryStore>> store = HistoryStore::Open(path_);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }

  static RunRecord Record(const std::string& run_id, absl::Time when) {
    RunRecord record;
    record.run_id = run_id;
    record.command = "apply";
    record.playbook = "migrate-phones";
    record.operator_name = "alice";
    record.started = when;
    record.finished = when + absl::Seconds(43);
    record.nodes = {"src-pub", "dhcp-a"};
    record.document_digests["src-pub"] = "abc";
    ResourceRow row;
    row.node = "src-pub";
    row.stage = 3;
    row.play = "Import";
    row.wave = "pilot";
    row.outcome.set_id("bundle_import \"CallManager\"");
    row.outcome.set_outcome(v1::OUTCOME_CHANGED);
    row.outcome.add_reasons("because");
    record.rows.push_back(row);
    ResourceRow silent;
    silent.node = "dhcp-a";
    silent.outcome.set_outcome(v1::OUTCOME_UNREACHABLE);
    record.rows.push_back(silent);
    record.skipped.push_back({"src-pub", 3, "skipped task"});
    record.stopped = "dhcp-a unreachable";
    record.gate_override = "in a hurry";
    record.of_run = "20261121-1";
    return record;
  }

  const testing::TempDirectory scratch_;
  const std::string directory_ = scratch_.path();
  const std::string path_ = directory_ + "/state/history.db";
  absl::Time now_ = absl::FromUnixSeconds(1795305600);  // 2026-11-22
};

TEST_F(History, NumbersRunsOfADay) {
  auto store = Open();
  const auto begin = [&](absl::Time when) { return *store->Begin("apply", "p", "alice", when); };
  EXPECT_THAT(begin(now_), MatchesRegex("20261122-1-[0-9a-f]{6}"));
  EXPECT_THAT(begin(now_), MatchesRegex("20261122-2-[0-9a-f]{6}"));
  EXPECT_THAT(begin(now_ + absl::Hours(24)), MatchesRegex("20261123-1-[0-9a-f]{6}"));
  for (int i = 3; i <= 11; ++i) {
    EXPECT_THAT(begin(now_), StartsWith("20261122-" + std::to_string(i) + "-"));
  }
}

TEST_F(History, RunsOfTwoHistoriesHaveDifferentIds) {
  auto one = Open();
  auto other = HistoryStore::Open(directory_ + "/other.db");
  ASSERT_TRUE(other.ok());
  EXPECT_NE(*one->Begin("apply", "p", "alice", now_),
            *(*other)->Begin("apply", "p", "alice", now_));
}

TEST_F(History, ARunComesBackWhole) {
  std::string run_id;
  {
    auto store = Open();
    run_id = *store->Begin("apply", "migrate-phones", "alice", now_);
    ASSERT_TRUE(store->Finish(Record(run_id, now_), 4).ok());
  }
  auto store = Open();
  absl::StatusOr<RunRecord> record = store->Load(run_id);
  ASSERT_TRUE(record.ok()) << record.status();
  RunRecord expected = Record(run_id, now_);
  EXPECT_EQ(record->nodes, expected.nodes);
  EXPECT_EQ(record->document_digests, expected.document_digests);
  ASSERT_EQ(record->rows.size(), 2u);
  EXPECT_EQ(record->rows[0].outcome.SerializeAsString(),
            expected.rows[0].outcome.SerializeAsString());
  EXPECT_EQ(record->rows[0].wave, "pilot");
  EXPECT_EQ(record->skipped.size(), 1u);
  EXPECT_EQ(record->stopped, "dhcp-a unreachable");
  EXPECT_EQ(record->gate_override, "in a hurry");
  EXPECT_EQ(record->of_run, "20261121-1");
  absl::StatusOr<RunSummary> summary = store->Summary(run_id);
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ(summary->exit_code, 4);
  EXPECT_EQ(summary->changed, 1);
  EXPECT_EQ(summary->unreachable, 1);
  EXPECT_EQ(summary->nodes, 2);
}

TEST_F(History, ARunThatNeverEndedLeavesATrace) {
  auto store = Open();
  std::string run_id = *store->Begin("apply", "p", "alice", now_);
  EXPECT_EQ(store->Summary(run_id)->finished, absl::InfinitePast());
  EXPECT_EQ(store->Summary(run_id)->exit_code, -1);
}

TEST_F(History, ListsNewestFirst) {
  auto store = Open();
  std::string first = *store->Begin("apply", "p", "alice", now_);
  std::string second = *store->Begin("apply", "p", "alice", now_ + absl::Seconds(1));
  std::string third = *store->Begin("apply", "p", "alice", now_ + absl::Seconds(1));
  auto runs = store->List(2);
  ASSERT_TRUE(runs.ok());
  ASSERT_EQ(runs->size(), 2u);
  EXPECT_EQ((*runs)[0].run_id, third);
  EXPECT_EQ((*runs)[1].run_id, second);
}

TEST_F(History, KnowsWhenANodeLastAnswered) {
  auto store = Open();
  std::string run_id = *store->Begin("apply", "p", "alice", now_);
  ASSERT_TRUE(store->Finish(Record(run_id, now_), 4).ok());
  EXPECT_EQ(store->NodeLastSeen("src-pub")->when, now_ + absl::Seconds(43));
  EXPECT_EQ(store->NodeLastSeen("dhcp-a")->when, absl::InfinitePast());
}

TEST_F(History, IsPrivateAndRefusesForeignFiles) {
  Open();
  struct stat file, directory;
  ASSERT_EQ(stat(path_.c_str(), &file), 0);
  ASSERT_EQ(stat((directory_ + "/state").c_str(), &directory), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
  EXPECT_EQ(directory.st_mode & 0777, 0700u);
  std::string other = directory_ + "/other.db";
  std::ofstream(other) << "this is not a database at all, and long enough to look like one "
                          "........................................";
  EXPECT_TRUE(absl::IsFailedPrecondition(HistoryStore::Open(other).status()));
}

TEST_F(History, AnUnknownRunIsNotFound) {
  auto store = Open();
  EXPECT_TRUE(absl::IsNotFound(store->Load("20200101-1").status()));
}

TEST_F(History, TwoControllersWriteAtOnce) {
  auto a = Open();
  auto b = Open();
  EXPECT_NE(*a->Begin("apply", "p", "alice", now_), *b->Begin("apply", "p", "bob", now_));
}

}  // namespace
}  // namespace trustline::controller
