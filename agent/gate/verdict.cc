#include "agent/gate/verdict.h"

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/message_differencer.h"
#include "trust/envelope.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

// Two agents' clocks never agree quite.
constexpr absl::Duration kClockSkew = absl::Minutes(1);
constexpr int kReasonsCarried = 20;

}  // namespace

absl::StatusOr<v1::Envelope> SealVerdict(const v1::GateReport& report,
                                         const v1::GateQuestion& question,
                                         const std::string& evidence_sha256,
                                         const NodeIdentity& self, absl::Time now) {
  v1::GateVerdict verdict;
  verdict.set_judge(self.node);
  *verdict.mutable_question() = question;
  verdict.set_accepted(report.accepted());
  verdict.set_evidence_sha256(evidence_sha256);
  verdict.set_phones(report.phones());
  verdict.set_locked(report.locked());
  verdict.set_unproven(report.unproven());
  verdict.set_issued_unix(absl::ToUnixSeconds(now));
  verdict.set_expires_unix(absl::ToUnixSeconds(now + kVerdictLifetime));
  for (const std::string& reason : report.reasons()) {
    if (verdict.reasons_size() < kReasonsCarried) verdict.add_reasons(reason);
  }
  return Seal(kVerdictType, verdict.SerializeAsString(), self.key, self.certificate);
}

absl::StatusOr<v1::GateVerdict> OpenVerdict(const v1::Envelope& envelope, const std::string& judge,
                                            const v1::GateQuestion& question,
                                            const NodeIdentity& self, absl::Time now) {
  TL_ASSIGN_OR_RETURN(const Opened opened, Open(envelope, kVerdictType, self.roots, now));
  const Identity expected{self.domain, IdentityKind::kAgent, judge};
  if (!(opened.signer == expected)) {
    return absl::PermissionDeniedError(
        absl::StrCat("it is signed by ", opened.signer.ToUri(), ", not by ", expected.ToUri()));
  }
  v1::GateVerdict verdict;
  if (!verdict.ParseFromString(opened.payload)) {
    return absl::InvalidArgumentError("its payload is not a verdict");
  }
  if (verdict.judge() != judge) {
    return absl::FailedPreconditionError(absl::StrCat("it is the verdict of ", verdict.judge()));
  }
  std::string difference;
  google::protobuf::util::MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&difference);
  if (!differencer.Compare(question, verdict.question())) {
    for (char& c : difference) {
      if (c == '\n') c = ' ';
    }
    return absl::FailedPreconditionError(absl::StrCat("it answers another question: ", difference));
  }
  const absl::Time issued = absl::FromUnixSeconds(verdict.issued_unix());
  const absl::Time expires = absl::FromUnixSeconds(verdict.expires_unix());
  if (expires <= now || expires - issued > kVerdictLifetime) {
    return absl::FailedPreconditionError(absl::StrCat(
        "it was given at ", absl::FormatTime(absl::RFC3339_sec, issued, absl::UTCTimeZone()),
        " and is over"));
  }
  if (issued > now + kClockSkew) {
    return absl::FailedPreconditionError(absl::StrCat(
        "it was given at ", absl::FormatTime(absl::RFC3339_sec, issued, absl::UTCTimeZone()),
        ", which is still to come here; the clocks of ", judge, " and ", self.node, " differ"));
  }
  return verdict;
}

std::vector<std::string> AskJudges(const v1::GateDemand& demand, v1::GateQuestion question,
                                   const NodeIdentity& self, const Clock& clock, Prover& prover) {
  question.set_gate(demand.gate());
  std::vector<std::string> against;
  if (demand.judges().empty()) against.push_back("the gate names no judge");
  for (const std::string& judge : demand.judges()) {
    const absl::StatusOr<v1::Envelope> envelope = prover.AskGate(judge, question);
    if (!envelope.ok()) {
      against.push_back(absl::StrCat("no verdict from ", judge, ": ", envelope.status().message()));
      continue;
    }
    const absl::StatusOr<v1::GateVerdict> verdict =
        OpenVerdict(*envelope, judge, question, self, clock.Now());
    if (!verdict.ok()) {
      against.push_back(
          absl::StrCat("the verdict of ", judge, " is not believed: ", verdict.status().message()));
      continue;
    }
    if (verdict->accepted()) continue;
    if (verdict->reasons().empty()) against.push_back(absl::StrCat(judge, " does not accept"));
    for (const std::string& reason : verdict->reasons()) {
      against.push_back(absl::StrCat(judge, ": ", reason));
    }
  }
  return against;
}

}  // namespace trustline::agent
