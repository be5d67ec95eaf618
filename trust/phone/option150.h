// The TFTP servers a phone is given: option 150 by a real exchange with a DHCP server.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "trust/dhcp_probe.h"

namespace trustline {

// In the order of preference; a phone uses the first two. `mac`: the phone's, so that a reservation
// counts. `subnet` empty: the one this host speaks from. Unavailable: the server does not answer;
// NotFound: its answer has no option 150; InvalidArgument: one that is malformed; other errors as
// DhcpProber.
absl::StatusOr<std::vector<std::string>> AskForTftpServers(DhcpProber& prober,
                                                           const std::string& dhcp_server,
                                                           const std::string& subnet,
                                                           const std::string& mac,
                                                           absl::Duration timeout);

}  // namespace trustline
