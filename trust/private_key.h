// Private keys. The bytes are wiped when the last copy goes; nothing here prints them.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trust/certificate.h"

namespace trustline {

// An RSA or EC private key. Copies share the key. Safe for concurrent use.
class PrivateKey {
 public:
  static absl::StatusOr<PrivateKey> GenerateEcP256();
  // 1024, 2048, 3072 or 4096 bits; anything else is InvalidArgument.
  static absl::StatusOr<PrivateKey> GenerateRsa(int bits);
  // PKCS#8 or traditional PEM without a password. The error never contains key bytes.
  static absl::StatusOr<PrivateKey> FromPem(absl::string_view pem);

  std::string ToPkcs8Pem() const;
  std::string public_key_der() const;  // SubjectPublicKeyInfo
  bool Matches(const Certificate& certificate) const;
  // SHA-256; ECDSA (DER) or RSA PKCS#1 v1.5.
  absl::StatusOr<std::string> Sign(absl::string_view data) const;

  // OpenSSL's EVP_PKEY, owned by this object; for the files that talk to OpenSSL themselves.
  void* native() const { return key_.get(); }

 private:
  explicit PrivateKey(std::shared_ptr<void> key) : key_(std::move(key)) {}
  std::shared_ptr<void> key_;
};

// OK when `signature` is the certificate's key's SHA-256 signature over `data`; PermissionDenied
// otherwise.
absl::Status VerifySignature(const Certificate& signer, absl::string_view data,
                             absl::string_view signature);

}  // namespace trustline
