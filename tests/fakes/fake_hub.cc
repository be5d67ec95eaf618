#include "tests/fakes/fake_hub.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "trust/status_macros.h"

namespace trustline {
namespace {

absl::Status NoSuchFile(absl::string_view path) {
  return absl::NotFoundError(absl::StrCat("hub: ", path, ": no such file"));
}

std::string TemporaryName(absl::string_view path, int number) {
  const size_t slash = path.rfind('/');
  const absl::string_view directory =
      slash == absl::string_view::npos ? absl::string_view() : path.substr(0, slash + 1);
  return absl::StrCat(directory, ".", absl::StripPrefix(path, directory), ".",
                      absl::Hex(number, absl::kZeroPad8), ".part");
}

}  // namespace

void FakeHubServer::Put(absl::string_view path, absl::string_view bytes) {
  absl::MutexLock lock(&mutex_);
  files_[std::string(path)] = std::string(bytes);
}

bool FakeHubServer::Remove(absl::string_view path) {
  absl::MutexLock lock(&mutex_);
  return files_.erase(std::string(path)) > 0;
}

absl::StatusOr<std::string> FakeHubServer::Get(absl::string_view path) const {
  absl::MutexLock lock(&mutex_);
  const auto found = files_.find(std::string(path));
  if (found == files_.end()) return NoSuchFile(path);
  return found->second;
}

std::map<std::string, std::string> FakeHubServer::Files() const {
  absl::MutexLock lock(&mutex_);
  return files_;
}

void FakeHubServer::Clear() {
  absl::MutexLock lock(&mutex_);
  files_.clear();
}

void FakeHubServer::FailCall(int n, absl::Status status) {
  absl::MutexLock lock(&mutex_);
  fail_at_[calls_ + n] = std::move(status);
}

void FakeHubServer::FailEveryCall(absl::Status status) {
  absl::MutexLock lock(&mutex_);
  fail_every_ = std::move(status);
}

void FakeHubServer::ClearFailures() {
  absl::MutexLock lock(&mutex_);
  fail_at_.clear();
  fail_every_ = absl::OkStatus();
  drop_upload_at_ = 0;
  drop_after_rename_at_ = 0;
}

void FakeHubServer::SetCapacity(uint64_t bytes) {
  absl::MutexLock lock(&mutex_);
  capacity_ = bytes;
}

void FakeHubServer::DropUpload(int n) {
  absl::MutexLock lock(&mutex_);
  drop_upload_at_ = publishes_ + n;
}

void FakeHubServer::DropAfterRename(int n) {
  absl::MutexLock lock(&mutex_);
  drop_after_rename_at_ = publishes_ + n;
}

void FakeHubServer::SetHook(std::function<absl::Status(const FakeHubCall&)> hook) {
  absl::MutexLock lock(&mutex_);
  hook_ = std::move(hook);
}

int FakeHubServer::calls() const {
  absl::MutexLock lock(&mutex_);
  return calls_;
}

std::vector<FakeHubCall> FakeHubServer::log() const {
  absl::MutexLock lock(&mutex_);
  return log_;
}

void FakeHubServer::ClearLog() {
  absl::MutexLock lock(&mutex_);
  log_.clear();
}

absl::Status FakeHubServer::Enter(FakeHubCall call) {
  std::function<absl::Status(const FakeHubCall&)> hook;
  absl::Status planned;
  {
    absl::MutexLock lock(&mutex_);
    ++calls_;
    log_.push_back(call);
    hook = hook_;
    planned = fail_every_;
    const auto at = fail_at_.find(calls_);
    if (at != fail_at_.end()) {
      planned = at->second;
      fail_at_.erase(at);
    }
  }
  if (hook) TL_RETURN_IF_ERROR(hook(call));
  return planned;
}

bool FakeHubServer::IsDirectory(const std::string& path) const {
  const std::string prefix = absl::StrCat(path, "/");
  const auto next = files_.lower_bound(prefix);
  return next != files_.end() && absl::StartsWith(next->first, prefix);
}

absl::StatusOr<std::vector<HubEntry>> FakeHubServer::List(absl::string_view directory) {
  absl::MutexLock lock(&mutex_);
  const std::string prefix = directory.empty() ? std::string() : absl::StrCat(directory, "/");
  std::map<std::string, HubEntry> entries;
  for (const auto& [path, bytes] : files_) {
    if (!absl::StartsWith(path, prefix)) continue;
    const std::string rest = path.substr(prefix.size());
    const size_t slash = rest.find('/');
    HubEntry entry;
    entry.name = rest.substr(0, slash);
    entry.is_directory = slash != std::string::npos;
    entry.size = entry.is_directory ? 0 : bytes.size();
    entries[entry.name] = entry;
  }
  if (entries.empty() && !directory.empty()) return NoSuchFile(directory);
  std::vector<HubEntry> list;
  for (auto& [name, entry] : entries) list.push_back(std::move(entry));
  return list;
}

absl::StatusOr<std::string> FakeHubServer::Read(absl::string_view path, uint64_t max_bytes) {
  absl::MutexLock lock(&mutex_);
  const auto found = files_.find(std::string(path));
  if (found == files_.end()) return NoSuchFile(path);
  if (found->second.size() > max_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("hub: ", path, ": larger than ", max_bytes, " bytes"));
  }
  return found->second;
}

absl::Status FakeHubServer::Publish(absl::string_view path, absl::string_view bytes) {
  absl::MutexLock lock(&mutex_);
  ++publishes_;
  const std::string name(path);
  if (publishes_ == drop_upload_at_) {
    files_[TemporaryName(path, publishes_)] = std::string(bytes.substr(0, bytes.size() / 2));
    return absl::UnavailableError(absl::StrCat("hub: ", path, ": the link dropped"));
  }
  if (files_.count(name) > 0 || IsDirectory(name)) {
    return absl::AlreadyExistsError(absl::StrCat("hub: ", path, ": exists"));
  }
  uint64_t used = 0;
  for (const auto& [unused, content] : files_) used += content.size();
  if (used + bytes.size() > capacity_) {
    return absl::ResourceExhaustedError(absl::StrCat("hub: ", path, ": disk full"));
  }
  files_[name] = std::string(bytes);
  if (publishes_ == drop_after_rename_at_) {
    return absl::UnavailableError(absl::StrCat("hub: ", path, ": the link dropped"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<HubEntry>> FakeHub::List(absl::string_view directory) {
  if (!directory.empty()) TL_RETURN_IF_ERROR(CheckHubPath(directory));
  TL_RETURN_IF_ERROR(server_->Enter({FakeHubCall::Kind::kList, std::string(directory)}));
  return server_->List(directory);
}

absl::StatusOr<std::string> FakeHub::Read(absl::string_view path, uint64_t max_bytes) {
  TL_RETURN_IF_ERROR(CheckHubPath(path));
  TL_RETURN_IF_ERROR(server_->Enter({FakeHubCall::Kind::kRead, std::string(path)}));
  return server_->Read(path, max_bytes);
}

absl::Status FakeHub::Publish(absl::string_view path, absl::string_view bytes) {
  TL_RETURN_IF_ERROR(CheckHubPath(path));
  TL_RETURN_IF_ERROR(server_->Enter({FakeHubCall::Kind::kPublish, std::string(path)}));
  return server_->Publish(path, bytes);
}

absl::StatusOr<std::unique_ptr<Hub>> FakeHubDialer::Dial(const v1::HubAddress& address,
                                                         const v1::SecretValues& secrets) {
  TL_ASSIGN_OR_RETURN(
      const absl::string_view secret,
      HubSecret(address.has_private_key() ? address.private_key() : address.password(), secrets));
  TL_RETURN_IF_ERROR(server_->Enter(
      {FakeHubCall::Kind::kDial, absl::StrCat(address.host(), ":", address.port())}));
  if (!required_.empty() && secret != required_) {
    return absl::PermissionDeniedError(
        absl::StrCat("hub ", address.host(), ": login as ", address.user(), " refused"));
  }
  return std::make_unique<FakeHub>(server_);
}

}  // namespace trustline
