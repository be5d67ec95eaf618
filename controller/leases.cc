#include "controller/leases.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace trustline::controller {
namespace {

constexpr uint32_t kLeaseSeconds = 60;
constexpr absl::Duration kRenewal = absl::Seconds(20);
// Nobody waits longer than this for a node that hangs before the others may begin.
constexpr absl::Duration kLongestTake = absl::Seconds(10);
constexpr absl::Duration kLongestRelease = absl::Seconds(5);

}  // namespace

v1::LeaseRequest Leases::Request(v1::LeaseRequest::Action action) const {
  v1::LeaseRequest request;
  request.set_action(action);
  request.set_run_id(options_.run_id);
  request.set_seconds(kLeaseSeconds);
  if (action == v1::LeaseRequest::ACTION_TAKE) {
    for (const std::string& run_id : options_.ended_runs) request.add_ended_runs(run_id);
  }
  return request;
}

std::map<std::string, absl::Status> Leases::TakeAll(const std::vector<std::string>& nodes) {
  std::map<std::string, absl::Status> problems;
  size_t answers = 0;
  std::vector<std::unique_ptr<CallHandle>> calls;
  for (const std::string& node : nodes) {
    calls.push_back(fleet_.Lease(
        node, Request(v1::LeaseRequest::ACTION_TAKE),
        std::min(options_.answer_timeout, kLongestTake),
        ByMail<v1::LeaseResponse>(mailbox_, [&, node](absl::StatusOr<v1::LeaseResponse> answer) {
          ++answers;
          if (answer.ok()) {
            held_.insert(node);
          } else {
            problems[node] = answer.status();
          }
        })));
  }
  while (answers < nodes.size()) {
    mailbox_->Deliver(kRunTick);
    if (options_.interrupts() > 0) {
      for (auto& call : calls) call->Cancel();
    }
  }
  renewed_ = options_.now();
  return problems;
}

void Leases::RenewWhenDue() {
  if (options_.now() - renewed_ < kRenewal) return;
  renewed_ = options_.now();
  for (const std::string& node : held_) {
    ++outstanding_;
    handles_.push_back(
        fleet_.Lease(node, Request(v1::LeaseRequest::ACTION_TAKE), options_.answer_timeout,
                     ByMail<v1::LeaseResponse>(
                         mailbox_, [this](absl::StatusOr<v1::LeaseResponse>) { --outstanding_; })));
  }
}

std::vector<std::string> Leases::ReleaseAll() {
  std::vector<std::string> kept;
  for (const std::string& node : held_) {
    ++outstanding_;
    handles_.push_back(fleet_.Lease(
        node, Request(v1::LeaseRequest::ACTION_RELEASE),
        std::min(options_.answer_timeout, kLongestRelease),
        ByMail<v1::LeaseResponse>(
            mailbox_, [this, &kept, node](absl::StatusOr<v1::LeaseResponse> answer) {
              --outstanding_;
              if (answer.ok()) return;
              kept.push_back(absl::StrCat(node, ": lease not released; it runs out within ",
                                          kLeaseSeconds, " s"));
            })));
  }
  while (outstanding_ > 0) mailbox_->Deliver(kRunTick);
  held_.clear();
  return kept;
}

}  // namespace trustline::controller
