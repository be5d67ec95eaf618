// A few threads for work that blocks, so that gRPC's own never do; a bounded queue before them, so
// that a flood is answered instead of stored.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"

namespace trustline::agent {

// Safe for concurrent use. The destructor runs what is queued, then joins.
class WorkerPool {
 public:
  // `what` is waited for, for messages: "plans".
  WorkerPool(std::string what, size_t threads, size_t longest_queue);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // ResourceExhausted when `longest_queue` are waiting already; `work` is not run then.
  absl::Status Submit(std::function<void()> work);

 private:
  void Run();

  const std::string what_;
  const size_t longest_queue_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;  // guarded by mutex_
  bool stopping_ = false;                    // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace trustline::agent
