#include "agent/stage_pass.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/journal.h"
#include "protos/generic/state_diff.h"
#include "trust/sha256.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

std::vector<std::string> Needs(const v1::Resource& resource) {
  std::vector<std::string> needs(resource.after().begin(), resource.after().end());
  needs.insert(needs.end(), resource.notified_by().begin(), resource.notified_by().end());
  return needs;
}

template <typename Container>
void AddAll(const std::vector<std::string>& from, Container* to) {
  for (const std::string& text : from) *to->Add() = text;
}

}  // namespace

bool Settled(const StageItem& item) {
  return item.plan.outcome() == v1::OUTCOME_UNCHANGED || item.plan.outcome() == v1::OUTCOME_CHANGED;
}

StagePass::StagePass(const ReceivedDocument& document, uint32_t stage, const NodeIdentity& self,
                     const Host& host, HubDialer& dialer, const v1::SecretValues& secrets)
    : document_(document),
      stage_(stage),
      self_(self),
      view_(host.view()),
      secrets_(secrets),
      hubs_(dialer, secrets) {}

absl::StatusOr<std::unique_ptr<StagePass>> StagePass::Open(
    const ReceivedDocument& document, uint32_t stage,
    const std::vector<const v1::Resource*>& resources, const std::vector<std::string>& only,
    const NodeIdentity& self, const Host& host, HubDialer& dialer, const v1::SecretValues& secrets,
    const KindRegistry& kinds) {
  std::unique_ptr<StagePass> pass(new StagePass(document, stage, self, host, dialer, secrets));
  TL_RETURN_IF_ERROR(pass->Arrange(resources, only, kinds));
  return pass;
}

absl::Status StagePass::Arrange(const std::vector<const v1::Resource*>& resources,
                                const std::vector<std::string>& only, const KindRegistry& kinds) {
  std::map<std::string, const v1::Resource*> by_id;
  for (const v1::Resource* resource : resources) {
    if (!by_id.emplace(resource->id(), resource).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("two resources of stage ", stage_, " have the id ", resource->id()));
    }
  }
  // Selected, and everything they need.
  std::set<std::string> selected(only.begin(), only.end());
  for (const std::string& id : selected) {
    if (by_id.count(id) == 0) {
      return absl::InvalidArgumentError(absl::StrCat("stage ", stage_, " has no resource ", id));
    }
  }
  // Depth first in document order keeps that order wherever needs allow it.
  enum class Mark { kNew, kOpen, kDone };
  std::map<std::string, Mark> marks;
  absl::Status problem;
  std::function<void(const v1::Resource&)> visit = [&](const v1::Resource& resource) {
    Mark& mark = marks[resource.id()];
    if (mark == Mark::kDone || !problem.ok()) return;
    if (mark == Mark::kOpen) {
      problem = absl::InvalidArgumentError(absl::StrCat(resource.id(), " needs itself"));
      return;
    }
    mark = Mark::kOpen;
    for (const std::string& id : Needs(resource)) {
      const auto needed = by_id.find(id);
      if (needed == by_id.end()) {
        problem = absl::InvalidArgumentError(
            absl::StrCat(resource.id(), " needs ", id, ", which stage ", stage_, " does not have"));
        return;
      }
      visit(*needed->second);
    }
    marks[resource.id()] = Mark::kDone;
    StageItem item;
    item.resource = &resource;
    item.descriptor = KindOf(resource);
    if (item.descriptor != nullptr) {
      item.kind = FindResourceKind(kinds, item.descriptor->name);
      item.plan.set_kind(item.descriptor->name);
    }
    item.selected = selected.empty() || selected.count(resource.id()) != 0;
    item.plan.set_id(resource.id());
    item.plan.set_stage(stage_);
    item.plan.set_task(resource.task());
    items_.push_back(std::move(item));
  };
  for (const v1::Resource* resource : resources) {
    if (selected.empty() || selected.count(resource->id()) != 0) visit(*resource);
  }
  return problem;
}

const StageItem* StagePass::Find(const std::string& id) const {
  for (const StageItem& item : items_) {
    if (item.resource->id() == id) return &item;
  }
  return nullptr;
}

PlanContext StagePass::ContextOf(const StageItem& item, bool changing) {
  return PlanContext{*item.resource,
                     document_.state,
                     self_,
                     view_,
                     hubs_,
                     secrets_,
                     [this](const std::string& id) -> std::string {
                       const StageItem* other = Find(id);
                       if (other == nullptr || other->desired == nullptr) return "";
                       return StateDigest(*other->desired);
                     },
                     [this, changing](const std::string& id) {
                       const StageItem* other = Find(id);
                       return changing && other != nullptr && other->selected &&
                              other->resource->mode() != v1::MODE_REPORT &&
                              other->plan.outcome() == v1::OUTCOME_WOULD_CHANGE;
                     },
                     document_.digest};
}

std::string StagePass::BlockedBy(const StageItem& item) const {
  for (const std::string& id : Needs(*item.resource)) {
    const StageItem* needed = Find(id);
    if (needed == nullptr) return absl::StrCat("needs ", id, ", which is not there");
    if (Settled(*needed)) continue;
    if (needed->plan.outcome() == v1::OUTCOME_WOULD_CHANGE) {
      if (!needed->selected) {
        return absl::StrCat("needs ", id, ", which has changes and is left out of this run");
      }
      if (needed->resource->mode() == v1::MODE_REPORT && item.resource->mode() != v1::MODE_REPORT) {
        return absl::StrCat("needs ", id, ", which has changes and is only reported on");
      }
      continue;
    }
    return absl::StrCat("needs ", id, ", which did not converge");
  }
  return "";
}

void StagePass::Look(const std::function<bool()>& cancelled, bool judging) {
  for (StageItem& item : items_) {
    if (!judging && item.descriptor != nullptr && item.descriptor->rule.judges()) {
      item.plan.set_outcome(v1::OUTCOME_UNCHANGED);
    } else if (cancelled && cancelled()) {
      item.plan.set_outcome(v1::OUTCOME_CANCELLED);
    } else {
      LookAt(item);
    }
  }
}

void StagePass::LookAt(StageItem& item) {
  v1::ResourcePlan& plan = item.plan;
  const auto say = [&plan](v1::Outcome outcome, const std::string& reason) {
    plan.set_outcome(outcome);
    if (!reason.empty()) plan.add_reasons(reason);
  };
  if (item.kind == nullptr) {
    say(v1::OUTCOME_UNSUPPORTED,
        plan.kind().empty()
            ? "this agent does not know the kind; it may be older than the controller"
            : absl::StrCat("this agent does not offer ", plan.kind()));
    return;
  }
  const std::string blocked = BlockedBy(item);
  if (!blocked.empty()) {
    say(v1::OUTCOME_BLOCKED, blocked);
    return;
  }
  for (const std::string& name : SecretNames(SpecOf(*item.resource))) {
    if (secrets_.by_name().count(name) == 0) {
      say(v1::OUTCOME_PENDING, absl::StrCat("secret ", name, " not held"));
    }
  }
  if (plan.outcome() == v1::OUTCOME_PENDING) return;

  const PlanContext context = ContextOf(item, /*changing=*/true);
  absl::StatusOr<Resolved> resolved = item.kind->Resolve(context);
  if (!resolved.ok()) {
    item.look = resolved.status();
    say(v1::OUTCOME_FAILED, std::string(resolved.status().message()));
    return;
  }
  AddAll(resolved->warnings, plan.mutable_warnings());
  AddAll(resolved->reasons, plan.mutable_reasons());
  if (resolved->desired == nullptr) {
    const bool said = resolved->verdict == v1::OUTCOME_PENDING ||
                      resolved->verdict == v1::OUTCOME_REFUSED ||
                      resolved->verdict == v1::OUTCOME_UNSUPPORTED;
    plan.set_outcome(said ? resolved->verdict : v1::OUTCOME_FAILED);
    if (!said) plan.add_reasons("the kind gave neither a desired state nor a verdict");
    return;
  }
  item.desired = std::move(resolved->desired);
  absl::StatusOr<Observed> observed = item.kind->Observe(context, *item.desired);
  if (observed.ok() && observed->present == nullptr && observed->refusals.empty()) {
    observed = absl::InternalError("the kind observed nothing");
  }
  if (!observed.ok()) {
    item.look = observed.status();
    say(v1::OUTCOME_FAILED, std::string(observed.status().message()));
    return;
  }
  AddAll(observed->warnings, plan.mutable_warnings());
  plan.set_summary(observed->summary);
  if (observed->gate) *plan.mutable_gate() = *std::move(observed->gate);
  item.present = std::move(observed->present);
  // What is judged has no difference that writing could close.
  if (item.present != nullptr && !item.descriptor->rule.judges()) {
    for (v1::Change& change : DiffState(*item.desired, *item.present)) {
      change.set_text(item.kind->Describe(change, *item.desired, *item.present));
      *plan.add_changes() = std::move(change);
    }
  }
  if (!observed->refusals.empty()) {
    plan.set_outcome(v1::OUTCOME_REFUSED);
    AddAll(observed->refusals, plan.mutable_reasons());
    return;
  }
  plan.set_outcome(plan.changes().empty() ? v1::OUTCOME_UNCHANGED : v1::OUTCOME_WOULD_CHANGE);
}

v1::Plan StagePass::MakePlan() const {
  v1::Plan plan;
  plan.set_stage(stage_);
  std::string text = absl::StrCat("trustline-plan-v1 ", document_.digest, " ", stage_);
  for (const StageItem& item : items_) {
    if (!item.selected) continue;
    *plan.add_resources() = item.plan;
    absl::StrAppend(&text, " ", item.plan.id().size(), " ", item.plan.id(), " ",
                    item.plan.outcome(), " ",
                    item.desired == nullptr ? "-" : StateDigest(*item.desired), " ",
                    item.present == nullptr ? "-" : StateDigest(*item.present));
  }
  plan.set_plan_id(Sha256Hex(text));
  return plan;
}

absl::Status StagePass::LookAgain(StageItem& item) {
  TL_ASSIGN_OR_RETURN(Observed observed,
                      item.kind->Observe(ContextOf(item, /*changing=*/false), *item.desired));
  if (!observed.refusals.empty()) return absl::FailedPreconditionError(observed.refusals[0]);
  if (observed.present == nullptr) return absl::InternalError("the kind observed nothing");
  const std::vector<v1::Change> left = DiffState(*item.desired, *observed.present);
  if (left.empty()) {
    item.plan.set_summary(observed.summary);
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("looking again found ", left.size(), " changes still to make, first: ",
                   item.kind->Describe(left[0], *item.desired, *observed.present)));
}

absl::Status StagePass::Prove(const StageItem& item, Prover& prover) {
  return item.kind->Prove(ContextOf(item, /*changing=*/false), *item.desired, prover);
}

absl::StatusOr<Permission> StagePass::Permit(const StageItem& item, Prover& prover) {
  return item.kind->Permit(ContextOf(item, /*changing=*/true), *item.desired, *item.present,
                           prover);
}

absl::Status StagePass::Stage(const StageItem& item, TransactionBuilder& transaction) {
  return item.kind->Stage(ContextOf(item, /*changing=*/true), *item.desired, *item.present,
                          transaction);
}

}  // namespace trustline::agent
