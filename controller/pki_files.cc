#include "controller/pki_files.h"

#include <string.h>
#include <sys/types.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "controller/input_file.h"
#include "controller/new_files.h"
#include "trust/certificate.h"
#include "trust/pki.h"
#include "trust/private_key.h"
#include "trust/status_macros.h"

namespace trustline::controller {
namespace {

constexpr absl::Duration kDay = absl::Hours(24);
constexpr absl::Duration kClockSlack = absl::Hours(1);
constexpr size_t kMaxFileBytes = 1 << 20;
constexpr mode_t kKeyMode = 0600;
constexpr mode_t kPublicMode = 0644;

std::string Join(absl::string_view directory, absl::string_view name) {
  return absl::StrCat(absl::StripSuffix(directory, "/"), "/", name);
}

// Adds the file's name, once, where it is known.
absl::Status In(absl::string_view file, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(file, ": ", status.message()));
}

absl::StatusOr<absl::Duration> Lifetime(int days) {
  if (days < 1 || days > 36500) {
    return absl::InvalidArgumentError(
        absl::StrCat("a validity of ", days, " days is not possible; choose 1 to 36500"));
  }
  return kClockSlack + days * kDay;
}

absl::Status AddKey(std::string path, const PrivateKey& key, NewFiles* files) {
  std::string pem = key.ToPkcs8Pem();
  if (pem.empty()) return absl::InternalError(absl::StrCat("cannot encode the key for ", path));
  files->Add(std::move(path), std::move(pem), kKeyMode);
  return absl::OkStatus();
}

absl::StatusOr<Certificate> ReadCertificate(const std::string& path) {
  TL_ASSIGN_OR_RETURN(const std::string pem, ReadInputFile(path, kMaxFileBytes));
  absl::StatusOr<Certificate> certificate = Certificate::FromPem(pem);
  if (!certificate.ok()) return In(path, certificate.status());
  return certificate;
}

absl::StatusOr<IssuedAuthority> ReadAuthority(const std::string& directory) {
  TL_ASSIGN_OR_RETURN(Certificate certificate, ReadCertificate(Join(directory, "ca.crt")));
  TL_ASSIGN_OR_RETURN(PrivateKey key, ReadKeyFile(Join(directory, "ca.key")));
  return IssuedAuthority{std::move(certificate), std::move(key)};
}

PkiSummary Summarise(const std::string& file, const Certificate& certificate) {
  PkiSummary summary;
  summary.file = file;
  summary.subject = certificate.subject();
  summary.issuer = certificate.issuer();
  summary.dns_names = certificate.dns_names();
  summary.serial_hex = certificate.serial_hex();
  summary.sha256_hex = certificate.sha256_hex();
  summary.not_before = certificate.not_before();
  summary.not_after = certificate.not_after();
  if (const absl::StatusOr<Identity> identity = IdentityOf(certificate); identity.ok()) {
    summary.identity = identity->ToUri();
  } else if (certificate.subject_der() == certificate.issuer_der() &&
             AuthorityDomain(certificate).ok()) {
    summary.what = PkiSummary::What::kAuthority;
  }
  return summary;
}

PkiSummary Summarise(const std::string& file, const Identity& identity) {
  PkiSummary summary;
  summary.file = file;
  summary.what = PkiSummary::What::kRequest;
  summary.identity = identity.ToUri();
  if (identity.kind == IdentityKind::kAgent) summary.dns_names = {identity.name};
  return summary;
}

std::string Remaining(const PkiSummary& summary, absl::Time now) {
  const auto days = [](absl::Duration time) {
    const int64_t count = time / kDay;
    return absl::StrCat(count, count == 1 ? " day" : " days");
  };
  if (now < *summary.not_before) return "not valid yet";
  if (now > *summary.not_after)
    return absl::StrCat("expired ", days(now - *summary.not_after), " ago");
  return absl::StrCat(days(*summary.not_after - now), " left");
}

}  // namespace

absl::string_view PkiWhatName(PkiSummary::What what) {
  switch (what) {
    case PkiSummary::What::kAuthority:
      return "authority";
    case PkiSummary::What::kCertificate:
      return "certificate";
    case PkiSummary::What::kRequest:
      return "request";
  }
  return "";
}

std::string PkiSummaryText(const PkiSummary& summary, absl::Time now) {
  std::string text;
  const auto line = [&](absl::string_view name, absl::string_view value) {
    if (value.empty()) return;
    absl::StrAppend(&text, name, std::string(13 - name.size(), ' '), value, "\n");
  };
  const auto minute = [](absl::Time time) {
    return absl::FormatTime("%Y-%m-%d %H:%M UTC", time, absl::UTCTimeZone());
  };
  line(PkiWhatName(summary.what), summary.file);
  line("identity", summary.identity);
  line("subject", summary.subject);
  line("issuer", summary.issuer);
  line("DNS names", absl::StrJoin(summary.dns_names, ", "));
  line("serial", summary.serial_hex);
  if (summary.not_before && summary.not_after) {
    line("valid", absl::StrCat(minute(*summary.not_before), " to ", minute(*summary.not_after),
                               ", ", Remaining(summary, now)));
  }
  line("SHA-256", summary.sha256_hex);
  return text;
}

absl::StatusOr<PkiSummary> PkiInit(const std::string& directory, absl::string_view domain, int days,
                                   absl::Time now) {
  TL_ASSIGN_OR_RETURN(const absl::Duration lifetime, Lifetime(days));
  TL_ASSIGN_OR_RETURN(const IssuedAuthority authority,
                      MakeAuthority(domain, now - kClockSlack, lifetime));
  TL_RETURN_IF_ERROR(MakePrivateDirectory(directory));
  const std::string file = Join(directory, "ca.crt");
  NewFiles files;
  TL_RETURN_IF_ERROR(AddKey(Join(directory, "ca.key"), authority.key, &files));
  files.Add(file, authority.certificate.ToPem(), kPublicMode);
  TL_RETURN_IF_ERROR(files.Create());
  return Summarise(file, authority.certificate);
}

absl::StatusOr<std::string> PkiDomain(const std::string& directory) {
  const std::string path = Join(directory, "ca.crt");
  TL_ASSIGN_OR_RETURN(const Certificate certificate, ReadCertificate(path));
  absl::StatusOr<std::string> domain = AuthorityDomain(certificate);
  if (!domain.ok()) return In(path, domain.status());
  return domain;
}

absl::StatusOr<PkiSummary> PkiRequest(const std::string& directory, const Identity& identity) {
  TL_ASSIGN_OR_RETURN(const PrivateKey key, PrivateKey::GenerateEcP256());
  TL_ASSIGN_OR_RETURN(std::string request, MakeRequest(identity, key));
  TL_RETURN_IF_ERROR(MakePrivateDirectory(directory));
  const std::string file = Join(directory, absl::StrCat(identity.name, ".csr"));
  NewFiles files;
  TL_RETURN_IF_ERROR(AddKey(Join(directory, absl::StrCat(identity.name, ".key")), key, &files));
  files.Add(file, std::move(request), kPublicMode);
  TL_RETURN_IF_ERROR(files.Create());
  return Summarise(file, identity);
}

absl::StatusOr<PkiSummary> PkiSign(const std::string& request_file,
                                   const std::string& authority_directory,
                                   const std::string& certificate_file, int days, absl::Time now) {
  TL_ASSIGN_OR_RETURN(const absl::Duration lifetime, Lifetime(days));
  TL_ASSIGN_OR_RETURN(const std::string request, ReadInputFile(request_file, kMaxFileBytes));
  if (const absl::Status readable = ReadRequest(request).status(); !readable.ok())
    return In(request_file, readable);
  TL_ASSIGN_OR_RETURN(const IssuedAuthority authority, ReadAuthority(authority_directory));
  absl::StatusOr<Certificate> certificate =
      SignRequest(request, authority, now - kClockSlack, lifetime);
  if (!certificate.ok()) return In(request_file, certificate.status());
  const std::string file = certificate_file.empty()
                               ? absl::StrCat(absl::StripSuffix(request_file, ".csr"), ".crt")
                               : certificate_file;
  NewFiles files;
  files.Add(file, certificate->ToPem(), kPublicMode);
  TL_RETURN_IF_ERROR(files.Create());
  return Summarise(file, *certificate);
}

absl::StatusOr<PkiSummary> PkiIssue(const std::string& authority_directory,
                                    const std::string& directory, const Identity& identity,
                                    int days, absl::Time now) {
  TL_ASSIGN_OR_RETURN(const absl::Duration lifetime, Lifetime(days));
  TL_ASSIGN_OR_RETURN(const IssuedAuthority authority, ReadAuthority(authority_directory));
  TL_ASSIGN_OR_RETURN(const PrivateKey key, PrivateKey::GenerateEcP256());
  TL_ASSIGN_OR_RETURN(const std::string request, MakeRequest(identity, key));
  TL_ASSIGN_OR_RETURN(const Certificate certificate,
                      SignRequest(request, authority, now - kClockSlack, lifetime));
  TL_RETURN_IF_ERROR(MakePrivateDirectory(directory));
  const std::string file = Join(directory, absl::StrCat(identity.name, ".crt"));
  NewFiles files;
  TL_RETURN_IF_ERROR(AddKey(Join(directory, absl::StrCat(identity.name, ".key")), key, &files));
  files.Add(file, certificate.ToPem(), kPublicMode);
  TL_RETURN_IF_ERROR(files.Create());
  return Summarise(file, certificate);
}

absl::StatusOr<PkiSummary> PkiShow(const std::string& file) {
  TL_ASSIGN_OR_RETURN(std::string content, ReadInputFile(file, kMaxFileBytes));
  if (absl::StrContains(content, "PRIVATE KEY-----")) {
    explicit_bzero(content.data(), content.size());
    return absl::InvalidArgumentError(absl::StrCat(
        file, " holds a private key, which is not shown; give the certificate beside it"));
  }
  if (absl::StrContains(content, "CERTIFICATE REQUEST-----")) {
    const absl::StatusOr<Identity> identity = ReadRequest(content);
    if (!identity.ok()) return In(file, identity.status());
    return Summarise(file, *identity);
  }
  const bool der = absl::StartsWith(content, "\x30\x82");  // as all of over 255 bytes
  const absl::StatusOr<Certificate> certificate =
      der ? Certificate::FromDer(content) : Certificate::FromPem(content);
  if (!certificate.ok()) return In(file, certificate.status());
  return Summarise(file, *certificate);
}

}  // namespace trustline::controller
