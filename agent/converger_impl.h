// Inside of agent/converger.h, shared by converger.cc (plan, apply), permission.cc,
// rollback.cc, way_back.cc and node_status.cc. Nobody else includes it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "agent/converger.h"
#include "agent/document_store.h"
#include "agent/generations.h"
#include "agent/journal.h"
#include "agent/stage_pass.h"
#include "agent/staging.h"
#include "agent/state_files.h"
#include "agent/transaction.h"

namespace trustline::agent {

class Converger::Impl {
 public:
  Impl(std::function<NodeIdentity()> identity, Host host, HubDialer& dialer,
       const KindRegistry& kinds)
      : identity_(std::move(identity)),
        host_(host),
        dialer_(dialer),
        kinds_(kinds),
        state_(host_.files, host_.layout.state_directory),
        journal_(host_, kinds_, state_),
        generations_(state_),
        documents_(state_) {}

  absl::StatusOr<std::vector<std::string>> Recover();
  absl::StatusOr<v1::Plan> PlanStage(const StageRequest& request);
  absl::StatusOr<v1::StageReport> ApplyStage(const StageRequest& request, Prover& prover,
                                             const EventSink& events,
                                             const std::function<bool()>& cancelled);
  absl::StatusOr<v1::StageReport> Rollback(const v1::RollbackStart& request,
                                           const std::string& caller, Prover& prover,
                                           const EventSink& events);
  absl::Status FillStatus(v1::StatusResponse& status);

 private:
  struct LastLook {
    bool converged = false;
    std::string finding;  // why not
    absl::Time at;
  };

  absl::StatusOr<ReceivedDocument> Receive(const StageRequest& request, const NodeIdentity& self);
  absl::Status CheckCollisions(const v1::DesiredState& document) const;
  absl::StatusOr<std::unique_ptr<StagePass>> OpenPass(const StageRequest& request,
                                                      const ReceivedDocument& received,
                                                      const NodeIdentity& self);
  // Settles what an interruption left; progress lines say what was done.
  absl::Status SettleFirst(const EventSink& events) ABSL_EXCLUSIVE_LOCKS_REQUIRED(writing_);
  void Remember(const std::string& playbook, const v1::SecretValues& secrets,
                const StagePass& pass);

  void ProveUnchanged(StagePass& pass, Prover& prover);
  // Whether the kinds permit that what the generations did is taken back; refuses their rows in
  // `report` otherwise, and blocks the rest.
  bool WayBackPermitted(const v1::RollbackStart& request, const std::string& caller,
                        const std::vector<v1::Generation>& generations,
                        const std::set<std::string>& undone, const FileView& restored,
                        Prover& prover, std::map<std::string, VerdictEnd>& until,
                        v1::StageReport& report);
  // The same once everything is ready: whether the permissions, by resource id, still hold.
  bool WayBackStillPermitted(const v1::RollbackStart& request, const std::string& caller,
                             const std::map<std::string, VerdictEnd>& until,
                             v1::StageReport& report) const;
  // Refuses what may not be changed now; with an override that becomes a warning.
  void AskPermission(StagePass& pass, const StageRequest& request, Prover& prover);
  // Refuses the staged items whose permission has ended meanwhile; with an override that becomes a
  // warning. True: some were refused, and what was staged is to be staged anew without them.
  bool RefuseOverdue(const std::vector<StageItem*>& staged, const StageRequest& request) const;
  // Fills `changes`; returns the items in it. What cannot be staged fails, what needs it is
  // blocked.
  std::vector<StageItem*> StageItems(StagePass& pass, StagedChanges& changes);
  absl::StatusOr<v1::StoredDocument> Settle(StagePass& pass, const ReceivedDocument& received,
                                            const StageRequest& request,
                                            const v1::StoredDocument& stored, bool whole,
                                            const std::vector<StageItem*>& staged);

  void LookInForce(const std::string& playbook, LayerInForce& layer, const NodeIdentity& self,
                   std::map<std::string, LastLook>& looks);
  absl::Status FillCertificates(v1::StatusResponse& status) const;

  const std::function<NodeIdentity()> identity_;
  const Host host_;
  HubDialer& dialer_;
  const KindRegistry& kinds_;

  absl::Mutex writing_;  // held over a whole apply, rollback or recovery
  StateFiles state_;     // atomic files: may be read without the lock
  Journal journal_;
  Generations generations_;
  DocumentStore documents_;

  absl::Mutex memory_;
  std::map<std::string, v1::SecretValues> secrets_ ABSL_GUARDED_BY(memory_);  // by playbook
  // By playbook and resource id.
  std::map<std::pair<std::string, std::string>, LastLook> looks_ ABSL_GUARDED_BY(memory_);
};

// One outcome of a report, with what the plan knew.
v1::ResourceOutcome OutcomeOf(const v1::ResourcePlan& plan);
void Emit(const EventSink& events, const v1::ResourceOutcome& outcome);
void Progress(const EventSink& events, const std::string& line);
// What an override makes of a refusal: who overrode it and why, then what was overridden.
std::vector<std::string> OverrideWarnings(const Permission& permission, const std::string& reason,
                                          const std::string& who);
// Every outcome that a failed transaction gives one of its resources.
v1::Outcome FailedOutcome(const TransactionResult& result, const std::string& id,
                          std::string& reason);

}  // namespace trustline::agent
