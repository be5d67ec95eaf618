// The SQLite database of `tvsd`, a free Trust Verification Service (usecallmanager.nz), and of its
// tool `tvsctl`. One table `certificates`: the key is the lower-case hex SHA-256 of the DER;
// serial (lower-case hex), names, PEM, roles ("SAST,TFTP") and TTL in seconds. tvsd opens the file
// anew for every question and answers VERIFY only, by that key, roles and TTL. So a file that is
// put in the old one's place is served from the next question on, and a transaction can put the
// whole file back. A change `tvsctl` makes while a transaction is under way is lost. The one file
// that knows SQLite on the node.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trust/certificate.h"
#include "trust/trust_list/list_format.h"

namespace trustline::agent {

struct TvsdEntry {
  std::string roles;  // as the database has them: words joined by ',', in tvsctl's order
  int64_t ttl_seconds = 0;
  friend bool operator==(const TvsdEntry&, const TvsdEntry&) = default;
};

// "SAST,TFTP"; roles that have no word there are left out.
std::string TvsdRoles(const std::vector<ListRole>& roles);

// The entries of a database file by lower-case hex SHA-256. An empty file has none.
// InvalidArgument: the bytes are no such database. FailedPrecondition: it keeps a write-ahead log
// beside it, so its bytes alone do not say what it holds.
absl::StatusOr<std::map<std::string, TvsdEntry>> ReadTvsd(absl::string_view file);

struct TvsdChange {
  Certificate certificate;
  std::optional<TvsdEntry> entry;  // nothing: its row goes
};
// The bytes of the file with the changes made and every other row as it was; an empty `file` makes
// a new database. Errors as ReadTvsd.
absl::StatusOr<std::string> WithTvsdChanges(absl::string_view file,
                                            const std::vector<TvsdChange>& changes);

}  // namespace trustline::agent
