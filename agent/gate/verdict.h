// Verdicts on their way from a judge to the DHCP agent that asked: sealed by the judge, carried by
// a run that nobody needs to trust, believed only when every binding holds.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/resource_kind.h"
#include "protos/trustline/v1/envelope.pb.h"
#include "protos/trustline/v1/gate.pb.h"

namespace trustline::agent {

inline constexpr char kVerdictType[] = "trustline.v1.GateVerdict";
inline constexpr absl::Duration kVerdictLifetime = absl::Minutes(5);

// What `report` says, bound to the question, by this node's identity.
absl::StatusOr<v1::Envelope> SealVerdict(const v1::GateReport& report,
                                         const v1::GateQuestion& question,
                                         const std::string& evidence_sha256,
                                         const NodeIdentity& self, absl::Time now);

// The verdict when it is `judge`'s own, about exactly `question`, and not over. PermissionDenied:
// forged, or another node's signature; FailedPrecondition: about something else, or stale. Says
// nothing of whether it accepts.
absl::StatusOr<v1::GateVerdict> OpenVerdict(const v1::Envelope& envelope, const std::string& judge,
                                            const v1::GateQuestion& question,
                                            const NodeIdentity& self, absl::Time now);

// Asks every judge of `demand`; `question` comes without its gate. What stands against the move, a
// line per judge and reason; empty: all accept.
std::vector<std::string> AskJudges(const v1::GateDemand& demand, v1::GateQuestion question,
                                   const NodeIdentity& self, const Clock& clock, Prover& prover);

}  // namespace trustline::agent
