#include "agent/dhcp/kea_compare.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "trust/dhcp_message.h"

namespace trustline::agent {
namespace {

using Difference = std::optional<std::string>;
using Type = KeaValue::Type;

// What is served: here a list that the file does not have must be empty in the server.
constexpr std::array<absl::string_view, 8> kCollections = {
    "option-data",  "option-def", "subnet4",        "shared-networks",
    "reservations", "pools",      "client-classes", "hooks-libraries"};
// Names of the file that config-get does not repeat, or not there: a comment becomes part of the
// user context, the reservation mode becomes three settings, old names inside dhcp-ddns become
// ddns-... of the server, and the limits of a log are shown only where it is a file.
constexpr std::array<absl::string_view, 12> kNotRepeated = {"comment",
                                                            "reservation-mode",
                                                            "maxsize",
                                                            "maxver",
                                                            "compatibility",
                                                            "generated-prefix",
                                                            "qualifying-suffix",
                                                            "override-no-update",
                                                            "override-client-update",
                                                            "replace-client-name",
                                                            "hostname-char-set",
                                                            "hostname-char-replacement"};
constexpr std::array<absl::string_view, 5> kIdentifiers = {"hw-address", "duid", "client-id",
                                                           "circuit-id", "flex-id"};
// Defaults that config-get leaves out although they are not "nothing".
constexpr std::array<std::pair<absl::string_view, absl::string_view>, 2> kSilentDefaults = {
    {{"outbound-interface", "same-as-inbound"}, {"dhcp-socket-type", "raw"}}};
// Lists whose order Kea does not keep.
constexpr std::array<absl::string_view, 3> kUnordered = {"interfaces", "ip-addresses",
                                                         "client-classes"};

template <typename List, typename Item>
bool In(const List& list, const Item& item) {
  return absl::c_find(list, item) != list.end();
}

bool IsSecret(absl::string_view name) {
  return name == "password" || name == "secret" || name == "trust-anchor" || name == "key-file";
}

// Blanks around commas and at both ends mean nothing.
std::string WithoutListBlanks(absl::string_view text) {
  std::vector<absl::string_view> parts = absl::StrSplit(text, ',');
  for (absl::string_view& part : parts) part = absl::StripAsciiWhitespace(part);
  return absl::StrJoin(parts, ",");
}

std::string Hex(absl::string_view text) {
  const std::optional<std::string> bytes = KeaHexBytes(text);
  return bytes ? absl::BytesToHexString(*bytes) : std::string(text);
}

// "a-b" and "a/24" as first and last address.
std::string AddressRange(absl::string_view text) {
  const std::vector<absl::string_view> ends = absl::StrSplit(text, '-');
  if (ends.size() == 2) {
    const absl::StatusOr<uint32_t> first = ParseIpv4(absl::StripAsciiWhitespace(ends[0]));
    const absl::StatusOr<uint32_t> last = ParseIpv4(absl::StripAsciiWhitespace(ends[1]));
    if (first.ok() && last.ok()) return absl::StrCat(*first, "-", *last);
  }
  const std::vector<absl::string_view> prefix = absl::StrSplit(text, '/');
  if (prefix.size() == 2) {
    const absl::StatusOr<uint32_t> address = ParseIpv4(absl::StripAsciiWhitespace(prefix[0]));
    int length = 0;
    if (address.ok() && absl::SimpleAtoi(prefix[1], &length) && length >= 0 && length <= 32) {
      const uint32_t host = length == 32 ? 0 : ~uint32_t{0} >> length;
      return absl::StrCat(*address & ~host, "-", *address | host);
    }
  }
  return std::string(text);
}

// One spelling of a string value, by what its name says it is.
std::string Normal(absl::string_view name, const std::string& text) {
  if (name == "hw-address") {
    if (std::string mac = NormalMac(text); !mac.empty()) return mac;
  }
  if (In(kIdentifiers, name)) return Hex(text);
  if (name == "subnet" || name == "pool") return AddressRange(text);
  if (name == "severity") return absl::AsciiStrToUpper(text);
  return WithoutListBlanks(text);
}

const KeaValue* StringIn(const KeaValue& map, absl::string_view name) {
  const KeaValue* value = map.Find(name);
  return value != nullptr && value->IsString() ? value : nullptr;
}

// Absent and "nothing" are the same to Kea.
bool IsNothing(const KeaValue& value) {
  switch (value.type) {
    case Type::kNull:
      return true;
    case Type::kBool:
      return !value.boolean;
    case Type::kNumber: {
      double number = 1;
      return absl::SimpleAtod(value.text, &number) && number == 0;
    }
    case Type::kString:
      return value.text.empty();
    case Type::kList:
      return value.items.empty();
    case Type::kMap:
      return absl::c_all_of(value.members,
                            [](const KeaMember& member) { return IsNothing(member.value); });
  }
  return false;
}

std::string Shown(absl::string_view name, const KeaValue& value) {
  if (value.type == Type::kMap) return "{...}";
  if (value.type == Type::kList) return absl::StrCat("a list of ", value.items.size());
  if (IsSecret(name)) return "a secret";
  return ToStrictJson(value);
}

class Comparison {
 public:
  explicit Comparison(const KeaConfig& file) : file_(file) {}

  Difference Maps(const std::string& path, const KeaValue& file, const KeaValue& running) const {
    for (const KeaMember& member : file.members) {
      const std::string here = path.empty() ? member.key : absl::StrCat(path, "/", member.key);
      const KeaValue* other = running.Find(member.key);
      if (other == nullptr) {
        if (In(kNotRepeated, member.key) || IsNothing(member.value)) continue;
        if (In(kSilentDefaults,
               std::pair<absl::string_view, absl::string_view>(member.key, member.value.text))) {
          continue;
        }
        if (member.key == "ip-address" && Relays(member.value, running)) continue;
        return absl::StrCat(here, ": the file says ", Shown(member.key, member.value),
                            ", the server has nothing");
      }
      if (member.key == "id" && IsNothing(member.value)) continue;  // 0: Kea numbers by itself
      if (member.key == "data" && SameOptionData(file, running)) continue;
      if (Difference found = Values(here, member.key, member.value, *other)) return found;
    }
    for (const absl::string_view name : kCollections) {
      const KeaValue* other = running.Find(name);
      if (other == nullptr || other->items.empty() || file.Find(name) != nullptr) continue;
      return absl::StrCat(path.empty() ? "" : absl::StrCat(path, "/"), name, "/",
                          NameOf(name, other->items.front(), 0),
                          ": the server has it, the file does not");
    }
    return std::nullopt;
  }

 private:
  // The old form of a relay, { "ip-address": A }, is repeated as { "ip-addresses": [A] }.
  static bool Relays(const KeaValue& address, const KeaValue& running) {
    const KeaValue* list = running.Find("ip-addresses");
    return list != nullptr && list->items.size() == 1 && list->items[0].text == address.text;
  }

  // The server repeats hexadecimal data in its own spelling and says in csv-format that it is such.
  static bool SameOptionData(const KeaValue& file, const KeaValue& running) {
    const KeaValue* format = running.Find("csv-format");
    const KeaValue* one = StringIn(file, "data");
    const KeaValue* other = StringIn(running, "data");
    return format != nullptr && !format->boolean && one != nullptr && other != nullptr &&
           Hex(one->text) == Hex(other->text);
  }

  Difference Values(const std::string& path, absl::string_view name, const KeaValue& file,
                    const KeaValue& running) const {
    bool same = file.type == running.type;
    if (same) {
      switch (file.type) {
        case Type::kMap:
          return Maps(path, file, running);
        case Type::kList:
          return Lists(path, name, file, running);
        case Type::kNull:
          break;
        case Type::kBool:
          same = file.boolean == running.boolean;
          break;
        case Type::kNumber: {
          double one = 0;
          double other = 0;
          same = absl::SimpleAtod(file.text, &one) && absl::SimpleAtod(running.text, &other) &&
                 one == other;
          break;
        }
        case Type::kString:
          same = Normal(name, file.text) == Normal(name, running.text);
          break;
      }
    }
    if (same) return std::nullopt;
    return absl::StrCat(path, ": the file says ", Shown(name, file), ", the server has ",
                        Shown(name, running));
  }

  Difference Lists(const std::string& path, absl::string_view name, const KeaValue& file,
                   const KeaValue& running) const {
    std::vector<bool> taken(running.items.size(), false);
    for (size_t i = 0; i < file.items.size(); ++i) {
      const KeaValue& item = file.items[i];
      const std::string here = absl::StrCat(path, "/", NameOf(name, item, i));
      Difference nearest;
      bool found = false;
      for (size_t j = 0; j < running.items.size() && !found; ++j) {
        if (taken[j] || !MayBeSame(name, item, i, running.items[j], j)) continue;
        const Difference difference = Values(here, name, item, running.items[j]);
        if (!difference) {
          taken[j] = found = true;
        } else if (!nearest && (item.IsMap() || !In(kUnordered, name))) {
          nearest = difference;
        }
      }
      if (found) continue;
      if (nearest) return nearest;
      return absl::StrCat(here, ": the file has it, the server does not");
    }
    for (size_t j = 0; j < taken.size(); ++j) {
      if (taken[j]) continue;
      return absl::StrCat(path, "/", NameOf(name, running.items[j], j),
                          ": the server has it, the file does not");
    }
    return std::nullopt;
  }

  // Whether two elements of the list `name` speak of the same thing.
  bool MayBeSame(absl::string_view name, const KeaValue& file, size_t file_index,
                 const KeaValue& running, size_t running_index) const {
    if (!file.IsMap() || !running.IsMap())
      return In(kUnordered, name) || file_index == running_index;
    if (name == "option-data") return SameOption(file, running);
    if (name == "option-def") {
      return Agree(file, running, "code") && SpaceOf(file) == SpaceOf(running);
    }
    if (name == "reservations") {
      for (const absl::string_view identifier : kIdentifiers) {
        if (file.Find(identifier) != nullptr) {
          return Agree(file, running, identifier) && Agree(file, running, "ip-address");
        }
      }
    }
    for (const absl::string_view key : {"subnet", "pool", "name", "library"}) {
      if (StringIn(file, key) != nullptr) return Agree(file, running, key);
    }
    return file_index == running_index;
  }

  // A file names an option by code, by name, or both; the server always says both where it knows
  // them.
  bool SameOption(const KeaValue& file, const KeaValue& running) const {
    if (SpaceOf(file) != SpaceOf(running)) return false;
    if (file.Find("code") != nullptr) return Agree(file, running, "code");
    return Agree(file, running, "name");
  }

  static std::string SpaceOf(const KeaValue& map) {
    const KeaValue* space = StringIn(map, "space");
    return space == nullptr ? "dhcp4" : space->text;
  }

  bool Agree(const KeaValue& file, const KeaValue& running, absl::string_view key) const {
    const KeaValue* one = file.Find(key);
    const KeaValue* other = running.Find(key);
    if (one == nullptr) return true;
    if (other == nullptr) return IsNothing(*one);
    return !Values("", key, *one, *other).has_value();
  }

  // What an element of a list is called in a path.
  std::string NameOf(absl::string_view list, const KeaValue& item, size_t index) const {
    if (item.IsMap()) {
      if (list == "option-data") {
        if (const KeaValue* code = item.Find("code")) return code->text;
        const KeaValue* name = StringIn(item, "name");
        const std::optional<int> code = name == nullptr ? std::nullopt : file_.CodeOf(name->text);
        if (code) return absl::StrCat(*code);
      }
      for (const absl::string_view key : {"subnet", "pool", "hw-address", "duid", "client-id",
                                          "circuit-id", "flex-id", "name", "library"}) {
        const KeaValue* value = StringIn(item, key);
        if (value != nullptr && !value->text.empty()) return value->text;
      }
    } else if (item.IsString() && !IsSecret(list)) {
      return item.text;
    }
    return absl::StrCat("[", index, "]");
  }

  const KeaConfig& file_;
};

}  // namespace

std::optional<std::string> FirstDifference(const KeaConfig& file, const KeaConfig& running) {
  return Comparison(file).Maps("", file.dhcp4(), running.dhcp4());
}

}  // namespace trustline::agent
