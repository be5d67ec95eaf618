#include "agent/resource_kind.h"

namespace trustline::agent {

absl::Status ResourceKind::Prove(const PlanContext&, const google::protobuf::Message&,
                                 Prover&) const {
  return absl::OkStatus();
}

absl::StatusOr<Permission> ResourceKind::Permit(const PlanContext&,
                                                const google::protobuf::Message&,
                                                const google::protobuf::Message&, Prover&) const {
  return Permission();
}

absl::StatusOr<Permission> ResourceKind::PermitUndo(const PlanContext&, const FileView&,
                                                    Prover&) const {
  return Permission();
}

absl::Status ResourceKind::Undo(const std::string&, const Host&) const { return absl::OkStatus(); }

absl::Status ResourceKind::ProveUndone(const std::string&, const std::string&, const HostView&,
                                       Prover&, std::vector<std::string>&) const {
  return absl::OkStatus();
}

std::string ResourceKind::Describe(const v1::Change& change, const google::protobuf::Message&,
                                   const google::protobuf::Message&) const {
  if (!change.text().empty()) return change.text();
  std::string text = change.identity();
  for (const v1::FieldChange& field : change.fields()) {
    text += "  " + field.field() + ": ";
    text += field.before().empty() ? field.after() : field.before() + " -> " + field.after();
  }
  return text;
}

}  // namespace trustline::agent
