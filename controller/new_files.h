// Several new files that appear together: whole, synced, and never over something that is there.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace trustline::controller {

// Thread-compatible. Contents are wiped from memory when it goes, since some are keys.
class NewFiles {
 public:
  NewFiles() = default;
  ~NewFiles();
  NewFiles(const NewFiles&) = delete;
  NewFiles& operator=(const NewFiles&) = delete;

  void Add(std::string path, std::string content, mode_t mode);

  // Writes all, in order. AlreadyExists names the file that is there already; NotFound a missing
  // directory. On any error none of the files is left.
  absl::Status Create();

 private:
  struct File {
    std::string path, content;
    mode_t mode;
    std::string temporary;  // while it exists
    bool published = false;
  };
  absl::Status Write(File* file);
  absl::Status Publish(File* file);
  std::vector<File> files_;
};

// Makes the last part of `path` (0700) unless it is there.
absl::Status MakePrivateDirectory(const std::string& path);

}  // namespace trustline::controller
