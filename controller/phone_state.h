// What a simulated phone remembers, as a directory an engineer can read and set up by hand:
//   ITL.tlv, CTL.tlv   its trust lists; absent: it has none
//   config.xml         the last configuration it accepted
//   phone.json         device, model, TVS servers, alternate TFTP, abilities, and what TVS
//                      answered as far as it is remembered
//   status.log         what its screen said, oldest first
//   phone.pem, phone.key   its LSC or MIC, for encrypted configurations; only read
// Any of them may be missing: of a directory with ITL.tlv and config.xml alone the TVS servers are
// those of the configuration.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trust/phone/phone.h"

namespace trustline::controller {

// A directory that is missing is a factory-new phone. InvalidArgument or FailedPrecondition name
// the file that cannot be used; `device` must not differ from the directory's own.
absl::StatusOr<PhoneState> LoadPhone(const std::string& directory, const std::string& device);

// Makes the directory where it is missing. Each file appears whole.
absl::Status SavePhone(const std::string& directory, const PhoneState& state);

}  // namespace trustline::controller
