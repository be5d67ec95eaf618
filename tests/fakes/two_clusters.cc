#include "tests/fakes/two_clusters.h"

#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "trust/list_rules.h"

namespace trustline::agent {
namespace {

void AddCluster(v1::Topology& topology, const std::string& name, const std::string& version,
                const std::string& network) {
  v1::Cluster* cluster = topology.add_clusters();
  cluster->set_name(name);
  cluster->set_version(version);
  int host = 11;
  for (const char* suffix : {"-pub", "-sub1"}) {
    v1::ClusterNode* node = cluster->add_nodes();
    node->set_name(name + suffix);
    node->add_addresses(absl::StrCat(network, host));
    if (host++ == 11) node->add_roles(v1::NODE_ROLE_PUBLISHER);
    node->add_roles(v1::NODE_ROLE_TFTP);
    node->add_roles(v1::NODE_ROLE_TVS);
  }
}

template <typename Spec>
void FillExchange(Spec& spec) {
  spec.mutable_hub()->set_host("hub.example.net");
  spec.mutable_hub()->set_port(22);
  spec.mutable_hub()->set_user("bulk");
  spec.mutable_hub()->mutable_password()->set_name("env:HUB_PASSWORD");
  spec.mutable_hub()->set_host_key("SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
  spec.mutable_hub()->set_directory("/bulk");
  spec.set_exchange("spring");
  spec.mutable_bundle_password()->set_name("env:BUNDLE_PASSWORD");
}

template <typename Spec>
void Fill(Spec& spec, const std::vector<std::string>& units) {
  FillExchange(spec);
  for (const std::string& unit : units) spec.add_units(unit);
}

[[noreturn]] void Die(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  std::abort();
}

template <typename Row, typename Report>
Row Only(const absl::StatusOr<Report>& report) {
  if (!report.ok()) Die(report.status().ToString());
  if (report->resources_size() != 1) Die(report->DebugString());
  return report->resources(0);
}

template <typename Row>
std::string Text(const Row& row) {
  std::string text = absl::StrCat(row.summary(), "\n");
  for (const std::string& reason : row.reasons()) absl::StrAppend(&text, reason, "\n");
  for (const std::string& warning : row.warnings()) absl::StrAppend(&text, warning, "\n");
  for (const v1::Change& change : row.changes()) absl::StrAppend(&text, change.text(), "\n");
  return text;
}

}  // namespace

TwoClusters::TwoClusters() {
  topology.set_domain(fleet->domain());
  AddCluster(topology, "src", "11.5", "10.10.0.");
  AddCluster(topology, "dst", "14", "10.20.0.");
  dialer.RequireSecret(kHubPassword);
}

KindHarness& TwoClusters::Node(const std::string& name) {
  std::unique_ptr<KindHarness>& node = nodes_[name];
  if (node == nullptr) {
    node = std::make_unique<KindHarness>(name, topology, dialer, kinds, fleet);
    (*node->secrets.mutable_by_name())["env:HUB_PASSWORD"] = kHubPassword;
    (*node->secrets.mutable_by_name())["env:BUNDLE_PASSWORD"] = kBundlePassword;
  }
  return *node;
}

std::string TwoClusters::PathOf(const std::string& store, const Certificate& certificate) {
  return absl::StrCat("/etc/certificates/", store, "/", certificate.serial_hex(), "-",
                      certificate.sha256_hex().substr(0, 16), ".pem");
}

namespace {
std::string KeyPath(std::string path) { return path.replace(path.size() - 4, 4, ".key"); }
}  // namespace

Certificate TwoClusters::GiveIdentity(const std::string& node, const std::string& unit,
                                      const testing::UnitOptions& options) {
  const Certificate certificate = testing::TestPki::UnitCertificate(node, options);
  const std::string path = PathOf(unit, certificate);
  FileImage key;
  key.bytes = testing::TestPki::UnitKey().ToPkcs8Pem();
  key.mode = 0600;
  Node(node).host.files.Put(path, certificate.ToPem());
  Node(node).host.files.Put(KeyPath(path), key);
  return certificate;
}

void TwoClusters::TakeIdentity(const std::string& node, const std::string& unit,
                               const Certificate& certificate) {
  Node(node).host.files.Erase(PathOf(unit, certificate));
  Node(node).host.files.Erase(KeyPath(PathOf(unit, certificate)));
}

void TwoClusters::GiveAllIdentities() {
  for (const std::string& node : NodeNames()) {
    GiveIdentity(node, "CallManager");
    if (node != "dst-sub1") GiveIdentity(node, "ITLRecovery");
  }
}

v1::Resource TwoClusters::Export(const std::vector<std::string>& units) const {
  v1::Resource resource;
  Fill(*resource.mutable_bundle_export(), units);
  return resource;
}

v1::Resource TwoClusters::Consolidation(const std::vector<std::string>& units) const {
  v1::Resource resource;
  Fill(*resource.mutable_bundle_consolidation(), units);
  return resource;
}

v1::Resource TwoClusters::Import(const std::vector<std::string>& units) const {
  v1::Resource resource;
  Fill(*resource.mutable_bundle_import(), units);
  return resource;
}

v1::Resource TwoClusters::List(v1::TrustListStep step, v1::TrustListType type) const {
  v1::Resource resource;
  v1::TrustListSpec& spec = *resource.mutable_trust_list();
  FillExchange(spec);
  spec.set_step(step);
  spec.set_list(type);
  spec.set_digest(v1::LIST_DIGEST_SHA1);
  spec.set_content(v1::LIST_CONTENT_FULL);
  if (step == v1::TRUST_LIST_STEP_INSTALL) spec.set_tftp_root(kTftpRoot);
  return resource;
}

void TwoClusters::GiveListIdentities(const std::string& cluster) {
  for (const v1::Cluster& known : topology.clusters()) {
    if (known.name() != cluster) continue;
    for (const v1::ClusterNode& node : known.nodes()) {
      const auto units = UnitsInLists(topology, node.name());
      if (!units.ok()) Die(units.status().ToString());
      for (const std::string& unit : *units) GiveIdentity(node.name(), unit);
    }
  }
}

void TwoClusters::PublishAndBuild(const std::string& cluster, v1::TrustListType type) {
  for (const v1::TrustListStep step : {v1::TRUST_LIST_STEP_PUBLISH, v1::TRUST_LIST_STEP_BUILD}) {
    for (const v1::Cluster& known : topology.clusters()) {
      if (known.name() != cluster) continue;
      for (const v1::ClusterNode& node : known.nodes()) {
        const v1::ResourceOutcome row = OnlyRow(Node(node.name()).Apply({List(step, type)}));
        if (row.outcome() != v1::OUTCOME_CHANGED && row.outcome() != v1::OUTCOME_UNCHANGED) {
          Die(absl::StrCat(node.name(), ": ", row.DebugString()));
        }
      }
    }
  }
}

void TwoClusters::ExportAll(const std::vector<std::string>& units) {
  for (const std::string& node : NodeNames()) {
    const v1::ResourceOutcome row = OnlyRow(Node(node).Apply({Export(units)}));
    if (row.outcome() != v1::OUTCOME_CHANGED && row.outcome() != v1::OUTCOME_UNCHANGED) {
      Die(absl::StrCat(node, ": ", row.DebugString()));
    }
  }
}

void TwoClusters::Consolidate(const std::vector<std::string>& units) {
  const v1::ResourceOutcome row = OnlyRow(Node("dst-pub").Apply({Consolidation(units)}));
  if (row.outcome() != v1::OUTCOME_CHANGED && row.outcome() != v1::OUTCOME_UNCHANGED) {
    Die(row.DebugString());
  }
}

v1::ResourcePlan OnlyRow(const absl::StatusOr<v1::Plan>& plan) {
  return Only<v1::ResourcePlan>(plan);
}
v1::ResourceOutcome OnlyRow(const absl::StatusOr<v1::StageReport>& report) {
  return Only<v1::ResourceOutcome>(report);
}
std::string TextOf(const v1::ResourcePlan& row) { return Text(row); }
std::string TextOf(const v1::ResourceOutcome& row) { return Text(row); }

}  // namespace trustline::agent
