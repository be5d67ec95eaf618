// Writes trust lists the way the vendor's servers do: the same elements in the same order, names
// with ';' between attributes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "trust/certificate.h"
#include "trust/private_key.h"
#include "trust/rsa_signature.h"
#include "trust/trust_list/trust_list.h"

namespace trustline {

inline constexpr char kItlFileName[] = "ITLFile.tlv";  // also in the header of per-phone copies
inline constexpr char kCtlFileName[] = "CTLFile.tlv";

struct TrustListDraft {
  std::string file_name = kItlFileName;
  ListVersion version;                              // 1.2, which phones of all ages take
  std::optional<ListVersion> signer_version;        // left out, as releases before 11 do
  SignatureDigest digest = SignatureDigest::kSha1;  // SHA-512 locks out phones that only know SHA-1
  absl::Time timestamp;                             // whole seconds, 1970 to 2106
  std::vector<TrustListRecord> records;  // `offset`, `length` and `elements` are not looked at
  // The list of the rollback parameter: it must have no SAST record, and phones know the signer by
  // the list they hold.
  bool without_signers = false;
};

// A record in full. The vendor's records always have an address; 0.0.0.0 stands for none.
// InvalidArgument for keys that are neither RSA nor EC.
absl::StatusOr<TrustListRecord> MakeRecord(const Certificate& certificate, ListRole role,
                                           absl::string_view dns_name,
                                           std::array<uint8_t, 4> address = {});
// What a non-secure cluster leaves of a node in its CTL.
TrustListRecord MakeEmptyRecord(ListRole role, absl::string_view dns_name,
                                std::array<uint8_t, 4> address = {});

// The bytes of the record, in the vendor's order; elements that are nullopt are left out.
// InvalidArgument for a NUL inside a name, an empty value, or more than 65535 bytes.
absl::StatusOr<std::string> EncodeRecord(const TrustListRecord& record);

// The signed file. `key` must be `signer`'s, and `signer` the certificate of one SAST record (but
// see without_signers): InvalidArgument otherwise, for keys without a published modulus code, and
// FailedPrecondition for whatever VerifyTrustList would object to. What is returned parses and
// verifies.
absl::StatusOr<std::string> WriteTrustList(const TrustListDraft& draft, const Certificate& signer,
                                           const PrivateKey& key);

}  // namespace trustline
