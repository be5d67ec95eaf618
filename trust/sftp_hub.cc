#include "trust/sftp_hub.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "trust/status_macros.h"
#include "trust/wiped_string.h"

namespace trustline {
namespace {

constexpr size_t kMaxListedEntries = 65536;
constexpr uint32_t kDefaultPort = 22;
constexpr uint32_t kDefaultTimeoutSeconds = 15;
constexpr uint32_t kMaxTimeoutSeconds = 3600;

// A path may be relative to the login's directory or absolute; parts keep to CheckHubPath's rules.
absl::Status CheckDirectory(absl::string_view directory) {
  absl::string_view relative = directory;
  if (relative == "." || relative == "/") return absl::OkStatus();
  if (absl::StartsWith(relative, "/")) relative.remove_prefix(1);
  const absl::Status status = CheckHubPath(relative);
  if (status.ok()) return status;
  return absl::InvalidArgumentError(
      absl::StrCat("the hub's directory cannot be used: ", status.message()));
}

std::string RandomHex() {
  std::random_device device;
  return absl::StrCat(absl::Hex(device(), absl::kZeroPad8), absl::Hex(device(), absl::kZeroPad8));
}

absl::string_view DirectoryOf(absl::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == absl::string_view::npos) return ".";
  return slash == 0 ? absl::string_view("/") : path.substr(0, slash);
}

// Tells one publication's tries of each other: what an earlier one, whose link dropped, may have
// left.
struct Upload {
  std::string temporary;         // to be removed when not empty
  bool rename_was_sent = false;  // so the file, if it is there, may be ours
};

class SftpHub : public Hub {
 public:
  SftpHub(SshServer server, std::string directory, bool by_key, absl::string_view secret,
          const SftpRetry& retry, const SftpConnector& connector)
      : server_(std::move(server)),
        directory_(std::move(directory)),
        by_key_(by_key),
        secret_(secret),
        retry_(retry),
        connector_(connector) {}

  absl::Status Connect() {
    return Retried([this] { return EnsureConnected(); });
  }

  absl::StatusOr<std::vector<HubEntry>> List(absl::string_view directory) override;
  absl::StatusOr<std::string> Read(absl::string_view path, uint64_t max_bytes) override;
  absl::Status Publish(absl::string_view path, absl::string_view bytes) override;

 private:
  // Runs `attempt` on a living connection, again while it is Unavailable.
  template <typename Attempt>
  absl::Status Retried(Attempt attempt);
  absl::Status EnsureConnected();
  absl::Status PublishOnce(absl::string_view path, absl::string_view bytes, Upload* upload);
  absl::Status WriteTemporary(absl::string_view temporary, absl::string_view bytes);
  absl::Status MakeDirectories(absl::string_view directory);
  absl::StatusOr<bool> Exists(absl::string_view path);
  // Gives a "failure" without reason the reason the disk's free space tells.
  absl::Status ExplainWrite(absl::Status status, absl::string_view path, uint64_t wanted);
  std::string Full(absl::string_view path) const;
  absl::Status Said(const absl::Status& status) const;

  const SshServer server_;
  const std::string directory_;
  const bool by_key_;
  const WipedString secret_;
  const SftpRetry retry_;
  const SftpConnector connector_;
  std::unique_ptr<SftpClient> client_;
};

std::string SftpHub::Full(absl::string_view path) const {
  if (path.empty()) return directory_;
  if (directory_ == ".") return std::string(path);
  return absl::StrCat(directory_, directory_ == "/" ? "" : "/", path);
}

absl::Status SftpHub::Said(const absl::Status& status) const {
  if (status.ok()) return status;
  // What comes from the connection names host and port already.
  if (absl::StartsWith(status.message(), absl::StrCat(server_.host, ":"))) {
    return absl::Status(status.code(), absl::StrCat("hub ", status.message()));
  }
  return absl::Status(status.code(), absl::StrCat("hub ", server_.host, ": ", status.message()));
}

absl::Status SftpHub::EnsureConnected() {
  if (client_ != nullptr && !client_->broken()) return absl::OkStatus();
  client_.reset();
  SshLogin login;
  (by_key_ ? login.private_key : login.password) = secret_.view();
  TL_ASSIGN_OR_RETURN(std::unique_ptr<SftpStream> stream, connector_(server_, login));
  TL_ASSIGN_OR_RETURN(client_, SftpClient::Start(std::move(stream)));
  return absl::OkStatus();
}

template <typename Attempt>
absl::Status SftpHub::Retried(Attempt attempt) {
  for (int failed = 1;; ++failed) {
    absl::Status status = EnsureConnected();
    if (status.ok()) {
      status = attempt();
    } else if (absl::IsNotFound(status)) {
      // "Not found" speaks of files; no connection is no word about any.
      status = absl::FailedPreconditionError(status.message());
    }
    if (!absl::IsUnavailable(status)) return Said(status);
    if (failed >= retry_.tries) {
      if (failed == 1) return Said(status);
      return Said(absl::UnavailableError(
          absl::StrCat(status.message(), " (given up after ", failed, " tries)")));
    }
    const absl::Duration ceiling =
        std::min(retry_.max_delay, retry_.first_delay * std::ldexp(1.0, failed - 1));
    retry_.sleep(ceiling * retry_.jitter());
  }
}

absl::StatusOr<std::vector<HubEntry>> SftpHub::List(absl::string_view directory) {
  if (!directory.empty()) TL_RETURN_IF_ERROR(CheckHubPath(directory));
  std::vector<HubEntry> entries;
  TL_RETURN_IF_ERROR(Retried([&]() -> absl::Status {
    entries.clear();
    TL_ASSIGN_OR_RETURN(std::vector<SftpName> names,
                        client_->ReadDirectory(Full(directory), kMaxListedEntries));
    for (SftpName& name : names) {
      HubEntry entry;
      entry.name = std::move(name.name);
      entry.size = name.attributes.size.value_or(0);
      entry.is_directory = name.attributes.is_directory();
      entries.push_back(std::move(entry));
    }
    return absl::OkStatus();
  }));
  std::sort(entries.begin(), entries.end(),
            [](const HubEntry& a, const HubEntry& b) { return a.name < b.name; });
  return entries;
}

absl::StatusOr<std::string> SftpHub::Read(absl::string_view path, uint64_t max_bytes) {
  TL_RETURN_IF_ERROR(CheckHubPath(path));
  std::string content;
  TL_RETURN_IF_ERROR(Retried([&]() -> absl::Status {
    TL_ASSIGN_OR_RETURN(content, client_->ReadFile(Full(path), max_bytes));
    return absl::OkStatus();
  }));
  return content;
}

absl::StatusOr<bool> SftpHub::Exists(absl::string_view path) {
  const absl::Status status = client_->Stat(path).status();
  if (status.ok()) return true;
  if (absl::IsNotFound(status)) return false;
  return status;
}

absl::Status SftpHub::MakeDirectories(absl::string_view directory) {
  TL_ASSIGN_OR_RETURN(const bool there, Exists(directory));
  if (there) return absl::OkStatus();
  const absl::string_view parent = DirectoryOf(directory);
  if (parent != directory) TL_RETURN_IF_ERROR(MakeDirectories(parent));
  const absl::Status made = client_->MakeDirectory(directory);
  if (made.ok() || client_->broken()) return made;
  // Another node may have made it at the same moment.
  const absl::StatusOr<bool> now = Exists(directory);
  return now.ok() && *now ? absl::OkStatus() : ExplainWrite(made, DirectoryOf(directory), 0);
}

absl::Status SftpHub::ExplainWrite(absl::Status status, absl::string_view path, uint64_t wanted) {
  if (!absl::IsInternal(status) || client_->broken()) return status;
  // A file takes whole blocks and an entry in its directory.
  constexpr uint64_t kOverhead = 64 << 10;
  const absl::StatusOr<uint64_t> free = client_->FreeBytes(DirectoryOf(path));
  if (absl::IsUnavailable(free.status())) return free.status();
  if (free.ok() && *free < wanted + kOverhead) {
    return absl::ResourceExhaustedError(absl::StrCat(status.message(), ": the hub's disk is full (",
                                                     *free, " bytes free, ", wanted,
                                                     " to be written); make room and run again"));
  }
  return absl::InternalError(absl::StrCat(
      status.message(), ": the server gives no reason; look at its disk, quota and log"));
}

absl::Status SftpHub::WriteTemporary(absl::string_view temporary, absl::string_view bytes) {
  absl::Status written = client_->WriteNewFile(temporary, bytes);
  if (absl::IsNotFound(written)) {
    TL_RETURN_IF_ERROR(MakeDirectories(DirectoryOf(temporary)));
    written = client_->WriteNewFile(temporary, bytes);
    if (absl::IsNotFound(written)) return absl::FailedPreconditionError(written.message());
  }
  return written;
}

absl::Status SftpHub::PublishOnce(absl::string_view path, absl::string_view bytes, Upload* upload) {
  const std::string target = Full(path);
  const absl::Status taken =
      absl::AlreadyExistsError(absl::StrCat(target, ": exists and is not replaced"));
  if (!upload->temporary.empty()) {
    const absl::Status removed = client_->Remove(upload->temporary);
    if (client_->broken()) return removed;
    upload->temporary.clear();
  }
  TL_ASSIGN_OR_RETURN(const bool exists, Exists(target));
  if (exists) {
    if (!upload->rename_was_sent) return taken;
    const absl::StatusOr<std::string> there = client_->ReadFile(target, bytes.size());
    if (there.ok() && *there == bytes) return absl::OkStatus();
    return absl::IsUnavailable(there.status()) ? there.status() : taken;
  }

  const absl::string_view directory = DirectoryOf(target);
  const size_t slash = target.rfind('/');
  const std::string name = slash == std::string::npos ? target : target.substr(slash + 1);
  upload->temporary = absl::StrCat(slash == std::string::npos ? "" : target.substr(0, slash + 1),
                                   ".", name, ".", RandomHex(), ".part");
  absl::Status status = WriteTemporary(upload->temporary, bytes);
  const bool written = status.ok();
  if (written) {
    upload->rename_was_sent = true;
    status = client_->Rename(upload->temporary, target);
  }
  if (status.ok()) {
    upload->temporary.clear();
    return status;
  }
  // The link is gone: the next try, or nobody, cleans up; readers ignore the name.
  if (client_->broken()) return status;
  upload->rename_was_sent = false;
  // While the half-written file still takes its room, so that a full disk looks full.
  status = ExplainWrite(status, absl::StrCat(directory, "/."), bytes.size());
  if (client_->broken()) return status;
  const absl::Status removed = client_->Remove(upload->temporary);
  if (removed.ok() || absl::IsNotFound(removed)) upload->temporary.clear();
  if (client_->broken()) return removed;
  if (written) {
    TL_ASSIGN_OR_RETURN(const bool now_exists, Exists(target));
    if (now_exists) return taken;
  }
  return status;
}

absl::Status SftpHub::Publish(absl::string_view path, absl::string_view bytes) {
  TL_RETURN_IF_ERROR(CheckHubPath(path));
  Upload upload;
  return Retried([&] { return PublishOnce(path, bytes, &upload); });
}

double RandomJitter() {
  thread_local std::mt19937_64 generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.0, 1.0)(generator);
}

SftpRetry WithDefaults(SftpRetry retry) {
  if (!retry.jitter) retry.jitter = RandomJitter;
  if (!retry.sleep) retry.sleep = [](absl::Duration wait) { absl::SleepFor(wait); };
  retry.tries = std::max(retry.tries, 1);
  return retry;
}

}  // namespace

SftpDialer::SftpDialer(SftpRetry retry, SftpConnector connector)
    : retry_(WithDefaults(std::move(retry))),
      connector_(connector ? std::move(connector) : SftpConnector(OpenSftpStream)) {}

absl::StatusOr<std::unique_ptr<Hub>> SftpDialer::Dial(const v1::HubAddress& address,
                                                      const v1::SecretValues& secrets) {
  const uint32_t port = address.port() == 0 ? kDefaultPort : address.port();
  if (port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("hub ", address.host(), ": ", port, " is not a TCP port"));
  }
  const uint32_t timeout =
      address.timeout_seconds() == 0 ? kDefaultTimeoutSeconds : address.timeout_seconds();
  if (timeout > kMaxTimeoutSeconds) {
    return absl::InvalidArgumentError(absl::StrCat("hub ", address.host(), ": timeout_seconds ",
                                                   timeout, " is above ", kMaxTimeoutSeconds));
  }
  std::string directory = address.directory().empty() ? "." : address.directory();
  while (directory.size() > 1 && directory.back() == '/') directory.pop_back();
  TL_RETURN_IF_ERROR(CheckDirectory(directory));
  if (address.has_password() == address.has_private_key()) {
    return absl::InvalidArgumentError(
        absl::StrCat("hub ", address.host(), ": give either password or private_key"));
  }
  const bool by_key = address.has_private_key();
  TL_ASSIGN_OR_RETURN(const absl::string_view secret,
                      HubSecret(by_key ? address.private_key() : address.password(), secrets));
  SshServer server;
  server.host = address.host();
  server.port = static_cast<uint16_t>(port);
  server.user = address.user();
  server.host_key = address.host_key();
  server.known_hosts = address.known_hosts();
  server.timeout = absl::Seconds(timeout);
  auto hub = std::make_unique<SftpHub>(std::move(server), std::move(directory), by_key, secret,
                                       retry_, connector_);
  TL_RETURN_IF_ERROR(hub->Connect());
  return hub;
}

}  // namespace trustline
