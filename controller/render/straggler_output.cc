#include "controller/render/straggler_output.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "controller/render/style.h"
#include "nlohmann/json.hpp"

namespace trustline::controller {
namespace {

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

}  // namespace

std::string StragglerStateName(Straggler::State state) {
  switch (state) {
    case Straggler::State::kMissing:
      return "missing";
    case Straggler::State::kArrived:
      return "arrived";
    case Straggler::State::kExcused:
      return "excused";
  }
  return "missing";
}

std::string StragglersTable(const std::vector<Straggler>& stragglers, bool headers) {
  std::vector<std::vector<std::string>> rows = {
      {"DEVICE", "STATE", "EXCHANGE", "PLAYBOOK", "SINCE", "CHECKED", "REASON"}};
  for (const Straggler& straggler : stragglers) {
    rows.push_back({straggler.device, StragglerStateName(straggler.state), straggler.exchange,
                    straggler.playbook, TimeText(straggler.since), TimeText(straggler.checked),
                    straggler.state == Straggler::State::kExcused
                        ? absl::StrCat(straggler.excuse, " (", straggler.excused_by, ")")
                        : straggler.reason});
  }
  return FormatTable(rows, headers);
}

std::string StragglersJson(const std::vector<Straggler>& stragglers) {
  using Json = nlohmann::ordered_json;
  Json array = Json::array();
  for (const Straggler& straggler : stragglers) {
    Json entry = {
        {"device", straggler.device},         {"state", StragglerStateName(straggler.state)},
        {"exchange", straggler.exchange},     {"playbook", straggler.playbook},
        {"since", TimeText(straggler.since)}, {"checked", TimeText(straggler.checked)},
        {"reason", straggler.reason}};
    if (straggler.settled != absl::InfiniteFuture()) entry["settled"] = TimeText(straggler.settled);
    if (straggler.state == Straggler::State::kExcused) {
      entry["excuse"] = straggler.excuse;
      entry["excused_by"] = straggler.excused_by;
    }
    array.push_back(std::move(entry));
  }
  // Device names come from others; what is no UTF-8 must not end the output.
  return Json{{"schema", "trustline/1"}, {"stragglers", array}}.dump(
             2, ' ', false, Json::error_handler_t::replace) +
         "\n";
}

}  // namespace trustline::controller
