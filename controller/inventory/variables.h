// Variables as expressions see them: layers of raw values, evaluated when they are asked for, once.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/expression/evaluated.h"
#include "controller/inventory/inventory.h"

namespace trustline::controller {

class VariableScope;

// What all scopes of one compilation share. `inventory` outlives it. Not safe for concurrent use.
class VariableWorld {
 public:
  VariableWorld(const Inventory& inventory, yaml::Value::Map extra_variables);
  ~VariableWorld();
  VariableWorld(const VariableWorld&) = delete;
  VariableWorld& operator=(const VariableWorld&) = delete;

  const Inventory& inventory() const { return inventory_; }
  // `hostvars[host]`: extra variables over the host's own, no play. nullptr for an unknown host.
  VariableScope* HostScope(const std::string& host);
  // A play before any host: extra > play > the variables of group `all`. Borrows `play_variables`.
  VariableScope PlayScope(const yaml::Value::Map* play_variables);
  // A host in a play: extra > play > host > groups. The host must be there.
  VariableScope HostInPlay(const std::string& host, const yaml::Value::Map* play_variables);

 private:
  friend class VariableScope;
  const Inventory& inventory_;
  yaml::Value::Map extra_;
  yaml::Value groups_;
  std::map<std::string, std::unique_ptr<VariableScope>> hosts_;
  int depth_ = 0;  // variables being evaluated right now, over all scopes
};

// One point of view. A variable that is defined by itself, or through more than 32 others, is an
// error.
class VariableScope : public Environment {
 public:
  // Sets `item` or `wave`; forgets what was evaluated with the old one.
  void Set(const std::string& name, yaml::Value value);

  std::optional<Evaluated> Find(const std::string& name) override;
  std::vector<std::string> Names() const override;
  Environment* Host(const std::string& host) override;
  std::vector<std::string> HostNames() const override;

 private:
  friend class VariableWorld;
  VariableScope(VariableWorld& world, std::vector<const yaml::Value::Map*> layers)
      : world_(&world), layers_(std::move(layers)) {}

  VariableWorld* world_;
  std::vector<const yaml::Value::Map*> layers_;  // the first that has a name wins
  std::map<std::string, yaml::Value> given_;     // inventory_hostname, item, wave
  std::map<std::string, Evaluated> known_;
  std::set<std::string> in_progress_;
};

}  // namespace trustline::controller
