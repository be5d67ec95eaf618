#include "agent/service/stage_runner.h"

namespace trustline::agent {
namespace {

class ConvergerRunner final : public StageRunner {
 public:
  ConvergerRunner(Converger& converger, GateKeeper& gates) : converger_(converger), gates_(gates) {}
  absl::StatusOr<v1::Plan> PlanStage(const StageRequest& request) override {
    return converger_.PlanStage(request);
  }
  absl::StatusOr<v1::StageReport> ApplyStage(const StageRequest& request, Prover& prover,
                                             const EventSink& events,
                                             const std::function<bool()>& cancelled) override {
    return converger_.ApplyStage(request, prover, events, cancelled);
  }
  absl::StatusOr<v1::StageReport> Rollback(const v1::RollbackStart& request,
                                           const std::string& caller, Prover& prover,
                                           const EventSink& events) override {
    return converger_.Rollback(request, caller, prover, events);
  }
  absl::Status FillStatus(v1::StatusResponse& status) override {
    return converger_.FillStatus(status);
  }

  absl::StatusOr<v1::JudgeResponse> Judge(const v1::GateQuestion& question) override {
    return gates_.Answer(question);
  }

 private:
  Converger& converger_;
  GateKeeper& gates_;
};

}  // namespace

std::unique_ptr<StageRunner> MakeStageRunner(Converger& converger, GateKeeper& gates) {
  return std::make_unique<ConvergerRunner>(converger, gates);
}

}  // namespace trustline::agent
