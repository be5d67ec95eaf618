#include "agent/gate/cluster_map.h"

#include <algorithm>

namespace trustline::agent {
namespace {

constexpr size_t kTvsServersAsked = 3;

bool HasRole(const v1::ClusterNode& node, v1::NodeRole role) {
  return std::find(node.roles().begin(), node.roles().end(), role) != node.roles().end();
}

}  // namespace

ClusterMap::ClusterMap(const v1::Topology& topology, uint16_t tvs_port)
    : topology_(topology), tvs_port_(tvs_port) {
  for (const v1::Cluster& cluster : topology.clusters()) {
    for (const v1::ClusterNode& node : cluster.nodes()) {
      for (const std::string& address : node.addresses()) {
        names_.emplace(address, node.name());
        clusters_.emplace(address, &cluster);
      }
    }
  }
}

std::string ClusterMap::NameOf(const std::string& address) const {
  const auto found = names_.find(address);
  return found == names_.end() ? address : found->second;
}

const v1::Cluster* ClusterMap::ClusterAt(const std::string& address) const {
  const auto found = clusters_.find(address);
  return found == clusters_.end() ? nullptr : found->second;
}

std::vector<std::string> ClusterMap::TftpAddresses(const v1::Cluster& cluster) {
  std::vector<std::string> addresses;
  for (const v1::ClusterNode& node : cluster.nodes()) {
    if (HasRole(node, v1::NODE_ROLE_TFTP) && !node.addresses().empty()) {
      addresses.push_back(node.addresses(0));
    }
  }
  return addresses;
}

std::vector<TvsAddress> ClusterMap::TvsGroup(const v1::Cluster& cluster) const {
  std::vector<const v1::ClusterNode*> nodes;
  for (const v1::ClusterNode& node : cluster.nodes()) {
    if (node.tvs_order() > 0 && !node.addresses().empty()) nodes.push_back(&node);
  }
  if (nodes.empty()) {
    for (const v1::ClusterNode& node : cluster.nodes()) {
      if (HasRole(node, v1::NODE_ROLE_TVS) && !node.addresses().empty()) nodes.push_back(&node);
    }
  }
  std::stable_sort(nodes.begin(), nodes.end(),
                   [](const v1::ClusterNode* a, const v1::ClusterNode* b) {
                     return a->tvs_order() < b->tvs_order();
                   });
  if (nodes.size() > kTvsServersAsked) nodes.resize(kTvsServersAsked);
  std::vector<TvsAddress> group;
  for (const v1::ClusterNode* node : nodes) group.push_back({node->addresses(0), tvs_port_});
  return group;
}

}  // namespace trustline::agent
