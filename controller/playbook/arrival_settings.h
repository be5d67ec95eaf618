// The play key `arrival`: how many of a wave's phones must be seen at the destination, and by when.
#pragma once

#include <optional>

#include "absl/time/time.h"
#include "protos/yaml/diagnostics.h"
#include "protos/yaml/value.h"

namespace trustline::controller {

struct ArrivalSettings {
  int at_least = 0;  // percent, 1..100
  absl::Duration within;
  absl::Duration every = absl::Seconds(30);
};

// From the rendered value of `arrival`. Reports everything wrong.
std::optional<ArrivalSettings> ReadArrivalSettings(const yaml::Value& value,
                                                   yaml::Diagnostics& diagnostics);

}  // namespace trustline::controller
