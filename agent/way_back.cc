// Asking the judges before a pointer is put back: the way home must be proven as the way out was.

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/converger_impl.h"
#include "agent/hub_pass.h"

namespace trustline::agent {
namespace {

v1::ResourceOutcome* RowOf(v1::StageReport& report, const std::string& id) {
  for (v1::ResourceOutcome& row : *report.mutable_resources()) {
    if (row.id() == id) return &row;
  }
  return nullptr;
}

}  // namespace

bool Converger::Impl::WayBackPermitted(const v1::RollbackStart& request,
                                       const std::vector<v1::Generation>& generations,
                                       const std::set<std::string>& undone,
                                       const FileView& restored, Prover& prover,
                                       v1::StageReport& report) {
  const NodeIdentity self = identity_();
  HubPass hubs(dialer_, request.secrets());
  std::set<std::string> asked, refused;
  for (const v1::Generation& generation : generations) {
    for (const v1::GenerationResource& resource : generation.resources()) {
      v1::ResourceOutcome* row = RowOf(report, resource.id());
      const ResourceKind* kind = FindResourceKind(kinds_, resource.kind());
      if (!resource.has_pointer() || row == nullptr || kind == nullptr ||
          undone.count(resource.id()) == 0 || !asked.insert(resource.id()).second) {
        continue;
      }
      v1::DesiredState document;
      document.set_node(self.node);
      document.set_playbook(generation.playbook());
      const PlanContext context{resource.pointer(),
                                document,
                                self,
                                host_.view(),
                                hubs,
                                request.secrets(),
                                [](const std::string&) { return std::string(); },
                                {},
                                resource.document_sha256()};
      absl::StatusOr<Permission> permission = kind->PermitUndo(context, restored, prover);
      if (!permission.ok()) {
        permission = Permission{{std::string(permission.status().message())}, {}};
      }
      for (const std::string& warning : permission->warnings) row->add_warnings(warning);
      if (permission->refusals.empty()) continue;
      if (!request.override_gate().empty()) {
        for (const std::string& warning :
             OverrideWarnings(*permission, request.override_gate(), "")) {
          row->add_warnings(warning);
        }
        continue;
      }
      refused.insert(resource.id());
      row->clear_changes();
      row->clear_summary();
      row->set_outcome(v1::OUTCOME_REFUSED);
      for (const std::string& refusal : permission->refusals) {
        row->add_reasons(absl::StrCat("the way back is not proven: ", refusal));
      }
    }
  }
  if (refused.empty()) return true;
  for (v1::ResourceOutcome& row : *report.mutable_resources()) {
    if (row.outcome() != v1::OUTCOME_WOULD_CHANGE) continue;
    row.clear_changes();
    row.clear_summary();
    row.set_outcome(v1::OUTCOME_BLOCKED);
    row.add_reasons("not tried: the way back of a pointer of the run is not proven");
  }
  return false;
}

}  // namespace trustline::agent
