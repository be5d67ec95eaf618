// The arrivals of a run, as rows.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/history/database.h"
#include "controller/run_record.h"

namespace trustline::controller {

// Inside the caller's transaction.
absl::Status FinishArrivals(sqlite3* db, const RunRecord& record);
// In the order of their stages.
absl::StatusOr<std::vector<ArrivalRecord>> LoadArrivals(sqlite3* db, const std::string& run_id);

}  // namespace trustline::controller
