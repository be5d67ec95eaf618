// A failure, a crash or a power cut at every single call of an apply and of a rollback: never a
// torn or stray file, and the next run converges.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/file_image.h"
#include "agent/staged_name.h"
#include "tests/fakes/fake_hub.h"
#include "tests/fakes/fake_kinds.h"
#include "tests/fakes/kind_harness.h"

namespace trustline::agent {
namespace {

using World = std::map<std::string, FileImage>;

class CrashTest : public ::testing::Test {
 protected:
  static std::shared_ptr<TestFleet> Fleet() {
    static auto* const fleet = new std::shared_ptr<TestFleet>(std::make_shared<TestFleet>());
    return *fleet;
  }

  // A node with a past: one file to replace (odd mode, owner, attributes), one to remove, one to be
  // made, and a pointer with a reload.
  std::unique_ptr<KindHarness> Node() {
    auto node =
        std::make_unique<KindHarness>("dst-pub", v1::Topology(), dialer, kinds.registry, Fleet());
    FakePointerKind::Install(node->host);
    FileImage old;
    old.bytes = "old";
    old.mode = 0604;
    old.uid = 17;
    old.gid = 18;
    old.xattrs["user.note"] = "n";
    node->host.files.Put("/etc/certificates/u-trust/replaced", old);
    old.bytes = "to go";
    node->host.files.Put("/etc/certificates/u-trust/removed", old);
    old.bytes = "10.10.0.11";
    node->host.files.Put("/etc/pointers/10.30.0.0_24", old);
    node->host.calls.Reset();
    EXPECT_TRUE(node->host.services.Reload("dhcp").ok());
    node->host.calls.Reset();
    return node;
  }

  static std::vector<v1::Resource> Wanted() {
    return {TrustResource("u-trust", "replaced", "new"), TrustResource("u-trust", "removed", ""),
            TrustResource("v-trust", "made", "made"),
            PointerResource("10.30.0.0/24", {"10.20.0.11"}),
            PointerResource("10.31.0.0/24", {"10.20.0.11"})};
  }

  static World WorldOf(const KindHarness& node) {
    World world;
    for (auto& [path, image] : node.host.files.Snapshot()) {
      if (!absl::StartsWith(path, "/var/lib/trustline/")) world[path] = image;
    }
    return world;
  }

  static void ExpectNoStrays(const KindHarness& node, const std::string& when) {
    for (auto& [path, image] : node.host.files.Snapshot()) {
      EXPECT_FALSE(IsStagedName(NameOf(path))) << path << " " << when;
      EXPECT_NE(path, "/var/lib/trustline/journal") << when;
      if (absl::EndsWith(path, ".images")) {
        EXPECT_EQ(node.host.files.Snapshot().count(path.substr(0, path.size() - 7)), 1u)
            << path << " " << when;
      }
    }
  }

  static bool AllConverged(const v1::StageReport& report) {
    for (const auto& resource : report.resources()) {
      if (resource.outcome() != v1::OUTCOME_CHANGED &&
          resource.outcome() != v1::OUTCOME_UNCHANGED) {
        return false;
      }
    }
    return true;
  }

  FakeHubServer hub;
  FakeHubDialer dialer{&hub};
  FakeKinds kinds;
};

TEST_F(CrashTest, FailureAtEveryCallIsPutBackAndTheNextRunConverges) {
  size_t n = 1, put_back = 0;
  for (;; ++n) {
    auto node = Node();
    const World before = WorldOf(*node);
    const v1::Envelope document = node->Document(Wanted());
    node->host.calls.FailAt(n);
    const auto report = node->ApplyStage(document, 1);
    if (!node->host.calls.fired()) {
      ASSERT_TRUE(report.ok() && AllConverged(*report));
      break;
    }
    const std::string when = absl::StrCat("call ", n, ": ", node->host.calls.calls()[n - 1]);
    const bool committed = report.ok() && AllConverged(*report);
    if (!committed) {
      ++put_back;
      if (report.ok()) {
        for (const auto& resource : report->resources()) {
          EXPECT_NE(resource.outcome(), v1::OUTCOME_CHANGED) << when;
        }
      }
    }
    node->host.calls.FailAt(0);
    // What could not even be put back is settled by the next apply.
    const auto again = node->ApplyStage(document, 1);
    ASSERT_TRUE(again.ok()) << when << ": " << again.status();
    EXPECT_TRUE(AllConverged(*again)) << when << again->ShortDebugString();
    EXPECT_EQ(again->through_stage(), 1u) << when;
    if (!committed &&
        !absl::StrContains(report.ok() ? report->ShortDebugString() : "", "tries again")) {
      EXPECT_TRUE(again->generation() > 0) << when;
    }
    const auto recovered = node->Restart();
    ASSERT_TRUE(recovered.ok()) << when;
    ExpectNoStrays(*node, when);
    node->host.calls.Reset();
    ASSERT_TRUE(node->ApplyStage(document, 1).ok());
    EXPECT_EQ(node->host.calls.count(), 0u) << when;
  }
  std::cout << "failures injected: " << n - 1 << ", put back: " << put_back << "\n";
  RecordProperty("failures", static_cast<int>(n - 1));
  EXPECT_GT(n, 40u);
}

TEST_F(CrashTest, FailedApplyLeavesTheWorldByteForByte) {
  for (size_t n = 1;; ++n) {
    auto node = Node();
    const World before = WorldOf(*node);
    node->host.calls.FailAt(n);
    const auto report = node->Apply(Wanted());
    if (!node->host.calls.fired()) break;
    const std::string when = absl::StrCat("call ", n, ": ", node->host.calls.calls()[n - 1]);
    const bool committed = report.ok() && AllConverged(*report);
    ASSERT_TRUE(node->Restart().ok()) << when;
    EXPECT_EQ(WorldOf(*node) == before, !committed) << when;
  }
}

TEST_F(CrashTest, CrashAtEveryCallIsSettledByTheNextStart) {
  size_t n = 1, undone = 0, finished = 0;
  for (;; ++n) {
    auto node = Node();
    const World before = WorldOf(*node);
    const v1::Envelope document = node->Document(Wanted());
    node->host.calls.CrashAt(n);
    const auto report = node->ApplyStage(document, 1);
    if (!node->host.calls.fired()) break;
    const std::string when = absl::StrCat("call ", n, ": ", node->host.calls.calls().back());
    const auto recovered = node->Restart();
    ASSERT_TRUE(recovered.ok()) << when << ": " << recovered.status();
    ExpectNoStrays(*node, when);
    const World after = WorldOf(*node);
    if (after == before) {
      ++undone;
      EXPECT_TRUE(node->PlanStage(document, 1)->resources(0).outcome() == v1::OUTCOME_WOULD_CHANGE)
          << when;
    } else {
      ++finished;
      v1::StatusResponse status;
      ASSERT_TRUE(node->converger().FillStatus(status).ok());
      EXPECT_EQ(status.generations_size(), 1) << when;
      EXPECT_EQ(status.documents(0).stages_passed(), 1u) << when;
    }
    const auto again = node->ApplyStage(document, 1);
    ASSERT_TRUE(again.ok()) << when;
    EXPECT_TRUE(AllConverged(*again)) << when;
    EXPECT_EQ(again->generation() == 0, after != before) << when;
    ExpectNoStrays(*node, when);
  }
  std::cout << "crashes: " << n - 1 << ", undone: " << undone << ", finished: " << finished << "\n";
  RecordProperty("crashes", static_cast<int>(n - 1));
  EXPECT_GT(undone, 30u);
  EXPECT_GT(finished, 3u);
}

TEST_F(CrashTest, ServicesThatCameUpBeforeTheAgentRunWhatTheFilesSay) {
  // A crash of the whole machine: the service starts by itself with whatever lies there, also with
  // a file whose reload the transaction had not got to.
  size_t n = 1, loaded_new = 0;
  for (;; ++n) {
    auto node = Node();
    const World before = WorldOf(*node);
    node->host.calls.CrashAt(n);
    (void)node->Apply(Wanted());
    if (!node->host.calls.fired()) break;
    const std::string when = absl::StrCat("call ", n, ": ", node->host.calls.calls().back());
    node->host.calls.Reset();
    ASSERT_TRUE(node->host.services.Restart("dhcp").ok());
    const World booted = WorldOf(*node);
    ASSERT_TRUE(node->Restart().ok()) << when;
    const World settled = WorldOf(*node);
    const std::string file = settled.at("/etc/pointers/10.30.0.0_24").bytes;
    const std::string name = "/run/dhcp-loaded/10.30.0.0_24";
    EXPECT_EQ(settled.at(name).bytes, file) << when;
    loaded_new += booted.at(name).bytes != file ? 1 : 0;
    if (file == "10.10.0.11") {
      EXPECT_EQ(settled, before) << when;
    }
  }
  EXPECT_GT(loaded_new, 2u);
}

TEST_F(CrashTest, PowerCutAtEveryCallIsSettledByTheNextStart) {
  size_t cuts = 0;
  bool more = true;
  for (size_t n = 1; more; ++n) {
    for (uint64_t seed = 0; seed < 3; ++seed) {
      auto node = Node();
      const World before = WorldOf(*node);
      const v1::Envelope document = node->Document(Wanted());
      node->host.calls.CrashAt(n);
      (void)node->ApplyStage(document, 1);
      more = node->host.calls.fired();
      if (!more) break;
      ++cuts;
      const std::string when =
          absl::StrCat("call ", n, ": ", node->host.calls.calls().back(), ", seed ", seed);
      node->host.files.LosePower(seed * 1000 + n);
      const auto recovered = node->Restart();
      ASSERT_TRUE(recovered.ok()) << when << ": " << recovered.status();
      ExpectNoStrays(*node, when);
      World settled = WorldOf(*node);
      const auto again = node->ApplyStage(document, 1);
      ASSERT_TRUE(again.ok()) << when << again.status();
      EXPECT_TRUE(AllConverged(*again)) << when;
      // Whole before or whole after, nothing between.
      EXPECT_EQ(settled == before, again->generation() != 0) << when;
      EXPECT_EQ(settled == WorldOf(*node), again->generation() == 0) << when;
    }
  }
  std::cout << "power cuts: " << cuts << "\n";
  EXPECT_GT(cuts, 100u);
}

TEST_F(CrashTest, CrashDuringRecoveryIsSettledByTheOneAfter) {
  // Crash in the middle of the apply, then at every call of the recovery.
  size_t middle = 0;
  {
    auto node = Node();
    ASSERT_TRUE(node->Apply(Wanted()).ok());
    const std::vector<std::string> calls = node->host.calls.calls();
    for (size_t i = 0; i < calls.size(); ++i) {
      if (absl::StartsWith(calls[i], "service-reload")) middle = i + 2;  // after the last effect
    }
  }
  ASSERT_GT(middle, 0u);
  size_t n = 1;
  for (;; ++n) {
    auto node = Node();
    const World before = WorldOf(*node);
    node->host.calls.CrashAt(middle);
    (void)node->Apply(Wanted());
    ASSERT_TRUE(node->host.calls.fired());
    node->host.calls.Reset();
    node->host.calls.CrashAt(n);
    (void)node->converger().Recover();
    const bool fired = node->host.calls.fired();
    ASSERT_TRUE(node->Restart().ok()) << n;
    EXPECT_EQ(WorldOf(*node), before) << n;
    ExpectNoStrays(*node, absl::StrCat(n));
    if (!fired) break;
  }
  std::cout << "crashes during recovery: " << n - 1 << "\n";
  EXPECT_GT(n, 8u);
}

TEST_F(CrashTest, CrashAtEveryCallOfARollbackIsSettled) {
  size_t n = 1;
  for (;; ++n) {
    auto node = Node();
    const World before = WorldOf(*node);
    ASSERT_TRUE(AllConverged(*node->Apply(Wanted())));
    const World applied = WorldOf(*node);
    node->host.calls.Reset();
    node->host.calls.CrashAt(n);
    (void)node->Rollback(/*include_trust=*/true);
    const bool fired = node->host.calls.fired();
    ASSERT_TRUE(node->Restart().ok()) << n;
    const World settled = WorldOf(*node);
    EXPECT_TRUE(settled == before || settled == applied) << n;
    v1::StatusResponse status;
    ASSERT_TRUE(node->converger().FillStatus(status).ok());
    EXPECT_EQ(status.held().empty(), settled == applied) << n;
    EXPECT_EQ(status.documents_size(), settled == applied ? 1 : 0) << n;
    ExpectNoStrays(*node, absl::StrCat(n));
    if (!fired) {
      EXPECT_EQ(settled, before);
      break;
    }
  }
  std::cout << "crashes during rollback: " << n - 1 << "\n";
  EXPECT_GT(n, 30u);
}

TEST_F(CrashTest, AnEditBetweenTheCrashAndTheNextStartIsKeptBesideTheFile) {
  // A crash at every call of the apply, then an edit, then a crash at every call of the recovery
  // of one of them.
  const std::string path = "/etc/certificates/u-trust/replaced";
  FileImage edited;
  edited.bytes = "edited by an admin";
  edited.mode = 0600;
  const std::string kept = KeptPath(path, ImageDigest(edited));
  size_t open = 0;
  for (size_t n = 1;; ++n) {
    auto node = Node();
    World before = WorldOf(*node);
    node->host.calls.CrashAt(n);
    (void)node->Apply(Wanted());
    if (!node->host.calls.fired()) break;
    const std::string when = absl::StrCat("call ", n);
    node->host.files.Put(path, edited);
    node->host.calls.Reset();
    const auto lines = node->Restart();
    ASSERT_TRUE(lines.ok()) << when << ": " << lines.status();
    ExpectNoStrays(*node, when);
    const World settled = WorldOf(*node);
    if (settled.at(path) == edited) continue;  // no journal was open, or it was committed
    ++open;
    before[kept] = edited;
    EXPECT_EQ(settled, before) << when;
    EXPECT_THAT(*lines, ::testing::Contains(::testing::AllOf(
                            ::testing::HasSubstr(absl::StrCat(path, " was changed")),
                            ::testing::HasSubstr(absl::StrCat("kept as ", kept)))))
        << when;
    for (size_t m = 1; open == 20; ++m) {
      auto again = Node();
      again->host.calls.CrashAt(n);
      (void)again->Apply(Wanted());
      again->host.files.Put(path, edited);
      again->host.calls.Reset();
      again->host.calls.CrashAt(m);
      (void)again->converger().Recover();
      const bool fired = again->host.calls.fired();
      again->host.files.LosePower(m);
      ASSERT_TRUE(again->Restart().ok()) << m;
      EXPECT_EQ(WorldOf(*again), before) << m;
      ExpectNoStrays(*again, absl::StrCat(m));
      if (!fired) break;
    }
  }
  EXPECT_GT(open, 20u);
}

TEST_F(CrashTest, ARecoveryThatFailsStillNamesWhatItKept) {
  const std::string path = "/etc/certificates/u-trust/replaced";
  size_t failed = 0;
  for (size_t n = 1;; ++n) {
    auto node = Node();
    node->host.calls.CrashAt(30);
    (void)node->Apply(Wanted());
    ASSERT_TRUE(node->host.calls.fired());
    node->host.files.Put(path, "edited by an admin");
    node->host.calls.Reset();
    node->host.calls.FailAt(n);
    const auto first = node->converger().Recover();
    if (!node->host.calls.fired()) break;
    failed += first.ok() ? 0 : 1;
    const std::string when = absl::StrCat("call ", n, ": ", node->host.calls.calls()[n - 1]);
    const bool restored = node->host.files.Read(path)->bytes == "old";
    std::string said = first.ok() ? absl::StrJoin(*first, "\n") : first.status().ToString();
    node->host.calls.FailAt(0);
    const auto second = node->Restart();
    ASSERT_TRUE(second.ok()) << when;
    if (!restored) said = absl::StrJoin(*second, "\n");
    EXPECT_THAT(said, ::testing::HasSubstr("that is kept as ")) << when;
    ExpectNoStrays(*node, when);
  }
  EXPECT_GT(failed, 5u);
}

TEST_F(CrashTest, AReloadThatCannotBeTakenBackIsOwedUntilPaid) {
  auto node = Node();
  const World before = WorldOf(*node);
  node->host.services.SetFailure("dhcp", absl::UnavailableError("dhcp is down"));
  const auto report = node->Apply(Wanted());
  ASSERT_TRUE(report.ok());
  EXPECT_FALSE(AllConverged(*report));
  EXPECT_EQ(WorldOf(*node), before);
  for (const v1::ResourceOutcome& outcome : report->resources()) {
    ASSERT_EQ(outcome.reasons_size(), 1) << outcome.DebugString();
    const bool owed = outcome.kind() == "tftp_pointer";
    EXPECT_EQ(outcome.outcome(), owed ? v1::OUTCOME_FAILED : v1::OUTCOME_ROLLED_BACK);
    EXPECT_EQ(absl::StrContains(outcome.reasons(0), "the file is back; reload owed: dhcp is down"),
              owed)
        << outcome.reasons(0);
    EXPECT_FALSE(absl::StrContains(outcome.reasons(0), "put back as it was"));
  }
  v1::StatusResponse status;
  ASSERT_TRUE(node->converger().FillStatus(status).ok());
  EXPECT_EQ(status.reloads_owed_size(), 1);
  // A new start tries again; still down, still owed.
  ASSERT_TRUE(node->Restart().ok());
  status.Clear();
  ASSERT_TRUE(node->converger().FillStatus(status).ok());
  EXPECT_EQ(status.reloads_owed_size(), 1);
  node->host.services.SetFailure("dhcp", absl::OkStatus());
  const int reloads = node->host.services.counts("dhcp").reloads;
  ASSERT_TRUE(node->Restart().ok());
  EXPECT_EQ(node->host.services.counts("dhcp").reloads, reloads + 1);
  status.Clear();
  ASSERT_TRUE(node->converger().FillStatus(status).ok());
  EXPECT_EQ(status.reloads_owed_size(), 0);
  // And is not paid twice.
  ASSERT_TRUE(node->Restart().ok());
  EXPECT_EQ(node->host.calls.count(), 0u);
}

TEST_F(CrashTest, StartOnAQuietNodeWritesNothing) {
  auto node = Node();
  ASSERT_TRUE(node->Apply(Wanted()).ok());
  const auto lines = node->Restart();
  ASSERT_TRUE(lines.ok());
  EXPECT_TRUE(lines->empty());
  EXPECT_EQ(node->host.calls.count(), 0u);
}

TEST_F(CrashTest, WhatEffectsLeftHalfWrittenIsSweptAtTheNextStart) {
  auto node = Node();
  node->host.layout.merged_files["u-trust"] = "/etc/merged/u.pem";
  for (const char* target : {"/etc/merged/u.pem", "/var/lib/trustline/kinds/service/tvs.loaded",
                             "/var/lib/trustline/hold"}) {
    node->host.files.Put(StagedPath(target, 1), "half");
  }
  // Somebody else's file of the same form stays.
  node->host.files.Put("/etc/merged/.other.0000000000000001.staged", "theirs");
  ASSERT_EQ(node->Restart()->size(), 1u);
  EXPECT_EQ(node->host.files.Snapshot().count("/etc/merged/.other.0000000000000001.staged"), 1u);
  node->host.files.Erase("/etc/merged/.other.0000000000000001.staged");
  ExpectNoStrays(*node, "after the start");
}

TEST_F(CrashTest, DamagedJournalIsReportedNotBelieved) {
  auto node = Node();
  node->host.files.Put("/var/lib/trustline/journal", "trustline-state-v1 garbage");
  const auto lines = node->Restart();
  EXPECT_EQ(lines.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(absl::StrContains(lines.status().message(), "/var/lib/trustline/journal"));
  const World before = WorldOf(*node);
  EXPECT_FALSE(node->Apply(Wanted()).ok());
  EXPECT_EQ(WorldOf(*node), before);
}

}  // namespace
}  // namespace trustline::agent
