// One log line per call: caller, method, run, outcome, duration.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace trustline::agent {

// Thread-compatible. Copied along with the call; `Finish` is called once.
class CallRecord {
 public:
  CallRecord(std::string method, std::string caller)
      : method_(std::move(method)), caller_(std::move(caller)), started_(absl::Now()) {}

  void set_run(std::string run_id) { run_id_ = std::move(run_id); }
  void set_stage(std::string stage) { stage_ = std::move(stage); }
  const std::string& caller() const { return caller_; }

  // Info for OK, warning for what the caller did wrong or could not have, error for what the agent
  // did wrong.
  void Finish(const absl::Status& outcome) const;

 private:
  std::string method_, caller_, run_id_, stage_;
  absl::Time started_;
};

}  // namespace trustline::agent
