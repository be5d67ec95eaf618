#include "agent/posix_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/staged_name.h"
#include "agent/unique_fd.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

constexpr size_t kMaxFileBytes = 64 << 20;
constexpr char kCapability[] = "security.capability";

absl::Status FromErrno(int error, absl::string_view what, absl::string_view path) {
  const std::string message = absl::StrCat(what, " ", path, ": ", ::strerror(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(message);
    case EEXIST:
      return absl::AlreadyExistsError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
      return absl::ResourceExhaustedError(message);
    case ELOOP:
    case ENOTDIR:
    case EISDIR:
    case ENOTSUP:
      return absl::FailedPreconditionError(message);
    default:
      return absl::InternalError(message);
  }
}

absl::StatusOr<std::vector<std::string>> PartsOf(const std::string& path) {
  if (!absl::StartsWith(path, "/") || absl::StrContains(path, absl::string_view("\0", 1))) {
    return absl::InvalidArgumentError(absl::StrCat("'", path, "' is not an absolute path"));
  }
  std::vector<std::string> parts;
  if (path == "/") return parts;
  for (absl::string_view part : absl::StrSplit(path.substr(1), '/')) {
    if (part.empty() || part == "." || part == "..") {
      return absl::InvalidArgumentError(
          absl::StrCat("'", path, "' is not a plain path: no empty, '.' or '..' parts"));
    }
    parts.emplace_back(part);
  }
  return parts;
}

bool IsSymlinkAt(int directory, const char* name) {
  struct stat st;
  return ::fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
}

absl::Status SyncFd(int directory, const std::string& path) {
  // A descriptor opened with O_PATH cannot be synced.
  const UniqueFd readable(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!readable.valid()) return FromErrno(errno, "open", path);
  if (::fsync(readable.get()) != 0) return FromErrno(errno, "sync", path);
  return absl::OkStatus();
}

// Walks to a directory part by part. `missing`, where given, is asked to make a directory that is
// absent.
absl::StatusOr<UniqueFd> Walk(
    const std::vector<std::string>& parts, size_t count,
    const std::function<absl::Status(int parent, const std::string& name, const std::string& path)>&
        missing = nullptr) {
  UniqueFd at(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!at.valid()) return FromErrno(errno, "open", "/");
  std::string path;
  for (size_t i = 0; i < count; ++i) {
    absl::StrAppend(&path, "/", parts[i]);
    const char* name = parts[i].c_str();
    const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    UniqueFd next(::openat(at.get(), name, flags));
    if (!next.valid() && errno == ENOENT && missing) {
      TL_RETURN_IF_ERROR(missing(at.get(), parts[i], path));
      next = UniqueFd(::openat(at.get(), name, flags));
    }
    if (!next.valid()) {
      const int error = errno;
      if (IsSymlinkAt(at.get(), name)) {
        return absl::FailedPreconditionError(absl::StrCat(path, " is a symbolic link"));
      }
      return FromErrno(error, "open", path);
    }
    at = std::move(next);
  }
  return at;
}

struct Place {
  UniqueFd directory;
  std::string name;
};

absl::StatusOr<Place> PlaceOf(const std::string& path) {
  TL_ASSIGN_OR_RETURN(const std::vector<std::string> parts, PartsOf(path));
  if (parts.empty()) return absl::InvalidArgumentError("'/' is not a file");
  Place place;
  TL_ASSIGN_OR_RETURN(place.directory, Walk(parts, parts.size() - 1));
  place.name = parts.back();
  return place;
}

// OK for a regular file and for nothing.
absl::Status CheckReplaceable(const Place& place, const std::string& path) {
  struct stat st;
  if (::fstatat(place.directory.get(), place.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? absl::OkStatus() : FromErrno(errno, "look at", path);
  }
  if (S_ISREG(st.st_mode)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(path, S_ISLNK(st.st_mode) ? " is a symbolic link" : " is not a regular file"));
}

bool Settable(absl::string_view attribute) {
  return attribute != "security.ima" && attribute != "security.evm";
}

absl::StatusOr<std::map<std::string, std::string>> ReadAttributes(int fd, const std::string& path) {
  std::map<std::string, std::string> attributes;
  std::string names(64 << 10, '\0');  // the kernel's limit for a list
  const ssize_t length = ::flistxattr(fd, names.data(), names.size());
  if (length < 0) {
    if (errno == ENOTSUP) return attributes;
    return FromErrno(errno, "list the attributes of", path);
  }
  names.resize(static_cast<size_t>(length));
  for (absl::string_view name : absl::StrSplit(names, '\0', absl::SkipEmpty())) {
    if (!Settable(name)) continue;
    const std::string text(name);
    std::string value(64 << 10, '\0');  // and for a value
    const ssize_t size = ::fgetxattr(fd, text.c_str(), value.data(), value.size());
    if (size < 0) {
      if (errno == ENODATA) continue;  // gone meanwhile
      return FromErrno(errno, absl::StrCat("read the attribute ", name, " of"), path);
    }
    value.resize(static_cast<size_t>(size));
    attributes.emplace(text, std::move(value));
  }
  return attributes;
}

absl::Status SetAttribute(int fd, const std::string& path, const std::string& name,
                          const std::string& value) {
  if (::fsetxattr(fd, name.c_str(), value.data(), value.size(), 0) == 0) return absl::OkStatus();
  return FromErrno(errno, absl::StrCat("set the attribute ", name, " of"), path);
}

uint64_t Random64() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

}  // namespace

PosixFiles::PosixFiles(std::vector<std::string> writable, CallHook hook)
    : writable_(std::move(writable)), hook_(std::move(hook)) {
  for (std::string& root : writable_) {
    while (root.size() > 1 && root.back() == '/') root.pop_back();
  }
}

absl::Status PosixFiles::CheckWritable(const std::string& path) const {
  TL_RETURN_IF_ERROR(PartsOf(path).status());
  for (const std::string& root : writable_) {
    if (path.size() > root.size() + 1 && absl::StartsWith(path, root) && path[root.size()] == '/') {
      return absl::OkStatus();
    }
  }
  return absl::PermissionDeniedError(absl::StrCat(
      path, " is below no directory this agent may write; see `writable` in agent.yaml"));
}

absl::Status PosixFiles::Before(absl::string_view call, const std::string& target) const {
  return hook_ ? hook_(call, target) : absl::OkStatus();
}

absl::StatusOr<FileImage> PosixFiles::Read(const std::string& path) const {
  TL_ASSIGN_OR_RETURN(const Place place, PlaceOf(path));
  const UniqueFd fd(::openat(place.directory.get(), place.name.c_str(),
                             O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd.valid()) {
    const int error = errno;
    if (IsSymlinkAt(place.directory.get(), place.name.c_str())) {
      return absl::FailedPreconditionError(absl::StrCat(path, " is a symbolic link"));
    }
    if (error == ENXIO) {
      return absl::FailedPreconditionError(absl::StrCat(path, " is not a regular file"));
    }
    return FromErrno(error, "open", path);
  }
  struct stat st;
  if (::fstat(fd.get(), &st) != 0) return FromErrno(errno, "look at", path);
  if (!S_ISREG(st.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is not a regular file"));
  }
  FileImage image;
  image.mode = st.st_mode & 07777;
  image.uid = st.st_uid;
  image.gid = st.st_gid;
  TL_ASSIGN_OR_RETURN(image.xattrs, ReadAttributes(fd.get(), path));
  std::string buffer(64 << 10, '\0');
  while (true) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FromErrno(errno, "read", path);
    if (got == 0) return image;
    if (image.bytes.size() + static_cast<size_t>(got) > kMaxFileBytes) {
      return absl::ResourceExhaustedError(absl::StrCat(path, " is larger than 64 MiB"));
    }
    image.bytes.append(buffer.data(), static_cast<size_t>(got));
  }
}

absl::StatusOr<std::vector<std::string>> PosixFiles::List(const std::string& directory) const {
  TL_ASSIGN_OR_RETURN(const std::vector<std::string> parts, PartsOf(directory));
  TL_ASSIGN_OR_RETURN(const UniqueFd at, Walk(parts, parts.size()));
  const int fd = ::openat(at.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return FromErrno(errno, "open", directory);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd), ::closedir);
  if (stream == nullptr) {
    const int error = errno;
    ::close(fd);
    return FromErrno(error, "list", directory);
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream.get())) {
    const absl::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return FromErrno(errno, "list", directory);
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status PosixFiles::Fill(int fd, const std::string& path, const FileImage& image) {
  struct stat st;
  if (::fstat(fd, &st) != 0) return FromErrno(errno, "look at", path);
  if ((st.st_uid != image.uid || st.st_gid != image.gid) &&
      ::fchown(fd, image.uid, image.gid) != 0) {
    return FromErrno(errno, absl::StrCat("give to ", image.uid, ":", image.gid), path);
  }
  if (::fchmod(fd, image.mode & 07777) != 0) return FromErrno(errno, "set the mode of", path);
  // A directory's default ACL must not widen what was asked for.
  TL_ASSIGN_OR_RETURN(const auto inherited, ReadAttributes(fd, path));
  for (const auto& [name, value] : inherited) {
    if (image.xattrs.count(name) != 0 || absl::StartsWith(name, "security.")) continue;
    if (::fremovexattr(fd, name.c_str()) != 0 && errno != ENODATA) {
      return FromErrno(errno, absl::StrCat("remove the attribute ", name, " of"), path);
    }
  }
  for (const auto& [name, value] : image.xattrs) {
    if (name == kCapability || !Settable(name)) continue;
    const auto present = inherited.find(name);
    if (present != inherited.end() && present->second == value) continue;
    TL_RETURN_IF_ERROR(SetAttribute(fd, path, name, value));
  }
  TL_RETURN_IF_ERROR(Before("write", path));
  size_t done = 0;
  while (done < image.bytes.size()) {
    const ssize_t wrote = ::write(fd, image.bytes.data() + done, image.bytes.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return FromErrno(errno, "write", path);
    done += static_cast<size_t>(wrote);
  }
  // Writing takes capabilities away, so these come last.
  if (const auto capability = image.xattrs.find(kCapability); capability != image.xattrs.end()) {
    TL_RETURN_IF_ERROR(SetAttribute(fd, path, kCapability, capability->second));
  }
  TL_RETURN_IF_ERROR(Before("fsync", path));
  if (::fsync(fd) != 0) return FromErrno(errno, "sync", path);
  return absl::OkStatus();
}

absl::StatusOr<std::string> PosixFiles::Stage(const std::string& target, const FileImage& image) {
  TL_RETURN_IF_ERROR(CheckWritable(target));
  TL_ASSIGN_OR_RETURN(const std::vector<std::string> parts, PartsOf(target));
  Place place;
  place.name = parts.back();
  TL_ASSIGN_OR_RETURN(
      place.directory,
      Walk(parts, parts.size() - 1,
           [this](int parent, const std::string& name, const std::string& path) -> absl::Status {
             TL_RETURN_IF_ERROR(Before("mkdir", path));
             // Said again, as the agent's umask is stricter: other users' services read trust
             // stores and TFTP files.
             if ((::mkdirat(parent, name.c_str(), 0755) != 0 ||
                  ::fchmodat(parent, name.c_str(), 0755, 0) != 0) &&
                 errno != EEXIST) {
               return FromErrno(errno, "make", path);
             }
             return SyncFd(parent, path);
           }));
  TL_RETURN_IF_ERROR(CheckReplaceable(place, target));
  TL_RETURN_IF_ERROR(Before("create", target));
  std::string path;
  UniqueFd fd;
  for (int attempt = 0; attempt < 8 && !fd.valid(); ++attempt) {
    path = StagedPath(target, Random64());
    fd = UniqueFd(::openat(place.directory.get(), NameOf(path).c_str(),
                           O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd.valid() && errno != EEXIST) return FromErrno(errno, "create", path);
  }
  if (!fd.valid()) return FromErrno(EEXIST, "create", path);
  const absl::Status filled = Fill(fd.get(), path, image);
  if (filled.ok()) return path;
  if (::unlinkat(place.directory.get(), NameOf(path).c_str(), 0) != 0) {
    return absl::Status(filled.code(), absl::StrCat(filled.message(), "; and ", path,
                                                    " was left: ", ::strerror(errno)));
  }
  return filled;
}

absl::Status PosixFiles::Rename(const std::string& from, const std::string& to) {
  TL_RETURN_IF_ERROR(CheckWritable(from));
  TL_RETURN_IF_ERROR(CheckWritable(to));
  TL_RETURN_IF_ERROR(Before("rename", to));
  TL_ASSIGN_OR_RETURN(const Place source, PlaceOf(from));
  TL_ASSIGN_OR_RETURN(const Place target, PlaceOf(to));
  TL_RETURN_IF_ERROR(CheckReplaceable(target, to));
  if (::renameat(source.directory.get(), source.name.c_str(), target.directory.get(),
                 target.name.c_str()) != 0) {
    return FromErrno(errno, "rename to", to);
  }
  return absl::OkStatus();
}

absl::Status PosixFiles::Remove(const std::string& path) {
  TL_RETURN_IF_ERROR(CheckWritable(path));
  TL_RETURN_IF_ERROR(Before("remove", path));
  const absl::StatusOr<Place> place = PlaceOf(path);
  if (absl::IsNotFound(place.status())) return absl::OkStatus();
  TL_RETURN_IF_ERROR(place.status());
  TL_RETURN_IF_ERROR(CheckReplaceable(*place, path));
  if (::unlinkat(place->directory.get(), place->name.c_str(), 0) != 0 && errno != ENOENT) {
    return FromErrno(errno, "remove", path);
  }
  return absl::OkStatus();
}

absl::Status PosixFiles::SyncDirectory(const std::string& directory) {
  TL_RETURN_IF_ERROR(Before("sync", directory));
  TL_ASSIGN_OR_RETURN(const std::vector<std::string> parts, PartsOf(directory));
  TL_ASSIGN_OR_RETURN(const UniqueFd at, Walk(parts, parts.size()));
  return SyncFd(at.get(), directory);
}

}  // namespace trustline::agent
