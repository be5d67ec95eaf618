// The run's lease on this node: who may change it now. In memory; a restarted agent has none. No
// gRPC.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/host.h"
#include "protos/trustline/v1/agent.pb.h"

namespace trustline::agent {

// At most one lease at a time. It belongs to (run, holder); it ends by release or when its time is
// over, but not while a call of its run is at work. Safe for concurrent use.
class LeaseTable {
 public:
  explicit LeaseTable(const Clock& clock) : clock_(clock) {}

  // `holder` is the caller's identity. Takes, renews or releases as asked; the answer says what
  // holds now (empty after a release). A take also has the lease of one of the same holder's
  // `ended_runs` that no call is using. InvalidArgument: no run id, seconds outside 5..600, no
  // action. FailedPrecondition: another holds it, named with run and time left; or a release while
  // a call of the run is at work. Releasing a lease that is not there is OK: a run cleans up
  // without asking first.
  absl::StatusOr<v1::LeaseResponse> Handle(const v1::LeaseRequest& request,
                                           const std::string& holder);

  // True when (run, holder) holds the lease now.
  bool Holds(const std::string& run_id, const std::string& holder);

  // Keeps a lease alive while a call of its run works.
  class Use {
   public:
    Use() = default;
    Use(Use&& other) noexcept : table_(other.table_) { other.table_ = nullptr; }
    Use& operator=(Use&& other) noexcept;
    ~Use();

   private:
    friend class LeaseTable;
    explicit Use(LeaseTable* table) : table_(table) {}
    LeaseTable* table_ = nullptr;
  };
  // FailedPrecondition unless (run, holder) holds the lease; says who does.
  absl::StatusOr<Use> Demand(const std::string& run_id, const std::string& holder);

  // What holds now; empty fields when nobody does.
  v1::LeaseResponse Current();

 private:
  struct Lease {
    std::string run_id, holder;
    absl::Time expires;
    int in_use = 0;
  };
  void Expire();  // mutex_ held
  absl::Status HeldBy(const Lease& lease) const;

  const Clock& clock_;
  std::mutex mutex_;
  std::optional<Lease> lease_;  // guarded by mutex_
};

}  // namespace trustline::agent
