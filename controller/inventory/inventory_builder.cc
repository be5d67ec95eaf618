#include "controller/inventory/inventory_builder.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace trustline::controller {
namespace {

// Host names become DNS names of certificates and parts of file names.
bool IsHostName(absl::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  if (!absl::ascii_isalnum(name.front()) || !absl::ascii_isalnum(name.back())) return false;
  for (char c : name) {
    if (!absl::ascii_isalnum(c) && c != '-' && c != '_' && c != '.') return false;
  }
  return true;
}

bool IsGroupName(absl::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  if (!absl::ascii_isalnum(name.front()) && name.front() != '_') return false;
  for (char c : name) {
    if (!absl::ascii_isalnum(c) && c != '-' && c != '_') return false;
  }
  return true;
}

void AddOnce(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

}  // namespace

std::string WhyNotAVariableName(absl::string_view name) {
  static constexpr absl::string_view kReserved[] = {"hostvars", "groups", "inventory_hostname",
                                                    "wave", "item"};
  for (absl::string_view reserved : kReserved) {
    if (name == reserved)
      return absl::StrCat("\"", name, "\" is set by trustline and cannot be a variable of yours");
  }
  static constexpr absl::string_view kWords[] = {"and",  "or",   "not",   "in",    "is",
                                                 "if",   "else", "true",  "false", "none",
                                                 "null", "True", "False", "None"};
  for (absl::string_view word : kWords) {
    if (name == word)
      return absl::StrCat("\"", name,
                          "\" is a word of the expression language and cannot be a variable");
  }
  bool good = !name.empty() && (absl::ascii_isalpha(name[0]) || name[0] == '_');
  for (char c : name) good = good && (absl::ascii_isalnum(c) || c == '_');
  if (!good)
    return absl::StrCat(
        "\"", name, "\" cannot be a variable's name: letters, digits and _ only, no digit first");
  return "";
}

InventoryBuilder::InventoryBuilder(yaml::Diagnostics& diagnostics) : diagnostics_(diagnostics) {
  AddGroup("all", {});
}

bool InventoryBuilder::AddGroup(const std::string& name, const yaml::Span& span) {
  if (HasGroup(name)) return true;
  if (!IsGroupName(name)) {
    diagnostics_.Error(
        span,
        absl::StrCat("\"", name, "\" cannot be a group's name: letters, digits, - and _ only"));
    return false;
  }
  inventory_.group_index_[name] = inventory_.groups_.size();
  InventoryGroup group;
  group.name = name;
  group.declared_at = span;
  inventory_.groups_.push_back(std::move(group));
  return true;
}

bool InventoryBuilder::AddHost(const std::string& name, const yaml::Span& span) {
  if (HasHost(name)) return true;
  if (!IsHostName(name)) {
    diagnostics_.Error(
        span, absl::StrCat("\"", name, "\" cannot be a host's name: letters, digits, - _ . only"));
    return false;
  }
  inventory_.host_index_[name] = inventory_.hosts_.size();
  InventoryHost host;
  host.name = name;
  host.declared_at = span;
  inventory_.hosts_.push_back(std::move(host));
  return true;
}

void InventoryBuilder::AddHostToGroup(const std::string& host, const std::string& group) {
  // Once per host and group is enough; a group's list can be long, so look at the host's short one.
  InventoryHost& entry = inventory_.hosts_[inventory_.host_index_.at(host)];
  if (std::find(entry.groups.begin(), entry.groups.end(), group) != entry.groups.end()) return;
  entry.groups.push_back(group);
  inventory_.groups_[inventory_.group_index_.at(group)].hosts.push_back(host);
}

bool InventoryBuilder::Reaches(const std::string& from, const std::string& to) const {
  std::vector<std::string> open = {from};
  std::set<std::string> seen;
  while (!open.empty()) {
    const std::string name = open.back();
    open.pop_back();
    if (name == to) return true;
    if (!seen.insert(name).second) continue;
    for (const std::string& child : inventory_.FindGroup(name)->children) open.push_back(child);
  }
  return false;
}

void InventoryBuilder::AddChild(const std::string& group, const std::string& child,
                                const yaml::Span& span) {
  if (child == "all" || Reaches(child, group)) {
    diagnostics_.Error(span, absl::StrCat("group \"", child, "\" cannot be a child of \"", group,
                                          "\": it contains it already"));
    return;
  }
  AddOnce(inventory_.groups_[inventory_.group_index_.at(group)].children, child);
}

void InventoryBuilder::SetVariables(yaml::Value::Map& target, const yaml::Value& value,
                                    const std::string& what) {
  if (value.is_null()) return;
  if (!value.is_map()) {
    diagnostics_.Error(value.span(), absl::StrCat(what, " must be a map of variables, got ",
                                                  yaml::TypeName(value.type())));
    return;
  }
  for (const yaml::Value::Member& member : value.map()) {
    if (std::string why = WhyNotAVariableName(member.key); !why.empty()) {
      diagnostics_.Error(member.key_span, why);
      continue;
    }
    if (member.key == "ansible_group_priority") {
      diagnostics_.Warning(member.key_span,
                           "ansible_group_priority has no effect: the deeper group wins, then the "
                           "later in the alphabet");
    }
    auto same = std::find_if(target.begin(), target.end(), [&](const yaml::Value::Member& other) {
      return other.key == member.key;
    });
    if (same != target.end()) {
      *same = member;
    } else {
      target.push_back(member);
    }
  }
}

void InventoryBuilder::SetGroupVariables(const std::string& group, const yaml::Value& value,
                                         const std::string& what) {
  SetVariables(inventory_.groups_[inventory_.group_index_.at(group)].variables, value, what);
}

void InventoryBuilder::SetHostVariables(const std::string& host, const yaml::Value& value,
                                        const std::string& what) {
  SetVariables(host_variables_[host], value, what);
}

std::vector<std::string> InventoryBuilder::GroupNames() const {
  std::vector<std::string> names;
  for (const InventoryGroup& group : inventory_.groups_) names.push_back(group.name);
  return names;
}

void InventoryBuilder::ComputeDepths() {
  // Longest way from `all`; no cycles can be here, so as many rounds as there are groups suffice,
  // and mostly very few are needed.
  for (InventoryGroup& group : inventory_.groups_) group.depth = group.name == "all" ? 0 : 1;
  bool changed = true;
  while (changed) {
    changed = false;
    for (const InventoryGroup& group : inventory_.groups_) {
      for (const std::string& child : group.children) {
        InventoryGroup& below = inventory_.groups_[inventory_.group_index_.at(child)];
        if (below.depth < group.depth + 1) {
          below.depth = group.depth + 1;
          changed = true;
        }
      }
    }
  }
}

void InventoryBuilder::ComputeMembers() {
  for (const InventoryGroup& group : inventory_.groups_) {
    std::vector<std::string>& members = inventory_.members_[group.name];
    if (group.name == "all") {
      members = inventory_.HostNames();
      continue;
    }
    std::set<std::string> taken, visited;
    // Depth first, a group's own hosts before its children's.
    std::vector<std::string> open = {group.name};
    while (!open.empty()) {
      const std::string name = open.back();
      open.pop_back();
      if (!visited.insert(name).second) continue;
      const InventoryGroup& below = *inventory_.FindGroup(name);
      for (const std::string& host : below.hosts) {
        if (taken.insert(host).second) members.push_back(host);
      }
      for (auto child = below.children.rbegin(); child != below.children.rend(); ++child)
        open.push_back(*child);
    }
  }
}

void InventoryBuilder::MergeVariables() {
  std::map<std::string, std::set<std::pair<int, std::string>>>
      groups_of;  // by host, in order of precedence
  for (const InventoryGroup& group : inventory_.groups_) {
    for (const std::string& host : inventory_.members_[group.name])
      groups_of[host].emplace(group.depth, group.name);
  }
  for (InventoryHost& host : inventory_.hosts_) {
    host.groups.clear();
    std::map<std::string, size_t> index;
    auto lay = [&](const yaml::Value::Map& variables) {
      for (const yaml::Value::Member& member : variables) {
        auto [it, is_new] = index.emplace(member.key, host.variables.size());
        if (is_new) {
          host.variables.push_back(member);
        } else {
          host.variables[it->second] = member;
        }
      }
    };
    for (const auto& [depth, name] : groups_of[host.name]) {
      host.groups.push_back(name);
      lay(inventory_.FindGroup(name)->variables);
    }
    lay(host_variables_[host.name]);
  }
}

Inventory InventoryBuilder::Build() {
  AddGroup("ungrouped", {});
  std::set<std::string> grouped;
  for (const InventoryGroup& group : inventory_.groups_) {
    if (group.name == "all" || group.name == "ungrouped") continue;
    grouped.insert(group.hosts.begin(), group.hosts.end());
  }
  InventoryGroup& ungrouped = inventory_.groups_[inventory_.group_index_.at("ungrouped")];
  std::vector<std::string> lonely;
  for (const InventoryHost& host : inventory_.hosts_) {
    if (!grouped.contains(host.name)) lonely.push_back(host.name);
  }
  ungrouped.hosts = std::move(lonely);
  for (const InventoryGroup& group : inventory_.groups_) {
    if (const InventoryHost* host = inventory_.FindHost(group.name)) {
      diagnostics_.Warning(
          host->declared_at,
          absl::StrCat("\"", group.name,
                       "\" names both a group and a host; patterns mean the group"));
    }
  }
  ComputeDepths();
  ComputeMembers();
  MergeVariables();
  return std::move(inventory_);
}

const InventoryHost* Inventory::FindHost(absl::string_view name) const {
  auto it = host_index_.find(std::string(name));
  return it == host_index_.end() ? nullptr : &hosts_[it->second];
}

const InventoryGroup* Inventory::FindGroup(absl::string_view name) const {
  auto it = group_index_.find(std::string(name));
  return it == group_index_.end() ? nullptr : &groups_[it->second];
}

const std::vector<std::string>& Inventory::HostsOf(absl::string_view group) const {
  static const auto* const kNone = new std::vector<std::string>();
  auto it = members_.find(std::string(group));
  return it == members_.end() ? *kNone : it->second;
}

std::vector<std::string> Inventory::HostNames() const {
  std::vector<std::string> names;
  names.reserve(hosts_.size());
  for (const InventoryHost& host : hosts_) names.push_back(host.name);
  return names;
}

std::vector<std::string> Inventory::Names() const {
  std::vector<std::string> names = HostNames();
  for (const InventoryGroup& group : groups_) names.push_back(group.name);
  return names;
}

std::vector<std::string> Inventory::ChildrenOf(absl::string_view group) const {
  const InventoryGroup* found = FindGroup(group);
  if (found == nullptr) return {};
  if (group != "all") return found->children;
  std::set<std::string> children;
  for (const InventoryGroup& parent : groups_) {
    if (parent.name == "all") continue;
    children.insert(parent.children.begin(), parent.children.end());
  }
  std::vector<std::string> top;
  for (const InventoryGroup& candidate : groups_) {
    if (candidate.name != "all" && !children.contains(candidate.name))
      top.push_back(candidate.name);
  }
  return top;
}

}  // namespace trustline::controller
