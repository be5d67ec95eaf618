// Calls in flight: cancelled from any thread at any time, waited for by the fleet's destructor.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpcpp/client_context.h"

namespace trustline::controller {

inline void SetDeadline(grpc::ClientContext& context, absl::Duration timeout) {
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
}

class PendingCall : public std::enable_shared_from_this<PendingCall> {
 public:
  virtual ~PendingCall() = default;
  // gRPC allows it before the call is made, during it and after it.
  void Cancel() { context_.TryCancel(); }

 protected:
  grpc::ClientContext context_;
};

// Safe for concurrent use.
class InFlight {
 public:
  void Add(std::shared_ptr<PendingCall> call) {
    std::lock_guard<std::mutex> lock(mutex_);
    calls_.insert(std::move(call));
  }
  // After the call's callback returned.
  void Remove(const std::shared_ptr<PendingCall>& call) {
    std::lock_guard<std::mutex> lock(mutex_);
    calls_.erase(call);
    if (calls_.empty()) empty_.notify_all();
  }
  void CancelAndWait() {
    std::unique_lock<std::mutex> lock(mutex_);
    const std::set<std::shared_ptr<PendingCall>> calls = calls_;
    lock.unlock();
    for (const std::shared_ptr<PendingCall>& call : calls) call->Cancel();
    lock.lock();
    empty_.wait(lock, [this] { return calls_.empty(); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable empty_;
  std::set<std::shared_ptr<PendingCall>> calls_;  // guarded by mutex_
};

}  // namespace trustline::controller
