// Who is there: hosts, groups and their variables, from Ansible's YAML inventories and the
// group_vars/ and host_vars/ beside them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "protos/yaml/diagnostics.h"
#include "protos/yaml/value.h"

namespace trustline::controller {

struct InventoryHost {
  std::string name;
  yaml::Span declared_at;
  std::vector<std::string> groups;  // every group it is in, also through children, in the order
                                    // their variables apply: `all`, then by depth, then by name
  yaml::Value::Map variables;  // group vars < host vars, merged; templates are not evaluated yet
};

struct InventoryGroup {
  std::string name;
  yaml::Span declared_at;
  std::vector<std::string> children;  // direct, in order of mention
  std::vector<std::string> hosts;     // direct, in order of mention
  yaml::Value::Map variables;         // its own
  int depth = 0;                      // 0 is `all`; below the deepest parent
};

// Immutable once loaded; safe for concurrent reading. `all` and `ungrouped` are always there.
class Inventory {
 public:
  // In order of first mention.
  const std::vector<InventoryHost>& hosts() const { return hosts_; }
  // `all` first, then in order of first mention; `ungrouped` last.
  const std::vector<InventoryGroup>& groups() const { return groups_; }
  // nullptr when there is none.
  const InventoryHost* FindHost(absl::string_view name) const;
  const InventoryGroup* FindGroup(absl::string_view name) const;
  // Hosts of a group and of its children, each once: its own first, then child by child. Empty for
  // an unknown group.
  const std::vector<std::string>& HostsOf(absl::string_view group) const;
  // Names of all groups and hosts, for did-you-mean.
  std::vector<std::string> Names() const;
  std::vector<std::string> HostNames() const;
  // Groups directly below `group`; for `all` those that are nobody else's children. What `--graph`
  // draws.
  std::vector<std::string> ChildrenOf(absl::string_view group) const;

 private:
  friend class InventoryBuilder;
  std::vector<InventoryHost> hosts_;
  std::vector<InventoryGroup> groups_;
  std::map<std::string, size_t, std::less<>> host_index_;
  std::map<std::string, size_t, std::less<>> group_index_;
  std::map<std::string, std::vector<std::string>, std::less<>> members_;
};

struct InventorySources {
  // -i, in order, later ones win: a YAML file, a directory (its .yml, .yaml and .json files in
  // ASCII order), or names with a comma ("a,b,").
  std::vector<std::string> inventories;
  // group_vars/ and host_vars/ here win over those beside an inventory; empty: no playbook.
  std::string playbook_directory;
};

// Reports everything wrong with all files in one go; nullopt then. `input_missing` is set when a
// named file or directory is not there. Variables of a host: its groups' from `all` down, the
// deeper group winning and among groups of one depth the later in the alphabet; then its own.
// Within one group or host: the inventory file, then the variable files beside the inventory, then
// those beside the playbook.
std::optional<Inventory> LoadInventory(const InventorySources& sources,
                                       yaml::Diagnostics& diagnostics,
                                       bool* input_missing = nullptr);

// `--list`, `--graph` and `--host NAME` of `trustline inventory`. The lists name a secret's
// reference, never a value.
std::string RenderInventoryGraph(const Inventory& inventory, bool with_variables);
// {"_meta": {"hostvars": {...}}, "all": {"children": [...], "hosts": [...]}, ...} as Ansible's,
// indented by two.
std::string RenderInventoryList(const Inventory& inventory);
// One host's merged variables as JSON; the host must be there.
std::string RenderInventoryHost(const InventoryHost& host);

// Whether a variable may have this name; "" when it may, else why not.
std::string WhyNotAVariableName(absl::string_view name);

}  // namespace trustline::controller
