// Two clusters as phones see them, without a wire: lists and configurations made and signed for
// real, TVS servers that answer from what they were told, and everything that can be broken.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/fakes/test_pki.h"
#include "trust/phone/phone.h"
#include "trust/trust_list/list_writer.h"

namespace trustline::testing {

// The certificates of one node, named "callmanager_<node>", "tvs_<node>", "ITLRECOVERY_<node>".
struct PhoneNode {
  std::string name, address;
  Certificate callmanager, tvs, itlrecovery;
};
PhoneNode MakePhoneNode(const std::string& name, const std::string& address);

struct ListOptions {
  bool recovery_signs = true;  // as from version 12; else the node's CallManager
  bool mixed = false;          // CCM+TFTP instead of TFTP
  SignatureDigest digest = SignatureDigest::kSha1;
  int64_t timestamp = 1700000000;
  std::vector<Certificate> more_sast;         // further signers
  const PhoneNode* other_recovery = nullptr;  // the node whose ITLRecovery the cluster has
};
// The ITL of `node`: SAST ITLRecovery and CallManager, TFTP, a TVS record per node.
std::string MakeItl(const PhoneNode& node, const std::vector<PhoneNode>& cluster,
                    const ListOptions& options = {});
// The cluster's CTL: SAST, CCM+TFTP; no TVS.
std::string MakeCtl(const PhoneNode& publisher, const ListOptions& options = {});
// What "prepare for rollback" leaves of an ITL: a CAPF record and nobody else.
std::string MakeEmptyItl(const PhoneNode& node);
// Signed by TestPki::UnitKey() in the name of `signer`, without the checks of the writer.
std::string Resigned(const std::string& list, const PrivateKey& key = TestPki::UnitKey());

// A configuration whose CallManager group is `group`, and the same signed.
std::string ConfigXml(const std::vector<std::string>& group, const std::string& extra = "");
std::string SignConfig(const std::string& name, const std::string& xml, const Certificate& signer,
                       SignatureDigest digest = SignatureDigest::kSha1);

class PhoneWorld : public PhoneNetwork {
 public:
  PhoneWorld();

  absl::StatusOr<std::string> Fetch(const std::string& server, const std::string& file) override;
  absl::StatusOr<TvsReply> AskTvs(const TvsAddress& server, const TvsRequest& request,
                                  const std::vector<Certificate>& pinned) override;
  void Remember(const PhoneState& state) override { remembered.push_back(state); }

  // What a phone of the source cluster holds, and the destination that serves it.
  PhoneState SourcePhone(const std::string& device = kDevice) const;
  void Serve(const PhoneNode& node, const std::string& file, std::string bytes) {
    files[{node.address, file}] = std::move(bytes);
  }
  // ITL and this phone's signed configuration on a destination node.
  void ServeDestination(const PhoneNode& node, const ListOptions& options = {});
  // Every TVS of the source knows the certificate, with these roles.
  void SourceKnows(const Certificate& certificate, std::vector<uint8_t> roles = {0, 3});
  BootResult Run(const PhoneState& state, const std::vector<std::string>& servers,
                 PhoneBehaviour behaviour = {}, absl::Time now = TestPki::SomeTime());

  static constexpr char kDevice[] = "SEP001B54AABB01";
  std::string ItlName() const { return std::string("ITL") + kDevice + ".tlv"; }
  std::string CtlName() const { return std::string("CTL") + kDevice + ".tlv"; }
  std::string ConfigName() const { return std::string(kDevice) + ".cnf.xml.sgn"; }

  PhoneNode src_pub, src_sub, dst_pub, dst_sub;
  std::vector<PhoneNode> source, destination;

  std::map<std::pair<std::string, std::string>, std::string> files;  // server, file
  std::map<std::string, absl::Status> broken_servers;                // by address
  std::map<std::pair<std::string, std::string>, absl::Status> broken_files;

  struct Tvs {
    explicit Tvs(Certificate presented) : identity(std::move(presented)) {}
    Certificate identity;
    std::vector<std::pair<Certificate, std::vector<uint8_t>>> knows;
    absl::Status broken;  // cannot be asked
    std::optional<absl::Duration> ttl = absl::Hours(24);
    bool answers_another_question = false;
  };
  std::map<std::string, Tvs> tvs;  // by address

  std::vector<std::string> fetched;  // "server file", in order
  std::vector<std::string> asked;    // TVS addresses, in order
  std::vector<TvsRequest> requests;
  std::vector<PhoneState> remembered;
};

}  // namespace trustline::testing
