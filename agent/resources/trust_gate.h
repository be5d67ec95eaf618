// The gate before a pointer moves: simulated phones of every class of the evidence try every TFTP
// node of the destination, from this node. Looking is judging; there is nothing to write.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/gate/phone_networks.h"
#include "agent/resource_kind.h"

namespace trustline::agent {

// `unchanged` when the phones would accept the destination now, else `refused` with the reasons;
// the report comes with both.
class TrustGateKind final : public ResourceKind {
 public:
  explicit TrustGateKind(std::shared_ptr<const PhoneNetworks> phones)
      : phones_(std::move(phones)) {}

  std::string name() const override { return "trust_gate"; }
  std::vector<std::string> Claims(const v1::Resource& resource) const override;
  absl::StatusOr<Resolved> Resolve(const PlanContext& context) const override;
  absl::StatusOr<Observed> Observe(const PlanContext& context,
                                   const google::protobuf::Message& desired) const override;
  // Internal: judging leaves nothing to do.
  absl::Status Stage(const PlanContext& context, const google::protobuf::Message& desired,
                     const google::protobuf::Message& present,
                     TransactionBuilder& transaction) const override;

 private:
  const std::shared_ptr<const PhoneNetworks> phones_;
};

}  // namespace trustline::agent
