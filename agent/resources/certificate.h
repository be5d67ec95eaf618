// The kind `certificate`: an identity or trust certificate of a unit, present or absent.
// Identities phones rely on (CallManager, TVS, ITLRecovery, CAPF) are made once, where none ever
// was, and from then on only looked at: enforcement never makes them anew, renews, replaces or
// removes them, because every phone that trusts the old one would be locked. Losing or expiring one
// is reported.
#pragma once

#include <string>
#include <vector>

#include "agent/resource_kind.h"

namespace trustline::agent {

class CertificateKind : public ResourceKind {
 public:
  std::string name() const override { return "certificate"; }
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
