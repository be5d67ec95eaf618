#include "trust/cluster_rules.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "trust/status_macros.h"

namespace trustline {
namespace {

struct UnitRule {
  absl::string_view unit;
  std::vector<std::string> placement;
};

const std::vector<UnitRule>& Rules() {
  static const auto& rules = *new std::vector<UnitRule>{
      {"CallManager", {"CallManager-trust", "Phone-SAST-trust"}},
      {"ITLRecovery", {"Phone-SAST-trust", "CallManager-trust"}},
      {"CAPF", {"CallManager-trust"}},
      {"tomcat", {"tomcat-trust"}},
  };
  return rules;
}

// A number of one to four digits at the beginning of `text`, taken away from it.
std::optional<int> ConsumeNumber(absl::string_view* text) {
  size_t digits = 0;
  while (digits < text->size() && absl::ascii_isdigit((*text)[digits])) ++digits;
  int value = 0;
  if (digits == 0 || digits > 4 || !absl::SimpleAtoi(text->substr(0, digits), &value))
    return std::nullopt;
  text->remove_prefix(digits);
  return value;
}

// "SU3", "SU2a", "ES12", "-SU1" or nothing: does not take part in comparisons.
bool IsServiceUpdate(absl::string_view text) {
  absl::ConsumePrefix(&text, "-");
  if (text.empty()) return true;
  if (!absl::ConsumePrefix(&text, "SU") && !absl::ConsumePrefix(&text, "ES")) return false;
  if (!ConsumeNumber(&text)) return false;
  return text.empty() || (text.size() == 1 && absl::ascii_islower(text[0]));
}

absl::Status Wrong(const v1::Cluster& cluster, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("cluster ", cluster.name(), " ", what));
}

// The nodes of `cluster` that must have exported `unit`.
absl::StatusOr<std::vector<std::string>> Exporters(const v1::Cluster& cluster,
                                                   ClusterVersion version,
                                                   const std::string& publisher,
                                                   absl::string_view unit) {
  std::vector<std::string> tftp = NodesWith(cluster, v1::NODE_ROLE_TFTP);
  if (unit == "ITLRecovery" && version < kFirstItlRecovery) return std::vector<std::string>{};
  if (unit == "ITLRecovery" && version >= kItlRecoveryOfCluster)
    return std::vector<std::string>{publisher};
  if (unit == "CallManager" || unit == "ITLRecovery") {
    if (tftp.empty())
      return Wrong(cluster, "has no node with the role tftp, so nothing signs its phones' files");
    // The publisher signs the CTL, also where it serves no files.
    if (cluster.security_mode() == v1::SECURITY_MODE_MIXED &&
        std::find(tftp.begin(), tftp.end(), publisher) == tftp.end()) {
      tftp.push_back(publisher);
    }
    return tftp;
  }
  if (unit == "CAPF") {
    std::vector<std::string> capf = NodesWith(cluster, v1::NODE_ROLE_CAPF);
    return capf.empty() ? std::vector<std::string>{publisher} : capf;
  }
  std::vector<std::string> all;
  for (const v1::ClusterNode& node : cluster.nodes()) all.push_back(node.name());
  return all;
}

absl::Status CheckUnits(const std::vector<std::string>& units) {
  for (const std::string& unit : units) {
    if (!DefaultPlacement(unit).empty()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("\"", unit, "\" is not a unit that is exported; choose from ",
                     absl::StrJoin(Rules(), ", ", [](std::string* out, const UnitRule& rule) {
                       absl::StrAppend(out, rule.unit);
                     })));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ClusterVersion> ParseClusterVersion(absl::string_view text) {
  const absl::Status wrong = absl::InvalidArgumentError(absl::StrCat(
      "\"", text,
      "\" is not a version; write it as the vendor does: 11.5, 10.5(2), 12.5(1)SU3, 14, 14SU2"));
  ClusterVersion version;
  absl::string_view rest = text;
  const std::optional<int> major = ConsumeNumber(&rest);
  if (!major || *major == 0) return wrong;
  version.major = *major;
  if (absl::ConsumePrefix(&rest, ".")) {
    const std::optional<int> minor = ConsumeNumber(&rest);
    if (!minor) return wrong;
    version.minor = *minor;
  }
  if (absl::ConsumePrefix(&rest, "(")) {
    const std::optional<int> maintenance = ConsumeNumber(&rest);
    if (!maintenance) return wrong;
    version.maintenance = *maintenance;
    if (!rest.empty() && absl::ascii_islower(rest[0])) rest.remove_prefix(1);  // "8.6(2a)"
    if (!absl::ConsumePrefix(&rest, ")")) return wrong;
  } else if (absl::ConsumePrefix(&rest, ".")) {
    // The full form that `show version active` prints: 12.5.1.13900-152.
    const std::optional<int> maintenance = ConsumeNumber(&rest);
    if (!maintenance) return wrong;
    version.maintenance = *maintenance;
    if (absl::ConsumePrefix(&rest, ".")) {
      const bool build = !rest.empty() && std::all_of(rest.begin(), rest.end(), [](char c) {
        return absl::ascii_isdigit(c) || c == '-';
      });
      if (!build) return wrong;
      rest = {};
    }
  }
  if (!IsServiceUpdate(rest)) return wrong;
  return version;
}

bool HasRole(const v1::ClusterNode& node, v1::NodeRole role) {
  return std::find(node.roles().begin(), node.roles().end(), role) != node.roles().end();
}

std::vector<std::string> NodesWith(const v1::Cluster& cluster, v1::NodeRole role) {
  std::vector<std::string> names;
  for (const v1::ClusterNode& node : cluster.nodes()) {
    if (HasRole(node, role)) names.push_back(node.name());
  }
  return names;
}

absl::Status CheckTopologyNames(const v1::Topology& topology) {
  std::set<std::string> clusters, nodes;
  for (const v1::Cluster& cluster : topology.clusters()) {
    if (cluster.name().empty()) return absl::InvalidArgumentError("a cluster has no name");
    if (!clusters.insert(cluster.name()).second) return Wrong(cluster, "is there twice");
    for (const v1::ClusterNode& node : cluster.nodes()) {
      if (node.name().empty()) return Wrong(cluster, "has a node without a name");
      if (!nodes.insert(node.name()).second) {
        return Wrong(cluster, absl::StrCat("has the node ", node.name(), ", which is there twice"));
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> PublisherOf(const v1::Cluster& cluster) {
  const std::vector<std::string> publishers = NodesWith(cluster, v1::NODE_ROLE_PUBLISHER);
  if (publishers.empty()) return Wrong(cluster, "has no node with the role publisher");
  if (publishers.size() > 1) {
    return Wrong(cluster,
                 absl::StrCat("has more than one publisher: ", absl::StrJoin(publishers, ", ")));
  }
  return publishers[0];
}

absl::StatusOr<ClusterVersion> VersionOf(const v1::Cluster& cluster) {
  absl::StatusOr<ClusterVersion> version = ParseClusterVersion(cluster.version());
  if (version.ok()) return version;
  return Wrong(cluster, absl::StrCat("has no readable version: ", version.status().message()));
}

absl::StatusOr<std::vector<ExpectedExport>> ExpectedExports(const v1::Topology& topology,
                                                            const std::vector<std::string>& units) {
  if (topology.clusters_size() < 2) {
    return absl::InvalidArgumentError(absl::StrCat(
        "an exchange needs two clusters; the inventory has ",
        topology.clusters_size() == 0 ? "none"
                                      : absl::StrCat("only ", topology.clusters(0).name())));
  }
  TL_RETURN_IF_ERROR(CheckUnits(units));
  TL_RETURN_IF_ERROR(CheckTopologyNames(topology));
  std::set<ExpectedExport> expected;
  for (const v1::Cluster& cluster : topology.clusters()) {
    TL_ASSIGN_OR_RETURN(const ClusterVersion version, VersionOf(cluster));
    TL_ASSIGN_OR_RETURN(const std::string publisher, PublisherOf(cluster));
    for (const std::string& unit : units) {
      TL_ASSIGN_OR_RETURN(const std::vector<std::string> nodes,
                          Exporters(cluster, version, publisher, unit));
      for (const std::string& node : nodes) expected.insert({cluster.name(), node, unit});
    }
  }
  return std::vector<ExpectedExport>(expected.begin(), expected.end());
}

std::vector<std::string> DefaultPlacement(absl::string_view unit) {
  for (const UnitRule& rule : Rules()) {
    if (rule.unit == unit) return rule.placement;
  }
  return {};
}

const v1::Cluster* ClusterOf(const v1::Topology& topology, absl::string_view node) {
  for (const v1::Cluster& cluster : topology.clusters()) {
    for (const v1::ClusterNode& member : cluster.nodes()) {
      if (member.name() == node) return &cluster;
    }
  }
  return nullptr;
}

}  // namespace trustline
