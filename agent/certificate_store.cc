#include "agent/certificate_store.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace trustline::agent {
namespace {

constexpr absl::Duration kExpiresSoon = absl::Hours(30 * 24);

bool Contains(const std::vector<Certificate>& certificates, const Certificate& wanted) {
  return std::find(certificates.begin(), certificates.end(), wanted) != certificates.end();
}

}  // namespace

bool IsPhoneFacing(absl::string_view unit) {
  return unit == "CallManager" || unit == "TVS" || unit == "ITLRecovery" || unit == "CAPF";
}

bool IsIdentitySlot(absl::string_view unit) {
  return IsPhoneFacing(unit) || unit == "tomcat" || unit == "ipsec";
}

std::string DateText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d", time, absl::UTCTimeZone());
}

v1::StoredCertificate StoredFact(const std::string& store, const Certificate& certificate,
                                 const std::string& note) {
  v1::StoredCertificate fact;
  fact.set_store(store);
  fact.set_sha256(certificate.sha256_hex());
  fact.set_subject(certificate.subject());
  fact.set_issuer(certificate.issuer());
  fact.set_serial(certificate.serial_hex());
  fact.set_not_after_unix(absl::ToUnixSeconds(certificate.not_after()));
  fact.set_note(note);
  return fact;
}

std::string DescribeCertificate(const Certificate& certificate) {
  return absl::StrCat(certificate.subject(), ", serial ", certificate.serial_hex(), ", SHA-256 ",
                      certificate.sha256_hex());
}

std::string ExpiryWarning(const std::string& store, const Certificate& certificate,
                          absl::Time now) {
  if (certificate.not_after() > now + kExpiresSoon) return "";
  return absl::StrCat(store, ": ", certificate.subject(), ", serial ", certificate.serial_hex(),
                      certificate.not_after() < now ? ", expired on " : ", expires on ",
                      DateText(certificate.not_after()));
}

SubjectConflicts FindSubjectConflicts(const CertificateStore& certificates,
                                      const std::string& store,
                                      const std::vector<Certificate>& newcomers,
                                      const StoreContents& contents) {
  SubjectConflicts result;
  if (!certificates.capabilities(store).one_per_subject) return result;
  for (size_t i = 0; i < newcomers.size(); ++i) {
    for (size_t j = i + 1; j < newcomers.size(); ++j) {
      if (newcomers[i] == newcomers[j] ||
          newcomers[i].subject_der() != newcomers[j].subject_der()) {
        continue;
      }
      result.refusals.push_back(
          absl::StrCat(store, " keeps one certificate per subject, but both serial ",
                       newcomers[i].serial_hex(), " and serial ", newcomers[j].serial_hex(), " of ",
                       newcomers[i].subject(), " are wanted in it"));
    }
  }
  for (const StoredEntry& entry : contents.entries) {
    if (Contains(newcomers, entry.certificate)) continue;
    for (const Certificate& newcomer : newcomers) {
      if (newcomer.subject_der() != entry.certificate.subject_der()) continue;
      const bool already_there =
          std::any_of(contents.entries.begin(), contents.entries.end(),
                      [&](const StoredEntry& other) { return other.certificate == newcomer; });
      if (already_there) continue;
      if (entry.certificate.not_before() < newcomer.not_before()) {
        result.superseded.push_back(entry);
      } else {
        result.refusals.push_back(
            absl::StrCat(store, " keeps one certificate per subject and holds serial ",
                         entry.certificate.serial_hex(), " of ", entry.certificate.subject(),
                         ", valid from ", DateText(entry.certificate.not_before()), "; serial ",
                         newcomer.serial_hex(), " for the same store ", store,
                         " is not newer (valid from ", DateText(newcomer.not_before()),
                         ") and would be ignored without a word; remove one of them or regenerate "
                         "the newcomer"));
      }
      break;
    }
  }
  return result;
}

}  // namespace trustline::agent
