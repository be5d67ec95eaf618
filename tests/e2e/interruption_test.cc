// Controllers that are killed or interrupted, agents that are down or hang, and two operators at
// once.
#include <signal.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/test_fleet.h"

namespace trustline::e2e {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr absl::Duration kLong = absl::Seconds(60);

class InterruptionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    TL_NEEDS_HUB();
    fleet_ = std::make_unique<TestFleet>();
    fleet_->AddClusters();
    ASSERT_TRUE(fleet_->StartAll());
    fleet_->WriteClusterInventory();
    ASSERT_TRUE(fleet_->MakeClusterIdentities());
  }

  // Until Release(), the service of `node` does not come back from a restart, so that the stage
  // that imports is at work there.
  void Hold(const std::string& node) {
    WriteFileOrDie(fleet_->node(node).directory() + "/service.hold", "", 0644);
  }
  void Release(const std::string& node) {
    unlink((fleet_->node(node).directory() + "/service.hold").c_str());
  }
  bool AtWork(const std::string& node) {
    const std::string mark = fleet_->node(node).directory() + "/service.waiting";
    return Eventually(kLong, [&] { return access(mark.c_str(), F_OK) == 0; });
  }
  std::vector<std::string> HubNames(const std::string& directory) {
    return NamesIn(absl::StrCat(fleet_->hub().data(), "/e2e-migration/", directory));
  }

  std::unique_ptr<TestFleet> fleet_;
};

TEST_F(InterruptionTest, Scenario12ARunWhoseControllerWasKilledAfterConsolidationIsResumed) {
  Program killed(fleet_->Trustline(fleet_->Migrate("apply", {"-o", "jsonl"})));
  ASSERT_TRUE(Eventually(kLong,
                         [&] {
                           return absl::StrContains(killed.out(), "\"event\":\"stage_started\"") &&
                                  absl::StrContains(killed.out(), "Import on every node");
                         }))
      << killed.out() << killed.err();
  killed.Signal(SIGKILL);
  EXPECT_EQ(killed.Wait(kLong).signal, SIGKILL);
  const std::vector<std::string> exports = HubNames("exports"), manifests = HubNames("manifests"),
                                 consolidated = HubNames("consolidated");
  EXPECT_THAT(consolidated, Not(IsEmpty()));

  // The agents may still be at their last safe point; the operator simply runs it again.
  Finished again;
  ASSERT_TRUE(Eventually(
      kLong,
      [&] {
        again = fleet_->Operate(fleet_->Migrate("apply", {"-o", "json"}));
        return again.exit_code == 0;
      },
      absl::Milliseconds(500)))
      << again;
  const nlohmann::json run = Json(again);
  for (const nlohmann::json& row : run["resources"]) {
    if (row["kind"] == "bundle_export" || row["kind"] == "bundle_consolidation") {
      EXPECT_EQ(row["outcome"], "unchanged") << row.dump(2);
    }
  }
  EXPECT_EQ(HubNames("exports"), exports);
  EXPECT_EQ(HubNames("manifests"), manifests);
  EXPECT_EQ(HubNames("consolidated"), consolidated);
  for (Node* node : fleet_->nodes()) {
    for (const char* store : {"CallManager-trust", "Phone-SAST-trust"}) {
      std::vector<std::string> prints;
      for (const std::string& name : NamesIn(absl::StrCat(node->certificates(), "/", store))) {
        absl::StatusOr<Certificate> certificate = Certificate::FromPem(
            ReadFileOrDie(absl::StrCat(node->certificates(), "/", store, "/", name)));
        ASSERT_TRUE(certificate.ok()) << name << ": " << certificate.status();
        prints.push_back(certificate->sha256_hex());
      }
      std::sort(prints.begin(), prints.end());
      EXPECT_EQ(std::unique(prints.begin(), prints.end()), prints.end())
          << "a certificate twice in " << store;
      EXPECT_THAT(prints, Not(IsEmpty()));
    }
    EXPECT_TRUE(node->service_has_loaded_what_is_there()) << node->name();
  }
  // The history keeps the run that never ended.
  const nlohmann::json runs =
      Json(fleet_->Operate({"history", "list", "-n", "1000", "-o", "json"}))["runs"];
  EXPECT_TRUE(std::any_of(runs.begin(), runs.end(), [](const nlohmann::json& r) {
    return r["finished"].is_null();
  })) << runs.dump(2);
}

TEST_F(InterruptionTest, AnAgentThatIsDownIsARowAndStopsLaterPlays) {
  fleet_->node("dst-sub1").Kill();
  const Finished done = fleet_->Operate(fleet_->Migrate("apply", {"-o", "json"}));
  EXPECT_EQ(done.exit_code, 4) << done;
  const nlohmann::json run = Json(done);
  EXPECT_THAT(RowsOf(run, "changed"), SizeIs(3)) << run.dump(2);
  const std::vector<std::string> unreachable = RowsOf(run, "unreachable");
  ASSERT_THAT(unreachable, SizeIs(1));
  EXPECT_THAT(unreachable[0], HasSubstr("dst-sub1"));
  EXPECT_THAT(unreachable[0],
              HasSubstr(absl::StrCat("127.0.0.1:", fleet_->node("dst-sub1").port())));
  EXPECT_EQ(run["recap"]["dst-sub1"]["unreachable"], 1);
  EXPECT_EQ(run["recap"].size(), 4u);
  EXPECT_THAT(run["stopped"].get<std::string>(), HasSubstr("dst-sub1 unreachable"));
  EXPECT_THAT(HubNames("consolidated"), IsEmpty());
  EXPECT_THAT(HubNames("manifests"), Not(IsEmpty()));

  const Finished plan = fleet_->Operate(fleet_->Migrate("plan"));
  EXPECT_EQ(plan.exit_code, 4) << plan;
  const Finished status =
      fleet_->Operate({"status", "-i", fleet_->inventory(), "-l", "source:destination"});
  EXPECT_EQ(status.exit_code, 4) << status;
  EXPECT_THAT(status.out, ContainsRegex("\ndst-sub1 +unreachable +- +[?] +- +"));

  ASSERT_TRUE(fleet_->node("dst-sub1").Start());
  fleet_->WriteClusterInventory();
  EXPECT_TRUE(fleet_->MigrateBundles());
}

TEST_F(InterruptionTest, AnAgentThatHangsRunsIntoTheDeadlineAndNobodyWaitsForIt) {
  Hold("dst-sub1");
  Program running(fleet_->Trustline(
      fleet_->Migrate("apply", {"-o", "jsonl", "--timeout", "2", "--task-timeout", "8"})));
  ASSERT_TRUE(AtWork("dst-sub1")) << running.out() << running.err();
  fleet_->node("dst-sub1").agent()->Signal(SIGSTOP);
  const Finished done = running.Wait(absl::Seconds(120));
  EXPECT_EQ(done.exit_code, 4) << done;
  // The others' results were there before the silent node was given up.
  std::vector<std::string> import_rows;
  for (const nlohmann::json& line : JsonLines(done)) {
    if (line["event"] == "resource" && absl::StrContains(line["play"].get<std::string>(), "Import"))
      import_rows.push_back(
          absl::StrCat(line["node"].get<std::string>(), " ", line["outcome"].get<std::string>()));
  }
  ASSERT_THAT(import_rows, Not(IsEmpty()));
  EXPECT_EQ(import_rows.back(), "dst-sub1 unreachable") << absl::StrJoin(import_rows, "\n");
  for (const char* node : {"src-pub", "src-sub1", "dst-pub"})
    EXPECT_THAT(import_rows, ::testing::Contains(absl::StrCat(node, " changed")));

  // It hangs still: a plan answers for the others.
  const Finished plan = fleet_->Operate(fleet_->Migrate("plan", {"--timeout", "2", "-o", "json"}));
  EXPECT_EQ(plan.exit_code, 4) << plan;
  EXPECT_EQ(Json(plan)["summary"]["unreachable"], 1);

  Release("dst-sub1");
  fleet_->node("dst-sub1").agent()->Signal(SIGCONT);
  Finished again;
  ASSERT_TRUE(Eventually(
      absl::Seconds(90),
      [&] {
        again = fleet_->Operate(fleet_->Migrate("apply"));
        return again.exit_code == 0;
      },
      absl::Milliseconds(500)))
      << again;
  EXPECT_TRUE(fleet_->node("dst-sub1").service_has_loaded_what_is_there());
}

TEST_F(InterruptionTest, CtrlCWaitsForWhatIsAtWorkAndASecondOneCancelsIt) {
  Hold("dst-sub1");
  Program running(fleet_->Trustline(fleet_->Migrate("apply")));
  ASSERT_TRUE(AtWork("dst-sub1")) << running.out() << running.err();
  fleet_->node("dst-sub1").agent()->Signal(SIGSTOP);
  running.Signal(SIGINT);
  ASSERT_TRUE(Eventually(kLong, [&] { return absl::StrContains(running.err(), "interrupted"); }))
      << running.err();
  EXPECT_THAT(running.err(), HasSubstr("dst-sub1"));
  EXPECT_TRUE(running.Running()) << "what is at work is not abandoned at the first Ctrl-C";
  running.Signal(SIGINT);
  const Finished done = running.Wait(kLong);
  EXPECT_EQ(done.exit_code, 130) << done;
  EXPECT_THAT(done.out, HasSubstr("interrupted: what is listed above was done"));
  EXPECT_THAT(done.out, ContainsRegex("changed: \\[src-pub\\]"));
  EXPECT_THAT(done.out, HasSubstr("PLAY RECAP"));

  // The leases are free again: the same command does the rest.
  Release("dst-sub1");
  fleet_->node("dst-sub1").agent()->Signal(SIGCONT);
  Finished again;
  ASSERT_TRUE(Eventually(
      absl::Seconds(45),
      [&] {
        again = fleet_->Operate(fleet_->Migrate("apply"));
        return again.exit_code == 0;
      },
      absl::Milliseconds(500)))
      << again;
  EXPECT_TRUE(fleet_->node("dst-sub1").service_has_loaded_what_is_there());
  EXPECT_EQ(fleet_->Operate(fleet_->Migrate("plan", {"--detailed-exitcode"})).exit_code, 0);
}

TEST_F(InterruptionTest, ALostTerminalIsHeardLikeCtrlC) {
  // Whoever runs the tests under nohup hands the ignored signal on.
  signal(SIGHUP, SIG_DFL);
  Hold("dst-sub1");
  Program running(fleet_->Trustline(fleet_->Migrate("apply")));
  ASSERT_TRUE(AtWork("dst-sub1")) << running.out() << running.err();
  running.Signal(SIGHUP);
  ASSERT_TRUE(Eventually(kLong, [&] { return absl::StrContains(running.err(), "interrupted"); }))
      << running.err();
  Release("dst-sub1");
  const Finished done = running.Wait(kLong);
  EXPECT_EQ(done.exit_code, 130) << done;
  EXPECT_THAT(done.out, ContainsRegex("changed: \\[dst-sub1\\]"));
  EXPECT_THAT(done.out, HasSubstr("PLAY RECAP"));
}

TEST_F(InterruptionTest, CtrlCEndsALookAtANodeThatHangs) {
  fleet_->node("dst-sub1").agent()->Signal(SIGSTOP);
  Command command = fleet_->Trustline({"status", "-i", fleet_->inventory(), "--timeout", "600"});
  command.on_terminal = true;
  Program running(command);
  ASSERT_TRUE(Eventually(kLong, [&] {
    return absl::StrContains(running.err(), "waiting for dst-sub1");
  })) << running.err();
  running.Signal(SIGINT);
  EXPECT_EQ(running.Wait(kLong).exit_code, 130);
  fleet_->node("dst-sub1").agent()->Signal(SIGCONT);
}

TEST_F(InterruptionTest, ASecondOperatorIsToldWhoHoldsTheNodes) {
  Hold("dst-sub1");
  Program running(fleet_->Trustline(fleet_->Migrate("apply", {"-o", "json"})));
  ASSERT_TRUE(AtWork("dst-sub1")) << running.out() << running.err();
  const Finished refused = RunToEnd(fleet_->Trustline(fleet_->Migrate("apply", {"-o", "json"}),
                                                      fleet_->OperatorDirectory("bob")));
  EXPECT_EQ(refused.exit_code, 8) << refused;
  const std::string rows = absl::StrJoin(RowsOf(Json(refused), "refused"), "\n");
  EXPECT_THAT(rows, ContainsRegex("run [0-9]{8}-[0-9]+-[0-9a-f]{6} of "
                                  "trustline://e2e.example/operator/alice holds this node"));
  EXPECT_THAT(RowsOf(Json(refused), "changed"), IsEmpty());
  // Looking needs no lease.
  EXPECT_EQ(RunToEnd(fleet_->Trustline(fleet_->Migrate("plan"), fleet_->OperatorDirectory("bob")))
                .exit_code,
            0);
  const nlohmann::json states =
      Json(fleet_->Operate({"status", "-i", fleet_->inventory(), "-l", "dst-sub1", "-o", "json"}));
  EXPECT_EQ(states["nodes"][0]["lease"]["holder"], "trustline://e2e.example/operator/alice")
      << states.dump(2);
  // The same operator's second run is another run.
  EXPECT_EQ(fleet_->Operate(fleet_->Migrate("apply")).exit_code, 8);

  Release("dst-sub1");
  EXPECT_EQ(running.Wait(kLong).exit_code, 0);
  const Finished after =
      RunToEnd(fleet_->Trustline(fleet_->Migrate("apply"), fleet_->OperatorDirectory("bob")));
  EXPECT_EQ(after.exit_code, 0) << after;
}

}  // namespace
}  // namespace trustline::e2e
