#include "controller/inventory/host_pattern.h"

#include <fnmatch.h>
#include <re2/re2.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "controller/expression/scalar_span.h"

namespace trustline::controller {
namespace {

struct Term {
  char sign = 0;  // 0, '&' or '!'
  std::string text;
  size_t offset = 0;  // of `text` in the pattern
};

// At ':' and ',' outside brackets; a regex reaches to the next comma, because its syntax uses
// colons.
std::vector<Term> Split(absl::string_view pattern) {
  std::vector<Term> terms;
  size_t at = 0;
  while (at <= pattern.size()) {
    size_t end = at;
    int brackets = 0;
    size_t first = at;
    while (first < pattern.size() &&
           (absl::ascii_isspace(pattern[first]) || pattern[first] == '&' || pattern[first] == '!'))
      ++first;
    const bool regex = first < pattern.size() && pattern[first] == '~';
    while (end < pattern.size()) {
      const char c = pattern[end];
      if (c == '[') ++brackets;
      if (c == ']' && brackets > 0) --brackets;
      if (brackets == 0 && (c == ',' || (c == ':' && !regex))) break;
      ++end;
    }
    absl::string_view text = pattern.substr(at, end - at);
    Term term;
    term.offset = at + (text.size() - absl::StripLeadingAsciiWhitespace(text).size());
    text = absl::StripAsciiWhitespace(text);
    if (!text.empty() && (text[0] == '&' || text[0] == '!')) {
      term.sign = text[0];
      text.remove_prefix(1);
      ++term.offset;
    }
    term.text = std::string(text);
    if (!term.text.empty() || term.sign != 0) terms.push_back(std::move(term));
    at = end + 1;
  }
  return terms;
}

// grp[0], grp[-1], grp[0:2], grp[1:].
struct Subscript {
  std::string name;
  int64_t first = 0;
  int64_t last = 0;
};
std::optional<Subscript> ParseSubscript(const std::string& text) {
  static const auto* const kPattern =
      new RE2(R"((.+)\[(?:(-?[0-9]{1,9})|([0-9]{1,9}):([0-9]{0,9}))\])");
  std::string name, single, first, last;
  if (!RE2::FullMatch(text, *kPattern, &name, &single, &first, &last)) return std::nullopt;
  Subscript subscript;
  subscript.name = name;
  if (!single.empty()) {
    if (!absl::SimpleAtoi(single, &subscript.first)) return std::nullopt;
    subscript.last = subscript.first;
    return subscript;
  }
  if (!absl::SimpleAtoi(first, &subscript.first)) return std::nullopt;
  subscript.last = INT64_MAX;
  if (!last.empty() && !absl::SimpleAtoi(last, &subscript.last)) return std::nullopt;
  return subscript;
}

class Matcher {
 public:
  Matcher(const Inventory& inventory, const yaml::Value& pattern, yaml::Diagnostics& diagnostics)
      : inventory_(inventory), pattern_(pattern), diagnostics_(diagnostics) {}

  // nullopt when it reported an error. In the order of the group or inventory.
  std::optional<std::vector<std::string>> Match(const Term& term) {
    if (term.text.empty())
      return Fail(term,
                  absl::StrCat("a name is missing after \"", std::string(1, term.sign), "\""));
    if (term.text[0] == '~') return MatchRegex(term);
    if (Known(term.text)) return HostsOfName(term.text);
    if (std::optional<Subscript> subscript = ParseSubscript(term.text))
      return MatchSubscript(term, *subscript);
    if (term.text.find_first_of("*?[") != std::string::npos) {
      return MatchNames([&](const std::string& name) {
        return fnmatch(term.text.c_str(), name.c_str(), 0) == 0;
      });
    }
    return Unknown(term, term.text);
  }

 private:
  bool Known(const std::string& name) const {
    return inventory_.FindGroup(name) != nullptr || inventory_.FindHost(name) != nullptr;
  }
  std::vector<std::string> HostsOfName(const std::string& name) const {
    if (inventory_.FindGroup(name) != nullptr) return inventory_.HostsOf(name);
    return {name};
  }

  std::optional<std::vector<std::string>> Fail(const Term& term, std::string message) {
    diagnostics_.Error(SpanInScalar(pattern_, term.offset, term.text.size()), std::move(message));
    return std::nullopt;
  }
  std::optional<std::vector<std::string>> Unknown(const Term& term, const std::string& name) {
    return Fail(term, absl::StrCat("no host or group \"", name, "\" in the inventory",
                                   yaml::DidYouMeanSuffix(name, inventory_.Names())));
  }

  template <typename Predicate>
  std::vector<std::string> MatchNames(Predicate predicate) const {
    std::vector<std::string> hosts;
    for (const InventoryGroup& group : inventory_.groups()) {
      if (!predicate(group.name)) continue;
      const std::vector<std::string>& members = inventory_.HostsOf(group.name);
      hosts.insert(hosts.end(), members.begin(), members.end());
    }
    for (const InventoryHost& host : inventory_.hosts()) {
      if (predicate(host.name)) hosts.push_back(host.name);
    }
    return hosts;
  }

  std::optional<std::vector<std::string>> MatchRegex(const Term& term) {
    const RE2 regex(absl::StrCat("^(?:", term.text.substr(1), ")"), RE2::Quiet);
    if (!regex.ok())
      return Fail(term, absl::StrCat("this is not a regular expression: ", regex.error()));
    return MatchNames([&](const std::string& name) { return RE2::PartialMatch(name, regex); });
  }

  std::optional<std::vector<std::string>> MatchSubscript(const Term& term,
                                                         const Subscript& subscript) {
    std::vector<std::string> hosts;
    if (Known(subscript.name)) {
      hosts = HostsOfName(subscript.name);
    } else if (subscript.name.find_first_of("*?") != std::string::npos) {
      hosts = MatchNames([&](const std::string& name) {
        return fnmatch(subscript.name.c_str(), name.c_str(), 0) == 0;
      });
    } else {
      return Unknown(term, subscript.name);
    }
    const auto size = static_cast<int64_t>(hosts.size());
    const int64_t first = subscript.first < 0 ? subscript.first + size : subscript.first;
    const int64_t last =
        std::min(subscript.last < 0 ? subscript.last + size : subscript.last, size - 1);
    std::vector<std::string> chosen;
    for (int64_t i = std::max<int64_t>(first, 0); first >= 0 && i <= last; ++i) {
      chosen.push_back(hosts[static_cast<size_t>(i)]);
    }
    return chosen;
  }

  const Inventory& inventory_;
  const yaml::Value& pattern_;
  yaml::Diagnostics& diagnostics_;
};

}  // namespace

std::optional<std::vector<std::string>> MatchHosts(const Inventory& inventory,
                                                   const yaml::Value& pattern,
                                                   yaml::Diagnostics& diagnostics) {
  std::set<std::string> chosen, dropped;
  bool good = true, any_union = false;
  std::vector<std::set<std::string>> intersections;
  const yaml::Value::List single = {pattern};
  for (const yaml::Value& part : pattern.is_list() ? pattern.list() : single) {
    if (!part.is_string()) {
      diagnostics.Error(part.span(), absl::StrCat("a host pattern is a string, got ",
                                                  yaml::TypeName(part.type())));
      good = false;
      continue;
    }
    Matcher matcher(inventory, part, diagnostics);
    for (const Term& term : Split(part.text())) {
      std::optional<std::vector<std::string>> hosts = matcher.Match(term);
      if (!hosts) {
        good = false;
      } else if (term.sign == '!') {
        dropped.insert(hosts->begin(), hosts->end());
      } else if (term.sign == '&') {
        intersections.emplace_back(hosts->begin(), hosts->end());
      } else {
        any_union = true;
        chosen.insert(hosts->begin(), hosts->end());
      }
    }
  }
  if (!good) return std::nullopt;
  // Only "&" and "!" terms begin from everybody, as in Ansible.
  const bool from_all = !any_union && (!intersections.empty() || !dropped.empty());
  std::vector<std::string> result;
  for (const InventoryHost& host : inventory.hosts()) {
    bool in = from_all || chosen.contains(host.name);
    for (const std::set<std::string>& other : intersections) in = in && other.contains(host.name);
    if (in && !dropped.contains(host.name)) result.push_back(host.name);
  }
  return result;
}

}  // namespace trustline::controller
