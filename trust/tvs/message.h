// What TVS frames say: a phone asks whether a certificate is valid (VERIFY), or for the certificate
// of an issuer and serial (QUERY); the service answers with status, certificate, roles and how long
// the answer holds. Source: domain facts; the tags of issuer and serial in a QUERY are inferred
// from order and lengths of a real one. Pure functions, safe for concurrent use.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "trust/certificate.h"
#include "trust/trust_list/list_format.h"
#include "trust/tvs/frame.h"

namespace trustline {

enum class TvsKind : uint8_t { kVerify, kQuery };

struct TvsRequest {
  TvsKind kind = TvsKind::kQuery;
  uint32_t session = 0;
  uint8_t reserved = 0;
  std::string device;       // CP-8861-SEPB000B4BA0AEE
  std::string certificate;  // VERIFY: DER, not parsed
  // QUERY: names as trust lists carry them, serial raw as Certificate::serial().
  std::string subject, issuer, serial;
  std::vector<uint8_t> unknown_elements;  // tags that were skipped; not encoded
};

struct TvsReply {
  TvsKind kind = TvsKind::kQuery;
  uint32_t session = 0;
  uint8_t reserved = 0;
  uint8_t status = 0;                 // 0 ok, 1 not valid or not found
  std::string certificate;            // DER, not parsed; QUERY only, empty where there is none
  std::vector<uint8_t> roles;         // ListRole, one byte each, and others
  std::optional<absl::Duration> ttl;  // whole seconds
  std::vector<uint8_t> unknown_elements;

  bool HasRole(ListRole role) const;
};

// The whole frame. InvalidArgument when a part is too long for its element or the parts together
// for a frame, and for a text with a NUL inside, an empty device or serial, or a TTL out of range.
absl::StatusOr<std::string> EncodeTvsRequest(const TvsRequest& request);
absl::StatusOr<std::string> EncodeTvsReply(const TvsReply& reply);

// InvalidArgument: an element that runs over the body, has a wrong size or comes twice, or one that
// the command needs is missing. Unimplemented: the command is none of this direction. Unknown
// elements are skipped.
absl::StatusOr<TvsRequest> DecodeTvsRequest(const TvsFrame& frame);
absl::StatusOr<TvsReply> DecodeTvsReply(const TvsFrame& frame);

// OK when `reply` can be the answer to `request`: same session and kind, and a certificate in it is
// the one that was asked for (serial, issuer), so that a valid reply to another question vouches
// for nothing. InvalidArgument otherwise, saying what differs. Says nothing of status and roles.
absl::Status CheckTvsReply(const TvsReply& reply, const TvsRequest& request);

// What a service looks certificates up by: upper-case hex of the serial, directly followed by the
// issuer's name. Zero bytes at the serial's start do not count.
std::string TvsLookupKey(absl::string_view serial, absl::string_view issuer);

}  // namespace trustline
