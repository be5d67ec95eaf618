#include "tests/fakes/gate_world.h"

#include "absl/strings/str_cat.h"
#include "agent/gate/served_lists.h"

namespace trustline::agent {
namespace {

using testing::MakeItl;
using testing::PhoneNode;
using testing::PhoneWorld;

void AddCluster(v1::Topology& topology, const std::string& name, const std::string& version,
                const std::vector<PhoneNode>& nodes) {
  v1::Cluster& cluster = *topology.add_clusters();
  cluster.set_name(name);
  cluster.set_version(version);
  cluster.set_security_mode(v1::SECURITY_MODE_NON_SECURE);
  for (const PhoneNode& node : nodes) {
    v1::ClusterNode& member = *cluster.add_nodes();
    member.set_name(node.name);
    member.add_addresses(node.address);
    if (cluster.nodes_size() == 1) member.add_roles(v1::NODE_ROLE_PUBLISHER);
    member.add_roles(v1::NODE_ROLE_TFTP);
    member.add_roles(v1::NODE_ROLE_TVS);
    member.set_tvs_order(static_cast<uint32_t>(cluster.nodes_size()));
  }
}

// The world outlives what it hands out, and phones only look at it one at a time.
class Borrowed final : public PhoneNetwork {
 public:
  explicit Borrowed(PhoneWorld& world) : world_(world) {}
  absl::StatusOr<std::string> Fetch(const std::string& server, const std::string& file) override {
    return world_.Fetch(server, file);
  }
  absl::StatusOr<TvsReply> AskTvs(const TvsAddress& server, const TvsRequest& request,
                                  const std::vector<Certificate>& pinned) override {
    return world_.AskTvs(server, request, pinned);
  }

 private:
  PhoneWorld& world_;
};

class WorldNetworks final : public PhoneNetworks {
 public:
  explicit WorldNetworks(GateWorld& world) : world_(world) {}
  std::unique_ptr<PhoneNetwork> Open(const PhoneBehaviour&) const override {
    ++world_.opened;
    return std::make_unique<Borrowed>(world_.phones);
  }

 private:
  GateWorld& world_;
};

}  // namespace

GateWorld::GateWorld() {
  AddCluster(topology, "src", "11.5", phones.source);
  AddCluster(topology, "dst", "14", phones.destination);
  for (const PhoneNode& node : phones.destination) {
    phones.tvs.emplace(node.address, PhoneWorld::Tvs(node.tvs));
  }
  for (const PhoneNode& node : phones.source) {
    testing::ListOptions options;
    options.recovery_signs = false;
    const std::string itl = MakeItl(node, phones.source, options);
    phones.Serve(node, "ITLFile.tlv", itl);
    phones.Serve(node, phones.ItlName(), itl);
    phones.Serve(
        node, phones.ConfigName(),
        testing::SignConfig(phones.ConfigName(),
                            testing::ConfigXml({phones.src_pub.address, phones.src_sub.address}),
                            node.callmanager));
  }
  ServeDestination();
  v1::GatedPointer& pointer = *spec.add_pointers();
  pointer.mutable_scope()->set_subnet("10.30.0.0/24");
  for (const PhoneNode& node : phones.destination) pointer.add_tftp_servers(node.address);
  *spec.add_classes() = SourceClass();
  spec.set_evidence("phones.csv: 3 phones");
}

void GateWorld::ServeDestination(const testing::ListOptions& options) {
  testing::ListOptions cluster = options;
  cluster.other_recovery = &phones.dst_pub;
  for (const PhoneNode& node : phones.destination) {
    phones.ServeDestination(node, cluster);
    phones.Serve(node, "ITLFile.tlv", MakeItl(node, phones.destination, cluster));
  }
}

void GateWorld::Import() {
  for (const PhoneNode& node : phones.source) {
    auto& knows = phones.tvs.at(node.address).knows;
    knows.emplace_back(phones.dst_pub.itlrecovery, std::vector<uint8_t>{0, 3});
    for (const PhoneNode& other : phones.destination) {
      knows.emplace_back(other.callmanager, std::vector<uint8_t>{0, 3});
    }
  }
  for (const PhoneNode& node : phones.destination) {
    auto& knows = phones.tvs.at(node.address).knows;
    for (const PhoneNode& other : phones.source) {
      knows.emplace_back(other.callmanager, std::vector<uint8_t>{0, 3});
    }
  }
}

v1::PhoneClass GateWorld::SourceClass() const {
  v1::PhoneClass phones_of_source;
  phones_of_source.set_count(3);
  phones_of_source.add_examples(PhoneWorld::kDevice);
  phones_of_source.set_itl_digest(
      ListSha1(phones.files.at({phones.src_pub.address, "ITLFile.tlv"})));
  for (const PhoneNode& node : phones.source) phones_of_source.add_tvs(node.address);
  return phones_of_source;
}

GateCase GateWorld::Case() const { return {spec, topology, "probe-floor3", "migrate", now}; }

v1::GateReport GateWorld::Judge() { return JudgeMove(Case(), *Networks()); }

v1::GateReport GateWorld::JudgeBack(const std::vector<std::string>& servers) {
  return JudgeReturn(Case(), spec.pointers(0).scope(), servers, *Networks());
}

std::shared_ptr<const PhoneNetworks> GateWorld::Networks() {
  return std::make_shared<WorldNetworks>(*this);
}

std::string TextOf(const v1::GateReport& report) {
  std::string text = absl::StrCat(report.evidence(), "\n");
  for (const v1::GateClass& row : report.classes()) {
    absl::StrAppend(&text, "class ", row.number(), ": ", row.phones(), " ", row.holds(),
                    row.excluded().empty() ? "" : " excluded: ", row.excluded(), "\n");
    for (const v1::GateDecision& decision : row.decisions()) {
      absl::StrAppend(&text, decision.return_trip() ? "  back to " : "  -> ", decision.node(),
                      decision.accepted() ? " accept " : " LOCKED ", decision.reason(), "\n");
      for (const std::string& note : decision.notes()) absl::StrAppend(&text, "    ", note, "\n");
    }
  }
  for (const std::string& warning : report.warnings()) {
    absl::StrAppend(&text, "warning: ", warning, "\n");
  }
  for (const std::string& reason : report.reasons()) {
    absl::StrAppend(&text, "refused: ", reason, "\n");
  }
  return text;
}

}  // namespace trustline::agent
