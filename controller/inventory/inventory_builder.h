// Collects groups, hosts and variables from all sources, then links them into an Inventory.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "controller/inventory/inventory.h"

namespace trustline::controller {

// Thread-compatible. Errors go into the diagnostics given at construction.
class InventoryBuilder {
 public:
  explicit InventoryBuilder(yaml::Diagnostics& diagnostics);

  // Adding what is there already is fine. False when the name cannot be one (reported).
  bool AddGroup(const std::string& name, const yaml::Span& span);
  bool AddHost(const std::string& name, const yaml::Span& span);
  void AddHostToGroup(const std::string& host, const std::string& group);
  // A cycle is an error at `span`.
  void AddChild(const std::string& group, const std::string& child, const yaml::Span& span);
  // Later calls win, variable by variable. `value` is a map or null; anything else is an error
  // naming `what`.
  void SetGroupVariables(const std::string& group, const yaml::Value& value,
                         const std::string& what);
  void SetHostVariables(const std::string& host, const yaml::Value& value, const std::string& what);

  bool HasGroup(const std::string& name) const { return inventory_.group_index_.contains(name); }
  bool HasHost(const std::string& name) const { return inventory_.host_index_.contains(name); }
  std::vector<std::string> GroupNames() const;
  std::vector<std::string> HostNames() const { return inventory_.HostNames(); }

  // Ends building: `ungrouped`, depths, members, merged variables.
  Inventory Build();

 private:
  void SetVariables(yaml::Value::Map& target, const yaml::Value& value, const std::string& what);
  bool Reaches(const std::string& from, const std::string& to) const;
  void ComputeDepths();
  void ComputeMembers();
  void MergeVariables();

  yaml::Diagnostics& diagnostics_;
  Inventory inventory_;
  std::map<std::string, yaml::Value::Map> host_variables_;
};

}  // namespace trustline::controller
