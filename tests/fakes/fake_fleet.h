// Agents in memory for everything above the wire: answers come on an own thread, as the real
// fleet's do; nodes can refuse, be silent or hang.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "controller/fleet.h"

namespace trustline::testing {

class FakeFleet : public controller::Fleet {
 public:
  FakeFleet();
  ~FakeFleet() override;

  // What a node answers to an apply; default: one resource, `changed`. Runs on the fleet's thread.
  std::function<absl::StatusOr<v1::StageReport>(const std::string& node, const v1::ApplyStart&)>
      on_apply;
  std::function<absl::StatusOr<v1::Plan>(const std::string& node, const v1::PlanRequest&)> on_plan;
  std::function<absl::StatusOr<v1::StageReport>(const std::string& node, const v1::RollbackStart&)>
      on_rollback;
  std::function<absl::StatusOr<v1::ProbeResponse>(const std::string& node, const v1::ProbeRequest&)>
      on_probe;
  std::function<absl::StatusOr<v1::JudgeResponse>(const std::string& node, const v1::JudgeRequest&)>
      on_judge;
  // Default: nothing but the node's name.
  std::function<absl::StatusOr<v1::StatusResponse>(const std::string& node)> on_status;
  // Asked of the controller before on_apply, when set.
  std::map<std::string, v1::ProofQuestion> questions;
  std::map<std::string, absl::Status> lease_errors;
  // Asked first, when set; OK grants. Runs on the fleet's thread.
  std::function<absl::Status(const std::string& node, const v1::LeaseRequest&)> on_lease;
  // Never answer until cancelled.
  std::set<std::string> hanging;

  // "lease take a", "apply a 1", "lease release a", ... in the order they came.
  std::vector<std::string> Calls();
  // Answers given by the controller to `questions`, by node.
  std::map<std::string, v1::ProofAnswer> Answers();

  std::unique_ptr<controller::CallHandle> Describe(
      const std::string&, absl::Duration, controller::Callback<v1::DescribeResponse>) override;
  std::unique_ptr<controller::CallHandle> Status(const std::string&, absl::Duration,
                                                 controller::Callback<v1::StatusResponse>) override;
  std::unique_ptr<controller::CallHandle> Plan(const std::string&, const v1::PlanRequest&,
                                               absl::Duration,
                                               controller::Callback<v1::PlanResponse>) override;
  std::unique_ptr<controller::CallHandle> Lease(const std::string&, const v1::LeaseRequest&,
                                                absl::Duration,
                                                controller::Callback<v1::LeaseResponse>) override;
  std::unique_ptr<controller::CallHandle> Probe(const std::string&, const v1::ProbeRequest&,
                                                absl::Duration,
                                                controller::Callback<v1::ProbeResponse>) override;
  std::unique_ptr<controller::CallHandle> Judge(const std::string&, const v1::JudgeRequest&,
                                                absl::Duration,
                                                controller::Callback<v1::JudgeResponse>) override;
  std::unique_ptr<controller::CallHandle> Apply(const std::string&, const v1::ApplyStart&,
                                                absl::Duration,
                                                std::function<void(const v1::ApplyEvent&)>,
                                                controller::ProofHandler,
                                                controller::Callback<v1::StageReport>) override;
  std::unique_ptr<controller::CallHandle> Rollback(const std::string&, const v1::RollbackStart&,
                                                   absl::Duration,
                                                   std::function<void(const v1::ApplyEvent&)>,
                                                   controller::ProofHandler,
                                                   controller::Callback<v1::StageReport>) override;

 private:
  void Post(std::function<void()> work);
  void Note(std::string call);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> work_;
  std::vector<std::string> calls_;
  std::map<std::string, v1::ProofAnswer> answers_;
  bool stop_ = false;
  std::thread thread_;
};

// A report with one resource of each outcome.
v1::StageReport ReportOf(const std::string& node, uint32_t stage,
                         const std::vector<v1::Outcome>& outcomes,
                         const std::string& kind = "certificate");

}  // namespace trustline::testing
