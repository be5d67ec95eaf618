// The kind `service`: a service runs and has loaded what is on disk. What it has loaded is state,
// not an event: a record of the digest of everything that notifies it, written after the service
// came up with it. While the digest wanted differs from the record a reload is owed, also after a
// crash.
#pragma once

#include <string>
#include <vector>

#include "agent/resource_kind.h"

namespace trustline::agent {

class ServiceKind : public ResourceKind {
 public:
  std::string name() const override { return "service"; }
  std::vector<std::string> Claims(const v1::Resource& resource) const override;
  absl::StatusOr<Resolved> Resolve(const PlanContext& context) const override;
  absl::StatusOr<Observed> Observe(const PlanContext& context,
                                   const google::protobuf::Message& desired) const override;
  absl::Status Stage(const PlanContext& context, const google::protobuf::Message& desired,
                     const google::protobuf::Message& present,
                     TransactionBuilder& transaction) const override;
  absl::Status Undo(const std::string& undo_argument, const Host& host) const override;
};

}  // namespace trustline::agent
