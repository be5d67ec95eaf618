// One agent per state directory: two would settle each other's transactions.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace trustline::agent {

// Held until destroyed or until the process ends, however it ends. Child processes do not inherit
// it.
class StateLock {
 public:
  // Makes the directory (0700) when it is absent. FailedPrecondition: another agent holds it, named
  // by its process id.
  static absl::StatusOr<StateLock> Take(const std::string& state_directory);

  StateLock(StateLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  StateLock& operator=(StateLock&&) = delete;
  ~StateLock();

 private:
  explicit StateLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace trustline::agent
