#include "controller/inventory/topology.h"

#include <arpa/inet.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/expression/report_once.h"
#include "trust/cluster_rules.h"

namespace trustline::controller {
namespace {

using yaml::Span;
using yaml::Type;
using yaml::Value;

bool IsIpv4(const std::string& text) {
  in_addr address{};
  return inet_pton(AF_INET, text.c_str(), &address) == 1;
}

// Variables of one host with the types the topology needs; whatever is wrong is reported once and
// then absent.
class HostFacts {
 public:
  HostFacts(VariableWorld& world, const std::string& host, yaml::Diagnostics& diagnostics)
      : scope_(*world.HostScope(host)), diagnostics_(diagnostics) {}

  std::optional<Value> Get(const std::string& name) {
    std::optional<Evaluated> found = scope_.Find(name);
    if (!found) return std::nullopt;
    if (!found->ok()) {
      found->error().ReportTo(diagnostics_);
      failed_ = true;
      return std::nullopt;
    }
    if (found->value().is_null()) return std::nullopt;
    return std::move(found->value());
  }

  std::optional<Value> Text(const std::string& name) {
    std::optional<Value> value = Get(name);
    if (value && (!value->is_string() || value->text().empty())) {
      Wrong(*value,
            absl::StrCat("variable \"", name, "\" must be a string, got ",
                         value->is_string() ? "an empty one" : yaml::TypeName(value->type())));
      return std::nullopt;
    }
    return value;
  }

  std::vector<Value> TextList(const std::string& name) {
    std::optional<Value> value = Get(name);
    if (!value) return {};
    bool good = value->is_list();
    if (good) {
      for (const Value& item : value->list()) good = good && item.is_string();
    }
    if (!good) {
      Wrong(*value, absl::StrCat("variable \"", name, "\" must be a list of strings"));
      return {};
    }
    return value->list();
  }

  std::optional<Value> Number(const std::string& name, int64_t least, int64_t most) {
    std::optional<Value> value = Get(name);
    if (value &&
        (value->type() != Type::kInt || value->int_value() < least || value->int_value() > most)) {
      Wrong(*value,
            absl::StrCat("variable \"", name, "\" must be an integer from ", least, " to ", most));
      return std::nullopt;
    }
    return value;
  }

  void Wrong(const Value& value, std::string message) {
    diagnostics_.Error(value.span(), std::move(message));
    failed_ = true;
  }
  bool failed() const { return failed_; }

 private:
  VariableScope& scope_;
  yaml::Diagnostics& diagnostics_;
  bool failed_ = false;
};

struct RoleName {
  absl::string_view name;
  v1::NodeRole role;
};
constexpr RoleName kRoles[] = {{"publisher", v1::NODE_ROLE_PUBLISHER},
                               {"tftp", v1::NODE_ROLE_TFTP},
                               {"tvs", v1::NODE_ROLE_TVS},
                               {"callmanager", v1::NODE_ROLE_CALLMANAGER},
                               {"capf", v1::NODE_ROLE_CAPF}};

class Builder {
 public:
  Builder(VariableWorld& world, yaml::Diagnostics& diagnostics)
      : world_(world), diagnostics_(diagnostics) {}

  v1::Topology Build(const std::string& domain) {
    topology_.set_domain(domain);
    for (const InventoryHost& host : world_.inventory().hosts()) {
      HostFacts facts(world_, host.name, diagnostics_);
      if (std::optional<Value> cluster = facts.Text("cluster")) AddNode(host, *cluster, facts);
      if (std::optional<Value> software = facts.Text("dhcp_server")) AddDhcpServer(host, *software);
    }
    return std::move(topology_);
  }

 private:
  // What the first host of a cluster said, and where.
  struct Said {
    Value version;
    std::optional<Value> security_mode;
    std::string first_host;
    Span first_place;
    std::string publisher;
  };

  void AddNode(const InventoryHost& host, const Value& cluster, HostFacts& facts) {
    std::optional<Value> version = facts.Get("version");
    if (version && version->type() == Type::kInt)
      version = Value::String(version->ToText(), version->span());
    if (version && !version->is_string()) {
      facts.Wrong(*version,
                  absl::StrCat("variable \"version\" must be a string, got ",
                               yaml::TypeName(version->type()), "; quote it: \"",
                               version->type() == Type::kFloat ? version->ToText() : "14", "\""));
      return;
    }
    if (!version) {
      if (!facts.failed())
        diagnostics_.Error(cluster.span(), absl::StrCat("cluster \"", cluster.text(),
                                                        "\" needs the variable \"version\" (host ",
                                                        host.name, ")"));
      return;
    }
    if (absl::StatusOr<ClusterVersion> parsed = ParseClusterVersion(version->text());
        !parsed.ok()) {
      return facts.Wrong(*version, std::string(parsed.status().message()));
    }
    std::optional<Value> mode = facts.Text("security_mode");
    if (mode && mode->text() != "non-secure" && mode->text() != "non_secure" &&
        mode->text() != "mixed") {
      return facts.Wrong(*mode,
                         absl::StrCat("unknown security_mode \"", mode->text(), "\"",
                                      yaml::DidYouMeanSuffix(mode->text(), {"non-secure", "mixed"}),
                                      "; known are non-secure and mixed"));
    }
    v1::Cluster& entry = ClusterNamed(host, cluster, *version, mode);
    v1::ClusterNode& node = *entry.add_nodes();
    node.set_name(host.name);
    AddRoles(node, cluster, facts);
    AddAddresses(node, facts);
    if (std::optional<Value> order = facts.Number("tvs_order", 1, 3))
      node.set_tvs_order(static_cast<uint32_t>(order->int_value()));
  }

  v1::Cluster& ClusterNamed(const InventoryHost& host, const Value& cluster, const Value& version,
                            const std::optional<Value>& mode) {
    auto [it, is_new] = said_.try_emplace(cluster.text());
    Said& said = it->second;
    if (is_new) {
      said = {version, mode, host.name, host.declared_at, ""};
      v1::Cluster& entry = *topology_.add_clusters();
      entry.set_name(cluster.text());
      entry.set_version(version.text());
      entry.set_security_mode(mode && mode->text() == "mixed" ? v1::SECURITY_MODE_MIXED
                                                              : v1::SECURITY_MODE_NON_SECURE);
      return entry;
    }
    if (!(said.version == version)) Conflict(host, cluster, "version", said, version, said.version);
    const Value unsaid = Value::String("non-secure", host.declared_at);
    const Value unsaid_first = Value::String("non-secure", said.first_place);
    const Value& mine = mode ? *mode : unsaid;
    const Value& first = said.security_mode ? *said.security_mode : unsaid_first;
    if ((mine.text() == "mixed") != (first.text() == "mixed"))
      Conflict(host, cluster, "security_mode", said, mine, first);
    for (v1::Cluster& entry : *topology_.mutable_clusters()) {
      if (entry.name() == cluster.text()) return entry;
    }
    return *topology_.add_clusters();  // not reached: said_ and clusters grow together
  }

  void Conflict(const InventoryHost& host, const Value& cluster, absl::string_view name,
                const Said& said, const Value& here, const Value& there) {
    diagnostics_.Error(here.span(), absl::StrCat("cluster \"", cluster.text(), "\" has ", name,
                                                 " \"", here.text(), "\" on ", host.name, " but \"",
                                                 there.text(), "\" on ", said.first_host));
    diagnostics_.Note(there.span(),
                      absl::StrCat("the ", name, " of ", said.first_host, " is set here"));
  }

  void AddRoles(v1::ClusterNode& node, const Value& cluster, HostFacts& facts) {
    for (const Value& role : facts.TextList("roles")) {
      const auto* known = std::find_if(std::begin(kRoles), std::end(kRoles),
                                       [&](const RoleName& r) { return r.name == role.text(); });
      if (known == std::end(kRoles)) {
        std::vector<std::string> names;
        for (const RoleName& r : kRoles) names.emplace_back(r.name);
        facts.Wrong(role, absl::StrCat("unknown role \"", role.text(), "\"",
                                       yaml::DidYouMeanSuffix(role.text(), names), "; known are ",
                                       absl::StrJoin(names, ", ")));
        continue;
      }
      if (std::find(node.roles().begin(), node.roles().end(), known->role) != node.roles().end())
        continue;
      node.add_roles(known->role);
      if (known->role != v1::NODE_ROLE_PUBLISHER) continue;
      std::string& publisher = said_[cluster.text()].publisher;
      if (!publisher.empty()) {
        facts.Wrong(role, absl::StrCat("cluster \"", cluster.text(),
                                       "\" has two publishers: ", publisher, " and ", node.name()));
      }
      publisher = node.name();
    }
  }

  void AddAddresses(v1::ClusterNode& node, HostFacts& facts) {
    std::vector<Value> addresses;
    if (std::optional<Value> address = facts.Text("address")) {
      addresses.push_back(*address);
    } else if (std::optional<Value> reach = facts.Text("ansible_host");
               reach && IsIpv4(reach->text())) {
      addresses.push_back(*reach);
    }
    for (Value& more : facts.TextList("addresses")) addresses.push_back(std::move(more));
    for (const Value& address : addresses) {
      if (!IsIpv4(address.text())) {
        facts.Wrong(address, absl::StrCat("\"", address.text(), "\" is not an IPv4 address"));
        continue;
      }
      auto [owner, is_new] = owners_.try_emplace(address.text(), node.name(), address.span());
      if (!is_new && owner->second.first == node.name()) continue;
      if (!is_new) {
        facts.Wrong(address, absl::StrCat("address ", address.text(), " is given to both ",
                                          owner->second.first, " and ", node.name()));
        diagnostics_.Note(owner->second.second,
                          absl::StrCat(owner->second.first, " has it from here"));
        continue;
      }
      node.add_addresses(address.text());
    }
  }

  void AddDhcpServer(const InventoryHost& host, const Value& software) {
    const std::string& name = software.text();
    if (name != "kea") {
      const bool later =
          name == "dnsmasq" || name == "isc" || name == "isc-dhcp" || name == "dhcpd";
      diagnostics_.Error(
          software.span(),
          later ? absl::StrCat("unsupported: DHCP server ", name, "; only kea is supported so far")
                : absl::StrCat("unknown dhcp_server \"", name, "\"",
                               yaml::DidYouMeanSuffix(name, {"kea"}), "; known is kea"));
      return;
    }
    v1::DhcpServer& server = *topology_.add_dhcp_servers();
    server.set_node(host.name);
    server.set_software(name);
  }

  VariableWorld& world_;
  yaml::Diagnostics& diagnostics_;
  v1::Topology topology_;
  std::map<std::string, Said> said_;
  std::map<std::string, std::pair<std::string, Span>> owners_;  // by address
};

}  // namespace

v1::Topology BuildTopology(VariableWorld& world, const std::string& domain,
                           yaml::Diagnostics& diagnostics) {
  yaml::Diagnostics found;
  v1::Topology topology = Builder(world, found).Build(domain);
  ReportOnce(diagnostics).Take(found);
  return topology;
}

std::map<std::string, NodeAddress> NodeAddresses(VariableWorld& world,
                                                 yaml::Diagnostics& diagnostics) {
  yaml::Diagnostics found;
  std::map<std::string, NodeAddress> nodes;
  for (const InventoryHost& host : world.inventory().hosts()) {
    HostFacts facts(world, host.name, found);
    NodeAddress node;
    node.node = host.name;
    node.host = host.name;
    if (std::optional<Value> reach = facts.Text("ansible_host")) {
      node.host = reach->text();
    } else if (std::optional<Value> address = facts.Text("address")) {
      node.host = address->text();
    }
    for (const char* name : {"trustline_port", "ansible_port"}) {
      if (std::optional<Value> port = facts.Number(name, 1, 65535)) {
        node.port = static_cast<uint16_t>(port->int_value());
        break;
      }
    }
    nodes[host.name] = std::move(node);
  }
  ReportOnce(diagnostics).Take(found);
  return nodes;
}

}  // namespace trustline::controller
