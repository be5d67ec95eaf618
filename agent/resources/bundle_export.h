// The kind `bundle_export`: the hub holds this node's certificates of the named units, under a
// manifest signed by this node. An export that was altered or cannot be read counts as absent and
// is published again under a higher sequence. Certificates only; a key never leaves the node.
#pragma once

#include <string>
#include <vector>

#include "agent/resource_kind.h"

namespace trustline::agent {

class BundleExportKind : public ResourceKind {
 public:
  std::string name() const override { return "bundle_export"; }
  std::vector<std::string> Claims(const v1::Resource& resource) const override;
  absl::StatusOr<Resolved> Resolve(const PlanContext& context) const override;
  absl::StatusOr<Observed> Observe(const PlanContext& context,
                                   const google::protobuf::Message& desired) const override;
  absl::Status Stage(const PlanContext& context, const google::protobuf::Message& desired,
                     const google::protobuf::Message& present,
                     TransactionBuilder& transaction) const override;
};

}  // namespace trustline::agent
