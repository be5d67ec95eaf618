// The kind `signed_file`: X.sgn beside every file X that phones download signed, by this node's
// CallManager key (never ITLRecovery, whatever the version). Written anew only when X, the signer
// or the digest differ; with X's owner and mode. Follows no link and never signs a .sgn. An X.sgn
// whose X is gone is left alone and reported.
#pragma once

#include <string>
#include <vector>

#include "agent/resource_kind.h"

namespace trustline::agent {

class SignedFileKind : public ResourceKind {
 public:
  std::string name() const override { return "signed_file"; }
  std::vector<std::string> Claims(const v1::Resource& resource) const override;
  absl::StatusOr<Resolved> Resolve(const PlanContext& context) const override;
  absl::StatusOr<Observed> Observe(const PlanContext& context,
                                   const google::protobuf::Message& desired) const override;
  absl::Status Stage(const PlanContext& context, const google::protobuf::Message& desired,
                     const google::protobuf::Message& present,
                     TransactionBuilder& transaction) const override;
};

}  // namespace trustline::agent
