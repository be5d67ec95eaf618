// Asking the judges before a pointer is put back: the way home must be proven as the way out was.

#include <map>
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

// Once the way back of some rows is refused, nothing else of the run is tried.
void BlockTheRest(v1::StageReport& report) {
  for (v1::ResourceOutcome& row : *report.mutable_resources()) {
    if (row.outcome() != v1::OUTCOME_WOULD_CHANGE) continue;
    row.clear_changes();
    row.clear_summary();
    row.set_outcome(v1::OUTCOME_BLOCKED);
    row.add_reasons("not tried: the way back of a pointer of the run is not proven");
  }
}

void RefuseRow(const std::vector<std::string>& refusals, v1::ResourceOutcome& row) {
  row.clear_changes();
  row.clear_summary();
  row.set_outcome(v1::OUTCOME_REFUSED);
  for (const std::string& refusal : refusals) {
    row.add_reasons(absl::StrCat("the way back is not proven: ", refusal));
  }
}

}  // namespace

bool Converger::Impl::WayBackPermitted(const v1::RollbackStart& request, const std::string& caller,
                                       const std::vector<v1::Generation>& generations,
                                       const std::set<std::string>& undone,
                                       const FileView& restored, Prover& prover,
                                       std::map<std::string, VerdictEnd>& until,
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
      DatingProver dating(prover);
      absl::StatusOr<Permission> permission = kind->PermitUndo(context, restored, dating);
      if (!permission.ok()) {
        permission = Permission{{std::string(permission.status().message())}, {}};
      }
      for (const std::string& warning : permission->warnings) row->add_warnings(warning);
      if (permission->refusals.empty()) {
        until[resource.id()] = dating.first_end();
        continue;
      }
      if (!request.override_gate().empty()) {
        for (const std::string& warning :
             OverrideWarnings(*permission, request.override_gate(), caller)) {
          row->add_warnings(warning);
        }
        continue;
      }
      refused.insert(resource.id());
      RefuseRow(permission->refusals, *row);
    }
  }
  if (refused.empty()) return true;
  BlockTheRest(report);
  return false;
}

bool Converger::Impl::WayBackStillPermitted(const v1::RollbackStart& request,
                                            const std::string& caller,
                                            const std::map<std::string, VerdictEnd>& until,
                                            v1::StageReport& report) const {
  bool permitted = true;
  const absl::Time now = host_.clock.Now();
  for (const auto& [id, end] : until) {
    const std::string over = WhyOver(end, now);
    v1::ResourceOutcome* row = RowOf(report, id);
    if (over.empty() || row == nullptr) continue;
    if (request.override_gate().empty()) {
      RefuseRow({over}, *row);
      permitted = false;
      continue;
    }
    for (const std::string& warning :
         OverrideWarnings(Permission{{over}, {}}, request.override_gate(), caller)) {
      row->add_warnings(warning);
    }
  }
  if (!permitted) BlockTheRest(report);
  return permitted;
}

}  // namespace trustline::agent
