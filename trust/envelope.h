// Signing and opening envelopes (protos/trustline/v1/envelope.proto). Signatures are over exactly
// the payload bytes.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "protos/trustline/v1/envelope.pb.h"
#include "trust/certificate.h"
#include "trust/identity.h"
#include "trust/private_key.h"

namespace trustline {

// InvalidArgument when the key is not the certificate's.
absl::StatusOr<v1::Envelope> Seal(absl::string_view payload_type, std::string payload,
                                  const PrivateKey& key, const Certificate& signer);

// 64 lower-case hex digits: the digest of the payload, by which documents are known.
std::string PayloadDigest(const v1::Envelope& envelope);

struct Opened {
  std::string payload;
  Identity signer;
};

// The payload and who signed it. Every signature must verify against its certificate, chain to
// `roots` at `now`; the first one names the signer. InvalidArgument: another payload type, no
// signature, more than 8. PermissionDenied: forged, foreign, expired.
absl::StatusOr<Opened> Open(const v1::Envelope& envelope, absl::string_view payload_type,
                            const std::vector<Certificate>& roots, absl::Time now);

}  // namespace trustline
