#include "agent/resources/bundle_consolidation.h"

#include <map>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/resources/bundle_exchange.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

const v1::BundleConsolidationSpec& Spec(const PlanContext& context) {
  return context.resource.bundle_consolidation();
}

// What one unit's bundle is made of.
struct Unit {
  std::vector<v1::Manifest> manifests;
  Notes notes;                              // every certificate wanted
  std::map<std::string, BundleEntry> have;  // by raw SHA-256: those whose bytes were found
};

struct Gathered {
  std::map<std::string, Unit> units;
  std::vector<std::string> missing;  // one line per export that is not there
  std::string one_sided;             // not empty: some clusters exported, others did not at all
  std::vector<std::string> warnings;
};

// Certificates that no agent vouches for but a pin does: whatever lies in the exports directory
// under the name of the node and unit, known by content.
absl::Status AddPinned(HubReader& hub, const ExchangeSpec& spec, const std::vector<Pin>& pins,
                       absl::string_view password, Gathered& gathered) {
  if (pins.empty()) return absl::OkStatus();
  const std::string directory = absl::StrCat(spec.exchange, "/exports");
  const absl::StatusOr<std::vector<HubEntry>> files = hub.List(directory);
  if (!files.ok() && !absl::IsNotFound(files.status())) return files.status();
  for (const Pin& pin : pins) {
    Unit& unit = gathered.units[pin.who.unit];
    AddNote(unit.notes, pin.sha256, pin.who);
    if (!files.ok()) continue;
    const std::string prefix =
        absl::StrCat(pin.who.cluster, ".", pin.who.node, ".", pin.who.unit, ".");
    for (const HubEntry& file : *files) {
      if (file.is_directory || !absl::StartsWith(file.name, prefix)) continue;
      const std::string path = absl::StrCat(directory, "/", file.name);
      const absl::StatusOr<std::string> bytes = hub.Read(path, kMaxBundleBytes);
      if (!bytes.ok() && ConcernsTheLink(bytes.status())) return bytes.status();
      const absl::StatusOr<std::vector<BundleEntry>> entries =
          bytes.ok() ? ReadBundle(*bytes, password) : bytes.status();
      if (!entries.ok()) {
        gathered.warnings.push_back(absl::StrCat(path, ": ", entries.status().message()));
        continue;
      }
      for (const BundleEntry& entry : *entries) {
        if (entry.certificate.sha256() == pin.sha256) unit.have.emplace(pin.sha256, entry);
      }
    }
  }
  return absl::OkStatus();
}

// Manifests first; then the bytes, from the bundle that is there already where that has them, so
// that looking again at a finished exchange reads no export.
absl::StatusOr<Gathered> Gather(const PlanContext& context, const ExchangeSpec& spec,
                                const std::vector<ExpectedExport>& expected, HubReader& hub) {
  Gathered gathered;
  const ExchangeTrust trust = TrustOf(context, spec.exchange);
  const absl::string_view password = PasswordOf(context, spec.bundle_password);
  TL_ASSIGN_OR_RETURN(const std::vector<Pin> pins, PinsOf(Spec(context).pins(), spec));
  TL_ASSIGN_OR_RETURN(const BelievedManifests believed, ReadManifests(hub, trust, spec.units));
  for (const std::string& rejected : believed.rejected) {
    gathered.warnings.push_back(absl::StrCat("not believed: ", rejected));
  }
  TL_RETURN_IF_ERROR(AddPinned(hub, spec, pins, password, gathered));

  std::map<std::string, bool> cluster_exported;
  for (const ExpectedExport& who : expected) {
    Unit& unit = gathered.units[who.unit];
    const auto manifest = believed.manifests.find(who);
    const bool pinned = std::any_of(pins.begin(), pins.end(), [&](const Pin& pin) {
      return pin.who == who && unit.have.count(pin.sha256) > 0;
    });
    cluster_exported[who.cluster] |= pinned || manifest != believed.manifests.end();
    if (manifest == believed.manifests.end()) {
      if (!pinned) gathered.missing.push_back(MissingExport(who, spec));
      continue;
    }
    unit.manifests.push_back(manifest->second);
    for (const std::string& sha256 : manifest->second.certificates()) {
      AddNote(unit.notes, sha256, who);
    }
  }
  std::vector<std::string> with, without;
  for (const auto& [cluster, exported] : cluster_exported) {
    (exported ? with : without).push_back(cluster);
  }
  if (!with.empty() && !without.empty()) {
    gathered.one_sided = absl::StrCat(
        "only cluster ", absl::StrJoin(with, ", "), " has exported to ", ExchangePlace(spec),
        "; nothing of cluster ", absl::StrJoin(without, ", "),
        " is there: is every cluster using exchange '", spec.exchange, "' in directory '",
        spec.hub.directory().empty() ? "." : spec.hub.directory(), "'?");
  }
  if (!gathered.missing.empty()) return gathered;

  for (auto& [name, unit] : gathered.units) {
    const absl::StatusOr<Consolidated> consolidated = ReadConsolidated(hub, trust, name, password);
    if (consolidated.ok()) {
      for (const BundleEntry& entry : consolidated->entries) {
        if (unit.notes.count(entry.certificate.sha256()) > 0) {
          unit.have.emplace(entry.certificate.sha256(), entry);
        }
      }
    } else if (ConcernsTheLink(consolidated.status())) {
      return consolidated.status();
    }
    for (const v1::Manifest& manifest : unit.manifests) {
      const bool complete = std::all_of(
          manifest.certificates().begin(), manifest.certificates().end(),
          [&unit = unit](const std::string& sha256) { return unit.have.count(sha256) > 0; });
      if (complete) continue;
      const absl::StatusOr<std::vector<BundleEntry>> entries = ReadExport(hub, manifest, password);
      if (!entries.ok()) {
        if (ConcernsTheLink(entries.status())) return entries.status();
        gathered.missing.push_back(absl::StrCat(
            "the export of ", name, " by ", manifest.node(), " (cluster ", manifest.cluster(),
            ") cannot be used: ", entries.status().message(), ": run its bundle_export again"));
        continue;
      }
      for (const BundleEntry& entry : *entries) {
        unit.have.emplace(entry.certificate.sha256(), entry);
      }
    }
  }
  return gathered;
}

v1::ConsolidatedCertificate Fact(const std::string& unit, const Certificate& certificate,
                                 const std::string& note) {
  v1::ConsolidatedCertificate fact;
  fact.set_unit(unit);
  fact.set_sha256(certificate.sha256_hex());
  fact.set_subject(certificate.subject());
  fact.set_serial(certificate.serial_hex());
  fact.set_note(note);
  return fact;
}

}  // namespace

// Any node may consolidate, and all come to the same set.
std::vector<std::string> BundleConsolidationKind::Claims(const v1::Resource&) const { return {}; }

absl::StatusOr<Resolved> BundleConsolidationKind::Resolve(const PlanContext& context) const {
  const ExchangeSpec spec = ExchangeSpecOf(Spec(context));
  std::optional<Resolved> refused;
  const std::vector<ExpectedExport> expected = ExpectedOrRefused(context, spec, refused);
  if (refused) return *std::move(refused);
  TL_ASSIGN_OR_RETURN(HubReader* const hub, context.hubs.Reader(spec.hub));
  TL_ASSIGN_OR_RETURN(Gathered gathered, Gather(context, spec, expected, *hub));
  Resolved resolved;
  resolved.warnings = std::move(gathered.warnings);
  if (!gathered.missing.empty()) {
    resolved.verdict = gathered.one_sided.empty() ? v1::OUTCOME_PENDING : v1::OUTCOME_REFUSED;
    if (!gathered.one_sided.empty()) resolved.reasons.push_back(gathered.one_sided);
    for (std::string& line : gathered.missing) resolved.reasons.push_back(std::move(line));
    return resolved;
  }
  auto desired = std::make_unique<v1::BundleConsolidationState>();
  for (const auto& [name, unit] : gathered.units) {
    for (const auto& [sha256, note] : unit.notes) {
      const auto entry = unit.have.find(sha256);
      if (entry == unit.have.end()) {
        resolved.reasons.push_back(absl::StrCat("no file in ", ExchangePlace(spec),
                                                " holds the pinned certificate ",
                                                absl::BytesToHexString(sha256), " of ", note,
                                                ": put it into ", spec.exchange, "/exports"));
        continue;
      }
      *desired->add_certificates() = Fact(name, entry->second.certificate, note);
    }
  }
  if (resolved.reasons.empty()) {
    resolved.desired = std::move(desired);
  } else {
    resolved.verdict = v1::OUTCOME_PENDING;
  }
  return resolved;
}

absl::StatusOr<Observed> BundleConsolidationKind::Observe(
    const PlanContext& context, const google::protobuf::Message& message) const {
  const auto& desired = static_cast<const v1::BundleConsolidationState&>(message);
  const ExchangeSpec spec = ExchangeSpecOf(Spec(context));
  std::set<std::string> units;
  for (const auto& fact : desired.certificates()) units.insert(fact.unit());
  Observed observed;
  auto present = std::make_unique<v1::BundleConsolidationState>();
  std::set<std::pair<std::string, std::string>> there;
  TL_ASSIGN_OR_RETURN(HubReader* const hub, context.hubs.Reader(spec.hub));
  for (const std::string& unit : units) {
    const absl::StatusOr<Consolidated> consolidated = ReadConsolidated(
        *hub, TrustOf(context, spec.exchange), unit, PasswordOf(context, spec.bundle_password));
    if (absl::IsNotFound(consolidated.status())) continue;
    if (!consolidated.ok()) {
      if (ConcernsTheLink(consolidated.status())) return consolidated.status();
      observed.warnings.push_back(
          absl::StrCat("the consolidated bundle of ", unit,
                       " is unusable and counts as absent: ", consolidated.status().message()));
      continue;
    }
    for (const BundleEntry& entry : consolidated->entries) {
      *present->add_certificates() = Fact(unit, entry.certificate, entry.friendly_name);
      there.emplace(unit, entry.certificate.sha256_hex());
    }
  }
  int missing = 0;
  for (const auto& fact : desired.certificates()) {
    missing += there.count({fact.unit(), fact.sha256()}) == 0 ? 1 : 0;
  }
  observed.summary = absl::StrCat(missing, " of ", desired.certificates_size(),
                                  " certificates not in the consolidated bundles");
  observed.present = std::move(present);
  return observed;
}

absl::Status BundleConsolidationKind::Stage(const PlanContext& context,
                                            const google::protobuf::Message& desired_message,
                                            const google::protobuf::Message& present_message,
                                            TransactionBuilder& transaction) const {
  const auto& desired = static_cast<const v1::BundleConsolidationState&>(desired_message);
  const auto& present = static_cast<const v1::BundleConsolidationState&>(present_message);
  const ExchangeSpec spec = ExchangeSpecOf(Spec(context));
  std::map<std::string, std::set<std::string>> wanted, there;
  for (const auto& fact : desired.certificates()) wanted[fact.unit()].insert(fact.sha256());
  for (const auto& fact : present.certificates()) there[fact.unit()].insert(fact.sha256());
  std::optional<Resolved> refused;
  const std::vector<ExpectedExport> expected = ExpectedOrRefused(context, spec, refused);
  if (refused) return absl::FailedPreconditionError(refused->reasons.front());
  TL_ASSIGN_OR_RETURN(HubReader* const hub, context.hubs.Reader(spec.hub));
  TL_ASSIGN_OR_RETURN(const Gathered gathered, Gather(context, spec, expected, *hub));
  for (const auto& [name, unit] : gathered.units) {
    const std::set<std::string>& unit_wanted = wanted[name];
    if (unit_wanted == there[name]) continue;
    std::vector<BundleEntry> entries;
    for (const auto& [sha256, note] : unit.notes) {
      const auto entry = unit.have.find(sha256);
      if (entry == unit.have.end() || unit_wanted.count(absl::BytesToHexString(sha256)) == 0) {
        continue;
      }
      entries.push_back({entry->second.certificate, note});
    }
    if (entries.size() != unit_wanted.size()) {
      return absl::AbortedError(
          absl::StrCat("the exports of ", name, " changed while they were looked at: run again"));
    }
    transaction.AddEffect(
        absl::StrCat("consolidate ", name, " in ", ExchangePlace(spec)), /*undo_argument=*/"",
        [unit_name = name, entries, manifests = unit.manifests, address = spec.hub,
         exchange = spec.exchange,
         password = std::string(PasswordOf(context, spec.bundle_password)),
         profile = ProfileOf(Spec(context).profile()), node = context.self.node,
         key = context.self.key,
         signer = context.self.certificate](const Host& host, Hubs& hubs) -> absl::Status {
          TL_ASSIGN_OR_RETURN(Hub* const writer, hubs.Writer(address));
          TL_ASSIGN_OR_RETURN(const uint64_t highest,
                              HighestConsolidationSequence(*writer, exchange, unit_name));
          return PublishConsolidated(*writer, exchange, unit_name, entries, manifests, highest + 1,
                                     password, profile, node, key, signer, host.clock.Now());
        });
  }
  return absl::OkStatus();
}

}  // namespace trustline::agent
