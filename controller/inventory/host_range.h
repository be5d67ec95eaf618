// Ranges in host names: node[01:20], rack-[a:f], n[0:9:2].
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trustline::controller {

// Most hosts one entry may stand for.
inline constexpr size_t kMaxRangeHosts = 10000;

// Every name `name` stands for, in order; the name itself where it has no range. Both ends are
// included, leading zeros of the start set the width, several ranges multiply. InvalidArgument says
// what is wrong with the range.
absl::StatusOr<std::vector<std::string>> ExpandHostRange(absl::string_view name);

}  // namespace trustline::controller
