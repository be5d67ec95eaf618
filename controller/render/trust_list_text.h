// A trust list as the vendor's own `show ctl` and `show itl` lay it out, and as JSON.
#pragma once

#include <string>

#include "controller/trust_list_files.h"
#include "trust/trust_list/list_verify.h"

namespace trustline::controller {

// Ends with whether the list verifies. Names are escaped: what a file says cannot reach the
// terminal as control bytes.
std::string TrustListText(const TrustListFile& file, const ListVerdict& verdict);
// One line that the list verifies, with its digests as a phone's screen shows them; or a line per
// problem.
std::string TrustListVerdictText(const TrustListFile& file, const ListVerdict& verdict);
std::string TrustListJson(const TrustListFile& file, const ListVerdict& verdict);

}  // namespace trustline::controller
