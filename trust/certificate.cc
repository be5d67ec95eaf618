#include "trust/certificate.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "trust/openssl_handles.h"
#include "trust/pem.h"
#include "trust/sha256.h"
#include "trust/status_macros.h"

namespace trustline {
namespace {

constexpr size_t kMaxCertificateBytes = 64 << 10;
constexpr std::array<int, 6> kVendorOrder = {NID_commonName,          NID_organizationalUnitName,
                                             NID_organizationName,    NID_localityName,
                                             NID_stateOrProvinceName, NID_countryName};

// ';' ends an attribute in this text and '\' escapes; control characters would let a name rewrite
// the terminal line it is printed on.
std::string EscapeValue(absl::string_view utf8) {
  std::string text;
  const auto hex = [&](unsigned char byte) { absl::StrAppendFormat(&text, "\\%02X", byte); };
  for (size_t i = 0; i < utf8.size(); ++i) {
    const unsigned char byte = utf8[i];
    if (byte == ';' || byte == '\\') {
      text += '\\';
      text += static_cast<char>(byte);
    } else if (byte < 0x20 || byte == 0x7f) {
      hex(byte);
    } else if (byte == 0xc2 && i + 1 < utf8.size() &&
               static_cast<unsigned char>(utf8[i + 1]) < 0xa0) {
      hex(byte);  // C1 controls, U+0080 to U+009F
      hex(utf8[++i]);
    } else {
      text += static_cast<char>(byte);
    }
  }
  return text;
}

std::string AttributeValue(const ASN1_STRING* value) {
  unsigned char* raw = nullptr;
  const int size = ASN1_STRING_to_UTF8(&raw, value);
  openssl::BytesPtr owned(raw);
  if (size >= 0) return EscapeValue(absl::string_view(reinterpret_cast<char*>(raw), size));
  // Not text, or not the text its type says. "\#" cannot come out of EscapeValue.
  ERR_clear_error();
  const absl::string_view bytes(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                                ASN1_STRING_length(value));
  return absl::StrCat("\\#", absl::AsciiStrToUpper(absl::BytesToHexString(bytes)));
}

std::string AttributeLabel(const X509_NAME_ENTRY* entry) {
  const ASN1_OBJECT* type = X509_NAME_ENTRY_get_object(entry);
  const int nid = OBJ_obj2nid(type);
  if (nid != NID_undef) return OBJ_nid2sn(nid);
  std::array<char, 128> dotted;
  const int size = OBJ_obj2txt(dotted.data(), dotted.size(), type, /*no_name=*/1);
  return std::string(dotted.data(), std::min<size_t>(std::max(size, 0), dotted.size() - 1));
}

std::string NameText(const X509_NAME* name) {
  std::vector<std::string> parts;
  const int count = X509_NAME_entry_count(name);
  const auto append = [&](const X509_NAME_ENTRY* entry) {
    parts.push_back(
        absl::StrCat(AttributeLabel(entry), "=", AttributeValue(X509_NAME_ENTRY_get_data(entry))));
  };
  for (int nid : kVendorOrder) {
    for (int i = 0; i < count; ++i) {
      const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);
      if (OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)) == nid) append(entry);
    }
  }
  for (int i = 0; i < count; ++i) {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);
    const int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
    if (std::find(kVendorOrder.begin(), kVendorOrder.end(), nid) == kVendorOrder.end())
      append(entry);
  }
  return absl::StrJoin(parts, ";");
}

std::string CommonName(const X509_NAME* name) {
  const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (at < 0) return "";
  return AttributeValue(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
}

absl::StatusOr<absl::Time> TimeOf(const ASN1_TIME* time, absl::string_view what) {
  std::tm tm = {};
  if (time == nullptr || ASN1_TIME_to_tm(time, &tm) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("certificate: its ", what, " is not a valid time"));
  }
  return absl::FromCivil(absl::CivilSecond(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                                           tm.tm_min, tm.tm_sec),
                         absl::UTCTimeZone());
}

// The content bytes of the INTEGER, without the zero bytes DER puts before a set top bit.
std::string SerialOf(const ASN1_INTEGER* serial) {
  const std::string der = openssl::ToDer(serial, i2d_ASN1_INTEGER);
  const unsigned char* at = openssl::Bytes(der);
  long length = 0;  // NOLINT(runtime/int): OpenSSL's type
  int tag = 0, tag_class = 0;
  if (der.empty() || (ASN1_get_object(&at, &length, &tag, &tag_class, der.size()) & 0x80) != 0)
    return "";
  std::string bytes(reinterpret_cast<const char*>(at), length);
  const size_t first = bytes.find_first_not_of('\0');
  return first == std::string::npos ? std::string(1, '\0') : bytes.substr(first);
}

absl::Status ReadAlternativeNames(const X509* x509, std::vector<std::string>* uris,
                                  std::vector<std::string>* dns) {
  int critical = 0;
  openssl::GeneralNamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(x509, NID_subject_alt_name, &critical, nullptr)));
  if (names == nullptr) {
    if (critical == -1) return absl::OkStatus();  // it has none
    return absl::InvalidArgumentError(
        absl::StrCat("certificate: its subject alternative names ",
                     critical == -2 ? "come twice" : "cannot be read"));
  }
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI && name->type != GEN_DNS) continue;
    const ASN1_IA5STRING* text = name->d.ia5;
    std::string value(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                      ASN1_STRING_length(text));
    (name->type == GEN_URI ? uris : dns)->push_back(std::move(value));
  }
  return absl::OkStatus();
}

bool IsCertificateLabel(absl::string_view label) {
  return label == "CERTIFICATE" || label == "X509 CERTIFICATE";
}

}  // namespace

absl::StatusOr<Certificate> Certificate::FromDer(absl::string_view der) {
  openssl::ErrorQueueGuard guard;
  if (der.empty()) return absl::InvalidArgumentError("certificate: there are no bytes");
  if (der.size() > kMaxCertificateBytes) {
    return absl::InvalidArgumentError(absl::StrCat("certificate: ", der.size(),
                                                   " bytes, more than the ", kMaxCertificateBytes,
                                                   " that are read"));
  }
  const unsigned char* at = openssl::Bytes(der);
  openssl::X509Ptr x509(
      d2i_X509(nullptr, &at, static_cast<long>(der.size())));  // NOLINT(runtime/int)
  if (x509 == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("certificate: not an X.509 certificate in DER (", openssl::TakeReason(), ")"));
  }
  const size_t rest = der.size() - (at - openssl::Bytes(der));
  if (rest != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("certificate: ", rest, " bytes follow after its end"));
  }
  // The fingerprint is the identity, so one certificate must have one encoding only.
  if (openssl::ToDer<X509>(x509.get(), i2d_X509) != der) {
    return absl::InvalidArgumentError(
        "certificate: not encoded as DER demands, so its fingerprint would be arbitrary");
  }

  Certificate certificate;
  certificate.der_ = std::string(der);
  certificate.sha256_ = Sha256(der);
  certificate.sha256_hex_ = absl::BytesToHexString(certificate.sha256_);
  certificate.serial_ = SerialOf(X509_get0_serialNumber(x509.get()));
  certificate.serial_hex_ = absl::AsciiStrToUpper(absl::BytesToHexString(certificate.serial_));
  const X509_NAME* subject = X509_get_subject_name(x509.get());
  const X509_NAME* issuer = X509_get_issuer_name(x509.get());
  certificate.subject_ = NameText(subject);
  certificate.issuer_ = NameText(issuer);
  certificate.subject_der_ = openssl::ToDer(subject, i2d_X509_NAME);
  certificate.issuer_der_ = openssl::ToDer(issuer, i2d_X509_NAME);
  certificate.common_name_ = CommonName(subject);
  certificate.public_key_der_ =
      openssl::ToDer<X509_PUBKEY>(X509_get_X509_PUBKEY(x509.get()), i2d_X509_PUBKEY);
  TL_ASSIGN_OR_RETURN(certificate.not_before_,
                      TimeOf(X509_get0_notBefore(x509.get()), "notBefore"));
  TL_ASSIGN_OR_RETURN(certificate.not_after_, TimeOf(X509_get0_notAfter(x509.get()), "notAfter"));
  TL_RETURN_IF_ERROR(
      ReadAlternativeNames(x509.get(), &certificate.uri_names_, &certificate.dns_names_));
  return certificate;
}

absl::StatusOr<std::vector<Certificate>> Certificate::AllFromPem(absl::string_view pem) {
  TL_ASSIGN_OR_RETURN(const std::vector<PemBlock> blocks, ReadPemBlocks(pem));
  std::vector<Certificate> certificates;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const PemBlock& block = blocks[i];
    const std::string where = absl::StrCat("PEM block ", i + 1, " (line ", block.line, ")");
    if (block.IsPrivateKey()) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, " is a private key; only certificates belong here, remove it"));
    }
    if (block.label == "TRUSTED CERTIFICATE") {
      return absl::InvalidArgumentError(absl::StrCat(
          where,
          " is in OpenSSL's own TRUSTED CERTIFICATE format; convert it with `openssl x509`"));
    }
    if (!IsCertificateLabel(block.label)) continue;
    absl::StatusOr<Certificate> certificate = FromDer(block.bytes);
    if (!certificate.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": ", certificate.status().message()));
    }
    certificates.push_back(*std::move(certificate));
  }
  return certificates;
}

absl::StatusOr<Certificate> Certificate::FromPem(absl::string_view pem) {
  TL_ASSIGN_OR_RETURN(std::vector<Certificate> certificates, AllFromPem(pem));
  if (certificates.empty()) {
    return absl::InvalidArgumentError("no -----BEGIN CERTIFICATE----- block is in this PEM text");
  }
  if (certificates.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat("this PEM text holds ", certificates.size(),
                                                   " certificates where one is expected"));
  }
  return std::move(certificates[0]);
}

std::string Certificate::ToPem() const { return WritePemBlock("CERTIFICATE", der_); }

}  // namespace trustline
