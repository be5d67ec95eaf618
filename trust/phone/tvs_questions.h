// How a phone asks its Trust Verification Services for the signer of a file: whom, with what, and
// what an answer is worth to it. Pure. Source: domain facts, TVS server list, failover and cache.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "trust/certificate.h"
#include "trust/phone/file_ruling.h"
#include "trust/phone/phone.h"
#include "trust/trust_list/list_format.h"
#include "trust/tvs/message.h"

namespace trustline {

inline constexpr size_t kTvsServersAsked = 3;

// The certificates of the phone's ITL a TVS server may present. Empty: none can be recognised, and
// `why` says so (and for what refusal).
struct PinnedTvs {
  std::vector<Certificate> certificates;
  PhoneRefusal refusal = PhoneRefusal::kNone;
  std::string why;
  std::vector<std::string> assumptions;
};
PinnedTvs PinnedTvsOf(const PhoneState& state, const PhoneBehaviour& behaviour, absl::Time now);

// "CP-8861-SEP001B54AABB01"
std::string TvsDeviceName(const PhoneState& state);
TvsRequest SignerQuery(const PhoneState& state, const FileSigner& signer);

// What an answer comes to for a file that needs one of `roles`.
struct TvsOpinion {
  PhoneRefusal refusal = PhoneRefusal::kNone;  // kNone: vouched for
  std::string text;  // "answered: certificate unknown"; of a good one "vouched for ..., role SAST"
  std::string certificate;  // DER, of a good one
  bool answered = true;     // false: as good as no answer, the next server is asked
};
TvsOpinion OpinionOf(const TvsReply& reply, const TvsRequest& request,
                     const std::vector<ListRole>& roles);
TvsOpinion OpinionOfFailure(const absl::Status& why);
TvsOpinion OpinionOfCached(const CachedTvsAnswer& answer, const std::vector<ListRole>& roles,
                           absl::Time now);

// The phone's memory of answers, by serial and issuer. Find forgets what has expired.
const CachedTvsAnswer* FindCached(std::vector<CachedTvsAnswer>* cache, const FileSigner& signer,
                                  absl::Time now);
void StoreAnswer(std::vector<CachedTvsAnswer>* cache, const FileSigner& signer,
                 const TvsReply& reply, const std::string& server, absl::Time now);

// "SAST", "TFTP or CCM+TFTP"
std::string RolesText(const std::vector<ListRole>& roles);

}  // namespace trustline
