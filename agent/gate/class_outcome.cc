#include "agent/gate/class_outcome.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace trustline::agent {

void ClassOutcome::Add(const std::string& device, v1::GateDecision decision) {
  const bool accepted = decision.accepted();
  (accepted ? accepted_ : refused_).insert(device);
  some_accepted_ = some_accepted_ || accepted;
  if (some_ && (accepted || !worst_.accepted())) return;
  worst_ = std::move(decision);
  worst_device_ = device;
  some_ = true;
}

v1::GateDecision ClassOutcome::EndServer() {
  if (some_accepted_ && !worst_.accepted()) {
    worst_.set_reason(absl::StrCat(worst_device_, ": ", worst_.reason()));
  }
  some_ = some_accepted_ = false;
  return std::exchange(worst_, {});
}

uint32_t ClassOutcome::Refused(uint32_t phones) const {
  const bool some_get_through =
      std::any_of(accepted_.begin(), accepted_.end(),
                  [&](const std::string& device) { return !refused_.contains(device); });
  return some_get_through || refused_.empty() ? static_cast<uint32_t>(refused_.size())
                                              : std::max(phones, 1u);
}

}  // namespace trustline::agent
