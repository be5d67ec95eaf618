#include "agent/gate/trip.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "trust/trust_list/trust_list.h"

namespace trustline::agent {
namespace {

constexpr size_t kTvsServersAsked = 3;
constexpr char kNamelessDevice[] = "SEP000000000000";

// A server of the group, asked alone.
struct Asked {
  std::string node;
  BootResult boot;
};

std::string SerialHex(absl::string_view raw) {
  return absl::AsciiStrToUpper(absl::BytesToHexString(raw));
}

std::string ListName(absl::string_view file) {
  if (absl::StartsWith(file, "ITL")) return "ITL";
  if (absl::StartsWith(file, "CTL")) return "CTL";
  return std::string(file);
}

std::vector<std::string> NodesOf(const std::vector<const Asked*>& asked) {
  std::vector<std::string> nodes;
  for (const Asked* each : asked) nodes.push_back(each->node);
  return nodes;
}

class TripJudge {
 public:
  TripJudge(const Trip& trip, const TripGround& ground)
      : trip_(trip), ground_(ground), behaviour_(ground.behaviour) {
    behaviour_.fetch_config = behaviour_.fetch_config && !trip.state.device.empty();
    behaviour_.names = ground.map.names();
  }

  TripResult Judge() {
    TripResult result;
    result.boot = BootWith(trip_.state.tvs);
    result.boot.after.device = trip_.state.device;  // what has no name gets none by that
    v1::GateDecision& decision = result.decision;
    decision.set_node(ground_.map.NameOf(trip_.address));
    decision.set_address(trip_.address);
    decision.set_return_trip(trip_.return_trip);
    for (const std::string& assumption : result.boot.assumptions) {
      decision.add_assumptions(assumption);
    }
    const bool tvs_decides = !result.boot.tvs.empty();
    std::vector<Asked> group;
    if (tvs_decides) {
      for (size_t i = 0; i < std::min(trip_.state.tvs.size(), kTvsServersAsked); ++i) {
        const TvsAddress& server = trip_.state.tvs[i];
        group.push_back({ground_.map.NameOf(server.host), BootWith({server})});
      }
    }
    std::vector<const Asked*> good, bad;
    for (const Asked& asked : group) (asked.boot.accepted() ? good : bad).push_back(&asked);

    const bool whole = result.boot.accepted();
    decision.set_accepted(whole && (bad.empty() || ground_.lenient));
    if (decision.accepted()) {
      std::string reason = result.boot.reason;
      if (good.size() > 1 && bad.empty()) {
        absl::StrAppend(&reason, "; so does every TVS of the group (",
                        absl::StrJoin(NodesOf(good), ", "), ")");
      }
      decision.set_reason(reason);
      if (!bad.empty()) {
        v1::GateDecision tolerated;
        Explain(bad, good, tolerated);
        result.warnings.push_back(
            absl::StrCat(tolerated.reason(), " (tolerated: another TVS of the group vouches)"));
      }
      return result;
    }
    if (bad.empty()) {
      ExplainAlone(result.boot, decision);
    } else {
      Explain(bad, good, decision);
    }
    return result;
  }

 private:
  BootResult BootWith(std::vector<TvsAddress> tvs) const {
    PhoneState state = trip_.state;
    // A phone all the same: it asks TVS under a name, which nothing depends on.
    if (state.device.empty()) state.device = kNamelessDevice;
    state.tvs = std::move(tvs);
    return Boot(std::move(state), {trip_.address}, ground_.network, behaviour_, ground_.now);
  }

  // The signer of the file that was refused, as the TFTP node serves it now.
  ListSigner SignerOfRefused(const BootResult& boot) const {
    const std::string name = ListName(boot.refused_file);
    if (name != "ITL" && name != "CTL") return {};
    const absl::StatusOr<std::string> bytes =
        ground_.network.Fetch(trip_.address, boot.refused_file);
    return bytes.ok() ? SignerOf(*bytes) : ListSigner();
  }

  // "ITL of dst-pub is signed by ITLRecovery serial 4F22..."
  std::string SignedBy(const BootResult& boot, const ListSigner& signer) const {
    const std::string node = ground_.map.NameOf(trip_.address);
    if (signer.known) {
      return absl::StrCat(ListName(boot.refused_file), " of ", node, " is signed by ", signer.unit,
                          " serial ", signer.serial_hex);
    }
    std::string serial;
    for (const TvsQuestionAsked& asked : boot.tvs) {
      if (asked.file == boot.refused_file) serial = SerialHex(asked.serial);
    }
    return absl::StrCat(boot.refused_file, " of ", node, " is signed by CallManager",
                        serial.empty() ? "" : " serial ", serial);
  }

  void AdviseRecord(const BootResult& boot, v1::GateDecision& decision) const {
    if (boot.refusal != PhoneRefusal::kNoConfiguration) return;
    decision.add_notes(absl::StrCat("add ", trip_.state.device, " to the cluster of ",
                                    decision.node(), ", or exclude it in the evidence"));
  }

  // No TVS had a say.
  void ExplainAlone(const BootResult& boot, v1::GateDecision& decision) const {
    if (boot.refusal == PhoneRefusal::kTvsIdentity) {
      decision.set_reason(absl::StrCat(boot.reason, ": these phones will be stranded"));
      decision.add_notes(
          "mend them in their own cluster first (TVS certificate valid, phones reset so that "
          "they take a new ITL), or take them out of the batch");
      return;
    }
    decision.set_reason(boot.reason);
    AdviseRecord(boot, decision);
  }

  void Explain(const std::vector<const Asked*>& bad, const std::vector<const Asked*>& good,
               v1::GateDecision& decision) const {
    std::vector<const Asked*> unknown, without_role, unreachable, identity, other;
    for (const Asked* asked : bad) {
      switch (asked->boot.refusal) {
        case PhoneRefusal::kSignerUnknown:
          unknown.push_back(asked);
          break;
        case PhoneRefusal::kSignerRole:
          without_role.push_back(asked);
          break;
        case PhoneRefusal::kTvsUnreachable:
          unreachable.push_back(asked);
          break;
        case PhoneRefusal::kTvsIdentity:
          identity.push_back(asked);
          break;
        default:
          other.push_back(asked);
      }
    }
    std::vector<std::string> reasons;
    const ListSigner signer = SignerOfRefused(bad.front()->boot);
    const std::string what = SignedBy(bad.front()->boot, signer);
    if (!unknown.empty()) {
      reasons.push_back(absl::StrCat(what, ", absent from Phone-SAST-trust of ",
                                     absl::StrJoin(NodesOf(unknown), ", "),
                                     ": TVS there answered certificate unknown"));
      Miss(unknown, signer, false, decision);
    }
    if (!without_role.empty()) {
      reasons.push_back(
          absl::StrCat(what, ", which TVS of ", absl::StrJoin(NodesOf(without_role), ", "),
                       " knows without the role SAST: it is in CallManager-trust there, but not in "
                       "Phone-SAST-trust"));
      Miss(without_role, signer, true, decision);
    }
    if (!unreachable.empty()) {
      reasons.push_back(
          absl::StrCat("TVS of ", absl::StrJoin(NodesOf(unreachable), ", "),
                       " cannot be reached from ", ground_.judge, ", and ", what,
                       ", which phones must ask for: ", unreachable.front()->boot.reason));
      decision.add_notes(
          "see that TVS runs there and that TCP 2445 is open from the phones' network");
    }
    if (!identity.empty()) {
      reasons.push_back(absl::StrCat(
          "TVS of ", absl::StrJoin(NodesOf(identity), ", "),
          " does not show a valid certificate of the phones' own ITL: these phones will be "
          "stranded: ",
          identity.front()->boot.reason));
      decision.add_notes(
          "mend TVS in the phones' own cluster first, or take them out of the batch");
    }
    for (const Asked* asked : other) {
      if (std::find(reasons.begin(), reasons.end(), asked->boot.reason) == reasons.end()) {
        reasons.push_back(asked->boot.reason);
        AdviseRecord(asked->boot, decision);
      }
    }
    decision.set_reason(absl::StrJoin(reasons, "; "));
    if (!good.empty()) {
      decision.add_notes(absl::StrCat("present on ", absl::StrJoin(NodesOf(good), ", ")));
    }
  }

  void Miss(const std::vector<const Asked*>& asked, const ListSigner& signer, bool role_only,
            v1::GateDecision& decision) const {
    std::vector<std::string> nodes;
    for (const Asked* each : asked) {
      v1::GateMissing& missing = *decision.add_missing();
      missing.set_node(each->node);
      missing.set_role_only(role_only);
      missing.set_subject(signer.subject);
      missing.set_serial(signer.serial_hex);
      for (const TvsQuestionAsked& question : each->boot.tvs) {
        if (missing.serial().empty() && question.file == each->boot.refused_file) {
          missing.set_serial(SerialHex(question.serial));
          missing.set_subject(question.issuer);
        }
      }
      nodes.push_back(each->node);
    }
    decision.set_next(
        absl::StrCat("trustline apply ", ground_.playbook, ".yml -l ", absl::StrJoin(nodes, ",")));
  }

  const Trip& trip_;
  const TripGround& ground_;
  PhoneBehaviour behaviour_;
};

}  // namespace

TripResult JudgeTrip(const Trip& trip, const TripGround& ground) {
  return TripJudge(trip, ground).Judge();
}

ListSigner SignerOf(const std::string& bytes) {
  ListSigner signer;
  const absl::StatusOr<TrustList> list = ParseTrustList(bytes);
  if (!list.ok()) return signer;
  signer.known = true;
  signer.serial_hex = SerialHex(list->header.signer_serial);
  signer.subject = list->header.signer_name.value_or("");
  // A CallManager certificate that signs also stands there as a TFTP server's; ITLRecovery never.
  bool serves_files = false;
  for (const TrustListRecord& record : list->records) {
    if (!record.serial || !SameSerial(*record.serial, list->header.signer_serial)) continue;
    serves_files |= record.Is(ListRole::kTftp) || record.Is(ListRole::kCcmTftp);
    if (record.subject && signer.subject.empty()) signer.subject = *record.subject;
  }
  signer.unit = serves_files ? "CallManager" : "ITLRecovery";
  return signer;
}

}  // namespace trustline::agent
