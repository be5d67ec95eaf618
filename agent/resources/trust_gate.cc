#include "agent/resources/trust_gate.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/gate/judge.h"
#include "protos/trustline/v1/kinds/trust_gate.pb.h"

namespace trustline::agent {
namespace {

std::unique_ptr<v1::TrustGateState> State(const v1::Resource& resource, bool accepted) {
  auto state = std::make_unique<v1::TrustGateState>();
  v1::JudgedMove& move = *state->add_moves();
  move.set_gate(resource.id());
  move.set_accepted(accepted);
  return state;
}

}  // namespace

std::vector<std::string> TrustGateKind::Claims(const v1::Resource&) const { return {}; }

absl::StatusOr<Resolved> TrustGateKind::Resolve(const PlanContext& context) const {
  Resolved resolved;
  resolved.desired = State(context.resource, true);
  return resolved;
}

absl::StatusOr<Observed> TrustGateKind::Observe(const PlanContext& context,
                                                const google::protobuf::Message&) const {
  const v1::TrustGateSpec& spec = context.resource.trust_gate();
  const GateCase gate{spec, context.document.topology(), context.self.node,
                      context.document.playbook(), context.host.clock.Now()};
  v1::GateReport report = JudgeMove(gate, *phones_);
  Observed observed;
  observed.present = State(context.resource, report.accepted());
  observed.summary =
      report.accepted()
          ? absl::StrCat(report.phones(), report.phones() == 1 ? " phone" : " phones",
                         " would move")
          : absl::StrCat(report.locked(), " of ", report.phones(), " phones would be locked, ",
                         report.unproven(), " are unproven");
  observed.refusals.assign(report.reasons().begin(), report.reasons().end());
  observed.warnings.assign(report.warnings().begin(), report.warnings().end());
  observed.gate = std::move(report);
  return observed;
}

absl::Status TrustGateKind::Stage(const PlanContext& context, const google::protobuf::Message&,
                                  const google::protobuf::Message&, TransactionBuilder&) const {
  return absl::InternalError(absl::StrCat(context.resource.id(), " only judges"));
}

}  // namespace trustline::agent
