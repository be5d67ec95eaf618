// Owning handles for OpenSSL objects, and what its error queue said. Internal to the .cc files that
// talk to OpenSSL; no other header includes this one.
#pragma once

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace trustline::openssl {

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
template <typename T, auto Free>
using Handle = std::unique_ptr<T, Deleter<Free>>;

// The sk_*_pop_free of a stack type are macros or static inline functions; these give them an
// address.
inline void FreeExtensions(STACK_OF(X509_EXTENSION) * stack) {
  sk_X509_EXTENSION_pop_free(stack, X509_EXTENSION_free);
}
inline void FreeSafes(STACK_OF(PKCS7) * stack) { sk_PKCS7_pop_free(stack, PKCS7_free); }
inline void FreeBags(STACK_OF(PKCS12_SAFEBAG) * stack) {
  sk_PKCS12_SAFEBAG_pop_free(stack, PKCS12_SAFEBAG_free);
}
inline void FreeBytes(unsigned char* bytes) { OPENSSL_free(bytes); }

using X509Ptr = Handle<X509, X509_free>;
using X509ReqPtr = Handle<X509_REQ, X509_REQ_free>;
using X509NamePtr = Handle<X509_NAME, X509_NAME_free>;
using X509StorePtr = Handle<X509_STORE, X509_STORE_free>;
using X509StoreCtxPtr = Handle<X509_STORE_CTX, X509_STORE_CTX_free>;
using X509ExtensionPtr = Handle<X509_EXTENSION, X509_EXTENSION_free>;
using X509ExtensionsPtr = Handle<STACK_OF(X509_EXTENSION), FreeExtensions>;
using GeneralNamesPtr = Handle<GENERAL_NAMES, GENERAL_NAMES_free>;
using EvpPkeyPtr = Handle<EVP_PKEY, EVP_PKEY_free>;
using EvpPkeyCtxPtr = Handle<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using EvpMdCtxPtr = Handle<EVP_MD_CTX, EVP_MD_CTX_free>;
using BioPtr = Handle<BIO, BIO_free_all>;
using Pkcs12Ptr = Handle<PKCS12, PKCS12_free>;
using SafesPtr = Handle<STACK_OF(PKCS7), FreeSafes>;
using BagsPtr = Handle<STACK_OF(PKCS12_SAFEBAG), FreeBags>;
using BytesPtr = Handle<unsigned char, FreeBytes>;

// Leaves the thread's error queue as empty as it was found, whatever way a function returns.
struct ErrorQueueGuard {
  ErrorQueueGuard() { ERR_clear_error(); }
  ~ErrorQueueGuard() { ERR_clear_error(); }
  ErrorQueueGuard(const ErrorQueueGuard&) = delete;
  ErrorQueueGuard& operator=(const ErrorQueueGuard&) = delete;
};

// OpenSSL's short reason for the last error ("wrong tag"), and an empty queue. Reasons are fixed
// texts; they never contain data.
inline std::string TakeReason() {
  const unsigned long code = ERR_peek_last_error();  // NOLINT(runtime/int): OpenSSL's type
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  std::string text = reason == nullptr ? "no reason given" : reason;
  ERR_clear_error();
  return text;
}

// The DER of `object` by OpenSSL's i2d function for it; empty when it cannot be encoded.
template <typename T>
std::string ToDer(const T* object, int (*encode)(const T*, unsigned char**)) {
  unsigned char* raw = nullptr;
  const int size = encode(object, &raw);
  BytesPtr owned(raw);
  return size <= 0 ? std::string() : std::string(reinterpret_cast<char*>(raw), size);
}

inline const unsigned char* Bytes(absl::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace trustline::openssl
