// The converger over small kinds on a node in memory: plan and apply agree, a second run writes
// nothing, failures are put back.
#include "agent/converger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "protos/generic/kinds.h"
#include "tests/fakes/fake_hub.h"
#include "tests/fakes/fake_kinds.h"
#include "tests/fakes/kind_harness.h"

namespace trustline::agent {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ConvergerTest : public ::testing::Test {
 protected:
  ConvergerTest() : dialer(&hub), node("dst-pub", v1::Topology(), dialer, kinds.registry, Fleet()) {
    FakePointerKind::Install(node.host);
  }

  // One authority for all tests of the program: making keys is the slow part.
  static std::shared_ptr<TestFleet> Fleet() {
    static auto* const fleet = new std::shared_ptr<TestFleet>(std::make_shared<TestFleet>());
    return *fleet;
  }

  // Everything but what the agent keeps for itself and what the service has in memory.
  std::map<std::string, FileImage> World() const {
    std::map<std::string, FileImage> world;
    for (auto& [path, image] : node.host.files.Snapshot()) {
      if (!absl::StartsWith(path, "/var/lib/trustline/") && !absl::StartsWith(path, "/run/")) {
        world[path] = image;
      }
    }
    return world;
  }

  static std::vector<v1::Outcome> Outcomes(const v1::StageReport& report) {
    std::vector<v1::Outcome> outcomes;
    for (const auto& resource : report.resources()) outcomes.push_back(resource.outcome());
    return outcomes;
  }
  static std::string Reasons(const v1::ResourceOutcome& outcome) {
    std::string text;
    for (const std::string& reason : outcome.reasons()) text += reason + "\n";
    return text;
  }
  v1::StatusResponse Status() {
    v1::StatusResponse status;
    EXPECT_TRUE(node.converger().FillStatus(status).ok());
    return status;
  }

  FakeHubServer hub;
  FakeHubDialer dialer;
  FakeKinds kinds;
  KindHarness node;
};

TEST_F(ConvergerTest, PlanWritesNothingAndApplyDoesWhatItSaid) {
  const std::vector<v1::Resource> resources = {TrustResource("CallManager-trust", "a", "A"),
                                               PointerResource("10.30.0.0/24", {"10.20.0.11"})};
  const auto plan = node.Plan(resources);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(node.host.calls.count(), 0u);
  ASSERT_EQ(plan->resources_size(), 2);
  EXPECT_EQ(plan->resources(0).outcome(), v1::OUTCOME_WOULD_CHANGE);

  const auto report = node.Apply(resources);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(Outcomes(*report), ElementsAre(v1::OUTCOME_CHANGED, v1::OUTCOME_CHANGED));
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(report->resources(i).changes_size(), plan->resources(i).changes_size());
    for (int c = 0; c < plan->resources(i).changes_size(); ++c) {
      EXPECT_EQ(report->resources(i).changes(c).SerializeAsString(),
                plan->resources(i).changes(c).SerializeAsString());
    }
  }
  EXPECT_EQ(report->generation(), 1u);
  EXPECT_EQ(report->through_stage(), 1u);
  EXPECT_EQ(World().at("/etc/certificates/CallManager-trust/a").mode, 0640u);
  EXPECT_EQ(World().at("/etc/pointers/10.30.0.0_24").bytes, "10.20.0.11");
  EXPECT_EQ(node.host.services.counts("dhcp").reloads, 1);
}

TEST_F(ConvergerTest, SecondApplyWritesNothing) {
  const std::vector<v1::Resource> resources = {TrustResource("CallManager-trust", "a", "A"),
                                               PointerResource("10.30.0.0/24", {"10.20.0.11"})};
  const v1::Envelope document = node.Document(resources);
  ASSERT_TRUE(node.ApplyStage(document, 1).ok());
  node.host.calls.Reset();
  const auto again = node.ApplyStage(document, 1);
  ASSERT_TRUE(again.ok());
  EXPECT_THAT(Outcomes(*again), ElementsAre(v1::OUTCOME_UNCHANGED, v1::OUTCOME_UNCHANGED));
  EXPECT_EQ(again->generation(), 0u);
  EXPECT_EQ(again->through_stage(), 1u);
  EXPECT_THAT(node.host.calls.calls(), IsEmpty());
}

TEST_F(ConvergerTest, PlanIsEmptyExactlyWhenApplyWritesNothing) {
  // Every combination of what is there and what is asked for.
  for (int present = 0; present < 4; ++present) {
    for (int wanted = 0; wanted < 4; ++wanted) {
      KindHarness one("dst-pub", v1::Topology(), dialer, kinds.registry, Fleet());
      FakePointerKind::Install(one.host);
      const char* contents[] = {"", "A", "B", "C"};
      if (present != 0) {
        FileImage image;
        image.bytes = contents[present];
        one.host.files.Put("/etc/certificates/tomcat-trust/x", image);
      }
      const std::vector<v1::Resource> resources = {
          TrustResource("tomcat-trust", "x", contents[wanted])};
      const v1::Envelope document = one.Document(resources);
      const auto plan = one.PlanStage(document, 1);
      ASSERT_TRUE(plan.ok());
      const bool empty = plan->resources(0).changes().empty();
      EXPECT_EQ(empty, present == wanted);
      const auto before = one.host.files.Snapshot();
      const auto report = one.ApplyStage(document, 1);
      ASSERT_TRUE(report.ok());
      EXPECT_EQ(report->generation() == 0, empty);
      auto after = one.host.files.Snapshot();
      for (auto it = after.begin(); it != after.end();) {
        it = absl::StartsWith(it->first, "/var/lib/") ? after.erase(it) : std::next(it);
      }
      EXPECT_EQ(before == after, empty);
      EXPECT_TRUE(one.PlanStage(document, 1)->resources(0).changes().empty());
    }
  }
}

TEST_F(ConvergerTest, PlanIdTellsWhetherTheSameWillHappen) {
  const v1::Envelope document = node.Document({TrustResource("tomcat-trust", "x", "A")});
  const auto first = node.PlanStage(document, 1);
  const auto second = node.PlanStage(document, 1);
  EXPECT_EQ(first->plan_id(), second->plan_id());
  node.host.files.Put("/etc/certificates/tomcat-trust/x", "B");
  EXPECT_NE(node.PlanStage(document, 1)->plan_id(), first->plan_id());

  StageRequest request;
  request.document = document;
  request.stage = 1;
  request.plan_id = first->plan_id();
  const auto refused = node.converger().ApplyStage(request, node.prover, nullptr, nullptr);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(node.host.calls.count(), 0u);
}

TEST_F(ConvergerTest, WhatFailsToStageFailsAloneAndBlocksWhatNeedsIt) {
  kinds.trust->interfere = [](const std::string& step, const v1::Resource& resource) {
    if (step == "stage" && resource.certificate().name() == "bad") {
      return absl::InvalidArgumentError("cannot be staged");
    }
    return absl::OkStatus();
  };
  v1::Resource needs = TrustResource("tomcat-trust", "needs", "N");
  needs.add_after("trust tomcat-trust/bad");
  const auto report = node.Apply({TrustResource("tomcat-trust", "bad", "B"), needs,
                                  TrustResource("tomcat-trust", "good", "G")});
  ASSERT_TRUE(report.ok());
  EXPECT_THAT(Outcomes(*report),
              ElementsAre(v1::OUTCOME_FAILED, v1::OUTCOME_BLOCKED, v1::OUTCOME_CHANGED));
  EXPECT_THAT(Reasons(report->resources(1)), HasSubstr("trust tomcat-trust/bad"));
  EXPECT_EQ(report->through_stage(), 0u);
  EXPECT_EQ(World().size(), 1u);
}

TEST_F(ConvergerTest, FailedProofPutsEverythingBack) {
  kinds.pointer->prove = true;
  node.prover.answer = [](const std::string&, const v1::ProbeRequest&) {
    v1::ProbeResponse response;
    response.set_option_150("something else");
    return response;
  };
  FileImage old;
  old.bytes = "10.10.0.11";
  old.mode = 0604;
  old.uid = 7;
  old.gid = 8;
  old.xattrs["user.note"] = std::string("\0\xff", 2);
  node.host.files.Put("/etc/pointers/10.30.0.0_24", old);
  const auto before = World();
  const auto report = node.Apply(
      {TrustResource("tomcat-trust", "x", "A"), PointerResource("10.30.0.0/24", {"10.20.0.11"})});
  ASSERT_TRUE(report.ok());
  EXPECT_THAT(Outcomes(*report), ElementsAre(v1::OUTCOME_ROLLED_BACK, v1::OUTCOME_FAILED));
  EXPECT_THAT(Reasons(report->resources(1)), HasSubstr("the wire says otherwise"));
  EXPECT_EQ(World(), before);
  EXPECT_EQ(report->generation(), 0u);
  EXPECT_EQ(node.host.services.counts("dhcp").reloads, 2);  // the effect, and taking it back
}

TEST_F(ConvergerTest, UnchangedResourcesAreProvenToo) {
  kinds.pointer->prove = true;
  std::string wire = "10.20.0.11";
  node.prover.answer = [&](const std::string&, const v1::ProbeRequest&) {
    v1::ProbeResponse response;
    response.set_option_150(wire);
    return response;
  };
  const v1::Envelope document = node.Document({PointerResource("10.30.0.0/24", {"10.20.0.11"})});
  EXPECT_THAT(Outcomes(*node.ApplyStage(document, 1)), ElementsAre(v1::OUTCOME_CHANGED));
  EXPECT_THAT(Outcomes(*node.ApplyStage(document, 1)), ElementsAre(v1::OUTCOME_UNCHANGED));
  EXPECT_EQ(node.prover.asked, 2);
  wire = "";
  node.host.calls.Reset();
  EXPECT_THAT(Outcomes(*node.ApplyStage(document, 1)), ElementsAre(v1::OUTCOME_FAILED));
  EXPECT_EQ(node.host.calls.count(), 0u);
}

TEST_F(ConvergerTest, ReportModeSaysWhatWouldChangeAndChangesNothing) {
  v1::Resource resource = TrustResource("tomcat-trust", "x", "A");
  resource.set_mode(v1::MODE_REPORT);
  const auto report = node.Apply({resource});
  ASSERT_TRUE(report.ok());
  EXPECT_THAT(Outcomes(*report), ElementsAre(v1::OUTCOME_WOULD_CHANGE));
  EXPECT_EQ(report->resources(0).changes_size(), 1);
  EXPECT_THAT(World(), IsEmpty());
  EXPECT_EQ(report->through_stage(), 1u);  // nothing that is to be enforced is missing
}

TEST_F(ConvergerTest, MissingSecretIsPendingAndNamed) {
  v1::Resource resource;
  resource.mutable_bundle_import()->set_exchange("spring");
  resource.mutable_bundle_import()->mutable_hub()->mutable_password()->set_name("env:HUB_PASSWORD");
  class Import final : public ResourceKind {
   public:
    std::string name() const override { return "bundle_import"; }
    std::vector<std::string> Claims(const v1::Resource&) const override { return {}; }
    absl::StatusOr<Resolved> Resolve(const PlanContext&) const override {
      return absl::InternalError("asked although a secret is missing");
    }
    absl::StatusOr<Observed> Observe(const PlanContext&,
                                     const google::protobuf::Message&) const override {
      return absl::InternalError("not reached");
    }
    absl::Status Stage(const PlanContext&, const google::protobuf::Message&,
                       const google::protobuf::Message&, TransactionBuilder&) const override {
      return absl::InternalError("not reached");
    }
  };
  kinds.registry.push_back(std::make_unique<Import>());
  const auto plan = node.Plan({resource});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->resources(0).outcome(), v1::OUTCOME_PENDING);
  EXPECT_THAT(plan->resources(0).reasons(), ElementsAre("secret env:HUB_PASSWORD not held"));
}

TEST_F(ConvergerTest, UnknownKindIsUnsupported) {
  v1::Resource resource;
  resource.mutable_service()->set_name("tvs");
  const auto plan = node.Plan({resource});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->resources(0).outcome(), v1::OUTCOME_UNSUPPORTED);
}

TEST_F(ConvergerTest, OnlyAsksForPartAndDoesNotPassTheStage) {
  StageRequest request;
  request.document =
      node.Document({TrustResource("u-trust", "a", "A"), TrustResource("u-trust", "b", "B")});
  request.stage = 1;
  request.only = {"trust u-trust/b"};
  request.run_id = "r";
  const auto report = node.converger().ApplyStage(request, node.prover, nullptr, nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(Outcomes(*report), ElementsAre(v1::OUTCOME_CHANGED));
  EXPECT_EQ(report->through_stage(), 0u);
  EXPECT_EQ(World().count("/etc/certificates/u-trust/a"), 0u);
  // It is in force all the same.
  EXPECT_EQ(Status().documents(0).resources(), 1u);

  request.only = {"no such thing"};
  EXPECT_EQ(node.converger().PlanStage(request).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(ConvergerTest, WhatALeftOutResourceWouldChangeBlocksWhatNeedsIt) {
  v1::Resource needs = TrustResource("u-trust", "b", "B");
  needs.add_after("trust u-trust/a");
  StageRequest request;
  request.document = node.Document({TrustResource("u-trust", "a", "A"), needs});
  request.stage = 1;
  request.only = {"trust u-trust/b"};
  const auto plan = node.converger().PlanStage(request);
  ASSERT_TRUE(plan.ok());
  ASSERT_EQ(plan->resources_size(), 1);
  EXPECT_EQ(plan->resources(0).outcome(), v1::OUTCOME_BLOCKED);
}

TEST_F(ConvergerTest, DocumentsOfOthersAreRefused) {
  v1::DesiredState state;
  state.set_node("dst-sub1");
  state.set_playbook("site");
  state.add_stages()->set_number(1);
  const auto plan_of = [&](const v1::Envelope& envelope) {
    return node.PlanStage(envelope, 1).status();
  };
  EXPECT_THAT(std::string(plan_of(node.fleet().SealDocument(state)).message()),
              AllOf(HasSubstr("dst-sub1"), HasSubstr("dst-pub")));
  state.set_node("dst-pub");
  EXPECT_TRUE(plan_of(node.fleet().SealDocument(state)).ok());
  EXPECT_EQ(
      plan_of(node.fleet().SealAs(state, {"example.net", IdentityKind::kAgent, "dst-sub1"})).code(),
      absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(
      plan_of(node.fleet().SealAs(state, {"evil.net", IdentityKind::kOperator, "eve"})).code(),
      absl::StatusCode::kInvalidArgument);
  v1::Envelope forged = node.fleet().SealDocument(state);
  forged.mutable_payload()->append("\x12\x01x");
  EXPECT_EQ(plan_of(forged).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(node.PlanStage(node.fleet().SealDocument(state), 2).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(ConvergerTest, CollidingPlaybooksAreRefusedNamingBoth) {
  ASSERT_TRUE(
      node.ApplyStage(node.Document({PointerResource("10.30.0.0/24", {"10.20.0.11"})}, "first"), 1)
          .ok());
  const auto report = node.ApplyStage(
      node.Document({PointerResource("10.30.0.0/24", {"10.20.0.12"})}, "second"), 1);
  EXPECT_EQ(report.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(report.status().message()),
              AllOf(HasSubstr("first"), HasSubstr("second"), HasSubstr("10.30.0.0/24")));
  EXPECT_TRUE(
      node.ApplyStage(node.Document({PointerResource("10.31.0.0/24", {"10.20.0.12"})}, "second"), 1)
          .ok());
}

TEST_F(ConvergerTest, CancelledBeforeTheTransactionTouchesNothing) {
  StageRequest request;
  request.document = node.Document({TrustResource("u-trust", "a", "A")});
  request.stage = 1;
  const auto report =
      node.converger().ApplyStage(request, node.prover, nullptr, [] { return true; });
  ASSERT_TRUE(report.ok());
  EXPECT_THAT(Outcomes(*report), ElementsAre(v1::OUTCOME_CANCELLED));
  EXPECT_EQ(node.host.calls.count(), 0u);
}

TEST_F(ConvergerTest, CancelledHalfWayIsPutBack) {
  StageRequest request;
  request.document = node.Document({PointerResource("10.30.0.0/24", {"10.20.0.11"})});
  request.stage = 1;
  // Cancelled once the pointer's file is in place.
  const auto cancelled = [&] {
    return node.host.files.Snapshot().count("/etc/pointers/10.30.0.0_24") != 0;
  };
  const auto report = node.converger().ApplyStage(request, node.prover, nullptr, cancelled);
  ASSERT_TRUE(report.ok());
  EXPECT_THAT(Outcomes(*report), ElementsAre(v1::OUTCOME_ROLLED_BACK));
  EXPECT_THAT(World(), IsEmpty());
}

TEST_F(ConvergerTest, TwoResourcesMayEditOneFileTogetherButNotBlindly) {
  // Both pointers of one subnet write one file; FakePointerKind asks for the upcoming content
  // first.
  v1::Resource other = PointerResource("10.30.0.0/24", {"10.20.0.12"});
  other.set_id("other");
  const auto edited = node.Apply({PointerResource("10.30.0.0/24", {"10.20.0.11"}), other});
  ASSERT_TRUE(edited.ok());
  // The first one's look finds the second one's content: refused as a whole, put back.
  EXPECT_THAT(Outcomes(*edited), ElementsAre(v1::OUTCOME_FAILED, v1::OUTCOME_ROLLED_BACK));

  v1::Resource blind = TrustResource("u-trust", "a", "B");
  blind.set_id("blind");
  const auto refused = node.Apply({TrustResource("u-trust", "a", "A"), blind});
  ASSERT_TRUE(refused.ok());
  EXPECT_THAT(Outcomes(*refused), ElementsAre(v1::OUTCOME_CHANGED, v1::OUTCOME_FAILED));
  EXPECT_THAT(Reasons(refused->resources(1)), HasSubstr("already written by"));
}

TEST_F(ConvergerTest, PlansAndStatusRunBesideAnApply) {
  const v1::Envelope odd = node.Document({TrustResource("u-trust", "a", "A")});
  const v1::Envelope even = node.Document({TrustResource("u-trust", "a", "B")});
  std::atomic<bool> done = false;
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!done) {
        EXPECT_TRUE(node.PlanStage(odd, 1).ok());
        v1::StatusResponse status;
        EXPECT_TRUE(node.converger().FillStatus(status).ok());
      }
    });
  }
  std::vector<std::thread> writers;
  for (int i = 0; i < 2; ++i) {
    writers.emplace_back([&, i] {
      FakeProver prover;
      StageRequest mine;
      mine.document = i == 0 ? odd : even;
      mine.stage = 1;
      mine.run_id = absl::StrCat("r", i);
      for (int n = 0; n < 20; ++n) {
        const auto report = node.converger().ApplyStage(mine, prover, nullptr, nullptr);
        ASSERT_TRUE(report.ok());
        EXPECT_TRUE(report->resources(0).outcome() == v1::OUTCOME_CHANGED ||
                    report->resources(0).outcome() == v1::OUTCOME_UNCHANGED);
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  done = true;
  for (std::thread& reader : readers) reader.join();
}

TEST_F(ConvergerTest, StatusTellsDrift) {
  ASSERT_TRUE(
      node.Apply({TrustResource("u-trust", "a", "A"), TrustResource("u-trust", "b", "B")}).ok());
  EXPECT_EQ(Status().documents(0).converged(), 2u);
  EXPECT_EQ(Status().generations_size(), 1);
  EXPECT_THAT(Status().last_change(), HasSubstr("trust u-trust/a"));
  node.host.files.Erase("/etc/certificates/u-trust/b");
  node.host.calls.Reset();
  const v1::StatusResponse status = Status();
  EXPECT_EQ(status.documents(0).resources(), 2u);
  EXPECT_EQ(status.documents(0).converged(), 1u);
  EXPECT_THAT(status.documents(0).drifted(), ElementsAre(HasSubstr("trust u-trust/b")));
  EXPECT_EQ(node.host.calls.count(), 0u);
}

TEST_F(ConvergerTest, StatusKeepsTheLastLookWhereItCannotLook) {
  ASSERT_TRUE(node.Apply({TrustResource("u-trust", "a", "A")}).ok());
  node.host.clock.Advance(absl::Hours(5));
  const int64_t then = Status().documents(0).checked_unix();
  node.host.clock.Advance(absl::Hours(5));
  kinds.trust->interfere = [](const std::string&, const v1::Resource&) {
    return absl::UnavailableError("hub gone");
  };
  const v1::StatusResponse status = Status();
  EXPECT_EQ(status.documents(0).converged(), 1u);
  EXPECT_EQ(status.documents(0).checked_unix(), then);
}

}  // namespace
}  // namespace trustline::agent
