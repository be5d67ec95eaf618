#include "trust/pki.h"

#include <openssl/ec.h>
#include <openssl/rand.h>

#include <array>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "trust/openssl_handles.h"
#include "trust/pem.h"
#include "trust/status_macros.h"

namespace trustline {
namespace {

constexpr absl::string_view kAuthorityPrefix = "trustline CA of ";
constexpr size_t kMaxCommonName = 64;  // RFC 5280, ub-common-name
constexpr size_t kMaxRequestBytes = 64 << 10;
constexpr absl::string_view kRequestLabel = "CERTIFICATE REQUEST";

EVP_PKEY* Native(const PrivateKey& key) { return static_cast<EVP_PKEY*>(key.native()); }

absl::Status Failed(absl::string_view what) {
  return absl::InternalError(absl::StrCat("cannot ", what, ": ", openssl::TakeReason()));
}

absl::Status AddName(X509_NAME* name, int nid, absl::string_view value) {
  if (value.empty()) return absl::OkStatus();
  if (X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, openssl::Bytes(value),
                                 static_cast<int>(value.size()), -1, 0) != 1) {
    return absl::InvalidArgumentError(absl::StrCat("\"", value, "\" cannot be the ",
                                                   OBJ_nid2ln(nid),
                                                   " of a certificate: ", openssl::TakeReason()));
  }
  return absl::OkStatus();
}

// `value` is OpenSSL's configuration text for the extension. Everything that reaches it from
// outside has been checked against the identity grammar, which has none of the characters that mean
// something there.
absl::StatusOr<openssl::X509ExtensionPtr> MakeExtension(X509* issuer, X509* subject, int nid,
                                                        const std::string& value) {
  X509V3_CTX ctx;
  X509V3_set_ctx_nodb(&ctx);
  X509V3_set_ctx(&ctx, issuer, subject, nullptr, nullptr, 0);
  openssl::X509ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &ctx, nid, value.c_str()));
  if (extension == nullptr) return Failed(absl::StrCat("make the extension ", OBJ_nid2sn(nid)));
  return extension;
}

absl::Status AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  TL_ASSIGN_OR_RETURN(openssl::X509ExtensionPtr extension,
                      MakeExtension(issuer, certificate, nid, value));
  if (X509_add_ext(certificate, extension.get(), -1) != 1) return Failed("add an extension");
  return absl::OkStatus();
}

std::string AlternativeNames(const Identity& identity) {
  std::string names = absl::StrCat("URI:", identity.ToUri());
  if (identity.kind == IdentityKind::kAgent) absl::StrAppend(&names, ",DNS:", identity.name);
  return names;
}

// Version, serial, validity and key: what every certificate made here has.
absl::StatusOr<openssl::X509Ptr> Begin(EVP_PKEY* public_key, absl::Time not_before,
                                       absl::Duration lifetime) {
  if (lifetime < absl::Seconds(1)) {
    return absl::InvalidArgumentError("a certificate must be valid for at least a second");
  }
  openssl::X509Ptr certificate(X509_new());
  std::array<unsigned char, 16> serial;
  if (certificate == nullptr || RAND_bytes(serial.data(), serial.size()) != 1)
    return Failed("begin a certificate");
  serial[0] = (serial[0] & 0x7f) | 0x40;  // positive, and always 16 bytes
  openssl::Handle<BIGNUM, BN_free> number(BN_bin2bn(serial.data(), serial.size(), nullptr));
  if (number == nullptr ||
      BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate.get())) == nullptr ||
      X509_set_version(certificate.get(), X509_VERSION_3) != 1 ||
      ASN1_TIME_set(X509_getm_notBefore(certificate.get()), absl::ToTimeT(not_before)) == nullptr ||
      ASN1_TIME_set(X509_getm_notAfter(certificate.get()), absl::ToTimeT(not_before + lifetime)) ==
          nullptr ||
      X509_set_pubkey(certificate.get(), public_key) != 1) {
    return Failed("begin a certificate");
  }
  return certificate;
}

absl::StatusOr<Certificate> Finish(X509* certificate, const PrivateKey& key) {
  if (X509_sign(certificate, Native(key), EVP_sha256()) <= 0) return Failed("sign a certificate");
  return Certificate::FromDer(openssl::ToDer<X509>(certificate, i2d_X509));
}

absl::Status CheckIdentity(const Identity& identity) {
  return ParseIdentityUri(identity.ToUri()).status();
}

struct ReadResult {
  openssl::X509ReqPtr request;
  Identity identity;
};

absl::StatusOr<Identity> NamesOfRequest(X509_REQ* request) {
  openssl::X509ExtensionsPtr extensions(X509_REQ_get_extensions(request));
  openssl::GeneralNamesPtr names(
      extensions == nullptr ? nullptr
                            : static_cast<GENERAL_NAMES*>(X509V3_get_d2i(
                                  extensions.get(), NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> uris, dns;
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI && name->type != GEN_DNS) {
      return absl::InvalidArgumentError(
          "the request asks for a name that is neither a URI nor a DNS name");
    }
    (name->type == GEN_URI ? uris : dns)
        .emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.ia5)),
                      ASN1_STRING_length(name->d.ia5));
  }
  if (uris.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the request names ", uris.size(), " identities; exactly one URI name is expected"));
  }
  TL_ASSIGN_OR_RETURN(Identity identity, ParseIdentityUri(uris[0]));
  const std::vector<std::string> expected = identity.kind == IdentityKind::kAgent
                                                ? std::vector<std::string>{identity.name}
                                                : std::vector<std::string>{};
  if (dns != expected) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the request for ", identity.ToUri(),
        identity.kind == IdentityKind::kAgent ? " must carry its node's name as its only DNS name"
                                              : " must not carry a DNS name"));
  }
  return identity;
}

absl::StatusOr<ReadResult> Read(absl::string_view request_pem) {
  if (request_pem.size() > kMaxRequestBytes) {
    return absl::InvalidArgumentError(absl::StrCat("the request has ", request_pem.size(),
                                                   " bytes, more than the ", kMaxRequestBytes,
                                                   " that are read"));
  }
  TL_ASSIGN_OR_RETURN(const std::vector<PemBlock> blocks, ReadPemBlocks(request_pem));
  if (blocks.size() != 1 ||
      (blocks[0].label != kRequestLabel && blocks[0].label != "NEW CERTIFICATE REQUEST")) {
    return absl::InvalidArgumentError(
        "not a certificate request: exactly one CERTIFICATE REQUEST block is expected");
  }
  const std::string& der = blocks[0].bytes;
  const unsigned char* at = openssl::Bytes(der);
  ReadResult result;
  result.request.reset(d2i_X509_REQ(nullptr, &at, der.size()));
  if (result.request == nullptr || at != openssl::Bytes(der) + der.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the certificate request cannot be read: ", openssl::TakeReason()));
  }
  EVP_PKEY* key = X509_REQ_get0_pubkey(result.request.get());
  std::array<char, 64> group = {};
  size_t length = 0;
  if (key == nullptr || EVP_PKEY_get_base_id(key) != EVP_PKEY_EC ||
      EVP_PKEY_get_group_name(key, group.data(), group.size(), &length) != 1 ||
      absl::string_view(group.data(), length) != "prime256v1") {
    return absl::InvalidArgumentError(
        "the key of the request is not ECDSA P-256; make the request with `trustline pki request`");
  }
  if (X509_REQ_verify(result.request.get(), key) != 1) {
    return absl::InvalidArgumentError(
        "the request is not signed by its own key: it was altered, or its sender does not hold the "
        "key");
  }
  TL_ASSIGN_OR_RETURN(result.identity, NamesOfRequest(result.request.get()));
  return result;
}

}  // namespace

absl::StatusOr<IssuedAuthority> MakeAuthority(absl::string_view domain, absl::Time not_before,
                                              absl::Duration lifetime) {
  openssl::ErrorQueueGuard guard;
  Identity probe;
  probe.domain = std::string(domain);
  probe.name = "x";
  if (!CheckIdentity(probe).ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", domain,
                     "\" cannot be the domain of a fleet: letters, digits, '.' and '-', beginning "
                     "and ending with a letter or digit"));
  }
  if (kAuthorityPrefix.size() + domain.size() > kMaxCommonName) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the domain \"", domain, "\" is longer than ", kMaxCommonName - kAuthorityPrefix.size(),
        " characters, which is what fits into the authority's name"));
  }
  TL_ASSIGN_OR_RETURN(PrivateKey key, PrivateKey::GenerateEcP256());
  TL_ASSIGN_OR_RETURN(openssl::X509Ptr certificate, Begin(Native(key), not_before, lifetime));
  X509_NAME* name = X509_get_subject_name(certificate.get());
  TL_RETURN_IF_ERROR(AddName(name, NID_commonName, absl::StrCat(kAuthorityPrefix, domain)));
  if (X509_set_issuer_name(certificate.get(), name) != 1) return Failed("name the issuer");
  X509* self = certificate.get();
  TL_RETURN_IF_ERROR(AddExtension(self, self, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
  TL_RETURN_IF_ERROR(AddExtension(self, self, NID_key_usage, "critical,keyCertSign,cRLSign"));
  TL_RETURN_IF_ERROR(AddExtension(self, self, NID_subject_key_identifier, "hash"));
  TL_ASSIGN_OR_RETURN(Certificate made, Finish(self, key));
  return IssuedAuthority{std::move(made), std::move(key)};
}

absl::StatusOr<std::string> AuthorityDomain(const Certificate& authority) {
  absl::string_view domain = authority.common_name();
  if (!absl::ConsumePrefix(&domain, kAuthorityPrefix)) {
    return absl::FailedPreconditionError(absl::StrCat(
        authority.subject(), " is not a trustline authority; make one with `trustline pki init`"));
  }
  return std::string(domain);
}

absl::StatusOr<std::string> MakeRequest(const Identity& identity, const PrivateKey& key) {
  openssl::ErrorQueueGuard guard;
  TL_RETURN_IF_ERROR(CheckIdentity(identity));
  openssl::X509ReqPtr request(X509_REQ_new());
  if (request == nullptr || X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) != 1 ||
      X509_REQ_set_pubkey(request.get(), Native(key)) != 1) {
    return Failed("begin a request");
  }
  TL_RETURN_IF_ERROR(AddName(X509_REQ_get_subject_name(request.get()), NID_commonName,
                             absl::string_view(identity.name).substr(0, kMaxCommonName)));
  TL_ASSIGN_OR_RETURN(
      openssl::X509ExtensionPtr names,
      MakeExtension(nullptr, nullptr, NID_subject_alt_name, AlternativeNames(identity)));
  openssl::X509ExtensionsPtr extensions(sk_X509_EXTENSION_new_null());
  if (extensions == nullptr || sk_X509_EXTENSION_push(extensions.get(), names.get()) == 0)
    return Failed("add the names");
  (void)names.release();  // now the stack's
  if (X509_REQ_add_extensions(request.get(), extensions.get()) != 1 ||
      X509_REQ_sign(request.get(), Native(key), EVP_sha256()) <= 0) {
    return Failed("sign the request");
  }
  return WritePemBlock(kRequestLabel, openssl::ToDer<X509_REQ>(request.get(), i2d_X509_REQ));
}

absl::StatusOr<Identity> ReadRequest(absl::string_view request_pem) {
  openssl::ErrorQueueGuard guard;
  TL_ASSIGN_OR_RETURN(ReadResult result, Read(request_pem));
  return result.identity;
}

absl::StatusOr<Certificate> SignRequest(absl::string_view request_pem,
                                        const IssuedAuthority& authority, absl::Time not_before,
                                        absl::Duration lifetime) {
  openssl::ErrorQueueGuard guard;
  TL_ASSIGN_OR_RETURN(ReadResult asked, Read(request_pem));
  const Identity& identity = asked.identity;
  TL_ASSIGN_OR_RETURN(const std::string domain, AuthorityDomain(authority.certificate));
  if (domain != identity.domain) {
    return absl::FailedPreconditionError(absl::StrCat("the request is for ", identity.ToUri(),
                                                      " but this authority signs for the domain ",
                                                      domain));
  }
  if (!authority.key.Matches(authority.certificate)) {
    return absl::FailedPreconditionError("the authority's key does not belong to its certificate");
  }
  if (not_before + lifetime > authority.certificate.not_after()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the certificate would outlive its authority, which ends on ",
        absl::FormatTime("%Y-%m-%d", authority.certificate.not_after(), absl::UTCTimeZone()),
        "; ask for fewer days"));
  }
  const unsigned char* at = openssl::Bytes(authority.certificate.der());
  openssl::X509Ptr issuer(d2i_X509(nullptr, &at, authority.certificate.der().size()));
  if (issuer == nullptr) return Failed("read the authority's certificate");
  TL_ASSIGN_OR_RETURN(openssl::X509Ptr certificate,
                      Begin(X509_REQ_get0_pubkey(asked.request.get()), not_before, lifetime));
  X509* made = certificate.get();
  // The common name only describes; the alternative names decide.
  TL_RETURN_IF_ERROR(AddName(X509_get_subject_name(made), NID_commonName,
                             absl::string_view(identity.name).substr(0, kMaxCommonName)));
  if (X509_set_issuer_name(made, X509_get_subject_name(issuer.get())) != 1)
    return Failed("name the issuer");
  const bool agent = identity.kind == IdentityKind::kAgent;
  TL_RETURN_IF_ERROR(AddExtension(made, issuer.get(), NID_basic_constraints, "critical,CA:FALSE"));
  TL_RETURN_IF_ERROR(AddExtension(made, issuer.get(), NID_key_usage, "critical,digitalSignature"));
  TL_RETURN_IF_ERROR(AddExtension(made, issuer.get(), NID_ext_key_usage,
                                  agent ? "serverAuth,clientAuth" : "clientAuth"));
  TL_RETURN_IF_ERROR(
      AddExtension(made, issuer.get(), NID_subject_alt_name, AlternativeNames(identity)));
  TL_RETURN_IF_ERROR(AddExtension(made, issuer.get(), NID_subject_key_identifier, "hash"));
  TL_RETURN_IF_ERROR(
      AddExtension(made, issuer.get(), NID_authority_key_identifier, "keyid:always"));
  return Finish(made, authority.key);
}

absl::StatusOr<Certificate> MakeSelfSigned(const SubjectNames& subject, const PrivateKey& key,
                                           absl::Time not_before, absl::Duration lifetime) {
  openssl::ErrorQueueGuard guard;
  TL_ASSIGN_OR_RETURN(openssl::X509Ptr certificate, Begin(Native(key), not_before, lifetime));
  X509_NAME* name = X509_get_subject_name(certificate.get());
  TL_RETURN_IF_ERROR(AddName(name, NID_countryName, subject.country));
  TL_RETURN_IF_ERROR(AddName(name, NID_stateOrProvinceName, subject.state));
  TL_RETURN_IF_ERROR(AddName(name, NID_localityName, subject.locality));
  TL_RETURN_IF_ERROR(AddName(name, NID_organizationName, subject.organization));
  TL_RETURN_IF_ERROR(AddName(name, NID_organizationalUnitName, subject.organizational_unit));
  TL_RETURN_IF_ERROR(AddName(name, NID_commonName, subject.common_name));
  if (X509_NAME_entry_count(name) == 0) {
    return absl::InvalidArgumentError(
        "a self-signed certificate needs a subject; give at least a common name");
  }
  X509* self = certificate.get();
  if (X509_set_issuer_name(self, name) != 1) return Failed("name the issuer");
  TL_RETURN_IF_ERROR(AddExtension(self, self, NID_key_usage,
                                  "digitalSignature,keyEncipherment,dataEncipherment,keyCertSign"));
  TL_RETURN_IF_ERROR(AddExtension(self, self, NID_ext_key_usage, "serverAuth,clientAuth"));
  TL_RETURN_IF_ERROR(AddExtension(self, self, NID_subject_key_identifier, "hash"));
  return Finish(self, key);
}

}  // namespace trustline
