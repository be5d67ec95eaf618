// DHCP option 150 of one scope of this node's DHCP server (Kea): the value is changed in the
// configuration file and nothing else of it is, the server judges the new text before it is
// written, re-reads the file, and another node asks on the wire for what is served now.
#pragma once

#include <string>
#include <vector>

#include "agent/resource_kind.h"

namespace trustline::agent {

// Refused at planning: a server that has not loaded its file, a scope it does not have, a value the
// topology forbids. Client classes are `unsupported`.
class TftpPointerKind final : public ResourceKind {
 public:
  std::string name() const override { return "tftp_pointer"; }
  std::vector<std::string> Claims(const v1::Resource& resource) const override;
  absl::StatusOr<Resolved> Resolve(const PlanContext& context) const override;
  absl::StatusOr<Observed> Observe(const PlanContext& context,
                                   const google::protobuf::Message& desired) const override;
  absl::Status Stage(const PlanContext& context, const google::protobuf::Message& desired,
                     const google::protobuf::Message& present,
                     TransactionBuilder& transaction) const override;
  // Has `probe_from` ask the server and compares the bytes. FailedPrecondition: it answers no more,
  // or with another value.
  absl::Status Prove(const PlanContext& context, const google::protobuf::Message& desired,
                     Prover& prover) const override;
  // Has every judge of the play's gate say that phones would accept the value. Refuses a pointer
  // without a gate where agent.yaml says gated_pointers_only.
  absl::StatusOr<Permission> Permit(const PlanContext& context,
                                    const google::protobuf::Message& desired,
                                    const google::protobuf::Message& present,
                                    Prover& prover) const override;
  // The same for the way back: phones that have moved would accept what the scope serves again.
  absl::StatusOr<Permission> PermitUndo(const PlanContext& context, const FileView& restored,
                                        Prover& prover) const override;
  // The restored file is loaded again, also where the server runs but answers nobody because of the
  // file before.
  absl::Status Undo(const std::string& undo_argument, const Host& host) const override;
  // The node that was asked when the value was set is asked again; the bytes are those the restored
  // file gives clients of the scope. Errors as Prove.
  absl::Status ProveUndone(const std::string& undo_argument, const std::string& node,
                           const HostView& host, Prover& prover,
                           std::vector<std::string>& warnings) const override;
  std::string Describe(const v1::Change& change, const google::protobuf::Message& desired,
                       const google::protobuf::Message& present) const override;
};

}  // namespace trustline::agent
