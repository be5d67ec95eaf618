// An exchange on a hostile hub: file names, envelopes and manifests, also ones that a node of the
// fleet signed.
//
// Input: a mode byte, then for mode 'f' files as <name length, 1><name><length, 2,
// big-endian><bytes> below manifests/, for any other mode a Manifest that dst-pub's agent seals.
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "google/protobuf/stubs/logging.h"
#include "tests/fuzz/fuzz_keys.h"
#include "tests/fuzz/require.h"
#include "trust/exchange.h"
#include "trust/exchange_names.h"

namespace trustline {
namespace {

constexpr char kManifests[] = "spring/manifests";

// One directory of files in memory.
class Directory final : public HubReader {
 public:
  absl::StatusOr<std::vector<HubEntry>> List(absl::string_view directory) override {
    if (directory != kManifests) return absl::NotFoundError("no such directory");
    std::vector<HubEntry> entries;
    for (const auto& [name, bytes] : files) entries.push_back({name, bytes.size(), false});
    return entries;
  }
  absl::StatusOr<std::string> Read(absl::string_view path, uint64_t max_bytes) override {
    FUZZ_REQUIRE(CheckHubPath(path).ok());
    absl::string_view name = path;
    if (!absl::ConsumePrefix(&name, absl::StrCat(kManifests, "/")))
      return absl::NotFoundError("absent");
    const auto file = files.find(std::string(name));
    if (file == files.end()) return absl::NotFoundError("absent");
    if (file->second.size() > max_bytes) return absl::ResourceExhaustedError("too large");
    return file->second;
  }
  std::map<std::string, std::string> files;
};

struct Fleet {
  Fleet() {
    google::protobuf::SetLogHandler(nullptr);  // it speaks of every string that is no UTF-8
    trust.exchange = "spring";
    trust.topology.set_domain("example.test");
    v1::Cluster& cluster = *trust.topology.add_clusters();
    cluster.set_name("dst");
    cluster.set_version("14");
    v1::ClusterNode& node = *cluster.add_nodes();
    node.set_name("dst-pub");
    node.add_roles(v1::NODE_ROLE_PUBLISHER);
    node.add_roles(v1::NODE_ROLE_TFTP);
    trust.roots = {fuzz::FuzzCertificate("root")};
    trust.now = absl::FromUnixSeconds(1'780'000'000);
  }
  ExchangeTrust trust;
  Certificate agent = fuzz::FuzzCertificate("agent");
  PrivateKey key = fuzz::FuzzKey("agent");
};

void Check(Directory& hub, const Fleet& fleet) {
  const absl::StatusOr<BelievedManifests> read =
      ReadManifests(hub, fleet.trust, {"CallManager", "ITLRecovery"});
  if (!read.ok()) return;
  for (const auto& [who, manifest] : read->manifests) {
    // Only what the topology knows, and only under the reader's exchange.
    FUZZ_REQUIRE(who.node == "dst-pub" && who.cluster == "dst");
    FUZZ_REQUIRE(manifest.node() == who.node && manifest.unit() == who.unit);
    FUZZ_REQUIRE(manifest.exchange() == "spring" && manifest.sequence() <= kMaxSequence);
    FUZZ_REQUIRE(!ReadExport(hub, manifest, "password").ok());  // there is no bundle here
  }
  for (const std::string& line : read->rejected) {
    for (const char c : line) FUZZ_REQUIRE(static_cast<uint8_t>(c) >= 0x20);
  }
}

void TryNames(const std::string& name) {
  const ExpectedExport who{"dst", "dst-pub", "CallManager"};
  if (const auto parsed = ParseManifestName(name)) {
    FUZZ_REQUIRE(parsed->sequence <= kMaxSequence && !parsed->stem.empty());
  }
  SequenceOfExportObject(name, who);
  SequenceOfIndex(name, "CallManager");
  SequenceOfConsolidatedObject(name, "CallManager");
}

void Try(absl::string_view input) {
  static const Fleet& fleet = *new Fleet;
  if (input.empty()) return;
  const char mode = input[0];
  input.remove_prefix(1);
  Directory hub;
  if (mode != 'f') {
    v1::Manifest manifest;
    const std::string payload(input);
    uint64_t sequence = 1;
    if (manifest.ParseFromString(payload)) sequence = manifest.sequence() % (kMaxSequence + 1);
    const ExpectedExport who{"dst", "dst-pub", "CallManager"};
    const std::string path = ManifestFile(who, sequence);
    hub.files[path.substr(path.rfind('/') + 1)] =
        Seal("trustline.v1.Manifest", payload, fleet.key, fleet.agent)->SerializeAsString();
    Check(hub, fleet);
    return;
  }
  while (input.size() >= 3) {
    const size_t name_size = static_cast<uint8_t>(input[0]);
    input.remove_prefix(1);
    std::string name(input.substr(0, name_size));
    input.remove_prefix(name.size());
    if (input.size() < 2) break;
    const size_t size = static_cast<uint8_t>(input[0]) << 8 | static_cast<uint8_t>(input[1]);
    input.remove_prefix(2);
    std::string bytes(input.substr(0, size));
    input.remove_prefix(bytes.size());
    TryNames(name);
    hub.files[std::move(name)] = std::move(bytes);
  }
  Check(hub, fleet);
}

}  // namespace
}  // namespace trustline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  trustline::Try(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
