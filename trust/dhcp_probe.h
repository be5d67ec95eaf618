// Asks a DHCP server on the wire what it serves, from this host.
#pragma once

#include "absl/status/statusor.h"
#include "protos/trustline/v1/agent.pb.h"

namespace trustline {

// Behind an interface because tests of everything above need no sockets.
class DhcpProber {
 public:
  virtual ~DhcpProber() = default;
  // Blocking; bounded by the request's timeout_ms (at least three tries inside it). DHCPINFORM from
  // an own address inside `subnet` when there is one; else, and only with may_discover, a DISCOVER
  // relayed with giaddr = own address towards the server and link selection (option 82 sub-option
  // 5) = the subnet. An empty `subnet` means the one this host speaks to the server from: always
  // DHCPINFORM. `answered` false: nothing came in time. FailedPrecondition: the server runs on this
  // host (Kea does not answer its own host); neither way is possible from here, or INFORM was
  // needed and may_discover is false.
  virtual absl::StatusOr<v1::ProbeResponse> Probe(const v1::ProbeRequest& request) = 0;
};

// The real one. Binds UDP 67 or 68 only while asking. Needs CAP_NET_BIND_SERVICE.
// Thread-compatible: one probe at a time per host, the second waits.
class UdpDhcpProber : public DhcpProber {
 public:
  absl::StatusOr<v1::ProbeResponse> Probe(const v1::ProbeRequest& request) override;
};

}  // namespace trustline
