// What must wait until the last phone has arrived: taking the source away, and removing trust.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "controller/history/history_store.h"

namespace trustline::controller {

// Why a stage that takes the source away must not start yet: phones of the playbook that are
// missing, or a fleet that was never verified, so that nobody knows. Empty: it may start.
absl::StatusOr<std::string> WhySourceMustStay(HistoryStore& history, const std::string& playbook);

// Why imported trust must not be removed yet: phones that are missing, of `of_run`'s playbook where
// the history knows that run, else of any. Empty: it may be.
absl::StatusOr<std::string> WhyTrustMustStay(HistoryStore& history, const std::string& of_run);

// Writes down what became of a wave. One that was put back is missing as a whole: who had moved is
// on the way back. Phones that the evidence excludes are not in the ledger. It is no verification
// of the fleet. The statuses of HistoryStore::RecordArrivals.
absl::Status RecordWave(HistoryStore& history, const std::string& playbook,
                        const ArrivalDemand& demand, const ArrivalRecord& arrival);

}  // namespace trustline::controller
