#include "agent/service/identity_keeper.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "trust/certificate.h"
#include "trust/identity.h"
#include "trust/private_key.h"
#include "trust/sha256.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

constexpr off_t kLargestFile = 1 << 20;
constexpr const char* kLink = "current";

absl::Status FileError(absl::string_view what, const std::string& path, int error) {
  return absl::ErrnoToStatus(error, absl::StrCat(what, " ", path));
}

// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

absl::StatusOr<std::string> ReadWhole(const std::string& path, bool is_private) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return FileError("read", path, errno);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return FileError("read", path, errno);
  if (!S_ISREG(info.st_mode))
    return absl::FailedPreconditionError(absl::StrCat(path, " is not a regular file"));
  if (info.st_size > kLargestFile)
    return absl::FailedPreconditionError(absl::StrCat(path, " is larger than 1 MiB"));
  if (is_private && (info.st_mode & 077) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " can be read by others than its owner; chmod 0600 it"));
  }
  std::string bytes;
  char buffer[16384];
  for (;;) {
    const ssize_t n = ::read(file.get(), buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FileError("read", path, errno);
    if (n == 0) break;
    bytes.append(buffer, static_cast<size_t>(n));
    if (bytes.size() > static_cast<size_t>(kLargestFile))
      return absl::FailedPreconditionError(absl::StrCat(path, " is larger than 1 MiB"));
  }
  return bytes;
}

absl::Status WriteNew(const std::string& path, const std::string& bytes, timespec modified) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.get() < 0) return FileError("create", path, errno);
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::write(file.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return FileError("write", path, errno);
    done += static_cast<size_t>(n);
  }
  const timespec times[2] = {modified, modified};
  if (::futimens(file.get(), times) != 0) return FileError("set the time of", path, errno);
  if (::fsync(file.get()) != 0) return FileError("sync", path, errno);
  return absl::OkStatus();
}

absl::Status MakePrivateDirectory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return FileError("create directory", path, errno);
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return FileError("look at", path, errno);
  if (!S_ISDIR(info.st_mode))
    return absl::FailedPreconditionError(absl::StrCat(path, " is not a directory"));
  if ((info.st_mode & 077) != 0 && ::chmod(path.c_str(), 0700) != 0)
    return FileError("make private", path, errno);
  return absl::OkStatus();
}

std::string Join(const std::string& directory, absl::string_view name) {
  return absl::StrCat(directory, "/", name);
}

}  // namespace

struct IdentityKeeper::Files {
  std::string certificate, key, ca;
  std::string Digest() const {
    return Sha256(absl::StrCat(Sha256(certificate), Sha256(key), Sha256(ca)));
  }
};

IdentityKeeper::IdentityKeeper(const v1::AgentConfig& config, const Clock& clock)
    : node_(config.node()),
      domain_(config.domain()),
      sources_(config.identity()),
      state_directory_(config.state_directory()),
      directory_(Join(config.state_directory(), "identity")),
      key_path_(Join(directory_, absl::StrCat(kLink, "/key.pem"))),
      certificate_path_(Join(directory_, absl::StrCat(kLink, "/certificate.pem"))),
      ca_path_(Join(directory_, absl::StrCat(kLink, "/ca.pem"))),
      clock_(clock) {}

IdentityKeeper::~IdentityKeeper() = default;

absl::StatusOr<std::unique_ptr<IdentityKeeper>> IdentityKeeper::Open(const v1::AgentConfig& config,
                                                                     const Clock& clock) {
  std::unique_ptr<IdentityKeeper> keeper(new IdentityKeeper(config, clock));
  TL_ASSIGN_OR_RETURN(const Files files, keeper->ReadFiles());
  TL_ASSIGN_OR_RETURN(NodeIdentity identity, keeper->Validate(files));
  std::error_code error;
  std::filesystem::create_directories(keeper->state_directory_, error);
  if (error)
    return absl::FailedPreconditionError(
        absl::StrCat("create state directory ", keeper->state_directory_, ": ", error.message()));
  TL_RETURN_IF_ERROR(MakePrivateDirectory(keeper->directory_));
  std::lock_guard<std::mutex> lock(keeper->mutex_);
  TL_RETURN_IF_ERROR(keeper->Publish(files));
  keeper->current_ = std::make_unique<NodeIdentity>(std::move(identity));
  keeper->current_digest_ = files.Digest();
  return keeper;
}

absl::Status IdentityKeeper::Check(const v1::AgentConfig& config, const Clock& clock) {
  const IdentityKeeper keeper(config, clock);
  TL_ASSIGN_OR_RETURN(const Files files, keeper.ReadFiles());
  return keeper.Validate(files).status();
}

NodeIdentity IdentityKeeper::Current() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return *current_;
}

absl::StatusOr<bool> IdentityKeeper::Poll() {
  std::lock_guard<std::mutex> lock(mutex_);
  absl::StatusOr<Files> files = ReadFiles();
  const std::string digest =
      files.ok() ? files->Digest() : absl::StrCat("unreadable: ", files.status().message());
  if (digest == current_digest_) {
    refused_digest_.clear();
    return false;
  }
  if (digest == refused_digest_) return false;
  absl::StatusOr<NodeIdentity> identity =
      files.ok() ? Validate(*files) : absl::StatusOr<NodeIdentity>(files.status());
  const absl::Status taken = identity.ok() ? Publish(*files) : identity.status();
  if (!taken.ok()) {
    refused_digest_ = digest;
    return absl::Status(
        taken.code(),
        absl::StrCat("the new identity is not used, the old one stays: ", taken.message()));
  }
  *current_ = *std::move(identity);
  current_digest_ = digest;
  refused_digest_.clear();
  return true;
}

absl::StatusOr<IdentityKeeper::Files> IdentityKeeper::ReadFiles() const {
  Files files;
  TL_ASSIGN_OR_RETURN(files.certificate, ReadWhole(sources_.certificate(), false));
  TL_ASSIGN_OR_RETURN(files.key, ReadWhole(sources_.key(), true));
  TL_ASSIGN_OR_RETURN(files.ca, ReadWhole(sources_.ca(), false));
  return files;
}

absl::StatusOr<NodeIdentity> IdentityKeeper::Validate(const Files& files) const {
  const auto in_file = [](const std::string& path, const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
  };
  absl::StatusOr<Certificate> certificate = Certificate::FromPem(files.certificate);
  if (!certificate.ok()) return in_file(sources_.certificate(), certificate.status());
  absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(files.key);
  if (!key.ok()) return in_file(sources_.key(), key.status());
  absl::StatusOr<std::vector<Certificate>> roots = Certificate::AllFromPem(files.ca);
  if (!roots.ok()) return in_file(sources_.ca(), roots.status());
  if (roots->empty())
    return absl::InvalidArgumentError(absl::StrCat(sources_.ca(), " holds no certificate"));
  if (!key->Matches(*certificate)) {
    return absl::FailedPreconditionError(absl::StrCat("the key ", sources_.key(),
                                                      " does not belong to the certificate ",
                                                      sources_.certificate()));
  }
  const absl::StatusOr<Identity> identity = IdentityOf(*certificate);
  if (!identity.ok()) return in_file(sources_.certificate(), identity.status());
  const Identity wanted{domain_, IdentityKind::kAgent, node_};
  if (*identity != wanted) {
    return absl::FailedPreconditionError(absl::StrCat(sources_.certificate(),
                                                      " is the certificate of ", identity->ToUri(),
                                                      ", this agent is ", wanted.ToUri()));
  }
  if (const absl::Status chain = VerifyChain(*certificate, *roots, clock_.Now()); !chain.ok()) {
    return absl::FailedPreconditionError(absl::StrCat(
        sources_.certificate(), " does not hold against ", sources_.ca(), ": ", chain.message()));
  }
  return NodeIdentity{node_, domain_, *std::move(certificate), *std::move(key), *std::move(roots)};
}

absl::Status IdentityKeeper::Publish(const Files& files) {
  namespace fs = std::filesystem;
  // Names are numbers; a restart goes on after the highest.
  std::vector<std::pair<uint64_t, std::string>> generations;
  std::error_code error;
  for (fs::directory_iterator it(directory_, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    uint64_t number = 0;
    if (name != kLink && absl::SimpleAtoi(name, &number))
      generations.emplace_back(number, it->path().string());
  }
  if (error)
    return absl::FailedPreconditionError(absl::StrCat("list ", directory_, ": ", error.message()));
  std::sort(generations.begin(), generations.end());
  if (!generations.empty()) generation_ = std::max(generation_, generations.back().first);
  ++generation_;

  // gRPC reads certificate and key one after the other and takes them for one set when neither
  // file's modification time, in seconds, changed meanwhile. So no two generations may share a
  // second: each file carries its generation number as its time.
  timespec modified{};
  modified.tv_sec = static_cast<time_t>(generation_);
  const std::string directory = Join(directory_, absl::StrCat(generation_));
  const std::string fresh_link = Join(directory_, absl::StrCat("link.", generation_));
  const auto put = [&]() -> absl::Status {
    if (::mkdir(directory.c_str(), 0700) != 0)
      return FileError("create directory", directory, errno);
    TL_RETURN_IF_ERROR(WriteNew(Join(directory, "certificate.pem"), files.certificate, modified));
    TL_RETURN_IF_ERROR(WriteNew(Join(directory, "key.pem"), files.key, modified));
    TL_RETURN_IF_ERROR(WriteNew(Join(directory, "ca.pem"), files.ca, modified));
    const std::string target = absl::StrCat(generation_);
    ::unlink(fresh_link.c_str());
    if (::symlink(target.c_str(), fresh_link.c_str()) != 0)
      return FileError("link", fresh_link, errno);
    const std::string link = Join(directory_, kLink);
    if (::rename(fresh_link.c_str(), link.c_str()) != 0) return FileError("replace", link, errno);
    return absl::OkStatus();
  };
  if (const absl::Status status = put(); !status.ok()) {
    ::unlink(fresh_link.c_str());
    fs::remove_all(directory, error);  // the error that matters is `status`
    return status;
  }
  // The one before stays for a reader that is between two files; older copies of keys are not kept.
  // What cannot be removed now is tried again at the next change.
  if (!generations.empty()) generations.pop_back();
  for (const auto& [number, path] : generations) fs::remove_all(path, error);
  return absl::OkStatus();
}

}  // namespace trustline::agent
