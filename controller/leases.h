// The leases of one run: taken before anything is done, renewed while it lasts, released at the
// end.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "controller/fleet.h"
#include "controller/mailbox.h"
#include "controller/run_options.h"

namespace trustline::controller {

// Belongs to the run's thread. A lease that could not be had is a verdict on its node.
class Leases {
 public:
  // All three outlive it.
  Leases(Fleet& fleet, std::shared_ptr<Mailbox> mailbox, const RunOptions& options)
      : fleet_(fleet), mailbox_(std::move(mailbox)), options_(options) {}

  // Asks all nodes at once; returns those that could not be had, with the reason. What an ended run
  // of the same operator still holds is taken over: its controller cannot come back for it.
  std::map<std::string, absl::Status> TakeAll(const std::vector<std::string>& nodes);

  // Called on every tick. A renewal that fails is not a verdict: the next apply on that node will
  // say why.
  void RenewWhenDue();

  // Best effort: a lease that cannot be released runs out by itself. Returns a line per node where
  // it could not.
  std::vector<std::string> ReleaseAll();

 private:
  v1::LeaseRequest Request(v1::LeaseRequest::Action action) const;

  Fleet& fleet_;
  std::shared_ptr<Mailbox> mailbox_;
  const RunOptions& options_;
  std::set<std::string> held_;
  std::vector<std::unique_ptr<CallHandle>> handles_;
  size_t outstanding_ = 0;
  absl::Time renewed_;
};

}  // namespace trustline::controller
