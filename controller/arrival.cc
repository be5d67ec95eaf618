#include "controller/arrival.h"

#include <map>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "trust/rsa_signature.h"

namespace trustline::controller {
namespace {

// Hex digest -> node, of SHA-1 and MD5.
using Digests = std::map<std::string, std::string>;

std::string DigestOfEvidence(const ListEvidence& list) {
  if (!list.digest.empty() || !list.bytes) return list.digest;
  return absl::BytesToHexString(DigestOf(SignatureDigest::kSha1, *list.bytes));
}

enum class Match { kYes, kNo, kUnknown };

Match Compare(const char* kind, const ListEvidence& list, const Digests& served, std::string* node,
              std::string* why) {
  if (list.none) {
    *why = absl::StrCat("holds no ", kind);
    return Match::kNo;
  }
  const std::string digest = DigestOfEvidence(list);
  if (digest.empty()) {
    *why = absl::StrCat("no evidence of its ", kind);
    return Match::kUnknown;
  }
  const auto found = served.find(digest);
  if (found == served.end()) {
    *why = absl::StrCat("holds ", kind, " ", digest.substr(0, 12),
                        ", which no destination node serves");
    return Match::kNo;
  }
  *node = found->second;
  return Match::kYes;
}

}  // namespace

Arrival CompareArrival(const std::vector<PhoneEvidence>& phones,
                       const std::vector<LiveList>& live) {
  Digests itls, ctls;
  for (const LiveList& list : live) {
    Digests& digests = list.ctl ? ctls : itls;
    digests.emplace(list.Sha1(), list.node);
    if (const std::string md5 = list.Md5(); !md5.empty()) digests.emplace(md5, list.node);
  }
  Arrival arrival;
  for (size_t i = 0; i < phones.size(); ++i) {
    const PhoneEvidence& phone = phones[i];
    if (!phone.excluded.empty()) {
      arrival.excluded.push_back({i, phone.excluded});
      continue;
    }
    std::string node, why;
    const bool has_itl = phone.abilities.security_by_default;
    Match match = has_itl ? Compare("ITL", phone.itl, itls, &node, &why) : Match::kYes;
    if (match == Match::kYes && !ctls.empty()) {
      match = Compare("CTL", phone.ctl, ctls, &node, &why);
    } else if (!has_itl) {
      match = Match::kUnknown;
      why = "its firmware holds no ITL, and the destination has no CTL: nothing to compare";
    }
    switch (match) {
      case Match::kYes:
        arrival.arrived.push_back({i, node});
        break;
      case Match::kNo:
        arrival.waiting.push_back({i, why});
        break;
      case Match::kUnknown:
        arrival.unknown.push_back({i, why});
        break;
    }
  }
  return arrival;
}

}  // namespace trustline::controller
