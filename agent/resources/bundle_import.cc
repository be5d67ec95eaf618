#include "agent/resources/bundle_import.h"

#include <map>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/linux_certificate_store.h"
#include "agent/resources/believed_sequences.h"
#include "agent/resources/bundle_exchange.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

constexpr absl::string_view kKind = "bundle_import";

const v1::BundleImportSpec& Spec(const PlanContext& context) {
  return context.resource.bundle_import();
}

// What somebody we believe says belongs to the units.
struct Vouched {
  std::map<std::string, Notes> by_unit;
  std::map<std::string, std::map<ExpectedExport, v1::Manifest>> manifests;  // by unit
  std::map<std::string, Sequences> sequences;                               // by unit
};

std::vector<std::string> StoresOf(const v1::BundleImportSpec& spec, const std::string& unit) {
  for (const v1::Placement& placement : spec.placement()) {
    if (placement.unit() == unit) return {placement.stores().begin(), placement.stores().end()};
  }
  return DefaultPlacement(unit);
}

std::string ManifestName(const v1::Manifest& manifest) {
  return absl::StrCat(manifest.cluster(), "/", manifest.node(), "/", manifest.unit(), "#",
                      manifest.sequence());
}

// Manifests and pins of the exports that must be there, checked against what was believed before.
// Fills `verdict` with what is missing or went backwards.
absl::StatusOr<Vouched> FindVouched(const PlanContext& context, const ExchangeSpec& spec,
                                    const std::vector<ExpectedExport>& expected, HubReader& hub,
                                    Resolved& verdict) {
  TL_ASSIGN_OR_RETURN(const std::vector<Pin> pins, PinsOf(Spec(context).pins(), spec));
  TL_ASSIGN_OR_RETURN(const BelievedManifests believed,
                      ReadManifests(hub, TrustOf(context, spec.exchange), spec.units));
  for (const std::string& rejected : believed.rejected) {
    verdict.warnings.push_back(absl::StrCat("not believed: ", rejected));
  }
  Vouched vouched;
  std::map<std::string, Sequences> before;
  for (const std::string& unit : spec.units) {
    TL_ASSIGN_OR_RETURN(before[unit], ReadBelievedSequences(context.host.files, context.host.layout,
                                                            kKind, spec.exchange, unit));
  }
  std::vector<std::string> missing, backwards;
  for (const ExpectedExport& who : expected) {
    const bool pinned =
        std::any_of(pins.begin(), pins.end(), [&](const Pin& pin) { return pin.who == who; });
    const auto manifest = believed.manifests.find(who);
    if (manifest == believed.manifests.end()) {
      if (!pinned) missing.push_back(MissingExport(who, spec));
      continue;
    }
    const uint64_t sequence = manifest->second.sequence();
    const auto known = before[who.unit].find({who.cluster, who.node});
    if (known != before[who.unit].end() && sequence < known->second) {
      backwards.push_back(absl::StrCat(
          "the newest manifest of ", who.unit, " by ", who.node, " on the hub is #", sequence,
          ", but this node has believed #", known->second,
          " before: somebody put an old state back; run bundle_export on ", who.node, " again"));
    }
    for (const std::string& sha256 : manifest->second.certificates()) {
      AddNote(vouched.by_unit[who.unit], sha256, who);
    }
    vouched.manifests[who.unit].emplace(who, manifest->second);
    vouched.sequences[who.unit][{who.cluster, who.node}] = sequence;
  }
  for (const Pin& pin : pins) AddNote(vouched.by_unit[pin.who.unit], pin.sha256, pin.who);
  if (!backwards.empty()) {
    verdict.verdict = v1::OUTCOME_REFUSED;
    verdict.reasons = std::move(backwards);
  } else if (!missing.empty()) {
    verdict.verdict = v1::OUTCOME_PENDING;
    verdict.reasons = std::move(missing);
  }
  return vouched;
}

// Manifests of the unit of which the consolidated bundle merged another edition than the newest.
std::vector<std::string> OtherEditions(const v1::ConsolidationIndex& index,
                                       const std::map<ExpectedExport, v1::Manifest>& manifests) {
  const std::set<std::string> merged(index.manifests().begin(), index.manifests().end());
  std::vector<std::string> others;
  for (const auto& [who, manifest] : manifests) {
    const std::string newest = ManifestName(manifest);
    if (merged.count(newest) > 0) continue;
    std::string edition = "no edition";
    const std::string stem = absl::StrCat(who.cluster, "/", who.node, "/", who.unit, "#");
    for (const std::string& name : merged) {
      if (absl::StartsWith(name, stem)) edition = name;
    }
    others.push_back(absl::StrCat("it merges ", edition, ", the newest is ", newest));
  }
  return others;
}

// The consolidated bundle of a unit as entries that are all vouched for; or a verdict.
absl::StatusOr<std::vector<BundleEntry>> ReadCovered(const PlanContext& context,
                                                     const ExchangeSpec& spec,
                                                     const std::string& unit,
                                                     const Vouched& vouched, HubReader& hub,
                                                     Resolved& verdict) {
  const auto refuse = [&](std::string reason) {
    verdict.verdict = v1::OUTCOME_REFUSED;
    verdict.reasons.push_back(std::move(reason));
  };
  const auto pending = [&](std::string reason) {
    if (verdict.verdict == v1::OUTCOME_UNSPECIFIED) verdict.verdict = v1::OUTCOME_PENDING;
    verdict.reasons.push_back(std::move(reason));
  };
  const std::string bundle = absl::StrCat("the consolidated bundle of ", unit);
  absl::StatusOr<Consolidated> consolidated = ReadConsolidated(
      hub, TrustOf(context, spec.exchange), unit, PasswordOf(context, spec.bundle_password));
  if (absl::IsNotFound(consolidated.status())) {
    pending(absl::StrCat("consolidate first: ", consolidated.status().message()));
    return std::vector<BundleEntry>();
  }
  if (!consolidated.ok()) {
    if (ConcernsTheLink(consolidated.status())) return consolidated.status();
    refuse(absl::StrCat(bundle, " is refused: ", consolidated.status().message(),
                        "; nothing was installed"));
    return std::vector<BundleEntry>();
  }
  const auto notes_of_unit = vouched.by_unit.find(unit);
  const Notes& notes = notes_of_unit->second;
  const auto manifests = vouched.manifests.find(unit);
  const std::vector<std::string> others =
      manifests == vouched.manifests.end() ? std::vector<std::string>()
                                           : OtherEditions(consolidated->index, manifests->second);
  std::vector<std::string> uncovered;
  std::set<std::string> held;
  for (const BundleEntry& entry : consolidated->entries) {
    held.insert(entry.certificate.sha256());
    if (notes.count(entry.certificate.sha256()) == 0) {
      uncovered.push_back(DescribeCertificate(entry.certificate));
    }
  }
  std::vector<std::string> lacking;
  for (const auto& [sha256, note] : notes) {
    if (held.count(sha256) == 0) {
      lacking.push_back(
          absl::StrCat("it lacks ", note, ", SHA-256 ", absl::BytesToHexString(sha256)));
    }
  }
  // A certificate that went out of use since the bundle was made is not an intruder.
  if (!uncovered.empty() && others.empty()) {
    for (const std::string& certificate : uncovered) {
      refuse(absl::StrCat(bundle, " holds ", certificate,
                          ", which no expected node's manifest and no pin covers; nothing was "
                          "installed"));
    }
    return std::vector<BundleEntry>();
  }
  if (!uncovered.empty() || !lacking.empty()) {
    for (const std::string& why : lacking) {
      pending(absl::StrCat("consolidate first: ", bundle, " is out of date: ", why));
    }
    if (!uncovered.empty()) {
      for (const std::string& why : others) {
        pending(absl::StrCat("consolidate first: ", bundle, " is out of date: ", why));
      }
    }
    return std::vector<BundleEntry>();
  }
  return std::move(consolidated->entries);
}

// Everything that must be in the stores, by store; with its bytes.
struct Wanted {
  std::map<std::string, std::map<std::string, Certificate>> by_store;  // store -> raw SHA-256
  std::map<std::string, Notes> notes;                                  // store -> raw SHA-256
  std::map<std::string, Sequences> sequences;                          // unit
};

absl::StatusOr<Wanted> FindWanted(const PlanContext& context, const ExchangeSpec& spec,
                                  const std::vector<ExpectedExport>& expected, Resolved& verdict) {
  TL_ASSIGN_OR_RETURN(HubReader* const hub, context.hubs.Reader(spec.hub));
  TL_ASSIGN_OR_RETURN(Vouched vouched, FindVouched(context, spec, expected, *hub, verdict));
  Wanted wanted;
  if (verdict.verdict != v1::OUTCOME_UNSPECIFIED) return wanted;
  for (const std::string& unit : spec.units) {
    const auto notes = vouched.by_unit.find(unit);
    if (notes == vouched.by_unit.end()) {
      verdict.warnings.push_back(absl::StrCat(
          unit, ": no node of these clusters and versions exports it, so nothing is imported"));
      continue;
    }
    const std::vector<std::string> stores = StoresOf(Spec(context), unit);
    if (stores.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("no trust store is known for ", unit, ": name it in `placement`"));
    }
    TL_ASSIGN_OR_RETURN(const std::vector<BundleEntry> entries,
                        ReadCovered(context, spec, unit, vouched, *hub, verdict));
    for (const BundleEntry& entry : entries) {
      const std::string& sha256 = entry.certificate.sha256();
      const std::string& note = notes->second.at(sha256);
      const std::string expiry = ExpiryWarning(note, entry.certificate, context.host.clock.Now());
      if (!expiry.empty()) verdict.warnings.push_back(expiry);
      for (const std::string& store : stores) {
        wanted.by_store[store].emplace(sha256, entry.certificate);
        std::string& known = wanted.notes[store][sha256];
        if (!absl::StrContains(known, note)) {
          absl::StrAppend(&known, known.empty() ? "" : ", ", note);
        }
      }
    }
  }
  wanted.sequences = std::move(vouched.sequences);
  return wanted;
}

}  // namespace

// Importing never takes away what another playbook wants.
std::vector<std::string> BundleImportKind::Claims(const v1::Resource&) const { return {}; }

absl::StatusOr<Resolved> BundleImportKind::Resolve(const PlanContext& context) const {
  const ExchangeSpec spec = ExchangeSpecOf(Spec(context));
  TL_ASSIGN_OR_RETURN(const LinuxCertificateStore certificates,
                      LinuxCertificateStore::Open(context.host.files, context.host.layout));
  std::optional<Resolved> refused;
  const std::vector<ExpectedExport> expected = ExpectedOrRefused(context, spec, refused);
  if (refused) return *std::move(refused);

  Resolved resolved;
  TL_ASSIGN_OR_RETURN(const Wanted wanted, FindWanted(context, spec, expected, resolved));
  if (resolved.verdict != v1::OUTCOME_UNSPECIFIED) return resolved;
  auto desired = std::make_unique<v1::BundleImportState>();
  for (const auto& [store, by_sha256] : wanted.by_store) {
    for (const auto& [sha256, certificate] : by_sha256) {
      *desired->add_certificates() =
          StoredFact(store, certificate, wanted.notes.at(store).at(sha256));
    }
    for (const v1::MergedStoreFile& merged : certificates.DesiredMergedFiles(store)) {
      *desired->add_merged() = merged;
    }
  }
  for (const auto& [unit, sequences] : wanted.sequences) {
    *desired->add_believed() = BelievedFact(spec.exchange, unit, sequences);
  }
  resolved.desired = std::move(desired);
  return resolved;
}

absl::StatusOr<Observed> BundleImportKind::Observe(const PlanContext& context,
                                                   const google::protobuf::Message& message) const {
  const auto& desired = static_cast<const v1::BundleImportState&>(message);
  const ExchangeSpec spec = ExchangeSpecOf(Spec(context));
  TL_ASSIGN_OR_RETURN(const LinuxCertificateStore certificates,
                      LinuxCertificateStore::Open(context.host.files, context.host.layout));
  std::map<std::string, std::map<std::string, std::string>> wanted;  // store -> digest -> note
  for (const v1::StoredCertificate& fact : desired.certificates()) {
    wanted[fact.store()][fact.sha256()] = fact.note();
  }
  Observed observed;
  auto present = std::make_unique<v1::BundleImportState>();
  int missing = desired.certificates_size();
  bool crowded = false;
  for (const auto& [store, notes] : wanted) {
    TL_ASSIGN_OR_RETURN(const StoreContents contents, certificates.List(store));
    observed.warnings.insert(observed.warnings.end(), contents.warnings.begin(),
                             contents.warnings.end());
    for (const StoredEntry& entry : contents.entries) {
      const auto note = notes.find(entry.certificate.sha256_hex());
      if (note == notes.end()) continue;
      *present->add_certificates() = StoredFact(store, entry.certificate, note->second);
      --missing;
    }
    TL_ASSIGN_OR_RETURN(const std::vector<v1::MergedStoreFile> files,
                        certificates.PresentMergedFiles(store));
    for (const v1::MergedStoreFile& merged : files) *present->add_merged() = merged;
    crowded = crowded || certificates.capabilities(store).one_per_subject;
  }
  if (crowded) {
    std::optional<Resolved> refused;
    const std::vector<ExpectedExport> expected = ExpectedOrRefused(context, spec, refused);
    if (refused) return absl::FailedPreconditionError(refused->reasons.front());
    Resolved verdict;
    TL_ASSIGN_OR_RETURN(const Wanted newcomers, FindWanted(context, spec, expected, verdict));
    for (const auto& [store, by_sha256] : newcomers.by_store) {
      std::vector<Certificate> of_store;
      for (const auto& [sha256, certificate] : by_sha256) of_store.push_back(certificate);
      TL_ASSIGN_OR_RETURN(const StoreContents contents, certificates.List(store));
      SubjectConflicts conflicts = FindSubjectConflicts(certificates, store, of_store, contents);
      for (std::string& refusal : conflicts.refusals) {
        observed.refusals.push_back(std::move(refusal));
      }
      for (const StoredEntry& entry : conflicts.superseded) {
        *present->add_certificates() =
            StoredFact(store, entry.certificate, "makes room for a newer one of the same subject");
      }
    }
  }
  for (const v1::BelievedSequences& fact : desired.believed()) {
    TL_ASSIGN_OR_RETURN(const auto known, PresentBelieved(context.host, kKind, fact));
    if (known) *present->add_believed() = *known;
  }
  observed.summary =
      absl::StrCat(missing, " of ", desired.certificates_size(), " certificates missing");
  observed.present = std::move(present);
  return observed;
}

absl::Status BundleImportKind::Stage(const PlanContext& context,
                                     const google::protobuf::Message& desired_message,
                                     const google::protobuf::Message& present_message,
                                     TransactionBuilder& transaction) const {
  const auto& desired = static_cast<const v1::BundleImportState&>(desired_message);
  const auto& present = static_cast<const v1::BundleImportState&>(present_message);
  const ExchangeSpec spec = ExchangeSpecOf(Spec(context));
  TL_ASSIGN_OR_RETURN(const LinuxCertificateStore certificates,
                      LinuxCertificateStore::Open(context.host.files, context.host.layout));
  using Place = std::pair<std::string, std::string>;  // store, fingerprint
  std::set<Place> wanted, there;
  std::set<std::string> stores;
  for (const auto& fact : desired.certificates()) {
    wanted.emplace(fact.store(), fact.sha256());
    stores.insert(fact.store());
  }
  for (const auto& fact : present.certificates()) there.emplace(fact.store(), fact.sha256());

  // The states carry no bytes: they are read again, and only what was planned is taken.
  std::optional<Resolved> refused;
  const std::vector<ExpectedExport> expected = ExpectedOrRefused(context, spec, refused);
  if (refused) return absl::FailedPreconditionError(refused->reasons.front());
  Resolved verdict;
  TL_ASSIGN_OR_RETURN(const Wanted found, FindWanted(context, spec, expected, verdict));
  std::map<Place, Certificate> bytes;
  for (const auto& [store, by_sha256] : found.by_store) {
    for (const auto& [sha256, certificate] : by_sha256) {
      bytes.emplace(Place(store, certificate.sha256_hex()), certificate);
    }
  }
  for (const Place& place : wanted) {
    if (there.count(place) > 0) continue;
    const auto certificate = bytes.find(place);
    if (certificate == bytes.end()) {
      return absl::AbortedError(
          absl::StrCat(ExchangePlace(spec), " changed while it was looked at: run again"));
    }
    TL_RETURN_IF_ERROR(certificates.Add(place.first, certificate->second, transaction));
  }
  for (const Place& place : there) {
    if (wanted.count(place) > 0) continue;
    TL_ASSIGN_OR_RETURN(const StoreContents contents, certificates.List(place.first));
    for (const StoredEntry& entry : contents.entries) {
      if (entry.certificate.sha256_hex() != place.second) continue;
      TL_RETURN_IF_ERROR(certificates.Remove(place.first, entry.certificate, transaction));
    }
  }
  for (const auto& [unit, sequences] : found.sequences) {
    TL_RETURN_IF_ERROR(RaiseBelievedSequences(context.host.layout, kKind, spec.exchange, unit,
                                              sequences, transaction));
  }
  for (const std::string& store : stores) {
    TL_RETURN_IF_ERROR(certificates.RefreshMergedFiles(store, transaction));
  }
  return absl::OkStatus();
}

std::string BundleImportKind::Describe(const v1::Change& change,
                                       const google::protobuf::Message& desired_message,
                                       const google::protobuf::Message& present) const {
  const auto& desired = static_cast<const v1::BundleImportState&>(desired_message);
  if (std::string record = DescribeBelieved(change, desired.believed()); !record.empty()) {
    return record;
  }
  if (change.fact() == v1::MergedStoreFile::descriptor()->name()) {
    for (const v1::MergedStoreFile& fact : desired.merged()) {
      if (fact.store() != change.identity()) continue;
      return absl::StrCat(fact.store(), "  merged file ", fact.file(), " repeats the store again");
    }
  }
  return ResourceKind::Describe(change, desired_message, present);
}

}  // namespace trustline::agent
