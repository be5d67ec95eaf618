#include "agent/dhcp/kea_config.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

constexpr size_t kNamesInMessage = 10;

std::string TextOf(const KeaValue& map, absl::string_view key) {
  const KeaValue* value = map.Find(key);
  return value != nullptr && value->IsString() ? value->text : std::string();
}

std::optional<int> NumberOf(const KeaValue& map, absl::string_view key) {
  const KeaValue* value = map.Find(key);
  int number = 0;
  if (value == nullptr || value->type != KeaValue::Type::kNumber ||
      !absl::SimpleAtoi(value->text, &number)) {
    return std::nullopt;
  }
  return number;
}

std::optional<bool> BoolOf(const KeaValue& map, absl::string_view key) {
  const KeaValue* value = map.Find(key);
  if (value == nullptr || value->type != KeaValue::Type::kBool) return std::nullopt;
  return value->boolean;
}

bool InDhcp4Space(const KeaValue& map) {
  const KeaValue* space = map.Find("space");
  return space == nullptr || space->text == "dhcp4";
}

void ForEachMap(const KeaValue& parent, absl::string_view key,
                const std::function<void(const KeaValue&)>& visit) {
  const KeaValue* list = parent.Find(key);
  if (list == nullptr || !list->IsList()) return;
  for (const KeaValue& item : list->items) {
    if (item.IsMap()) visit(item);
  }
}

// Every subnet with the shared network it lies in (nullptr: none).
void ForEachSubnet(const KeaValue& dhcp4,
                   const std::function<void(const KeaValue&, const KeaValue*)>& visit) {
  ForEachMap(dhcp4, "subnet4", [&](const KeaValue& subnet) { visit(subnet, nullptr); });
  ForEachMap(dhcp4, "shared-networks", [&](const KeaValue& network) {
    ForEachMap(network, "subnet4", [&](const KeaValue& subnet) { visit(subnet, &network); });
  });
}

// A prefix as Kea reads it: it does not mind bits behind the prefix.
std::optional<Ipv4Subnet> LenientSubnet(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '/');
  if (parts.size() != 2) return std::nullopt;
  const absl::StatusOr<uint32_t> address = ParseIpv4(absl::StripAsciiWhitespace(parts[0]));
  int prefix = 0;
  if (!address.ok() || !absl::SimpleAtoi(parts[1], &prefix) || prefix < 0 || prefix > 32) {
    return std::nullopt;
  }
  const uint32_t mask = prefix == 0 ? 0 : ~uint32_t{0} << (32 - prefix);
  return Ipv4Subnet{*address & mask, prefix};
}

std::string SubnetName(const KeaValue& subnet) {
  const std::string text = TextOf(subnet, "subnet");
  const std::optional<Ipv4Subnet> parsed = LenientSubnet(text);
  return parsed ? absl::StrCat(FormatIpv4(parsed->network), "/", parsed->prefix) : text;
}

std::string ReservationName(const KeaValue& reservation) {
  const std::string mac = NormalMac(TextOf(reservation, "hw-address"));
  if (!mac.empty()) return mac;
  for (const absl::string_view key : {"client-id", "duid", "circuit-id", "flex-id", "hw-address"}) {
    const std::string text = TextOf(reservation, key);
    if (!text.empty()) return absl::StrCat(key, " ", text);
  }
  return "without identifier";
}

std::string NamesOf(std::vector<std::string> names) {
  if (names.empty()) return "none";
  const size_t more = names.size() > kNamesInMessage ? names.size() - kNamesInMessage : 0;
  names.resize(names.size() - more);
  return absl::StrCat(absl::StrJoin(names, ", "),
                      more > 0 ? absl::StrCat(" and ", more, " more") : "");
}

void MoveComments(KeaValue& value) {
  for (KeaValue& item : value.items) MoveComments(item);
  std::optional<KeaMember> comment;
  for (KeaMember& member : value.members) {
    // What is below these two is not Kea's own.
    if (member.key == "user-context" || member.key == "parameters") continue;
    if (member.key == "comment" && member.value.IsString()) {
      comment = member;
    } else {
      MoveComments(member.value);
    }
  }
  if (!comment) return;
  std::vector<KeaMember> others;
  KeaMember context{"user-context", 0, {}};
  context.value.type = KeaValue::Type::kMap;
  for (KeaMember& member : value.members) {
    if (member.key == "user-context" && member.value.IsMap()) {
      context = std::move(member);
    } else if (member.key != "comment") {
      others.push_back(std::move(member));
    }
  }
  context.value.members.push_back(*std::move(comment));
  others.push_back(std::move(context));
  value.members = std::move(others);
}

}  // namespace

std::optional<std::string> KeaHexBytes(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  if (text.size() >= 2 && text.front() == '\'' && text.back() == '\'') {
    return std::string(text.substr(1, text.size() - 2));
  }
  if (absl::StartsWith(text, "0x") || absl::StartsWith(text, "0X")) text.remove_prefix(2);
  std::string digits;
  // Between separators Kea takes one or two digits for a byte.
  for (const absl::string_view part : absl::StrSplit(text, absl::ByAnyChar(": "))) {
    if (part.size() == 1) digits.push_back('0');
    absl::StrAppend(&digits, part);
  }
  if (digits.size() % 2 != 0 || !std::all_of(digits.begin(), digits.end(), [](char c) {
        return absl::ascii_isxdigit(static_cast<unsigned char>(c));
      })) {
    return std::nullopt;
  }
  return absl::HexStringToBytes(digits);
}

std::string NormalMac(absl::string_view text) {
  const std::optional<std::string> bytes = KeaHexBytes(absl::StrReplaceAll(text, {{"-", ":"}}));
  if (!bytes || bytes->size() != 6) return "";
  std::vector<std::string> parts;
  for (const char byte : *bytes) parts.push_back(absl::BytesToHexString(std::string(1, byte)));
  return absl::StrJoin(parts, ":");
}

std::string JoinIpv4(const std::vector<uint32_t>& addresses) {
  return absl::StrJoin(addresses, ", ", [](std::string* out, uint32_t address) {
    absl::StrAppend(out, FormatIpv4(address));
  });
}

KeaConfig::KeaConfig(std::string text, KeaValue root)
    : text_(std::move(text)), root_(std::move(root)) {
  ForEachMap(dhcp4(), "option-def", [this](const KeaValue& definition) {
    if (NumberOf(definition, "code") == kOptionTftpServers && InDhcp4Space(definition)) {
      definitions_.push_back({TextOf(definition, "name"), TextOf(definition, "type"),
                              BoolOf(definition, "array").value_or(false)});
    }
  });
}

absl::StatusOr<KeaConfig> KeaConfig::Parse(std::string text) {
  TL_ASSIGN_OR_RETURN(KeaValue root, ParseKeaJson(text));
  const KeaValue* dhcp4 = root.Find("Dhcp4");
  if (dhcp4 == nullptr || !dhcp4->IsMap()) {
    return absl::InvalidArgumentError("there is no \"Dhcp4\": { ... } in it");
  }
  return KeaConfig(std::move(text), std::move(root));
}

std::string KeaConfig::WireJson() const {
  KeaValue wire = root_;
  for (KeaMember& member : wire.members) MoveComments(member.value);
  return ToStrictJson(wire);
}

std::optional<int> KeaConfig::CodeOf(absl::string_view option_name) const {
  std::optional<int> code;
  ForEachMap(dhcp4(), "option-def", [&](const KeaValue& definition) {
    if (TextOf(definition, "name") == option_name && InDhcp4Space(definition)) {
      code = NumberOf(definition, "code");
    }
  });
  return code;
}

absl::StatusOr<KeaConfig::Place> KeaConfig::Find(const KeaScope& scope) const {
  std::vector<Place> found;
  std::vector<std::string> there;
  std::string wanted;
  switch (scope.type) {
    case KeaScope::Type::kGlobal:
      return Place{&dhcp4(), ""};
    case KeaScope::Type::kSubnet: {
      TL_ASSIGN_OR_RETURN(const Ipv4Subnet subnet, ParseIpv4Subnet(scope.key));
      wanted = absl::StrCat("subnet ", scope.key);
      ForEachSubnet(dhcp4(), [&](const KeaValue& map, const KeaValue*) {
        const std::optional<Ipv4Subnet> present = LenientSubnet(TextOf(map, "subnet"));
        there.push_back(SubnetName(map));
        if (present && present->network == subnet.network && present->prefix == subnet.prefix) {
          found.push_back({&map, there.back()});
        }
      });
      break;
    }
    case KeaScope::Type::kReservation: {
      const std::string mac = NormalMac(scope.key);
      if (mac.empty()) {
        return absl::InvalidArgumentError(absl::StrCat("'", scope.key, "' is not a MAC address"));
      }
      wanted = absl::StrCat("reservation ", mac);
      const auto look = [&](const KeaValue& parent, const std::string& subnet) {
        ForEachMap(parent, "reservations", [&](const KeaValue& map) {
          const std::string present = NormalMac(TextOf(map, "hw-address"));
          if (!present.empty()) there.push_back(present);
          if (present == mac) found.push_back({&map, subnet});
        });
      };
      look(dhcp4(), "");
      ForEachSubnet(dhcp4(),
                    [&](const KeaValue& map, const KeaValue*) { look(map, SubnetName(map)); });
      break;
    }
  }
  if (found.empty()) {
    return absl::NotFoundError(
        absl::StrCat("the DHCP server has no ", wanted, "; it has: ", NamesOf(std::move(there))));
  }
  if (found.size() > 1) {
    std::vector<std::string> places;
    for (const Place& place : found) {
      places.push_back(place.subnet.empty() ? "the whole server" : place.subnet);
    }
    return absl::FailedPreconditionError(absl::StrCat(wanted, " is there ", found.size(),
                                                      " times (", NamesOf(std::move(places)),
                                                      "); remove all but one"));
  }
  return found.front();
}

bool KeaConfig::NamesOption150(const KeaValue& entry) const {
  if (!entry.IsMap() || !InDhcp4Space(entry)) return false;
  if (const std::optional<int> code = NumberOf(entry, "code")) return *code == kOptionTftpServers;
  const std::string name = TextOf(entry, "name");
  return std::any_of(definitions_.begin(), definitions_.end(),
                     [&](const Definition& definition) { return definition.name == name; });
}

absl::StatusOr<const KeaValue*> KeaConfig::Entry(const KeaValue& scope) const {
  const KeaValue* found = nullptr;
  bool twice = false;
  ForEachMap(scope, "option-data", [&](const KeaValue& entry) {
    if (!NamesOption150(entry)) return;
    twice = twice || found != nullptr;
    found = &entry;
  });
  if (twice) {
    return absl::FailedPreconditionError("option 150 is set twice there; remove one of the two");
  }
  return found;
}

const KeaConfig::Definition* KeaConfig::DefinitionFor(const KeaValue* entry) const {
  if (definitions_.empty()) return nullptr;
  if (entry != nullptr) {
    const std::string name = TextOf(*entry, "name");
    for (const Definition& definition : definitions_) {
      if (definition.name == name) return &definition;
    }
  }
  return &definitions_.front();
}

// Whether the entry's data is written as the definition says (true) or as hexadecimal digits
// (false).
bool KeaConfig::IsText(const KeaValue& entry) const {
  const Definition* definition = DefinitionFor(&entry);
  const bool as_text = BoolOf(entry, "csv-format").value_or(definition != nullptr);
  return as_text && (definition == nullptr || definition->type != "binary");
}

KeaPointer KeaConfig::Read(const KeaValue& entry) const {
  KeaPointer pointer;
  const std::string data = TextOf(entry, "data");
  const Definition* definition = DefinitionFor(&entry);
  if (IsText(entry) && definition != nullptr && definition->type != "ipv4-address") {
    // Text of another type goes out as that type: never as addresses, whatever it looks like.
  } else if (IsText(entry)) {
    for (const absl::string_view part : absl::StrSplit(data, ',')) {
      const absl::StatusOr<uint32_t> address = ParseIpv4(absl::StripAsciiWhitespace(part));
      if (!address.ok()) {
        pointer.addresses.clear();
        break;
      }
      pointer.addresses.push_back(*address);
    }
  } else if (const std::optional<std::string> bytes = KeaHexBytes(data)) {
    pointer.addresses = DecodeOption150(*bytes).value_or(std::vector<uint32_t>());
  }
  pointer.text =
      pointer.addresses.empty() ? absl::StrCat("'", data, "'") : JoinIpv4(pointer.addresses);
  return pointer;
}

std::optional<KeaPointer> KeaConfig::Setting(const KeaValue& scope) const {
  const absl::StatusOr<const KeaValue*> entry = Entry(scope);
  if (!entry.ok()) return KeaPointer{{}, "set twice"};
  if (*entry == nullptr) return std::nullopt;
  return Read(**entry);
}

absl::StatusOr<KeaPointer> KeaConfig::Pointer(const KeaScope& scope) const {
  TL_ASSIGN_OR_RETURN(const Place place, Find(scope));
  TL_ASSIGN_OR_RETURN(const KeaValue* const entry, Entry(*place.map));
  return entry == nullptr ? KeaPointer() : Read(*entry);
}

absl::StatusOr<std::string> KeaConfig::WithPointer(const KeaScope& scope,
                                                   const std::vector<uint32_t>& addresses) const {
  TL_ASSIGN_OR_RETURN(const Place place, Find(scope));
  TL_ASSIGN_OR_RETURN(const KeaValue* const entry, Entry(*place.map));
  const Definition* definition = DefinitionFor(entry);
  bool as_text = definition != nullptr && definition->type == "ipv4-address";
  if (entry != nullptr) as_text = IsText(*entry);
  if (definition != nullptr && definition->type != "binary" &&
      (definition->type != "ipv4-address" || (!definition->array && addresses.size() > 1))) {
    return absl::FailedPreconditionError(absl::StrCat(
        "option-def \"", definition->name, "\" of code 150 has type ", definition->type,
        definition->array ? " (array)" : "", ", which cannot hold ", addresses.size(),
        " addresses; declare it with \"type\": \"ipv4-address\", \"array\": true"));
  }
  if (as_text && definition == nullptr) {
    return absl::FailedPreconditionError(
        "option 150 is set with csv-format true but there is no option-def of code 150");
  }
  const std::string data = QuoteJson(
      as_text ? JoinIpv4(addresses)
              : absl::AsciiStrToUpper(absl::BytesToHexString(EncodeOption150(addresses))));

  std::string changed;
  if (entry != nullptr) {
    if (const KeaValue* old = entry->Find("data")) {
      changed = absl::StrCat(absl::string_view(text_).substr(0, old->begin), data,
                             absl::string_view(text_).substr(old->end));
    } else {
      changed = AppendElement(text_, *entry, absl::StrCat("\"data\": ", data));
    }
  } else {
    std::string element;
    if (definition == nullptr) {
      element = absl::StrCat("{ \"code\": 150, \"csv-format\": false, \"data\": ", data, " }");
    } else {
      element = absl::StrCat("{ \"name\": ", QuoteJson(definition->name),
                             as_text ? "" : ", \"csv-format\": false", ", \"data\": ", data, " }");
    }
    const KeaValue* options = place.map->Find("option-data");
    if (options != nullptr && !options->IsList()) {
      return absl::InvalidArgumentError("option-data is not a list");
    }
    changed =
        options != nullptr
            ? AppendElement(text_, *options, element)
            : AppendElement(text_, *place.map, absl::StrCat("\"option-data\": [ ", element, " ]"));
  }
  // What an editor of text believes and what a parser reads are two things.
  TL_ASSIGN_OR_RETURN(const KeaConfig check, Parse(changed));
  TL_ASSIGN_OR_RETURN(const KeaPointer now, check.Pointer(scope));
  if (now.addresses != addresses) {
    return absl::InternalError("option 150 could not be set in the configuration's text");
  }
  return changed;
}

std::vector<KeaNarrowerScope> KeaConfig::NarrowerThan(const KeaScope& scope) const {
  std::vector<KeaNarrowerScope> narrower;
  const auto add = [&](const KeaValue& map, const std::string& name) {
    if (std::optional<KeaPointer> pointer = Setting(map)) {
      narrower.push_back({name, *std::move(pointer)});
    }
  };
  const auto add_reservations = [&](const KeaValue& parent) {
    ForEachMap(parent, "reservations", [&](const KeaValue& reservation) {
      add(reservation, absl::StrCat("reservation ", ReservationName(reservation)));
    });
  };
  const auto add_inside = [&](const KeaValue& subnet) {
    ForEachMap(subnet, "pools", [&](const KeaValue& pool) {
      add(pool, absl::StrCat("pool ", TextOf(pool, "pool"), " of subnet ", SubnetName(subnet)));
    });
    add_reservations(subnet);
  };
  if (scope.type == KeaScope::Type::kReservation) return narrower;
  const absl::StatusOr<Place> place = Find(scope);
  if (!place.ok()) return narrower;
  if (scope.type == KeaScope::Type::kSubnet) {
    add_inside(*place->map);
  } else {
    ForEachMap(dhcp4(), "client-classes", [&](const KeaValue& client_class) {
      add(client_class, absl::StrCat("class ", TextOf(client_class, "name")));
    });
    ForEachMap(dhcp4(), "shared-networks", [&](const KeaValue& network) {
      add(network, absl::StrCat("shared network ", TextOf(network, "name")));
    });
    ForEachSubnet(dhcp4(), [&](const KeaValue& subnet, const KeaValue*) {
      add(subnet, absl::StrCat("subnet ", SubnetName(subnet)));
      add_inside(subnet);
    });
  }
  add_reservations(dhcp4());
  return narrower;
}

std::optional<std::string> KeaConfig::SubnetToAsk(const KeaScope& scope) const {
  const absl::StatusOr<Place> place = Find(scope);
  if (!place.ok()) return std::nullopt;
  if (scope.type != KeaScope::Type::kGlobal) return place->subnet;
  bool all_see_it = true;
  std::optional<std::string> sees_it;
  ForEachSubnet(dhcp4(), [&](const KeaValue& subnet, const KeaValue* network) {
    if (Setting(subnet) || (network != nullptr && Setting(*network))) {
      all_see_it = false;
    } else if (!sees_it) {
      sees_it = SubnetName(subnet);
    }
  });
  return all_see_it ? std::string() : sees_it;
}

absl::StatusOr<KeaServed> KeaConfig::Served(const KeaScope& scope) const {
  TL_ASSIGN_OR_RETURN(const Place place, Find(scope));
  KeaServed served;
  TL_ASSIGN_OR_RETURN(served.pointer, Pointer(scope));
  served.subnet_to_ask = SubnetToAsk(scope);
  const auto set = [&] { return !served.pointer.text.empty(); };
  if (set() || scope.type == KeaScope::Type::kGlobal) return served;
  ForEachSubnet(dhcp4(), [&](const KeaValue& subnet, const KeaValue* network) {
    if (place.subnet.empty() || SubnetName(subnet) != place.subnet || set()) return;
    served.pointer = Setting(subnet).value_or(KeaPointer());
    if (!set() && network != nullptr) served.pointer = Setting(*network).value_or(KeaPointer());
  });
  if (set()) return served;
  const KeaScope global{KeaScope::Type::kGlobal, ""};
  TL_ASSIGN_OR_RETURN(served.pointer, Pointer(global));
  // A reservation outside every subnet is seen where the global value is.
  if (place.subnet.empty()) served.subnet_to_ask = SubnetToAsk(global);
  return served;
}

}  // namespace trustline::agent
