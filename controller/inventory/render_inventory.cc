#include "controller/inventory/render_inventory.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

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

// A group stays while one of its hosts does; `all` stays anyway.
bool Stays(const Inventory& inventory, const std::string& group,
           const std::set<std::string>& only) {
  const std::vector<std::string>& hosts = inventory.HostsOf(group);
  return group == "all" || std::any_of(hosts.begin(), hosts.end(), [&](const std::string& host) {
           return only.contains(host);
         });
}

void Draw(const Inventory& inventory, const std::string& name, const std::string& indent,
          bool with_variables, const std::set<std::string>* only, std::string& out) {
  absl::StrAppend(&out, indent, indent.empty() ? "@" : "--@", name, ":\n");
  const std::string below = indent + "  |";
  const InventoryGroup& group = *inventory.FindGroup(name);
  for (const std::string& child : inventory.ChildrenOf(name)) {
    if (only != nullptr && !Stays(inventory, child, *only)) continue;
    Draw(inventory, child, below, with_variables, only, out);
  }
  for (const std::string& host : group.hosts) {
    if (only != nullptr && !only->contains(host)) continue;
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

std::string DrawAll(const Inventory& inventory, bool with_variables,
                    const std::set<std::string>* only) {
  std::string out;
  Draw(inventory, "all", "", with_variables, only, out);
  return out;
}

std::string ListAll(const Inventory& inventory, const std::set<std::string>* only) {
  Json root = Json::object();
  Json& hostvars = root["_meta"]["hostvars"] = Json::object();
  for (const InventoryHost& host : inventory.hosts()) {
    if (only == nullptr || only->contains(host.name)) hostvars[host.name] = ToJson(host.variables);
  }
  for (const InventoryGroup& group : inventory.groups()) {
    if (only != nullptr && !Stays(inventory, group.name, *only)) continue;
    Json entry = Json::object();
    std::vector<std::string> children = inventory.ChildrenOf(group.name), hosts = group.hosts;
    if (only != nullptr) {
      std::erase_if(children, [&](const auto& child) { return !Stays(inventory, child, *only); });
      std::erase_if(hosts, [&](const auto& host) { return !only->contains(host); });
    }
    if (!children.empty()) entry["children"] = children;
    if (!hosts.empty()) entry["hosts"] = hosts;
    if (entry.empty() && group.name == "ungrouped") continue;
    root[group.name] = std::move(entry);
  }
  return Dump(root);
}

}  // namespace

std::string RenderInventoryGraph(const Inventory& inventory, bool with_variables) {
  return DrawAll(inventory, with_variables, nullptr);
}

std::string RenderInventoryGraph(const Inventory& inventory, bool with_variables,
                                 const std::set<std::string>& only) {
  return DrawAll(inventory, with_variables, &only);
}

std::string RenderInventoryList(const Inventory& inventory) { return ListAll(inventory, nullptr); }

std::string RenderInventoryList(const Inventory& inventory, const std::set<std::string>& only) {
  return ListAll(inventory, &only);
}

std::string RenderInventoryHost(const InventoryHost& host) { return Dump(ToJson(host.variables)); }

}  // namespace trustline::controller
