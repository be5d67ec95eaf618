// A hub in memory with switches. One FakeHubServer is the disk and the link; every FakeHub is a
// connection to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "trust/hub.h"

namespace trustline {

struct FakeHubCall {
  enum class Kind { kDial, kList, kRead, kPublish };
  Kind kind = Kind::kDial;
  std::string path;  // "host:port" for kDial
};

// Safe for concurrent use. Calls are counted from 1 over all kinds, dialling included.
class FakeHubServer {
 public:
  // The disk, reached behind the protocol's back: what a tamperer or an administrator would do.
  // Directories exist where files are.
  void Put(absl::string_view path, absl::string_view bytes);
  bool Remove(absl::string_view path);
  // NotFound when there is no such file.
  absl::StatusOr<std::string> Get(absl::string_view path) const;
  std::map<std::string, std::string> Files() const;
  void Clear();

  // The `n`th call from now on (1 is the next one) fails with `status` before it does anything.
  void FailCall(int n, absl::Status status);
  // Every call fails with `status` until OK is given.
  void FailEveryCall(absl::Status status);
  // Forgets every failure planned so far.
  void ClearFailures();
  // Total bytes the disk holds. A Publish beyond it is ResourceExhausted and leaves nothing.
  void SetCapacity(uint64_t bytes);
  // The `n`th Publish from now on loses its link half way: Unavailable, half of the bytes stay
  // under a temporary name.
  void DropUpload(int n);
  // The `n`th Publish from now on loses its link after the rename: Unavailable, though the file is
  // there.
  void DropAfterRename(int n);
  // Called before every call, outside the lock; what is not OK becomes the call's answer. A hook
  // may use this server.
  void SetHook(std::function<absl::Status(const FakeHubCall&)> hook);

  int calls() const;
  std::vector<FakeHubCall> log() const;
  void ClearLog();

 private:
  friend class FakeHub;
  friend class FakeHubDialer;

  absl::Status Enter(FakeHubCall call);
  absl::StatusOr<std::vector<HubEntry>> List(absl::string_view directory);
  absl::StatusOr<std::string> Read(absl::string_view path, uint64_t max_bytes);
  absl::Status Publish(absl::string_view path, absl::string_view bytes);
  bool IsDirectory(const std::string& path) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  std::map<std::string, std::string> files_ ABSL_GUARDED_BY(mutex_);
  std::vector<FakeHubCall> log_ ABSL_GUARDED_BY(mutex_);
  std::map<int, absl::Status> fail_at_ ABSL_GUARDED_BY(mutex_);
  absl::Status fail_every_ ABSL_GUARDED_BY(mutex_);
  std::function<absl::Status(const FakeHubCall&)> hook_ ABSL_GUARDED_BY(mutex_);
  uint64_t capacity_ ABSL_GUARDED_BY(mutex_) = UINT64_MAX;
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;
  int publishes_ ABSL_GUARDED_BY(mutex_) = 0;
  int drop_upload_at_ ABSL_GUARDED_BY(mutex_) = 0;
  int drop_after_rename_at_ ABSL_GUARDED_BY(mutex_) = 0;
};

// A connection. Thread-compatible; the server must outlive it.
class FakeHub : public Hub {
 public:
  explicit FakeHub(FakeHubServer* server) : server_(server) {}
  absl::StatusOr<std::vector<HubEntry>> List(absl::string_view directory) override;
  absl::StatusOr<std::string> Read(absl::string_view path, uint64_t max_bytes) override;
  absl::Status Publish(absl::string_view path, absl::string_view bytes) override;

 private:
  FakeHubServer* server_;
};

// Every address reaches the one server, whose directory stands for the address's. Secrets must be
// held, as with a real hub; their values are not looked at unless RequireSecret is set. Safe for
// concurrent use; the server must outlive it and what it dials.
class FakeHubDialer : public HubDialer {
 public:
  explicit FakeHubDialer(FakeHubServer* server) : server_(server) {}
  // From now on a login with another value is PermissionDenied. Set before use.
  void RequireSecret(absl::string_view value) { required_ = std::string(value); }
  absl::StatusOr<std::unique_ptr<Hub>> Dial(const v1::HubAddress& address,
                                            const v1::SecretValues& secrets) override;

 private:
  FakeHubServer* server_;
  std::string required_;
};

}  // namespace trustline
