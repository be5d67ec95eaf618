// RSA signatures and digests in the terms of Cisco's signed files: digest codes (element 8) and
// modulus codes (element 11). Sources: domain facts of the format; the codes are those that open
// tools and vendor dumps agree on. Pure functions, safe for concurrent use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trust/certificate.h"
#include "trust/private_key.h"

namespace trustline {

// The values are the codes on the wire. The format names SHA-256, but nothing is known to use it.
enum class SignatureDigest : uint8_t { kSha1 = 1, kSha256 = 2, kSha512 = 3 };

absl::string_view SignatureDigestName(SignatureDigest digest);  // "SHA-1"

// Raw bytes: 20, 32 or 64.
std::string DigestOf(SignatureDigest digest, absl::string_view bytes);

// Size of the RSA modulus in bytes. InvalidArgument for keys that are not RSA.
absl::StatusOr<size_t> RsaModulusBytes(const Certificate& certificate);

// The published code of a modulus: 64, 128, 256, 512 bytes are 0 to 3. InvalidArgument for any
// other size (3072 bits have no known code, and one is not guessed).
absl::StatusOr<uint8_t> ModulusCode(size_t modulus_bytes);

// PKCS#1 v1.5. InvalidArgument when the key is not RSA.
absl::StatusOr<std::string> SignRsa(SignatureDigest digest, const PrivateKey& key,
                                    absl::string_view data);

// OK when `signature` is the PKCS#1 v1.5 signature over `data` by the certificate's key;
// PermissionDenied otherwise, also for a key that is not RSA.
absl::Status VerifyRsa(SignatureDigest digest, const Certificate& signer, absl::string_view data,
                       absl::string_view signature);

}  // namespace trustline
