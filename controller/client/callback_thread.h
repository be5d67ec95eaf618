// The one thread on which a fleet's callbacks run: in order, never inside the call that asked for
// them, never on gRPC's threads.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace trustline::controller {

// Safe for concurrent use. The destructor runs what was posted, then joins; not to be destroyed on
// its own thread.
class CallbackThread {
 public:
  CallbackThread();
  ~CallbackThread();
  void Post(std::function<void()> callback);
  // While one is held no further callback begins: held by a call that has not returned its handle
  // yet.
  std::unique_lock<std::mutex> Hold() { return std::unique_lock<std::mutex>(hold_); }

 private:
  void Run();
  std::mutex hold_;  // never held while a callback runs, as callbacks make calls
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;  // guarded by mutex_
  bool stopping_ = false;                    // guarded by mutex_
  std::thread thread_;                       // last: starts with everything else in place
};

}  // namespace trustline::controller
