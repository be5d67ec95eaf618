#include "controller/playbook/gate_settings.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "controller/inventory/host_pattern.h"

namespace trustline::controller {
namespace {

using yaml::Type;
using yaml::Value;

constexpr uint32_t kDefaultMaxAge = 24 * 3600;

class Reader {
 public:
  explicit Reader(yaml::Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  bool Flag(const Value::Member& member, const std::function<void(bool)>& set) {
    if (member.value.type() != Type::kBool) return Wrong(member, "true or false");
    set(member.value.bool_value());
    return true;
  }
  bool Number(const Value::Member& member, uint32_t most,
              const std::function<void(uint32_t)>& set) {
    if (member.value.type() != Type::kInt || member.value.int_value() < 1 ||
        member.value.int_value() > most) {
      return Wrong(member, absl::StrCat("an integer from 1 to ", most));
    }
    set(static_cast<uint32_t>(member.value.int_value()));
    return true;
  }
  bool Wrong(const Value::Member& member, absl::string_view wanted) {
    diagnostics_.Error(member.value.span(),
                       absl::StrCat("\"", member.key, "\" of a gate is ", wanted));
    return false;
  }

 private:
  yaml::Diagnostics& diagnostics_;
};

}  // namespace

std::optional<uint32_t> ReadAge(const std::string& text) {
  if (text.size() < 2) return std::nullopt;
  uint32_t unit = 0;
  switch (text.back()) {
    case 's':
      unit = 1;
      break;
    case 'm':
      unit = 60;
      break;
    case 'h':
      unit = 3600;
      break;
    case 'd':
      unit = 86400;
      break;
    default:
      return std::nullopt;
  }
  uint32_t number = 0;
  if (!absl::SimpleAtoi(text.substr(0, text.size() - 1), &number) || number == 0) {
    return std::nullopt;
  }
  const uint64_t seconds = static_cast<uint64_t>(number) * unit;
  if (seconds > std::numeric_limits<uint32_t>::max()) return std::nullopt;
  return static_cast<uint32_t>(seconds);
}

std::optional<GateSettings> ReadGateSettings(const Value& value, const Inventory& inventory,
                                             yaml::Diagnostics& diagnostics,
                                             bool& no_hosts_matched) {
  if (!value.is_map()) {
    diagnostics.Error(
        value.span(),
        absl::StrCat("\"gate\" is a map: { phones: phones.csv, run_on: probes }, got ",
                     yaml::TypeName(value.type())));
    return std::nullopt;
  }
  GateSettings settings;
  settings.spec.set_max_age_seconds(kDefaultMaxAge);
  Reader read(diagnostics);
  bool good = true;
  for (const Value::Member& member : value.map()) {
    const std::string& key = member.key;
    v1::TrustGateSpec& spec = settings.spec;
    if (key == "phones") {
      if (!member.value.is_string() || member.value.text().empty()) {
        good = read.Wrong(member, "the name of a CSV file with the phones' evidence");
        continue;
      }
      settings.phones = member.value.text();
      settings.phones_span = member.value.span();
    } else if (key == "run_on") {
      std::optional<std::vector<std::string>> hosts =
          MatchHosts(inventory, member.value, diagnostics);
      if (hosts && hosts->empty()) {
        no_hosts_matched = true;
        diagnostics.Error(member.value.span(), "\"run_on\" of the gate matches no host");
      }
      if (!hosts || hosts->empty()) {
        good = false;
        continue;
      }
      settings.run_on = *std::move(hosts);
    } else if (key == "require_return") {
      good &= read.Flag(member, [&](bool on) { spec.set_require_return(on); });
    } else if (key == "allow_unproven") {
      good &= read.Flag(member, [&](bool on) { spec.set_allow_unproven(on); });
    } else if (key == "lenient") {
      good &= read.Flag(member, [&](bool on) { spec.set_lenient(on); });
    } else if (key == "max_age") {
      const std::optional<uint32_t> age =
          member.value.is_string() ? ReadAge(member.value.text()) : std::nullopt;
      if (!age) {
        good = read.Wrong(member, "an age such as 30m, 24h or 7d");
        continue;
      }
      spec.set_max_age_seconds(*age);
    } else if (key == "tftp_http_port") {
      good &= read.Number(member, 65535, [&](uint32_t port) { spec.set_tftp_http_port(port); });
    } else if (key == "tftp_port") {
      good &= read.Number(member, 65535, [&](uint32_t port) { spec.set_tftp_port(port); });
    } else if (key == "tvs_port") {
      good &= read.Number(member, 65535, [&](uint32_t port) { spec.set_tvs_port(port); });
    } else if (key == "timeout_ms") {
      good &= read.Number(member, 120000, [&](uint32_t time) { spec.set_timeout_ms(time); });
    } else {
      diagnostics.Error(
          member.key_span,
          absl::StrCat(
              "unknown key \"", key, "\" in a gate",
              yaml::DidYouMeanSuffix(
                  key, {"phones", "run_on", "require_return", "allow_unproven", "lenient",
                        "max_age", "tftp_http_port", "tftp_port", "tvs_port", "timeout_ms"})));
      good = false;
    }
  }
  if (value.Find("phones") == nullptr) {
    diagnostics.Error(value.span(),
                      "a gate needs \"phones\": a CSV file with the phones' evidence");
    good = false;
  }
  if (value.Find("run_on") == nullptr) {
    diagnostics.Error(value.span(),
                      "a gate needs \"run_on\": the hosts in the phones' networks that judge");
    good = false;
  }
  if (!good) return std::nullopt;
  return settings;
}

}  // namespace trustline::controller
