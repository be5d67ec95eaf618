#include "tests/fakes/test_pki.h"

#include <openssl/rand.h>

#include <cstdio>
#include <cstdlib>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trust/openssl_handles.h"

namespace trustline::testing {
namespace {

constexpr absl::Duration kYear = absl::Hours(24 * 365);

[[noreturn]] void Die(absl::string_view what, absl::string_view why) {
  std::fprintf(stderr, "test PKI: cannot %.*s: %.*s\n", static_cast<int>(what.size()), what.data(),
               static_cast<int>(why.size()), why.data());
  std::abort();
}

template <typename T>
T OrDie(absl::string_view what, absl::StatusOr<T> value) {
  if (!value.ok()) Die(what, value.status().message());
  return *std::move(value);
}

void Check(bool done, absl::string_view what) {
  if (!done) Die(what, openssl::TakeReason());
}

}  // namespace

TestPki::TestPki(absl::string_view domain)
    : domain(domain),
      authority(OrDie("make an authority", MakeAuthority(domain, ValidFrom(), 24 * kYear))) {}

TestIdentity TestPki::AgentIdentity(absl::string_view node) const {
  return Issue({domain, IdentityKind::kAgent, std::string(node)}, ValidFrom(), 23 * kYear);
}

TestIdentity TestPki::OperatorIdentity(absl::string_view name) const {
  return Issue({domain, IdentityKind::kOperator, std::string(name)}, ValidFrom(), 23 * kYear);
}

TestIdentity TestPki::Issue(const Identity& identity, absl::Time not_before,
                            absl::Duration lifetime) const {
  PrivateKey key = OrDie("make a key", PrivateKey::GenerateEcP256());
  const std::string request = OrDie("make a request", MakeRequest(identity, key));
  return {OrDie("sign a request", SignRequest(request, authority, not_before, lifetime)), key};
}

const PrivateKey& TestPki::UnitKey() {
  static const PrivateKey key = OrDie("make an RSA key", PrivateKey::GenerateRsa(2048));
  return key;
}

Certificate TestPki::UnitCertificate(absl::string_view common_name, const UnitOptions& options) {
  openssl::X509Ptr x509(X509_new());
  std::string serial = options.serial;
  if (serial.empty()) {
    serial.resize(16);
    Check(RAND_bytes(reinterpret_cast<unsigned char*>(serial.data()), 16) == 1, "make a serial");
    serial[0] = static_cast<char>((serial[0] & 0x7f) | 0x40);
  }
  openssl::Handle<BIGNUM, BN_free> number(
      BN_bin2bn(openssl::Bytes(serial), static_cast<int>(serial.size()), nullptr));
  Check(BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(x509.get())) != nullptr,
        "set the serial");
  Check(X509_set_version(x509.get(), X509_VERSION_3) == 1, "set the version");
  Check(
      ASN1_TIME_set(X509_getm_notBefore(x509.get()), absl::ToTimeT(options.not_before)) != nullptr,
      "set notBefore");
  Check(ASN1_TIME_set(X509_getm_notAfter(x509.get()), absl::ToTimeT(options.not_after)) != nullptr,
        "set notAfter");
  auto subject = options.subject;
  if (subject.empty())
    subject = {{"O", "example"}, {"OU", "voice"}, {"CN", std::string(common_name)}};
  X509_NAME* name = X509_get_subject_name(x509.get());
  for (const auto& [attribute, value] : subject) {
    // The plain type, not MBSTRING_UTF8: it has no length limits.
    Check(X509_NAME_add_entry_by_txt(name, attribute.c_str(), V_ASN1_UTF8STRING,
                                     openssl::Bytes(value), static_cast<int>(value.size()), -1,
                                     0) == 1,
          "set the subject");
  }
  Check(X509_set_issuer_name(x509.get(), name) == 1, "set the issuer");
  EVP_PKEY* key = static_cast<EVP_PKEY*>(UnitKey().native());
  Check(X509_set_pubkey(x509.get(), key) == 1, "set the key");
  Check(X509_sign(x509.get(), key, EVP_sha256()) > 0, "sign");
  return OrDie("read a unit certificate",
               Certificate::FromDer(openssl::ToDer<X509>(x509.get(), i2d_X509)));
}

}  // namespace trustline::testing
