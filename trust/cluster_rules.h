// What a cluster of a version must export and where it is imported: the vendor's rules as functions
// of the topology. Sources: Cisco 215539 and the Security Guides, chapters Manage Bulk Certificates
// and Default Security.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "protos/trustline/v1/topology.pb.h"

namespace trustline {

// "11.5", "10.5(2)", "12.5(1)SU3", "14", "14SU2". Compared by (major, minor, maintenance).
struct ClusterVersion {
  int major = 0, minor = 0, maintenance = 0;
  friend auto operator<=>(const ClusterVersion&, const ClusterVersion&) = default;
};
absl::StatusOr<ClusterVersion> ParseClusterVersion(absl::string_view text);

// ITLRecovery came with 10.5(2); from 12.5 on there is one per cluster, made on the publisher.
inline constexpr ClusterVersion kFirstItlRecovery{10, 5, 2};
inline constexpr ClusterVersion kItlRecoveryOfCluster{12, 5, 0};

// One (cluster, node, unit) that must have exported.
struct ExpectedExport {
  std::string cluster, node, unit;
  friend auto operator<=>(const ExpectedExport&, const ExpectedExport&) = default;
};

// Every export the exchange needs for `units`, over all clusters, ordered by cluster, node, unit:
//   CallManager: every node with role tftp. ITLRecovery: none before 10.5(2); every tftp node up
//   to 12.4; the publisher from 12.5. In mixed mode both also of the publisher, who signs the CTL.
//   CAPF: the publisher (or the node with role capf). tomcat: every node.
// InvalidArgument: an unknown unit; fewer than two clusters; a name that is there twice; a cluster
// without a publisher or with several, without a tftp node though one must export, or with an
// unreadable version. The message names the cluster.
absl::StatusOr<std::vector<ExpectedExport>> ExpectedExports(const v1::Topology& topology,
                                                            const std::vector<std::string>& units);

// Trust stores a unit is imported into: CallManager -> CallManager-trust, Phone-SAST-trust;
// ITLRecovery -> Phone-SAST-trust, CallManager-trust; CAPF -> CallManager-trust; tomcat ->
// tomcat-trust. Empty for an unknown unit.
std::vector<std::string> DefaultPlacement(absl::string_view unit);

bool HasRole(const v1::ClusterNode& node, v1::NodeRole role);
// Names, in the topology's order.
std::vector<std::string> NodesWith(const v1::Cluster& cluster, v1::NodeRole role);
// InvalidArgument, naming the cluster, where there is none or several; an unreadable version.
absl::StatusOr<std::string> PublisherOf(const v1::Cluster& cluster);
absl::StatusOr<ClusterVersion> VersionOf(const v1::Cluster& cluster);
// Names decide who is believed: InvalidArgument unless each belongs to one cluster or node.
absl::Status CheckTopologyNames(const v1::Topology& topology);

// The cluster a node belongs to, or nullptr.
const v1::Cluster* ClusterOf(const v1::Topology& topology, absl::string_view node);

}  // namespace trustline
