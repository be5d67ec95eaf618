// How the fleet's callbacks reach the one thread that owns a run.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "controller/fleet.h"

namespace trustline::controller {

// How often a run looks up from waiting.
inline constexpr absl::Duration kRunTick = absl::Milliseconds(100);

// Callbacks post, the runner's thread takes. Shared, because a callback may come while the runner
// is on its way out.
class Mailbox {
 public:
  void Post(std::function<void()> letter) {
    absl::MutexLock lock(&mutex_);
    letters_.push_back(std::move(letter));
  }
  // Runs what has been posted; waits up to `limit` for the first one. False: nothing came.
  bool Deliver(absl::Duration limit) {
    std::deque<std::function<void()>> letters;
    {
      absl::MutexLock lock(&mutex_);
      auto some = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !letters_.empty(); };
      mutex_.AwaitWithTimeout(absl::Condition(&some), limit);
      letters.swap(letters_);
    }
    for (auto& letter : letters) letter();
    return !letters.empty();
  }

 private:
  absl::Mutex mutex_;
  std::deque<std::function<void()>> letters_ ABSL_GUARDED_BY(mutex_);
};

// A call's callback that runs on the runner's thread.
template <typename T>
Callback<T> ByMail(std::shared_ptr<Mailbox> mailbox, std::function<void(absl::StatusOr<T>)> then) {
  return [mailbox = std::move(mailbox), then = std::move(then)](absl::StatusOr<T> result) {
    auto kept = std::make_shared<absl::StatusOr<T>>(std::move(result));
    mailbox->Post([then, kept] { then(std::move(*kept)); });
  };
}

}  // namespace trustline::controller
