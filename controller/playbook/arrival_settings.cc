#include "controller/playbook/arrival_settings.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "controller/playbook/gate_settings.h"

namespace trustline::controller {
namespace {

using yaml::Value;

// Digits alone, the first one not 0: number parsers take signs and blanks too.
bool IsPlainNumber(absl::string_view text) {
  return !text.empty() && text[0] != '0' &&
         std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isdigit(c); });
}

// A share of phones is always a percentage: a bare 95 might be meant as so many phones.
std::optional<int> ReadShare(const Value& value) {
  if (!value.is_string()) return std::nullopt;
  absl::string_view text = value.text();
  int number = 0;
  if (!absl::ConsumeSuffix(&text, "%") || !IsPlainNumber(text) ||
      !absl::SimpleAtoi(text, &number) || number > 100) {
    return std::nullopt;
  }
  return number;
}

std::optional<absl::Duration> ReadTime(const Value& value) {
  if (!value.is_string() || value.text().size() < 2) return std::nullopt;
  const absl::string_view text = value.text();
  if (!IsPlainNumber(text.substr(0, text.size() - 1))) return std::nullopt;
  const std::optional<uint32_t> seconds = ReadAge(value.text());
  if (!seconds) return std::nullopt;
  return absl::Seconds(*seconds);
}

}  // namespace

std::optional<ArrivalSettings> ReadArrivalSettings(const Value& value,
                                                   yaml::Diagnostics& diagnostics) {
  if (!value.is_map()) {
    diagnostics.Error(value.span(),
                      absl::StrCat("\"arrival\" is a map: { at_least: \"95%\", within: 30m }, got ",
                                   yaml::TypeName(value.type())));
    return std::nullopt;
  }
  ArrivalSettings settings;
  bool good = true;
  const auto wrong = [&](const Value::Member& member, absl::string_view wanted) {
    diagnostics.Error(member.value.span(),
                      absl::StrCat("\"", member.key, "\" of an arrival is ", wanted));
    good = false;
  };
  for (const Value::Member& member : value.map()) {
    if (member.key == "at_least") {
      const std::optional<int> share = ReadShare(member.value);
      if (!share) wrong(member, "a percentage of the wave's phones from \"1%\" to \"100%\"");
      settings.at_least = share.value_or(0);
    } else if (member.key == "within" || member.key == "every") {
      const std::optional<absl::Duration> time = ReadTime(member.value);
      if (!time) wrong(member, "a time such as 30s, 30m or 2h");
      (member.key == "within" ? settings.within : settings.every) =
          time.value_or(absl::ZeroDuration());
    } else {
      diagnostics.Error(
          member.key_span,
          absl::StrCat("unknown key \"", member.key, "\" in an arrival",
                       yaml::DidYouMeanSuffix(member.key, {"at_least", "within", "every"})));
      good = false;
    }
  }
  for (const char* key : {"at_least", "within"}) {
    if (value.Find(key) != nullptr) continue;
    diagnostics.Error(value.span(), absl::StrCat("an arrival needs \"", key, "\": ",
                                                 absl::string_view(key) == "within"
                                                     ? "how long the phones have"
                                                     : "the share of them that must arrive"));
    good = false;
  }
  if (good && settings.every > settings.within) {
    const Value* every = value.Find("every");
    diagnostics.Error(
        every != nullptr ? every->span() : value.span(),
        absl::StrCat("\"every\" of an arrival, ", absl::FormatDuration(settings.every),
                     every != nullptr ? "" : " where nothing is said",
                     ", is longer than \"within\""));
    good = false;
  }
  if (!good) return std::nullopt;
  return settings;
}

}  // namespace trustline::controller
