#include "controller/run_rows.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/runner.h"

namespace trustline::controller {

v1::Outcome OutcomeOfStatus(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kUnauthenticated:
      return v1::OUTCOME_UNREACHABLE;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kPermissionDenied:
      return v1::OUTCOME_REFUSED;
    case absl::StatusCode::kCancelled:
      return v1::OUTCOME_CANCELLED;
    case absl::StatusCode::kUnimplemented:
      return v1::OUTCOME_UNSUPPORTED;
    default:
      return v1::OUTCOME_FAILED;
  }
}

ResourceRow WholeNodeRow(const std::string& node, uint32_t stage, const StagePlan* plan,
                         const absl::Status& status) {
  ResourceRow row;
  row.node = node;
  row.stage = stage;
  if (plan != nullptr) {
    row.play = plan->play;
    row.wave = plan->wave;
  }
  row.outcome.set_stage(stage);
  row.outcome.set_outcome(OutcomeOfStatus(status));
  row.outcome.add_reasons(std::string(status.message()));
  return row;
}

ResourceRow NotStartedRow(const std::string& node, const StagePlan& stage, const std::string& why) {
  ResourceRow row{node, stage.number, stage.play, stage.wave, {}};
  row.outcome.set_stage(stage.number);
  row.outcome.set_outcome(v1::OUTCOME_BLOCKED);
  row.outcome.add_reasons(absl::StrCat("not started: ", why));
  return row;
}

std::string InterruptNotice(const std::vector<std::string>& waiting) {
  return absl::StrCat("interrupted: nothing more is started; waiting for ",
                      absl::StrJoin(waiting, ", "), " (again to cancel)");
}

}  // namespace trustline::controller
