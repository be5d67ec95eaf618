#include "agent/file_replacement.h"

#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

}  // namespace

absl::Status ReplaceFile(Files& files, const std::string& path, const FileImage& image) {
  TL_ASSIGN_OR_RETURN(const std::string staged, files.Stage(path, image));
  const absl::Status renamed = files.Rename(staged, path);
  if (!renamed.ok()) {
    // The rename's error is the one to report; a stray file is found by the next recovery.
    files.Remove(staged).IgnoreError();
    return renamed;
  }
  return files.SyncDirectory(DirectoryOf(path));
}

absl::Status RemoveFileDurably(Files& files, const std::string& path) {
  const absl::StatusOr<FileImage> there = files.Read(path);
  if (absl::IsNotFound(there.status())) return absl::OkStatus();
  TL_RETURN_IF_ERROR(files.Remove(path));
  return files.SyncDirectory(DirectoryOf(path));
}

}  // namespace trustline::agent
