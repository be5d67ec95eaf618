// Who is behind an address, and what phones of a cluster ask: the topology as a gate needs it.
// Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "protos/trustline/v1/topology.pb.h"
#include "trust/tvs/tvs_address.h"

namespace trustline::agent {

// Immutable; safe for concurrent use. The topology outlives it.
class ClusterMap {
 public:
  ClusterMap(const v1::Topology& topology, uint16_t tvs_port);

  // Name of the node at an address; the address where the topology has none.
  std::string NameOf(const std::string& address) const;
  const std::map<std::string, std::string>& names() const { return names_; }
  // Null: none has it.
  const v1::Cluster* ClusterAt(const std::string& address) const;
  const google::protobuf::RepeatedPtrField<v1::Cluster>& clusters() const {
    return topology_.clusters();
  }

  // Addresses of the nodes phones fetch files from, in the topology's order.
  static std::vector<std::string> TftpAddresses(const v1::Cluster& cluster);
  // The CallManager group in order of tvs_order; where no node has one, the nodes with role tvs as
  // the topology lists them. Phones ask three at most.
  std::vector<TvsAddress> TvsGroup(const v1::Cluster& cluster) const;

 private:
  const v1::Topology& topology_;
  const uint16_t tvs_port_;
  std::map<std::string, std::string> names_;
  std::map<std::string, const v1::Cluster*> clusters_;
};

}  // namespace trustline::agent
