#include "agent/service/lease_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace trustline::agent {
namespace {

constexpr uint32_t kShortestSeconds = 5, kLongestSeconds = 600;
// A run that worked longer than its lease keeps it this long after the work, so that it can renew
// before another takes over.
constexpr absl::Duration kAfterWork = absl::Seconds(kShortestSeconds);

v1::LeaseResponse ToResponse(const std::string& run_id, const std::string& holder,
                             absl::Time expires) {
  v1::LeaseResponse response;
  response.set_run_id(run_id);
  response.set_holder(holder);
  response.set_expires_unix(absl::ToUnixSeconds(expires));
  return response;
}

}  // namespace

void LeaseTable::Expire() {
  if (lease_.has_value() && lease_->in_use == 0 && clock_.Now() >= lease_->expires) lease_.reset();
}

absl::Status LeaseTable::HeldBy(const Lease& lease) const {
  const absl::Duration left = std::max(absl::ZeroDuration(), lease.expires - clock_.Now());
  return absl::FailedPreconditionError(absl::StrCat(
      "run ", lease.run_id, " of ", lease.holder, " holds this node",
      lease.in_use > 0 ? " and is at work"
                       : absl::StrCat(" for ", absl::ToInt64Seconds(left), " s more")));
}

absl::StatusOr<v1::LeaseResponse> LeaseTable::Handle(const v1::LeaseRequest& request,
                                                     const std::string& holder) {
  if (request.run_id().empty()) return absl::InvalidArgumentError("the lease names no run_id");
  std::lock_guard<std::mutex> lock(mutex_);
  Expire();
  const bool mine =
      lease_.has_value() && lease_->run_id == request.run_id() && lease_->holder == holder;
  switch (request.action()) {
    case v1::LeaseRequest::ACTION_TAKE: {
      if (request.seconds() < kShortestSeconds || request.seconds() > kLongestSeconds) {
        return absl::InvalidArgumentError(absl::StrCat("a lease lasts ", kShortestSeconds, " to ",
                                                       kLongestSeconds, " seconds, not ",
                                                       request.seconds()));
      }
      if (lease_.has_value() && !mine) {
        const bool ended = lease_->holder == holder && lease_->in_use == 0 &&
                           std::find(request.ended_runs().begin(), request.ended_runs().end(),
                                     lease_->run_id) != request.ended_runs().end();
        if (!ended) return HeldBy(*lease_);
      }
      const absl::Time expires = clock_.Now() + absl::Seconds(request.seconds());
      if (mine) {
        lease_->expires = expires;
      } else {
        lease_ = Lease{request.run_id(), holder, expires, 0};
      }
      return ToResponse(lease_->run_id, lease_->holder, lease_->expires);
    }
    case v1::LeaseRequest::ACTION_RELEASE:
      if (!lease_.has_value()) return v1::LeaseResponse();
      if (!mine) return HeldBy(*lease_);
      if (lease_->in_use > 0)
        return absl::FailedPreconditionError(absl::StrCat(
            "run ", lease_->run_id, " is at work on this node; release the lease when it is done"));
      lease_.reset();
      return v1::LeaseResponse();
    default:
      return absl::InvalidArgumentError("the lease request says neither take nor release");
  }
}

bool LeaseTable::Holds(const std::string& run_id, const std::string& holder) {
  std::lock_guard<std::mutex> lock(mutex_);
  Expire();
  return lease_.has_value() && lease_->run_id == run_id && lease_->holder == holder;
}

absl::StatusOr<LeaseTable::Use> LeaseTable::Demand(const std::string& run_id,
                                                   const std::string& holder) {
  if (run_id.empty()) return absl::InvalidArgumentError("the request names no run_id");
  std::lock_guard<std::mutex> lock(mutex_);
  Expire();
  if (!lease_.has_value()) {
    return absl::FailedPreconditionError(
        absl::StrCat("run ", run_id,
                     " holds no lease on this node (never taken, run out, or the agent was "
                     "restarted); take one first"));
  }
  if (lease_->run_id != run_id || lease_->holder != holder) return HeldBy(*lease_);
  ++lease_->in_use;
  return Use(this);
}

v1::LeaseResponse LeaseTable::Current() {
  std::lock_guard<std::mutex> lock(mutex_);
  Expire();
  if (!lease_.has_value()) return v1::LeaseResponse();
  return ToResponse(lease_->run_id, lease_->holder, lease_->expires);
}

LeaseTable::Use& LeaseTable::Use::operator=(Use&& other) noexcept {
  std::swap(table_, other.table_);
  return *this;
}

LeaseTable::Use::~Use() {
  if (table_ == nullptr) return;
  std::lock_guard<std::mutex> lock(table_->mutex_);
  // A lease in use cannot change hands, so this is the one that was demanded.
  if (--table_->lease_->in_use == 0)
    table_->lease_->expires = std::max(table_->lease_->expires, table_->clock_.Now() + kAfterWork);
}

}  // namespace trustline::agent
