#include "trust/phone/tvs_questions.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "trust/directory_name.h"
#include "trust/phone/held_lists.h"
#include "trust/trust_list/list_crypto.h"

namespace trustline {
namespace {

constexpr uint32_t kSession = 1001;  // as a real phone numbers its sessions
// What phones keep an answer for that does not say how long.
constexpr absl::Duration kDefaultTtl = absl::Hours(24);

std::string TtlText(absl::Duration ttl) {
  if (ttl > absl::ZeroDuration() && ttl % absl::Hours(24) == absl::ZeroDuration())
    return absl::StrCat(ttl / absl::Hours(24), " d");
  return absl::FormatDuration(ttl);
}

std::string RoleName(uint8_t role) {
  const absl::string_view text = RoleText(role);
  if (role == static_cast<uint8_t>(ListRole::kSast)) return "SAST";
  return text.empty() ? absl::StrCat(static_cast<int>(role)) : std::string(text);
}

// `validity`: what is said about how long the answer holds.
TvsOpinion Weigh(uint8_t status, const std::string& certificate, const std::vector<uint8_t>& roles,
                 const std::vector<ListRole>& wanted, const std::string& validity) {
  TvsOpinion opinion;
  if (status != 0 || certificate.empty()) {
    opinion.refusal = PhoneRefusal::kSignerUnknown;
    opinion.text = status <= 1
                       ? "answered: certificate unknown"
                       : absl::StrCat("answered with status ", status, ": certificate unknown");
    return opinion;
  }
  const auto found = std::find_first_of(
      roles.begin(), roles.end(), wanted.begin(), wanted.end(),
      [](uint8_t have, ListRole want) { return have == static_cast<uint8_t>(want); });
  if (found == roles.end()) {
    opinion.refusal = PhoneRefusal::kSignerRole;
    opinion.text = absl::StrCat(
        "answered: certificate known, but without the role ", RolesText(wanted), " (it has ",
        roles.empty() ? "none"
                      : absl::StrJoin(roles, ", ",
                                      [](std::string* out, uint8_t role) {
                                        absl::StrAppend(out, RoleName(role));
                                      }),
        ")");
    return opinion;
  }
  opinion.certificate = certificate;
  opinion.text = absl::StrCat("role ", RoleName(*found), ", ", validity);
  return opinion;
}

}  // namespace

PinnedTvs PinnedTvsOf(const PhoneState& state, const PhoneBehaviour& behaviour, absl::Time now) {
  PinnedTvs pinned;
  if (state.tvs.empty()) {
    pinned.refusal = PhoneRefusal::kTvsNone;
    pinned.why = "the phone knows no TVS server: its configuration names none";
    return pinned;
  }
  const HeldLists held(state);
  size_t expired = 0;
  std::string last_expired;
  for (const TrustListRecord& record : held.itl.records) {
    if (!record.Is(ListRole::kTvs) || !record.certificate) continue;
    absl::StatusOr<Certificate> certificate = Certificate::FromDer(*record.certificate);
    if (!certificate.ok()) continue;
    if (!state.abilities.elliptic_curves) {
      const absl::StatusOr<ListKey> key = ListKeyOf(*certificate);
      if (!key.ok() || !key->rsa) continue;
    }
    const bool valid = certificate->not_before() <= now && now <= certificate->not_after();
    if (!valid) {
      ++expired;
      last_expired = absl::StrCat(
          certificate->subject(), now < certificate->not_before() ? " is valid from " : " expired ",
          absl::FormatTime("%Y-%m-%d",
                           now < certificate->not_before() ? certificate->not_before()
                                                           : certificate->not_after(),
                           absl::UTCTimeZone()));
      if (!behaviour.expired_tvs_certificates) continue;
    }
    pinned.certificates.push_back(*std::move(certificate));
  }
  if (expired > 0) {
    pinned.assumptions.push_back(
        absl::StrCat("whether phones mind that a TVS certificate has expired is not documented (",
                     last_expired, ")"));
  }
  if (!pinned.certificates.empty()) return pinned;
  if (expired > 0) {
    pinned.refusal = PhoneRefusal::kTvsIdentity;
    pinned.why = absl::StrCat("no TVS certificate of the phone's ITL is valid: ", last_expired);
  } else {
    pinned.refusal = PhoneRefusal::kTvsNone;
    pinned.why = state.itl ? "the phone's ITL has no TVS certificate, so it can trust no TVS server"
                           : "the phone has no ITL, so it can trust no TVS server";
  }
  return pinned;
}

std::string TvsDeviceName(const PhoneState& state) {
  if (state.model.empty()) return state.device;
  return absl::StrCat(absl::StartsWith(state.model, "CP-") ? "" : "CP-", state.model, "-",
                      state.device);
}

TvsRequest SignerQuery(const PhoneState& state, const FileSigner& signer) {
  TvsRequest request;
  request.kind = TvsKind::kQuery;
  request.session = kSession;
  request.device = TvsDeviceName(state);
  request.subject = signer.subject;
  request.issuer = signer.issuer;
  request.serial = signer.serial;
  return request;
}

TvsOpinion OpinionOf(const TvsReply& reply, const TvsRequest& request,
                     const std::vector<ListRole>& roles) {
  const absl::Status fits = CheckTvsReply(reply, request);
  if (!fits.ok()) {
    TvsOpinion opinion;
    opinion.answered = false;
    opinion.refusal = PhoneRefusal::kTvsUnreachable;
    opinion.text = absl::StrCat("gave an answer to another question: ", fits.message());
    return opinion;
  }
  return Weigh(reply.status, reply.certificate, reply.roles, roles,
               absl::StrCat("TTL ", TtlText(reply.ttl.value_or(kDefaultTtl))));
}

TvsOpinion OpinionOfFailure(const absl::Status& why) {
  TvsOpinion opinion;
  opinion.answered = false;
  if (absl::IsPermissionDenied(why)) {
    opinion.refusal = PhoneRefusal::kTvsIdentity;
    opinion.text =
        absl::StrCat("presents a certificate that the phone's ITL does not have: ", why.message());
  } else {
    opinion.refusal = PhoneRefusal::kTvsUnreachable;
    opinion.text = absl::StrCat("could not be asked: ", why.message());
  }
  return opinion;
}

TvsOpinion OpinionOfCached(const CachedTvsAnswer& answer, const std::vector<ListRole>& roles,
                           absl::Time now) {
  return Weigh(
      answer.status, answer.certificate, answer.roles, roles,
      absl::StrCat("remembered for another ",
                   absl::FormatDuration(absl::Trunc(answer.expires - now, absl::Seconds(1)))));
}

const CachedTvsAnswer* FindCached(std::vector<CachedTvsAnswer>* cache, const FileSigner& signer,
                                  absl::Time now) {
  std::erase_if(*cache, [now](const CachedTvsAnswer& answer) { return answer.expires <= now; });
  for (const CachedTvsAnswer& answer : *cache) {
    if (SameSerial(answer.serial, signer.serial) && SameDirectoryName(answer.issuer, signer.issuer))
      return &answer;
  }
  return nullptr;
}

void StoreAnswer(std::vector<CachedTvsAnswer>* cache, const FileSigner& signer,
                 const TvsReply& reply, const std::string& server, absl::Time now) {
  std::erase_if(*cache, [&signer](const CachedTvsAnswer& answer) {
    return SameSerial(answer.serial, signer.serial) &&
           SameDirectoryName(answer.issuer, signer.issuer);
  });
  CachedTvsAnswer answer;
  answer.issuer = signer.issuer;
  answer.serial = signer.serial;
  answer.status = reply.status;
  answer.certificate = reply.certificate;
  answer.roles = reply.roles;
  answer.server = server;
  answer.expires = now + reply.ttl.value_or(kDefaultTtl);
  cache->push_back(std::move(answer));
}

std::string RolesText(const std::vector<ListRole>& roles) {
  return absl::StrJoin(roles, " or ", [](std::string* out, ListRole role) {
    absl::StrAppend(out, RoleName(static_cast<uint8_t>(role)));
  });
}

}  // namespace trustline
