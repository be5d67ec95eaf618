// The kind `bundle_consolidation`: the hub holds one bundle per unit that merges every expected
// export. A function of the signed manifests: whichever node does it, and however often, gets the
// same set.
#pragma once

#include <string>
#include <vector>

#include "agent/resource_kind.h"

namespace trustline::agent {

class BundleConsolidationKind : public ResourceKind {
 public:
  std::string name() const override { return "bundle_consolidation"; }
  std::vector<std::string> Claims(const v1::Resource& resource) const override;
  absl::StatusOr<Resolved> Resolve(const PlanContext& context) const override;
  absl::StatusOr<Observed> Observe(const PlanContext& context,
                                   const google::protobuf::Message& desired) const override;
  absl::Status Stage(const PlanContext& context, const google::protobuf::Message& desired,
                     const google::protobuf::Message& present,
                     TransactionBuilder& transaction) const override;
};

}  // namespace trustline::agent
