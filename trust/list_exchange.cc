#include "trust/list_exchange.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "trust/exchange_envelope.h"
#include "trust/exchange_names.h"
#include "trust/sha256.h"
#include "trust/status_macros.h"
#include "trust/trust_list/list_format.h"

namespace trustline {
namespace {

constexpr absl::string_view kListManifestType = "trustline.v1.ListManifest";
constexpr size_t kDigestBytes = 32;

std::string StemOf(const ExpectedList& list) {
  return ListStem(list.cluster, list.node, ListTypeName(list.type));
}

// Everything signed content says, against the file's name and what the topology expects.
absl::StatusOr<v1::ListManifest> BelieveListManifest(const std::string& bytes,
                                                     const ExpectedList& list, uint64_t sequence,
                                                     const ExchangeTrust& trust) {
  TL_ASSIGN_OR_RETURN(const Opened opened, OpenFromAgent(bytes, kListManifestType, trust));
  v1::ListManifest manifest;
  if (!manifest.ParseFromString(opened.payload)) {
    return absl::InvalidArgumentError("its payload is not a manifest of a list");
  }
  if (manifest.exchange() != trust.exchange) {
    return OtherExchange(manifest.exchange(), trust.exchange);
  }
  if (opened.signer.name != manifest.node()) {
    return absl::PermissionDeniedError(absl::StrCat("speaks for ",
                                                    absl::CHexEscape(manifest.node()),
                                                    " but is signed by ", opened.signer.ToUri()));
  }
  if (manifest.node() != list.signer.node) {
    return absl::PermissionDeniedError(absl::StrCat("is by ", absl::CHexEscape(manifest.node()),
                                                    ", but ", list.signer.node,
                                                    " holds the key this list is signed with"));
  }
  if (manifest.cluster() != list.cluster || manifest.list() != ListTypeName(list.type) ||
      manifest.for_node() != list.node || manifest.sequence() != sequence) {
    return absl::PermissionDeniedError(absl::StrCat(
        "speaks of the ", absl::CHexEscape(manifest.list()), " of ",
        absl::CHexEscape(manifest.for_node()), " in cluster ", absl::CHexEscape(manifest.cluster()),
        ", sequence ", manifest.sequence(), ", which is not what its name says"));
  }
  if (manifest.object_sha256().size() != kDigestBytes ||
      manifest.object() != ListObject(StemOf(list), sequence, manifest.object_sha256())) {
    return absl::InvalidArgumentError("names a list that is not its own");
  }
  return manifest;
}

}  // namespace

absl::StatusOr<BelievedListManifest> ReadListManifest(HubReader& hub, const ExchangeTrust& trust,
                                                      const ExpectedList& list) {
  TL_RETURN_IF_ERROR(CheckExchangeTrust(trust));
  const std::string directory = absl::StrCat(trust.exchange, "/lists");
  TL_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListExchangeFiles(hub, directory));
  std::map<uint64_t, std::string, std::greater<>> newest_first;
  for (const std::string& name : names) {
    if (const auto sequence = SequenceOfListManifest(name, StemOf(list))) {
      newest_first[*sequence] = name;
    }
  }
  BelievedListManifest result;
  for (const auto& [sequence, name] : newest_first) {
    const std::string path = absl::StrCat(directory, "/", name);
    const absl::StatusOr<std::string> bytes = hub.Read(path, kMaxEnvelopeBytes);
    if (!bytes.ok() && ConcernsTheHub(bytes.status())) return bytes.status();
    absl::StatusOr<v1::ListManifest> manifest =
        bytes.ok() ? BelieveListManifest(*bytes, list, sequence, trust) : bytes.status();
    if (manifest.ok()) {
      result.manifest = *std::move(manifest);
      break;
    }
    result.rejected.push_back(absl::StrCat(path, ": ", manifest.status().message()));
  }
  return result;
}

absl::StatusOr<std::string> ReadListObject(HubReader& hub, const v1::ListManifest& manifest) {
  TL_RETURN_IF_ERROR(CheckExchangeName(manifest.exchange()));
  const std::string path = absl::StrCat(manifest.exchange(), "/", manifest.object());
  absl::StatusOr<std::string> bytes = hub.Read(path, kMaxListBytes);
  if (absl::IsNotFound(bytes.status())) {
    return absl::DataLossError(absl::StrCat(path, ": is signed for but is not on the hub"));
  }
  if (absl::IsResourceExhausted(bytes.status())) {
    return absl::DataLossError(
        absl::StrCat(path, ": larger than the ", kMaxListBytes, " bytes phones load"));
  }
  if (!bytes.ok()) return bytes.status();
  if (Sha256(*bytes) != manifest.object_sha256()) {
    return absl::DataLossError(absl::StrCat(path, ": was altered: its SHA-256 is ",
                                            Sha256Hex(*bytes), ", signed for was ",
                                            absl::BytesToHexString(manifest.object_sha256())));
  }
  return bytes;
}

absl::Status PublishList(Hub& hub, absl::string_view exchange, const ExpectedList& list,
                         absl::string_view bytes, uint64_t sequence, const PrivateKey& key,
                         const Certificate& signer, absl::Time now) {
  TL_RETURN_IF_ERROR(CheckExchangeName(exchange));
  TL_RETURN_IF_ERROR(CheckExportNames(list.signer));
  if (!list.node.empty()) {
    TL_RETURN_IF_ERROR(CheckExportNames({list.cluster, list.node, list.signer.unit}));
  }
  TL_RETURN_IF_ERROR(CheckSequence(sequence));
  TL_RETURN_IF_ERROR(CheckEnvelopeSigner(list.signer.node, signer));
  v1::ListManifest manifest;
  manifest.set_exchange(std::string(exchange));
  manifest.set_cluster(list.cluster);
  manifest.set_node(list.signer.node);
  manifest.set_list(std::string(ListTypeName(list.type)));
  manifest.set_for_node(list.node);
  manifest.set_sequence(sequence);
  manifest.set_object_sha256(Sha256(bytes));
  manifest.set_object(ListObject(StemOf(list), sequence, manifest.object_sha256()));
  manifest.set_created_unix(absl::ToUnixSeconds(now));
  const std::string path = absl::StrCat(exchange, "/", manifest.object());
  const absl::Status published = hub.Publish(path, bytes);
  if (absl::IsAlreadyExists(published)) {
    const absl::StatusOr<std::string> there = hub.Read(path, kMaxListBytes);
    if (!there.ok() && ConcernsTheHub(there.status())) return there.status();
    // What an interrupted run left is fine when it is the very same.
    if (!there.ok() || *there != bytes) {
      return absl::AlreadyExistsError(
          absl::StrCat(path, ": the name is taken by other content, which was left untouched"));
    }
  } else if (!published.ok()) {
    return published;
  }
  return PublishEnvelope(hub, absl::StrCat(exchange, "/", ListManifestFile(StemOf(list), sequence)),
                         kListManifestType, manifest, key, signer);
}

absl::StatusOr<uint64_t> HighestListSequence(HubReader& hub, absl::string_view exchange,
                                             const ExpectedList& list) {
  TL_RETURN_IF_ERROR(CheckExchangeName(exchange));
  TL_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                      ListExchangeFiles(hub, absl::StrCat(exchange, "/lists")));
  uint64_t highest = 0;
  const std::string stem = StemOf(list);
  for (const std::string& name : names) {
    highest = std::max({highest, SequenceOfListManifest(name, stem).value_or(0),
                        SequenceOfListObject(name, stem).value_or(0)});
  }
  return highest;
}

}  // namespace trustline
