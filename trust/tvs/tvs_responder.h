// What a Trust Verification Service answers, as a function of the node's trust stores.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "trust/certificate.h"
#include "trust/trust_list/list_format.h"
#include "trust/tvs/message.h"

namespace trustline {

// A certificate and the store (or slot of an own certificate) it lies in.
struct TrustedCertificate {
  std::string store;
  Certificate certificate;
};

// What lying in a store lets a certificate do. A certificate in several stores has the roles of
// all.
//
//   store                                     roles
//   Phone-SAST-trust                          SAST        may sign trust lists: the role that
//                                                         authenticates an ITL's or CTL's signer
//   CallManager-trust                         TFTP        may sign configuration files
//   CallManager (own)                         SAST and TFTP; in mixed mode SAST and CCM+TFTP
//   ITLRecovery (own)                         SAST
//   CAPF-trust, CAPF (own)                    CAPF
//   TVS-trust, TVS (own)                      TVS
//   tomcat-trust, tomcat (own)                APP-SERVER
//   any other                                 none: what lies there only is not vouched for
//
// So a certificate that was imported into CallManager-trust alone is known but does not
// authenticate a trust list. Sources: the roles that were seen in vendor traces (an imported
// foreign CallManager {SAST, TFTP}, the own one in mixed mode {SAST, CCM+TFTP}, a token of
// Phone-SAST-trust {SAST}) and the vendor's placement of imported units; own certificates out of
// mixed mode, CAPF, TVS and tomcat are inferred from the roles these units have in trust lists.
std::vector<ListRole> RolesOfStore(absl::string_view store, bool mixed_mode);

struct TvsResponderOptions {
  bool mixed_mode = false;
  absl::Duration ttl = absl::Hours(24);  // whole seconds, below 2^32
};

// An immutable snapshot. Safe for concurrent use.
class TvsResponder {
 public:
  // Certificates too large for a reply (over 60,000 bytes) and those without a role are left out.
  TvsResponder(const std::vector<TrustedCertificate>& trusted, const TvsResponderOptions& options);

  // QUERY: status 0 with the certificate of that serial and issuer, its roles and TTL; the issuer
  // in either form of text (directory_name.h). Where a careless issuer gave one serial twice, the
  // name that matches to the letter wins, then the younger certificate. VERIFY: status 0 with roles
  // and TTL exactly when that very certificate is stored. Otherwise status 1 and nothing else, no
  // TTL either: there is nothing a phone should keep. Dates do not count: the phone is not told of
  // them in the protocol and judges itself. Session and kind are the request's.
  TvsReply Answer(const TvsRequest& request) const;

  // How many certificates it vouches for.
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Certificate certificate;
    std::vector<uint8_t> roles;  // ascending
  };
  const Entry* Find(const TvsRequest& request) const;

  absl::Duration ttl_;
  std::vector<Entry> entries_;                                      // the youngest first
  std::unordered_map<std::string, std::vector<size_t>> by_serial_;  // raw serial
  std::unordered_map<std::string, size_t> by_key_;                  // TvsLookupKey
  std::unordered_map<std::string, size_t> by_der_;
};

}  // namespace trustline
