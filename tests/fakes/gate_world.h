// Two clusters as phones see them, with the topology and the evidence a gate is given: everything a
// judge needs, in memory.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "agent/gate/judge.h"
#include "agent/gate/phone_networks.h"
#include "tests/fakes/phone_world.h"

namespace trustline::agent {

class GateWorld {
 public:
  // src 11.5 with src-pub and src-sub1, dst 14 with dst-pub and dst-sub1. Phones of the source; the
  // destination serves its lists and their configurations; nobody vouches for it yet.
  GateWorld();

  // Every TVS of a cluster knows what signs the other one's lists.
  void Import();
  // Makes dst-pub and dst-sub1 serve lists of the options; one ITLRecovery for the cluster.
  void ServeDestination(const testing::ListOptions& options = {});

  // The phones' evidence: 3 of them, by the digest of the ITL of src-pub.
  v1::PhoneClass SourceClass() const;
  v1::GateReport Judge();
  v1::GateReport JudgeBack(const std::vector<std::string>& servers);
  GateCase Case() const;

  // What a judge's node sees; it lives as long as this.
  std::shared_ptr<const PhoneNetworks> Networks();

  testing::PhoneWorld phones;
  v1::Topology topology;
  v1::TrustGateSpec spec;
  absl::Time now = testing::TestPki::SomeTime();
  int opened = 0;  // judgements
};

// All of a report that an engineer reads, a line each: for matching.
std::string TextOf(const v1::GateReport& report);

}  // namespace trustline::agent
