#include "trust/exchange.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "trust/exchange_envelope.h"
#include "trust/exchange_names.h"
#include "trust/sha256.h"
#include "trust/status_macros.h"

namespace trustline {
namespace {

constexpr absl::string_view kManifestType = "trustline.v1.Manifest";
constexpr absl::string_view kIndexType = "trustline.v1.ConsolidationIndex";
constexpr size_t kDigestBytes = 32;

absl::Status Prefixed(absl::string_view what, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(what, ": ", status.message()));
}

template <typename Digests>
absl::Status CheckDigests(const Digests& digests) {
  if (digests.empty()) return absl::InvalidArgumentError("names no certificate");
  if (static_cast<size_t>(digests.size()) > kMaxBundleCertificates) {
    return absl::InvalidArgumentError(
        absl::StrCat("names more than ", kMaxBundleCertificates, " certificates"));
  }
  const std::string* previous = nullptr;
  for (const std::string& digest : digests) {
    if (digest.size() != kDigestBytes) {
      return absl::InvalidArgumentError("names a certificate by something other than a SHA-256");
    }
    if (previous != nullptr && *previous >= digest) {
      return absl::InvalidArgumentError("does not name its certificates in ascending order");
    }
    previous = &digest;
  }
  return absl::OkStatus();
}

// Ascending, each once.
std::vector<BundleEntry> Sorted(std::vector<BundleEntry> entries) {
  std::stable_sort(entries.begin(), entries.end(), [](const BundleEntry& a, const BundleEntry& b) {
    return a.certificate < b.certificate;
  });
  entries.erase(std::unique(entries.begin(), entries.end(),
                            [](const BundleEntry& a, const BundleEntry& b) {
                              return a.certificate == b.certificate;
                            }),
                entries.end());
  return entries;
}

std::vector<std::string> DigestsOf(const std::vector<BundleEntry>& entries) {
  std::set<std::string> digests;
  for (const BundleEntry& entry : entries) digests.insert(entry.certificate.sha256());
  return {digests.begin(), digests.end()};
}

template <typename Digests>
std::vector<std::string> Copied(const Digests& digests) {
  return {digests.begin(), digests.end()};
}

// DataLoss naming what `found` has beyond `claimed` or lacks.
absl::Status CompareSets(absl::string_view path, const std::vector<std::string>& claimed,
                         const std::vector<BundleEntry>& found) {
  std::vector<std::string> differences;
  const std::set<std::string> wanted(claimed.begin(), claimed.end());
  std::set<std::string> seen;
  for (const BundleEntry& entry : found) {
    seen.insert(entry.certificate.sha256());
    if (wanted.count(entry.certificate.sha256()) == 0) {
      differences.push_back(absl::StrCat("holds ", entry.certificate.sha256_hex(), " (",
                                         entry.certificate.subject(), ") which nobody signed for"));
    }
  }
  for (const std::string& digest : wanted) {
    if (seen.count(digest) == 0) {
      differences.push_back(absl::StrCat("lacks ", absl::BytesToHexString(digest)));
    }
  }
  if (differences.empty()) return absl::OkStatus();
  constexpr size_t kShown = 5;
  const size_t count = differences.size();
  if (count > kShown) {
    differences.resize(kShown);
    differences.push_back(absl::StrCat("and ", count - kShown, " more"));
  }
  return absl::DataLossError(absl::StrCat(path, ": ", absl::StrJoin(differences, ", ")));
}

// One object whose digest and certificates somebody signed for.
absl::StatusOr<std::vector<BundleEntry>> ReadObject(HubReader& hub, const std::string& path,
                                                    absl::string_view sha256,
                                                    const std::vector<std::string>& certificates,
                                                    absl::string_view bundle_password) {
  const absl::StatusOr<std::string> bytes = hub.Read(path, kMaxBundleBytes);
  if (absl::IsNotFound(bytes.status())) {
    return absl::DataLossError(absl::StrCat(path, ": is signed for but is not on the hub"));
  }
  if (absl::IsResourceExhausted(bytes.status())) {
    return absl::DataLossError(absl::StrCat(path, ": larger than ", kMaxBundleBytes, " bytes"));
  }
  TL_RETURN_IF_ERROR(bytes.status());
  if (Sha256(*bytes) != sha256) {
    return absl::DataLossError(absl::StrCat(path, ": was altered: its SHA-256 is ",
                                            Sha256Hex(*bytes), ", signed for was ",
                                            absl::BytesToHexString(sha256)));
  }
  absl::StatusOr<std::vector<BundleEntry>> entries = ReadBundle(*bytes, bundle_password);
  // The signer himself published no bundle: for a reader that is lost data as well.
  if (absl::IsInvalidArgument(entries.status())) {
    return absl::DataLossError(absl::StrCat(path, ": ", entries.status().message()));
  }
  if (!entries.ok()) return Prefixed(path, entries.status());
  TL_RETURN_IF_ERROR(CompareSets(path, certificates, *entries));
  return entries;
}

// Everything signed content says, against the file's name and the topology.
absl::StatusOr<v1::Manifest> BelieveManifest(const std::string& bytes, const ExpectedExport& who,
                                             uint64_t sequence, const ExchangeTrust& trust) {
  TL_ASSIGN_OR_RETURN(const Opened opened, OpenFromAgent(bytes, kManifestType, trust));
  v1::Manifest manifest;
  if (!manifest.ParseFromString(opened.payload)) {
    return absl::InvalidArgumentError("its payload is not a manifest");
  }
  if (manifest.exchange() != trust.exchange) {
    return OtherExchange(manifest.exchange(), trust.exchange);
  }
  if (manifest.cluster() != who.cluster || manifest.node() != who.node ||
      manifest.unit() != who.unit || manifest.sequence() != sequence) {
    return absl::PermissionDeniedError(absl::StrCat(
        "speaks for ", absl::CHexEscape(manifest.unit()), " of ", absl::CHexEscape(manifest.node()),
        " in cluster ", absl::CHexEscape(manifest.cluster()), ", sequence ", manifest.sequence(),
        ", which is not what its name says"));
  }
  if (opened.signer.name != manifest.node()) {
    return absl::PermissionDeniedError(
        absl::StrCat("speaks for ", manifest.node(), " but is signed by ", opened.signer.ToUri()));
  }
  TL_RETURN_IF_ERROR(CheckDigests(manifest.certificates()));
  if (manifest.object_sha256().size() != kDigestBytes ||
      manifest.object() != ExportObject(who, sequence, SetName(Copied(manifest.certificates())))) {
    return absl::InvalidArgumentError("names a bundle that is not its own");
  }
  return manifest;
}

bool IsAgentOfTopology(const v1::Topology& topology, absl::string_view node) {
  if (ClusterOf(topology, node) != nullptr) return true;
  return std::any_of(topology.dhcp_servers().begin(), topology.dhcp_servers().end(),
                     [&](const v1::DhcpServer& server) { return server.node() == node; });
}

absl::StatusOr<v1::ConsolidationIndex> BelieveIndex(const std::string& bytes,
                                                    absl::string_view unit, uint64_t sequence,
                                                    const ExchangeTrust& trust) {
  TL_ASSIGN_OR_RETURN(const Opened opened, OpenFromAgent(bytes, kIndexType, trust));
  if (!IsAgentOfTopology(trust.topology, opened.signer.name)) {
    return absl::PermissionDeniedError(
        absl::StrCat("signed by ", opened.signer.ToUri(), ", which the topology does not name"));
  }
  v1::ConsolidationIndex index;
  if (!index.ParseFromString(opened.payload)) {
    return absl::InvalidArgumentError("its payload is not an index");
  }
  if (index.exchange() != trust.exchange) return OtherExchange(index.exchange(), trust.exchange);
  if (index.unit() != unit || index.sequence() != sequence) {
    return absl::PermissionDeniedError(absl::StrCat("speaks for ", absl::CHexEscape(index.unit()),
                                                    ", sequence ", index.sequence(),
                                                    ", which is not what its name says"));
  }
  if (opened.signer.name != index.node()) {
    return absl::PermissionDeniedError(absl::StrCat("speaks for ", absl::CHexEscape(index.node()),
                                                    " but is signed by ", opened.signer.ToUri()));
  }
  TL_RETURN_IF_ERROR(CheckDigests(index.certificates()));
  const std::string set_name = SetName(Copied(index.certificates()));
  const auto own = [&](const std::string& object, absl::string_view extension) {
    return object == ConsolidatedObject(unit, set_name, std::nullopt, extension) ||
           object == ConsolidatedObject(unit, set_name, sequence, extension);
  };
  if (!own(index.p12_object(), "p12") || !own(index.pem_object(), "pem") ||
      index.p12_sha256().size() != kDigestBytes || index.pem_sha256().size() != kDigestBytes) {
    return absl::InvalidArgumentError("names bundles that are not its own");
  }
  return index;
}

// Publishes a bundle, or takes the one an interrupted run left under its name when it holds the
// same certificates. Returns the bytes that lie on the hub; AlreadyExists when the name is taken by
// anything else.
absl::StatusOr<std::string> PublishBundle(Hub& hub, const std::string& path, std::string bytes,
                                          const std::vector<std::string>& digests,
                                          absl::string_view bundle_password) {
  const absl::Status published = hub.Publish(path, bytes);
  if (published.ok()) return bytes;
  if (!absl::IsAlreadyExists(published)) return published;
  const absl::StatusOr<std::string> there = hub.Read(path, kMaxBundleBytes);
  if (!there.ok() && ConcernsTheHub(there.status())) return there.status();
  if (there.ok()) {
    const absl::StatusOr<std::vector<BundleEntry>> entries = ReadBundle(*there, bundle_password);
    if (entries.ok() && DigestsOf(*entries) == digests) return *there;
  }
  return absl::AlreadyExistsError(
      absl::StrCat(path, ": the name is taken by other content, which was left untouched"));
}

}  // namespace

absl::StatusOr<BelievedManifests> ReadManifests(HubReader& hub, const ExchangeTrust& trust,
                                                const std::vector<std::string>& units) {
  TL_RETURN_IF_ERROR(CheckExchangeTrust(trust));
  for (const std::string& unit : units) TL_RETURN_IF_ERROR(CheckUnitName(unit));
  const std::string directory = absl::StrCat(trust.exchange, "/manifests");
  TL_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListExchangeFiles(hub, directory));

  // Newest first: what a believed manifest supersedes need not be read.
  std::map<std::string, std::map<uint64_t, std::string, std::greater<>>> by_stem;
  for (const std::string& name : names) {
    if (const auto parsed = ParseManifestName(name)) by_stem[parsed->stem][parsed->sequence] = name;
  }
  std::set<ExpectedExport> known;
  std::set<std::string> known_stems;
  for (const v1::Cluster& cluster : trust.topology.clusters()) {
    for (const v1::ClusterNode& node : cluster.nodes()) {
      for (const std::string& unit : units) {
        known.insert({cluster.name(), node.name(), unit});
        known_stems.insert(ManifestStem({cluster.name(), node.name(), unit}));
      }
    }
  }

  BelievedManifests result;
  for (const auto& [stem, files] : by_stem) {
    if (known_stems.count(stem) > 0 ||
        std::none_of(units.begin(), units.end(), [&](const std::string& unit) {
          return absl::EndsWith(stem, absl::StrCat(".", unit));
        })) {
      continue;
    }
    for (const auto& [sequence, name] : files) {
      result.rejected.push_back(
          absl::StrCat(directory, "/", name, ": speaks for a node the topology does not name"));
    }
  }
  for (const ExpectedExport& who : known) {
    const auto files = by_stem.find(ManifestStem(who));
    if (files == by_stem.end()) continue;
    for (const auto& [sequence, name] : files->second) {
      const std::string path = absl::StrCat(directory, "/", name);
      const absl::StatusOr<std::string> bytes = hub.Read(path, kMaxEnvelopeBytes);
      if (!bytes.ok() && ConcernsTheHub(bytes.status())) return bytes.status();
      absl::StatusOr<v1::Manifest> manifest =
          bytes.ok() ? BelieveManifest(*bytes, who, sequence, trust) : bytes.status();
      if (manifest.ok()) {
        result.manifests.emplace(who, *std::move(manifest));
        break;
      }
      result.rejected.push_back(absl::StrCat(path, ": ", manifest.status().message()));
    }
  }
  return result;
}

absl::StatusOr<std::vector<BundleEntry>> ReadExport(HubReader& hub, const v1::Manifest& manifest,
                                                    absl::string_view bundle_password) {
  const ExpectedExport who{manifest.cluster(), manifest.node(), manifest.unit()};
  TL_RETURN_IF_ERROR(CheckExchangeName(manifest.exchange()));
  TL_RETURN_IF_ERROR(CheckExportNames(who));
  TL_RETURN_IF_ERROR(CheckDigests(manifest.certificates()));
  const std::vector<std::string> digests = Copied(manifest.certificates());
  if (manifest.object() != ExportObject(who, manifest.sequence(), SetName(digests))) {
    return absl::InvalidArgumentError(
        absl::StrCat("the manifest of ", who.unit, " of ", who.node,
                     " names a bundle that is not its own: ", absl::CHexEscape(manifest.object())));
  }
  return ReadObject(hub, absl::StrCat(manifest.exchange(), "/", manifest.object()),
                    manifest.object_sha256(), digests, bundle_password);
}

absl::Status PublishExport(Hub& hub, absl::string_view exchange, const ExportToPublish& what,
                           absl::string_view bundle_password, BundleProfile profile,
                           const PrivateKey& key, const Certificate& signer, absl::Time now) {
  TL_RETURN_IF_ERROR(CheckExchangeName(exchange));
  TL_RETURN_IF_ERROR(CheckExportNames(what.who));
  TL_RETURN_IF_ERROR(CheckSequence(what.sequence));
  TL_RETURN_IF_ERROR(CheckEnvelopeSigner(what.who.node, signer));
  if (what.entries.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(what.who.unit, " of ", what.who.node, ": there is no certificate to export"));
  }
  const std::vector<std::string> digests = DigestsOf(what.entries);
  v1::Manifest manifest;
  manifest.set_object(ExportObject(what.who, what.sequence, SetName(digests)));
  TL_ASSIGN_OR_RETURN(std::string bundle, WritePkcs12(what.entries, bundle_password, profile));
  TL_ASSIGN_OR_RETURN(const std::string on_hub,
                      PublishBundle(hub, absl::StrCat(exchange, "/", manifest.object()),
                                    std::move(bundle), digests, bundle_password));
  manifest.set_exchange(std::string(exchange));
  manifest.set_cluster(what.who.cluster);
  manifest.set_node(what.who.node);
  manifest.set_unit(what.who.unit);
  manifest.set_sequence(what.sequence);
  for (const std::string& digest : digests) manifest.add_certificates(digest);
  manifest.set_object_sha256(Sha256(on_hub));
  manifest.set_created_unix(absl::ToUnixSeconds(now));
  return PublishEnvelope(hub, absl::StrCat(exchange, "/", ManifestFile(what.who, what.sequence)),
                         kManifestType, manifest, key, signer);
}

absl::StatusOr<Consolidated> ReadConsolidated(HubReader& hub, const ExchangeTrust& trust,
                                              absl::string_view unit,
                                              absl::string_view bundle_password) {
  TL_RETURN_IF_ERROR(CheckExchangeTrust(trust));
  TL_RETURN_IF_ERROR(CheckUnitName(unit));
  const std::string directory = absl::StrCat(trust.exchange, "/consolidated");
  TL_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListExchangeFiles(hub, directory));
  std::map<uint64_t, std::string, std::greater<>> files;
  for (const std::string& name : names) {
    if (const auto sequence = SequenceOfIndex(name, unit)) files[*sequence] = name;
  }
  std::vector<std::string> rejected;
  for (const auto& [sequence, name] : files) {
    const std::string path = absl::StrCat(directory, "/", name);
    const absl::StatusOr<std::string> bytes = hub.Read(path, kMaxEnvelopeBytes);
    if (!bytes.ok() && ConcernsTheHub(bytes.status())) return bytes.status();
    absl::StatusOr<v1::ConsolidationIndex> index =
        bytes.ok() ? BelieveIndex(*bytes, unit, sequence, trust) : bytes.status();
    if (!index.ok()) {
      rejected.push_back(absl::StrCat(path, ": ", index.status().message()));
      continue;
    }
    const std::vector<std::string> digests = Copied(index->certificates());
    Consolidated result;
    TL_ASSIGN_OR_RETURN(result.entries,
                        ReadObject(hub, absl::StrCat(trust.exchange, "/", index->p12_object()),
                                   index->p12_sha256(), digests, bundle_password));
    TL_RETURN_IF_ERROR(ReadObject(hub, absl::StrCat(trust.exchange, "/", index->pem_object()),
                                  index->pem_sha256(), digests, bundle_password)
                           .status());
    result.index = *std::move(index);
    return result;
  }
  std::string message =
      absl::StrCat("exchange ", trust.exchange, " holds no consolidated bundle of ", unit);
  if (!rejected.empty()) {
    constexpr size_t kShown = 3;
    absl::StrAppend(&message, "; not believed: ");
    const size_t count = rejected.size();
    rejected.resize(std::min(count, kShown));
    absl::StrAppend(&message, absl::StrJoin(rejected, "; "));
    if (count > kShown) absl::StrAppend(&message, "; and ", count - kShown, " more");
  }
  return absl::NotFoundError(message);
}

absl::Status PublishConsolidated(Hub& hub, absl::string_view exchange, absl::string_view unit,
                                 std::vector<BundleEntry> entries,
                                 const std::vector<v1::Manifest>& manifests, uint64_t sequence,
                                 absl::string_view bundle_password, BundleProfile profile,
                                 absl::string_view node, const PrivateKey& key,
                                 const Certificate& signer, absl::Time now) {
  TL_RETURN_IF_ERROR(CheckExchangeName(exchange));
  TL_RETURN_IF_ERROR(CheckUnitName(unit));
  TL_RETURN_IF_ERROR(CheckSequence(sequence));
  TL_RETURN_IF_ERROR(CheckEnvelopeSigner(node, signer));
  if (entries.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(unit, ": there is no certificate to merge"));
  }
  entries = Sorted(std::move(entries));
  const std::vector<std::string> digests = DigestsOf(entries);
  const std::string set_name = SetName(digests);

  // Under the name of the set; where that is taken by something else, an altered object for
  // instance, under one with the sequence in it, so that damage done to an old object can always be
  // repaired without overwriting.
  const auto publish = [&](const std::string& bytes, absl::string_view extension,
                           std::string* object, std::string* sha256) -> absl::Status {
    const auto publish_as = [&](std::optional<uint64_t> with_sequence) {
      *object = ConsolidatedObject(unit, set_name, with_sequence, extension);
      return PublishBundle(hub, absl::StrCat(exchange, "/", *object), bytes, digests,
                           bundle_password);
    };
    absl::StatusOr<std::string> on_hub = publish_as(std::nullopt);
    if (absl::IsAlreadyExists(on_hub.status())) on_hub = publish_as(sequence);
    TL_RETURN_IF_ERROR(on_hub.status());
    *sha256 = Sha256(*on_hub);
    return absl::OkStatus();
  };
  v1::ConsolidationIndex index;
  TL_ASSIGN_OR_RETURN(const std::string p12, WritePkcs12(entries, bundle_password, profile));
  TL_RETURN_IF_ERROR(publish(p12, "p12", index.mutable_p12_object(), index.mutable_p12_sha256()));
  TL_RETURN_IF_ERROR(
      publish(WritePem(entries), "pem", index.mutable_pem_object(), index.mutable_pem_sha256()));
  index.set_exchange(std::string(exchange));
  index.set_unit(std::string(unit));
  index.set_node(std::string(node));
  index.set_sequence(sequence);
  for (const std::string& digest : digests) index.add_certificates(digest);
  std::set<std::string> merged;
  for (const v1::Manifest& manifest : manifests) {
    merged.insert(absl::StrCat(manifest.cluster(), "/", manifest.node(), "/", manifest.unit(), "#",
                               manifest.sequence()));
  }
  for (const std::string& manifest : merged) index.add_manifests(manifest);
  index.set_created_unix(absl::ToUnixSeconds(now));
  return PublishEnvelope(hub, absl::StrCat(exchange, "/", IndexFile(unit, sequence)), kIndexType,
                         index, key, signer);
}

absl::StatusOr<uint64_t> HighestExportSequence(HubReader& hub, absl::string_view exchange,
                                               const ExpectedExport& who) {
  TL_RETURN_IF_ERROR(CheckExchangeName(exchange));
  TL_RETURN_IF_ERROR(CheckExportNames(who));
  uint64_t highest = 0;
  TL_ASSIGN_OR_RETURN(const std::vector<std::string> manifests,
                      ListExchangeFiles(hub, absl::StrCat(exchange, "/manifests")));
  for (const std::string& name : manifests) {
    const auto parsed = ParseManifestName(name);
    if (parsed && parsed->stem == ManifestStem(who)) highest = std::max(highest, parsed->sequence);
  }
  // A bundle without manifest is the trace of an interrupted run, or somebody's trap: its sequence
  // is not used again.
  TL_ASSIGN_OR_RETURN(const std::vector<std::string> objects,
                      ListExchangeFiles(hub, absl::StrCat(exchange, "/exports")));
  for (const std::string& name : objects) {
    highest = std::max(highest, SequenceOfExportObject(name, who).value_or(0));
  }
  return highest;
}

absl::StatusOr<uint64_t> HighestConsolidationSequence(HubReader& hub, absl::string_view exchange,
                                                      absl::string_view unit) {
  TL_RETURN_IF_ERROR(CheckExchangeName(exchange));
  TL_RETURN_IF_ERROR(CheckUnitName(unit));
  uint64_t highest = 0;
  TL_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                      ListExchangeFiles(hub, absl::StrCat(exchange, "/consolidated")));
  for (const std::string& name : names) {
    highest = std::max({highest, SequenceOfIndex(name, unit).value_or(0),
                        SequenceOfConsolidatedObject(name, unit).value_or(0)});
  }
  return highest;
}

}  // namespace trustline
