#include "trust/tvs/trust_store_view.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "trust/certificate_directory.h"

namespace trustline {
namespace {

constexpr size_t kMostCertificates = 20'000;
constexpr size_t kMostFileBytes = 256 << 10;
constexpr uint32_t kEvents = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE |
                             IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

absl::Status Failed(absl::string_view path, int error) {
  const std::string text = absl::StrCat(path, ": ", std::strerror(error));
  return error == ENOENT ? absl::NotFoundError(text) : absl::UnavailableError(text);
}

absl::StatusOr<std::vector<std::string>> NamesIn(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return Failed(path, errno);
  const std::unique_ptr<DIR, CloseDirectory> directory(fdopendir(fd));
  if (directory == nullptr) {
    close(fd);
    return Failed(path, ENOMEM);
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(directory.get())) {
    const absl::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return Failed(path, errno);
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<std::string> BytesOf(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return Failed(path, errno);
  std::string bytes;
  int error = 0;
  char part[16 << 10];
  while (bytes.size() <= kMostFileBytes) {
    const ssize_t got = read(fd, part, sizeof(part));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error = errno;
    if (got <= 0) break;
    bytes.append(part, static_cast<size_t>(got));
  }
  close(fd);
  if (error != 0) return Failed(path, error);
  if (bytes.size() > kMostFileBytes) {
    return absl::ResourceExhaustedError(absl::StrCat(path, ": larger than a certificate can be"));
  }
  return bytes;
}

// Names of the stores below `root`: directories that could be one.
absl::StatusOr<std::vector<std::string>> StoresIn(const std::string& root) {
  absl::StatusOr<std::vector<std::string>> names = NamesIn(root);
  if (!names.ok()) return names.status();
  std::vector<std::string> stores;
  for (const std::string& name : *names) {
    struct stat info = {};
    if (!CheckStoreName(name).ok()) continue;
    if (lstat(absl::StrCat(root, "/", name).c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
      stores.push_back(name);
    }
  }
  return stores;
}

void ReadStore(const std::string& root, const std::string& store, TrustStores& stores) {
  const std::string directory = absl::StrCat(root, "/", store);
  const absl::StatusOr<std::vector<std::string>> names = NamesIn(directory);
  if (!names.ok()) {
    // Gone since it was listed.
    if (!absl::IsNotFound(names.status())) {
      stores.warnings.emplace_back(names.status().message());
    }
    return;
  }
  for (const std::string& name : *names) {
    absl::string_view stem = name;
    if (!absl::ConsumeSuffix(&stem, kCertificateEnding) || !IsCertificateFileStem(stem)) continue;
    const std::string path = absl::StrCat(directory, "/", name);
    const absl::StatusOr<std::string> bytes = BytesOf(path);
    if (absl::IsNotFound(bytes.status())) continue;
    if (!bytes.ok()) {
      stores.warnings.emplace_back(bytes.status().message());
      continue;
    }
    absl::StatusOr<Certificate> certificate = ReadStoredCertificate(stem, *bytes);
    if (!certificate.ok()) {
      stores.warnings.push_back(absl::StrCat(path, ": ", certificate.status().message()));
      continue;
    }
    if (stores.trusted.size() == kMostCertificates) {
      stores.warnings.push_back(absl::StrCat(root, ": more than ", kMostCertificates,
                                             " certificates; the rest is not vouched for"));
      return;
    }
    stores.trusted.push_back({store, *std::move(certificate)});
  }
}

}  // namespace

TrustStores ReadTrustStores(const std::string& root) {
  TrustStores result;
  const absl::StatusOr<std::vector<std::string>> stores = StoresIn(root);
  if (!stores.ok()) {
    result.warnings.emplace_back(stores.status().message());
    return result;
  }
  for (const std::string& store : *stores) {
    ReadStore(root, store, result);
    if (result.trusted.size() == kMostCertificates) break;
  }
  return result;
}

TrustStoreView::TrustStoreView(std::string root, TvsResponderOptions options, Changed changed)
    : root_(std::move(root)), options_(options), changed_(std::move(changed)) {
  Read();
}

TrustStoreView::~TrustStoreView() {
  if (inotify_ >= 0) close(inotify_);
}

const TvsResponder& TrustStoreView::Now() {
  if (ChangedOnDisk()) Read();
  return *responder_;
}

bool TrustStoreView::ChangedOnDisk() {
  if (blind_) return true;
  struct stat info = {};
  if (stat(root_.c_str(), &info) != 0 || info.st_dev != device_ || info.st_ino != inode_) {
    return true;
  }
  // Whatever it says, and an overflow above all: there is something to read.
  alignas(inotify_event) char events[16 << 10];
  return read(inotify_, events, sizeof(events)) > 0;
}

void TrustStoreView::Watch() {
  // Anew every time: watches of directories that were moved away must not linger.
  if (inotify_ >= 0) close(inotify_);
  inotify_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  struct stat info = {};
  blind_ = inotify_ < 0 || stat(root_.c_str(), &info) != 0 ||
           inotify_add_watch(inotify_, root_.c_str(), kEvents) < 0;
  device_ = info.st_dev;
  inode_ = info.st_ino;
  const absl::StatusOr<std::vector<std::string>> stores = StoresIn(root_);
  if (blind_ || !stores.ok()) {
    blind_ = true;
    return;
  }
  for (const std::string& store : *stores) {
    // Gone since it was listed, or closed to us: the watch of the root tells when that changes.
    if (inotify_add_watch(inotify_, absl::StrCat(root_, "/", store).c_str(), kEvents) < 0 &&
        errno != ENOENT && errno != EACCES) {
      blind_ = true;
    }
  }
}

void TrustStoreView::Read() {
  // First the watch, then the look: what changes in between is seen as a change.
  Watch();
  TrustStores stores = ReadTrustStores(root_);
  if (blind_ && stores.warnings.empty()) {
    stores.warnings.push_back(absl::StrCat(
        root_, ": cannot be watched (", inotify_ < 0 ? "no inotify instance left" : "no watch left",
        "); it is read again for every question"));
  }
  responder_ = std::make_unique<const TvsResponder>(stores.trusted, options_);
  if (changed_) changed_(stores, *responder_);
}

}  // namespace trustline
