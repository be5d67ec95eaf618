#include "controller/secrets.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

namespace trustline::controller {
namespace {

constexpr size_t kMaxSecretBytes = 64 * 1024;

class OpenFile {
 public:
  explicit OpenFile(const std::string& path)
      : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~OpenFile() {
    if (fd_ >= 0) close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

absl::Status Cannot(absl::string_view why) { return absl::FailedPreconditionError(why); }

absl::StatusOr<std::string> ReadSecretFile(const std::string& path) {
  OpenFile file(path);
  if (file.fd() < 0) return Cannot(std::strerror(errno));
  struct stat status {};
  if (fstat(file.fd(), &status) != 0) return Cannot(std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return Cannot("not a regular file");
  std::string content;
  char buffer[4096];
  while (true) {
    const ssize_t got = read(file.fd(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Cannot(std::strerror(errno));
    if (got == 0) break;
    content.append(buffer, static_cast<size_t>(got));
    if (content.size() > kMaxSecretBytes) return Cannot("larger than 64 KiB");
  }
  if (!absl::StrContains(content, "-----BEGIN ")) {
    absl::string_view trimmed = content;
    if (absl::ConsumeSuffix(&trimmed, "\n")) absl::ConsumeSuffix(&trimmed, "\r");
    content.resize(trimmed.size());
  }
  return content;
}

absl::StatusOr<std::string> ReadSecret(absl::string_view name, const std::string& directory) {
  if (absl::ConsumePrefix(&name, "env:")) {
    const char* value = std::getenv(std::string(name).c_str());
    if (value == nullptr) return Cannot("the environment variable is not set");
    return std::string(value);
  }
  if (absl::ConsumePrefix(&name, "file:")) {
    const std::filesystem::path path{std::string(name)};
    return ReadSecretFile(path.is_absolute() ? path.string()
                                             : (std::filesystem::path(directory) / path).string());
  }
  return Cannot("a secret is !env NAME or !file PATH");
}

}  // namespace

absl::StatusOr<v1::SecretValues> ResolveSecrets(const std::vector<std::string>& names,
                                                const std::string& directory) {
  v1::SecretValues values;
  std::vector<std::string> problems;
  for (const std::string& name : names) {
    absl::StatusOr<std::string> value = ReadSecret(name, directory);
    if (value.ok() && value->empty()) value = Cannot("it is empty");
    if (!value.ok()) {
      problems.push_back(absl::StrCat("secret ", name, ": ", value.status().message()));
      continue;
    }
    (*values.mutable_by_name())[name] = *std::move(value);
  }
  if (!problems.empty()) return absl::FailedPreconditionError(absl::StrJoin(problems, "; "));
  return values;
}

}  // namespace trustline::controller
