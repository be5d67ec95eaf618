// A directory of a test's own.
#pragma once

#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>

namespace trustline::testing {

// Removed with everything in it at the end. Its path is plain, as agents want theirs: no links, no
// slash at the end. Only its owner gets in.
class TempDirectory {
 public:
  // Below TMPDIR, else /tmp. Ends the program where none can be made.
  TempDirectory() : TempDirectory(std::filesystem::temp_directory_path()) {}
  explicit TempDirectory(const std::filesystem::path& base) {
    std::error_code error;
    path_ = (std::filesystem::canonical(base, error) / "tl-test-XXXXXX").string();
    if (error || mkdtemp(path_.data()) == nullptr) {
      std::perror(path_.c_str());
      std::abort();
    }
  }
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace trustline::testing
