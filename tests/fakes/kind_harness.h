// Runs resources through the real Converger on a node in memory: what a kind's own tests and the
// conformance suite need.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/converger.h"
#include "agent/resource_kind.h"
#include "tests/fakes/fake_host.h"
#include "trust/hub.h"
#include "trust/pki.h"

namespace trustline::agent {

// Who asks for every rollback of a KindHarness.
inline constexpr char kRollbackCaller[] = "trustline://example.net/operator/tester";

// A fleet's authority with identities made on demand; keys live as long as the object.
class TestFleet {
 public:
  explicit TestFleet(std::string domain = "example.net");

  const std::string& domain() const { return domain_; }
  // An agent's identity; the same one for the same node.
  NodeIdentity Agent(const std::string& node);
  v1::Envelope SealDocument(const v1::DesiredState& document);
  // As anybody would: another authority, or an agent instead of an operator.
  v1::Envelope SealAs(const v1::DesiredState& document, const Identity& signer);
  const Certificate& root() const { return authority_.certificate; }

 private:
  struct Issued {
    Certificate certificate;
    PrivateKey key;
  };
  Issued Issue(const Identity& identity);

  std::string domain_;
  IssuedAuthority authority_;
  std::map<std::string, Issued> issued_;
};

// Answers every question with `answer`; without one nobody could ask.
class FakeProver final : public Prover {
 public:
  absl::StatusOr<v1::ProbeResponse> Ask(const std::string& from_node,
                                        const v1::ProbeRequest& probe) override;
  std::function<absl::StatusOr<v1::ProbeResponse>(const std::string& from_node,
                                                  const v1::ProbeRequest& probe)>
      answer;
  absl::StatusOr<v1::Envelope> AskGate(const std::string& judge,
                                       const v1::GateQuestion& question) override;
  std::function<absl::StatusOr<v1::Envelope>(const std::string& judge,
                                             const v1::GateQuestion& question)>
      verdict;
  int asked = 0;
  int judged = 0;
};

class KindHarness {
 public:
  // `topology` may have an empty domain: the fleet's is filled in. `kinds` and `dialer` outlive the
  // harness. `fleet` may be shared by the harnesses of several nodes; null: an own one.
  KindHarness(std::string node, v1::Topology topology, HubDialer& dialer, const KindRegistry& kinds,
              std::shared_ptr<TestFleet> fleet = nullptr);

  // A signed document of `resources`. Filled in where empty: id (the label), stage 1, mode enforce,
  // the list of stages.
  v1::Envelope Document(std::vector<v1::Resource> resources, const std::string& playbook = "site");

  // Stage 1 of a document of these resources, with `secrets`.
  absl::StatusOr<v1::Plan> Plan(std::vector<v1::Resource> resources);
  absl::StatusOr<v1::StageReport> Apply(std::vector<v1::Resource> resources);
  absl::StatusOr<v1::StageReport> Rollback(bool include_trust = false);

  // Any document and stage.
  absl::StatusOr<v1::Plan> PlanStage(const v1::Envelope& document, uint32_t stage);
  absl::StatusOr<v1::StageReport> ApplyStage(const v1::Envelope& document, uint32_t stage);

  // The agent starts anew on the same node (alive again): a new Converger that recovers first.
  // Returns what Recover did.
  absl::StatusOr<std::vector<std::string>> Restart();

  Converger& converger() { return *converger_; }
  TestFleet& fleet() { return *fleet_; }

  FakeHost host;
  v1::SecretValues secrets;
  FakeProver prover;
  std::string override_gate;           // of every later Apply and Rollback
  std::vector<v1::ApplyEvent> events;  // of the last Apply or Rollback

 private:
  EventSink Sink();

  std::string node_;
  v1::Topology topology_;
  HubDialer& dialer_;
  const KindRegistry& kinds_;
  std::shared_ptr<TestFleet> fleet_;
  std::unique_ptr<Converger> converger_;
  int runs_ = 0;
};

}  // namespace trustline::agent
