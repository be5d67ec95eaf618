// The ledger of phones that did not arrive.
#include "absl/strings/str_cat.h"
#include "controller/history/database.h"
#include "controller/history/history_store.h"
#include "trust/status_macros.h"

namespace trustline::controller {
namespace {

constexpr auto kMissing = static_cast<int64_t>(Straggler::State::kMissing);
constexpr auto kArrived = static_cast<int64_t>(Straggler::State::kArrived);
constexpr auto kExcused = static_cast<int64_t>(Straggler::State::kExcused);

}  // namespace

absl::Status HistoryStore::RecordArrivals(const std::string& exchange, const std::string& playbook,
                                          const std::vector<ArrivalFinding>& arrivals,
                                          absl::Time now, bool whole_fleet) {
  if (exchange.empty() || playbook.empty()) {
    return absl::InvalidArgumentError(
        "stragglers are kept by exchange and playbook; both are needed");
  }
  for (const ArrivalFinding& arrival : arrivals) {
    if (arrival.device.empty()) return absl::InvalidArgumentError("a device without a name");
  }
  return impl_->InTransaction([&]() -> absl::Status {
    int64_t missing = 0;
    for (const ArrivalFinding& arrival : arrivals) missing += arrival.arrived ? 0 : 1;
    if (whole_fleet) {
      Statement verification(impl_->db(), "INSERT INTO verifications VALUES(?,?,?,?,?)");
      TL_RETURN_IF_ERROR(verification.Bind(exchange)
                             .Bind(playbook)
                             .Bind(absl::ToUnixMillis(now))
                             .Bind(static_cast<int64_t>(arrivals.size()))
                             .Bind(missing)
                             .Run());
    }
    for (const ArrivalFinding& arrival : arrivals) {
      if (arrival.arrived) {
        Statement update(impl_->db(),
                         "UPDATE stragglers SET state=?1, checked_ms=?2, "
                         "settled_ms=CASE WHEN state=?3 THEN ?2 ELSE settled_ms END "
                         "WHERE exchange=?4 AND playbook=?5 AND device=?6");
        TL_RETURN_IF_ERROR(update.Bind(kArrived)
                               .Bind(absl::ToUnixMillis(now))
                               .Bind(kMissing)
                               .Bind(exchange)
                               .Bind(playbook)
                               .Bind(arrival.device)
                               .Run());
        continue;
      }
      // One that had arrived and is gone again is a straggler anew; an excused one stays excused.
      Statement upsert(
          impl_->db(),
          "INSERT INTO stragglers(exchange, playbook, device, state, reason, since_ms, checked_ms) "
          "VALUES(?1,?2,?3,?4,?5,?6,?6) ON CONFLICT DO UPDATE SET reason=?5, checked_ms=?6, "
          "since_ms=CASE WHEN state=?7 THEN ?6 ELSE since_ms END, "
          "settled_ms=CASE WHEN state=?7 THEN NULL ELSE settled_ms END, "
          "excuse=CASE WHEN state=?7 THEN '' ELSE excuse END, "
          "excused_by=CASE WHEN state=?7 THEN '' ELSE excused_by END, "
          "state=CASE WHEN state=?7 THEN ?4 ELSE state END");
      TL_RETURN_IF_ERROR(upsert.Bind(exchange)
                             .Bind(playbook)
                             .Bind(arrival.device)
                             .Bind(kMissing)
                             .Bind(arrival.reason)
                             .Bind(absl::ToUnixMillis(now))
                             .Bind(kArrived)
                             .Run());
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<absl::Time> HistoryStore::LastVerification(const std::string& playbook) {
  Statement statement(impl_->db(), "SELECT max(checked_ms) FROM verifications WHERE playbook=?");
  absl::Time last = absl::InfinitePast();
  if (statement.Bind(playbook).Next() && !statement.IsNull(0))
    last = absl::FromUnixMillis(statement.Int(0));
  TL_RETURN_IF_ERROR(statement.status());
  return last;
}

absl::StatusOr<std::vector<Straggler>> HistoryStore::Stragglers(const std::string& exchange,
                                                                const std::string& playbook,
                                                                bool settled) {
  std::vector<Straggler> stragglers;
  Statement statement(impl_->db(),
                      "SELECT exchange, playbook, device, state, reason, since_ms, checked_ms, "
                      "settled_ms, excuse, excused_by FROM stragglers WHERE (?1='' OR exchange=?1) "
                      "AND (?2='' OR playbook=?2) AND (?3<>0 OR state=?4) "
                      "ORDER BY exchange, playbook, device");
  statement.Bind(exchange).Bind(playbook).Bind(static_cast<int64_t>(settled)).Bind(kMissing);
  while (statement.Next()) {
    Straggler straggler;
    straggler.exchange = statement.Text(0);
    straggler.playbook = statement.Text(1);
    straggler.device = statement.Text(2);
    straggler.state = static_cast<Straggler::State>(statement.Int(3));
    straggler.reason = statement.Text(4);
    straggler.since = absl::FromUnixMillis(statement.Int(5));
    straggler.checked = absl::FromUnixMillis(statement.Int(6));
    if (!statement.IsNull(7)) straggler.settled = absl::FromUnixMillis(statement.Int(7));
    straggler.excuse = statement.Text(8);
    straggler.excused_by = statement.Text(9);
    stragglers.push_back(std::move(straggler));
  }
  TL_RETURN_IF_ERROR(statement.status());
  return stragglers;
}

absl::StatusOr<int> HistoryStore::ExcuseStraggler(const std::string& exchange,
                                                  const std::string& device,
                                                  const std::string& reason,
                                                  const std::string& operator_name,
                                                  absl::Time now) {
  if (reason.empty()) return absl::InvalidArgumentError("an excuse needs a reason");
  Statement update(impl_->db(),
                   "UPDATE stragglers SET state=?, excuse=?, excused_by=?, settled_ms=? "
                   "WHERE device=? AND state=? AND (?7='' OR exchange=?7)");
  TL_RETURN_IF_ERROR(update.Bind(kExcused)
                         .Bind(reason)
                         .Bind(operator_name)
                         .Bind(absl::ToUnixMillis(now))
                         .Bind(device)
                         .Bind(kMissing)
                         .Bind(exchange)
                         .Run());
  const int changed = sqlite3_changes(impl_->db());
  if (changed > 0) return changed;
  return absl::NotFoundError(absl::StrCat(device, " is not missing",
                                          exchange.empty() ? "" : " in exchange ", exchange,
                                          "; `trustline stragglers list` says who is"));
}

}  // namespace trustline::controller
