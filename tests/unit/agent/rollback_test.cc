// Rollback: the last changing run is undone byte for byte, imported trust stays, enforcement is
// held until the next apply.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/resources/service.h"
#include "tests/fakes/fake_hub.h"
#include "tests/fakes/fake_kinds.h"
#include "tests/fakes/kind_harness.h"

namespace trustline::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kPointer[] = "/etc/pointers/10.30.0.0_24";
constexpr char kTrust[] = "/etc/certificates/u-trust/a";

class RollbackTest : public ::testing::Test {
 protected:
  RollbackTest() : node("dhcp-a", v1::Topology(), dialer, kinds.registry, Fleet()) {
    FakePointerKind::Install(node.host);
    old.bytes = "10.10.0.11";
    old.mode = 0640;
    old.uid = 3;
    old.gid = 4;
    old.xattrs["user.note"] = std::string("\1\0\2", 3);
    node.host.files.Put(kPointer, old);
    EXPECT_TRUE(node.host.services.Reload("dhcp").ok());
  }

  static std::shared_ptr<TestFleet> Fleet() {
    static auto* const fleet = new std::shared_ptr<TestFleet>(std::make_shared<TestFleet>());
    return *fleet;
  }

  v1::StageReport ApplyRun(const v1::Envelope& document, uint32_t stage, const std::string& run) {
    StageRequest request;
    request.document = document;
    request.stage = stage;
    request.run_id = run;
    auto report = node.converger().ApplyStage(request, node.prover, nullptr, nullptr);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : v1::StageReport();
  }
  v1::StageReport RollbackOf(const std::string& run, bool include_trust = false) {
    v1::RollbackStart request;
    request.set_run_id(absl::StrCat("rollback of ", run));
    request.set_of_run(run);
    request.set_include_trust(include_trust);
    auto report = node.converger().Rollback(request, "", node.prover, nullptr);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : v1::StageReport();
  }
  v1::StageReport RollbackOfStage(const std::string& run, uint32_t stage) {
    v1::RollbackStart request;
    request.set_run_id(run);  // a run that puts a stage of its own back
    request.set_of_run(run);
    request.set_stage(stage);
    auto report = node.converger().Rollback(request, "", node.prover, nullptr);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : v1::StageReport();
  }
  // Three waves of one playbook, the last one about a scope that the first one had as well.
  v1::Envelope Waves() {
    v1::Resource second = PointerResource("10.31.0.0/24", {"10.20.0.11"});
    second.set_stage(2);
    v1::Resource third = PointerResource("10.30.0.0/24", {"10.20.0.12"});
    third.set_id("pointer once more");
    third.set_stage(3);
    return node.Document({PointerResource("10.30.0.0/24", {"10.20.0.11"}), second, third});
  }
  std::string Bytes(const std::string& path) {
    const auto image = node.host.files.Read(path);
    return image.ok() ? image->bytes : "absent";
  }
  v1::StatusResponse Status() {
    v1::StatusResponse status;
    EXPECT_TRUE(node.converger().FillStatus(status).ok());
    return status;
  }
  static v1::Outcome OutcomeOf(const v1::StageReport& report, const std::string& id) {
    for (const auto& resource : report.resources()) {
      if (resource.id() == id) return resource.outcome();
    }
    return v1::OUTCOME_UNSPECIFIED;
  }

  FakeHubServer hub;
  FakeHubDialer dialer{&hub};
  FakeKinds kinds;
  KindHarness node;
  FileImage old;
};

TEST_F(RollbackTest, PointerComesBackByteForByteAndTrustStays) {
  const auto report = node.Apply(
      {TrustResource("u-trust", "a", "A"), PointerResource("10.30.0.0/24", {"10.20.0.11"})});
  ASSERT_EQ(report->resources(1).outcome(), v1::OUTCOME_CHANGED);
  const int reloads = node.host.services.counts("dhcp").reloads;

  const auto rolled = node.Rollback();
  ASSERT_TRUE(rolled.ok()) << rolled.status();
  EXPECT_EQ(*node.host.files.Read(kPointer), old);
  EXPECT_EQ(Bytes("/run/dhcp-loaded/10.30.0.0_24"), "10.10.0.11");
  EXPECT_EQ(node.host.services.counts("dhcp").reloads, reloads + 1);
  EXPECT_EQ(Bytes(kTrust), "A");
  EXPECT_EQ(OutcomeOf(*rolled, "pointer 10.30.0.0/24"), v1::OUTCOME_CHANGED);
  EXPECT_EQ(OutcomeOf(*rolled, "trust u-trust/a"), v1::OUTCOME_UNCHANGED);
  // What was done, the other way round.
  const v1::Change& there = report->resources(1).changes(0);
  const v1::Change& back = rolled->resources(0).changes(0);
  ASSERT_EQ(back.fields_size(), there.fields_size());
  EXPECT_EQ(back.fields(0).after(), there.fields(0).before());
  EXPECT_THAT(there.text(), HasSubstr("10.10.0.11 -> 10.20.0.11"));
  EXPECT_THAT(back.text(), HasSubstr("10.20.0.11 -> 10.10.0.11"));
  EXPECT_EQ(rolled->generation(), 2u);
}

TEST_F(RollbackTest, IncludeTrustTakesEverythingBackAlsoLater) {
  node.Apply({TrustResource("u-trust", "a", "A"), PointerResource("10.30.0.0/24", {"10.20.0.11"})})
      .value();
  node.Rollback().value();
  EXPECT_EQ(Bytes(kTrust), "A");
  const auto rolled = node.Rollback(/*include_trust=*/true);
  ASSERT_TRUE(rolled.ok());
  EXPECT_EQ(Bytes(kTrust), "absent");
  EXPECT_EQ(*node.host.files.Read(kPointer), old);
  EXPECT_EQ(rolled->resources_size(), 1);
  EXPECT_EQ(OutcomeOf(*rolled, "trust u-trust/a"), v1::OUTCOME_CHANGED);
}

TEST_F(RollbackTest, NodeThatOnlyGainedTrustIsLeftAlone) {
  node.Apply({TrustResource("u-trust", "a", "A")}).value();
  node.host.calls.Reset();
  const auto rolled = node.Rollback();
  ASSERT_TRUE(rolled.ok());
  EXPECT_EQ(OutcomeOf(*rolled, "trust u-trust/a"), v1::OUTCOME_UNCHANGED);
  EXPECT_EQ(node.host.calls.count(), 0u);
  EXPECT_EQ(Status().held(), "");
  EXPECT_EQ(Status().documents(0).converged(), 1u);
}

TEST_F(RollbackTest, ServiceThatOnlyLoadsKeptTrustIsLeftAlone) {
  kinds.registry.push_back(std::make_unique<ServiceKind>());
  node.host.services.Add("tvs", true);
  v1::Resource tvs;
  tvs.set_id("service tvs");
  tvs.add_notified_by("trust u-trust/a");
  tvs.mutable_service()->set_name("tvs");
  tvs.mutable_service()->set_state(v1::SERVICE_CONDITION_RESTARTED);
  node.Apply({TrustResource("u-trust", "a", "A"), tvs,
              PointerResource("10.30.0.0/24", {"10.20.0.11"})})
      .value();
  EXPECT_EQ(node.host.services.counts("tvs").restarts, 1);
  EXPECT_THAT(Status().reloads_owed(), IsEmpty());

  const auto rolled = node.Rollback();
  EXPECT_EQ(OutcomeOf(*rolled, "service tvs"), v1::OUTCOME_UNCHANGED);
  EXPECT_EQ(OutcomeOf(*rolled, "pointer 10.30.0.0/24"), v1::OUTCOME_CHANGED);
  EXPECT_EQ(node.host.services.counts("tvs").restarts, 1);
  const auto all = node.Rollback(/*include_trust=*/true);
  EXPECT_EQ(OutcomeOf(*all, "service tvs"), v1::OUTCOME_CHANGED);
  EXPECT_EQ(Bytes(kTrust), "absent");
  EXPECT_EQ(node.host.services.counts("tvs").restarts, 2);
}

TEST_F(RollbackTest, ServiceThatHasNotLoadedWhatIsOnDiskIsOwedAReload) {
  kinds.registry.push_back(std::make_unique<ServiceKind>());
  node.host.services.Add("tvs", true);
  v1::Resource tvs;
  tvs.set_id("service tvs");
  tvs.add_notified_by("trust u-trust/a");
  tvs.mutable_service()->set_name("tvs");
  tvs.mutable_service()->set_state(v1::SERVICE_CONDITION_RESTARTED);
  node.Apply({TrustResource("u-trust", "a", "A"), tvs}).value();
  for (const auto& [path, image] : node.host.files.Snapshot()) {
    if (absl::EndsWith(path, ".loaded")) node.host.files.Erase(path);
  }
  EXPECT_THAT(Status().reloads_owed(), ElementsAre("tvs"));
  EXPECT_EQ(Status().documents(0).converged(), 1u);
}

TEST_F(RollbackTest, NothingToUndoIsUnchanged) {
  const auto rolled = node.Rollback();
  ASSERT_TRUE(rolled.ok());
  ASSERT_EQ(rolled->resources_size(), 1);
  EXPECT_EQ(rolled->resources(0).outcome(), v1::OUTCOME_UNCHANGED);
  EXPECT_EQ(rolled->generation(), 0u);
}

TEST_F(RollbackTest, ANodeThatTheNamedRunDidNotChangeIsLeftAlone) {
  ApplyRun(node.Document({PointerResource("10.30.0.0/24", {"10.20.0.11"})}), 1, "r1");
  node.host.calls.Reset();
  const auto rolled = RollbackOf("r2");
  ASSERT_EQ(rolled.resources_size(), 1);
  EXPECT_EQ(OutcomeOf(rolled, "rollback"), v1::OUTCOME_UNCHANGED);
  EXPECT_THAT(rolled.resources(0).summary(), HasSubstr("run r2"));
  EXPECT_EQ(Bytes(kPointer), "10.20.0.11");
  EXPECT_EQ(node.host.calls.count(), 0u);
  EXPECT_EQ(Status().held(), "");
}

TEST_F(RollbackTest, TheNamedRunIsUndoneOnce) {
  ApplyRun(node.Document({PointerResource("10.30.0.0/24", {"10.20.0.11"})}), 1, "r1");
  ApplyRun(node.Document({PointerResource("10.30.0.0/24", {"10.20.0.12"})}), 1, "r2");
  EXPECT_EQ(OutcomeOf(RollbackOf("r2"), "pointer 10.30.0.0/24"), v1::OUTCOME_CHANGED);
  EXPECT_EQ(Bytes(kPointer), "10.20.0.11");
  EXPECT_THAT(Status().held(), HasSubstr("r2"));
  // Once more is not the run before it.
  EXPECT_EQ(OutcomeOf(RollbackOf("r2"), "rollback"), v1::OUTCOME_UNCHANGED);
  EXPECT_EQ(Bytes(kPointer), "10.20.0.11");
}

TEST_F(RollbackTest, ARunBeforeALaterOneIsRefusedUntilThatIsRolledBack) {
  ApplyRun(node.Document({PointerResource("10.30.0.0/24", {"10.20.0.11"})}), 1, "r1");
  ApplyRun(node.Document({PointerResource("10.31.0.0/24", {"10.20.0.12"})}, "other"), 1, "r2");
  node.host.calls.Reset();
  const auto refused = RollbackOf("r1");
  EXPECT_EQ(OutcomeOf(refused, "rollback"), v1::OUTCOME_REFUSED);
  EXPECT_THAT(refused.resources(0).reasons(),
              ElementsAre("run r2 changed this node after run r1; roll back r2 first"));
  EXPECT_EQ(node.host.calls.count(), 0u);
  EXPECT_EQ(Status().held(), "");

  RollbackOf("r2");
  EXPECT_EQ(OutcomeOf(RollbackOf("r1"), "pointer 10.30.0.0/24"), v1::OUTCOME_CHANGED);
  EXPECT_EQ(*node.host.files.Read(kPointer), old);
}

TEST_F(RollbackTest, ALaterRunWhoseTrustStaysIsNotInTheWay) {
  ApplyRun(node.Document({PointerResource("10.30.0.0/24", {"10.20.0.11"})}), 1, "r1");
  ApplyRun(node.Document({TrustResource("u-trust", "a", "A")}, "other"), 1, "r2");
  EXPECT_EQ(OutcomeOf(RollbackOf("r1", /*include_trust=*/true), "rollback"), v1::OUTCOME_REFUSED);
  EXPECT_EQ(OutcomeOf(RollbackOf("r1"), "pointer 10.30.0.0/24"), v1::OUTCOME_CHANGED);
  EXPECT_EQ(*node.host.files.Read(kPointer), old);
  EXPECT_EQ(Bytes(kTrust), "A");
}

TEST_F(RollbackTest, EnforcementIsHeldUntilTheNextApply) {
  const v1::Envelope first = node.Document({PointerResource("10.30.0.0/24", {"10.20.0.11"})});
  const v1::Envelope second = node.Document({PointerResource("10.30.0.0/24", {"10.20.0.12"})});
  ApplyRun(first, 1, "r1");
  ApplyRun(second, 1, "r2");
  const std::string digest_before = [&] {
    node.Rollback().value();
    return Status().documents(0).document_sha256();
  }();
  EXPECT_EQ(Bytes(kPointer), "10.20.0.11");
  EXPECT_THAT(Status().held(), HasSubstr("r2"));
  // The document of before the run is back, and the node is in line with it.
  ASSERT_TRUE(node.Restart().ok());
  EXPECT_EQ(Status().documents(0).document_sha256(), digest_before);
  EXPECT_EQ(Status().documents(0).converged(), 1u);
  EXPECT_THAT(Status().held(), HasSubstr("r2"));
  EXPECT_EQ(node.host.calls.count(), 0u);  // starting and looking enforce nothing

  // A no-op apply of the restored document lifts it too.
  ApplyRun(first, 1, "r3");
  EXPECT_EQ(Status().held(), "");
  EXPECT_EQ(Bytes(kPointer), "10.20.0.11");
}

TEST_F(RollbackTest, RollingBackTwiceGoesToTheRunBefore) {
  ApplyRun(node.Document({PointerResource("10.30.0.0/24", {"10.20.0.11"})}), 1, "r1");
  ApplyRun(node.Document({PointerResource("10.30.0.0/24", {"10.20.0.12"})}), 1, "r2");
  node.Rollback().value();
  EXPECT_EQ(Bytes(kPointer), "10.20.0.11");
  node.Rollback().value();
  EXPECT_EQ(*node.host.files.Read(kPointer), old);
  EXPECT_EQ(Status().documents_size(), 0);
  const auto third = node.Rollback();
  EXPECT_EQ(third->resources(0).id(), "rollback");
  EXPECT_EQ(Status().generations_size(), 4);
  EXPECT_TRUE(Status().generations(3).rolled_back());
}

TEST_F(RollbackTest, AllStagesOfTheRunGoBackInOneTransaction) {
  v1::Resource later = PointerResource("10.31.0.0/24", {"10.20.0.11"});
  later.set_stage(2);
  v1::Resource again = PointerResource("10.30.0.0/24", {"10.20.0.12"});
  again.set_id("pointer once more");
  again.set_stage(3);
  const v1::Envelope document =
      node.Document({PointerResource("10.30.0.0/24", {"10.20.0.11"}), later, again});
  for (uint32_t stage = 1; stage <= 3; ++stage) ApplyRun(document, stage, "r1");
  EXPECT_EQ(Bytes(kPointer), "10.20.0.12");
  EXPECT_EQ(Status().documents(0).stages_passed(), 3u);
  const auto rolled = node.Rollback();
  ASSERT_TRUE(rolled.ok());
  EXPECT_EQ(rolled->generation(), 4u);
  EXPECT_EQ(*node.host.files.Read(kPointer), old);
  EXPECT_EQ(Bytes("/etc/pointers/10.31.0.0_24"), "absent");
  EXPECT_EQ(Status().documents_size(), 0);
}

TEST_F(RollbackTest, Scenario34OnlyTheNamedStageOfTheRunGoesBack) {
  const v1::Envelope document = Waves();
  for (uint32_t stage = 1; stage <= 3; ++stage) ApplyRun(document, stage, "r1");
  const auto rolled = RollbackOfStage("r1", 3);
  EXPECT_EQ(OutcomeOf(rolled, "pointer once more"), v1::OUTCOME_CHANGED);
  EXPECT_EQ(OutcomeOf(rolled, "pointer 10.31.0.0/24"), v1::OUTCOME_UNSPECIFIED);
  EXPECT_EQ(rolled.resources(0).summary(), "as before stage 3 of run r1");
  // The waves before it stay, and stay in force.
  EXPECT_EQ(Bytes(kPointer), "10.20.0.11");
  EXPECT_EQ(Bytes("/etc/pointers/10.31.0.0_24"), "10.20.0.11");
  EXPECT_EQ(Status().documents(0).stages_passed(), 2u);
  EXPECT_EQ(Status().documents(0).resources(), 2u);
  EXPECT_THAT(Status().held(), HasSubstr("stage 3 of run r1"));
  // Once more is nothing; the next one is the stage before it, then the whole run.
  EXPECT_EQ(OutcomeOf(RollbackOfStage("r1", 3), "rollback"), v1::OUTCOME_UNCHANGED);
  EXPECT_EQ(OutcomeOf(RollbackOfStage("r1", 2), "pointer 10.31.0.0/24"), v1::OUTCOME_CHANGED);
  EXPECT_EQ(Bytes("/etc/pointers/10.31.0.0_24"), "absent");
  RollbackOf("r1");
  EXPECT_EQ(*node.host.files.Read(kPointer), old);
  EXPECT_EQ(Status().documents_size(), 0);
}

TEST_F(RollbackTest, Scenario34AStagePutBackIsAppliedAgainByTheNextRun) {
  const v1::Envelope document = Waves();
  for (uint32_t stage = 1; stage <= 3; ++stage) ApplyRun(document, stage, "r1");
  RollbackOfStage("r1", 3);
  for (uint32_t stage = 1; stage <= 2; ++stage) ApplyRun(document, stage, "r2");
  EXPECT_EQ(Bytes(kPointer), "10.20.0.11");
  ApplyRun(document, 3, "r2");
  EXPECT_EQ(Bytes(kPointer), "10.20.0.12");
  EXPECT_EQ(Status().documents(0).stages_passed(), 3u);
}

TEST_F(RollbackTest, Scenario34AStageBeforeALaterOneOfTheRunIsRefused) {
  const v1::Envelope document = Waves();
  for (uint32_t stage = 1; stage <= 3; ++stage) ApplyRun(document, stage, "r1");
  const auto refused = RollbackOfStage("r1", 1);
  EXPECT_EQ(OutcomeOf(refused, "rollback"), v1::OUTCOME_REFUSED);
  EXPECT_THAT(refused.resources(0).reasons(),
              ElementsAre("run r1 (stage 3) changed this node after stage 1 of run r1; roll back "
                          "r1 (stage 3) first"));
  EXPECT_EQ(Bytes(kPointer), "10.20.0.12");
}

TEST_F(RollbackTest, Scenario34AnOlderDocumentIsInForceAgainForTheStagePutBack) {
  ApplyRun(node.Document({PointerResource("10.30.0.0/24", {"10.20.0.9"})}), 1, "r0");
  v1::Resource second = PointerResource("10.31.0.0/24", {"10.20.0.11"});
  second.set_stage(2);
  const v1::Envelope document =
      node.Document({PointerResource("10.30.0.0/24", {"10.20.0.11"}), second});
  ApplyRun(document, 1, "r1");
  RollbackOfStage("r1", 1);
  EXPECT_EQ(Bytes(kPointer), "10.20.0.9");
  EXPECT_EQ(Status().documents(0).resources(), 1u);
  EXPECT_EQ(Status().documents(0).converged(), 1u);
}

TEST_F(RollbackTest, AStageOfNoNamedRunIsAnError) {
  v1::RollbackStart request;
  request.set_run_id("r2");
  request.set_stage(1);
  EXPECT_TRUE(absl::IsInvalidArgument(
      node.converger().Rollback(request, "", node.prover, nullptr).status()));
}

TEST_F(RollbackTest, StagesOfTheRunThatChangedNothingGoBackToo) {
  // Stage 1 is a no-op of the run, but it moved the document: rollback must not leave it half way.
  const v1::Envelope first = node.Document({PointerResource("10.30.0.0/24", {"10.20.0.11"})});
  ApplyRun(first, 1, "r1");
  const std::string before = Status().documents(0).document_sha256();
  v1::Resource later = PointerResource("10.31.0.0/24", {"10.20.0.11"});
  later.set_stage(2);
  const v1::Envelope second =
      node.Document({PointerResource("10.30.0.0/24", {"10.20.0.11"}), later});
  EXPECT_EQ(ApplyRun(second, 1, "r2").generation(), 0u);
  ApplyRun(second, 2, "r2");
  node.Rollback().value();
  EXPECT_EQ(Status().documents(0).document_sha256(), before);
  EXPECT_EQ(Bytes("/etc/pointers/10.31.0.0_24"), "absent");
  EXPECT_EQ(Bytes(kPointer), "10.20.0.11");
}

TEST_F(RollbackTest, ARunOfMoreStagesThanGenerationsAreKeptGoesBackWhole) {
  constexpr uint32_t kStages = 70;
  std::vector<v1::Resource> pointers;
  for (uint32_t stage = 1; stage <= kStages; ++stage) {
    v1::Resource pointer = PointerResource(absl::StrCat("10.31.", stage, ".0/24"), {"10.20.0.11"});
    pointer.set_stage(stage);
    pointers.push_back(std::move(pointer));
  }
  const v1::Envelope document = node.Document(pointers);
  for (uint32_t stage = 1; stage <= kStages; ++stage) ApplyRun(document, stage, "r1");
  ASSERT_EQ(node.host.files.List("/etc/pointers")->size(), kStages + 1);
  const auto rolled = RollbackOf("r1");
  EXPECT_EQ(OutcomeOf(rolled, "pointer 10.31.1.0/24"), v1::OUTCOME_CHANGED);
  EXPECT_EQ(OutcomeOf(rolled, "pointer 10.31.70.0/24"), v1::OUTCOME_CHANGED);
  EXPECT_THAT(*node.host.files.List("/etc/pointers"), ElementsAre("10.30.0.0_24"));
  EXPECT_EQ(*node.host.files.Read(kPointer), old);
  EXPECT_EQ(Status().documents_size(), 0);
}

TEST_F(RollbackTest, AFileChangedSinceIsRefusedAndNamed) {
  node.Apply({PointerResource("10.30.0.0/24", {"10.20.0.11"}),
              PointerResource("10.31.0.0/24", {"10.20.0.11"})})
      .value();
  node.host.files.Put(kPointer, "changed by hand");
  node.host.calls.Reset();
  const auto rolled = node.Rollback();
  ASSERT_TRUE(rolled.ok());
  EXPECT_EQ(OutcomeOf(*rolled, "pointer 10.30.0.0/24"), v1::OUTCOME_REFUSED);
  EXPECT_EQ(OutcomeOf(*rolled, "pointer 10.31.0.0/24"), v1::OUTCOME_BLOCKED);
  EXPECT_THAT(rolled->ShortDebugString(), HasSubstr(kPointer));
  EXPECT_EQ(node.host.calls.count(), 0u);
  EXPECT_EQ(Status().held(), "");
}

TEST_F(RollbackTest, AModeChangedSinceIsRefusedToo) {
  node.Apply({PointerResource("10.30.0.0/24", {"10.20.0.11"})}).value();
  FileImage image = *node.host.files.Read(kPointer);
  image.mode = 0666;
  node.host.files.Put(kPointer, image);
  EXPECT_EQ(node.Rollback()->resources(0).outcome(), v1::OUTCOME_REFUSED);
}

TEST_F(RollbackTest, ARollbackThatCannotReloadIsItselfPutBack) {
  node.Apply({PointerResource("10.30.0.0/24", {"10.20.0.11"})}).value();
  node.host.calls.Reset();
  // The first reload of the rollback fails; the one that puts it forward again works.
  node.Rollback().value();
  size_t reload = 0;
  const std::vector<std::string> calls = node.host.calls.calls();
  for (size_t i = 0; i < calls.size(); ++i) {
    if (absl::StartsWith(calls[i], "service-reload")) reload = i + 1;
  }
  ASSERT_GT(reload, 0u);
  node.Apply({PointerResource("10.30.0.0/24", {"10.20.0.11"})}).value();
  node.host.calls.Reset();
  node.host.calls.FailAt(reload, absl::UnavailableError("dhcp is down"));
  const auto rolled = node.Rollback();
  ASSERT_TRUE(rolled.ok());
  EXPECT_EQ(rolled->resources(0).outcome(), v1::OUTCOME_FAILED);
  EXPECT_THAT(rolled->ShortDebugString(), HasSubstr("dhcp is down"));
  EXPECT_EQ(Bytes(kPointer), "10.20.0.11");
  EXPECT_EQ(Bytes("/run/dhcp-loaded/10.30.0.0_24"), "10.20.0.11");
  EXPECT_EQ(Status().held(), "");
  EXPECT_EQ(Status().documents(0).converged(), 1u);
}

TEST_F(RollbackTest, WhatWasPutBackIsAskedForOnTheWireAfterTheCommit) {
  node.Apply({PointerResource("10.30.0.0/24", {"10.20.0.11"})}).value();
  kinds.pointer->undone_subnet = "10.30.0.0/24";
  node.prover.answer = [&](const std::string& from, const v1::ProbeRequest& probe) {
    EXPECT_EQ(from, "probe");
    EXPECT_EQ(probe.subnet(), "10.30.0.0/24");
    // Committed already: what fails now cannot bring the new value back.
    EXPECT_EQ(*node.host.files.Read(kPointer), old);
    EXPECT_FALSE(node.host.files.Read("/var/lib/trustline/journal").ok());
    v1::ProbeResponse response;
    response.set_option_150("10.10.0.11");
    return response;
  };
  const auto rolled = node.Rollback();
  ASSERT_TRUE(rolled.ok()) << rolled.status();
  EXPECT_EQ(node.prover.asked, 1);
  EXPECT_EQ(rolled->resources(0).outcome(), v1::OUTCOME_CHANGED);
}

TEST_F(RollbackTest, AFailedProofIsReportedAndRestoresNothing) {
  node.Apply({PointerResource("10.30.0.0/24", {"10.20.0.11"})}).value();
  kinds.pointer->undone_subnet = "10.30.0.0/24";
  const int reloads = node.host.services.counts("dhcp").reloads;
  node.prover.answer = [](const std::string&, const v1::ProbeRequest&) {
    v1::ProbeResponse response;
    response.set_option_150("10.20.0.11");
    return response;
  };
  const auto rolled = node.Rollback();
  ASSERT_TRUE(rolled.ok()) << rolled.status();
  EXPECT_EQ(rolled->resources(0).outcome(), v1::OUTCOME_FAILED);
  EXPECT_THAT(rolled->resources(0).reasons(),
              ElementsAre("put back, but not proven: the wire says otherwise"));
  EXPECT_EQ(rolled->resources(0).changes_size(), 1);
  EXPECT_EQ(rolled->generation(), 2u);
  EXPECT_EQ(*node.host.files.Read(kPointer), old);
  EXPECT_EQ(Bytes("/run/dhcp-loaded/10.30.0.0_24"), "10.10.0.11");
  EXPECT_EQ(node.host.services.counts("dhcp").reloads, reloads + 1);
  // It is rolled back all the same: held, and nothing is left to undo, also after a restart.
  EXPECT_THAT(Status().held(), HasSubstr("run-1"));
  ASSERT_TRUE(node.Restart().ok());
  EXPECT_EQ(*node.host.files.Read(kPointer), old);
  EXPECT_EQ(OutcomeOf(*node.Rollback(), "rollback"), v1::OUTCOME_UNCHANGED);
}

TEST_F(RollbackTest, AnUnansweredQuestionIsReportedToo) {
  node.Apply({PointerResource("10.30.0.0/24", {"10.20.0.11"})}).value();
  kinds.pointer->undone_subnet = "10.30.0.0/24";
  const auto rolled = node.Rollback();
  ASSERT_TRUE(rolled.ok()) << rolled.status();
  EXPECT_EQ(rolled->resources(0).outcome(), v1::OUTCOME_FAILED);
  EXPECT_THAT(rolled->resources(0).reasons(0), HasSubstr("nobody could ask from probe"));
  EXPECT_EQ(*node.host.files.Read(kPointer), old);
}

TEST_F(RollbackTest, OldGenerationsAreForgotten) {
  for (int i = 0; i < 70; ++i) {
    ApplyRun(node.Document({PointerResource("10.30.0.0/24", {absl::StrCat("10.20.0.", i + 1)})}), 1,
             absl::StrCat("r", i));
  }
  int images = 0;
  for (const auto& [path, image] : node.host.files.Snapshot()) {
    images += absl::EndsWith(path, ".images") ? 1 : 0;
  }
  EXPECT_EQ(images, 64);
  EXPECT_EQ(Status().generations_size(), 20);
  EXPECT_EQ(Status().generations(0).number(), 70u);
}

}  // namespace
}  // namespace trustline::agent
