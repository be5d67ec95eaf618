#include "agent/service/call_record.h"

#include "absl/strings/str_cat.h"
#include "agent/log.h"
#include "protos/wire/grpc_status.h"

namespace trustline::agent {

void CallRecord::Finish(const absl::Status& outcome) const {
  LogFields fields = {{"method", method_}, {"caller", caller_}};
  if (!run_id_.empty()) fields.push_back({"run", run_id_});
  if (!stage_.empty()) fields.push_back({"stage", stage_});
  fields.push_back({"code", CodeName(outcome.code())});
  fields.push_back(
      {"duration_ms", absl::StrCat(absl::ToInt64Milliseconds(absl::Now() - started_))});
  if (!outcome.ok()) fields.push_back({"error", std::string(outcome.message())});
  LogLevel level = LogLevel::kInfo;
  if (!outcome.ok()) level = LogLevel::kWarning;
  if (absl::IsInternal(outcome) || absl::IsUnknown(outcome) || absl::IsDataLoss(outcome))
    level = LogLevel::kError;
  Log(level, "call", fields);
}

}  // namespace trustline::agent
