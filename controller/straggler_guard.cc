#include "controller/straggler_guard.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "trust/status_macros.h"

namespace trustline::controller {
namespace {

std::string NameThem(const std::vector<Straggler>& missing) {
  constexpr size_t kNamed = 5;
  std::string text = absl::StrCat(
      missing.size(), missing.size() == 1 ? " phone has" : " phones have", " not arrived: ");
  for (size_t i = 0; i < std::min(missing.size(), kNamed); ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ", ", missing[i].device);
    if (!missing[i].reason.empty()) absl::StrAppend(&text, " (", missing[i].reason, ")");
  }
  if (missing.size() > kNamed) absl::StrAppend(&text, " and ", missing.size() - kNamed, " more");
  return absl::StrCat(text, "; see `trustline stragglers list`");
}

}  // namespace

absl::StatusOr<std::string> WhySourceMustStay(HistoryStore& history, const std::string& playbook) {
  TL_ASSIGN_OR_RETURN(const std::vector<Straggler> missing, history.Stragglers("", playbook));
  if (!missing.empty()) return NameThem(missing);
  TL_ASSIGN_OR_RETURN(const absl::Time verified, history.LastVerification(playbook));
  if (verified != absl::InfinitePast()) return "";
  return absl::StrCat(
      "nobody has verified yet which phones arrived; run `trustline phone fleet "
      "PHONES.csv --tftp ADDRESS --verify --exchange EXCHANGE --playbook ",
      playbook, "`");
}

absl::StatusOr<std::string> WhyTrustMustStay(HistoryStore& history, const std::string& of_run) {
  std::string playbook;
  if (!of_run.empty()) {
    const absl::StatusOr<RunSummary> run = history.Summary(of_run);
    if (!run.ok() && !absl::IsNotFound(run.status())) return run.status();
    if (run.ok()) playbook = run->playbook;
  }
  TL_ASSIGN_OR_RETURN(const std::vector<Straggler> missing, history.Stragglers("", playbook));
  return missing.empty() ? "" : NameThem(missing);
}

absl::Status RecordWave(HistoryStore& history, const std::string& playbook,
                        const ArrivalDemand& demand, const ArrivalRecord& arrival) {
  std::vector<ArrivalFinding> findings;
  for (const FoundPhone& phone : arrival.phones.phones) {
    if (!phone.known) continue;
    ArrivalFinding& finding = findings.emplace_back();
    finding.device = phone.device;
    finding.arrived = phone.arrived && !arrival.put_back;
    if (phone.arrived && arrival.put_back) {
      finding.reason =
          absl::StrCat("had moved when ",
                       arrival.wave.empty() ? "its pointers were put back"
                                            : absl::StrCat("wave ", arrival.wave, " was put back"));
    } else {
      finding.reason = phone.why;
    }
  }
  return history.RecordArrivals(demand.exchange, playbook, findings, arrival.ended,
                                /*whole_fleet=*/false);
}

}  // namespace trustline::controller
