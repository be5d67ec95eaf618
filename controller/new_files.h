// Several new files that appear together: whole, synced, and not over something that is there
// unless that is wanted.
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

  // From now on Create() replaces what is there, each file in one step. When a later file fails, an
  // earlier one that replaced another stays.
  void ReplaceExisting() { replace_ = true; }

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
  bool replace_ = false;
};

// Makes the last part of `path` (0700) unless it is there.
absl::Status MakePrivateDirectory(const std::string& path);

}  // namespace trustline::controller
