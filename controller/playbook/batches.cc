#include "controller/playbook/batches.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace trustline::controller {
namespace {

using yaml::Type;
using yaml::Value;

// Hosts of one batch out of `total`.
std::optional<size_t> BatchSize(const Value& value, size_t total, yaml::Diagnostics& diagnostics) {
  absl::string_view text = value.text();
  uint32_t number = 0;
  if (value.type() == Type::kInt && value.int_value() >= 1)
    return static_cast<size_t>(value.int_value());
  if (value.is_string() && absl::ConsumeSuffix(&text, "%") && absl::SimpleAtoi(text, &number) &&
      number >= 1 && number <= 100) {
    return std::max<size_t>(1, total * number / 100);
  }
  // Quoted numbers come out of templates beside text.
  if (value.is_string() && absl::SimpleAtoi(value.text(), &number) && number >= 1) return number;
  diagnostics.Error(
      value.span(),
      "\"serial\" is a number from 1, a percentage such as \"30%\", or a list of these");
  return std::nullopt;
}

}  // namespace

std::optional<std::vector<std::vector<std::string>>> CutIntoBatches(
    const std::vector<std::string>& hosts, const yaml::Value& serial,
    yaml::Diagnostics& diagnostics) {
  std::vector<size_t> sizes;
  bool good = true;
  auto take = [&](const Value& value) {
    std::optional<size_t> size = BatchSize(value, hosts.size(), diagnostics);
    good = good && size.has_value();
    if (size) sizes.push_back(*size);
  };
  if (serial.is_list()) {
    for (const Value& item : serial.list()) take(item);
    if (serial.list().empty()) {
      diagnostics.Error(serial.span(), "\"serial\" is an empty list");
      good = false;
    }
  } else if (serial.is_null()) {
    sizes.push_back(std::max<size_t>(hosts.size(), 1));
  } else {
    take(serial);
  }
  if (!good) return std::nullopt;
  std::vector<std::vector<std::string>> batches;
  size_t at = 0;
  for (size_t i = 0; at < hosts.size(); ++i) {
    const size_t size = std::min(sizes[std::min(i, sizes.size() - 1)], hosts.size() - at);
    batches.emplace_back(hosts.begin() + static_cast<ptrdiff_t>(at),
                         hosts.begin() + static_cast<ptrdiff_t>(at + size));
    at += size;
  }
  return batches;
}

std::optional<int> ReadMaxFailPercentage(const yaml::Value& value, yaml::Diagnostics& diagnostics) {
  if (value.is_null()) return 0;
  if (value.type() == Type::kInt && value.int_value() >= 0 && value.int_value() <= 100)
    return static_cast<int>(value.int_value());
  diagnostics.Error(value.span(), "\"max_fail_percentage\" is an integer from 0 to 100");
  return std::nullopt;
}

}  // namespace trustline::controller
