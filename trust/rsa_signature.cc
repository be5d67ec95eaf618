#include "trust/rsa_signature.h"

#include "absl/strings/str_cat.h"
#include "trust/openssl_handles.h"

namespace trustline {
namespace {

const EVP_MD* Native(SignatureDigest digest) {
  switch (digest) {
    case SignatureDigest::kSha1:
      return EVP_sha1();
    case SignatureDigest::kSha256:
      return EVP_sha256();
    case SignatureDigest::kSha512:
      return EVP_sha512();
  }
  return nullptr;  // a number cast into the enumeration; OpenSSL's calls then fail
}

openssl::EvpPkeyPtr PublicKey(const Certificate& certificate) {
  const unsigned char* at = openssl::Bytes(certificate.public_key_der());
  openssl::EvpPkeyPtr key(d2i_PUBKEY(nullptr, &at,
                                     static_cast<long>(  // NOLINT(runtime/int): OpenSSL's type
                                         certificate.public_key_der().size())));
  if (key != nullptr && EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA) key.reset();
  return key;
}

}  // namespace

absl::string_view SignatureDigestName(SignatureDigest digest) {
  switch (digest) {
    case SignatureDigest::kSha1:
      return "SHA-1";
    case SignatureDigest::kSha256:
      return "SHA-256";
    case SignatureDigest::kSha512:
      return "SHA-512";
  }
  return "unknown";
}

std::string DigestOf(SignatureDigest digest, absl::string_view bytes) {
  openssl::ErrorQueueGuard guard;
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(out.data()), &size,
                 Native(digest), nullptr) != 1) {
    size = 0;
  }
  out.resize(size);
  return out;
}

absl::StatusOr<size_t> RsaModulusBytes(const Certificate& certificate) {
  openssl::ErrorQueueGuard guard;
  const openssl::EvpPkeyPtr key = PublicKey(certificate);
  if (key == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the key of ", certificate.subject(), " is not RSA; phones' signed files know RSA only"));
  }
  return static_cast<size_t>(EVP_PKEY_get_size(key.get()));
}

absl::StatusOr<uint8_t> ModulusCode(size_t modulus_bytes) {
  switch (modulus_bytes) {
    case 64:
      return 0;
    case 128:
      return 1;
    case 256:
      return 2;
    case 512:
      return 3;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("no code is published for an RSA key of ", modulus_bytes * 8,
                       " bits; use a key of 1024, 2048 or 4096 bits"));
  }
}

absl::StatusOr<std::string> SignRsa(SignatureDigest digest, const PrivateKey& key,
                                    absl::string_view data) {
  openssl::ErrorQueueGuard guard;
  auto* native = static_cast<EVP_PKEY*>(key.native());
  if (EVP_PKEY_get_base_id(native) != EVP_PKEY_RSA) {
    return absl::InvalidArgumentError(
        "the signing key is not RSA; phones' signed files know RSA only");
  }
  openssl::EvpMdCtxPtr ctx(EVP_MD_CTX_new());
  size_t size = 0;
  // PKCS#1 v1.5 is the padding OpenSSL takes unless told otherwise.
  if (ctx == nullptr ||
      EVP_DigestSignInit(ctx.get(), nullptr, Native(digest), nullptr, native) != 1 ||
      EVP_DigestSign(ctx.get(), nullptr, &size, openssl::Bytes(data), data.size()) != 1) {
    return absl::InternalError(absl::StrCat("cannot sign: ", openssl::TakeReason()));
  }
  std::string signature(size, '\0');
  if (EVP_DigestSign(ctx.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     openssl::Bytes(data), data.size()) != 1) {
    return absl::InternalError(absl::StrCat("cannot sign: ", openssl::TakeReason()));
  }
  signature.resize(size);
  return signature;
}

absl::Status VerifyRsa(SignatureDigest digest, const Certificate& signer, absl::string_view data,
                       absl::string_view signature) {
  openssl::ErrorQueueGuard guard;
  const openssl::EvpPkeyPtr key = PublicKey(signer);
  const EVP_MD* native = Native(digest);
  const openssl::EvpMdCtxPtr ctx(EVP_MD_CTX_new());
  if (key == nullptr || native == nullptr || ctx == nullptr ||
      EVP_DigestVerifyInit(ctx.get(), nullptr, native, nullptr, key.get()) != 1) {
    return absl::PermissionDeniedError(absl::StrCat("the key of ", signer.subject(),
                                                    " cannot check an RSA signature with ",
                                                    SignatureDigestName(digest)));
  }
  if (EVP_DigestVerify(ctx.get(), openssl::Bytes(signature), signature.size(), openssl::Bytes(data),
                       data.size()) != 1) {
    return absl::PermissionDeniedError(absl::StrCat("the signature is not by ", signer.subject(),
                                                    ", or what was signed has changed"));
  }
  return absl::OkStatus();
}

}  // namespace trustline
