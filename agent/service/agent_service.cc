#include "agent/service/agent_service.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/service/call_guard.h"
#include "agent/service/conversation.h"
#include "protos/wire/grpc_status.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

constexpr size_t kReadingThreads = 4;
constexpr size_t kReadsWaiting = 16;
// Applies come one after the other anyway; a run's next stage may wait here for the previous call
// to wind down.
constexpr size_t kWritesWaiting = 4;

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const CallRecord& record,
                                 const absl::Status& status) {
  record.Finish(status);
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

absl::Status StillWanted(grpc::CallbackServerContext& context) {
  if (context.deadline() <= std::chrono::system_clock::now())
    return absl::DeadlineExceededError("the call's time was over before its turn came");
  if (context.IsCancelled()) return absl::CancelledError("the caller is gone");
  return absl::OkStatus();
}

std::string StageText(uint32_t stage) { return absl::StrCat(stage); }

}  // namespace

AgentService::AgentService(AgentDescription description, const Authorizer& authorizer,
                           LeaseTable& leases, StageRunner& runner, DhcpProber& prober)
    : description_(std::move(description)),
      authorizer_(authorizer),
      leases_(leases),
      runner_(runner),
      prober_(prober),
      reading_("reads", kReadingThreads, kReadsWaiting),
      writing_("applies", 1, kWritesWaiting) {}

void AgentService::BeginDrain() {
  std::lock_guard<std::mutex> lock(idle_mutex_);
  draining_ = true;
}

bool AgentService::WaitIdle(absl::Duration patience) {
  std::unique_lock<std::mutex> lock(idle_mutex_);
  return idle_.wait_for(lock, absl::ToChronoMilliseconds(patience),
                        [this] { return working_ == 0; });
}

void AgentService::CancelWork() { cancel_work_ = true; }

absl::Status AgentService::WorkBegins() {
  std::lock_guard<std::mutex> lock(idle_mutex_);
  TL_RETURN_IF_ERROR(RefuseWhileDraining());
  ++working_;
  return absl::OkStatus();
}

void AgentService::WorkEnds() {
  // Notified under the lock: whoever waits may destroy this object next.
  std::lock_guard<std::mutex> lock(idle_mutex_);
  if (--working_ == 0) idle_.notify_all();
}

absl::StatusOr<Caller> AgentService::CallerOf(const grpc::CallbackServerContext& context) const {
  return authorizer_.Identify(PeerCertificate(*context.auth_context()));
}

absl::Status AgentService::RefuseWhileDraining() const {
  if (!draining_) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("the agent of ", description_.node,
                                             " is shutting down; try again when it is back"));
}

grpc::ServerUnaryReactor* AgentService::OnPool(grpc::CallbackServerContext* context,
                                               CallRecord record,
                                               std::function<absl::Status()> work) {
  if (const absl::Status refused = RefuseWhileDraining(); !refused.ok())
    return Answer(context, record, refused);
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const absl::Status queued = reading_.Submit([context, reactor, record, work = std::move(work)] {
    absl::Status status = StillWanted(*context);
    if (status.ok()) status = work();
    record.Finish(status);
    reactor->Finish(ToGrpc(status));
  });
  if (!queued.ok()) {
    record.Finish(queued);
    reactor->Finish(ToGrpc(queued));
  }
  return reactor;
}

grpc::ServerUnaryReactor* AgentService::Describe(grpc::CallbackServerContext* context,
                                                 const v1::DescribeRequest* /*request*/,
                                                 v1::DescribeResponse* response) {
  const absl::StatusOr<Caller> caller = CallerOf(*context);
  if (!caller.ok()) return Answer(context, CallRecord("Describe", "unknown"), caller.status());
  response->set_node(description_.node);
  response->set_version(description_.version);
  for (const std::string& kind : description_.kinds) response->add_kinds(kind);
  response->set_caller(caller->identity.ToUri());
  for (const v1::Role role : caller->roles) response->add_roles(RoleName(role));
  return Answer(context, CallRecord("Describe", caller->identity.ToUri()), absl::OkStatus());
}

grpc::ServerUnaryReactor* AgentService::Status(grpc::CallbackServerContext* context,
                                               const v1::StatusRequest* /*request*/,
                                               v1::StatusResponse* response) {
  const absl::StatusOr<Caller> caller = CallerOf(*context);
  if (!caller.ok()) return Answer(context, CallRecord("Status", "unknown"), caller.status());
  return OnPool(context, CallRecord("Status", caller->identity.ToUri()),
                [this, response]() -> absl::Status {
                  TL_RETURN_IF_ERROR(runner_.FillStatus(*response));
                  response->set_node(description_.node);
                  response->set_version(description_.version);
                  const v1::LeaseResponse lease = leases_.Current();
                  response->set_lease_run(lease.run_id());
                  response->set_lease_holder(lease.holder());
                  return absl::OkStatus();
                });
}

grpc::ServerUnaryReactor* AgentService::PlanStage(grpc::CallbackServerContext* context,
                                                  const v1::PlanRequest* request,
                                                  v1::PlanResponse* response) {
  const absl::StatusOr<Caller> caller = CallerOf(*context);
  if (!caller.ok()) return Answer(context, CallRecord("PlanStage", "unknown"), caller.status());
  const std::string sender = caller->identity.ToUri();
  CallRecord record("PlanStage", sender);
  record.set_stage(StageText(request->stage()));
  return OnPool(context, std::move(record), [this, request, response, sender]() -> absl::Status {
    StageRequest stage;
    stage.caller = sender;
    stage.document = request->document();
    stage.stage = request->stage();
    stage.only.assign(request->only().begin(), request->only().end());
    stage.secrets = request->secrets();
    TL_ASSIGN_OR_RETURN(*response->mutable_plan(), runner_.PlanStage(stage));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* AgentService::Lease(grpc::CallbackServerContext* context,
                                              const v1::LeaseRequest* request,
                                              v1::LeaseResponse* response) {
  const absl::StatusOr<Caller> caller = CallerOf(*context);
  if (!caller.ok()) return Answer(context, CallRecord("Lease", "unknown"), caller.status());
  const std::string holder = caller->identity.ToUri();
  CallRecord record("Lease", holder);
  record.set_run(request->run_id());
  const bool renews = leases_.Holds(request->run_id(), holder);
  if (request->action() == v1::LeaseRequest::ACTION_TAKE && !renews) {
    if (const absl::Status refused = RefuseWhileDraining(); !refused.ok())
      return Answer(context, record, refused);
  }
  absl::StatusOr<v1::LeaseResponse> lease = leases_.Handle(*request, holder);
  if (lease.ok()) *response = *std::move(lease);
  return Answer(context, record, lease.status());
}

grpc::ServerUnaryReactor* AgentService::Probe(grpc::CallbackServerContext* context,
                                              const v1::ProbeRequest* request,
                                              v1::ProbeResponse* response) {
  const absl::StatusOr<Caller> caller = CallerOf(*context);
  if (!caller.ok()) return Answer(context, CallRecord("Probe", "unknown"), caller.status());
  return OnPool(
      context, CallRecord("Probe", caller->identity.ToUri()),
      [this, context, request, response]() -> absl::Status {
        std::lock_guard<std::mutex> lock(probing_);
        TL_RETURN_IF_ERROR(StillWanted(*context));
        v1::ProbeRequest bounded = *request;
        if (context->deadline() != std::chrono::system_clock::time_point::max()) {
          // Nobody is there to hear an answer after the deadline.
          const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                                context->deadline() - std::chrono::system_clock::now())
                                .count();
          constexpr uint32_t kDefaultMs = 3000;  // agent.proto
          const uint32_t wanted = request->timeout_ms() == 0 ? kDefaultMs : request->timeout_ms();
          bounded.set_timeout_ms(static_cast<uint32_t>(std::clamp<int64_t>(left, 1, wanted)));
        }
        TL_ASSIGN_OR_RETURN(*response, prober_.Probe(bounded));
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* AgentService::Judge(grpc::CallbackServerContext* context,
                                              const v1::JudgeRequest* request,
                                              v1::JudgeResponse* response) {
  const absl::StatusOr<Caller> caller = CallerOf(*context);
  if (!caller.ok()) return Answer(context, CallRecord("Judge", "unknown"), caller.status());
  return OnPool(context, CallRecord("Judge", caller->identity.ToUri()),
                [this, request, response]() -> absl::Status {
                  TL_ASSIGN_OR_RETURN(*response, runner_.Judge(request->question()));
                  return absl::OkStatus();
                });
}

grpc::ServerBidiReactor<v1::ApplyRequest, v1::ApplyEvent>* AgentService::ApplyStage(
    grpc::CallbackServerContext* context) {
  using Talk = Conversation<v1::ApplyRequest>;
  const absl::StatusOr<Caller> caller = CallerOf(*context);
  const auto record = std::make_shared<CallRecord>(
      "ApplyStage", caller.ok() ? caller->identity.ToUri() : "unknown");
  const auto begin = [this, caller, record](Talk& talk,
                                            const v1::ApplyRequest& request) -> absl::Status {
    TL_RETURN_IF_ERROR(caller.status());
    const v1::ApplyStart& start = request.start();
    record->set_run(start.run_id());
    record->set_stage(StageText(start.stage()));
    if (!start.override_gate().empty())
      TL_RETURN_IF_ERROR(
          authorizer_.Demand(*caller, v1::ROLE_ADMIN, "moving a pointer without a verdict"));
    TL_RETURN_IF_ERROR(RefuseWhileDraining());
    absl::StatusOr<LeaseTable::Use> use = leases_.Demand(start.run_id(), record->caller());
    TL_RETURN_IF_ERROR(use.status());
    auto held = std::make_shared<std::optional<LeaseTable::Use>>(*std::move(use));
    StageRequest stage;
    stage.caller = record->caller();
    stage.document = start.document();
    stage.stage = start.stage();
    stage.only.assign(start.only().begin(), start.only().end());
    stage.secrets = start.secrets();
    stage.run_id = start.run_id();
    stage.plan_id = start.plan_id();
    stage.override_gate = start.override_gate();
    TL_RETURN_IF_ERROR(WorkBegins());
    const absl::Status queued = writing_.Submit([this, &talk, held, stage = std::move(stage)] {
      const auto cancelled = [this, &talk] { return cancel_work_ || talk.Broken(); };
      absl::StatusOr<v1::StageReport> report =
          absl::CancelledError("cancelled before its turn came; nothing was tried");
      if (!cancelled()) {
        report = runner_.ApplyStage(
            stage, talk, [&talk](const v1::ApplyEvent& event) { talk.Emit(event); }, cancelled);
      }
      held->reset();  // whoever has seen the report may release the lease
      talk.End(std::move(report));
      WorkEnds();
    });
    if (!queued.ok()) WorkEnds();
    return queued;
  };
  return new Talk(context, begin,
                  [record](const absl::Status& outcome) { record->Finish(outcome); });
}

grpc::ServerBidiReactor<v1::RollbackRequest, v1::ApplyEvent>* AgentService::Rollback(
    grpc::CallbackServerContext* context) {
  using Talk = Conversation<v1::RollbackRequest>;
  const absl::StatusOr<Caller> caller = CallerOf(*context);
  const auto record =
      std::make_shared<CallRecord>("Rollback", caller.ok() ? caller->identity.ToUri() : "unknown");
  const auto begin = [this, caller, record](Talk& talk,
                                            const v1::RollbackRequest& request) -> absl::Status {
    TL_RETURN_IF_ERROR(caller.status());
    const v1::RollbackStart& start = request.start();
    record->set_run(start.run_id());
    if (start.include_trust())
      TL_RETURN_IF_ERROR(
          authorizer_.Demand(*caller, v1::ROLE_ADMIN, "removing trust (include_trust)"));
    if (!start.override_gate().empty())
      TL_RETURN_IF_ERROR(
          authorizer_.Demand(*caller, v1::ROLE_ADMIN, "putting a pointer back without a verdict"));
    TL_RETURN_IF_ERROR(RefuseWhileDraining());
    absl::StatusOr<LeaseTable::Use> use = leases_.Demand(start.run_id(), record->caller());
    TL_RETURN_IF_ERROR(use.status());
    auto held = std::make_shared<std::optional<LeaseTable::Use>>(*std::move(use));
    TL_RETURN_IF_ERROR(WorkBegins());
    const absl::Status queued = writing_.Submit([this, &talk, held, start, who = record->caller()] {
      // A rollback that has begun is finished: half of the way back is the worst place to stop.
      absl::StatusOr<v1::StageReport> report =
          absl::CancelledError("cancelled before its turn came; nothing was tried");
      if (!cancel_work_ && !talk.Broken()) {
        report = runner_.Rollback(start, who, talk,
                                  [&talk](const v1::ApplyEvent& event) { talk.Emit(event); });
      }
      held->reset();
      talk.End(std::move(report));
      WorkEnds();
    });
    if (!queued.ok()) WorkEnds();
    return queued;
  };
  return new Talk(context, begin,
                  [record](const absl::Status& outcome) { record->Finish(outcome); });
}

}  // namespace trustline::agent
