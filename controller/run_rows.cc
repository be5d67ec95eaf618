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

NodeProgress::State StateOfRows(const std::vector<ResourceRow>& rows) {
  using State = NodeProgress::State;
  State worst = State::kConverged;
  auto rank = [](State state) {
    switch (state) {
      case State::kConverged:
        return 0;
      case State::kPending:
        return 1;
      case State::kRefused:
        return 2;
      case State::kCancelled:
        return 3;
      case State::kRolledBack:
        return 4;
      case State::kFailed:
        return 5;
      default:
        return 6;
    }
  };
  for (const ResourceRow& row : rows) {
    State state = State::kFailed;
    switch (row.outcome.outcome()) {
      case v1::OUTCOME_UNCHANGED:
      case v1::OUTCOME_CHANGED:
      case v1::OUTCOME_WOULD_CHANGE:
        state = State::kConverged;
        break;  // would_change: mode report, nothing depends on it
      case v1::OUTCOME_PENDING:
      case v1::OUTCOME_BLOCKED:
        state = State::kPending;
        break;
      case v1::OUTCOME_REFUSED:
        state = State::kRefused;
        break;
      case v1::OUTCOME_CANCELLED:
        state = State::kCancelled;
        break;
      case v1::OUTCOME_ROLLED_BACK:
        state = State::kRolledBack;
        break;
      case v1::OUTCOME_UNREACHABLE:
        state = State::kUnreachable;
        break;
      default:
        state = State::kFailed;
        break;
    }
    if (rank(state) > rank(worst)) worst = state;
  }
  return worst;
}

}  // namespace trustline::controller
