#include "agent/resources/bundle_export.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/resources/bundle_exchange.h"
#include "agent/resources/node_exports.h"
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
std::vector<ExpectedExport> OwnExportsOf(const PlanContext& context, const ExchangeSpec& spec,
                                         std::optional<Resolved>& refused) {
  std::vector<ExpectedExport> own;
  for (const ExpectedExport& who : ExpectedOrRefused(context, spec, refused)) {
    if (who.node == context.self.node) own.push_back(who);
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
  const std::vector<ExpectedExport> own = OwnExportsOf(context, spec, refused);
  if (refused) return *std::move(refused);

  Resolved resolved;
  auto desired = std::make_unique<v1::BundleExportState>();
  for (const ExpectedExport& who : own) {
    TL_ASSIGN_OR_RETURN(const std::vector<StoredEntry> entries,
                        OwnCertificates(context, who.unit, resolved.warnings));
    if (entries.size() > 1) {
      resolved.warnings.push_back(absl::StrCat(who.unit, ": this node holds ", entries.size(),
                                               " own certificates of it; all are exported"));
    }
    if (entries.empty()) {
      resolved.reasons.push_back(absl::StrCat(
          who.node, " has no ", who.unit, " certificate of its own, which a ", cluster->version(),
          " cluster exports from this node: declare it with `certificate`, or put certificate and "
          "key into its slot"));
    }
    for (const StoredEntry& entry : entries) {
      *desired->add_certificates() = Fact(who.unit, entry.certificate);
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
  const std::vector<ExpectedExport> own = OwnExportsOf(context, spec, refused);
  if (refused) return absl::FailedPreconditionError(refused->reasons.front());
  if (own.empty()) {
    observed.present = std::move(present);
    observed.summary = "nothing to export from this node";
    return observed;
  }
  TL_ASSIGN_OR_RETURN(OwnExports exports, ReadOwnExports(context, spec, own));
  observed.warnings = std::move(exports.warnings);
  for (const auto& [unit, certificates] : exports.by_unit) {
    for (const Certificate& certificate : certificates) {
      *present->add_certificates() = Fact(unit, certificate);
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
  UnitFingerprints wanted, there;
  for (const auto& fact : desired.certificates()) wanted[fact.unit()].insert(fact.sha256());
  for (const auto& fact : present.certificates()) there[fact.unit()].insert(fact.sha256());
  std::optional<Resolved> refused;
  const std::vector<ExpectedExport> own = OwnExportsOf(context, spec, refused);
  if (refused) return absl::FailedPreconditionError(refused->reasons.front());
  return StageOwnExports(context, spec, own, wanted, there, ProfileOf(Spec(context).profile()),
                         transaction);
}

}  // namespace trustline::agent
