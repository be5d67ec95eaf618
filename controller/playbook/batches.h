// `serial` and `max_fail_percentage`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "protos/yaml/diagnostics.h"
#include "protos/yaml/value.h"

namespace trustline::controller {

// Cuts `hosts` into batches as Ansible does: `serial` is a number, a percentage ("30%", at least
// one host) or a list of these, whose last entry repeats. Null: one batch. nullopt when it reported
// an error.
std::optional<std::vector<std::vector<std::string>>> CutIntoBatches(
    const std::vector<std::string>& hosts, const yaml::Value& serial,
    yaml::Diagnostics& diagnostics);

// An integer from 0 to 100; null is 0. nullopt when it reported an error.
std::optional<int> ReadMaxFailPercentage(const yaml::Value& value, yaml::Diagnostics& diagnostics);

}  // namespace trustline::controller
