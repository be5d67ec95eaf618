#include "controller/input_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "trust/status_macros.h"

namespace trustline::controller {
namespace {

constexpr size_t kMaxPemBytes = 1 << 20;

absl::StatusOr<std::string> Read(const std::string& path, size_t max_bytes, mode_t* mode) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  const auto closer = absl::MakeCleanup([fd] { close(fd); });
  struct stat info;
  if (fstat(fd, &info) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot look at ", path));
  }
  if (!S_ISREG(info.st_mode))
    return absl::InvalidArgumentError(absl::StrCat(path, " is not a file"));
  if (static_cast<size_t>(info.st_size) > max_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, " has ", info.st_size, " bytes, more than the ", max_bytes, " that are read"));
  }
  *mode = info.st_mode;
  std::string bytes;
  // Room for all of it at once: growing would leave copies of a key behind.
  bytes.reserve(static_cast<size_t>(info.st_size));
  char buffer[65536];
  const auto wiper = absl::MakeCleanup([&buffer] { explicit_bzero(buffer, sizeof(buffer)); });
  while (true) {
    const ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got == 0) return bytes;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
    if (bytes.size() + static_cast<size_t>(got) > max_bytes) {
      return absl::InvalidArgumentError(absl::StrCat(path, " grew while it was read"));
    }
    bytes.append(buffer, static_cast<size_t>(got));
  }
}

absl::Status In(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
}

}  // namespace

absl::StatusOr<std::string> ReadInputFile(const std::string& path, size_t max_bytes) {
  mode_t mode = 0;
  return Read(path, max_bytes, &mode);
}

absl::StatusOr<std::vector<Certificate>> ReadCertificatesFile(const std::string& path) {
  TL_ASSIGN_OR_RETURN(const std::string bytes, ReadInputFile(path, kMaxPemBytes));
  if (!absl::StrContains(bytes, "-----BEGIN")) {
    absl::StatusOr<Certificate> certificate = Certificate::FromDer(bytes);
    if (!certificate.ok()) return In(path, certificate.status());
    return std::vector<Certificate>{*std::move(certificate)};
  }
  absl::StatusOr<std::vector<Certificate>> certificates = Certificate::AllFromPem(bytes);
  if (!certificates.ok()) return In(path, certificates.status());
  if (certificates->empty()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": there is no certificate in it"));
  }
  return certificates;
}

absl::StatusOr<PrivateKey> ReadKeyFile(const std::string& path) {
  mode_t mode = 0;
  TL_ASSIGN_OR_RETURN(std::string bytes, Read(path, kMaxPemBytes, &mode));
  absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(bytes);
  explicit_bzero(bytes.data(), bytes.size());
  if ((mode & 077) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, " can be used by others than its owner; find out who had access, then chmod 600 it"));
  }
  if (!key.ok()) return In(path, key.status());
  return key;
}

}  // namespace trustline::controller
