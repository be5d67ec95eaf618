// Playbooks and inventories in a directory of their own.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/temp_directory.h"

namespace trustline::controller {

// Removed with everything in it at the end.
class TempFiles {
 public:
  // Makes directories on the way; returns the full path.
  std::string Write(const std::string& name, const std::string& content) const {
    const std::filesystem::path path = std::filesystem::path(directory()) / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
    return path.string();
  }
  std::string Path(const std::string& name) const { return directory_.File(name); }
  const std::string& directory() const { return directory_.path(); }

 private:
  testing::TempDirectory directory_;
};

}  // namespace trustline::controller
