// Brings a node into line with its documents: plan, apply as one transaction per stage, roll back,
// recover after a crash, look again.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/host.h"
#include "agent/resource_kind.h"
#include "protos/trustline/v1/agent.pb.h"
#include "protos/trustline/v1/report.pb.h"

namespace trustline::agent {

struct StageRequest {
  v1::Envelope document;
  uint32_t stage = 0;
  std::vector<std::string> only;  // empty: every resource of the stage
  v1::SecretValues secrets;
  std::string run_id;
  std::string plan_id;  // apply only: refuse when a fresh plan differs
  // URI of the identity that sent this; the document must be signed by it. Empty: nobody did, no
  // check.
  std::string caller;
  // Apply only, from an admin (the caller has checked): what stands between a pointer and its move
  // for want of a verdict becomes a warning, and this is recorded with the generation.
  std::string override_gate;
};

// Where outcomes go while they become known.
using EventSink = std::function<void(const v1::ApplyEvent&)>;

// Safe for concurrent use: plans run side by side, everything that writes is serialised.
// `cancelled` is asked between steps.
class Converger {
 public:
  // `identity` is asked at each use, as identities hot-swap. Hooks into nothing; starts no thread.
  Converger(std::function<NodeIdentity()> identity, Host host, HubDialer& dialer,
            const KindRegistry& kinds);
  ~Converger();

  // Finishes or undoes what a crash left, before anything else. Call once at start. Returns a line
  // per thing done.
  absl::StatusOr<std::vector<std::string>> Recover();

  // InvalidArgument: envelope or document wrong (signature, another node's). PermissionDenied: it
  // was signed by another operator than the caller. FailedPrecondition: collision between
  // documents.
  absl::StatusOr<v1::Plan> PlanStage(const StageRequest& request);

  // One transaction. The report is returned also when resources failed; an error status means that
  // nothing was tried. Lifts a hold. What `only` leaves out is looked at where something needs it,
  // and does not let the stage count as passed.
  absl::StatusOr<v1::StageReport> ApplyStage(const StageRequest& request, Prover& prover,
                                             const EventSink& events,
                                             const std::function<bool()>& cancelled);

  // Undoes the run `of_run`, or the last changing run here, newest generation first, byte for byte;
  // keeps what kinds marked holds_trust installed unless include_trust. Holds enforcement. A file
  // that no longer holds what the run wrote is `refused` and nothing is done; so is a run after
  // which another changed something that is still to be rolled back. A node without such a run
  // reports `unchanged`; both in one row with the id and kind "rollback". A node whose run only
  // installed trust that stays, or only published, is left as it is and not held. With a stage,
  // only that stage of the named run, as long as no later one of the run has changed anything here;
  // the document stays in force for the stages before it. `caller`, a URI, is named
  // where gates are overridden. InvalidArgument: a stage of no named run.
  absl::StatusOr<v1::StageReport> Rollback(const v1::RollbackStart& request,
                                           const std::string& caller, Prover& prover,
                                           const EventSink& events);

  // Fills documents (looked at again now where the secrets they need are held, else as of the last
  // look), certificates, generations, hold, owed reloads.
  absl::Status FillStatus(v1::StatusResponse& status);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trustline::agent
