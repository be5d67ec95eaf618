#include "trust/private_key.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "absl/strings/str_cat.h"
#include "trust/openssl_handles.h"

namespace trustline {
namespace {

EVP_PKEY* Native(const std::shared_ptr<void>& key) { return static_cast<EVP_PKEY*>(key.get()); }

std::shared_ptr<void> Share(EVP_PKEY* key) {
  return std::shared_ptr<void>(key, [](void* owned) {
    EVP_PKEY_free(static_cast<EVP_PKEY*>(owned));  // wipes the private parts
  });
}

// OpenSSL's default would ask on the terminal. -1 means: there is none.
int NoPassword(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

}  // namespace

absl::StatusOr<PrivateKey> PrivateKey::GenerateEcP256() {
  openssl::ErrorQueueGuard guard;
  EVP_PKEY* key = EVP_EC_gen("P-256");
  if (key == nullptr) {
    return absl::InternalError(absl::StrCat("cannot make a P-256 key: ", openssl::TakeReason()));
  }
  return PrivateKey(Share(key));
}

absl::StatusOr<PrivateKey> PrivateKey::GenerateRsa(int bits) {
  openssl::ErrorQueueGuard guard;
  if (bits != 1024 && bits != 2048 && bits != 3072 && bits != 4096) {
    return absl::InvalidArgumentError(
        absl::StrCat("an RSA key of ", bits, " bits is not made; choose 1024, 2048, 3072 or 4096"));
  }
  EVP_PKEY* key = EVP_RSA_gen(bits);
  if (key == nullptr) {
    return absl::InternalError(absl::StrCat("cannot make an RSA key: ", openssl::TakeReason()));
  }
  return PrivateKey(Share(key));
}

absl::StatusOr<PrivateKey> PrivateKey::FromPem(absl::string_view pem) {
  openssl::ErrorQueueGuard guard;
  openssl::BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  bool password_asked = false;
  openssl::EvpPkeyPtr key(
      bio == nullptr ? nullptr
                     : PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassword, &password_asked));
  if (key == nullptr) {
    if (password_asked) {
      return absl::InvalidArgumentError(
          "the private key is protected by a password; give it without one (openssl pkey -in "
          "FILE)");
    }
    return absl::InvalidArgumentError(
        absl::StrCat("not a private key in PEM (PKCS#8, RSA or EC): ", openssl::TakeReason()));
  }
  const int type = EVP_PKEY_get_base_id(key.get());
  if (type != EVP_PKEY_RSA && type != EVP_PKEY_EC) {
    const char* name = EVP_PKEY_get0_type_name(key.get());
    return absl::InvalidArgumentError(absl::StrCat("the private key is of type ",
                                                   name == nullptr ? "unknown" : name,
                                                   "; only RSA and EC keys are used"));
  }
  return PrivateKey(Share(key.release()));
}

std::string PrivateKey::ToPkcs8Pem() const {
  openssl::ErrorQueueGuard guard;
  openssl::BioPtr bio(BIO_new(BIO_s_secmem()));  // wiped when freed
  if (bio == nullptr || PEM_write_bio_PKCS8PrivateKey(bio.get(), Native(key_), nullptr, nullptr, 0,
                                                      nullptr, nullptr) != 1) {
    return "";
  }
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);  // NOLINT(runtime/int)
  return size <= 0 ? "" : std::string(text, size);
}

std::string PrivateKey::public_key_der() const {
  openssl::ErrorQueueGuard guard;
  return openssl::ToDer<EVP_PKEY>(Native(key_), i2d_PUBKEY);
}

bool PrivateKey::Matches(const Certificate& certificate) const {
  openssl::ErrorQueueGuard guard;
  const unsigned char* at = openssl::Bytes(certificate.public_key_der());
  openssl::EvpPkeyPtr theirs(d2i_PUBKEY(nullptr, &at, certificate.public_key_der().size()));
  return theirs != nullptr && EVP_PKEY_eq(theirs.get(), Native(key_)) == 1;
}

absl::StatusOr<std::string> PrivateKey::Sign(absl::string_view data) const {
  openssl::ErrorQueueGuard guard;
  openssl::EvpMdCtxPtr ctx(EVP_MD_CTX_new());
  size_t size = 0;
  if (ctx == nullptr ||
      EVP_DigestSignInit(ctx.get(), nullptr, EVP_sha256(), nullptr, Native(key_)) != 1 ||
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

absl::Status VerifySignature(const Certificate& signer, absl::string_view data,
                             absl::string_view signature) {
  openssl::ErrorQueueGuard guard;
  const unsigned char* at = openssl::Bytes(signer.public_key_der());
  openssl::EvpPkeyPtr key(d2i_PUBKEY(nullptr, &at, signer.public_key_der().size()));
  openssl::EvpMdCtxPtr ctx(EVP_MD_CTX_new());
  if (key == nullptr || ctx == nullptr ||
      EVP_DigestVerifyInit(ctx.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1) {
    return absl::PermissionDeniedError(
        absl::StrCat("the key of ", signer.subject(),
                     " cannot check a SHA-256 signature: ", openssl::TakeReason()));
  }
  if (EVP_DigestVerify(ctx.get(), openssl::Bytes(signature), signature.size(), openssl::Bytes(data),
                       data.size()) != 1) {
    return absl::PermissionDeniedError(absl::StrCat("the signature is not by ", signer.subject(),
                                                    ", or what was signed has changed"));
  }
  return absl::OkStatus();
}

}  // namespace trustline
