#include "trust/certificate_directory.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace trustline {
namespace {

constexpr size_t kFingerprintDigits = 16;
constexpr size_t kMaxNameBytes = 64;

}  // namespace

absl::Status CheckStoreName(absl::string_view store) {
  const bool plain = !store.empty() && store.size() <= kMaxNameBytes &&
                     absl::ascii_isalnum(store[0]) &&
                     std::all_of(store.begin(), store.end(), [](unsigned char c) {
                       return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-';
                     });
  if (plain) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("'", absl::CHexEscape(store), "' is not the name of a certificate store"));
}

std::string CertificateFileStem(const Certificate& certificate) {
  return absl::StrCat(certificate.serial_hex(), "-",
                      certificate.sha256_hex().substr(0, kFingerprintDigits));
}

bool IsCertificateFileStem(absl::string_view stem) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(stem, '-');
  const auto all_of = [](absl::string_view text, absl::string_view digits) {
    return !text.empty() && text.find_first_not_of(digits) == absl::string_view::npos;
  };
  return all_of(parts.first, "0123456789ABCDEF") && parts.second.size() == kFingerprintDigits &&
         all_of(parts.second, "0123456789abcdef");
}

absl::StatusOr<Certificate> ReadStoredCertificate(absl::string_view stem, absl::string_view pem) {
  absl::StatusOr<Certificate> certificate = Certificate::FromPem(pem);
  if (!certificate.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("is no certificate: ", certificate.status().message()));
  }
  if (stem != CertificateFileStem(*certificate)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "holds another certificate than its name says: ", certificate->subject(), ", serial ",
        certificate->serial_hex(), ", SHA-256 ", certificate->sha256_hex()));
  }
  return certificate;
}

}  // namespace trustline
