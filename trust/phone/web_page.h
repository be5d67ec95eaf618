// The page "Network configuration" (or "Network setup") that phones with web access show: which
// lists they hold, whom they ask, where they fetch files. Source: domain facts (saved pages of the
// 78xx, 88xx and 89xx series); older phones show no lists.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trust/phone/evidence.h"

namespace trustline {

// Pure. InvalidArgument: over 256 KiB, or not such a page (no host name "SEP...", nothing that says
// DHCP). A page without a line about an ITL is evidence of nothing about it.
absl::StatusOr<PhoneEvidence> ParsePhoneWebPage(absl::string_view html);

}  // namespace trustline
