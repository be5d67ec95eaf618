#include "trust/tftp_pointer_rules.h"

#include <algorithm>
#include <cstdint>
#include <set>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "trust/dhcp_message.h"

namespace trustline {
namespace {

struct Owner {
  const v1::Cluster* cluster = nullptr;
  const v1::ClusterNode* node = nullptr;
};

Owner OwnerOf(const v1::Topology& topology, const std::string& address) {
  for (const v1::Cluster& cluster : topology.clusters()) {
    for (const v1::ClusterNode& node : cluster.nodes()) {
      if (std::find(node.addresses().begin(), node.addresses().end(), address) !=
          node.addresses().end()) {
        return {&cluster, &node};
      }
    }
  }
  return {};
}

void CheckScope(const v1::PointerScope& scope, TftpPointerFindings& findings) {
  if (!scope.class_name().empty()) {
    findings.errors.push_back(
        "unsupported: a client class as scope; use a subnet, a reservation or global");
  }
  if (scope.subnet().empty()) return;
  if (const auto subnet = ParseIpv4Subnet(scope.subnet()); !subnet.ok()) {
    findings.errors.emplace_back(subnet.status().message());
  }
}

}  // namespace

TftpPointerFindings CheckTftpPointer(const v1::TftpPointerSpec& spec,
                                     const v1::Topology& topology) {
  TftpPointerFindings findings;
  CheckScope(spec.scope(), findings);
  findings.scope_errors = findings.errors.size();
  if (spec.tftp_servers().empty()) {
    findings.errors.push_back("tftp_servers is empty; option 150 needs 1 or 2 addresses");
  }
  if (spec.tftp_servers_size() > 2) {
    findings.warnings.push_back(
        absl::StrCat("tftp_servers has ", spec.tftp_servers_size(),
                     " addresses; phones use the first two and ignore the others"));
  }
  std::set<std::string> seen;
  std::string first_address;
  Owner first;
  bool mixed = false;
  for (const std::string& address : spec.tftp_servers()) {
    const absl::StatusOr<uint32_t> number = ParseIpv4(address);
    if (!number.ok()) {
      findings.errors.emplace_back(number.status().message());
      continue;
    }
    // 0/8 this network, 127/8 loopback, 224/4 multicast, 240/4 reserved with the broadcast address.
    const uint32_t first_byte = *number >> 24;
    if (first_byte == 0 || first_byte == 127 || first_byte >= 224) {
      findings.errors.push_back(absl::StrCat(address, " is no address of a server"));
      continue;
    }
    if (!seen.insert(address).second) {
      findings.errors.push_back(absl::StrCat(address, " is given twice"));
      continue;
    }
    const Owner owner = OwnerOf(topology, address);
    if (owner.node == nullptr) {
      findings.warnings.push_back(absl::StrCat(address, " belongs to no node of the inventory"));
      continue;
    }
    if (std::find(owner.node->roles().begin(), owner.node->roles().end(), v1::NODE_ROLE_TFTP) ==
        owner.node->roles().end()) {
      findings.errors.push_back(
          absl::StrCat(address, " is ", owner.node->name(), ", which does not have the role tftp"));
    }
    if (first.node == nullptr) {
      first = owner;
      first_address = address;
    } else if (owner.cluster != first.cluster && !mixed) {
      mixed = true;
      findings.errors.push_back(absl::StrCat(
          "addresses of two clusters together: ", first_address, " (", first.node->name(),
          ", cluster ", first.cluster->name(), ") and ", address, " (", owner.node->name(),
          ", cluster ", owner.cluster->name(), "); phones would flap between them"));
    }
  }
  return findings;
}

std::string PointerScopeName(const v1::PointerScope& scope) {
  if (!scope.subnet().empty()) return absl::StrCat("subnet ", scope.subnet());
  if (!scope.reservation().empty())
    return absl::StrCat("reservation ", absl::AsciiStrToLower(scope.reservation()));
  if (!scope.class_name().empty()) return absl::StrCat("class ", scope.class_name());
  return "global";
}

}  // namespace trustline
