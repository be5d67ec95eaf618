// Two clusters, a hub between them and an agent on every node, all in memory: the bulk certificate
// migration as the kinds see it.
//   src 11.5: src-pub, src-sub1      dst 14: dst-pub, dst-sub1      (all TFTP; the first of each is
//   the publisher)
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/resource_kind.h"
#include "protos/trustline/v1/desired_state.pb.h"
#include "tests/fakes/fake_hub.h"
#include "tests/fakes/kind_harness.h"
#include "tests/fakes/test_pki.h"

namespace trustline::agent {

class TwoClusters {
 public:
  // Values of the secrets every resource below refers to; no output may ever contain them.
  static constexpr char kHubPassword[] = "canary-hub-password";
  static constexpr char kBundlePassword[] = "canary-bundle-password";

  TwoClusters();

  // The node's agent, made at first use with what `topology` says then.
  KindHarness& Node(const std::string& name);

  // Puts a certificate with its key into the node's slot, as if it had always been there. Empty
  // options: a fresh serial.
  Certificate GiveIdentity(const std::string& node, const std::string& unit,
                           const testing::UnitOptions& options = {});
  void TakeIdentity(const std::string& node, const std::string& unit,
                    const Certificate& certificate);
  // An identity for every unit the versions export, on every node: CN = node.
  void GiveAllIdentities();

  v1::Resource Export(const std::vector<std::string>& units = {"CallManager"}) const;
  v1::Resource Consolidation(const std::vector<std::string>& units = {"CallManager"}) const;
  v1::Resource Import(const std::vector<std::string>& units = {"CallManager"}) const;

  // A step of `trust_list` on a node: install goes into kTftpRoot.
  static constexpr char kTftpRoot[] = "/srv/tftp";
  v1::Resource List(v1::TrustListStep step, v1::TrustListType type = v1::TRUST_LIST_TYPE_ITL) const;
  // What lists of the cluster name of its nodes, as identities of each.
  void GiveListIdentities(const std::string& cluster);
  // Every node of the cluster publishes, then those with a signing key build; each must succeed.
  void PublishAndBuild(const std::string& cluster,
                       v1::TrustListType type = v1::TRUST_LIST_TYPE_ITL);

  // Everybody exports; each must succeed.
  void ExportAll(const std::vector<std::string>& units = {"CallManager"});
  void Consolidate(const std::vector<std::string>& units = {"CallManager"});

  static std::string PathOf(const std::string& store, const Certificate& certificate);
  static std::vector<std::string> NodeNames() {
    return {"src-pub", "src-sub1", "dst-pub", "dst-sub1"};
  }

  FakeHubServer server;
  FakeHubDialer dialer{&server};
  KindRegistry kinds = MakeKindRegistry();
  std::shared_ptr<TestFleet> fleet = std::make_shared<TestFleet>();
  v1::Topology topology;

 private:
  std::map<std::string, std::unique_ptr<KindHarness>> nodes_;
};

// The one resource's row of a plan or report; a failed status or another number of rows ends the
// test program with a message.
v1::ResourcePlan OnlyRow(const absl::StatusOr<v1::Plan>& plan);
v1::ResourceOutcome OnlyRow(const absl::StatusOr<v1::StageReport>& report);
// Reasons, warnings, summary and change texts, a line each: for matching.
std::string TextOf(const v1::ResourcePlan& row);
std::string TextOf(const v1::ResourceOutcome& row);

}  // namespace trustline::agent
