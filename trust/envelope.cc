#include "trust/envelope.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "trust/sha256.h"
#include "trust/status_macros.h"

namespace trustline {
namespace {

// An envelope has one signer today and a second one at approval; more only cost the reader time.
constexpr int kMaxSignatures = 8;

// The lengths keep (type, payload) apart: no other pair gives the same bytes.
std::string SignedBytes(absl::string_view payload_type, absl::string_view payload) {
  return absl::StrCat("trustline-envelope-v1 ", payload_type.size(), " ", payload_type, " ",
                      payload.size(), " ", payload);
}

absl::Status Denied(const absl::Status& why) { return absl::PermissionDeniedError(why.message()); }

}  // namespace

absl::StatusOr<v1::Envelope> Seal(absl::string_view payload_type, std::string payload,
                                  const PrivateKey& key, const Certificate& signer) {
  if (payload_type.empty()) return absl::InvalidArgumentError("an envelope needs a payload type");
  if (!key.Matches(signer)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the key does not belong to the certificate ", signer.subject()));
  }
  v1::Envelope envelope;
  v1::Signature* signature = envelope.add_signatures();
  TL_ASSIGN_OR_RETURN(*signature->mutable_signature(),
                      key.Sign(SignedBytes(payload_type, payload)));
  signature->set_certificate(signer.der());
  envelope.set_payload_type(std::string(payload_type));
  envelope.set_payload(std::move(payload));
  return envelope;
}

std::string PayloadDigest(const v1::Envelope& envelope) { return Sha256Hex(envelope.payload()); }

absl::StatusOr<Opened> Open(const v1::Envelope& envelope, absl::string_view payload_type,
                            const std::vector<Certificate>& roots, absl::Time now) {
  if (envelope.payload_type() != payload_type) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the envelope holds \"", absl::CHexEscape(envelope.payload_type().substr(0, 100)),
        "\" where ", payload_type, " is expected"));
  }
  if (envelope.signatures().empty())
    return absl::InvalidArgumentError("the envelope is not signed");
  if (envelope.signatures_size() > kMaxSignatures) {
    return absl::InvalidArgumentError(
        absl::StrCat("the envelope carries ", envelope.signatures_size(), " signatures; at most ",
                     kMaxSignatures, " are read"));
  }
  const std::string signed_bytes = SignedBytes(payload_type, envelope.payload());
  Opened opened;
  bool first = true;
  for (const v1::Signature& signature : envelope.signatures()) {
    absl::StatusOr<Certificate> signer = Certificate::FromDer(signature.certificate());
    if (!signer.ok()) return Denied(signer.status());
    TL_RETURN_IF_ERROR(VerifyChain(*signer, roots, now));
    TL_RETURN_IF_ERROR(VerifySignature(*signer, signed_bytes, signature.signature()));
    absl::StatusOr<Identity> identity = IdentityOf(*signer);
    if (!identity.ok()) return Denied(identity.status());
    if (first) opened.signer = *std::move(identity);
    first = false;
  }
  opened.payload = envelope.payload();
  return opened;
}

}  // namespace trustline
