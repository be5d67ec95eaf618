#include "agent/gate/judge.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/gate/class_outcome.h"
#include "agent/gate/destination_checks.h"
#include "agent/gate/phone_evidence.h"
#include "agent/gate/remembering_network.h"
#include "agent/gate/reset_advice.h"
#include "agent/gate/trip.h"
#include "trust/sha256.h"
#include "trust/tftp_pointer_rules.h"
#include "trust/trust_list/list_writer.h"

namespace trustline::agent {
namespace {

PhoneBehaviour BehaviourOf(const v1::TrustGateSpec& spec) {
  PhoneBehaviour behaviour = spec.lenient() ? PhoneBehaviour::Lenient() : PhoneBehaviour();
  const auto port = [](uint32_t given, uint16_t standard) {
    return given == 0 || given > UINT16_MAX ? standard : static_cast<uint16_t>(given);
  };
  behaviour.http_port = port(spec.tftp_http_port(), behaviour.http_port);
  behaviour.tftp_port = port(spec.tftp_port(), behaviour.tftp_port);
  if (spec.timeout_ms() > 0) {
    behaviour.file_timeout = behaviour.tvs_timeout = absl::Milliseconds(spec.timeout_ms());
  }
  return behaviour;
}

uint16_t TvsPortOf(const v1::TrustGateSpec& spec) {
  return spec.tvs_port() == 0 || spec.tvs_port() > UINT16_MAX
             ? kTvsPort
             : static_cast<uint16_t>(spec.tvs_port());
}

std::string AgeText(absl::Duration age) {
  if (age < absl::Hours(1)) return absl::StrCat(absl::ToInt64Minutes(age), " m");
  if (age < absl::Hours(48)) return absl::StrCat(absl::ToInt64Hours(age), " h");
  return absl::StrCat(absl::ToInt64Hours(age) / 24, " d");
}

// "1 phone", "37 phones"
std::string Phones(uint32_t count) {
  return absl::StrCat(count, count == 1 ? " phone" : " phones");
}

class Judge {
 public:
  Judge(const GateCase& gate, const PhoneNetworks& phones)
      : gate_(gate),
        map_(gate.topology, TvsPortOf(gate.spec)),
        behaviour_(BehaviourOf(gate.spec)),
        opened_(phones.Open(behaviour_)),
        network_(*opened_),
        lists_(map_, network_),
        ground_{map_,       network_,      behaviour_, gate.spec.lenient(),
                gate.judge, gate.playbook, gate.now} {
    report_.set_judge(gate.judge);
  }

  v1::GateReport Move() {
    for (const v1::GatedPointer& pointer : gate_.spec.pointers()) {
      for (const std::string& address : pointer.tftp_servers()) AddDestination(address);
    }
    DescribeEvidence();
    CheckDestinations();
    for (const v1::PhoneClass& phones : gate_.spec.classes()) JudgeClass(phones);
    CheckOtherClusters();
    report_.set_unproven(report_.unproven() + gate_.spec.unproven());
    for (const std::string& example : gate_.spec.unproven_examples()) {
      report_.add_unproven_examples(example);
    }
    report_.set_phones(report_.phones() + gate_.spec.unproven());
    Conclude();
    return std::move(report_);
  }

  v1::GateReport Return(const v1::PointerScope& scope, const std::vector<std::string>& restored) {
    const std::string wanted = PointerScopeName(scope);
    for (const v1::GatedPointer& pointer : gate_.spec.pointers()) {
      if (PointerScopeName(pointer.scope()) != wanted) continue;
      for (const std::string& address : pointer.tftp_servers()) AddDestination(address);
    }
    for (const v1::PhoneClass& phones : gate_.spec.classes()) {
      if (phones.excluded().empty() && phones.tftp().empty()) {
        report_.set_phones(report_.phones() + phones.count());
      }
    }
    report_.set_evidence("phones that have moved hold what the destination serves now");
    lists_.FetchCommon();
    for (const std::string& address : destinations_) {
      v1::GateClass& row = AddClass(report_.phones());
      PhoneState state;
      state.itl = ServedBy(address, kItlFileName);
      state.ctl = ServedBy(address, kCtlFileName);
      row.set_holds(absl::StrCat("the lists of ", map_.NameOf(address)));
      if (!state.itl && !state.ctl) {
        Refuse(absl::StrCat("what phones took from ", map_.NameOf(address),
                            " cannot be fetched, so their way back is not proven"));
        continue;
      }
      if (const v1::Cluster* cluster = map_.ClusterAt(address)) state.tvs = map_.TvsGroup(*cluster);
      for (const std::string& home : restored) {
        TripResult trip = JudgeTrip({state, home, true}, ground_);
        Take(trip);
        if (!trip.decision.accepted()) {
          Refuse(absl::StrCat("phones with the lists of ", map_.NameOf(address),
                              " would not come back to ", map_.NameOf(home), ": ",
                              trip.decision.reason()));
        }
        *row.add_decisions() = std::move(trip.decision);
      }
    }
    if (destinations_.empty()) Refuse(absl::StrCat("the gate is not about ", wanted));
    report_.set_accepted(report_.reasons().empty());
    return std::move(report_);
  }

 private:
  void AddDestination(const std::string& address) {
    if (std::find(destinations_.begin(), destinations_.end(), address) == destinations_.end()) {
      destinations_.push_back(address);
    }
  }

  std::optional<std::string> ServedBy(const std::string& address, const std::string& file) {
    absl::StatusOr<std::string> bytes = network_.Fetch(address, file);
    if (!bytes.ok()) return std::nullopt;
    return *std::move(bytes);
  }

  v1::GateClass& AddClass(uint32_t phones) {
    v1::GateClass& row = *report_.add_classes();
    row.set_number(static_cast<uint32_t>(report_.classes_size()));
    row.set_phones(phones);
    return row;
  }

  void Refuse(std::string reason) {
    if (std::find(report_.reasons().begin(), report_.reasons().end(), reason) ==
        report_.reasons().end()) {
      report_.add_reasons(std::move(reason));
    }
  }
  void Warn(std::string warning) {
    if (std::find(report_.warnings().begin(), report_.warnings().end(), warning) ==
        report_.warnings().end()) {
      report_.add_warnings(std::move(warning));
    }
  }
  void Take(const TripResult& trip) {
    for (const std::string& warning : trip.warnings) Warn(warning);
  }

  void DescribeEvidence() {
    const v1::TrustGateSpec& spec = gate_.spec;
    std::string text = spec.evidence().empty() ? "the playbook" : spec.evidence();
    if (spec.evidence_unix() > 0) {
      const absl::Duration age = gate_.now - absl::FromUnixSeconds(spec.evidence_unix());
      absl::StrAppend(&text, ", taken ", AgeText(age), " ago");
      if (spec.max_age_seconds() > 0 && age > absl::Seconds(spec.max_age_seconds())) {
        stale_ = absl::StrCat("the evidence is ", AgeText(age), " old, and older than ",
                              AgeText(absl::Seconds(spec.max_age_seconds())),
                              " is not believed (max_age)");
      }
    }
    if (spec.unproven() > 0) {
      absl::StrAppend(&text, "; ", spec.unproven(), " more ", spec.unproven() == 1 ? "is" : "are",
                      " in scope without evidence");
    }
    report_.set_evidence(text);
  }

  void CheckDestinations() {
    for (const std::string& address : destinations_) {
      DestinationFindings findings = CheckDestination(address, ground_);
      for (std::string& refusal : findings.refusals) Refuse(std::move(refusal));
      for (std::string& warning : findings.warnings) Warn(std::move(warning));
    }
  }

  // Where phones are now. They move without these servers, but come back only by them.
  void CheckOtherClusters() {
    lists_.FetchCommon();
    std::set<std::string> destinations;
    for (const std::string& address : destinations_) destinations.insert(map_.NameOf(address));
    for (const auto& [node, why] : lists_.failures()) {
      if (destinations.contains(node)) continue;
      Warn(absl::StrCat("TFTP of ", node, " does not answer (", why,
                        "): phones that are sent back cannot fetch their lists there"));
    }
  }

  void JudgeClass(const v1::PhoneClass& phones) {
    v1::GateClass& row = AddClass(phones.count());
    for (const std::string& example : phones.examples()) row.add_examples(example);
    report_.set_phones(report_.phones() + phones.count());
    ClassEvidence evidence = ReadEvidence(phones, map_, lists_, TvsPortOf(gate_.spec));
    row.set_holds(evidence.holds);
    if (evidence.unproven.empty() && evidence.excluded.empty()) evidence.unproven = stale_;
    if (!evidence.excluded.empty()) {
      row.set_excluded(evidence.excluded);
      Warn(absl::StrCat(Phones(phones.count()), " do not move: ", evidence.excluded));
      return;
    }
    concerned_ += phones.count();
    if (!evidence.unproven.empty()) {
      row.set_excluded(absl::StrCat("unproven: ", evidence.unproven));
      report_.set_unproven(report_.unproven() + phones.count());
      for (const std::string& example : phones.examples()) report_.add_unproven_examples(example);
      unproven_reasons_.insert(evidence.unproven);
      return;
    }
    for (const std::string& warning : evidence.warnings) Warn(warning);
    Group& group = by_tvs_[TvsText(evidence.state.tvs)];
    group.phones += phones.count();
    group.servers = evidence.state.tvs.size();
    ClassOutcome outcome;
    std::vector<std::pair<std::string, PhoneState>> moved;
    for (const std::string& address : destinations_) {
      for (int i = 0; i < std::max(phones.examples_size(), 1); ++i) {
        ClassEvidence its = evidence;
        if (i > 0) its.state.device = phones.examples(i);
        TripResult trip = TripOf(its, phones, address);
        Take(trip);
        if (trip.decision.accepted()) moved.emplace_back(address, std::move(trip.boot.after));
        outcome.Add(its.state.device, std::move(trip.decision));
      }
      v1::GateDecision& decision = *row.add_decisions();
      decision = outcome.EndServer();
      for (const std::string& assumption : evidence.assumptions) {
        decision.add_assumptions(assumption);
      }
    }
    const uint32_t refused = outcome.Refused(phones.count());
    report_.set_locked(report_.locked() + refused);
    if (refused == 0 && gate_.spec.require_return()) JudgeWayBack(evidence, moved, row);
  }

  TripResult TripOf(const ClassEvidence& evidence, const v1::PhoneClass& phones,
                    const std::string& address) {
    TripResult trip;
    std::string refused = evidence.refused;
    if (refused.empty() && !phones.lsc_issuer_sha256().empty()) {
      const LscFinding finding =
          CheckLscIssuer(phones.lsc_issuer_sha256(), address, lists_, ground_);
      if (finding.refuses) refused = finding.text;
      if (!finding.refuses && !finding.text.empty()) Warn(finding.text);
    }
    if (refused.empty()) return JudgeTrip({evidence.state, address, false}, ground_);
    trip.decision.set_node(map_.NameOf(address));
    trip.decision.set_address(address);
    trip.decision.set_reason(refused);
    return trip;
  }

  // Where phones of the class would be sent back to.
  std::vector<std::string> Home(const ClassEvidence& evidence) const {
    std::set<const v1::Cluster*> away;
    for (const std::string& address : destinations_) away.insert(map_.ClusterAt(address));
    if (evidence.home != nullptr && away.count(evidence.home) == 0) {
      return ClusterMap::TftpAddresses(*evidence.home);
    }
    std::vector<std::string> addresses;
    for (const v1::Cluster& cluster : map_.clusters()) {
      if (away.count(&cluster) != 0) continue;
      for (std::string& address : ClusterMap::TftpAddresses(cluster)) {
        addresses.push_back(std::move(address));
      }
    }
    return addresses;
  }

  // One row per TFTP node of the source: the worst of what phones that moved anywhere come to.
  void JudgeWayBack(const ClassEvidence& evidence,
                    const std::vector<std::pair<std::string, PhoneState>>& moved,
                    v1::GateClass& row) {
    const std::vector<std::string> home = Home(evidence);
    if (home.empty()) {
      Refuse("the way back is not proven: the inventory has no TFTP node of another cluster");
      no_way_back_ += row.phones();
    }
    ClassOutcome outcome;
    for (const std::string& address : home) {
      for (const auto& [from, after] : moved) {
        PhoneState state = after;
        const v1::Cluster* cluster = map_.ClusterAt(from);
        // Evidence without a device name has no configuration that would say it.
        if (cluster != nullptr && (state.device.empty() || state.tvs == evidence.state.tvs)) {
          state.tvs = map_.TvsGroup(*cluster);
        }
        TripResult trip = JudgeTrip({std::move(state), address, true}, ground_);
        Take(trip);
        outcome.Add(after.device, std::move(trip.decision));
      }
      *row.add_decisions() = outcome.EndServer();
    }
    no_way_back_ += outcome.Refused(row.phones());
  }

  std::string TvsText(const std::vector<TvsAddress>& group) const {
    std::vector<std::string> nodes;
    for (const TvsAddress& server : group) nodes.push_back(map_.NameOf(server.host));
    return absl::StrJoin(nodes, ", ");
  }

  // Whoever resets the phones must not send all of them to one TVS at once.
  void AdviseResets() {
    for (const auto& [servers, group] : by_tvs_) {
      const ResetAdvice advice = AdviseReset(group.phones, group.servers);
      if (servers.empty() || advice.batches <= 1) continue;
      Warn(absl::StrCat("reset at most ", advice.at_once, " of the ", group.phones,
                        " phones that ask ", servers, " at a time (", advice.batches,
                        " batches): TVS must answer each within seconds"));
    }
  }

  void Conclude() {
    const v1::TrustGateSpec& spec = gate_.spec;
    AdviseResets();
    if (report_.locked() > 0) Refuse(absl::StrCat(Phones(report_.locked()), " would be locked"));
    if (no_way_back_ > 0) {
      Refuse(absl::StrCat(Phones(no_way_back_), " would not come back (require_return)"));
    }
    std::string unproven;
    if (report_.unproven() > 0) {
      unproven = absl::StrCat(Phones(report_.unproven()), report_.unproven() == 1 ? " is" : " are",
                              " unproven: ",
                              unproven_reasons_.empty() ? "no evidence of their trust list"
                                                        : absl::StrJoin(unproven_reasons_, "; "));
    } else if (concerned_ == 0) {
      unproven =
          absl::StrCat("the evidence names no phone",
                       report_.phones() == 0 ? "" : " that would move", ", so nothing is proven");
    }
    if (!unproven.empty() && spec.allow_unproven()) {
      Warn(absl::StrCat(unproven, " (allow_unproven)"));
    } else if (!unproven.empty()) {
      Refuse(unproven);
    }
    report_.set_accepted(report_.reasons().empty());
  }

  const GateCase& gate_;
  const ClusterMap map_;
  const PhoneBehaviour behaviour_;
  const std::unique_ptr<PhoneNetwork> opened_;
  RememberingNetwork network_;
  ServedLists lists_;
  const TripGround ground_;
  uint32_t concerned_ = 0;                 // phones that would move, proven or not
  std::vector<std::string> destinations_;  // addresses
  std::string stale_;
  std::set<std::string> unproven_reasons_;
  struct Group {
    uint32_t phones = 0;
    size_t servers = 0;
  };
  std::map<std::string, Group> by_tvs_;  // by the servers' names
  uint32_t no_way_back_ = 0;
  v1::GateReport report_;
};

}  // namespace

v1::GateReport JudgeMove(const GateCase& gate, const PhoneNetworks& phones) {
  return Judge(gate, phones).Move();
}

v1::GateReport JudgeReturn(const GateCase& gate, const v1::PointerScope& scope,
                           const std::vector<std::string>& tftp_servers,
                           const PhoneNetworks& phones) {
  return Judge(gate, phones).Return(scope, tftp_servers);
}

std::string EvidenceDigest(const v1::TrustGateSpec& spec) {
  std::string text =
      absl::StrCat("trustline-evidence-v1 ", spec.unproven(), " ", spec.evidence_unix());
  for (const v1::PhoneClass& phones : spec.classes()) {
    const std::string bytes = phones.SerializeAsString();
    absl::StrAppend(&text, " ", bytes.size(), " ", bytes);
  }
  return Sha256Hex(text);
}

}  // namespace trustline::agent
