#include "agent/resources/bundle_export.h"

#include <map>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/linux_certificate_store.h"
#include "agent/resources/bundle_exchange.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

const v1::BundleExportSpec& Spec(const PlanContext& context) {
  return context.resource.bundle_export();
}

v1::ExportedCertificate Fact(const std::string& unit, const Certificate& certificate) {
  v1::ExportedCertificate fact;
  fact.set_unit(unit);
  fact.set_sha256(certificate.sha256_hex());
  fact.set_subject(certificate.subject());
  fact.set_serial(certificate.serial_hex());
  fact.set_not_after_unix(absl::ToUnixSeconds(certificate.not_after()));
  return fact;
}

// This node's exports among the expected ones.
std::vector<ExpectedExport> OwnExports(const PlanContext& context, const ExchangeSpec& spec,
                                       std::optional<Resolved>& refused) {
  std::vector<ExpectedExport> own;
  for (const ExpectedExport& who : ExpectedOrRefused(context, spec, refused)) {
    if (who.node == context.self.node) own.push_back(who);
  }
  return own;
}

// The unit's own certificates: those whose key is here.
absl::StatusOr<std::vector<Certificate>> OwnCertificates(const PlanContext& context,
                                                         const std::string& unit,
                                                         std::vector<std::string>& warnings) {
  TL_ASSIGN_OR_RETURN(const LinuxCertificateStore store,
                      LinuxCertificateStore::Open(context.host.files, context.host.layout));
  TL_ASSIGN_OR_RETURN(const StoreContents contents, store.List(unit));
  warnings.insert(warnings.end(), contents.warnings.begin(), contents.warnings.end());
  std::vector<Certificate> own;
  for (const StoredEntry& entry : contents.entries) {
    if (!entry.key_matches) {
      warnings.push_back(
          absl::StrCat(entry.path, ": not exported, because this node does not hold its key"));
      continue;
    }
    own.push_back(entry.certificate);
    const std::string expiry = ExpiryWarning(unit, entry.certificate, context.host.clock.Now());
    if (!expiry.empty()) warnings.push_back(expiry);
  }
  if (own.size() > 1) {
    warnings.push_back(absl::StrCat(unit, ": this node holds ", own.size(),
                                    " own certificates of it; all are exported"));
  }
  return own;
}

}  // namespace

// Two playbooks that export to one exchange want the same thing.
std::vector<std::string> BundleExportKind::Claims(const v1::Resource&) const { return {}; }

absl::StatusOr<Resolved> BundleExportKind::Resolve(const PlanContext& context) const {
  const ExchangeSpec spec = ExchangeSpecOf(Spec(context));
  const v1::Cluster* cluster = ClusterOf(context.document.topology(), context.self.node);
  if (cluster == nullptr) {
    return Refused(absl::StrCat(context.self.node,
                                " is a node of no cluster of the inventory, so it has nothing to "
                                "export; give its group a cluster"));
  }
  std::optional<Resolved> refused;
  const std::vector<ExpectedExport> own = OwnExports(context, spec, refused);
  if (refused) return *std::move(refused);

  Resolved resolved;
  auto desired = std::make_unique<v1::BundleExportState>();
  for (const ExpectedExport& who : own) {
    TL_ASSIGN_OR_RETURN(const std::vector<Certificate> certificates,
                        OwnCertificates(context, who.unit, resolved.warnings));
    if (certificates.empty()) {
      resolved.reasons.push_back(absl::StrCat(
          who.node, " has no ", who.unit, " certificate of its own, which a ", cluster->version(),
          " cluster exports from this node: declare it with `certificate`, or put certificate and "
          "key into its slot"));
    }
    for (const Certificate& certificate : certificates) {
      *desired->add_certificates() = Fact(who.unit, certificate);
    }
  }
  if (resolved.reasons.empty()) {
    resolved.desired = std::move(desired);
  } else {
    resolved.verdict = v1::OUTCOME_PENDING;
  }
  return resolved;
}

absl::StatusOr<Observed> BundleExportKind::Observe(const PlanContext& context,
                                                   const google::protobuf::Message& message) const {
  const auto& desired = static_cast<const v1::BundleExportState&>(message);
  const ExchangeSpec spec = ExchangeSpecOf(Spec(context));
  Observed observed;
  auto present = std::make_unique<v1::BundleExportState>();
  std::optional<Resolved> refused;
  const std::vector<ExpectedExport> own = OwnExports(context, spec, refused);
  if (refused) return absl::FailedPreconditionError(refused->reasons.front());
  if (own.empty()) {
    observed.present = std::move(present);
    observed.summary = "nothing to export from this node";
    return observed;
  }
  std::vector<std::string> units;
  for (const ExpectedExport& who : own) units.push_back(who.unit);
  TL_ASSIGN_OR_RETURN(HubReader* const hub, context.hubs.Reader(spec.hub));
  TL_ASSIGN_OR_RETURN(const BelievedManifests believed,
                      ReadManifests(*hub, TrustOf(context, spec.exchange), units));
  for (const ExpectedExport& who : own) {
    for (const std::string& rejected : believed.rejected) {
      if (absl::StrContains(rejected,
                            absl::StrCat("/", who.cluster, ".", who.node, ".", who.unit, "."))) {
        observed.warnings.push_back(absl::StrCat("not believed: ", rejected));
      }
    }
    const auto manifest = believed.manifests.find(who);
    if (manifest == believed.manifests.end()) continue;
    const absl::StatusOr<std::vector<BundleEntry>> entries =
        ReadExport(*hub, manifest->second, PasswordOf(context, spec.bundle_password));
    if (!entries.ok()) {
      if (ConcernsTheLink(entries.status())) return entries.status();
      observed.warnings.push_back(absl::StrCat(
          "the export of ", who.unit,
          " on the hub is unusable and counts as absent: ", entries.status().message()));
      continue;
    }
    for (const BundleEntry& entry : *entries) {
      *present->add_certificates() = Fact(who.unit, entry.certificate);
    }
  }
  std::set<std::pair<std::string, std::string>> there;
  for (const v1::ExportedCertificate& fact : present->certificates()) {
    there.emplace(fact.unit(), fact.sha256());
  }
  int missing = 0;
  for (const v1::ExportedCertificate& fact : desired.certificates()) {
    missing += there.count({fact.unit(), fact.sha256()}) == 0 ? 1 : 0;
  }
  observed.summary =
      absl::StrCat(missing, " of ", desired.certificates_size(), " certificates not exported");
  observed.present = std::move(present);
  return observed;
}

absl::Status BundleExportKind::Stage(const PlanContext& context,
                                     const google::protobuf::Message& desired_message,
                                     const google::protobuf::Message& present_message,
                                     TransactionBuilder& transaction) const {
  const auto& desired = static_cast<const v1::BundleExportState&>(desired_message);
  const auto& present = static_cast<const v1::BundleExportState&>(present_message);
  const ExchangeSpec spec = ExchangeSpecOf(Spec(context));
  std::map<std::string, std::set<std::string>> wanted, there;
  for (const auto& fact : desired.certificates()) wanted[fact.unit()].insert(fact.sha256());
  for (const auto& fact : present.certificates()) there[fact.unit()].insert(fact.sha256());
  std::optional<Resolved> refused;
  const std::vector<ExpectedExport> own = OwnExports(context, spec, refused);
  if (refused) return absl::FailedPreconditionError(refused->reasons.front());
  for (const ExpectedExport& who : own) {
    const std::set<std::string>& unit_wanted = wanted[who.unit];
    if (unit_wanted == there[who.unit]) continue;
    ExportToPublish what;
    what.who = who;
    std::vector<std::string> warnings;  // already said by Resolve
    TL_ASSIGN_OR_RETURN(const std::vector<Certificate> certificates,
                        OwnCertificates(context, who.unit, warnings));
    for (const Certificate& certificate : certificates) {
      if (unit_wanted.count(certificate.sha256_hex()) == 0) continue;
      what.entries.push_back({certificate, absl::StrCat(who.unit, " of ", who.node)});
    }
    if (what.entries.size() != unit_wanted.size()) {
      return absl::AbortedError(absl::StrCat("the ", who.unit,
                                             " certificate changed while it was looked at: run "
                                             "again"));
    }
    transaction.AddEffect(
        absl::StrCat("export ", who.unit, " to ", ExchangePlace(spec)), /*undo_argument=*/"",
        [what, address = spec.hub, exchange = spec.exchange,
         password = std::string(PasswordOf(context, spec.bundle_password)),
         profile = ProfileOf(Spec(context).profile()), key = context.self.key,
         signer = context.self.certificate](const Host& host, Hubs& hubs) -> absl::Status {
          TL_ASSIGN_OR_RETURN(Hub* const hub, hubs.Writer(address));
          ExportToPublish numbered = what;
          TL_ASSIGN_OR_RETURN(const uint64_t highest,
                              HighestExportSequence(*hub, exchange, what.who));
          numbered.sequence = highest + 1;
          return PublishExport(*hub, exchange, numbered, password, profile, key, signer,
                               host.clock.Now());
        });
  }
  return absl::OkStatus();
}

}  // namespace trustline::agent
