#include "controller/inventory/variables.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "controller/expression/templating.h"

namespace trustline::controller {
namespace {

using yaml::Value;

constexpr int kMaxVariableDepth = 32;

const Value* FindIn(const Value::Map& layer, const std::string& name) {
  auto found = std::find_if(layer.begin(), layer.end(),
                            [&](const Value::Member& member) { return member.key == name; });
  return found == layer.end() ? nullptr : &found->value;
}

}  // namespace

VariableWorld::VariableWorld(const Inventory& inventory, Value::Map extra_variables)
    : inventory_(inventory), extra_(std::move(extra_variables)) {
  Value::Map groups;
  for (const InventoryGroup& group : inventory_.groups()) {
    Value::List hosts;
    for (const std::string& host : inventory_.HostsOf(group.name))
      hosts.push_back(Value::String(host, group.declared_at));
    groups.push_back(
        {group.name, group.declared_at, Value::FromList(std::move(hosts), group.declared_at)});
  }
  groups_ = Value::FromMap(std::move(groups), {});
}

VariableWorld::~VariableWorld() = default;

VariableScope* VariableWorld::HostScope(const std::string& host) {
  const InventoryHost* found = inventory_.FindHost(host);
  if (found == nullptr) return nullptr;
  std::unique_ptr<VariableScope>& scope = hosts_[host];
  if (scope == nullptr) {
    scope.reset(new VariableScope(*this, {&extra_, &found->variables}));
    scope->Set("inventory_hostname", Value::String(host, found->declared_at));
  }
  return scope.get();
}

VariableScope VariableWorld::PlayScope(const Value::Map* play_variables) {
  return VariableScope(*this, {&extra_, play_variables, &inventory_.FindGroup("all")->variables});
}

VariableScope VariableWorld::HostInPlay(const std::string& host, const Value::Map* play_variables) {
  const InventoryHost& found = *inventory_.FindHost(host);
  VariableScope scope(*this, {&extra_, play_variables, &found.variables});
  scope.Set("inventory_hostname", Value::String(host, found.declared_at));
  return scope;
}

void VariableScope::Set(const std::string& name, Value value) {
  given_[name] = std::move(value);
  known_.clear();
}

std::optional<Evaluated> VariableScope::Find(const std::string& name) {
  if (name == "groups") return world_->groups_;
  if (auto given = given_.find(name); given != given_.end()) return given->second;
  if (auto known = known_.find(name); known != known_.end()) return known->second;
  const Value* raw = nullptr;
  for (const Value::Map* layer : layers_) {
    raw = FindIn(*layer, name);
    if (raw != nullptr) break;
  }
  if (raw == nullptr) return std::nullopt;
  if (!HasTemplates(*raw)) return *raw;
  if (in_progress_.contains(name)) {
    return ExpressionError{
        raw->span(), absl::StrCat("variable \"", name, "\" is defined by itself"), false, {}};
  }
  if (world_->depth_ >= kMaxVariableDepth) {
    return ExpressionError{raw->span(),
                           absl::StrCat("variable \"", name, "\" is defined through more than ",
                                        kMaxVariableDepth, " others"),
                           false,
                           {}};
  }
  in_progress_.insert(name);
  ++world_->depth_;
  Evaluated result = RenderOrError(*raw, *this);
  --world_->depth_;
  in_progress_.erase(name);
  return known_.emplace(name, std::move(result)).first->second;
}

std::vector<std::string> VariableScope::Names() const {
  std::set<std::string> names = {"groups"};
  for (const auto& [name, value] : given_) names.insert(name);
  for (const Value::Map* layer : layers_) {
    for (const Value::Member& member : *layer) names.insert(member.key);
  }
  return {names.begin(), names.end()};
}

Environment* VariableScope::Host(const std::string& host) { return world_->HostScope(host); }

std::vector<std::string> VariableScope::HostNames() const {
  return world_->inventory().HostNames();
}

}  // namespace trustline::controller
