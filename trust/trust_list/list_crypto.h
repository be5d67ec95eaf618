// Keys and digests as trust lists carry them; beside trust/rsa_signature.h the one place of the
// trust lists that knows OpenSSL. Pure functions, safe for concurrent use.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trust/certificate.h"
#include "trust/rsa_signature.h"

namespace trustline {

// A public key as a record carries it: RSA as PKCS#1 RSAPublicKey in DER, EC as the uncompressed
// X9.62 point.
struct ListKey {
  bool rsa = false;
  int bits = 0;
  std::string bytes;
};
// InvalidArgument for a key that is neither RSA nor EC.
absl::StatusOr<ListKey> ListKeyOf(const Certificate& certificate);
// The key of a record that comes without a certificate; only RSA can be told from its bytes alone.
// InvalidArgument for anything but one RSAPublicKey.
absl::StatusOr<ListKey> RsaKeyFromBytes(absl::string_view pkcs1);
// The signature bytes inside the certificate, as its issuer made them.
std::string SignatureInside(const Certificate& certificate);

// Whether phones take signatures with this key and digest: RSA of 1024, 2048 or 4096 bits (the
// sizes with a published code; 512 bits protect nothing), SHA-1 or SHA-512. InvalidArgument says
// what is wrong.
absl::Status CheckSignerKind(const ListKey& key, SignatureDigest digest);
// PermissionDenied when `signature` is not the PKCS#1 v1.5 signature by `key` over `data`;
// InvalidArgument as CheckSignerKind.
absl::Status VerifyByListKey(const ListKey& key, SignatureDigest digest, absl::string_view data,
                             absl::string_view signature);

// 16 raw bytes, as phones show them on their screens beside SHA-1. For display and comparison only;
// empty where OpenSSL's policy on this machine forbids MD5.
std::string Md5(absl::string_view bytes);

}  // namespace trustline
