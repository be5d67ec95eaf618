#include "trust/watchdog.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace trustline {

Watchdog::Watchdog(int fd) : fd_(fcntl(fd, F_DUPFD_CLOEXEC, 0)), thread_([this] { Run(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
  if (fd_ >= 0) close(fd_);
}

void Watchdog::Arm(absl::Duration limit) {
  const std::lock_guard<std::mutex> lock(mutex_);
  armed_ = true;
  deadline_ = std::chrono::steady_clock::now() + absl::ToChronoMilliseconds(limit);
  // A thread that sleeps until an earlier moment finds the new one then; waking it for every packet
  // would cost more than the packet.
  if (idle_ || deadline_ < sleeping_until_) changed_.notify_all();
}

void Watchdog::Disarm() {
  // The thread may sleep on: it looks again before it fires.
  const std::lock_guard<std::mutex> lock(mutex_);
  armed_ = false;
}

bool Watchdog::fired() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return fired_;
}

void Watchdog::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!ending_ && !fired_) {
    if (!armed_) {
      idle_ = true;
      changed_.wait(lock);
      idle_ = false;
    } else if (std::chrono::steady_clock::now() < deadline_) {
      sleeping_until_ = deadline_;
      changed_.wait_until(lock, sleeping_until_);
    } else {
      fired_ = true;
      if (fd_ >= 0) shutdown(fd_, SHUT_RDWR);
    }
  }
}

}  // namespace trustline
