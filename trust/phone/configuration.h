// What a phone reads from its configuration (SEP....cnf.xml): where it registers, whom it asks for
// trust, and whether the real one is encrypted. The one file pair that knows the XML library.
// Source: domain facts; configurations published by operators of such phones.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trust/tvs/tvs_address.h"

namespace trustline {

struct PhoneConfiguration {
  // CallManager group, by priority.
  std::vector<std::string> call_managers;
  // TVS servers by priority: those the configuration names, else the CallManager group at 2445.
  std::vector<TvsAddress> tvs;
  std::string
      device_security_mode;  // as it stands: "1" non-secure, "2" authenticated, "3" encrypted
  bool encrypted_elsewhere = false;  // the notice beside an .enc.sgn
  std::string certificate_hash;      // of a notice: MD5 of the phone's certificate, lower-case hex
};

// InvalidArgument: not well-formed XML with the root element "device" (or "Default", what unknown
// phones get), over 1 MiB, nested deeper than 64, or with a document type of its own.
absl::StatusOr<PhoneConfiguration> ParsePhoneConfiguration(absl::string_view xml);

}  // namespace trustline
