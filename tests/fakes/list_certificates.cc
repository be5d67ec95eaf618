#include "tests/fakes/list_certificates.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "trust/openssl_handles.h"
#include "trust/sha256.h"

namespace trustline::testing {
namespace {

void Check(bool done, absl::string_view what) {
  if (done) return;
  std::fprintf(stderr, "list certificates: cannot %s: %s\n", std::string(what).c_str(),
               openssl::TakeReason().c_str());
  std::abort();
}

void AddName(X509_NAME* name, absl::string_view common_name) {
  Check(X509_NAME_add_entry_by_txt(name, "CN", V_ASN1_UTF8STRING, openssl::Bytes(common_name),
                                   static_cast<int>(common_name.size()), -1, 0) == 1,
        "set a name");
}

std::string Make(const ListCertificateOptions& options, EVP_PKEY* key, EVP_PKEY* signer,
                 size_t filler) {
  openssl::X509Ptr x509(X509_new());
  const std::string issuer = options.issuer.empty() ? options.subject : options.issuer;
  std::string serial = options.serial;
  if (serial.empty()) {
    serial = Sha256(absl::StrCat(options.subject, "/", issuer, "/", options.bits)).substr(0, 16);
    serial[0] = static_cast<char>((serial[0] & 0x7f) | 0x40);
  }
  openssl::Handle<BIGNUM, BN_free> number(
      BN_bin2bn(openssl::Bytes(serial), static_cast<int>(serial.size()), nullptr));
  Check(BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(x509.get())) != nullptr,
        "set the serial");
  Check(X509_set_version(x509.get(), X509_VERSION_3) == 1, "set the version");
  Check(ASN1_TIME_set(X509_getm_notBefore(x509.get()), 1577836800) != nullptr, "set notBefore");
  Check(ASN1_TIME_set(X509_getm_notAfter(x509.get()), 2335219200) != nullptr, "set notAfter");
  AddName(X509_get_subject_name(x509.get()), options.subject);
  AddName(X509_get_issuer_name(x509.get()), issuer);
  Check(X509_set_pubkey(x509.get(), key) == 1, "set the key");
  if (filler > 0) {
    openssl::X509ExtensionPtr comment(X509V3_EXT_conf_nid(nullptr, nullptr, NID_netscape_comment,
                                                          std::string(filler, 'c').c_str()));
    Check(comment != nullptr && X509_add_ext(x509.get(), comment.get(), -1) == 1, "fill it up");
  }
  Check(X509_sign(x509.get(), signer, EVP_sha256()) > 0, "sign");
  return openssl::ToDer<X509>(x509.get(), i2d_X509);
}

Certificate Read(const std::string& der) {
  absl::StatusOr<Certificate> certificate = Certificate::FromDer(der);
  Check(certificate.ok(), "read a certificate back");
  return *std::move(certificate);
}

}  // namespace

const PrivateKey& ListKeyOfSize(int bits) {
  static std::mutex mutex;
  static std::map<int, PrivateKey>& keys = *new std::map<int, PrivateKey>;
  std::lock_guard<std::mutex> lock(mutex);
  auto found = keys.find(bits);
  if (found == keys.end()) {
    absl::StatusOr<PrivateKey> key = PrivateKey::GenerateRsa(bits);
    Check(key.ok(), "make a key");
    found = keys.emplace(bits, *std::move(key)).first;
  }
  return found->second;
}

Certificate ListCertificate(const ListCertificateOptions& options) {
  EVP_PKEY* key = static_cast<EVP_PKEY*>(ListKeyOfSize(options.bits).native());
  std::string der = Make(options, key, key, 0);
  // Each byte of filler adds one, and a length field now and then another; so try.
  for (size_t filler = 1; options.der_size != 0 && der.size() < options.der_size; ++filler)
    der = Make(options, key, key, filler);
  Check(options.der_size == 0 || der.size() == options.der_size, "reach the size asked for");
  return Read(der);
}

Certificate EcListCertificate(absl::string_view common_name) {
  absl::StatusOr<PrivateKey> key = PrivateKey::GenerateEcP256();
  Check(key.ok(), "make a key");
  EVP_PKEY* native = static_cast<EVP_PKEY*>(key->native());
  ListCertificateOptions options;
  options.subject = std::string(common_name);
  return Read(Make(options, native, native, 0));
}

std::string CommonNameOfSize(size_t size, char filler) { return std::string(size - 4, filler); }

}  // namespace trustline::testing
