// The certificate migration of two clusters through the real programs and a real sshd.
#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/test_fleet.h"

namespace trustline::e2e {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::SizeIs;

class MigrationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    TL_NEEDS_HUB();
    fleet_ = std::make_unique<TestFleet>();
    fleet_->AddClusters();
    ASSERT_TRUE(fleet_->StartAll());
    fleet_->WriteClusterInventory();
    ASSERT_TRUE(fleet_->MakeClusterIdentities());
  }

  // The bare names (serial and fingerprint) of what a store of a node holds.
  std::vector<std::string> Stored(const std::string& node, const std::string& store) {
    std::vector<std::string> names;
    for (const std::string& name : NamesIn(fleet_->node(node).certificates() + "/" + store)) {
      if (absl::EndsWith(name, ".pem")) names.push_back(name);
    }
    return names;
  }

  std::unique_ptr<TestFleet> fleet_;
};

TEST_F(MigrationTest, FirstRunChangesAndSecondRunTouchesNothing) {
  EXPECT_EQ(fleet_->Operate(fleet_->Migrate("plan", {"--detailed-exitcode"})).exit_code, 10);

  const Finished first = fleet_->Operate(fleet_->Migrate("apply", {"-o", "json"}));
  ASSERT_EQ(first.exit_code, 0) << first;
  const nlohmann::json run = Json(first);
  for (const char* node : {"src-pub", "src-sub1", "dst-pub", "dst-sub1"}) {
    EXPECT_GE(run["recap"][node]["changed"].get<int>(), 2) << node;
    EXPECT_EQ(run["recap"][node]["failed"].get<int>(), 0) << node;
  }
  EXPECT_THAT(RowsOtherThan(run, "changed"), IsEmpty());

  // Every node now believes the signers of every node of both clusters, in both stores a phone's
  // questions are answered from.
  for (Node* node : fleet_->nodes()) {
    for (const char* store : {"CallManager-trust", "Phone-SAST-trust"}) {
      for (const char* other : {"src-pub", "src-sub1", "dst-pub", "dst-sub1"}) {
        if (other[0] == node->name()[0])
          continue;  // its own cluster's are not the exchange's business
        EXPECT_THAT(Stored(node->name(), store), IsSupersetOf(Stored(other, "CallManager")))
            << store << " of " << node->name() << " lacks " << other;
      }
      const char* publisher = node->name()[0] == 's' ? "dst-pub" : "src-pub";
      EXPECT_THAT(Stored(node->name(), store), IsSupersetOf(Stored(publisher, "ITLRecovery")))
          << store << " of " << node->name();
    }
    EXPECT_EQ(node->service_restarts(), 1) << node->name();
    EXPECT_TRUE(node->service_has_loaded_what_is_there()) << node->name();
  }

  const auto before = fleet_->Everything();
  const Finished plan = fleet_->Operate(fleet_->Migrate("plan", {"--detailed-exitcode"}));
  EXPECT_EQ(plan.exit_code, 0) << plan;
  EXPECT_THAT(plan.out, HasSubstr("PLAN  4 nodes, 0 with changes, 0 changes; nothing was written"));
  EXPECT_EQ(fleet_->Everything(), before);

  const Finished second = fleet_->Operate(fleet_->Migrate("apply"));
  EXPECT_EQ(second.exit_code, 0) << second;
  for (const char* node : {"src-pub", "src-sub1", "dst-pub", "dst-sub1"})
    EXPECT_THAT(second.out, ContainsRegex(absl::StrCat(node, " *: ok=[1-9] *changed=0 ")));
  const auto after = fleet_->Everything();
  for (const auto& [path, entry] : after) {
    auto earlier = before.find(path);
    EXPECT_TRUE(earlier != before.end() && earlier->second == entry)
        << path << " was written by a run without changes";
  }
  EXPECT_THAT(after, SizeIs(before.size()));
}

TEST_F(MigrationTest, PlanSaysWhichCertificatesAreMissingAndWhatIsKnownLater) {
  const Finished early = fleet_->Operate(fleet_->Migrate("plan", {"--diff"}));
  EXPECT_EQ(early.exit_code, 0) << early;
  EXPECT_THAT(early.out, HasSubstr("PLAY [Export the certificates phones must trust] ***"));
  EXPECT_THAT(early.out,
              HasSubstr("PLAY [Import on every node of both clusters]: known after stage 1"));
  EXPECT_THAT(early.out, ContainsRegex("\nPLAN  4 nodes, 4 with changes, [0-9]+ changes, 2 stages "
                                       "not known yet; nothing was written\n"));

  const Finished staged =
      fleet_->Operate({"apply", TRUSTLINE_SOURCE_DIR "/playbooks/migrate-phones.yml", "-i",
                       fleet_->inventory(), "--tags", "export,consolidate"});
  ASSERT_EQ(staged.exit_code, 0) << staged;
  const Finished plan = fleet_->Operate(fleet_->Migrate("plan", {"--diff"}));
  EXPECT_EQ(plan.exit_code, 0) << plan;
  // The block of the design, for one node.
  EXPECT_THAT(plan.out, ContainsRegex("~ src-sub1  bundle_import \"CallManager, ITLRecovery\"   "
                                      "[0-9]+ of [0-9]+ certificates missing\n"
                                      "    [+] [A-Za-z-]+-trust  CN=[^\n]*  serial [0-9A-F]+[^\n]* "
                                      " [A-Za-z]+ of [a-z0-9-]+, expires 20[0-9-]+\n"));
  EXPECT_THAT(plan.out, HasSubstr("CallManager of dst-pub, expires 20"));
  EXPECT_THAT(plan.out, HasSubstr("ITLRecovery of dst-pub, expires 20"));
}

TEST_F(MigrationTest, RecapHistoryAndStatusSayWhatHappened) {
  const Finished run = fleet_->Operate(fleet_->Migrate("apply"));
  ASSERT_EQ(run.exit_code, 0) << run;
  EXPECT_THAT(run.out, HasSubstr("\nPLAY RECAP ****"));
  // Scripts parse this line.
  EXPECT_THAT(
      run.out,
      ContainsRegex(
          "\ndst-pub  : ok=[0-9]+ +changed=[0-9]+ +unreachable=0 +failed=0 +skipped=0 +rescued=0 "
          "+ignored=0 +refused=0 +pending=0\n"));
  EXPECT_THAT(
      run.out,
      ContainsRegex("\nrun [0-9]{8}-[0-9]+-[0-9a-f]{6}  [^\n]*history: trustline history show "
                    "[0-9]{8}-[0-9]+-[0-9a-f]{6}\n$"));
  EXPECT_THAT(run.out, Not(HasSubstr("\x1b")));
  EXPECT_THAT(run.err, IsEmpty());
  const std::string id =
      std::string(absl::StripAsciiWhitespace(run.out.substr(run.out.rfind(' ') + 1)));

  const Finished list = fleet_->Operate({"history", "list"});
  EXPECT_EQ(list.exit_code, 0);
  EXPECT_THAT(list.out, ContainsRegex("RUN +COMMAND +PLAYBOOK +OPERATOR"));
  EXPECT_THAT(list.out, ContainsRegex(absl::StrCat(id, " +apply +migrate-phones[^ ]* +alice")));
  const nlohmann::json listed = Json(fleet_->Operate({"history", "list", "-o", "json"}));
  ASSERT_THAT(listed["runs"], SizeIs(2));
  EXPECT_EQ(listed["runs"][0]["run_id"], id);
  const Finished show = fleet_->Operate({"history", "show", id, "--diff"});
  EXPECT_EQ(show.exit_code, 0);
  EXPECT_THAT(show.out, HasSubstr("CallManager of dst-pub"));
  EXPECT_THAT(show.out, HasSubstr("PLAY RECAP"));
  const nlohmann::json shown = Json(fleet_->Operate({"history", "show", id, "-o", "json"}));
  EXPECT_EQ(shown["run_id"], id);
  EXPECT_EQ(shown["exit_code"], 0);
  EXPECT_EQ(fleet_->Operate({"history", "show", "20200101-1"}).exit_code, 66);

  const Finished status =
      fleet_->Operate({"status", "-i", fleet_->inventory(), "-l", "source:destination"});
  EXPECT_EQ(status.exit_code, 0) << status;
  EXPECT_THAT(status.out,
              ContainsRegex("^NODE +STATE +STAGES +RESOURCES +CERTIFICATES +LAST CHANGE\n"));
  EXPECT_THAT(
      status.out,
      ContainsRegex("\ndst-pub +[a-z]+ +[0-9]/[0-9] +[0-9]+ of [0-9]+ +[A-Za-z]+ expires in 4 y"));
  const nlohmann::json states = Json(fleet_->Operate(
      {"status", "-i", fleet_->inventory(), "-l", "source:destination", "-o", "json"}));
  for (const nlohmann::json& node : states["nodes"])
    EXPECT_EQ(node["state"], "converged") << node.dump(2);
}

TEST_F(MigrationTest, NoSecretIsAnywhere) {
  std::string said;
  auto take = [&said](const Finished& finished) {
    absl::StrAppend(&said, finished.out, finished.err);
    return finished;
  };
  EXPECT_EQ(take(fleet_->Operate(fleet_->Migrate("lint", {}))).exit_code,
            64);  // lint knows no --tags
  take(fleet_->Operate({"lint", TRUSTLINE_SOURCE_DIR "/playbooks/migrate-phones.yml", "-i",
                        fleet_->inventory(), "-v"}));
  take(fleet_->Operate({"inventory", "-i", fleet_->inventory(), "--list"}));
  take(fleet_->Operate({"inventory", "-i", fleet_->inventory(), "--graph", "--vars"}));
  take(fleet_->Operate(fleet_->Migrate("plan", {"--diff", "-v", "-v", "-v", "-v"})));
  take(fleet_->Operate(fleet_->Migrate("plan", {"-o", "json"})));
  const Finished run = take(fleet_->Operate(fleet_->Migrate("apply", {"-o", "jsonl"})));
  ASSERT_EQ(run.exit_code, 0) << run;
  std::set<std::string> events;
  for (const nlohmann::json& line : JsonLines(run)) {
    events.insert(line["event"].get<std::string>());
    EXPECT_EQ(line["schema"], "trustline/1");
    EXPECT_TRUE(line.contains("ts") && line.contains("run_id")) << line.dump();
  }
  EXPECT_THAT(events, IsSupersetOf({"stage_started", "resource", "stage_ended", "run_finished"}));
  take(fleet_->Operate(fleet_->Migrate("apply", {"--diff", "-v", "-v", "-v"})));
  take(fleet_->Operate({"status", "-i", fleet_->inventory(), "-o", "json"}));
  for (const nlohmann::json& summary :
       Json(fleet_->Operate({"history", "list", "-o", "json"}))["runs"])
    take(fleet_->Operate({"history", "show", summary["run_id"], "--diff"}));
  EXPECT_THAT(fleet_->Logs(), Not(ContainsRegex(" (warning|error) ")));
  absl::StrAppend(&said, fleet_->Logs(), fleet_->hub().Log());

  EXPECT_THAT(said, Not(HasSubstr(Sshd::password())));
  EXPECT_THAT(FilesContaining(fleet_->directory(), Sshd::password()), IsEmpty());
  EXPECT_THAT(FilesContaining(fleet_->hub().data(), Sshd::password()), IsEmpty());

  // A private key is in its own file and nowhere else.
  int keys = 0;
  for (Node* node : fleet_->nodes()) {
    for (const std::string& path : FilesContaining(node->certificates(), "PRIVATE KEY")) {
      ++keys;
      const std::vector<std::string> lines = absl::StrSplit(ReadFileOrDie(path), '\n');
      ASSERT_GT(lines.size(), 4u);
      EXPECT_THAT(FilesContaining(fleet_->directory(), lines[3]), SizeIs(1)) << path;
      EXPECT_THAT(said, Not(HasSubstr(lines[3])));
    }
  }
  EXPECT_GE(keys, 10);
  EXPECT_THAT(FilesContaining(fleet_->hub().data(), "PRIVATE KEY"), IsEmpty());
}

TEST_F(MigrationTest, Scenario21ARegeneratedCertificateIsExportedAgainAndImportedEverywhere) {
  ASSERT_TRUE(fleet_->MigrateBundles());
  const std::string slot = fleet_->node("dst-pub").certificates() + "/CallManager";
  const std::vector<std::string> old = Stored("dst-pub", "CallManager");
  ASSERT_THAT(old, SizeIs(1));
  absl::StatusOr<Certificate> before = Certificate::FromPem(ReadFileOrDie(slot + "/" + old[0]));
  ASSERT_TRUE(before.ok());
  // Somebody made a new one by hand.
  const Certificate fresh = testing::TestPki::UnitCertificate("dst-pub");
  for (const std::string& name : NamesIn(slot)) ASSERT_EQ(unlink((slot + "/" + name).c_str()), 0);
  const std::string stem =
      absl::StrCat(slot, "/", fresh.serial_hex(), "-", fresh.sha256_hex().substr(0, 16));
  WriteFileOrDie(stem + ".pem", fresh.ToPem(), 0644);
  WriteFileOrDie(stem + ".key", testing::TestPki::UnitKey().ToPkcs8Pem(), 0600);

  const Finished plan = fleet_->Operate(fleet_->Migrate("plan", {"--diff", "--detailed-exitcode"}));
  EXPECT_EQ(plan.exit_code, 10) << plan;
  EXPECT_THAT(plan.out, ContainsRegex("~ dst-pub +bundle_export"));
  EXPECT_THAT(plan.out, HasSubstr(before->serial_hex())) << "the serial the hub still holds";
  EXPECT_THAT(plan.out, HasSubstr(fresh.serial_hex())) << "the serial the node presents now";

  const Finished again = fleet_->Operate(fleet_->Migrate("apply", {"-o", "json"}));
  ASSERT_EQ(again.exit_code, 0) << again;
  const nlohmann::json run = Json(again);
  EXPECT_THAT(absl::StrJoin(RowsOf(run, "changed"), "\n"), HasSubstr("dst-pub bundle_export"));
  for (const nlohmann::json& row : run["resources"]) {
    if (row["kind"] == "bundle_export") {
      EXPECT_EQ(row["outcome"], row["node"] == "dst-pub" ? "changed" : "unchanged") << row.dump(2);
    }
  }
  for (const char* node : {"src-pub", "src-sub1"}) {
    EXPECT_THAT(Stored(node, "Phone-SAST-trust"), IsSupersetOf(Stored("dst-pub", "CallManager")))
        << node;
    // Trust that is there stays: phones still hold lists signed by the old one.
    EXPECT_THAT(Stored(node, "Phone-SAST-trust"), IsSupersetOf(old)) << node;
    EXPECT_TRUE(fleet_->node(node).service_has_loaded_what_is_there()) << node;
  }
  EXPECT_EQ(fleet_->Operate(fleet_->Migrate("plan", {"--detailed-exitcode"})).exit_code, 0);
}

TEST_F(MigrationTest, Scenario22ConsolidationIsRefusedWhileOnlyOneClusterHasExported) {
  const std::string playbook = TRUSTLINE_SOURCE_DIR "/playbooks/migrate-phones.yml";
  const Finished half = fleet_->Operate(
      {"apply", playbook, "-i", fleet_->inventory(), "--tags", "export", "-l", "source"});
  ASSERT_EQ(half.exit_code, 0) << half;
  const Finished merge = fleet_->Operate(
      {"apply", playbook, "-i", fleet_->inventory(), "--tags", "consolidate", "-o", "json"});
  EXPECT_EQ(merge.exit_code, 8) << merge;
  const nlohmann::json run = Json(merge);
  ASSERT_THAT(run["resources"], SizeIs(1));
  EXPECT_EQ(run["resources"][0]["outcome"], "refused") << run.dump(2);
  const std::string words = absl::StrCat(run["resources"][0]["summary"].get<std::string>(),
                                         run["resources"][0]["reasons"].dump());
  EXPECT_THAT(words, HasSubstr("dst-pub"));
  EXPECT_THAT(words, HasSubstr("dst-sub1"));
  EXPECT_THAT(words, Not(HasSubstr("src-sub1")));
  EXPECT_THAT(NamesIn(fleet_->hub().data() + "/e2e-migration/consolidated"), IsEmpty());

  // And no import either, in a whole run that stops there.
  const Finished whole = fleet_->Operate(
      {"apply", playbook, "-i", fleet_->inventory(), "--tags", "consolidate,import"});
  EXPECT_EQ(whole.exit_code, 8) << whole;
  EXPECT_THAT(whole.out, HasSubstr("stopped: stage 2"));
  EXPECT_THAT(Stored("src-pub", "Phone-SAST-trust"), IsEmpty());
}

}  // namespace
}  // namespace trustline::e2e
