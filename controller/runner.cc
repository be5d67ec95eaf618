#include "controller/runner.h"

#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/arrival_watch.h"
#include "controller/leases.h"
#include "controller/mailbox.h"
#include "controller/proof_routes.h"
#include "controller/run_put_back.h"
#include "controller/run_rows.h"

namespace trustline::controller {
namespace {

// Every node of the selection, in the order of the stages' hosts.
std::vector<std::string> AskedNodes(const RunInput& input) {
  std::vector<std::string> nodes;
  std::set<std::string> seen;
  for (const StagePlan& stage : input.playbook.stages) {
    auto selected = input.selected.find(stage.number);
    if (selected == input.selected.end()) continue;
    for (const std::string& host : stage.hosts) {
      if (selected->second.contains(host) && seen.insert(host).second) nodes.push_back(host);
    }
  }
  return nodes;
}

// One node's conversation while it runs.
struct Conversation {
  std::unique_ptr<CallHandle> call;
  std::vector<ResourceRow> rows;
  bool cancelled = false;
};

class ApplyRun {
 public:
  ApplyRun(Fleet& fleet, const RunInput& input, const RunOptions& options, RunObserver& observer)
      : fleet_(fleet),
        input_(input),
        options_(options),
        observer_(observer),
        leases_(fleet, mailbox_, options) {}

  RunRecord Run() {
    record_.run_id = options_.run_id;
    record_.command = "apply";
    record_.gate_override = options_.override_gate;
    record_.playbook = input_.playbook.name;
    record_.started = options_.now();
    asked_ = AskedNodes(input_);
    record_.nodes = asked_;
    std::set<std::string> asked(asked_.begin(), asked_.end());
    std::set<std::string> listed = asked;
    for (const SkippedTask& task : input_.playbook.skipped) {
      if (!asked.contains(task.node) && !input_.allowed.contains(task.node)) continue;
      record_.skipped.push_back(task);
      if (listed.insert(task.node).second) record_.nodes.push_back(task.node);
    }
    policy_.stages = input_.playbook.stages;
    policy_.forks = options_.forks;
    policy_.allowed = asked;
    for (const auto& [stage, nodes] : input_.selected) {
      for (const auto& [node, ids] : nodes) progress_.nodes[stage][node] = {};
    }
    no_lease_ = leases_.TakeAll(asked_);
    if (!HeldByAnother()) Loop();
    for (const std::string& line : leases_.ReleaseAll()) observer_.OnNotice(line);
    record_.interrupted = progress_.interrupted;
    record_.finished = options_.now();
    return std::move(record_);
  }

 private:
  // When another run holds a node, nothing is started anywhere: of two runs that met, one goes on.
  bool HeldByAnother() {
    std::string held;
    for (const auto& [node, status] : no_lease_) {
      if (absl::IsFailedPrecondition(status) && held.empty())
        held = absl::StrCat(node, ": ", status.message());
    }
    if (held.empty()) return false;
    StagePlan everything;
    everything.play = "Take the nodes";
    everything.hosts = asked_;
    observer_.OnStageStart(everything, asked_);
    for (const std::string& node : asked_) {
      auto problem = no_lease_.find(node);
      record_.rows.push_back(problem != no_lease_.end()
                                 ? WholeNodeRow(node, 0, &everything, problem->second)
                                 : NotStartedRow(node, everything, held));
      observer_.OnResource(record_.rows.back());
    }
    observer_.OnStageEnd(everything, record_.rows);
    record_.stopped = absl::StrCat("another run is at work; ", held);
    return true;
  }

  using Plans = std::map<std::string, absl::StatusOr<v1::PlanResponse>>;

  // What each of the nodes would do in the stage; why not, where there is no lease or no answer.
  Plans AskPlans(uint32_t stage, const std::vector<std::string>& nodes) {
    Plans answers;
    std::vector<std::unique_ptr<CallHandle>> calls;
    for (const std::string& node : nodes) {
      if (auto problem = no_lease_.find(node); problem != no_lease_.end()) {
        answers.emplace(node, problem->second);
        continue;
      }
      v1::PlanRequest request;
      *request.mutable_document() = input_.envelopes.at(node);
      request.set_stage(stage);
      for (const std::string& id : input_.selected.at(stage).at(node)) request.add_only(id);
      *request.mutable_secrets() = input_.secrets;
      calls.push_back(fleet_.Plan(
          node, request, options_.answer_timeout,
          ByMail<v1::PlanResponse>(mailbox_, [&answers, node](absl::StatusOr<v1::PlanResponse> a) {
            answers.emplace(node, std::move(a));
          })));
    }
    while (answers.size() < nodes.size()) {
      mailbox_->Deliver(kRunTick);
      leases_.RenewWhenDue();
      if (options_.interrupts() > 0) {
        for (auto& call : calls) call->Cancel();
      }
    }
    return answers;
  }

  // Every server of a scope changes, or none begins: all must be there, and have a plan that can be
  // carried out. Ends the nodes of the batch otherwise.
  bool PointerBatchMayStart(const StagePlan& stage, const std::vector<std::string>& nodes) {
    const Plans answers = AskPlans(stage.number, nodes);
    std::map<std::string, std::vector<ResourceRow>> problems;
    for (const auto& [node, answer] : answers) {
      if (!answer.ok()) {
        problems[node] = {WholeNodeRow(node, stage.number, &stage, answer.status())};
        continue;
      }
      std::vector<ResourceRow> rows;
      bool ready = true;
      for (const v1::ResourcePlan& plan : answer->plan().resources()) {
        ready &=
            plan.outcome() == v1::OUTCOME_UNCHANGED || plan.outcome() == v1::OUTCOME_WOULD_CHANGE;
        if (plan.outcome() == v1::OUTCOME_UNCHANGED || plan.outcome() == v1::OUTCOME_WOULD_CHANGE)
          continue;
        ResourceRow row{node, stage.number, stage.play, stage.wave, {}};
        row.outcome.set_id(plan.id());
        row.outcome.set_kind(plan.kind());
        row.outcome.set_stage(plan.stage());
        row.outcome.set_task(plan.task());
        row.outcome.set_outcome(plan.outcome());
        row.outcome.set_summary(plan.summary());
        *row.outcome.mutable_reasons() = plan.reasons();
        *row.outcome.mutable_warnings() = plan.warnings();
        if (plan.has_gate()) *row.outcome.mutable_gate() = plan.gate();
        rows.push_back(std::move(row));
      }
      if (!ready) problems[node] = std::move(rows);
    }
    if (problems.empty()) return true;
    std::vector<std::string> culprits;
    for (const auto& [node, rows] : problems) culprits.push_back(node);
    const std::string why = absl::StrCat("all servers of a scope change together, and ",
                                         absl::StrJoin(culprits, ", "), " cannot");
    for (const std::string& node : nodes) {
      Conversation& conversation = running_[node];
      auto found = problems.find(node);
      if (found == problems.end()) {
        conversation.rows = {NotStartedRow(node, stage, why)};
      } else {
        conversation.rows = std::move(found->second);
      }
      for (const ResourceRow& row : conversation.rows) observer_.OnResource(row);
      End(stage, node, absl::OkStatus());
    }
    return false;
  }

  // Whether everything that a gate guards is as it shall be: then nothing is to be judged, and the
  // evidence may be as old as it likes.
  bool GuardedIsInPlace(const StagePlan& gate) {
    const auto guarded = input_.selected.find(gate.gate_for);
    if (guarded == input_.selected.end()) return true;
    std::vector<std::string> nodes;
    for (const auto& [node, ids] : guarded->second) nodes.push_back(node);
    for (const auto& [node, answer] : AskPlans(gate.gate_for, nodes)) {
      if (!answer.ok()) return false;
      for (const v1::ResourcePlan& plan : answer->plan().resources()) {
        if (plan.outcome() != v1::OUTCOME_UNCHANGED) return false;
      }
    }
    return true;
  }

  void SkipGate(const StagePlan& stage, const std::vector<std::string>& nodes) {
    for (const std::string& node : nodes) {
      ResourceRow row{node, stage.number, stage.play, stage.wave, {}};
      row.outcome.set_id("trust_gate");
      row.outcome.set_kind("trust_gate");
      row.outcome.set_stage(stage.number);
      row.outcome.set_outcome(v1::OUTCOME_UNCHANGED);
      row.outcome.set_summary("not asked: the pointers it guards are in place");
      observer_.OnResource(row);
      running_[node].rows = {std::move(row)};
      End(stage, node, absl::OkStatus());
    }
  }

  // What takes the source away waits for the last phone. Asked for every batch: the ledger may have
  // grown meanwhile. Ends the nodes otherwise.
  bool SourceMayGo(const StagePlan& stage, const std::vector<std::string>& nodes) {
    const absl::StatusOr<std::string> why = options_.why_source_must_stay();
    if (why.ok() && why->empty()) return true;
    const absl::Status refusal = absl::FailedPreconditionError(absl::StrCat(
        "require_no_stragglers: ", why.ok() ? absl::string_view(*why) : why.status().message()));
    for (const std::string& node : nodes) {
      running_[node] = {};
      End(stage, node, refusal);
    }
    return false;
  }

  void Loop() {
    while (true) {
      if (options_.interrupts() > 0) progress_.interrupted = true;
      RolloutStep step = NextStep(policy_, progress_);
      const StagePlan* stage = FindStage(step.stage);
      if (stage != open_stage_ && open_stage_ != nullptr && step.kind != RolloutStep::Kind::kPause)
        CloseStage();
      switch (step.kind) {
        case RolloutStep::Kind::kStart:
          if (open_stage_ == nullptr) {
            open_stage_ = stage;
            std::vector<std::string> nodes;
            for (const auto& [node, progress] : progress_.nodes[step.stage]) nodes.push_back(node);
            observer_.OnStageStart(*stage, nodes);
          }
          if (stage->gate_for != 0 && GuardedIsInPlace(*stage)) {
            SkipGate(*stage, step.start);
            break;
          }
          if (stage->require_no_stragglers && !SourceMayGo(*stage, step.start)) break;
          if (stage->pointer && !PointerBatchMayStart(*stage, step.start)) break;
          for (const std::string& node : step.start) Start(*stage, node);
          break;
        case RolloutStep::Kind::kWait:
          Wait(*stage);
          break;
        case RolloutStep::Kind::kPause:
          if (step.pause_is_after) {
            CloseStage();
            paused_ = options_.now();
          }
          if (!Confirmed(step.prompt)) {
            CloseStage();
            return;
          }
          progress_.pauses_passed.insert({step.stage, step.pause_is_after});
          break;
        case RolloutStep::Kind::kWatch:
          CloseStage();
          if (!Arrived(*stage)) return;
          progress_.arrived.insert(step.stage);
          break;
        case RolloutStep::Kind::kStop:
          record_.stopped = step.why;
          CloseStage();
          return;
        case RolloutStep::Kind::kDone:
          CloseStage();
          return;
      }
    }
  }

  bool Confirmed(const std::string& prompt) {
    // A prompt may wait for as long as phones take to restart; the leases must not run out under
    // it.
    const auto meanwhile = [this] {
      mailbox_->Deliver(absl::ZeroDuration());
      leases_.RenewWhenDue();
    };
    if (options_.confirm(prompt, meanwhile)) return true;
    progress_.interrupted = options_.interrupts() > 0;
    record_.awaiting_confirm = !progress_.interrupted;
    record_.stopped =
        progress_.interrupted
            ? absl::StrCat("interrupted at the pause: ", prompt)
            : absl::StrCat("stopped at a pause nobody confirmed (--yes confirms all): ", prompt);
    return false;
  }

  // False: the run stops; a wave that was missed is put back.
  bool Arrived(const StagePlan& stage) {
    std::optional<ArrivalDemand> demand = DemandOf(input_, stage);
    if (!demand) return true;
    if (demand->only_look) {
      demand->since = paused_;
    } else if (ArrivedEarlier(stage, options_, record_, observer_)) {
      return true;
    }
    ArrivalRecord arrival = WatchArrival(stage, *demand, options_, mailbox_, leases_, observer_);
    if (arrival.end == ArrivalRecord::End::kInterrupted) {
      progress_.interrupted = true;
      record_.stopped = demand->only_look ? "interrupted while the phones were looked at"
                                          : "interrupted while the phones were waited for";
    } else if (arrival.end == ArrivalRecord::End::kMissed) {
      PutBackWave({fleet_, options_, observer_, mailbox_, leases_}, input_, stage, no_lease_,
                  arrival, record_);
      // Ctrl-C while it is put back; what was begun is finished.
      progress_.interrupted = record_.interrupted;
    }
    const bool found_out = arrival.end != ArrivalRecord::End::kLooked || arrival.problem.empty();
    if (arrival.end != ArrivalRecord::End::kInterrupted && found_out) {
      if (absl::Status status = options_.record_arrival(*demand, arrival); !status.ok()) {
        observer_.OnNotice(absl::StrCat("the ledger was not written: ", status.message()));
      }
    }
    const bool goes_on =
        arrival.end == ArrivalRecord::End::kReached || arrival.end == ArrivalRecord::End::kLooked;
    record_.arrivals.push_back(std::move(arrival));
    return goes_on;
  }

  const StagePlan* FindStage(uint32_t number) const {
    for (const StagePlan& stage : policy_.stages) {
      if (stage.number == number) return &stage;
    }
    return nullptr;
  }

  void CloseStage() {
    if (open_stage_ == nullptr) return;
    observer_.OnStageEnd(*open_stage_, stage_rows_);
    stage_rows_.clear();
    open_stage_ = nullptr;
  }

  void Start(const StagePlan& stage, const std::string& node) {
    progress_.nodes[stage.number][node].state = NodeProgress::State::kRunning;
    running_[node] = {};
    if (auto problem = no_lease_.find(node); problem != no_lease_.end()) {
      End(stage, node, problem->second);
      return;
    }
    v1::ApplyStart request;
    *request.mutable_document() = input_.envelopes.at(node);
    request.set_stage(stage.number);
    for (const std::string& id : input_.selected.at(stage.number).at(node)) request.add_only(id);
    *request.mutable_secrets() = input_.secrets;
    request.set_run_id(options_.run_id);
    // Only where a pointer is: that is who asks for the role it takes.
    if (stage.pointer) request.set_override_gate(options_.override_gate);
    running_[node].call = fleet_.Apply(
        node, request, options_.apply_timeout,
        [this, mailbox = mailbox_, node, &stage](const v1::ApplyEvent& event) {
          mailbox->Post([this, node, &stage, event] {
            if (event.has_resource()) OnResource(stage, node, event.resource());
            if (!event.progress().empty()) observer_.OnProgress(node, event.progress());
          });
        },
        RouteProofs(fleet_, mailbox_, probes_),
        ByMail<v1::StageReport>(mailbox_,
                                [this, node, &stage](absl::StatusOr<v1::StageReport> report) {
                                  if (!report.ok()) {
                                    End(stage, node, report.status());
                                    return;
                                  }
                                  record_.document_digests[node] = report->document_sha256();
                                  // The report is the word that counts; events were for the eye.
                                  running_[node].rows.clear();
                                  for (const v1::ResourceOutcome& outcome : report->resources())
                                    OnResource(stage, node, outcome, /*tell=*/false);
                                  End(stage, node, absl::OkStatus());
                                }));
  }

  void OnResource(const StagePlan& stage, const std::string& node,
                  const v1::ResourceOutcome& outcome, bool tell = true) {
    ResourceRow row{node, stage.number, stage.play, stage.wave, outcome};
    if (tell) observer_.OnResource(row);
    running_[node].rows.push_back(std::move(row));
  }

  void End(const StagePlan& stage, const std::string& node, const absl::Status& status) {
    Conversation conversation = std::move(running_[node]);
    running_.erase(node);
    if (absl::IsPermissionDenied(status)) record_.denied = true;
    if (!status.ok()) {
      conversation.rows.push_back(WholeNodeRow(node, stage.number, &stage, status));
      observer_.OnResource(conversation.rows.back());
    }
    NodeProgress::State state = StateOfRows(conversation.rows);
    // An overridden gate is shown, and stops nothing.
    if (stage.gate_for != 0 && !options_.override_gate.empty()) {
      state = NodeProgress::State::kConverged;
    }
    progress_.nodes[stage.number][node].state = state;
    for (ResourceRow& row : conversation.rows) {
      stage_rows_.push_back(row);
      record_.rows.push_back(std::move(row));
    }
    ended_calls_.push_back(std::move(conversation.call));
  }

  void Wait(const StagePlan& stage) {
    mailbox_->Deliver(kRunTick);
    leases_.RenewWhenDue();
    std::vector<std::string> waiting;
    for (auto& [node, conversation] : running_) {
      waiting.push_back(node);
      if (options_.interrupts() > 1 && !conversation.cancelled && conversation.call != nullptr) {
        conversation.cancelled = true;
        conversation.call->Cancel();
      }
    }
    if (options_.interrupts() > 0 && !waiting.empty() && !told_of_interrupt_) {
      told_of_interrupt_ = true;
      observer_.OnNotice(InterruptNotice(waiting));
    }
    observer_.OnTick(stage, waiting);
  }

  Fleet& fleet_;
  const RunInput& input_;
  const RunOptions& options_;
  RunObserver& observer_;
  std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
  std::shared_ptr<std::vector<std::unique_ptr<CallHandle>>> probes_ =
      std::make_shared<std::vector<std::unique_ptr<CallHandle>>>();
  Leases leases_;
  RolloutPolicy policy_;
  RolloutProgress progress_;
  std::vector<std::string> asked_;  // in the order of the stages' hosts
  std::map<std::string, absl::Status> no_lease_;
  std::map<std::string, Conversation> running_;
  std::vector<std::unique_ptr<CallHandle>> ended_calls_;
  const StagePlan* open_stage_ = nullptr;
  absl::Time paused_ = absl::InfinitePast();  // when the last pause after a stage began
  std::vector<ResourceRow> stage_rows_;
  bool told_of_interrupt_ = false;
  RunRecord record_;
};

}  // namespace

RunRecord RunApply(Fleet& fleet, const RunInput& input, const RunOptions& options,
                   RunObserver& observer) {
  return ApplyRun(fleet, input, options, observer).Run();
}

}  // namespace trustline::controller
