// The journal of the transaction under way, and what a crash or a failure needs from it: putting
// back, or finishing. Also the effects still owed.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/host.h"
#include "agent/resource_kind.h"
#include "agent/state_files.h"
#include "protos/trustline/v1/node_state.pb.h"

namespace trustline::agent {

// Thread-compatible; one writer at a time (the converger's lock).
class Journal {
 public:
  Journal(const Host& host, const KindRegistry& kinds, StateFiles& state)
      : host_(host), kinds_(kinds), state_(state) {}

  // Nothing when no transaction is open.
  absl::StatusOr<std::optional<v1::Journal>> Read() const;
  absl::Status Write(const v1::Journal& journal);

  // Restores every file byte for byte, removes what waits beside them (what is neither the old
  // content nor the transaction's is first kept beside the file, with a line), takes started
  // effects back in reverse order, and closes the journal. An effect that cannot be taken back now
  // becomes owed (a line in `lines`; `owed`: id of each resource that wanted it -> why). An error:
  // a file could not be restored; the journal stays for another try. Safe to repeat.
  absl::Status PutBack(const v1::Journal& journal, std::vector<std::string>& lines,
                       std::map<std::string, std::string>& owed);
  // Writes what a committed transaction left to write, and closes the journal. Safe to repeat.
  absl::Status Finish(const v1::Journal& journal);

  // Puts back or finishes an open transaction, then tries what is owed. Lines say what was done.
  // Writes nothing when there is nothing to do. Of an interrupted transaction every effect is taken
  // back, started or not: services that came up by themselves have loaded its files.
  absl::Status Settle(std::vector<std::string>& lines);

  absl::StatusOr<v1::OwedEffects> Owed() const;

 private:
  absl::Status RestoreFiles(const v1::Journal& journal, std::vector<std::string>& lines);
  // Saves what somebody else wrote to `path` beside it, synced; returns the copy's path.
  absl::StatusOr<std::string> Keep(const std::string& path, const FileImage& image);
  absl::Status UndoEffect(const v1::DoneEffect& effect);
  absl::Status PayOwed(std::vector<std::string>& lines);

  const Host host_;
  const KindRegistry& kinds_;
  StateFiles& state_;
};

// nullptr when this agent does not have the kind.
const ResourceKind* FindResourceKind(const KindRegistry& kinds, const std::string& name);

}  // namespace trustline::agent
