// Which values of DHCP option 150 make sense in a topology. Pure. Sources: RFC 5859 (a list of IPv4
// addresses); Cisco phones show two slots and ignore a third; a phone that is offered TFTP servers
// of two clusters may fall back to the old one and flap between them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "protos/trustline/v1/kinds/tftp_pointer.pb.h"
#include "protos/trustline/v1/topology.pb.h"

namespace trustline {

struct TftpPointerFindings {
  std::vector<std::string> errors;
  size_t scope_errors = 0;  // the first so many of `errors` are about the scope, the others are not
  std::vector<std::string> warnings;
};

// Errors: no address or one that is not IPv4, one twice, addresses of a node without role tftp,
// addresses of two clusters together, a subnet that is none, a client class ("unsupported: ...").
// Warnings: a third address (phones ignore it), an address of no node of the topology.
TftpPointerFindings CheckTftpPointer(const v1::TftpPointerSpec& spec, const v1::Topology& topology);

// "subnet 10.30.0.0/24", "reservation 00:1b:54:aa:bb:01" (lower case), "global", "class NAME":
// equal exactly for the same scope.
std::string PointerScopeName(const v1::PointerScope& scope);

}  // namespace trustline
