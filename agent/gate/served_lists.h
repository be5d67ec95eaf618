// The trust lists that TFTP nodes serve now, found by the digests phones show: evidence often knows
// no more of a phone's list than that.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "agent/gate/cluster_map.h"
#include "trust/phone/phone.h"

namespace trustline::agent {

struct ServedList {
  std::string bytes;
  std::string node;  // that serves it, the first one found
  const v1::Cluster* cluster = nullptr;
  bool ctl = false;
};

// Thread-compatible. Fetches at first use and remembers. Everything passed in outlives it.
class ServedLists {
 public:
  ServedLists(const ClusterMap& map, PhoneNetwork& network) : map_(map), network_(network) {}

  // By SHA-1 or MD5 in hex, any case. Looks through the common lists of all TFTP nodes of all
  // clusters, then through those by the names of `devices`. Null: nobody serves it.
  const ServedList* Find(absl::string_view digest, const std::vector<std::string>& devices);
  // All that were fetched so far.
  const std::vector<ServedList>& all() const { return lists_; }
  void FetchCommon();
  // Nodes whose lists could not be fetched: "src-sub1 (connection refused)".
  std::vector<std::string> Failures() const;
  // The same, by node: why.
  const std::map<std::string, std::string>& failures() const { return failures_; }

 private:
  void Take(const std::string& address, const v1::Cluster& cluster, const std::string& file,
            bool ctl);

  const ClusterMap& map_;
  PhoneNetwork& network_;
  std::vector<ServedList> lists_;
  std::map<std::string, size_t> by_digest_;  // lower-case hex -> index
  std::set<std::string> fetched_;            // devices; empty: the common files
  std::map<std::string, std::string> failures_;
};

// 40 lower-case hex digits: as a phone's screen shows a list.
std::string ListSha1(absl::string_view bytes);

}  // namespace trustline::agent
