// The kind `trust_list`: the signed list (ITL, CTL) phones fetch from this node's TFTP root. Three
// steps, three plays:
//   publish  the node's public certificates that lists of its cluster name are on the hub
//   build    the lists whose key this node holds are on the hub, built from what nodes published;
//            a list is written anew only when it would tell phones something else
//   install  this node's list is in the TFTP root, under the name of each device too
// The hub is not trusted: certificates count only under the manifest of the node they belong to,
// lists only under that of the node that must sign them, and only when the vendor's signature is by
// the certificate that node published. The newest manifests believed are remembered below the state
// directory and never gone back behind. Rules: trust/list_rules.h.
#pragma once

#include <string>
#include <vector>

#include "agent/resource_kind.h"

namespace trustline::agent {

class TrustListKind : public ResourceKind {
 public:
  std::string name() const override { return "trust_list"; }
  std::vector<std::string> Claims(const v1::Resource& resource) const override;
  absl::StatusOr<Resolved> Resolve(const PlanContext& context) const override;
  absl::StatusOr<Observed> Observe(const PlanContext& context,
                                   const google::protobuf::Message& desired) const override;
  absl::Status Stage(const PlanContext& context, const google::protobuf::Message& desired,
                     const google::protobuf::Message& present,
                     TransactionBuilder& transaction) const override;
  std::string Describe(const v1::Change& change, const google::protobuf::Message& desired,
                       const google::protobuf::Message& present) const override;
};

}  // namespace trustline::agent
