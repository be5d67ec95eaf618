// Which trust lists a cluster of a version has, who signs each, and whose certificates each names:
// the vendor's rules as functions of the topology. Pure. Sources: Cisco's Security Guides (chapters
// Default Security and Cisco CTL setup) and published `show itl`/`show ctl` listings.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "protos/trustline/v1/topology.pb.h"
#include "trust/cluster_rules.h"
#include "trust/trust_list/list_format.h"

namespace trustline {

enum class ListType { kItl, kCtl };
absl::string_view ListTypeName(ListType type);  // "itl"
// kEmpty: as the parameter "Prepare Cluster for Rollback to pre-8.0" leaves an ITL, CAPF only;
// phones that took it take any list after it.
enum class ListContent { kFull, kEmpty };

struct ExpectedRecord {
  ExpectedExport source;  // whose certificate
  ListRole role = ListRole::kSast;
  friend bool operator==(const ExpectedRecord&, const ExpectedRecord&) = default;
};

struct ExpectedList {
  ListType type = ListType::kItl;
  std::string cluster;
  std::string node;                     // the TFTP node that serves it; empty for a CTL: every one
  ExpectedExport signer;                // whose key signs; its node builds the list
  std::vector<ExpectedRecord> records;  // in the order of the file, the signer first
};

// The lists of one cluster: an ITL per TFTP node, or the one CTL.
//   ITL  signed by the node's CallManager below 12.0, by ITLRecovery from there on: the node's own
//        up to 12.4, the publisher's from 12.5, where the cluster has one. Names: the signer and
//        the other of the two as SAST (before 10.5(2) there is no ITLRecovery); the node's
//        CallManager again as TFTP, in mixed mode as CCM+TFTP; TVS of every node that has it; CAPF.
//   CTL  signed by the publisher's CallManager below 12.0, by its ITLRecovery from there on. Names:
//        both as SAST; CallManager of every node that serves files or calls as CCM+TFTP; CAPF.
//        Never TVS.
// InvalidArgument, naming the cluster: a name that is there twice, no cluster of the name, no or
// several publishers, an unreadable version, no TFTP node. FailedPrecondition: a release whose
// phones keep no ITL (before 8.0) or whose CTL only hardware tokens sign (before 10.0); a CTL
// outside of mixed mode, or without a node that has CAPF; an empty list in mixed mode, or an empty
// CTL.
absl::StatusOr<std::vector<ExpectedList>> ExpectedLists(const v1::Topology& topology,
                                                        absl::string_view cluster, ListType type,
                                                        ListContent content);

// The units of `node` that lists of its cluster name or are signed by, ascending: what it must
// publish. Errors as above; InvalidArgument for a node of no cluster.
absl::StatusOr<std::vector<std::string>> UnitsInLists(const v1::Topology& topology,
                                                      absl::string_view node);

}  // namespace trustline
