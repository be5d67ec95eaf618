#include "agent/generations.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

constexpr char kDirectory[] = "generations";
constexpr char kImages[] = ".images";

}  // namespace

std::string Generations::RecordPath(uint64_t number) {
  return absl::StrFormat("%s/%08d", kDirectory, number);
}
std::string Generations::ImagesPath(uint64_t number) {
  return absl::StrCat(RecordPath(number), kImages);
}

absl::StatusOr<std::vector<uint64_t>> Generations::Numbers(bool images) const {
  TL_ASSIGN_OR_RETURN(const std::vector<std::string> names, state_.List(kDirectory));
  std::vector<uint64_t> numbers;
  for (absl::string_view name : names) {
    if (absl::ConsumeSuffix(&name, kImages) != images) continue;
    uint64_t number = 0;
    if (absl::SimpleAtoi(name, &number)) numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

absl::StatusOr<std::vector<v1::Generation>> Generations::All() const {
  TL_ASSIGN_OR_RETURN(const std::vector<uint64_t> numbers, Numbers(/*images=*/false));
  std::vector<v1::Generation> all;
  for (auto it = numbers.rbegin(); it != numbers.rend(); ++it) {
    v1::Generation generation;
    const absl::Status status = state_.Read(RecordPath(*it), generation);
    if (absl::IsNotFound(status)) continue;  // pruned meanwhile
    TL_RETURN_IF_ERROR(status);
    all.push_back(std::move(generation));
  }
  return all;
}

absl::StatusOr<v1::SavedImages> Generations::Images(uint64_t number) const {
  v1::SavedImages images;
  TL_RETURN_IF_ERROR(state_.Read(ImagesPath(number), images));
  return images;
}

absl::StatusOr<uint64_t> Generations::NextNumber() const {
  TL_ASSIGN_OR_RETURN(const std::vector<uint64_t> records, Numbers(/*images=*/false));
  TL_ASSIGN_OR_RETURN(const std::vector<uint64_t> images, Numbers(/*images=*/true));
  return std::max(records.empty() ? 0 : records.back(), images.empty() ? 0 : images.back()) + 1;
}

absl::StatusOr<std::vector<v1::StateWrite>> Generations::CommitWrites(
    const v1::Generation& generation) const {
  std::vector<v1::StateWrite> writes(1);
  writes[0].set_path(RecordPath(generation.number()));
  writes[0].set_payload(generation.SerializeAsString());
  TL_ASSIGN_OR_RETURN(const std::vector<uint64_t> numbers, Numbers(/*images=*/false));
  if (numbers.size() < kKept) return writes;
  const size_t beyond = numbers.size() - kKept + 1;
  // A run is forgotten whole or not at all, however many stages it has: the rollback of a part
  // would look like that of the run.
  std::map<uint64_t, std::string> runs;
  for (const uint64_t number : numbers) {
    v1::Generation stored;
    const absl::Status status = state_.Read(RecordPath(number), stored);
    // A damaged one is nobody's, and is forgotten in its turn.
    if (absl::IsDataLoss(status)) continue;
    TL_RETURN_IF_ERROR(status);
    runs[number] = stored.run_id();
  }
  std::set<std::string> kept = {generation.run_id()};
  for (auto it = runs.lower_bound(numbers[beyond - 1] + 1); it != runs.end(); ++it) {
    kept.insert(it->second);
  }
  for (size_t i = 0; i < beyond; ++i) {
    if (const auto run = runs.find(numbers[i]); run != runs.end() && kept.count(run->second) != 0) {
      continue;
    }
    for (const std::string& path : {RecordPath(numbers[i]), ImagesPath(numbers[i])}) {
      v1::StateWrite& write = writes.emplace_back();
      write.set_path(path);
      write.set_remove(true);
    }
  }
  return writes;
}

absl::StatusOr<int> Generations::RemoveOrphans() {
  TL_ASSIGN_OR_RETURN(const std::vector<uint64_t> records, Numbers(/*images=*/false));
  TL_ASSIGN_OR_RETURN(const std::vector<uint64_t> images, Numbers(/*images=*/true));
  int removed = 0;
  for (const uint64_t number : images) {
    if (std::binary_search(records.begin(), records.end(), number)) continue;
    TL_RETURN_IF_ERROR(state_.Remove(ImagesPath(number)));
    ++removed;
  }
  return removed;
}

}  // namespace trustline::agent
