// The files of the fleet's PKI, as `trustline pki` makes them. An authority is a directory with
// ca.crt and ca.key; an identity is NAME.key with NAME.crt, made from NAME.csr where key and
// authority live on different machines.
//
// No function overwrites a file: AlreadyExists names the one that is there. Files appear whole or
// not at all, synced to disk; when one of several cannot be made, none is. Private keys are 0600,
// everything else 0644, whatever the umask. Errors name the file; key bytes never appear in them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "trust/identity.h"

namespace trustline::controller {

inline constexpr int kDefaultAuthorityDays = 3650;
inline constexpr int kDefaultIdentityDays = 730;

// What a file of the PKI is, for people and for JSON.
struct PkiSummary {
  enum class What { kAuthority, kCertificate, kRequest };

  std::string file;
  What what = What::kCertificate;
  std::string subject;   // as Certificate::subject(); empty for a request
  std::string issuer;    // empty for a request
  std::string identity;  // trustline://...; empty where there is none
  std::vector<std::string> dns_names;
  std::string serial_hex;  // upper case; empty for a request
  std::string sha256_hex;  // lower case, of the certificate; empty for a request
  std::optional<absl::Time> not_before, not_after;  // none for a request
};
absl::string_view PkiWhatName(PkiSummary::What what);  // "authority", "certificate", "request"

// Several lines "name  value", ending in a line end. `now` only for "729 days left".
std::string PkiSummaryText(const PkiSummary& summary, absl::Time now);

// Makes `directory` (0700, where it is missing) with the authority of `domain`. Everything made
// here is valid from an hour before `now`, for nodes whose clocks are behind. `days`: 1 to 36500,
// else InvalidArgument.
absl::StatusOr<PkiSummary> PkiInit(const std::string& directory, absl::string_view domain, int days,
                                   absl::Time now);

// The domain of the authority in `directory`, for those who name an identity by its last part.
absl::StatusOr<std::string> PkiDomain(const std::string& directory);

// On the machine that shall keep the key: NAME.key and NAME.csr in `directory` (made 0700 where it
// is missing).
absl::StatusOr<PkiSummary> PkiRequest(const std::string& directory, const Identity& identity);

// Signs the request in `request_file` with the authority in `authority_directory`. The certificate
// goes to `certificate_file`, or beside the request (NAME.crt) when that is empty.
// FailedPrecondition: another domain, a certificate that would outlive its authority, an
// authority's key that others can read.
absl::StatusOr<PkiSummary> PkiSign(const std::string& request_file,
                                   const std::string& authority_directory,
                                   const std::string& certificate_file, int days, absl::Time now);

// Both at once, for an operator who holds the authority: NAME.key and NAME.crt in `directory`.
absl::StatusOr<PkiSummary> PkiIssue(const std::string& authority_directory,
                                    const std::string& directory, const Identity& identity,
                                    int days, absl::Time now);

// What a certificate or request file holds. InvalidArgument for anything else, and for a file with
// a private key in it.
absl::StatusOr<PkiSummary> PkiShow(const std::string& file);

}  // namespace trustline::controller
