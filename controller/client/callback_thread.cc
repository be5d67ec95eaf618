#include "controller/client/callback_thread.h"

#include <utility>

namespace trustline::controller {

CallbackThread::CallbackThread() : thread_([this] { Run(); }) {}

CallbackThread::~CallbackThread() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void CallbackThread::Post(std::function<void()> callback) {
  {
    // Notified under the lock: what was posted may let another thread destroy this object.
    std::lock_guard<std::mutex> lock(mutex_);
    queue_.push_back(std::move(callback));
    wake_.notify_one();
  }
}

void CallbackThread::Run() {
  for (;;) {
    std::function<void()> callback;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      callback = std::move(queue_.front());
      queue_.pop_front();
    }
    Hold().unlock();
    callback();
  }
}

}  // namespace trustline::controller
