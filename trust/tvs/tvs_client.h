// One question to a Trust Verification Service, asked as a phone asks it: over TLS, to a server
// that presents exactly a certificate the phone's trust list names as TVS. No chain, no host name,
// no dates count (domain facts: the phone compares certificates), one question per connection.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "trust/certificate.h"
#include "trust/tvs/message.h"
#include "trust/tvs/tvs_address.h"

namespace trustline {

struct TvsClientOptions {
  // The certificates any of which the server may present: the TVS records of a phone's list. At
  // least one.
  std::vector<Certificate> pinned;
  // For looking up the name, connecting, the handshake and the answer altogether.
  absl::Duration timeout = absl::Seconds(10);
  // TLS 1.0 and old ciphers too, as old phones speak; never anonymous ones.
  bool legacy_tls = false;
};

struct TvsAnswer {
  TvsReply reply;         // CheckTvsReply has passed; status and roles are the caller's to judge
  Certificate presented;  // one of `pinned`; may have expired, which the caller judges too
  std::string request_bytes, reply_bytes;  // the frames as they went over the wire
  std::string tls;                         // "TLSv1.2 AES256-SHA"
};

// Blocks for `timeout` at most. Safe for concurrent use.
// Unavailable: no such host, refused, unreachable, no TLS version or cipher in common, closed
// without an answer, or none in time. PermissionDenied: the server presents another certificate;
// names both, and says which of them has expired. InvalidArgument: what answers there is not TVS,
// or its reply does not belong to the question; also a question that cannot be encoded.
// FailedPrecondition: nothing is pinned.
absl::StatusOr<TvsAnswer> AskTvs(const TvsAddress& server, const TvsRequest& request,
                                 const TvsClientOptions& options);

}  // namespace trustline
