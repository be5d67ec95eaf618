// A node in memory, with switches: every effect is counted, and any one of them can fail or be the
// last thing the agent ever does. Power loss forgets what was not synced.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "agent/host.h"
#include "agent/tvs_view.h"

namespace trustline::agent {

// Counts effects and injects faults. Pass `hook()` to other fakes (the hub's) to have one count
// over all. Safe for concurrent use.
class CallSwitch {
 public:
  // Called before an effect; not OK: the effect must not happen.
  absl::Status Enter(absl::string_view call, absl::string_view target);
  // Called before a look: only a dead agent cannot look.
  absl::Status Look() const;
  CallHook hook();

  // The n-th effect from now (1 is the next one) returns `status`; later ones succeed.
  void FailAt(size_t n, absl::Status status = absl::InternalError("injected failure"));
  // The n-th effect from now does not happen, and neither does anything after it: everything fails
  // until Reset.
  void CrashAt(size_t n);
  // Alive, no faults, count 0.
  void Reset();

  size_t count() const;
  std::vector<std::string> calls() const;  // "rename /etc/x"
  bool fired() const;                      // the fault that was asked for has happened
  bool dead() const;

 private:
  mutable absl::Mutex mutex_;
  std::vector<std::string> calls_ ABSL_GUARDED_BY(mutex_);
  size_t fail_at_ ABSL_GUARDED_BY(mutex_) = 0;
  bool crash_ ABSL_GUARDED_BY(mutex_) = false;
  bool fired_ ABSL_GUARDED_BY(mutex_) = false;
  bool dead_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

class FakeClock final : public Clock {
 public:
  absl::Time Now() const override;
  void Set(absl::Time now);
  void Advance(absl::Duration by);

 private:
  mutable absl::Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_) = absl::FromUnixSeconds(1'795'000'000);
};

// Files in memory with a volatile and a durable half: names become durable by SyncDirectory,
// contents by the sync in Stage. Safe for concurrent use.
class FakeFiles final : public Files {
 public:
  explicit FakeFiles(CallSwitch& calls) : calls_(calls) {}

  absl::StatusOr<FileImage> Read(const std::string& path) const override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) const override;
  absl::StatusOr<std::string> Stage(const std::string& target, const FileImage& image) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status SyncDirectory(const std::string& directory) override;

  // For tests; none of these counts as a call, and they work on a dead node too. What is put is
  // durable.
  void Put(const std::string& path, FileImage image);
  void Put(const std::string& path, std::string bytes);
  void Erase(const std::string& path);
  void PutDirectory(const std::string& path);
  void PutSymlink(const std::string& path);
  // Empty: everything is writable.
  void SetWritable(std::vector<std::string> roots);
  std::map<std::string, FileImage> Snapshot() const;
  // The machine loses power: every name not synced is kept or lost as `seed` says, contents not
  // synced are torn.
  void LosePower(uint64_t seed);

 private:
  struct Inode {
    FileImage image;
    bool synced = true;
    bool symlink = false;
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;  // absent and null mean the same

  absl::Status CheckPath(const std::string& path, bool writing) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<Inode> Find(const std::string& path) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MakeDirectories(const std::string& directory) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  CallSwitch& calls_;
  mutable absl::Mutex mutex_;
  std::map<std::string, Names> volatile_ ABSL_GUARDED_BY(mutex_) = {
      {"/", {}}};  // directory -> names
  std::map<std::string, Names> durable_ ABSL_GUARDED_BY(mutex_) = {{"/", {}}};
  std::vector<std::string> writable_ ABSL_GUARDED_BY(mutex_);
  uint64_t staged_ ABSL_GUARDED_BY(mutex_) = 0;
};

// A DHCP server that reads its configuration from FakeFiles. Kea's comments are understood; nothing
// is added to what the file says.
class FakeDhcp final : public Dhcp {
 public:
  FakeDhcp(CallSwitch& calls, FakeFiles& files) : calls_(calls), files_(files) {}

  absl::StatusOr<std::string> RunningConfig() const override;
  absl::StatusOr<std::string> ConfigPath() const override;
  absl::StatusOr<std::string> ServerAddress() const override;
  absl::Status TestConfig(const std::string& json) const override;
  absl::Status Reload() override;

  // The node runs a server: puts `json` at `path` and loads it.
  void Configure(const std::string& path, const std::string& json, const std::string& address);
  void SetRunning(std::string json);
  void SetAnswers(bool answers);         // false: RunningConfig and Reload are Unavailable
  void RejectTexts(std::string needle);  // TestConfig refuses texts that contain it; empty: none
  void BreakReload(bool broken);         // Reload fails, the running configuration stays
  // A text that contains it kills the server when it is loaded (it passes TestConfig); empty: none.
  // A later good Reload revives it.
  void DieOn(std::string needle);
  int reloads() const;

 private:
  CallSwitch& calls_;
  FakeFiles& files_;
  mutable absl::Mutex mutex_;
  std::string path_ ABSL_GUARDED_BY(mutex_), address_ ABSL_GUARDED_BY(mutex_),
      running_ ABSL_GUARDED_BY(mutex_);
  std::string rejected_ ABSL_GUARDED_BY(mutex_), deadly_ ABSL_GUARDED_BY(mutex_);
  bool answers_ ABSL_GUARDED_BY(mutex_) = true;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  int reloads_ ABSL_GUARDED_BY(mutex_) = 0;
};

class FakeServices final : public Services {
 public:
  explicit FakeServices(CallSwitch& calls) : calls_(calls) {}

  absl::StatusOr<ServiceStatus> Status(const std::string& name) const override;
  absl::Status Start(const std::string& name) override;
  absl::Status Restart(const std::string& name) override;
  absl::Status Reload(const std::string& name) override;

  // `loads` runs whenever the service (re)loads: what a daemon would read from disk.
  void Add(const std::string& name, bool running, std::function<void()> loads = nullptr);
  void SetRunning(const std::string& name, bool running);
  // Every later action on `name` fails with `status`, until OK is set.
  void SetFailure(const std::string& name, absl::Status status);
  struct Counts {
    int starts = 0, restarts = 0, reloads = 0;
  };
  Counts counts(const std::string& name) const;

 private:
  struct Service {
    bool running = false;
    std::function<void()> loads;
    absl::Status failure;
    Counts counts;
  };
  absl::Status Act(const std::string& name, absl::string_view call, int Counts::*counter);

  CallSwitch& calls_;
  mutable absl::Mutex mutex_;
  std::map<std::string, Service> services_ ABSL_GUARDED_BY(mutex_);
};

// A Trust Verification Service on the node. Counts questions.
class FakeTvs final : public TvsView {
 public:
  absl::StatusOr<TvsAnswer> Ask(const TvsAddress& server, const TvsRequest& request,
                                const TvsClientOptions& options) const override;

  // Null: nobody answers.
  std::function<absl::StatusOr<TvsReply>(const TvsAddress& server, const TvsRequest& request)>
      answer;
  mutable int asked = 0;
};

// All of it together. A restarted agent is a new Converger over the same FakeHost after
// `calls.Reset()`.
struct FakeHost {
  FakeHost();

  CallSwitch calls;
  FakeClock clock;
  FakeFiles files{calls};
  FakeDhcp dhcp{calls, files};
  FakeServices services{calls};
  Layout layout;  // state in /var/lib/trustline, certificates in /etc/certificates

  FakeTvs tvs;

  Host host() { return {clock, files, dhcp, services, layout, tvs}; }
};

}  // namespace trustline::agent
