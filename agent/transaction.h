// One transaction on a node: everything that was staged happens and is proven, or everything is put
// back byte for byte.
//
// Order on disk, each step synced before the next: images of what is there; journal (staging); new
// files beside their targets; journal (prepared, with the whole list); renames; directories; per
// effect a mark in the journal, then the effect; verification; journal (committed, with what is
// left to write); the agent's own records; journal gone. A crash anywhere is settled by
// Journal::Settle at the next start.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/generations.h"
#include "agent/host.h"
#include "agent/journal.h"
#include "agent/resource_kind.h"
#include "agent/staging.h"
#include "protos/trustline/v1/node_state.pb.h"

namespace trustline::agent {

// Why a step did not work, and whose it was (empty: nobody's).
struct StepFailure {
  absl::Status status;
  std::string resource;
};

struct TransactionHooks {
  // Looks again and proves; not OK puts the transaction back.
  std::function<StepFailure()> verify;
  // What to write besides the generation when it is committed.
  std::function<absl::StatusOr<std::vector<v1::StateWrite>>(const v1::Generation&)> on_commit;
  // Asked between steps.
  std::function<bool()> cancelled;
  // One line for a terminal.
  std::function<void(const std::string&)> progress;
};

struct TransactionResult {
  // OK: committed. Cancelled, or the failure.
  StepFailure failure;
  uint64_t generation = 0;  // 0: nothing differed, nothing was written
  bool touched = false;     // targets or effects happened before it failed
  // Not OK: it could not be put back; the journal stays and the next start or apply tries again.
  absl::Status put_back;
  // Of a transaction that was put back: resource id -> why an effect of it is still to be taken
  // back. Its files are back, its service has not loaded them.
  std::map<std::string, std::string> owed;
  // What an operator should know: effects owed, records to be finished later.
  std::vector<std::string> warnings;
};

// Files whose content is already as staged are left out; when no file differs and there is no
// effect, only `verify` runs and nothing is written. `generation` comes with run, stage, resources;
// number, files and effects are filled in here. The caller holds the converger's lock and has
// settled the journal.
TransactionResult RunTransaction(const Host& host, Hubs& hubs, StateFiles& state, Journal& journal,
                                 const StagedChanges& changes, v1::Generation generation,
                                 const TransactionHooks& hooks);

}  // namespace trustline::agent
