// What the programs of a benchmark share: files in one directory, made anew for each run.
#pragma once

#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace trustline::bench {

inline constexpr char kCertificateFile[] = "tvs.pem";
inline constexpr char kCertificateDerFile[] = "tvs.der";
inline constexpr char kKeyFile[] = "tvs.key";
inline constexpr char kQuestionFile[] = "question";  // a QUERY, as a frame
inline constexpr char kAnswerFile[] = "answer";      // what the service must say to it

// The file's bytes; ends the program when it cannot be read.
inline std::string ReadWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  if (!file) {
    std::perror(path.c_str());
    std::exit(1);
  }
  return bytes.str();
}

// As many descriptors as this process may have: one per connection.
inline void AllowDescriptors() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &files) != 0) {
    std::perror("RLIMIT_NOFILE");
    std::exit(1);
  }
}

}  // namespace trustline::bench
