#include "controller/new_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "trust/status_macros.h"

namespace trustline::controller {
namespace {

absl::Status Failed(absl::string_view what, absl::string_view path, int error) {
  return absl::ErrnoToStatus(error, absl::StrCat("cannot ", what, " ", path));
}

absl::Status Taken(absl::string_view path) {
  return absl::AlreadyExistsError(
      absl::StrCat(path, " is there already; nothing was written. Move it away to make a new one"));
}

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::Status SyncDirectory(const std::string& directory) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Failed("open directory", directory, errno);
  const int error = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  return error == 0 ? absl::OkStatus() : Failed("sync directory", directory, error);
}

// 0 or errno. Never replaces: some file systems know no RENAME_NOREPLACE, all of those know link.
int MoveWithoutReplacing(const std::string& from, const std::string& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  if (link(from.c_str(), to.c_str()) != 0) return errno;
  unlink(from.c_str());
  return 0;
}

int WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes.remove_prefix(written);
  }
  return 0;
}

}  // namespace

NewFiles::~NewFiles() {
  for (File& file : files_) explicit_bzero(file.content.data(), file.content.size());
}

void NewFiles::Add(std::string path, std::string content, mode_t mode) {
  File& file = files_.emplace_back();
  file.path = std::move(path);
  file.content = std::move(content);
  file.mode = mode;
}

absl::Status NewFiles::Create() {
  for (const File& file : files_) {
    struct stat found;
    if (!replace_ && lstat(file.path.c_str(), &found) == 0) return Taken(file.path);
  }
  absl::Status status;
  for (File& file : files_) {
    if (status.ok()) status = Write(&file);
  }
  for (File& file : files_) {
    if (status.ok()) status = Publish(&file);
  }
  std::set<std::string> directories;
  for (const File& file : files_) directories.insert(DirectoryOf(file.path));
  for (const std::string& directory : directories) {
    if (status.ok()) status = SyncDirectory(directory);
  }
  if (status.ok()) return status;
  for (File& file : files_) {
    if (!file.temporary.empty()) unlink(file.temporary.c_str());
    if (file.published && !replace_) unlink(file.path.c_str());
    file.published = false;
  }
  return status;
}

absl::Status NewFiles::Write(File* file) {
  std::string name = absl::StrCat(file->path, ".new-XXXXXX");
  const int fd = mkostemp(name.data(), O_CLOEXEC);  // 0600 from its first moment
  if (fd < 0) return Failed("create", file->path, errno);
  file->temporary = name;
  int error = WriteAll(fd, file->content);
  if (error == 0 && fchmod(fd, file->mode) != 0) error = errno;
  if (error == 0 && fsync(fd) != 0) error = errno;
  if (close(fd) != 0 && error == 0) error = errno;
  return error == 0 ? absl::OkStatus() : Failed("write", file->path, error);
}

absl::Status NewFiles::Publish(File* file) {
  int error = 0;
  if (!replace_) {
    error = MoveWithoutReplacing(file->temporary, file->path);
  } else if (rename(file->temporary.c_str(), file->path.c_str()) != 0) {
    error = errno;
  }
  if (error == EEXIST) return Taken(file->path);
  if (error != 0) return Failed("create", file->path, error);
  file->temporary.clear();
  file->published = true;
  return absl::OkStatus();
}

absl::Status MakePrivateDirectory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0) {
    if (chmod(path.c_str(), 0700) != 0) return Failed("set the mode of", path, errno);  // umask
    return SyncDirectory(DirectoryOf(path));
  }
  if (errno != EEXIST) return Failed("make directory", path, errno);
  struct stat found;
  if (stat(path.c_str(), &found) != 0) return Failed("look at", path, errno);
  if (!S_ISDIR(found.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is there and is not a directory"));
  }
  return absl::OkStatus();
}

}  // namespace trustline::controller
