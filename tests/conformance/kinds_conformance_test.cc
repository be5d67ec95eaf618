// What every kind promises, checked for every kind of the proto through the real converger on a
// node in memory. A new kind adds one case below.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/dhcp/kea_config.h"
#include "google/protobuf/util/message_differencer.h"
#include "protos/generic/kinds.h"
#include "protos/generic/state_diff.h"
#include "protos/yaml/document.h"
#include "protos/yaml/message_reader.h"
#include "tests/fakes/filled_message.h"
#include "tests/fakes/two_clusters.h"
#include "trust/dhcp_message.h"

namespace trustline::agent {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using ::testing::HasSubstr;
using ::testing::Not;

// A node on which the resources have something to do, and everything they wait for is there.
struct World {
  TwoClusters clusters;
  std::string node = "src-sub1";
  std::vector<v1::Resource> resources;
  KindHarness& harness() { return clusters.Node(node); }
};

v1::Resource TrustCertificate() {
  static const Certificate certificate = testing::TestPki::UnitCertificate("trusted");
  v1::Resource resource;
  resource.mutable_certificate()->set_unit("CallManager-trust");
  resource.mutable_certificate()->set_purpose(v1::CERTIFICATE_PURPOSE_TRUST);
  resource.mutable_certificate()->set_state(v1::PRESENCE_PRESENT);
  resource.mutable_certificate()->set_pem(certificate.ToPem());
  return resource;
}

// A hub on which everybody has exported, made once: the sweeps need hundreds of them.
struct Exchanged {
  explicit Exchanged(bool consolidated) {
    TwoClusters clusters;
    clusters.GiveAllIdentities();
    clusters.ExportAll();
    if (consolidated) clusters.Consolidate();
    fleet = clusters.fleet;
    files = clusters.server.Files();
  }
  void PutInto(World& world) const {
    world.clusters.fleet = fleet;
    for (const auto& [path, bytes] : files) world.clusters.server.Put(path, bytes);
  }
  std::shared_ptr<TestFleet> fleet;
  std::map<std::string, std::string> files;
};

// Exchanges of trust lists: in "published" every node of a cluster has published, in "built" the
// lists are there too. Made once, as above.
struct ListExchanges {
  static constexpr char kNode[] = "src-pub";  // signs and serves its own list

  static v1::Resource Step(const TwoClusters& clusters, v1::TrustListStep step,
                           const std::string& exchange) {
    v1::Resource resource = clusters.List(step);
    resource.set_id(absl::StrCat("trust_list ", exchange));
    resource.mutable_trust_list()->set_exchange(exchange);
    resource.mutable_trust_list()->add_devices("SEP001B54AABB01");
    return resource;
  }
  ListExchanges() {
    TwoClusters clusters;
    clusters.GiveListIdentities("src");
    const auto apply = [&](const std::string& node, v1::TrustListStep step,
                           const std::string& exchange) {
      const v1::ResourceOutcome row =
          OnlyRow(clusters.Node(node).Apply({Step(clusters, step, exchange)}));
      EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED) << TextOf(row);
    };
    for (const char* exchange : {"published", "built"}) {
      for (const char* node : {"src-pub", "src-sub1"}) {
        apply(node, v1::TRUST_LIST_STEP_PUBLISH, exchange);
      }
    }
    apply(kNode, v1::TRUST_LIST_STEP_BUILD, "built");
    fleet = clusters.fleet;
    hub = clusters.server.Files();
    for (const auto& [path, image] : clusters.Node(kNode).host.files.Snapshot()) {
      if (absl::StartsWith(path, "/etc/certificates/")) identities.emplace(path, image);
    }
  }
  void PutInto(World& world) const {
    world.clusters.fleet = fleet;
    for (const auto& [path, bytes] : hub) world.clusters.server.Put(path, bytes);
    for (const auto& [path, image] : identities) world.harness().host.files.Put(path, image);
  }
  // `step` alone, in an exchange that has come as far as it needs.
  void PutStepInto(World& world, v1::TrustListStep step, const std::string& exchange) const {
    world.node = kNode;
    PutInto(world);
    world.resources = {Step(world.clusters, step, exchange)};
  }
  std::shared_ptr<TestFleet> fleet;
  std::map<std::string, std::string> hub;
  std::map<std::string, FileImage> identities;
};

const ListExchanges& Lists() {
  static const auto& lists = *new ListExchanges();
  return lists;
}

constexpr char kKeaConfig[] = R"({
  "Dhcp4": {
    "option-def": [ { "name": "voip-tftp", "code": 150, "type": "ipv4-address", "array": true } ],
    "subnet4": [
      { "subnet": "10.30.0.0/24", "id": 1,
        "option-data": [ { "name": "voip-tftp", "data": "10.10.0.11" } ] },
      { "subnet": "10.30.1.0/24", "id": 2 }
    ]
  }
}
)";

// What a server that runs its configuration answers on the wire.
absl::StatusOr<v1::ProbeResponse> Serve(const FakeDhcp& dhcp, const v1::ProbeRequest& ask) {
  v1::ProbeResponse response;
  response.set_how("DHCPINFORM");
  const absl::StatusOr<std::string> running = dhcp.RunningConfig();
  if (!running.ok()) return response;
  response.set_answered(true);
  const KeaPointer pointer =
      KeaConfig::Parse(*running)->Pointer({KeaScope::Type::kSubnet, ask.subnet()}).value();
  if (pointer.addresses.empty()) return response;
  response.set_present(true);
  response.set_option_150(EncodeOption150(pointer.addresses));
  return response;
}

// How a World becomes one for the kind. A kind may have several cases: "kind_case".
const std::map<std::string, std::function<void(World&)>>& Cases() {
  static const auto& cases = *new std::map<std::string, std::function<void(World&)>>{
      {"certificate",
       [](World& world) {
         world.harness().host.layout.merged_files["CallManager-trust"] = "/etc/merged.pem";
         v1::Resource identity;
         identity.mutable_certificate()->set_unit("CallManager");
         identity.mutable_certificate()->set_purpose(v1::CERTIFICATE_PURPOSE_IDENTITY);
         identity.mutable_certificate()->set_state(v1::PRESENCE_PRESENT);
         identity.mutable_certificate()->mutable_generate()->set_common_name("src-sub1");
         identity.mutable_certificate()->mutable_generate()->set_rsa_bits(1024);
         identity.mutable_certificate()->mutable_generate()->set_days(30);
         world.resources = {TrustCertificate(), identity};
       }},
      {"bundle_export",
       [](World& world) {
         world.clusters.GiveAllIdentities();
         world.resources = {world.clusters.Export({"CallManager", "ITLRecovery"})};
       }},
      {"bundle_consolidation",
       [](World& world) {
         static const Exchanged exchanged(/*consolidated=*/false);
         exchanged.PutInto(world);
         world.resources = {world.clusters.Consolidation()};
       }},
      {"bundle_import",
       [](World& world) {
         static const Exchanged exchanged(/*consolidated=*/true);
         exchanged.PutInto(world);
         world.harness().host.layout.merged_files["Phone-SAST-trust"] = "/etc/merged.pem";
         world.resources = {world.clusters.Import()};
       }},
      {"tftp_pointer",
       [](World& world) {
         world.node = "dhcp-a";
         v1::DhcpServer* server = world.clusters.topology.add_dhcp_servers();
         server->set_node(world.node);
         server->set_software("kea");
         FakeDhcp& dhcp = world.harness().host.dhcp;
         dhcp.Configure("/etc/kea/kea-dhcp4.conf", kKeaConfig, "10.30.0.2");
         world.harness().prover.answer = [&dhcp](const std::string&, const v1::ProbeRequest& ask) {
           return Serve(dhcp, ask);
         };
         for (const char* subnet : {"10.30.0.0/24", "10.30.1.0/24"}) {
           v1::Resource& resource = world.resources.emplace_back();
           resource.set_id(absl::StrCat("tftp_pointer ", subnet));
           v1::TftpPointerSpec& spec = *resource.mutable_tftp_pointer();
           spec.mutable_scope()->set_subnet(subnet);
           spec.add_tftp_servers("10.20.0.11");
           spec.add_tftp_servers("10.20.0.12");
           spec.set_probe_from("probe-floor3");
         }
       }},
      {"trust_list_publish",
       [](World& world) { Lists().PutStepInto(world, v1::TRUST_LIST_STEP_PUBLISH, "new"); }},
      {"trust_list_build",
       [](World& world) { Lists().PutStepInto(world, v1::TRUST_LIST_STEP_BUILD, "published"); }},
      {"trust_list_install",
       [](World& world) { Lists().PutStepInto(world, v1::TRUST_LIST_STEP_INSTALL, "built"); }},
      {"signed_file",
       [](World& world) {
         world.clusters.GiveIdentity(world.node, "CallManager");
         for (const char* name : {"SEP001B54AABB01.cnf.xml", "ringlist.xml"}) {
           world.harness().host.files.Put(absl::StrCat("/srv/tftp/", name), name);
         }
         v1::Resource& resource = world.resources.emplace_back();
         resource.mutable_signed_file()->set_tftp_root("/srv/tftp");
         resource.mutable_signed_file()->add_files("SEP*.cnf.xml");
         resource.mutable_signed_file()->add_files("ringlist.xml");
       }},
      {"trust_verification",
       [](World& world) {
         world.clusters.GiveIdentity(world.node, "TVS");
         FakeHost& host = world.harness().host;
         host.services.Add("tvs", /*running=*/false);
         host.tvs.answer = [](const TvsAddress&, const TvsRequest&) {
           TvsReply reply;
           reply.roles = {static_cast<uint8_t>(ListRole::kTvs)};
           return reply;
         };
         v1::TrustVerificationSpec& spec =
             *world.resources.emplace_back().mutable_trust_verification();
         spec.set_directory("/etc/trustline/tvs");
         spec.set_service("tvs");
         spec.set_listen("0.0.0.0:2445");
         spec.set_compatibility(v1::TVS_COMPATIBILITY_MODERN);
         spec.set_ttl_seconds(86400);
         spec.set_max_connections(100);
         spec.set_connection_seconds(30);
         spec.set_uid(110);
       }},
      {"service",
       [](World& world) {
         world.harness().host.services.Add("tvs", /*running=*/true);
         v1::Resource trust = TrustCertificate();
         trust.set_id("trust");
         v1::Resource service;
         service.mutable_service()->set_name("tvs");
         service.mutable_service()->set_state(v1::SERVICE_CONDITION_RESTARTED);
         service.add_notified_by("trust");
         world.resources = {trust, service};
       }},
  };
  return cases;
}

std::unique_ptr<World> MakeWorld(const std::string& kind) {
  auto world = std::make_unique<World>();
  Cases().at(kind)(*world);
  world->harness().host.calls.Reset();
  world->clusters.server.ClearLog();
  return world;
}

// Every row of the report, by outcome.
::testing::AssertionResult AllRows(const absl::StatusOr<v1::StageReport>& report,
                                   std::set<v1::Outcome> allowed) {
  if (!report.ok()) return ::testing::AssertionFailure() << report.status();
  for (const v1::ResourceOutcome& row : report->resources()) {
    if (allowed.count(row.outcome()) == 0) {
      return ::testing::AssertionFailure() << row.DebugString();
    }
  }
  return ::testing::AssertionSuccess();
}

// Files an interrupted write left behind, wherever.
std::vector<std::string> Strays(World& world) {
  std::vector<std::string> strays;
  for (const auto& [path, image] : world.harness().host.files.Snapshot()) {
    if (absl::EndsWith(path, ".staged")) strays.push_back(path);
  }
  return strays;
}

int Publishes(const World& world) {
  int count = 0;
  for (const FakeHubCall& call : world.clusters.server.log()) {
    count += call.kind == FakeHubCall::Kind::kPublish ? 1 : 0;
  }
  return count;
}

void ExpectNoSecret(const std::string& text, const std::string& where) {
  EXPECT_THAT(text, Not(HasSubstr("canary"))) << where;
  EXPECT_THAT(text, Not(HasSubstr("PRIVATE KEY"))) << where;
}

std::vector<std::string> KindNames() {
  std::vector<std::string> names;
  for (const KindDescriptor& kind : AllKinds()) {
    // Kinds that judge close no difference: judges_conformance_test.cc.
    if (!kind.rule.judges()) names.push_back(kind.name);
  }
  return names;
}

TEST(KindRegistry, OffersEveryKind) {
  std::vector<std::string> offered;
  for (const auto& kind : MakeKindRegistry()) {
    if (!FindKind(kind->name())->rule.judges()) offered.push_back(kind->name());
  }
  EXPECT_THAT(offered, ::testing::UnorderedElementsAreArray(KindNames()));
}

bool IsCaseOf(const std::string& name, const std::string& kind) {
  return name == kind || absl::StartsWith(name, kind + "_");
}

TEST(KindConformanceCases, EveryKindHasOne) {
  for (const std::string& kind : KindNames()) {
    EXPECT_TRUE(std::any_of(Cases().begin(), Cases().end(),
                            [&](const auto& each) { return IsCaseOf(each.first, kind); }))
        << "give the kind " << kind << " a case in this file";
  }
}

std::vector<std::string> CaseNames() {
  std::vector<std::string> names;
  for (const auto& [name, make] : Cases()) names.push_back(name);
  return names;
}

class KindConformance : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    for (const std::string& kind : KindNames()) {
      if (IsCaseOf(GetParam(), kind)) kind_ = kind;
    }
    ASSERT_NE(kind_, "") << "a case of no kind";
  }
  const std::string& kind() const { return kind_; }
  std::unique_ptr<World> MakeWorld() const { return agent::MakeWorld(GetParam()); }

 private:
  std::string kind_;
};

INSTANTIATE_TEST_SUITE_P(Every, KindConformance, ::testing::ValuesIn(CaseNames()),
                         [](const auto& info) { return info.param; });

TEST_P(KindConformance, IsOfferedByTheAgent) {
  int offered = 0;
  for (const auto& offer : MakeKindRegistry()) offered += offer->name() == kind() ? 1 : 0;
  EXPECT_EQ(offered, 1);
}

TEST_P(KindConformance, PlanningWritesNothing) {
  const std::unique_ptr<World> world = MakeWorld();
  const auto files = world->harness().host.files.Snapshot();
  const auto hub = world->clusters.server.Files();
  for (int i = 0; i < 2; ++i) {
    const absl::StatusOr<v1::Plan> plan = world->harness().Plan(world->resources);
    ASSERT_TRUE(plan.ok()) << plan.status();
    for (const v1::ResourcePlan& row : plan->resources()) {
      EXPECT_EQ(row.outcome(), v1::OUTCOME_WOULD_CHANGE) << row.DebugString();
      EXPECT_FALSE(row.changes().empty());
      for (const v1::Change& change : row.changes()) EXPECT_FALSE(change.text().empty());
    }
  }
  EXPECT_EQ(world->harness().host.calls.count(), 0u);
  EXPECT_EQ(Publishes(*world), 0);
  EXPECT_TRUE(world->harness().host.files.Snapshot() == files);
  EXPECT_EQ(world->clusters.server.Files(), hub);
}

TEST_P(KindConformance, WhatApplyChangedIsWhatThePlanSaid) {
  const std::unique_ptr<World> world = MakeWorld();
  const absl::StatusOr<v1::Plan> plan = world->harness().Plan(world->resources);
  ASSERT_TRUE(plan.ok());
  const absl::StatusOr<v1::StageReport> report = world->harness().Apply(world->resources);
  ASSERT_TRUE(AllRows(report, {v1::OUTCOME_CHANGED}));
  ASSERT_EQ(plan->resources_size(), report->resources_size());
  for (int i = 0; i < plan->resources_size(); ++i) {
    ASSERT_EQ(plan->resources(i).changes_size(), report->resources(i).changes_size());
    for (int j = 0; j < plan->resources(i).changes_size(); ++j) {
      EXPECT_EQ(plan->resources(i).changes(j).SerializeAsString(),
                report->resources(i).changes(j).SerializeAsString());
    }
  }
}

TEST_P(KindConformance, SecondApplyWritesNothing) {
  const std::unique_ptr<World> world = MakeWorld();
  ASSERT_TRUE(AllRows(world->harness().Apply(world->resources), {v1::OUTCOME_CHANGED}));
  const auto files = world->harness().host.files.Snapshot();
  const auto hub = world->clusters.server.Files();
  world->harness().host.calls.Reset();
  world->clusters.server.ClearLog();
  const absl::StatusOr<v1::StageReport> second = world->harness().Apply(world->resources);
  EXPECT_TRUE(AllRows(second, {v1::OUTCOME_UNCHANGED}));
  EXPECT_EQ(second->generation(), 0u);
  EXPECT_EQ(world->harness().host.calls.count(), 0u) << world->harness().host.calls.calls().front();
  EXPECT_EQ(Publishes(*world), 0);
  EXPECT_TRUE(world->harness().host.files.Snapshot() == files);
  EXPECT_EQ(world->clusters.server.Files(), hub);
}

TEST_P(KindConformance, ConvergesAfterAFailureOfAnyHostCall) {
  size_t calls = 0;
  for (size_t n = 1;; ++n) {
    const std::unique_ptr<World> world = MakeWorld();
    KindHarness& harness = world->harness();
    harness.host.calls.FailAt(n);
    const absl::StatusOr<v1::StageReport> report = harness.Apply(world->resources);
    if (!harness.host.calls.fired()) {
      EXPECT_TRUE(AllRows(report, {v1::OUTCOME_CHANGED}));
      break;
    }
    calls = n;
    harness.host.calls.Reset();
    EXPECT_TRUE(
        AllRows(harness.Apply(world->resources), {v1::OUTCOME_CHANGED, v1::OUTCOME_UNCHANGED}))
        << "after a failure of call " << n;
    EXPECT_TRUE(AllRows(harness.Apply(world->resources), {v1::OUTCOME_UNCHANGED}))
        << "after a failure of call " << n;
    EXPECT_THAT(Strays(*world), ::testing::IsEmpty()) << "after a failure of call " << n;
  }
  RecordProperty("host_calls", static_cast<int>(calls));
  EXPECT_GT(calls, 0u);
}

TEST_P(KindConformance, ConvergesAfterACrashAtAnyHostCall) {
  size_t calls = 0;
  for (size_t n = 1;; ++n) {
    const std::unique_ptr<World> world = MakeWorld();
    KindHarness& harness = world->harness();
    harness.host.calls.CrashAt(n);
    (void)harness.Apply(world->resources);
    if (!harness.host.calls.fired()) break;
    calls = n;
    const auto recovered = harness.Restart();
    EXPECT_TRUE(recovered.ok()) << recovered.status() << " after a crash at call " << n;
    EXPECT_THAT(Strays(*world), ::testing::IsEmpty()) << "after a crash at call " << n;
    EXPECT_TRUE(
        AllRows(harness.Apply(world->resources), {v1::OUTCOME_CHANGED, v1::OUTCOME_UNCHANGED}))
        << "after a crash at call " << n;
    EXPECT_TRUE(AllRows(harness.Apply(world->resources), {v1::OUTCOME_UNCHANGED}))
        << "after a crash at call " << n;
  }
  RecordProperty("crash_points", static_cast<int>(calls));
  EXPECT_GT(calls, 0u);
}

TEST_P(KindConformance, ConvergesAfterAFailureOfAnyHubCall) {
  for (int n = 1;; ++n) {
    const std::unique_ptr<World> world = MakeWorld();
    KindHarness& harness = world->harness();
    const int before = world->clusters.server.calls();
    world->clusters.server.FailCall(n, absl::UnavailableError("the link dropped"));
    const absl::StatusOr<v1::StageReport> report = harness.Apply(world->resources);
    if (world->clusters.server.calls() - before < n) {
      EXPECT_TRUE(AllRows(report, {v1::OUTCOME_CHANGED}));
      break;
    }
    EXPECT_TRUE(
        AllRows(harness.Apply(world->resources), {v1::OUTCOME_CHANGED, v1::OUTCOME_UNCHANGED}))
        << "after a failure of hub call " << n;
    EXPECT_TRUE(AllRows(harness.Apply(world->resources), {v1::OUTCOME_UNCHANGED}))
        << "after a failure of hub call " << n;
  }
}

TEST_P(KindConformance, ShowsNoSecretAnywhere) {
  const std::unique_ptr<World> world = MakeWorld();
  KindHarness& harness = world->harness();
  const absl::StatusOr<v1::Plan> plan = harness.Plan(world->resources);
  ASSERT_TRUE(plan.ok());
  ExpectNoSecret(plan->DebugString(), "plan");
  // Also not where the hub refuses the login or drops the link half way.
  for (const absl::Status& error :
       {absl::PermissionDeniedError("login refused"), absl::UnavailableError("dropped")}) {
    world->clusters.server.FailEveryCall(error);
    const absl::StatusOr<v1::StageReport> failed = harness.Apply(world->resources);
    ExpectNoSecret(failed.ok() ? failed->DebugString() : failed.status().ToString(), "failure");
    world->clusters.server.FailEveryCall(absl::OkStatus());
  }
  const absl::StatusOr<v1::StageReport> report = harness.Apply(world->resources);
  ASSERT_TRUE(report.ok());
  ExpectNoSecret(report->DebugString(), "report");
  for (const v1::ApplyEvent& event : harness.events) ExpectNoSecret(event.DebugString(), "event");
  for (const v1::Resource& resource : world->resources) {
    ExpectNoSecret(RedactedText(resource), "redacted resource");
  }
  for (const auto& [path, image] : harness.host.files.Snapshot()) {
    EXPECT_THAT(image.bytes, Not(HasSubstr("canary"))) << path;
    if (absl::EndsWith(path, ".key")) continue;
    EXPECT_THAT(image.bytes, Not(HasSubstr("PRIVATE KEY"))) << path;
  }
  v1::StatusResponse status;
  ASSERT_TRUE(harness.converger().FillStatus(status).ok());
  ExpectNoSecret(status.DebugString(), "status");
}

TEST_P(KindConformance, RedactsEverySecretField) {
  const KindDescriptor& descriptor = *FindKind(kind());
  v1::Resource resource;
  Message& spec = MutableSpec(resource, descriptor);
  testing::FillEverything(spec);
  std::function<void(Message&)> mark = [&](Message& message) {
    for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
      const FieldDescriptor* field = message.GetDescriptor()->field(i);
      if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_repeated()) continue;
      if (!message.GetReflection()->HasField(message, field)) continue;
      Message& inner = *message.GetReflection()->MutableMessage(&message, field);
      auto* reference = dynamic_cast<v1::SecretRef*>(&inner);
      if (reference != nullptr && field->options().GetExtension(v1::rule).secret()) {
        reference->set_name("canary-reference");
      } else {
        mark(inner);
      }
    }
  };
  mark(spec);
  EXPECT_THAT(RedactedText(resource), Not(HasSubstr("canary")));
}

TEST_P(KindConformance, SpecAndStateSurviveTheWire) {
  const KindDescriptor& descriptor = *FindKind(kind());
  v1::Resource resource;
  testing::FillEverything(MutableSpec(resource, descriptor));
  testing::ExpectRoundTrip(resource);
  // The State's name is the Spec's with another ending.
  std::string name = descriptor.spec->full_name();
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
  EXPECT_FALSE(DiffState(*state, *std::unique_ptr<Message>(state->New())).empty());
}

TEST_P(KindConformance, ExampleCompiles) {
  const KindDescriptor& descriptor = *FindKind(kind());
  yaml::Diagnostics diagnostics;
  const yaml::Value value = yaml::ParseYaml("example.yml", descriptor.rule.example(), diagnostics);
  v1::Resource resource;
  EXPECT_TRUE(
      yaml::ReadMessage(value, descriptor.name, {}, MutableSpec(resource, descriptor), diagnostics))
      << diagnostics.Render();
  EXPECT_FALSE(diagnostics.has_errors()) << diagnostics.Render();
  EXPECT_FALSE(descriptor.rule.summary().empty());
}

}  // namespace
}  // namespace trustline::agent
