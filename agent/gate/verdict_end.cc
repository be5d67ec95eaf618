#include "agent/gate/verdict_end.h"

#include "absl/strings/str_cat.h"
#include "protos/trustline/v1/gate.pb.h"

namespace trustline::agent {

std::string WhyOver(const VerdictEnd& end, absl::Time now) {
  if (now < end.at) return "";
  return absl::StrCat("the verdict of ", end.judge, " on ", end.gate, " expired at ",
                      absl::FormatTime(absl::RFC3339_sec, end.at, absl::UTCTimeZone()),
                      ", before everything else was ready; running this again asks again");
}

absl::StatusOr<v1::ProbeResponse> DatingProver::Ask(const std::string& from_node,
                                                    const v1::ProbeRequest& probe) {
  return run_.Ask(from_node, probe);
}

absl::StatusOr<v1::Envelope> DatingProver::AskGate(const std::string& judge,
                                                   const v1::GateQuestion& question) {
  absl::StatusOr<v1::Envelope> envelope = run_.AskGate(judge, question);
  v1::GateVerdict verdict;
  if (envelope.ok() && verdict.ParseFromString(envelope->payload())) {
    const absl::Time at = absl::FromUnixSeconds(verdict.expires_unix());
    if (at < first_end_.at) first_end_ = {at, question.gate(), judge};
  }
  return envelope;
}

}  // namespace trustline::agent
