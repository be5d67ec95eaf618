#include "trust/list_rules.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "trust/status_macros.h"

namespace trustline {
namespace {

constexpr ClusterVersion kFirstItl{8, 0, 0};
constexpr ClusterVersion kFirstTokenlessCtl{10, 0, 0};
constexpr ClusterVersion kItlRecoverySigns{12, 0, 0};

constexpr char kCallManager[] = "CallManager";
constexpr char kItlRecovery[] = "ITLRecovery";
constexpr char kTvs[] = "TVS";
constexpr char kCapf[] = "CAPF";

absl::Status Impossible(const v1::Cluster& cluster, absl::string_view what) {
  return absl::FailedPreconditionError(absl::StrCat("cluster ", cluster.name(), " ", what));
}

// Who may sign a list that `file_node` serves (a CTL: the publisher), the signer first.
std::vector<ExpectedExport> Signers(const v1::Cluster& cluster, ClusterVersion version,
                                    const std::string& file_node, const std::string& publisher) {
  const ExpectedExport call_manager{cluster.name(), file_node, kCallManager};
  if (version < kFirstItlRecovery) return {call_manager};
  const ExpectedExport recovery{
      cluster.name(), version < kItlRecoveryOfCluster ? file_node : publisher, kItlRecovery};
  if (version < kItlRecoverySigns) return {call_manager, recovery};
  return {recovery, call_manager};
}

void AddCapf(const v1::Cluster& cluster, ExpectedList& list) {
  for (const std::string& node : NodesWith(cluster, v1::NODE_ROLE_CAPF)) {
    list.records.push_back({{cluster.name(), node, kCapf}, ListRole::kCapf});
  }
}

std::vector<ExpectedList> Itls(const v1::Cluster& cluster, ClusterVersion version,
                               const std::string& publisher, ListContent content) {
  const ListRole own_role =
      cluster.security_mode() == v1::SECURITY_MODE_MIXED ? ListRole::kCcmTftp : ListRole::kTftp;
  std::vector<ExpectedList> lists;
  for (const std::string& node : NodesWith(cluster, v1::NODE_ROLE_TFTP)) {
    const std::vector<ExpectedExport> signers = Signers(cluster, version, node, publisher);
    ExpectedList list{ListType::kItl, cluster.name(), node, signers[0], {}};
    if (content == ListContent::kFull) {
      for (const ExpectedExport& signer : signers) list.records.push_back({signer});
      list.records.push_back({{cluster.name(), node, kCallManager}, own_role});
      for (const std::string& tvs : NodesWith(cluster, v1::NODE_ROLE_TVS)) {
        list.records.push_back({{cluster.name(), tvs, kTvs}, ListRole::kTvs});
      }
    }
    AddCapf(cluster, list);
    lists.push_back(std::move(list));
  }
  return lists;
}

ExpectedList Ctl(const v1::Cluster& cluster, ClusterVersion version, const std::string& publisher) {
  const std::vector<ExpectedExport> signers = Signers(cluster, version, publisher, publisher);
  ExpectedList list{ListType::kCtl, cluster.name(), "", signers[0], {}};
  for (const ExpectedExport& signer : signers) list.records.push_back({signer});
  for (const v1::ClusterNode& node : cluster.nodes()) {
    if (!HasRole(node, v1::NODE_ROLE_TFTP) && !HasRole(node, v1::NODE_ROLE_CALLMANAGER)) continue;
    list.records.push_back({{cluster.name(), node.name(), kCallManager}, ListRole::kCcmTftp});
  }
  AddCapf(cluster, list);
  return list;
}

absl::Status CheckPossible(const v1::Cluster& cluster, ClusterVersion version, ListType type,
                           ListContent content) {
  const bool mixed = cluster.security_mode() == v1::SECURITY_MODE_MIXED;
  if (NodesWith(cluster, v1::NODE_ROLE_TFTP).empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("cluster ", cluster.name(),
                     " has no node with the role tftp, so nothing serves its lists"));
  }
  if (version < kFirstItl) {
    return Impossible(cluster, absl::StrCat("is a release ", cluster.version(),
                                            "; phones keep trust lists of their own from 8.0 on"));
  }
  if (content == ListContent::kEmpty && (mixed || type == ListType::kCtl)) {
    return Impossible(cluster, absl::StrCat(mixed ? "is in mixed mode" : "can have no empty CTL",
                                            ": an empty ITL beside a CTL leaves phones unable to "
                                            "authenticate TVS, and the CTL still locks them"));
  }
  if (type == ListType::kItl) return absl::OkStatus();
  if (!mixed) {
    return Impossible(cluster, "is not in mixed mode, where alone phones take a CTL");
  }
  if (version < kFirstTokenlessCtl) {
    return Impossible(cluster, absl::StrCat("is a release ", cluster.version(),
                                            ", whose CTL only hardware tokens can sign"));
  }
  if (NodesWith(cluster, v1::NODE_ROLE_CAPF).empty()) {
    return Impossible(cluster,
                      "is in mixed mode but no node has the role capf: the CTL needs CAPF's "
                      "certificate, or phones cannot get the ones they register with");
  }
  return absl::OkStatus();
}

}  // namespace

absl::string_view ListTypeName(ListType type) { return type == ListType::kCtl ? "ctl" : "itl"; }

absl::StatusOr<std::vector<ExpectedList>> ExpectedLists(const v1::Topology& topology,
                                                        absl::string_view name, ListType type,
                                                        ListContent content) {
  TL_RETURN_IF_ERROR(CheckTopologyNames(topology));
  for (const v1::Cluster& cluster : topology.clusters()) {
    if (cluster.name() != name) continue;
    TL_ASSIGN_OR_RETURN(const ClusterVersion version, VersionOf(cluster));
    TL_ASSIGN_OR_RETURN(const std::string publisher, PublisherOf(cluster));
    TL_RETURN_IF_ERROR(CheckPossible(cluster, version, type, content));
    if (type == ListType::kCtl) return std::vector<ExpectedList>{Ctl(cluster, version, publisher)};
    return Itls(cluster, version, publisher, content);
  }
  return absl::InvalidArgumentError(absl::StrCat("the inventory has no cluster ", name));
}

absl::StatusOr<std::vector<std::string>> UnitsInLists(const v1::Topology& topology,
                                                      absl::string_view node) {
  const v1::Cluster* const cluster = ClusterOf(topology, node);
  if (cluster == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(node, " is a node of no cluster of the inventory; give its group a cluster"));
  }
  std::vector<ListType> types = {ListType::kItl};
  if (cluster->security_mode() == v1::SECURITY_MODE_MIXED) types.push_back(ListType::kCtl);
  std::set<std::string> units;
  for (const ListType type : types) {
    TL_ASSIGN_OR_RETURN(const std::vector<ExpectedList> lists,
                        ExpectedLists(topology, cluster->name(), type, ListContent::kFull));
    for (const ExpectedList& list : lists) {
      if (list.signer.node == node) units.insert(list.signer.unit);
      for (const ExpectedRecord& record : list.records) {
        if (record.source.node == node) units.insert(record.source.unit);
      }
    }
  }
  return std::vector<std::string>(units.begin(), units.end());
}

}  // namespace trustline
