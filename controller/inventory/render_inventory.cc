// What `trustline inventory` prints.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "controller/inventory/inventory.h"
#include "nlohmann/json.hpp"

namespace trustline::controller {
namespace {

using Json = nlohmann::ordered_json;
using yaml::Type;
using yaml::Value;

Json ToJson(const Value& value) {
  switch (value.type()) {
    case Type::kNull:
      return nullptr;
    case Type::kBool:
      return value.bool_value();
    case Type::kInt:
      return value.int_value();
    case Type::kFloat:
      return value.float_value();
    case Type::kString:
      return value.text();
    case Type::kSecret:
      return Json{{"secret", value.text()}};
    case Type::kList: {
      Json list = Json::array();
      for (const Value& item : value.list()) list.push_back(ToJson(item));
      return list;
    }
    case Type::kMap: {
      Json map = Json::object();
      for (const Value::Member& member : value.map()) map[member.key] = ToJson(member.value);
      return map;
    }
  }
  return nullptr;
}

Json ToJson(const Value::Map& variables) {
  Json map = Json::object();
  for (const Value::Member& member : variables) map[member.key] = ToJson(member.value);
  return map;
}

std::string Dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

void Draw(const Inventory& inventory, const std::string& name, const std::string& indent,
          bool with_variables, std::string& out) {
  absl::StrAppend(&out, indent, indent.empty() ? "@" : "--@", name, ":\n");
  const std::string below = indent + "  |";
  const InventoryGroup& group = *inventory.FindGroup(name);
  for (const std::string& child : inventory.ChildrenOf(name))
    Draw(inventory, child, below, with_variables, out);
  for (const std::string& host : group.hosts) {
    absl::StrAppend(&out, below, "--", host, "\n");
    if (!with_variables) continue;
    for (const Value::Member& variable : inventory.FindHost(host)->variables) {
      absl::StrAppend(&out, below, "  |--{", variable.key, " = ", variable.value.ToText(), "}\n");
    }
  }
  if (!with_variables) return;
  for (const Value::Member& variable : group.variables) {
    absl::StrAppend(&out, below, "--{", variable.key, " = ", variable.value.ToText(), "}\n");
  }
}

}  // namespace

std::string RenderInventoryGraph(const Inventory& inventory, bool with_variables) {
  std::string out;
  Draw(inventory, "all", "", with_variables, out);
  return out;
}

std::string RenderInventoryList(const Inventory& inventory) {
  Json root = Json::object();
  Json& hostvars = root["_meta"]["hostvars"] = Json::object();
  for (const InventoryHost& host : inventory.hosts()) hostvars[host.name] = ToJson(host.variables);
  for (const InventoryGroup& group : inventory.groups()) {
    Json entry = Json::object();
    const std::vector<std::string> children = inventory.ChildrenOf(group.name);
    if (!children.empty()) entry["children"] = children;
    if (!group.hosts.empty()) entry["hosts"] = group.hosts;
    if (entry.empty() && group.name == "ungrouped") continue;
    root[group.name] = std::move(entry);
  }
  return Dump(root);
}

std::string RenderInventoryHost(const InventoryHost& host) { return Dump(ToJson(host.variables)); }

}  // namespace trustline::controller
