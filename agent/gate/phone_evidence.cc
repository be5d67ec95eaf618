#include "agent/gate/phone_evidence.h"

#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "trust/phone/held_lists.h"
#include "trust/trust_list/trust_list.h"

namespace trustline::agent {
namespace {

constexpr size_t kDigestShown = 8;

std::string Shown(absl::string_view digest) {
  return absl::StrCat(absl::AsciiStrToLower(digest.substr(0, kDigestShown)), "...");
}

// The list of a class, from its bytes or by its digest among what is served now.
struct HeldList {
  std::optional<std::string> bytes;
  const v1::Cluster* cluster = nullptr;
  std::string shown;  // "ITL src-pub 3fa9..."
  std::string unproven;
};

HeldList ListOf(const std::string& name, const std::string& base64, const std::string& digest,
                const std::vector<std::string>& devices, ServedLists& lists) {
  HeldList held;
  std::string wanted = digest;
  if (!base64.empty()) {
    std::string bytes;
    if (!absl::Base64Unescape(base64, &bytes)) {
      held.unproven = absl::StrCat("their ", name, " in the evidence is not base64");
      return held;
    }
    wanted = ListSha1(bytes);
    held.bytes = std::move(bytes);
  }
  if (wanted.empty()) return held;
  const ServedList* served = lists.Find(wanted, devices);
  held.shown = absl::StrCat(name, " ", served == nullptr ? "" : served->node + " ", Shown(wanted));
  if (served != nullptr) {
    held.cluster = served->cluster;
    held.bytes = served->bytes;
  } else if (!held.bytes) {
    held.unproven =
        absl::StrCat("they hold ", name, " ", Shown(wanted), ", which no TFTP node serves now");
    const std::vector<std::string> failures = lists.Failures();
    if (!failures.empty()) {
      absl::StrAppend(&held.unproven, "; not fetched: ", absl::StrJoin(failures, ", "));
    }
  }
  return held;
}

TvsAddress AddressOf(const std::string& text, uint16_t port) {
  const absl::StatusOr<TvsAddress> address = ParseTvsAddress(text);
  if (!address.ok()) return {text, port};
  TvsAddress result = *address;
  if (text.find(':') == std::string::npos) result.port = port;
  return result;
}

void CheckEmptyList(const v1::PhoneClass& phones, ClassEvidence& evidence) {
  if (!evidence.state.itl) return;
  const absl::StatusOr<TrustList> itl = ParseTrustList(*evidence.state.itl);
  if (!itl.ok() || !IsEmptyList(*itl)) return;
  const bool mixed =
      evidence.state.ctl.has_value() ||
      (evidence.home != nullptr && evidence.home->security_mode() == v1::SECURITY_MODE_MIXED);
  if (mixed) {
    evidence.refused =
        "their ITL is empty (\"Prepare Cluster for Rollback to pre-8.0\") in a cluster of mixed "
        "mode: they can ask no TVS any more, and their CTL still binds them; set the parameter "
        "back to False and let them take a full ITL first";
  } else {
    evidence.warnings.push_back(absl::StrCat(
        phones.count(),
        " phones hold an empty ITL (\"Prepare Cluster for Rollback to pre-8.0\"): they believe "
        "whoever comes next, and HTTPS services of the phones do not work until then"));
  }
}

}  // namespace

ClassEvidence ReadEvidence(const v1::PhoneClass& phones, const ClusterMap& map, ServedLists& lists,
                           uint16_t tvs_port) {
  ClassEvidence evidence;
  if (!phones.excluded().empty()) {
    evidence.excluded = phones.excluded();
    return evidence;
  }
  if (!phones.tftp().empty()) {
    evidence.excluded =
        absl::StrCat("alternate TFTP servers are set by hand (", absl::StrJoin(phones.tftp(), ", "),
                     "): DHCP cannot move these phones");
    return evidence;
  }
  const std::vector<std::string> devices(phones.examples().begin(), phones.examples().end());
  PhoneState& state = evidence.state;
  if (!devices.empty()) state.device = devices.front();
  state.abilities.security_by_default = !phones.no_sbd();
  state.abilities.sha512 = !phones.no_sha512();
  state.abilities.elliptic_curves = !phones.no_ec();
  if (phones.factory_new()) {
    evidence.holds = "no list";
    evidence.warnings.push_back(absl::StrCat(
        phones.count(), " phones hold no list: they believe the first one they are offered"));
  } else {
    const HeldList itl = ListOf("ITL", phones.itl(), phones.itl_digest(), devices, lists);
    const HeldList ctl = ListOf("CTL", phones.ctl(), phones.ctl_digest(), devices, lists);
    evidence.holds =
        absl::StrCat(ctl.shown, ctl.shown.empty() || itl.shown.empty() ? "" : ", ", itl.shown);
    evidence.unproven = itl.unproven.empty() ? ctl.unproven : itl.unproven;
    if (evidence.holds.empty() && evidence.unproven.empty()) {
      evidence.unproven = phones.no_sbd() ? "" : "no evidence of their trust list";
    }
    state.itl = itl.bytes;
    state.ctl = ctl.bytes;
    evidence.home = ctl.cluster != nullptr ? ctl.cluster : itl.cluster;
  }
  for (const std::string& server : phones.tvs()) state.tvs.push_back(AddressOf(server, tvs_port));
  for (const TvsAddress& server : state.tvs) {
    if (evidence.home == nullptr) evidence.home = map.ClusterAt(server.host);
  }
  if (state.tvs.empty() && evidence.home != nullptr) {
    state.tvs = map.TvsGroup(*evidence.home);
    evidence.assumptions.push_back(absl::StrCat(
        "the evidence does not name their TVS servers; taken to be the inventory's of ",
        evidence.home->name()));
  }
  CheckEmptyList(phones, evidence);
  return evidence;
}

}  // namespace trustline::agent
