#include "tests/fakes/fake_host.h"

#include <algorithm>
#include <random>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/staged_name.h"
#include "nlohmann/json.hpp"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

std::string Parent(const std::string& path) { return DirectoryOf(path); }
std::string BaseName(const std::string& path) { return NameOf(path); }

absl::StatusOr<std::string> NormalisedConfig(const std::string& text) {
  const nlohmann::json parsed = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false,
                                                      /*ignore_comments=*/true);
  if (parsed.is_discarded() || !parsed.is_object()) {
    return absl::InvalidArgumentError("syntax error in the configuration");
  }
  return parsed.dump();
}

}  // namespace

absl::Status CallSwitch::Enter(absl::string_view call, absl::string_view target) {
  absl::MutexLock lock(&mutex_);
  if (dead_) return absl::AbortedError("the agent is dead");
  calls_.push_back(absl::StrCat(call, " ", target));
  if (fail_at_ == 0 || --fail_at_ != 0) return absl::OkStatus();
  fired_ = true;
  if (crash_) {
    dead_ = true;
    return absl::AbortedError("the agent is dead");
  }
  return failure_;
}

absl::Status CallSwitch::Look() const {
  absl::MutexLock lock(&mutex_);
  return dead_ ? absl::AbortedError("the agent is dead") : absl::OkStatus();
}

CallHook CallSwitch::hook() {
  return [this](absl::string_view call, absl::string_view target) { return Enter(call, target); };
}

void CallSwitch::FailAt(size_t n, absl::Status status) {
  absl::MutexLock lock(&mutex_);
  fail_at_ = n;
  crash_ = false;
  fired_ = false;
  failure_ = std::move(status);
}

void CallSwitch::CrashAt(size_t n) {
  absl::MutexLock lock(&mutex_);
  fail_at_ = n;
  crash_ = true;
  fired_ = false;
}

void CallSwitch::Reset() {
  absl::MutexLock lock(&mutex_);
  fail_at_ = 0;
  crash_ = fired_ = dead_ = false;
  calls_.clear();
}

size_t CallSwitch::count() const {
  absl::MutexLock lock(&mutex_);
  return calls_.size();
}
std::vector<std::string> CallSwitch::calls() const {
  absl::MutexLock lock(&mutex_);
  return calls_;
}
bool CallSwitch::fired() const {
  absl::MutexLock lock(&mutex_);
  return fired_;
}
bool CallSwitch::dead() const {
  absl::MutexLock lock(&mutex_);
  return dead_;
}

absl::Time FakeClock::Now() const {
  absl::MutexLock lock(&mutex_);
  return now_;
}
void FakeClock::Set(absl::Time now) {
  absl::MutexLock lock(&mutex_);
  now_ = now;
}
void FakeClock::Advance(absl::Duration by) {
  absl::MutexLock lock(&mutex_);
  now_ += by;
}

absl::Status FakeFiles::CheckPath(const std::string& path, bool writing) const {
  if (path.empty() || path[0] != '/') {
    return absl::InvalidArgumentError(absl::StrCat("'", path, "' is not an absolute path"));
  }
  std::string prefix;
  for (absl::string_view part : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    if (part == "." || part == "..") {
      return absl::InvalidArgumentError(absl::StrCat("'", path, "' contains '", part, "'"));
    }
    absl::StrAppend(&prefix, "/", part);
    const auto inode = Find(prefix);
    if (inode != nullptr && inode->symlink) {
      return absl::FailedPreconditionError(absl::StrCat("'", prefix, "' is a symbolic link"));
    }
  }
  if (!writing || writable_.empty()) return absl::OkStatus();
  for (const std::string& root : writable_) {
    if (absl::StartsWith(path, absl::StrCat(root, "/"))) return absl::OkStatus();
  }
  return absl::PermissionDeniedError(absl::StrCat("'", path, "' is below no writable directory"));
}

std::shared_ptr<FakeFiles::Inode> FakeFiles::Find(const std::string& path) const {
  const auto directory = volatile_.find(Parent(path));
  if (directory == volatile_.end()) return nullptr;
  const auto name = directory->second.find(BaseName(path));
  return name == directory->second.end() ? nullptr : name->second;
}

void FakeFiles::MakeDirectories(const std::string& directory) {
  for (std::string d = directory; volatile_.count(d) == 0; d = Parent(d)) {
    volatile_[d];
    durable_[d];
  }
}

absl::StatusOr<FileImage> FakeFiles::Read(const std::string& path) const {
  TL_RETURN_IF_ERROR(calls_.Look());
  absl::MutexLock lock(&mutex_);
  TL_RETURN_IF_ERROR(CheckPath(path, /*writing=*/false));
  if (volatile_.count(path) != 0) {
    return absl::FailedPreconditionError(absl::StrCat("'", path, "' is not a regular file"));
  }
  const auto inode = Find(path);
  if (inode == nullptr) return absl::NotFoundError(absl::StrCat("'", path, "' does not exist"));
  return inode->image;
}

absl::StatusOr<std::vector<std::string>> FakeFiles::List(const std::string& directory) const {
  TL_RETURN_IF_ERROR(calls_.Look());
  absl::MutexLock lock(&mutex_);
  TL_RETURN_IF_ERROR(CheckPath(directory, /*writing=*/false));
  const auto names = volatile_.find(directory);
  if (names == volatile_.end()) {
    return absl::NotFoundError(absl::StrCat("'", directory, "' does not exist"));
  }
  std::set<std::string> found;
  for (const auto& [name, inode] : names->second) {
    if (inode != nullptr) found.insert(name);
  }
  for (const auto& [other, _] : volatile_) {
    if (other != "/" && Parent(other) == directory) found.insert(BaseName(other));
  }
  return std::vector<std::string>(found.begin(), found.end());
}

absl::StatusOr<std::string> FakeFiles::Stage(const std::string& target, const FileImage& image) {
  std::string directory;
  {
    absl::MutexLock lock(&mutex_);
    TL_RETURN_IF_ERROR(CheckPath(target, /*writing=*/true));
    directory = Parent(target);
    if (volatile_.count(target) != 0) {
      return absl::FailedPreconditionError(absl::StrCat("'", target, "' is a directory"));
    }
  }
  bool missing = false;
  {
    absl::MutexLock lock(&mutex_);
    missing = volatile_.count(directory) == 0;
  }
  if (missing) {
    TL_RETURN_IF_ERROR(calls_.Enter("mkdir", directory));
    absl::MutexLock lock(&mutex_);
    MakeDirectories(directory);
  }
  TL_RETURN_IF_ERROR(calls_.Enter("create", target));
  auto inode = std::make_shared<Inode>();
  std::string path;
  {
    absl::MutexLock lock(&mutex_);
    path = StagedPath(target, ++staged_);
    inode->image = image;
    inode->image.bytes.clear();
    inode->synced = false;
    volatile_[directory][BaseName(path)] = inode;
  }
  // A failed step leaves nothing; a dead agent cleans nothing up.
  for (absl::string_view step : {"write", "fsync"}) {
    const absl::Status status = calls_.Enter(step, path);
    absl::MutexLock lock(&mutex_);
    if (!status.ok()) {
      if (!calls_.dead()) volatile_[directory].erase(BaseName(path));
      return status;
    }
    if (step == "write") inode->image.bytes = image.bytes;
    if (step == "fsync") inode->synced = true;
  }
  return path;
}

absl::Status FakeFiles::Rename(const std::string& from, const std::string& to) {
  TL_RETURN_IF_ERROR(calls_.Enter("rename", to));
  absl::MutexLock lock(&mutex_);
  TL_RETURN_IF_ERROR(CheckPath(from, /*writing=*/true));
  TL_RETURN_IF_ERROR(CheckPath(to, /*writing=*/true));
  const auto inode = Find(from);
  if (inode == nullptr) return absl::NotFoundError(absl::StrCat("'", from, "' does not exist"));
  if (volatile_.count(Parent(to)) == 0) {
    return absl::NotFoundError(absl::StrCat("'", Parent(to), "' does not exist"));
  }
  volatile_[Parent(to)][BaseName(to)] = inode;
  volatile_[Parent(from)].erase(BaseName(from));
  return absl::OkStatus();
}

absl::Status FakeFiles::Remove(const std::string& path) {
  TL_RETURN_IF_ERROR(calls_.Enter("remove", path));
  absl::MutexLock lock(&mutex_);
  TL_RETURN_IF_ERROR(CheckPath(path, /*writing=*/true));
  const auto directory = volatile_.find(Parent(path));
  if (directory != volatile_.end()) directory->second.erase(BaseName(path));
  return absl::OkStatus();
}

absl::Status FakeFiles::SyncDirectory(const std::string& directory) {
  TL_RETURN_IF_ERROR(calls_.Enter("sync", directory));
  absl::MutexLock lock(&mutex_);
  TL_RETURN_IF_ERROR(CheckPath(directory, /*writing=*/false));
  const auto names = volatile_.find(directory);
  if (names == volatile_.end()) {
    return absl::NotFoundError(absl::StrCat("'", directory, "' does not exist"));
  }
  durable_[directory] = names->second;
  return absl::OkStatus();
}

void FakeFiles::Put(const std::string& path, FileImage image) {
  absl::MutexLock lock(&mutex_);
  MakeDirectories(Parent(path));
  auto inode = std::make_shared<Inode>();
  inode->image = std::move(image);
  volatile_[Parent(path)][BaseName(path)] = inode;
  durable_[Parent(path)][BaseName(path)] = inode;
}

void FakeFiles::Put(const std::string& path, std::string bytes) {
  FileImage image;
  image.bytes = std::move(bytes);
  Put(path, std::move(image));
}

void FakeFiles::Erase(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  if (volatile_.count(Parent(path)) == 0) return;
  volatile_[Parent(path)].erase(BaseName(path));
  durable_[Parent(path)].erase(BaseName(path));
}

void FakeFiles::PutDirectory(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  MakeDirectories(path);
}

void FakeFiles::PutSymlink(const std::string& path) {
  Put(path, std::string());
  absl::MutexLock lock(&mutex_);
  Find(path)->symlink = true;
}

void FakeFiles::SetWritable(std::vector<std::string> roots) {
  absl::MutexLock lock(&mutex_);
  writable_ = std::move(roots);
}

std::map<std::string, FileImage> FakeFiles::Snapshot() const {
  absl::MutexLock lock(&mutex_);
  std::map<std::string, FileImage> all;
  for (const auto& [directory, names] : volatile_) {
    for (const auto& [name, inode] : names) {
      if (inode == nullptr) continue;
      all[absl::StrCat(directory == "/" ? "" : directory, "/", name)] = inode->image;
    }
  }
  return all;
}

void FakeFiles::LosePower(uint64_t seed) {
  absl::MutexLock lock(&mutex_);
  std::mt19937_64 random(seed);
  for (auto& [directory, names] : volatile_) {
    Names& before = durable_[directory];
    std::set<std::string> touched;
    for (const auto& [name, _] : names) touched.insert(name);
    for (const auto& [name, _] : before) touched.insert(name);
    for (const std::string& name : touched) {
      const auto was = before.find(name);
      const auto is = names.find(name);
      const std::shared_ptr<Inode> old_inode = was == before.end() ? nullptr : was->second;
      const std::shared_ptr<Inode> new_inode = is == names.end() ? nullptr : is->second;
      if (old_inode != new_inode && random() % 2 == 0) {
        if (old_inode == nullptr) {
          names.erase(name);
        } else {
          names[name] = old_inode;
        }
      }
    }
    for (auto& [name, inode] : names) {
      if (inode == nullptr || inode->synced) continue;
      inode->image.bytes.resize(inode->image.bytes.size() / 2);
      inode->synced = true;
    }
    before = names;
  }
}

absl::StatusOr<std::string> FakeDhcp::RunningConfig() const {
  TL_RETURN_IF_ERROR(calls_.Look());
  absl::MutexLock lock(&mutex_);
  if (path_.empty()) return absl::FailedPreconditionError("this node runs no DHCP server");
  if (!answers_) return absl::UnavailableError("the DHCP server does not answer");
  return running_;
}

absl::StatusOr<std::string> FakeDhcp::ConfigPath() const {
  absl::MutexLock lock(&mutex_);
  if (path_.empty()) return absl::FailedPreconditionError("this node runs no DHCP server");
  return path_;
}

absl::StatusOr<std::string> FakeDhcp::ServerAddress() const {
  absl::MutexLock lock(&mutex_);
  if (path_.empty()) return absl::FailedPreconditionError("this node runs no DHCP server");
  return address_;
}

absl::Status FakeDhcp::TestConfig(const std::string& json) const {
  absl::MutexLock lock(&mutex_);
  if (!answers_) return absl::UnavailableError("the DHCP server does not answer");
  if (!rejected_.empty() && absl::StrContains(json, rejected_)) {
    return absl::InvalidArgumentError(absl::StrCat("unsupported parameter ", rejected_));
  }
  return NormalisedConfig(json).status();
}

absl::Status FakeDhcp::Reload() {
  TL_RETURN_IF_ERROR(calls_.Enter("dhcp-reload", "server"));
  std::string path;
  {
    absl::MutexLock lock(&mutex_);
    path = path_;
  }
  TL_ASSIGN_OR_RETURN(const FileImage image, files_.Read(path));
  absl::MutexLock lock(&mutex_);
  ++reloads_;
  if (broken_) return absl::UnavailableError("the DHCP server did not reload");
  const bool deadly = !deadly_.empty() && absl::StrContains(image.bytes, deadly_);
  if (!deadly && !deadly_.empty()) answers_ = true;
  if (!answers_) return absl::UnavailableError("the DHCP server does not answer");
  TL_ASSIGN_OR_RETURN(running_, NormalisedConfig(image.bytes));
  if (deadly) answers_ = false;
  return absl::OkStatus();
}

void FakeDhcp::Configure(const std::string& path, const std::string& json,
                         const std::string& address) {
  files_.Put(path, json);
  absl::MutexLock lock(&mutex_);
  path_ = path;
  address_ = address;
  running_ = NormalisedConfig(json).value();
}
void FakeDhcp::SetRunning(std::string json) {
  absl::MutexLock lock(&mutex_);
  running_ = std::move(json);
}
void FakeDhcp::SetAnswers(bool answers) {
  absl::MutexLock lock(&mutex_);
  answers_ = answers;
}
void FakeDhcp::RejectTexts(std::string needle) {
  absl::MutexLock lock(&mutex_);
  rejected_ = std::move(needle);
}
void FakeDhcp::BreakReload(bool broken) {
  absl::MutexLock lock(&mutex_);
  broken_ = broken;
}
void FakeDhcp::DieOn(std::string needle) {
  absl::MutexLock lock(&mutex_);
  deadly_ = std::move(needle);
}
int FakeDhcp::reloads() const {
  absl::MutexLock lock(&mutex_);
  return reloads_;
}

absl::StatusOr<ServiceStatus> FakeServices::Status(const std::string& name) const {
  TL_RETURN_IF_ERROR(calls_.Look());
  absl::MutexLock lock(&mutex_);
  const auto it = services_.find(name);
  if (it == services_.end()) {
    return absl::NotFoundError(absl::StrCat("no service '", name, "' here"));
  }
  return ServiceStatus{it->second.running, it->second.running ? "running" : "stopped"};
}

absl::Status FakeServices::Act(const std::string& name, absl::string_view call,
                               int Counts::*counter) {
  TL_RETURN_IF_ERROR(calls_.Enter(call, name));
  std::function<void()> loads;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = services_.find(name);
    if (it == services_.end()) {
      return absl::NotFoundError(absl::StrCat("no service '", name, "' here"));
    }
    TL_RETURN_IF_ERROR(it->second.failure);
    ++(it->second.counts.*counter);
    it->second.running = true;
    loads = it->second.loads;
  }
  if (loads) loads();
  return absl::OkStatus();
}

absl::Status FakeServices::Start(const std::string& name) {
  return Act(name, "service-start", &Counts::starts);
}
absl::Status FakeServices::Restart(const std::string& name) {
  return Act(name, "service-restart", &Counts::restarts);
}
absl::Status FakeServices::Reload(const std::string& name) {
  return Act(name, "service-reload", &Counts::reloads);
}

void FakeServices::Add(const std::string& name, bool running, std::function<void()> loads) {
  absl::MutexLock lock(&mutex_);
  services_[name] = Service{running, std::move(loads), absl::OkStatus(), {}};
}
void FakeServices::SetRunning(const std::string& name, bool running) {
  absl::MutexLock lock(&mutex_);
  services_[name].running = running;
}
void FakeServices::SetFailure(const std::string& name, absl::Status status) {
  absl::MutexLock lock(&mutex_);
  services_[name].failure = std::move(status);
}
FakeServices::Counts FakeServices::counts(const std::string& name) const {
  absl::MutexLock lock(&mutex_);
  const auto it = services_.find(name);
  return it == services_.end() ? Counts{} : it->second.counts;
}

absl::StatusOr<TvsAnswer> FakeTvs::Ask(const TvsAddress& server, const TvsRequest& request,
                                       const TvsClientOptions& options) const {
  ++asked;
  if (!answer) return absl::UnavailableError("nobody answers");
  absl::StatusOr<TvsReply> reply = answer(server, request);
  if (!reply.ok()) return reply.status();
  return TvsAnswer{*std::move(reply), options.pinned.at(0), "", "", ""};
}

FakeHost::FakeHost() {
  layout.state_directory = "/var/lib/trustline";
  layout.certificate_root = "/etc/certificates";
}

}  // namespace trustline::agent
