#include "trust/trust_list/list_crypto.h"

#include <openssl/rsa.h>

#include "absl/strings/str_cat.h"
#include "trust/openssl_handles.h"
#include "trust/status_macros.h"

namespace trustline {
absl::StatusOr<ListKey> ListKeyOf(const Certificate& certificate) {
  openssl::ErrorQueueGuard guard;
  const unsigned char* at = openssl::Bytes(certificate.public_key_der());
  openssl::EvpPkeyPtr key(d2i_PUBKEY(nullptr, &at, certificate.public_key_der().size()));
  const int type = key == nullptr ? EVP_PKEY_NONE : EVP_PKEY_get_base_id(key.get());
  if (type != EVP_PKEY_RSA && type != EVP_PKEY_EC) {
    return absl::InvalidArgumentError(
        absl::StrCat("the key of ", certificate.subject(), " is neither RSA nor EC"));
  }
  ListKey result{type == EVP_PKEY_RSA, EVP_PKEY_get_bits(key.get()), ""};
  if (!result.rsa) {
    unsigned char* raw = nullptr;
    const size_t size = EVP_PKEY_get1_encoded_public_key(key.get(), &raw);
    openssl::BytesPtr owned(raw);
    if (size > 0) result.bytes.assign(reinterpret_cast<char*>(raw), size);
  } else {
    result.bytes = openssl::ToDer<EVP_PKEY>(key.get(), i2d_PublicKey);
  }
  if (result.bytes.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the key of ", certificate.subject(), " cannot be written out"));
  }
  return result;
}

absl::StatusOr<ListKey> RsaKeyFromBytes(absl::string_view pkcs1) {
  openssl::ErrorQueueGuard guard;
  const unsigned char* at = openssl::Bytes(pkcs1);
  openssl::EvpPkeyPtr key(
      d2i_PublicKey(EVP_PKEY_RSA, nullptr, &at, static_cast<long>(pkcs1.size())));  // NOLINT
  if (key == nullptr || at != openssl::Bytes(pkcs1) + pkcs1.size())
    return absl::InvalidArgumentError("the public key is not an RSA key in PKCS#1 DER");
  return ListKey{true, EVP_PKEY_get_bits(key.get()), std::string(pkcs1)};
}

std::string SignatureInside(const Certificate& certificate) {
  openssl::ErrorQueueGuard guard;
  const unsigned char* at = openssl::Bytes(certificate.der());
  openssl::X509Ptr x509(
      d2i_X509(nullptr, &at, static_cast<long>(certificate.der().size())));  // NOLINT
  if (x509 == nullptr) return "";  // cannot be: Certificate holds only what d2i_X509 read
  const ASN1_BIT_STRING* signature = nullptr;
  X509_get0_signature(&signature, nullptr, x509.get());
  return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(signature)),
                     ASN1_STRING_length(signature));
}

absl::Status CheckSignerKind(const ListKey& key, SignatureDigest digest) {
  constexpr int kSmallest = 1024;
  if (!key.rsa) {
    return absl::InvalidArgumentError(
        "the signer's key is not RSA; phones know only RSA signatures on trust lists");
  }
  if (key.bits < kSmallest) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the signer's key has ", key.bits, " bits; less than ", kSmallest, " protect nothing"));
  }
  // A size between whole bytes has no code either.
  TL_RETURN_IF_ERROR(ModulusCode(key.bits % 8 == 0 ? key.bits / 8 : 0).status());
  if (digest != SignatureDigest::kSha1 && digest != SignatureDigest::kSha512) {
    return absl::InvalidArgumentError(
        absl::StrCat("digest ", static_cast<int>(digest), " (", SignatureDigestName(digest),
                     ") is known to be accepted by no phone; lists use 1 (SHA-1) or 3 (SHA-512)"));
  }
  return absl::OkStatus();
}

absl::Status VerifyByListKey(const ListKey& key, SignatureDigest digest, absl::string_view data,
                             absl::string_view signature) {
  openssl::ErrorQueueGuard guard;
  TL_RETURN_IF_ERROR(CheckSignerKind(key, digest));
  const EVP_MD* algorithm = digest == SignatureDigest::kSha512 ? EVP_sha512() : EVP_sha1();
  const unsigned char* at = openssl::Bytes(key.bytes);
  openssl::EvpPkeyPtr native(
      d2i_PublicKey(EVP_PKEY_RSA, nullptr, &at, static_cast<long>(key.bytes.size())));  // NOLINT
  openssl::EvpMdCtxPtr ctx(EVP_MD_CTX_new());
  if (native == nullptr || ctx == nullptr ||
      EVP_DigestVerifyInit(ctx.get(), nullptr, algorithm, nullptr, native.get()) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("the signer's key cannot check a signature: ", openssl::TakeReason()));
  }
  if (EVP_DigestVerify(ctx.get(), openssl::Bytes(signature), signature.size(), openssl::Bytes(data),
                       data.size()) != 1) {
    return absl::PermissionDeniedError(
        "the signature is not by the signer's key, or what was signed has changed");
  }
  return absl::OkStatus();
}

std::string Md5(absl::string_view bytes) {
  openssl::ErrorQueueGuard guard;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_md5(), nullptr) != 1) return "";
  return std::string(reinterpret_cast<char*>(digest), size);
}

}  // namespace trustline
