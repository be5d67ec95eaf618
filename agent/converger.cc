#include "agent/converger.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/converger_impl.h"
#include "agent/hold.h"
#include "agent/staged_name.h"
#include "trust/envelope.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

constexpr char kDocumentType[] = "trustline.v1.DesiredState";

bool ReportOnly(const StageItem& item) { return item.resource->mode() == v1::MODE_REPORT; }

// Trust it installed, or a service whose only concern is such trust.
bool KeepsTrust(const v1::DesiredState& document, const v1::Resource& resource) {
  const auto holds = [](const v1::Resource& r) {
    const KindDescriptor* kind = KindOf(r);
    return kind != nullptr && kind->rule.holds_trust();
  };
  if (holds(resource)) return true;
  if (resource.notified_by().empty()) return false;
  for (const std::string& id : resource.notified_by()) {
    for (const v1::Resource& other : document.resources()) {
      if (other.id() == id && !holds(other)) return false;
    }
  }
  return true;
}

}  // namespace

v1::ResourceOutcome OutcomeOf(const v1::ResourcePlan& plan) {
  v1::ResourceOutcome outcome;
  outcome.set_id(plan.id());
  outcome.set_kind(plan.kind());
  outcome.set_stage(plan.stage());
  outcome.set_task(plan.task());
  outcome.set_outcome(plan.outcome());
  outcome.set_summary(plan.summary());
  *outcome.mutable_reasons() = plan.reasons();
  *outcome.mutable_warnings() = plan.warnings();
  if (plan.has_gate()) *outcome.mutable_gate() = plan.gate();
  if (plan.outcome() == v1::OUTCOME_CHANGED || plan.outcome() == v1::OUTCOME_WOULD_CHANGE) {
    *outcome.mutable_changes() = plan.changes();
  }
  return outcome;
}

void Emit(const EventSink& events, const v1::ResourceOutcome& outcome) {
  if (!events) return;
  v1::ApplyEvent event;
  *event.mutable_resource() = outcome;
  events(event);
}

void Progress(const EventSink& events, const std::string& line) {
  if (!events) return;
  v1::ApplyEvent event;
  event.set_progress(line);
  events(event);
}

v1::Outcome FailedOutcome(const TransactionResult& result, const std::string& id,
                          std::string& reason) {
  const std::string& culprit = result.failure.resource;
  const std::string message(result.failure.status.message());
  if (!result.put_back.ok()) {
    reason = absl::StrCat(message, "; ", result.put_back.message(),
                          "; the next start or apply tries again");
    return v1::OUTCOME_FAILED;
  }
  if (const auto owed = result.owed.find(id); owed != result.owed.end()) {
    reason = absl::StrCat(culprit.empty() || culprit == id
                              ? message
                              : absl::StrCat("put back because ", culprit, " failed"),
                          "; the file is back; reload owed: ", owed->second);
    return v1::OUTCOME_FAILED;
  }
  if (absl::IsCancelled(result.failure.status)) {
    reason = result.touched ? "cancelled; put back as it was" : "cancelled";
    return result.touched ? v1::OUTCOME_ROLLED_BACK : v1::OUTCOME_CANCELLED;
  }
  if (culprit.empty() || culprit == id) {
    reason = result.touched ? absl::StrCat(message, "; put back as it was") : message;
    return v1::OUTCOME_FAILED;
  }
  reason = result.touched ? absl::StrCat("put back because ", culprit, " failed")
                          : absl::StrCat("not tried because ", culprit, " failed");
  return result.touched ? v1::OUTCOME_ROLLED_BACK : v1::OUTCOME_BLOCKED;
}

absl::StatusOr<std::vector<std::string>> Converger::Impl::Recover() {
  absl::MutexLock lock(&writing_);
  std::vector<std::string> lines;
  TL_RETURN_IF_ERROR(journal_.Settle(lines));
  TL_ASSIGN_OR_RETURN(int strays, state_.Sweep());
  // What effects write beside a transaction's own files: kinds' records (below the state
  // directory), and the merged files of stores.
  for (const auto& [store, file] : host_.layout.merged_files) {
    const absl::StatusOr<std::vector<std::string>> names = host_.files.List(DirectoryOf(file));
    if (absl::IsNotFound(names.status())) continue;
    TL_RETURN_IF_ERROR(names.status());
    for (const std::string& name : *names) {
      if (!IsStagedName(name, NameOf(file))) continue;
      TL_RETURN_IF_ERROR(host_.files.Remove(absl::StrCat(DirectoryOf(file), "/", name)));
      TL_RETURN_IF_ERROR(host_.files.SyncDirectory(DirectoryOf(file)));
      ++strays;
    }
  }
  TL_ASSIGN_OR_RETURN(const int orphans, generations_.RemoveOrphans());
  if (strays + orphans > 0) {
    lines.push_back(absl::StrCat("removed ", strays + orphans, " files of an interrupted write"));
  }
  return lines;
}

absl::StatusOr<ReceivedDocument> Converger::Impl::Receive(const StageRequest& request,
                                                          const NodeIdentity& self) {
  absl::StatusOr<Opened> opened =
      Open(request.document, kDocumentType, self.roots, host_.clock.Now());
  if (!opened.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("document: ", opened.status().message()));
  }
  const Identity& signer = opened->signer;
  if (signer.kind != IdentityKind::kOperator || signer.domain != self.domain) {
    return absl::InvalidArgumentError(absl::StrCat("document: signed by ", signer.ToUri(),
                                                   ", which is no operator of ", self.domain));
  }
  // Roles are bound to the caller: somebody else's signature would lend it more than it has, or let
  // it send again what its author has long taken back.
  if (!request.caller.empty() && signer.ToUri() != request.caller) {
    return absl::PermissionDeniedError(absl::StrCat("document: signed by ", signer.ToUri(),
                                                    " but sent by ", request.caller,
                                                    "; an operator sends only what is signed with "
                                                    "the same identity"));
  }
  ReceivedDocument received;
  received.envelope = request.document;
  received.digest = PayloadDigest(request.document);
  if (!received.state.ParseFromString(opened->payload)) {
    return absl::InvalidArgumentError("document: its payload is not a desired state");
  }
  const v1::DesiredState& state = received.state;
  if (state.node() != self.node) {
    return absl::InvalidArgumentError(
        absl::StrCat("document: it is for node ", state.node(), ", this is ", self.node));
  }
  if (state.playbook().empty()) {
    return absl::InvalidArgumentError("document: it names no playbook");
  }
  if (!state.topology().domain().empty() && state.topology().domain() != self.domain) {
    return absl::InvalidArgumentError(absl::StrCat(
        "document: its domain is ", state.topology().domain(), ", this node's is ", self.domain));
  }
  std::set<std::string> ids;
  for (const v1::Resource& resource : state.resources()) {
    if (resource.id().empty() || !ids.insert(resource.id()).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("document: the resource id '", resource.id(), "' is empty or used twice"));
    }
  }
  bool known = request.stage > 0 && state.stages().empty();
  for (const v1::Stage& stage : state.stages()) known |= stage.number() == request.stage;
  if (!known) {
    return absl::InvalidArgumentError(absl::StrCat("document: it has no stage ", request.stage));
  }
  return received;
}

absl::Status Converger::Impl::CheckCollisions(const v1::DesiredState& document) const {
  struct Owner {
    std::string playbook, resource;
  };
  std::map<std::string, Owner> claimed;
  const auto claims_of = [this](const v1::Resource& resource) -> std::vector<std::string> {
    const KindDescriptor* descriptor = KindOf(resource);
    if (descriptor == nullptr) return {};
    const ResourceKind* kind = FindResourceKind(kinds_, descriptor->name);
    return kind == nullptr ? std::vector<std::string>() : kind->Claims(resource);
  };
  TL_ASSIGN_OR_RETURN(const std::vector<v1::StoredDocument> stored, documents_.All());
  for (const v1::StoredDocument& other : stored) {
    if (other.playbook() == document.playbook()) continue;
    TL_ASSIGN_OR_RETURN(const std::vector<LayerInForce> layers, InForce(other));
    for (const LayerInForce& layer : layers) {
      for (const v1::Resource* resource : layer.resources) {
        for (const std::string& claim : claims_of(*resource)) {
          claimed.emplace(claim, Owner{other.playbook(), resource->id()});
        }
      }
    }
  }
  if (claimed.empty()) return absl::OkStatus();
  for (const v1::Resource& resource : document.resources()) {
    for (const std::string& claim : claims_of(resource)) {
      const auto owner = claimed.find(claim);
      if (owner == claimed.end()) continue;
      return absl::FailedPreconditionError(
          absl::StrCat(resource.id(), " of playbook ", document.playbook(), " collides with ",
                       owner->second.resource, " of playbook ", owner->second.playbook,
                       ": both declare ", claim, "; declare it in one of them"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<StagePass>> Converger::Impl::OpenPass(
    const StageRequest& request, const ReceivedDocument& received, const NodeIdentity& self) {
  std::vector<const v1::Resource*> resources;
  for (const v1::Resource& resource : received.state.resources()) {
    if (resource.stage() == request.stage) resources.push_back(&resource);
  }
  return StagePass::Open(received, request.stage, resources, request.only, self, host_, dialer_,
                         request.secrets, kinds_);
}

absl::StatusOr<v1::Plan> Converger::Impl::PlanStage(const StageRequest& request) {
  const NodeIdentity self = identity_();
  TL_ASSIGN_OR_RETURN(const ReceivedDocument received, Receive(request, self));
  TL_RETURN_IF_ERROR(CheckCollisions(received.state));
  TL_ASSIGN_OR_RETURN(const std::unique_ptr<StagePass> pass, OpenPass(request, received, self));
  pass->Look(nullptr);
  return pass->MakePlan();
}

absl::Status Converger::Impl::SettleFirst(const EventSink& events) {
  std::vector<std::string> lines;
  const absl::Status settled = journal_.Settle(lines);
  for (const std::string& line : lines) Progress(events, line);
  if (settled.ok()) return settled;
  return absl::FailedPreconditionError(
      absl::StrCat("an interrupted transaction is still open on this node: ", settled.message()));
}

void Converger::Impl::ProveUnchanged(StagePass& pass, Prover& prover) {
  for (StageItem& item : pass.items()) {
    v1::ResourcePlan& plan = item.plan;
    if (!item.selected) continue;
    if (plan.outcome() == v1::OUTCOME_UNCHANGED || plan.outcome() == v1::OUTCOME_WOULD_CHANGE) {
      // Something it needs may have failed its proof.
      const std::string blocked = pass.BlockedBy(item);
      if (!blocked.empty()) {
        plan.set_outcome(v1::OUTCOME_BLOCKED);
        plan.add_reasons(blocked);
        continue;
      }
    }
    if (plan.outcome() != v1::OUTCOME_UNCHANGED || ReportOnly(item)) continue;
    const absl::Status proven = pass.Prove(item, prover);
    if (proven.ok()) continue;
    plan.set_outcome(v1::OUTCOME_FAILED);
    plan.add_reasons(absl::StrCat("not proven: ", proven.message()));
  }
}

std::vector<StageItem*> Converger::Impl::StageItems(StagePass& pass, StagedChanges& changes) {
  std::vector<StageItem*> staged;
  for (StageItem& item : pass.items()) {
    if (!item.selected || ReportOnly(item) || item.plan.outcome() != v1::OUTCOME_WOULD_CHANGE) {
      continue;
    }
    const std::string blocked = pass.BlockedBy(item);
    if (!blocked.empty()) {
      item.plan.set_outcome(v1::OUTCOME_BLOCKED);
      item.plan.add_reasons(blocked);
      continue;
    }
    const std::unique_ptr<StagedChanges::Draft> draft =
        changes.Begin(item.resource->id(), item.descriptor->name);
    absl::Status status = pass.Stage(item, *draft);
    if (status.ok() && !changes.Accept(*draft)) {
      status = absl::InternalError("there are changes, but nothing to do was staged");
    }
    if (!status.ok()) {
      item.plan.set_outcome(v1::OUTCOME_FAILED);
      item.plan.add_reasons(std::string(status.message()));
      continue;
    }
    staged.push_back(&item);
  }
  return staged;
}

absl::StatusOr<v1::StoredDocument> Converger::Impl::Settle(
    StagePass& pass, const ReceivedDocument& received, const StageRequest& request,
    const v1::StoredDocument& stored, bool whole, const std::vector<StageItem*>& staged) {
  const std::set<const StageItem*> will_settle(staged.begin(), staged.end());
  StageProgress progress;
  progress.stage = request.stage;
  progress.run_id = request.run_id;
  progress.now = host_.clock.Now();
  progress.passed = whole;
  for (const StageItem& item : pass.items()) {
    if (!item.selected) continue;
    const bool converges = Settled(item) || will_settle.count(&item) != 0;
    // A gate is in force once it has judged, whatever it said: DHCP agents ask it before they act.
    const bool judged = item.descriptor != nullptr && item.descriptor->rule.judges() &&
                        item.plan.outcome() == v1::OUTCOME_REFUSED;
    if ((converges || judged) && !ReportOnly(item)) {
      progress.settled.push_back(item.resource->id());
    }
    const bool reported = ReportOnly(item) && item.plan.outcome() == v1::OUTCOME_WOULD_CHANGE;
    if (!converges && !reported) progress.passed = false;
  }
  return AfterStage(stored, received, progress);
}

absl::StatusOr<v1::StageReport> Converger::Impl::ApplyStage(
    const StageRequest& request, Prover& prover, const EventSink& events,
    const std::function<bool()>& cancelled) {
  absl::MutexLock lock(&writing_);
  const absl::Time started = host_.clock.Now();
  const NodeIdentity self = identity_();
  TL_ASSIGN_OR_RETURN(const ReceivedDocument received, Receive(request, self));
  TL_RETURN_IF_ERROR(CheckCollisions(received.state));
  TL_RETURN_IF_ERROR(SettleFirst(events));
  const std::string& playbook = received.state.playbook();
  TL_ASSIGN_OR_RETURN(const v1::StoredDocument stored, documents_.Get(playbook));
  TL_ASSIGN_OR_RETURN(const std::optional<v1::Hold> hold, ReadHold(state_));
  TL_ASSIGN_OR_RETURN(const std::unique_ptr<StagePass> pass, OpenPass(request, received, self));

  pass->Look(cancelled);
  if (!request.plan_id.empty() && pass->MakePlan().plan_id() != request.plan_id) {
    return absl::FailedPreconditionError(
        "what is to be done has changed since the plan was made; plan again");
  }
  ProveUnchanged(*pass, prover);
  AskPermission(*pass, request, prover);
  std::optional<StagedChanges> changes;
  std::vector<StageItem*> staged;
  do {
    changes.emplace(host_.files);
    staged = StageItems(*pass, *changes);
  } while (RefuseOverdue(staged, request));
  if (cancelled && cancelled()) {
    for (StageItem* item : staged) item->plan.set_outcome(v1::OUTCOME_CANCELLED);
    staged.clear();
  }

  const std::set<const StageItem*> in_transaction(staged.begin(), staged.end());
  for (const StageItem& item : pass->items()) {
    if (item.selected && in_transaction.count(&item) == 0) Emit(events, OutcomeOf(item.plan));
  }

  size_t in_stage = 0;
  for (const v1::Resource& resource : received.state.resources()) {
    in_stage += resource.stage() == request.stage ? 1 : 0;
  }
  size_t selected = 0;
  for (const StageItem& item : pass->items()) selected += item.selected ? 1 : 0;
  TL_ASSIGN_OR_RETURN(v1::StoredDocument next,
                      Settle(*pass, received, request, stored, selected == in_stage, staged));
  const bool moves = next.SerializeAsString() != stored.SerializeAsString();

  v1::StageReport report;
  bool in_force = true;   // `next` is the record
  bool recorded = false;  // the transaction wrote it
  if (!staged.empty()) {
    v1::Generation generation;
    generation.set_run_id(request.run_id);
    generation.set_playbook(playbook);
    generation.set_stage(request.stage);
    generation.set_created_unix(absl::ToUnixSeconds(host_.clock.Now()));
    generation.set_gate_override(request.override_gate);
    *generation.mutable_before_run() = BeforeRun(stored, request.run_id);
    for (const StageItem* item : staged) {
      v1::GenerationResource* resource = generation.add_resources();
      resource->set_id(item->resource->id());
      resource->set_kind(item->descriptor->name);
      resource->set_task(item->resource->task());
      resource->set_keeps_trust(KeepsTrust(received.state, *item->resource));
      if (item->descriptor->rule.pointer()) {
        *resource->mutable_pointer() = *item->resource;
        resource->set_document_sha256(received.digest);
      }
      *resource->mutable_changes() = item->plan.changes();
    }
    TransactionHooks hooks;
    hooks.cancelled = cancelled;
    hooks.progress = [&](const std::string& line) { Progress(events, line); };
    hooks.verify = [&]() -> StepFailure {
      for (StageItem* item : staged) {
        if (absl::Status s = pass->LookAgain(*item); !s.ok()) return {s, item->resource->id()};
      }
      for (StageItem* item : staged) {
        absl::Status s = pass->Prove(*item, prover);
        if (!s.ok()) {
          return {absl::Status(s.code(), absl::StrCat("not proven: ", s.message())),
                  item->resource->id()};
        }
      }
      return {};
    };
    hooks.on_commit = [&](const v1::Generation&) -> absl::StatusOr<std::vector<v1::StateWrite>> {
      std::vector<v1::StateWrite> writes;
      if (moves) writes.push_back(DocumentStore::WriteOf(next));
      if (hold.has_value()) writes.push_back(RemovalOfHold());
      return writes;
    };
    const TransactionResult result =
        RunTransaction(host_, pass->hubs(), state_, journal_, *changes, generation, hooks);
    for (StageItem* item : staged) {
      v1::ResourcePlan& plan = item->plan;
      if (result.failure.status.ok() && result.put_back.ok()) {
        plan.set_outcome(v1::OUTCOME_CHANGED);
      } else {
        std::string reason;
        plan.set_outcome(FailedOutcome(result, plan.id(), reason));
        plan.add_reasons(reason);
      }
      for (const std::string& warning : result.warnings) plan.add_warnings(warning);
      Emit(events, OutcomeOf(plan));
    }
    report.set_generation(result.generation);
    in_force = result.failure.status.ok() && result.put_back.ok();
    recorded = result.generation != 0 || !in_force;
  }
  // Without a transaction the records are all there is to write, and only when they move.
  if (!recorded) {
    if (moves) TL_RETURN_IF_ERROR(documents_.Put(next));
    // Only an apply that found or made things right ends a hold.
    bool right = !(cancelled && cancelled());
    for (const StageItem& item : pass->items()) {
      if (item.selected && !ReportOnly(item) && !Settled(item)) right = false;
    }
    if (hold.has_value() && right) TL_RETURN_IF_ERROR(state_.Remove(RemovalOfHold().path()));
  }

  Remember(playbook, request.secrets, *pass);
  report.set_node(self.node);
  report.set_run_id(request.run_id);
  report.set_playbook(playbook);
  report.set_stage(request.stage);
  report.set_document_sha256(received.digest);
  report.set_through_stage(ThroughStage(in_force ? next : stored, received.digest));
  for (const StageItem& item : pass->items()) {
    if (item.selected) *report.add_resources() = OutcomeOf(item.plan);
  }
  report.set_started_unix_ms(absl::ToUnixMillis(started));
  report.set_finished_unix_ms(absl::ToUnixMillis(host_.clock.Now()));
  return report;
}

Converger::Converger(std::function<NodeIdentity()> identity, Host host, HubDialer& dialer,
                     const KindRegistry& kinds)
    : impl_(std::make_unique<Impl>(std::move(identity), host, dialer, kinds)) {}

Converger::~Converger() = default;

absl::StatusOr<std::vector<std::string>> Converger::Recover() { return impl_->Recover(); }

absl::StatusOr<v1::Plan> Converger::PlanStage(const StageRequest& request) {
  return impl_->PlanStage(request);
}

absl::StatusOr<v1::StageReport> Converger::ApplyStage(const StageRequest& request, Prover& prover,
                                                      const EventSink& events,
                                                      const std::function<bool()>& cancelled) {
  return impl_->ApplyStage(request, prover, events, cancelled);
}

absl::StatusOr<v1::StageReport> Converger::Rollback(const v1::RollbackStart& request,
                                                    const std::string& caller, Prover& prover,
                                                    const EventSink& events) {
  return impl_->Rollback(request, caller, prover, events);
}

absl::Status Converger::FillStatus(v1::StatusResponse& status) { return impl_->FillStatus(status); }

}  // namespace trustline::agent
