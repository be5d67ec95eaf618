// X.509 certificates as values: the DER bytes and what trustline reads from them. The one place
// that knows OpenSSL's X509.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace trustline {

// An immutable certificate. Copyable, safe for concurrent use. Two certificates are the same
// certificate exactly when their DER is the same; names and serials only describe.
class Certificate {
 public:
  // InvalidArgument when `der` is not exactly one certificate (trailing bytes and encodings other
  // than DER count as wrong) or is over 64 KiB.
  static absl::StatusOr<Certificate> FromDer(absl::string_view der);
  // The first and only CERTIFICATE block of `pem`; text around it is ignored. InvalidArgument for
  // none or several, and for a private key.
  static absl::StatusOr<Certificate> FromPem(absl::string_view pem);
  // Every CERTIFICATE block, in order. InvalidArgument names the block that is broken; a private
  // key block is an error.
  static absl::StatusOr<std::vector<Certificate>> AllFromPem(absl::string_view pem);

  const std::string& der() const { return der_; }
  std::string ToPem() const;
  const std::string& sha256() const { return sha256_; }          // 32 raw bytes, over the DER
  const std::string& sha256_hex() const { return sha256_hex_; }  // 64 lower-case hex digits
  // Raw big-endian magnitude without leading zero bytes (one zero byte for serial 0), as trust
  // lists carry it. Of a serial that DER reads as negative (top bit set without a zero byte before
  // it) these are the very bytes of the certificate.
  const std::string& serial() const { return serial_; }
  const std::string& serial_hex() const { return serial_hex_; }  // upper-case hex of serial()
  // Names as Cisco's trust lists and TVS write them: ';' between attributes, no blanks, order
  // CN,OU,O,L,ST,C, then others as they come (domain facts: vendor traces). UTF-8; control bytes,
  // ';' and '\' inside a value are escaped with '\' (control bytes as \0A) so that the text is
  // unambiguous; a value that is not text comes as \#HEX.
  const std::string& subject() const { return subject_; }
  const std::string& issuer() const { return issuer_; }
  // DER of the Name structures: what "same subject" means.
  const std::string& subject_der() const { return subject_der_; }
  const std::string& issuer_der() const { return issuer_der_; }
  const std::string& common_name() const {
    return common_name_;
  }  // the first one, escaped alike; empty where there is none
  const std::string& public_key_der() const { return public_key_der_; }  // SubjectPublicKeyInfo
  absl::Time not_before() const { return not_before_; }
  absl::Time not_after() const { return not_after_; }
  // URI and DNS subject alternative names, in order.
  const std::vector<std::string>& uri_names() const { return uri_names_; }
  const std::vector<std::string>& dns_names() const { return dns_names_; }

  friend bool operator==(const Certificate& a, const Certificate& b) { return a.der_ == b.der_; }
  friend bool operator<(const Certificate& a, const Certificate& b) {
    return a.sha256_ < b.sha256_;
  }

 private:
  Certificate() = default;
  std::string der_, sha256_, sha256_hex_, serial_, serial_hex_, subject_, issuer_, subject_der_,
      issuer_der_, common_name_, public_key_der_;
  absl::Time not_before_, not_after_;
  std::vector<std::string> uri_names_, dns_names_;
};

}  // namespace trustline
