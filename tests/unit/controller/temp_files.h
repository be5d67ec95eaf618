// Playbooks and inventories in a directory of their own.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace trustline::controller {

// Removed with everything in it at the end.
class TempFiles {
 public:
  TempFiles() {
    std::string pattern = ::testing::TempDir() + "/trustline-controller-XXXXXX";
    directory_ = mkdtemp(pattern.data());
  }
  ~TempFiles() {
    std::error_code error;
    std::filesystem::remove_all(directory_, error);
  }
  TempFiles(const TempFiles&) = delete;
  TempFiles& operator=(const TempFiles&) = delete;

  // Makes directories on the way; returns the full path.
  std::string Write(const std::string& name, const std::string& content) const {
    const std::filesystem::path path = std::filesystem::path(directory_) / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
    return path.string();
  }
  std::string Path(const std::string& name) const { return directory_ + "/" + name; }
  const std::string& directory() const { return directory_; }

 private:
  std::string directory_;
};

}  // namespace trustline::controller
