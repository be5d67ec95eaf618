// Reads the page "Network configuration" of live phones.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "trust/phone/evidence.h"

namespace trustline {

// Tries the places where the known series have the page. Blocks for `timeout` per place.
// Unavailable when nothing answers; InvalidArgument when what answers has no such page.
absl::StatusOr<PhoneEvidence> ReadPhoneWebPage(const std::string& host, uint16_t port,
                                               absl::Duration timeout, absl::Time now);

}  // namespace trustline
