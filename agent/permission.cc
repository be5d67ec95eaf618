// Whether what phones will feel may be changed now: asked before anything is staged, and looked at
// again once everything is ready.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/converger_impl.h"

namespace trustline::agent {

std::vector<std::string> OverrideWarnings(const Permission& permission, const std::string& reason,
                                          const std::string& who) {
  std::vector<std::string> warnings{
      absl::StrCat("moved without an accepting verdict: the gate was overridden",
                   who.empty() ? "" : absl::StrCat(" by ", who), ": ", reason)};
  for (const std::string& refusal : permission.refusals) {
    warnings.push_back(absl::StrCat("overridden: ", refusal));
  }
  return warnings;
}

void Converger::Impl::AskPermission(StagePass& pass, const StageRequest& request, Prover& prover) {
  for (StageItem& item : pass.items()) {
    if (!item.selected || item.resource->mode() == v1::MODE_REPORT ||
        item.plan.outcome() != v1::OUTCOME_WOULD_CHANGE || !pass.BlockedBy(item).empty()) {
      continue;
    }
    v1::ResourcePlan& plan = item.plan;
    DatingProver dating(prover);
    const absl::StatusOr<Permission> permission = pass.Permit(item, dating);
    if (!permission.ok()) {
      plan.set_outcome(v1::OUTCOME_FAILED);
      plan.add_reasons(std::string(permission.status().message()));
      continue;
    }
    for (const std::string& warning : permission->warnings) plan.add_warnings(warning);
    if (permission->refusals.empty()) {
      item.permitted_until = dating.first_end();
      continue;
    }
    if (request.override_gate.empty()) {
      plan.set_outcome(v1::OUTCOME_REFUSED);
      for (const std::string& refusal : permission->refusals) plan.add_reasons(refusal);
      continue;
    }
    for (const std::string& warning :
         OverrideWarnings(*permission, request.override_gate, request.caller)) {
      plan.add_warnings(warning);
    }
  }
}

bool Converger::Impl::RefuseOverdue(const std::vector<StageItem*>& staged,
                                    const StageRequest& request) const {
  bool refused = false;
  const absl::Time now = host_.clock.Now();
  for (StageItem* item : staged) {
    const std::string over = WhyOver(item->permitted_until, now);
    if (over.empty()) continue;
    if (request.override_gate.empty()) {
      item->plan.set_outcome(v1::OUTCOME_REFUSED);
      item->plan.add_reasons(over);
      refused = true;
      continue;
    }
    item->permitted_until = {};
    for (const std::string& warning :
         OverrideWarnings(Permission{{over}, {}}, request.override_gate, request.caller)) {
      item->plan.add_warnings(warning);
    }
  }
  return refused;
}

}  // namespace trustline::agent
