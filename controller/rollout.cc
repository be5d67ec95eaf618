#include "controller/rollout.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace trustline::controller {
namespace {

using State = NodeProgress::State;

bool Ended(State state) { return state != State::kWaiting && state != State::kRunning; }
bool Good(State state) { return state == State::kConverged || state == State::kSkipped; }

const char* Word(State state) {
  switch (state) {
    case State::kFailed:
      return "failed";
    case State::kUnreachable:
      return "unreachable";
    case State::kRefused:
      return "refused";
    case State::kPending:
      return "pending";
    case State::kCancelled:
      return "cancelled";
    case State::kRolledBack:
      return "rolled back";
    default:
      return "not converged";
  }
}

RolloutStep Step(RolloutStep::Kind kind, uint32_t stage) {
  RolloutStep step;
  step.kind = kind;
  step.stage = stage;
  return step;
}

RolloutStep Stop(uint32_t stage, std::string why) {
  RolloutStep step = Step(RolloutStep::Kind::kStop, stage);
  step.why = std::move(why);
  return step;
}

std::string StageTitle(const StagePlan& stage) {
  return stage.wave.empty() ? absl::StrCat("\"", stage.play, "\"")
                            : absl::StrCat("\"", stage.play, "\", wave ", stage.wave);
}

}  // namespace

RolloutStep NextStep(const RolloutPolicy& policy, const RolloutProgress& progress) {
  std::set<std::string> dropped;  // did not converge earlier: leave the run, as in Ansible
  for (const StagePlan& stage : policy.stages) {
    auto found = progress.nodes.find(stage.number);
    if (found == progress.nodes.end() || found->second.empty()) continue;
    const std::map<std::string, NodeProgress>& nodes = found->second;

    bool begun = std::any_of(nodes.begin(), nodes.end(),
                             [](const auto& n) { return n.second.state != State::kWaiting; });
    auto waits_for_operator = [&](const std::optional<std::string>& prompt,
                                  bool after) -> std::optional<RolloutStep> {
      if (!prompt || progress.pauses_passed.contains({stage.number, after})) return std::nullopt;
      if (progress.interrupted) return Stop(stage.number, "interrupted");
      RolloutStep step = Step(RolloutStep::Kind::kPause, stage.number);
      step.prompt = *prompt;
      step.pause_is_after = after;
      return step;
    };
    if (!begun) {
      if (auto step = waits_for_operator(stage.pause_before, false)) return *step;
    }

    for (const std::vector<std::string>& batch : stage.batches) {
      std::vector<std::string> waiting, bad;
      int running = 0, members = 0;
      for (const std::string& node : batch) {
        auto it = nodes.find(node);
        if (it == nodes.end() || dropped.contains(node)) continue;
        ++members;
        State state = it->second.state;
        if (state == State::kWaiting) waiting.push_back(node);
        if (state == State::kRunning) ++running;
        if (Ended(state) && !Good(state)) bad.push_back(absl::StrCat(node, " ", Word(state)));
      }
      if (!waiting.empty() && !progress.interrupted) {
        // Servers of one scope begin together, whatever the forks.
        int room = stage.pointer ? static_cast<int>(waiting.size()) : policy.forks - running;
        if (room <= 0) return Step(RolloutStep::Kind::kWait, stage.number);
        RolloutStep step = Step(RolloutStep::Kind::kStart, stage.number);
        waiting.resize(std::min<size_t>(waiting.size(), room));
        step.start = std::move(waiting);
        return step;
      }
      if (running > 0) return Step(RolloutStep::Kind::kWait, stage.number);
      if (progress.interrupted) {
        if (!waiting.empty()) return Stop(stage.number, "interrupted");
      }
      if (!bad.empty() &&
          static_cast<int>(bad.size()) * 100 > stage.max_fail_percentage * members) {
        return Stop(
            stage.number,
            absl::StrFormat(
                "stage %d %s: %d of %d nodes did not converge (%s); max_fail_percentage is %d",
                stage.number, StageTitle(stage), bad.size(), members, absl::StrJoin(bad, ", "),
                stage.max_fail_percentage));
      }
      for (const std::string& node : batch) {
        auto it = nodes.find(node);
        if (it != nodes.end() && Ended(it->second.state) && !Good(it->second.state))
          dropped.insert(node);
      }
    }
    if (auto step = waits_for_operator(stage.pause_after, true)) return *step;
    if (stage.arrival && !progress.arrived.contains(stage.number)) {
      if (progress.interrupted) return Stop(stage.number, "interrupted");
      return Step(RolloutStep::Kind::kWatch, stage.number);
    }
  }
  return Step(RolloutStep::Kind::kDone, 0);
}

}  // namespace trustline::controller
