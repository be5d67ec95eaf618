#include "agent/resources/node_exports.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/linux_certificate_store.h"
#include "agent/resources/believed_sequences.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

// Whoever publishes, it is one row of numbers on the hub.
constexpr absl::string_view kRecord = "node_exports";

// The newest this node has published of the unit, wherever that is by now; 0 for nothing.
absl::StatusOr<uint64_t> OwnSequence(const FileView& files, const Layout& layout,
                                     const std::string& exchange, const ExpectedExport& who) {
  TL_ASSIGN_OR_RETURN(const Sequences known,
                      ReadBelievedSequences(files, layout, kRecord, exchange, who.unit));
  const auto found = known.find({who.cluster, who.node});
  return found == known.end() ? 0 : found->second;
}

}  // namespace

absl::StatusOr<std::vector<StoredEntry>> OwnCertificates(const PlanContext& context,
                                                         const std::string& unit,
                                                         std::vector<std::string>& warnings) {
  TL_ASSIGN_OR_RETURN(const LinuxCertificateStore store,
                      LinuxCertificateStore::Open(context.host.files, context.host.layout));
  TL_ASSIGN_OR_RETURN(const StoreContents contents, store.List(unit));
  warnings.insert(warnings.end(), contents.warnings.begin(), contents.warnings.end());
  std::vector<StoredEntry> own;
  for (const StoredEntry& entry : contents.entries) {
    if (!entry.key_matches) {
      warnings.push_back(
          absl::StrCat(entry.path, ": left out, because this node does not hold its key"));
      continue;
    }
    own.push_back(entry);
    const std::string expiry = ExpiryWarning(unit, entry.certificate, context.host.clock.Now());
    if (!expiry.empty()) warnings.push_back(expiry);
  }
  return own;
}

absl::StatusOr<OwnExports> ReadOwnExports(const PlanContext& context, const ExchangeSpec& spec,
                                          const std::vector<ExpectedExport>& own) {
  OwnExports result;
  std::vector<std::string> units;
  for (const ExpectedExport& who : own) units.push_back(who.unit);
  TL_ASSIGN_OR_RETURN(HubReader* const hub, context.hubs.Reader(spec.hub));
  TL_ASSIGN_OR_RETURN(const BelievedManifests believed,
                      ReadManifests(*hub, TrustOf(context, spec.exchange), units));
  for (const ExpectedExport& who : own) {
    for (const std::string& rejected : believed.rejected) {
      if (absl::StrContains(rejected,
                            absl::StrCat("/", who.cluster, ".", who.node, ".", who.unit, "."))) {
        result.warnings.push_back(absl::StrCat("not believed: ", rejected));
      }
    }
    const auto manifest = believed.manifests.find(who);
    if (manifest == believed.manifests.end()) continue;
    TL_ASSIGN_OR_RETURN(const uint64_t own_sequence,
                        OwnSequence(context.host.files, context.host.layout, spec.exchange, who));
    if (manifest->second.sequence() < own_sequence) {
      result.warnings.push_back(
          absl::StrCat("the newest manifest of ", who.unit, " of ", who.node, " on the hub is #",
                       manifest->second.sequence(), ", but this node published #", own_sequence,
                       ": somebody put an old state back, or began anew; it counts as absent"));
      continue;
    }
    const absl::StatusOr<std::vector<BundleEntry>> entries =
        ReadExport(*hub, manifest->second, PasswordOf(context, spec.bundle_password));
    if (!entries.ok()) {
      if (ConcernsTheLink(entries.status())) return entries.status();
      result.warnings.push_back(absl::StrCat(
          "the export of ", who.unit,
          " on the hub is unusable and counts as absent: ", entries.status().message()));
      continue;
    }
    for (const BundleEntry& entry : *entries) {
      result.by_unit[who.unit].push_back(entry.certificate);
    }
  }
  return result;
}

absl::Status StageOwnExports(const PlanContext& context, const ExchangeSpec& spec,
                             const std::vector<ExpectedExport>& own, const UnitFingerprints& wanted,
                             const UnitFingerprints& there, BundleProfile profile,
                             TransactionBuilder& transaction) {
  static const auto& nothing = *new std::set<std::string>();
  const auto of = [](const UnitFingerprints& all,
                     const std::string& unit) -> const std::set<std::string>& {
    const auto found = all.find(unit);
    return found == all.end() ? nothing : found->second;
  };
  for (const ExpectedExport& who : own) {
    const std::set<std::string>& unit_wanted = of(wanted, who.unit);
    if (unit_wanted == of(there, who.unit)) continue;
    ExportToPublish what;
    what.who = who;
    std::vector<std::string> warnings;  // already said when it was resolved
    TL_ASSIGN_OR_RETURN(const std::vector<StoredEntry> entries,
                        OwnCertificates(context, who.unit, warnings));
    for (const StoredEntry& entry : entries) {
      if (unit_wanted.count(entry.certificate.sha256_hex()) == 0) continue;
      what.entries.push_back({entry.certificate, absl::StrCat(who.unit, " of ", who.node)});
    }
    if (what.entries.size() != unit_wanted.size()) {
      return absl::AbortedError(absl::StrCat("the ", who.unit,
                                             " certificate changed while it was looked at: run "
                                             "again"));
    }
    transaction.AddEffect(
        absl::StrCat("export ", who.unit, " to ", ExchangePlace(spec)),
        /*undo_argument=*/"",
        [what, address = spec.hub, exchange = spec.exchange,
         password = std::string(PasswordOf(context, spec.bundle_password)), profile,
         key = context.self.key,
         signer = context.self.certificate](const Host& host, Hubs& hubs) -> absl::Status {
          TL_ASSIGN_OR_RETURN(Hub* const hub, hubs.Writer(address));
          ExportToPublish numbered = what;
          TL_ASSIGN_OR_RETURN(const uint64_t on_hub,
                              HighestExportSequence(*hub, exchange, what.who));
          TL_ASSIGN_OR_RETURN(const uint64_t own,
                              OwnSequence(host.files, host.layout, exchange, what.who));
          numbered.sequence = std::max(on_hub, own) + 1;
          TL_RETURN_IF_ERROR(PublishExport(*hub, exchange, numbered, password, profile, key, signer,
                                           host.clock.Now()));
          return RememberSequences(host.files, host.layout, kRecord, exchange, what.who.unit,
                                   {{{what.who.cluster, what.who.node}, numbered.sequence}});
        });
  }
  return absl::OkStatus();
}

}  // namespace trustline::agent
