#include "trust/phone/option150.h"

#include "absl/strings/str_cat.h"
#include "trust/dhcp_message.h"
#include "trust/status_macros.h"

namespace trustline {

absl::StatusOr<std::vector<std::string>> AskForTftpServers(DhcpProber& prober,
                                                           const std::string& dhcp_server,
                                                           const std::string& subnet,
                                                           const std::string& mac,
                                                           absl::Duration timeout) {
  v1::ProbeRequest request;
  request.set_server(dhcp_server);
  request.set_subnet(subnet);
  request.set_hardware_address(mac);
  request.set_may_discover(true);
  request.set_timeout_ms(static_cast<uint32_t>(absl::ToInt64Milliseconds(timeout)));
  TL_ASSIGN_OR_RETURN(const v1::ProbeResponse response, prober.Probe(request));
  if (!response.answered())
    return absl::UnavailableError(absl::StrCat("DHCP server ", dhcp_server, " does not answer"));
  if (!response.present()) {
    return absl::NotFoundError(
        absl::StrCat("DHCP server ", dhcp_server, " gives no option 150 (", response.how(), ")"));
  }
  TL_ASSIGN_OR_RETURN(const std::vector<uint32_t> addresses,
                      DecodeOption150(response.option_150()));
  std::vector<std::string> servers;
  servers.reserve(addresses.size());
  for (const uint32_t address : addresses) servers.push_back(FormatIpv4(address));
  return servers;
}

}  // namespace trustline
