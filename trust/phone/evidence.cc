#include "trust/phone/evidence.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace trustline {

std::string PhoneEvidence::Immovable() const {
  if (!alternate_tftp.empty()) {
    return absl::StrCat("DHCP cannot move this phone: alternate TFTP is set by hand (",
                        absl::StrJoin(alternate_tftp, ", "), ")");
  }
  return "";
}

std::string PhoneEvidence::Unproven() const {
  if (!itl.known() && abilities.security_by_default) return "no evidence of its ITL";
  if (itl.known() && !itl.none && !itl.bytes)
    return absl::StrCat("its ITL ", itl.digest.empty() ? itl.file : itl.digest,
                        " is on no server "
                        "that was asked");
  // A CTL that nobody mentions is one the phone does not have: pages and screens show both.
  if (ctl.known() && !ctl.none && !ctl.bytes)
    return absl::StrCat("its CTL ", ctl.digest.empty() ? ctl.file : ctl.digest,
                        " is on no server "
                        "that was asked");
  return "";
}

PhoneState StateOf(const PhoneEvidence& evidence) {
  PhoneState state;
  state.device = evidence.device;
  state.model = evidence.model;
  state.itl = evidence.itl.bytes;
  state.ctl = evidence.ctl.bytes;
  state.tvs = evidence.tvs;
  state.alternate_tftp = evidence.alternate_tftp;
  state.abilities = evidence.abilities;
  return state;
}

std::string CanonicalMac(const std::string& text) {
  std::string digits;
  for (const char c : text) {
    if (c == ':' || c == '-' || c == '.') continue;
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return "";
    digits.push_back(absl::ascii_tolower(static_cast<unsigned char>(c)));
  }
  if (digits.size() != 12) return "";
  std::string mac;
  for (size_t i = 0; i < digits.size(); i += 2)
    absl::StrAppend(&mac, i == 0 ? "" : ":", digits.substr(i, 2));
  return mac;
}

}  // namespace trustline
