#include "agent/service/worker_pool.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace trustline::agent {

WorkerPool::WorkerPool(std::string what, size_t threads, size_t longest_queue)
    : what_(std::move(what)), longest_queue_(longest_queue) {
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

WorkerPool::~WorkerPool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

absl::Status WorkerPool::Submit(std::function<void()> work) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (queue_.size() >= longest_queue_) {
      return absl::ResourceExhaustedError(absl::StrCat(
          longest_queue_, " ", what_, " are waiting on this node already; try again later"));
    }
    queue_.push_back(std::move(work));
  }
  wake_.notify_one();
  return absl::OkStatus();
}

void WorkerPool::Run() {
  for (;;) {
    std::function<void()> work;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    work();
  }
}

}  // namespace trustline::agent
