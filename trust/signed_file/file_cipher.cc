#include "trust/signed_file/file_cipher.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "trust/openssl_handles.h"

namespace trustline {
namespace {

constexpr size_t kBlock = 16;
constexpr char kFill = '\r';
using CipherCtxPtr = openssl::Handle<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;

unsigned char* Writable(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

// The session key; wiped when it goes.
struct SessionKey {
  std::array<unsigned char, kBlock> bytes = {};
  SessionKey() = default;
  SessionKey(const SessionKey&) = delete;
  SessionKey& operator=(const SessionKey&) = delete;
  ~SessionKey() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
};

// AES-128-CBC over whole blocks; false when OpenSSL refuses.
bool Crypt(bool encrypt, const SessionKey& key, absl::string_view iv, absl::string_view in,
           std::string& out) {
  const CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
  if (ctx == nullptr || iv.size() != kBlock || in.size() % kBlock != 0 ||
      EVP_CipherInit_ex(ctx.get(), EVP_aes_128_cbc(), nullptr, key.bytes.data(), openssl::Bytes(iv),
                        encrypt ? 1 : 0) != 1 ||
      EVP_CIPHER_CTX_set_padding(ctx.get(), 0) != 1) {
    return false;
  }
  out.assign(in.size(), '\0');
  // OpenSSL counts in int.
  constexpr size_t kStep = 1 << 20;
  size_t at = 0;
  while (at < in.size()) {
    const absl::string_view part = in.substr(at, kStep);
    int written = 0;
    if (EVP_CipherUpdate(ctx.get(), Writable(out) + at, &written, openssl::Bytes(part),
                         static_cast<int>(part.size())) != 1 ||
        static_cast<size_t>(written) != part.size()) {
      return false;
    }
    at += part.size();
  }
  return true;
}

absl::StatusOr<std::string> EncryptKey(const SessionKey& key, const Certificate& phone) {
  const unsigned char* at = openssl::Bytes(phone.public_key_der());
  const openssl::EvpPkeyPtr theirs(
      d2i_PUBKEY(nullptr, &at,
                 static_cast<long>(  // NOLINT(runtime/int): OpenSSL's type
                     phone.public_key_der().size())));
  if (theirs == nullptr || EVP_PKEY_get_base_id(theirs.get()) != EVP_PKEY_RSA) {
    return absl::InvalidArgumentError(
        absl::StrCat("the key of the phone's certificate ", phone.subject(),
                     " is not RSA; a file can be encrypted for RSA certificates only"));
  }
  const openssl::EvpPkeyCtxPtr ctx(EVP_PKEY_CTX_new(theirs.get(), nullptr));
  size_t size = 0;
  if (ctx == nullptr || EVP_PKEY_encrypt_init(ctx.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(ctx.get(), RSA_PKCS1_PADDING) != 1 ||
      EVP_PKEY_encrypt(ctx.get(), nullptr, &size, key.bytes.data(), key.bytes.size()) != 1) {
    return absl::InternalError(absl::StrCat("cannot encrypt: ", openssl::TakeReason()));
  }
  std::string encrypted(size, '\0');
  if (EVP_PKEY_encrypt(ctx.get(), Writable(encrypted), &size, key.bytes.data(), key.bytes.size()) !=
      1) {
    return absl::InternalError(absl::StrCat("cannot encrypt: ", openssl::TakeReason()));
  }
  encrypted.resize(size);
  return encrypted;
}

bool DecryptKey(absl::string_view encrypted, const PrivateKey& phone_key, SessionKey& key) {
  auto* native = static_cast<EVP_PKEY*>(phone_key.native());
  if (EVP_PKEY_get_base_id(native) != EVP_PKEY_RSA) return false;
  const openssl::EvpPkeyCtxPtr ctx(EVP_PKEY_CTX_new(native, nullptr));
  size_t size = 0;
  if (ctx == nullptr || EVP_PKEY_decrypt_init(ctx.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(ctx.get(), RSA_PKCS1_PADDING) != 1 ||
      EVP_PKEY_decrypt(ctx.get(), nullptr, &size, openssl::Bytes(encrypted), encrypted.size()) !=
          1) {
    return false;
  }
  std::string plain(size, '\0');
  const bool good = EVP_PKEY_decrypt(ctx.get(), Writable(plain), &size, openssl::Bytes(encrypted),
                                     encrypted.size()) == 1 &&
                    size == key.bytes.size();
  if (good) std::copy_n(Writable(plain), size, key.bytes.begin());
  OPENSSL_cleanse(plain.data(), plain.size());
  return good;
}

}  // namespace

absl::StatusOr<LockedBody> LockBody(absl::string_view content, const Certificate& phone) {
  openssl::ErrorQueueGuard guard;
  SessionKey key;
  LockedBody locked;
  locked.iv.assign(kBlock, '\0');
  if (RAND_bytes(key.bytes.data(), static_cast<int>(key.bytes.size())) != 1 ||
      RAND_bytes(Writable(locked.iv), static_cast<int>(kBlock)) != 1) {
    return absl::InternalError("cannot make random bytes");
  }
  absl::StatusOr<std::string> encrypted_key = EncryptKey(key, phone);
  if (!encrypted_key.ok()) return encrypted_key.status();
  locked.encrypted_key = *std::move(encrypted_key);
  // A whole block more when the content fills its last: readers take the count as at least 1.
  locked.padding = static_cast<uint16_t>(kBlock - content.size() % kBlock);
  const std::string padded = absl::StrCat(content, std::string(locked.padding, kFill));
  if (!Crypt(true, key, locked.iv, padded, locked.body)) {
    return absl::InternalError(absl::StrCat("cannot encrypt: ", openssl::TakeReason()));
  }
  return locked;
}

absl::StatusOr<std::string> UnlockBody(absl::string_view body, absl::string_view iv,
                                       absl::string_view encrypted_key,
                                       const PrivateKey& phone_key) {
  openssl::ErrorQueueGuard guard;
  SessionKey key;
  std::string content;
  if (!DecryptKey(encrypted_key, phone_key, key) || !Crypt(false, key, iv, body, content)) {
    return absl::PermissionDeniedError("cannot decrypt");
  }
  return content;
}

}  // namespace trustline
