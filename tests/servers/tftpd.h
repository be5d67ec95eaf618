// A real TFTP server (in.tftpd) for one test, on 127.0.0.1 with a directory of its own. Needs root:
// it shuts itself into that directory and then becomes "nobody".
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "tests/support/temp_directory.h"

namespace trustline {

// Starts in the constructor, is killed in the destructor with what it forked.
class Tftpd {
 public:
  Tftpd();
  ~Tftpd();
  Tftpd(const Tftpd&) = delete;
  Tftpd& operator=(const Tftpd&) = delete;

  // Empty when it answers; otherwise what is missing, or went wrong.
  const std::string& problem() const { return problem_; }
  uint16_t port() const { return port_; }
  // What it answers for NAME from now on.
  void Serve(const std::string& name, const std::string& bytes) const;

 private:
  std::string Start();
  // True when it answers at port_; false when it ended, as for a port that is taken.
  bool Launch();
  void Kill();

  // Directly below /tmp: "nobody" must get there, and TMPDIR may be somebody's own.
  testing::TempDirectory directory_{"/tmp"};
  uint16_t port_ = 0;
  pid_t pid_ = -1;
  std::string problem_;
};

}  // namespace trustline
