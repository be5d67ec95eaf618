// The kind `bundle_import`: this node's trust stores hold every expected certificate.
// The hub is not trusted: only what an expected node's signed manifest, or a pin, covers is
// installed, whoever consolidated; anything else in the bundle is refused and nothing is changed.
// The newest manifests believed are remembered below the state directory and never gone back
// behind. Removes nothing, except the older certificate of the same subject in a store that keeps
// one per subject.
#pragma once

#include <string>
#include <vector>

#include "agent/resource_kind.h"

namespace trustline::agent {

class BundleImportKind : public ResourceKind {
 public:
  std::string name() const override { return "bundle_import"; }
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
