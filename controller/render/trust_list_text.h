// A trust list as the vendor's own `show ctl` and `show itl` lay it out, and as JSON.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "controller/trust_list_files.h"
#include "trust/trust_list/list_verify.h"

namespace trustline::controller {

// Ends with whether the list verifies. Names are escaped: what a file says cannot reach the
// terminal as control bytes.
std::string TrustListText(const TrustListFile& file, const ListVerdict& verdict);
// One line that the list verifies, with its digests as a phone's screen shows them; or a line per
// problem.
std::string TrustListVerdictText(const TrustListFile& file, const ListVerdict& verdict);
// What a list that verifies may still lack: nobody whose files or answers phones would take, or
// certificates that have expired. One line each, beginning with the path.
std::string TrustListWarnings(const TrustListFile& file, absl::Time now);
std::string TrustListJson(const TrustListFile& file, const ListVerdict& verdict);

}  // namespace trustline::controller
