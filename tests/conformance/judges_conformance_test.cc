// What every kind that judges promises: it closes no difference, so it is looked at for what it
// says and for what it leaves alone. A new one adds a case below.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>

#include "absl/strings/match.h"
#include "google/protobuf/descriptor.h"
#include "protos/generic/kinds.h"
#include "protos/generic/state_diff.h"
#include "protos/yaml/document.h"
#include "protos/yaml/message_reader.h"
#include "tests/fakes/filled_message.h"
#include "tests/fakes/gate_world.h"
#include "tests/fakes/two_clusters.h"

namespace trustline::agent {
namespace {

using google::protobuf::Message;

// A node whose resource judges something that can be made good or bad.
struct World {
  GateWorld gate;
  FakeHubServer server;
  FakeHubDialer dialer{&server};
  KindRegistry kinds = MakeKindRegistry(gate.Networks());
  std::unique_ptr<KindHarness> harness;
  v1::Resource resource;
  std::function<void()> make_good;
};

const std::map<std::string, std::function<void(World&)>>& Cases() {
  static const auto& cases = *new std::map<std::string, std::function<void(World&)>>{
      {"trust_gate",
       [](World& world) {
         *world.resource.mutable_trust_gate() = world.gate.spec;
         world.harness = std::make_unique<KindHarness>("probe-floor3", world.gate.topology,
                                                       world.dialer, world.kinds);
         world.make_good = [&world] { world.gate.Import(); };
       }},
  };
  return cases;
}

std::vector<std::string> JudgingKinds() {
  std::vector<std::string> names;
  for (const KindDescriptor& kind : AllKinds()) {
    if (kind.rule.judges()) names.push_back(kind.name);
  }
  return names;
}

class JudgeConformance : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    ASSERT_EQ(Cases().count(GetParam()), 1u) << "give the kind a case in this file";
    Cases().at(GetParam())(world_);
  }
  KindHarness& harness() { return *world_.harness; }
  const KindDescriptor& descriptor() const { return *FindKind(GetParam()); }

  World world_;
};

INSTANTIATE_TEST_SUITE_P(Every, JudgeConformance, ::testing::ValuesIn(JudgingKinds()),
                         [](const auto& info) { return info.param; });

TEST_P(JudgeConformance, IsOfferedByTheAgent) {
  int offered = 0;
  for (const auto& offer : MakeKindRegistry()) offered += offer->name() == GetParam() ? 1 : 0;
  EXPECT_EQ(offered, 1);
}

TEST_P(JudgeConformance, RefusesWithReasonsAndAcceptsOnceItIsGood) {
  v1::ResourcePlan row = OnlyRow(harness().Plan({world_.resource}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_REFUSED) << row.DebugString();
  EXPECT_FALSE(row.reasons().empty());
  EXPECT_TRUE(row.changes().empty());
  world_.make_good();
  row = OnlyRow(harness().Plan({world_.resource}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_UNCHANGED) << row.DebugString();
}

TEST_P(JudgeConformance, PlanningTwiceSaysTheSame) {
  const absl::StatusOr<v1::Plan> first = harness().Plan({world_.resource});
  const absl::StatusOr<v1::Plan> second = harness().Plan({world_.resource});
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->SerializeAsString(), second->SerializeAsString());
  world_.make_good();
  EXPECT_NE(harness().Plan({world_.resource})->plan_id(), first->plan_id());
}

TEST_P(JudgeConformance, ApplyingChangesNothingOnTheNode) {
  for (const bool good : {false, true}) {
    if (good) world_.make_good();
    const absl::StatusOr<v1::StageReport> report = harness().Apply({world_.resource});
    const v1::ResourceOutcome row = OnlyRow(report);
    EXPECT_EQ(row.outcome(), good ? v1::OUTCOME_UNCHANGED : v1::OUTCOME_REFUSED);
    EXPECT_EQ(report->generation(), 0u);
    for (const auto& [path, image] : harness().host.files.Snapshot()) {
      EXPECT_TRUE(absl::StartsWith(path, harness().host.layout.state_directory + "/documents/"))
          << path;
    }
  }
  // Once it is in force, not even that.
  harness().host.calls.Reset();
  EXPECT_EQ(OnlyRow(harness().Apply({world_.resource})).outcome(), v1::OUTCOME_UNCHANGED);
  EXPECT_EQ(harness().host.calls.count(), 0u);
}

TEST_P(JudgeConformance, StatusDoesNotJudge) {
  world_.make_good();
  ASSERT_EQ(OnlyRow(harness().Apply({world_.resource})).outcome(), v1::OUTCOME_UNCHANGED);
  const int judged = world_.gate.opened;
  v1::StatusResponse status;
  ASSERT_TRUE(harness().converger().FillStatus(status).ok());
  EXPECT_EQ(world_.gate.opened, judged);
  ASSERT_EQ(status.documents_size(), 1);
  EXPECT_EQ(status.documents(0).converged(), 1u);
}

TEST_P(JudgeConformance, ShowsNoSecret) {
  v1::Resource resource;
  testing::FillEverything(MutableSpec(resource, descriptor()));
  EXPECT_TRUE(SecretNames(SpecOf(resource)).empty());
}

TEST_P(JudgeConformance, SpecAndStateSurviveTheWire) {
  v1::Resource resource;
  testing::FillEverything(MutableSpec(resource, descriptor()));
  testing::ExpectRoundTrip(resource);
  std::string name = descriptor().spec->full_name();
  ASSERT_TRUE(absl::EndsWith(name, "Spec"));
  name.replace(name.size() - 4, 4, "State");
  const auto* type =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
  ASSERT_NE(type, nullptr) << name;
  const std::unique_ptr<Message> state(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
  testing::FillEverything(*state);
  testing::ExpectRoundTrip(*state);
  EXPECT_TRUE(DiffState(*state, *state).empty());
}

TEST_P(JudgeConformance, ExampleCompiles) {
  yaml::Diagnostics diagnostics;
  const yaml::Value value =
      yaml::ParseYaml("example.yml", descriptor().rule.example(), diagnostics);
  v1::Resource resource;
  EXPECT_TRUE(yaml::ReadMessage(value, descriptor().name, {}, MutableSpec(resource, descriptor()),
                                diagnostics))
      << diagnostics.Render();
  EXPECT_FALSE(diagnostics.has_errors()) << diagnostics.Render();
}

}  // namespace
}  // namespace trustline::agent
