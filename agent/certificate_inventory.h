// What certificates a node holds, for status.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "agent/host.h"
#include "protos/trustline/v1/agent.pb.h"

namespace trustline::agent {

// Every certificate of every store and slot of the node, ordered by store, then fingerprint. Empty
// where the node keeps no certificates. Files that cannot be read are left out; planning names
// them.
absl::StatusOr<std::vector<v1::CertificateStatus>> ListCertificates(const HostView& host);

}  // namespace trustline::agent
