// How long what a permission rests on still holds. Judges are asked one after the other and a
// configuration is tested before anything moves, so a verdict that was fresh when it arrived can be
// over by then.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "agent/resource_kind.h"

namespace trustline::agent {

// The first end among some verdicts; without a verdict nothing ends.
struct VerdictEnd {
  absl::Time at = absl::InfiniteFuture();
  std::string gate;
  std::string judge;
};

// Why a change may not be made at `now` any more; empty: it may.
std::string WhyOver(const VerdictEnd& end, absl::Time now);

// Passes everything on to `run` and notes when the verdicts that come back end. What it notes is
// worth no more than the envelopes: only a kind that believed all of them makes it count.
class DatingProver final : public Prover {
 public:
  explicit DatingProver(Prover& run) : run_(run) {}
  absl::StatusOr<v1::ProbeResponse> Ask(const std::string& from_node,
                                        const v1::ProbeRequest& probe) override;
  absl::StatusOr<v1::Envelope> AskGate(const std::string& judge,
                                       const v1::GateQuestion& question) override;
  const VerdictEnd& first_end() const { return first_end_; }

 private:
  Prover& run_;
  VerdictEnd first_end_;
};

}  // namespace trustline::agent
