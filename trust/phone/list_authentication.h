// Whether a phone takes a trust list (CTL or ITL) it has fetched. Pure. Source: domain facts, the
// phone's decision: by a signer in its CTL, by one in its ITL, else by one TVS vouches for with the
// role SAST; without any list the first one is believed.
#pragma once

#include <string>

#include "trust/certificate.h"
#include "trust/phone/file_ruling.h"
#include "trust/phone/phone.h"

namespace trustline {

enum class ListKind { kCtl, kItl };

// By what the phone holds.
FileRuling JudgeList(ListKind kind, const std::string& bytes, const PhoneState& state,
                     const PhoneBehaviour& behaviour);
// After kAskTvs, with the certificate TVS vouched for; `by` says so for the reason.
FileRuling JudgeListBy(const Certificate& signer, const std::string& by, const std::string& bytes);

}  // namespace trustline
