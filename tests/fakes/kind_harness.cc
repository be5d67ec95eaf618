#include "tests/fakes/kind_harness.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "protos/generic/kinds.h"
#include "trust/envelope.h"

namespace trustline::agent {
namespace {

// Far enough around FakeClock's time and the real one.
const absl::Time kNotBefore = absl::FromUnixSeconds(1'600'000'000);
constexpr absl::Duration kLifetime = absl::Hours(24 * 3650 * 3);

}  // namespace

TestFleet::TestFleet(std::string domain)
    : domain_(std::move(domain)),
      authority_(MakeAuthority(domain_, kNotBefore, kLifetime).value()) {}

TestFleet::Issued TestFleet::Issue(const Identity& identity) {
  const auto known = issued_.find(identity.ToUri());
  if (known != issued_.end()) return known->second;
  PrivateKey key = PrivateKey::GenerateEcP256().value();
  const std::string request = MakeRequest(identity, key).value();
  Certificate certificate = [&] {
    if (identity.domain == domain_) {
      return SignRequest(request, authority_, kNotBefore, kLifetime).value();
    }
    const IssuedAuthority foreign = MakeAuthority(identity.domain, kNotBefore, kLifetime).value();
    return SignRequest(request, foreign, kNotBefore, kLifetime).value();
  }();
  return issued_.emplace(identity.ToUri(), Issued{std::move(certificate), std::move(key)})
      .first->second;
}

NodeIdentity TestFleet::Agent(const std::string& node) {
  const Issued issued = Issue({domain_, IdentityKind::kAgent, node});
  return NodeIdentity{node, domain_, issued.certificate, issued.key, {authority_.certificate}};
}

v1::Envelope TestFleet::SealDocument(const v1::DesiredState& document) {
  return SealAs(document, {domain_, IdentityKind::kOperator, "tester"});
}

v1::Envelope TestFleet::SealAs(const v1::DesiredState& document, const Identity& signer) {
  const Issued issued = Issue(signer);
  return Seal("trustline.v1.DesiredState", document.SerializeAsString(), issued.key,
              issued.certificate)
      .value();
}

absl::StatusOr<v1::ProbeResponse> FakeProver::Ask(const std::string& from_node,
                                                  const v1::ProbeRequest& probe) {
  ++asked;
  if (!answer) return absl::UnavailableError(absl::StrCat("nobody could ask from ", from_node));
  return answer(from_node, probe);
}

absl::StatusOr<v1::Envelope> FakeProver::AskGate(const std::string& judge,
                                                 const v1::GateQuestion& question) {
  ++judged;
  if (!verdict) return absl::UnavailableError(absl::StrCat(judge, " could not be asked"));
  return verdict(judge, question);
}

KindHarness::KindHarness(std::string node, v1::Topology topology, HubDialer& dialer,
                         const KindRegistry& kinds, std::shared_ptr<TestFleet> fleet)
    : node_(std::move(node)),
      topology_(std::move(topology)),
      dialer_(dialer),
      kinds_(kinds),
      fleet_(fleet != nullptr ? std::move(fleet) : std::make_shared<TestFleet>()) {
  if (topology_.domain().empty()) topology_.set_domain(fleet_->domain());
  converger_ = std::make_unique<Converger>([this] { return fleet_->Agent(node_); }, host.host(),
                                           dialer_, kinds_);
}

v1::Envelope KindHarness::Document(std::vector<v1::Resource> resources,
                                   const std::string& playbook) {
  v1::DesiredState document;
  document.set_node(node_);
  document.set_playbook(playbook);
  *document.mutable_topology() = topology_;
  uint32_t stages = 1;
  for (v1::Resource& resource : resources) {
    if (resource.id().empty()) resource.set_id(ResourceLabel(resource));
    if (resource.stage() == 0) resource.set_stage(1);
    if (resource.mode() == v1::MODE_UNSPECIFIED) resource.set_mode(v1::MODE_ENFORCE);
    stages = std::max(stages, resource.stage());
    *document.add_resources() = std::move(resource);
  }
  for (uint32_t number = 1; number <= stages; ++number) {
    v1::Stage* stage = document.add_stages();
    stage->set_number(number);
    stage->set_play(absl::StrCat("play ", number));
  }
  return fleet_->SealDocument(document);
}

EventSink KindHarness::Sink() {
  events.clear();
  return [this](const v1::ApplyEvent& event) { events.push_back(event); };
}

absl::StatusOr<v1::Plan> KindHarness::Plan(std::vector<v1::Resource> resources) {
  return PlanStage(Document(std::move(resources)), 1);
}

absl::StatusOr<v1::StageReport> KindHarness::Apply(std::vector<v1::Resource> resources) {
  return ApplyStage(Document(std::move(resources)), 1);
}

absl::StatusOr<v1::Plan> KindHarness::PlanStage(const v1::Envelope& document, uint32_t stage) {
  StageRequest request;
  request.document = document;
  request.stage = stage;
  request.secrets = secrets;
  return converger_->PlanStage(request);
}

absl::StatusOr<v1::StageReport> KindHarness::ApplyStage(const v1::Envelope& document,
                                                        uint32_t stage) {
  StageRequest request;
  request.document = document;
  request.stage = stage;
  request.secrets = secrets;
  request.run_id = absl::StrCat("run-", ++runs_);
  request.override_gate = override_gate;
  return converger_->ApplyStage(request, prover, Sink(), [] { return false; });
}

absl::StatusOr<v1::StageReport> KindHarness::Rollback(bool include_trust) {
  v1::RollbackStart request;
  request.set_run_id(absl::StrCat("rollback-", ++runs_));
  request.set_include_trust(include_trust);
  request.set_override_gate(override_gate);
  *request.mutable_secrets() = secrets;
  return converger_->Rollback(request, kRollbackCaller, prover, Sink());
}

absl::StatusOr<std::vector<std::string>> KindHarness::Restart() {
  host.calls.Reset();
  converger_ = std::make_unique<Converger>([this] { return fleet_->Agent(node_); }, host.host(),
                                           dialer_, kinds_);
  return converger_->Recover();
}

}  // namespace trustline::agent
