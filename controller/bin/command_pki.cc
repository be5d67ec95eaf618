// pki: the fleet's own certificates.
#include <filesystem>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "controller/bin/commands.h"
#include "controller/bin/session.h"
#include "controller/exit_codes.h"
#include "controller/pki_files.h"
#include "controller/render/json_output.h"
#include "trust/status_macros.h"

namespace trustline::controller {
namespace {

absl::StatusOr<Identity> IdentityFrom(const Arguments& arguments, const std::string& domain) {
  Identity identity{domain,
                    arguments.pki_kind == "agent" ? IdentityKind::kAgent : IdentityKind::kOperator,
                    arguments.pki_name};
  // Parsing back is the check of both names.
  return ParseIdentityUri(identity.ToUri());
}

// An operator's directory also holds the root that agents' certificates must chain to.
absl::Status CopyRoot(const std::string& authority, const std::string& directory) {
  const std::string root = authority + "/ca.crt", copy = directory + "/ca.crt";
  std::error_code error;
  if (std::filesystem::exists(copy)) return absl::OkStatus();
  if (!std::filesystem::copy_file(root, copy, error)) {
    return absl::UnavailableError(
        absl::StrCat("cannot copy ", root, " to ", copy, ": ", error.message()));
  }
  return absl::OkStatus();
}

absl::StatusOr<PkiSummary> Run(const Arguments& arguments) {
  const absl::Time now = absl::Now();
  if (arguments.command == "pki init") {
    return PkiInit(arguments.pki_ca, arguments.pki_domain,
                   arguments.pki_days > 0 ? arguments.pki_days : kDefaultAuthorityDays, now);
  }
  const int days = arguments.pki_days > 0 ? arguments.pki_days : kDefaultIdentityDays;
  if (arguments.command == "pki request") {
    TL_ASSIGN_OR_RETURN(const Identity identity, IdentityFrom(arguments, arguments.pki_domain));
    return PkiRequest(arguments.pki_out, identity);
  }
  if (arguments.command == "pki issue") {
    TL_ASSIGN_OR_RETURN(const std::string domain, PkiDomain(arguments.pki_ca));
    TL_ASSIGN_OR_RETURN(const Identity identity, IdentityFrom(arguments, domain));
    TL_ASSIGN_OR_RETURN(PkiSummary summary,
                        PkiIssue(arguments.pki_ca, arguments.pki_out, identity, days, now));
    TL_RETURN_IF_ERROR(CopyRoot(arguments.pki_ca, arguments.pki_out));
    return summary;
  }
  if (arguments.command == "pki sign") {
    // A request is somebody else's word: whoever signs says whom he means.
    TL_ASSIGN_OR_RETURN(const std::string domain, PkiDomain(arguments.pki_ca));
    TL_ASSIGN_OR_RETURN(const Identity wanted, IdentityFrom(arguments, domain));
    TL_ASSIGN_OR_RETURN(const PkiSummary request, PkiShow(arguments.pki_request));
    if (request.identity != wanted.ToUri()) {
      return absl::PermissionDeniedError(
          absl::StrCat(arguments.pki_request, " asks for ",
                       request.identity.empty() ? "no identity" : request.identity, ", not for ",
                       wanted.ToUri(), "; nothing was signed"));
    }
    return PkiSign(arguments.pki_request, arguments.pki_ca, arguments.pki_out, days, now);
  }
  return PkiShow(arguments.pki_file);
}

}  // namespace

int PkiCommand(const Arguments& arguments) {
  absl::StatusOr<PkiSummary> summary = Run(arguments);
  if (!summary.ok()) return Fail(summary.status());
  std::cout << (arguments.output == "json" ? PkiJson(*summary)
                                           : PkiSummaryText(*summary, absl::Now()));
  return kExitOk;
}

}  // namespace trustline::controller
