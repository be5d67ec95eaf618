// A Trust Verification Service on this node: trustline-tvs runs with the configuration, certificate
// and key it is to have, and answers.
#pragma once

#include <string>
#include <vector>

#include "agent/resource_kind.h"

namespace trustline::agent {

// Writes `<directory>/tvs.yaml`, `tvs.pem` and `tvs.key` (0600) and has the service started or
// restarted when any of them, or what it loaded, differs. The identity is the node's own TVS
// certificate: never made here, because phones know it from their trust lists. Without one: refused
// with the line to write (pending where the same stage makes it). With several, the one in
// `directory` stays; where none of them is there: refused. An expired one is reported.
class TrustVerificationKind final : public ResourceKind {
 public:
  std::string name() const override { return "trust_verification"; }
  std::vector<std::string> Claims(const v1::Resource& resource) const override;
  absl::StatusOr<Resolved> Resolve(const PlanContext& context) const override;
  absl::StatusOr<Observed> Observe(const PlanContext& context,
                                   const google::protobuf::Message& desired) const override;
  absl::Status Stage(const PlanContext& context, const google::protobuf::Message& desired,
                     const google::protobuf::Message& present,
                     TransactionBuilder& transaction) const override;
  // Asks the service itself, as a phone does: for its own certificate, and for every certificate of
  // Phone-SAST-trust, which must be vouched for with the role SAST. FailedPrecondition: it does not
  // answer, presents another certificate, or does not know one of them.
  absl::Status Prove(const PlanContext& context, const google::protobuf::Message& desired,
                     Prover& prover) const override;
  // Restarts a service that ran before, so that it loads the restored files. One that did not run
  // cannot be stopped again; it answers with what it loaded, and what it loaded is forgotten.
  absl::Status Undo(const std::string& undo_argument, const Host& host) const override;
};

}  // namespace trustline::agent
