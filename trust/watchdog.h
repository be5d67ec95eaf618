// Ends a blocking call on a socket that takes too long, by shutting the socket down.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "absl/time/time.h"

namespace trustline {

// One thread per watchdog. Thread-compatible. After it has fired the socket is dead, whatever was
// going on.
class Watchdog {
 public:
  // Duplicates `fd`, so that whoever owns it may close it at any time.
  explicit Watchdog(int fd);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // False when the descriptor could not be duplicated: nothing would be watched.
  bool watching() const { return fd_ >= 0; }
  // From now on there is `limit`; replaces what was armed before.
  void Arm(absl::Duration limit);
  void Disarm();
  bool fired() const;

 private:
  void Run();

  const int fd_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool armed_ = false;
  bool ending_ = false;
  bool fired_ = false;
  bool idle_ = false;  // the thread waits for nothing but us
  std::chrono::steady_clock::time_point deadline_;
  std::chrono::steady_clock::time_point sleeping_until_;
  std::thread thread_;
};

}  // namespace trustline
