// What the service asks of the node; behind an interface because the service's tests need one that
// hangs, asks and fails on demand.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/converger.h"
#include "agent/gate/gate_keeper.h"

namespace trustline::agent {

// The contracts are Converger's. Safe for concurrent use.
class StageRunner {
 public:
  virtual ~StageRunner() = default;
  virtual absl::StatusOr<v1::Plan> PlanStage(const StageRequest& request) = 0;
  virtual absl::StatusOr<v1::StageReport> ApplyStage(const StageRequest& request, Prover& prover,
                                                     const EventSink& events,
                                                     const std::function<bool()>& cancelled) = 0;
  virtual absl::StatusOr<v1::StageReport> Rollback(const v1::RollbackStart& request,
                                                   const std::string& caller, Prover& prover,
                                                   const EventSink& events) = 0;
  virtual absl::Status FillStatus(v1::StatusResponse& status) = 0;
  // GateKeeper's.
  virtual absl::StatusOr<v1::JudgeResponse> Judge(const v1::GateQuestion& question) = 0;
};

// The real one; `converger` and `gates` outlive it.
std::unique_ptr<StageRunner> MakeStageRunner(Converger& converger, GateKeeper& gates);

}  // namespace trustline::agent
