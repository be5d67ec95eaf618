// The trust lists a phone holds, taken apart, and whom they let sign what. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "trust/phone/file_ruling.h"
#include "trust/phone/phone.h"
#include "trust/trust_list/trust_list.h"

namespace trustline {

struct HeldLists {
  // A list that cannot be read any more is held, but vouches for nobody.
  explicit HeldLists(const PhoneState& state);

  bool has_ctl = false, has_itl = false;
  TrustList ctl, itl;

  // Clusters that prepare for a rollback leave lists without signers, TFTP and TVS: the phone then
  // believes whatever comes next.
  bool BelievesAnything() const;
  bool none() const { return !has_ctl && !has_itl; }

  struct Match {
    const TrustListRecord* record = nullptr;
    bool in_ctl = false;
    std::string ListName() const { return in_ctl ? "CTL" : "ITL"; }
  };
  // Records of that serial and issuer with one of the roles, the CTL's first.
  std::vector<Match> Find(const FileSigner& signer, const std::vector<ListRole>& roles) const;
};

// No record of it but CAPF carries a certificate.
bool IsEmptyList(const TrustList& list);

// OK when the record's key made the signature. PermissionDenied: it did not; InvalidArgument:
// phones do not take such a key or digest, or the record carries none.
absl::Status VerifyByRecord(const TrustListRecord& record, uint8_t digest_code,
                            absl::string_view signed_bytes, absl::string_view signature);

}  // namespace trustline
