// The node's generations: what each committed transaction wrote, and what was there before. Local
// to the node.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/state_files.h"
#include "protos/trustline/v1/node_state.pb.h"

namespace trustline::agent {

// Thread-compatible. A generation is two files: NNNNNNNN.images, written before anything is
// touched, and NNNNNNNN, written at commit; images without the other belong to an open transaction
// or are a crash's leftover.
class Generations {
 public:
  // Older ones are removed when a new one is committed, but for those of a run that has one among
  // the kept.
  static constexpr size_t kKept = 64;

  explicit Generations(StateFiles& state) : state_(state) {}

  static std::string RecordPath(uint64_t number);
  static std::string ImagesPath(uint64_t number);

  // Newest first.
  absl::StatusOr<std::vector<v1::Generation>> All() const;
  absl::StatusOr<v1::SavedImages> Images(uint64_t number) const;
  // Above every number in use.
  absl::StatusOr<uint64_t> NextNumber() const;
  // To be written at commit: the record, and the removal of what is to be forgotten.
  absl::StatusOr<std::vector<v1::StateWrite>> CommitWrites(const v1::Generation& generation) const;
  // Removes images that no record claims; only when no transaction is open. Returns how many.
  absl::StatusOr<int> RemoveOrphans();

 private:
  absl::StatusOr<std::vector<uint64_t>> Numbers(bool images) const;  // ascending

  StateFiles& state_;
};

}  // namespace trustline::agent
