// What `trustline status` learns from a node: documents and how far reality is from them,
// certificates, generations.

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/certificate_inventory.h"
#include "agent/converger_impl.h"
#include "agent/hold.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

constexpr size_t kShownGenerations = 20;

// Why an item is not as declared; empty when it is.
std::string Finding(const v1::ResourcePlan& plan) {
  if (plan.outcome() == v1::OUTCOME_UNCHANGED || plan.outcome() == v1::OUTCOME_CHANGED) return "";
  if (plan.outcome() == v1::OUTCOME_WOULD_CHANGE) {
    return plan.summary().empty() ? absl::StrCat(plan.changes_size(), " changes to make")
                                  : plan.summary();
  }
  return plan.reasons().empty() ? "could not be looked at" : absl::StrJoin(plan.reasons(), "; ");
}

}  // namespace

void Converger::Impl::Remember(const std::string& playbook, const v1::SecretValues& secrets,
                               const StagePass& pass) {
  absl::MutexLock lock(&memory_);
  v1::SecretValues& held = secrets_[playbook];
  for (const auto& [name, value] : secrets.by_name()) (*held.mutable_by_name())[name] = value;
  for (const StageItem& item : pass.items()) {
    const std::string finding = Finding(item.plan);
    looks_[{playbook, item.resource->id()}] = {finding.empty(), finding, host_.clock.Now()};
  }
}

void Converger::Impl::LookInForce(const std::string& playbook, LayerInForce& layer,
                                  const NodeIdentity& self,
                                  std::map<std::string, LastLook>& looks) {
  v1::SecretValues secrets;
  {
    absl::MutexLock lock(&memory_);
    secrets = secrets_[playbook];
  }
  std::map<uint32_t, std::vector<std::string>> stages;
  for (const v1::Resource* resource : layer.resources) {
    stages[resource->stage()].push_back(resource->id());
    // Until a look says otherwise: as when the stage was passed, or as last seen since.
    absl::MutexLock lock(&memory_);
    const auto known = looks_.find({playbook, resource->id()});
    looks[resource->id()] =
        known == looks_.end() ? LastLook{true, "", layer.checked} : known->second;
  }
  for (const auto& [stage, ids] : stages) {
    std::vector<const v1::Resource*> all;
    for (const v1::Resource& resource : layer.document.state.resources()) {
      if (resource.stage() == stage) all.push_back(&resource);
    }
    absl::StatusOr<std::unique_ptr<StagePass>> pass =
        StagePass::Open(layer.document, stage, all, ids, self, host_, dialer_, secrets, kinds_);
    if (!pass.ok()) {
      for (const std::string& id : ids) {
        looks[id] = {false, std::string(pass.status().message()), host_.clock.Now()};
      }
      continue;
    }
    (*pass)->Look(nullptr, /*judging=*/false);
    // What could not be looked at, and what needs that, stays as last seen.
    std::set<std::string> unseen;
    for (const StageItem& item : (*pass)->items()) {
      const std::string& id = item.resource->id();
      // A hub that is away says nothing about this node; a local server that is away does.
      const bool local = item.resource->has_tftp_pointer() || item.resource->has_service();
      bool blind =
          !local && (absl::IsUnavailable(item.look) || absl::IsDeadlineExceeded(item.look));
      if (item.plan.outcome() == v1::OUTCOME_PENDING && item.desired == nullptr) {
        for (const std::string& name : SecretNames(SpecOf(*item.resource))) {
          blind |= secrets.by_name().count(name) == 0;
        }
      }
      if (item.plan.outcome() == v1::OUTCOME_BLOCKED) {
        for (const std::string& needed : item.resource->after()) blind |= unseen.count(needed) != 0;
        for (const std::string& needed : item.resource->notified_by()) {
          blind |= unseen.count(needed) != 0;
        }
      }
      // What a gate said is about a moment: it is not asked again just to know.
      if (item.descriptor != nullptr && item.descriptor->rule.judges()) continue;
      if (blind) {
        unseen.insert(id);
        continue;
      }
      if (!item.selected) continue;
      const std::string finding = Finding(item.plan);
      looks[id] = {finding.empty(), finding, host_.clock.Now()};
      absl::MutexLock lock(&memory_);
      looks_[{playbook, id}] = looks[id];
    }
  }
}

absl::Status Converger::Impl::FillCertificates(v1::StatusResponse& status) const {
  TL_ASSIGN_OR_RETURN(const std::vector<v1::CertificateStatus> certificates,
                      ListCertificates(host_.view()));
  for (const v1::CertificateStatus& certificate : certificates) {
    *status.add_certificates() = certificate;
  }
  return absl::OkStatus();
}

absl::Status Converger::Impl::FillStatus(v1::StatusResponse& status) {
  const NodeIdentity self = identity_();
  TL_ASSIGN_OR_RETURN(const std::vector<v1::StoredDocument> documents, documents_.All());
  for (const v1::StoredDocument& stored : documents) {
    if (stored.layers().empty()) continue;
    TL_ASSIGN_OR_RETURN(std::vector<LayerInForce> layers, InForce(stored));
    v1::DocumentStatus* row = status.add_documents();
    row->set_playbook(stored.playbook());
    row->set_document_sha256(layers[0].document.digest);
    // Stages in which this node has nothing to do say nothing about it.
    std::set<uint32_t> own_stages;
    for (const v1::Resource& resource : layers[0].document.state.resources()) {
      own_stages.insert(resource.stage());
    }
    row->set_stages(static_cast<uint32_t>(own_stages.size()));
    row->set_stages_passed(static_cast<uint32_t>(
        std::distance(own_stages.begin(), own_stages.upper_bound(layers[0].through_stage))));
    uint32_t resources = 0, converged = 0;
    absl::Time checked = host_.clock.Now();
    for (LayerInForce& layer : layers) {
      std::map<std::string, LastLook> looks;
      LookInForce(stored.playbook(), layer, self, looks);
      for (const v1::Resource* resource : layer.resources) {
        const LastLook& look = looks[resource->id()];
        ++resources;
        checked = std::min(checked, look.at);
        if (look.converged) {
          ++converged;
          continue;
        }
        row->add_drifted(absl::StrCat(resource->id(), ": ", look.finding));
        if (resource->has_service()) status.add_reloads_owed(resource->service().name());
      }
    }
    row->set_resources(resources);
    row->set_converged(converged);
    row->set_checked_unix(absl::ToUnixSeconds(checked));
  }
  TL_ASSIGN_OR_RETURN(const v1::OwedEffects owed, journal_.Owed());
  for (const v1::DoneEffect& effect : owed.effects()) {
    status.add_reloads_owed(absl::StrCat(effect.resource(), ": ", effect.description()));
  }
  TL_RETURN_IF_ERROR(FillCertificates(status));
  TL_ASSIGN_OR_RETURN(const std::vector<v1::Generation> generations, generations_.All());
  for (const v1::Generation& generation : generations) {
    if (static_cast<size_t>(status.generations_size()) == kShownGenerations) break;
    v1::GenerationStatus* row = status.add_generations();
    row->set_number(generation.number());
    row->set_run_id(generation.run_id());
    row->set_playbook(generation.playbook());
    row->set_stage(generation.stage());
    row->set_created_unix(generation.created_unix());
    row->set_rolled_back(generation.rolled_back());
    row->set_is_rollback(generation.is_rollback());
    for (const v1::GenerationResource& resource : generation.resources()) {
      row->add_resources(resource.id());
    }
  }
  if (!generations.empty()) {
    const v1::Generation& newest = generations.front();
    std::vector<std::string> ids;
    for (const v1::GenerationResource& resource : newest.resources()) ids.push_back(resource.id());
    status.set_last_change_unix(newest.created_unix());
    status.set_last_change(absl::StrCat(newest.is_rollback() ? "rolled back: " : "",
                                        absl::StrJoin(ids, ", "), " (run ", newest.run_id(), ")"));
  }
  TL_ASSIGN_OR_RETURN(const std::optional<v1::Hold> hold, ReadHold(state_));
  if (hold.has_value()) status.set_held(hold->reason());
  return absl::OkStatus();
}

}  // namespace trustline::agent
