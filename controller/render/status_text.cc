#include "controller/render/status_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "controller/runner.h"

namespace trustline::controller {
namespace {

// "TVS expires in 12 d": the certificate of the node itself that ends first; trust certificates
// only when one has ended.
std::string CertificateCell(const v1::StatusResponse& status, absl::Time now) {
  const v1::CertificateStatus* first = nullptr;
  int expired_trust = 0;
  for (const v1::CertificateStatus& certificate : status.certificates()) {
    if (certificate.own()) {
      if (first == nullptr || certificate.not_after_unix() < first->not_after_unix())
        first = &certificate;
    } else if (absl::FromUnixSeconds(certificate.not_after_unix()) <= now) {
      ++expired_trust;
    }
  }
  std::string cell;
  if (first != nullptr) {
    absl::Duration left = absl::FromUnixSeconds(first->not_after_unix()) - now;
    cell = left <= absl::ZeroDuration()
               ? absl::StrCat(first->store(), " expired ", HumanDuration(-left), " ago")
               : absl::StrCat(first->store(), " expires in ", HumanDuration(left));
  }
  if (expired_trust > 0)
    absl::StrAppend(&cell, cell.empty() ? "" : ", ", expired_trust, " trusted expired");
  return cell.empty() ? "-" : cell;
}

}  // namespace

std::string StateWord(const NodeStatus& status) {
  if (!status.answer.ok()) {
    if (absl::IsPermissionDenied(status.answer.status())) return "denied";
    return OutcomeOfStatus(status.answer.status()) == v1::OUTCOME_UNREACHABLE ? "unreachable"
                                                                              : "error";
  }
  const v1::StatusResponse& answer = *status.answer;
  if (!answer.held().empty()) return "held";
  bool pending = false, drifted = false;
  for (const v1::DocumentStatus& document : answer.documents()) {
    if (!document.drifted().empty()) drifted = true;
    if (document.converged() < document.resources() || document.stages_passed() < document.stages())
      pending = true;
  }
  if (drifted) return "drifted";
  if (!answer.reloads_owed().empty() || pending) return "pending";
  return answer.documents().empty() ? "idle" : "converged";
}

std::string FormatStatus(const std::vector<NodeStatus>& nodes, absl::Time now, const Style& style,
                         bool headings) {
  std::vector<std::vector<std::string>> rows = {
      {"NODE", "STATE", "STAGES", "RESOURCES", "CERTIFICATES", "LAST CHANGE"}};
  for (const NodeStatus& status : nodes) {
    if (!status.answer.ok()) {
      rows.push_back({status.node, StateWord(status), "-", "?", "-",
                      status.last_seen == absl::InfinitePast()
                          ? std::string(status.answer.status().message())
                          : absl::StrCat("last seen ", HumanAgo(status.last_seen, now), "  ",
                                         status.answer.status().message())});
      continue;
    }
    const v1::StatusResponse& answer = *status.answer;
    uint32_t through = 0, stages = 0, resources = 0, converged = 0;
    std::string first_drift;
    for (const v1::DocumentStatus& document : answer.documents()) {
      through += document.stages_passed();
      stages += document.stages();
      resources += document.resources();
      converged += document.converged();
      if (first_drift.empty() && !document.drifted().empty()) first_drift = document.drifted(0);
    }
    std::string last = answer.last_change_unix() == 0
                           ? "never"
                           : HumanAgo(absl::FromUnixSeconds(answer.last_change_unix()), now);
    std::string what = !first_drift.empty()     ? first_drift
                       : !answer.held().empty() ? answer.held()
                       : !answer.reloads_owed().empty()
                           ? absl::StrCat("reload owed: ", answer.reloads_owed(0))
                           : answer.last_change();
    if (!what.empty()) absl::StrAppend(&last, "  ", what);
    rows.push_back({status.node, StateWord(status),
                    stages == 0 ? "-" : absl::StrCat(through, "/", stages),
                    answer.documents().empty() ? "-" : absl::StrCat(converged, " of ", resources),
                    CertificateCell(answer, now), last});
  }
  std::string table = FormatTable(rows, headings);
  if (!style.colour) return table;
  // Colour whole lines by state, after the columns were measured.
  std::string out;
  size_t at = 0, line = headings ? 0 : 1;
  while (at < table.size()) {
    size_t end = table.find('\n', at);
    std::string text = table.substr(at, end - at);
    Paint paint = Paint::kPlain;
    if (line > 0) {
      std::string state = StateWord(nodes[line - 1]);
      paint = state == "converged" || state == "idle" ? Paint::kGood
              : state == "pending" || state == "held" ? Paint::kWarning
                                                      : Paint::kBad;
    }
    absl::StrAppend(&out, style.Apply(paint, text), "\n");
    at = end + 1;
    ++line;
  }
  return out;
}

}  // namespace trustline::controller
