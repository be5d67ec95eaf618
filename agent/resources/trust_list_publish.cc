// The step publish of `trust_list`.
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/resources/node_exports.h"
#include "agent/resources/trust_list_steps.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

v1::PublishedCertificate Fact(const std::string& unit, const Certificate& certificate) {
  v1::PublishedCertificate fact;
  fact.set_unit(unit);
  fact.set_sha256(certificate.sha256_hex());
  fact.set_subject(certificate.subject());
  fact.set_serial(certificate.serial_hex());
  fact.set_not_after_unix(absl::ToUnixSeconds(certificate.not_after()));
  return fact;
}

// What lists of the cluster name of this node.
absl::StatusOr<std::vector<ExpectedExport>> OwnSources(const PlanContext& context) {
  const v1::Topology& topology = context.document.topology();
  TL_ASSIGN_OR_RETURN(const std::vector<std::string> units,
                      UnitsInLists(topology, context.self.node));
  std::vector<ExpectedExport> own;
  for (const std::string& unit : units) {
    own.push_back({ClusterOf(topology, context.self.node)->name(), context.self.node, unit});
  }
  return own;
}

}  // namespace

absl::StatusOr<Resolved> ResolvePublish(const PlanContext& context) {
  const absl::StatusOr<std::vector<ExpectedExport>> own = OwnSources(context);
  if (!own.ok()) return Refused(std::string(own.status().message()));
  Resolved resolved;
  auto desired = std::make_unique<v1::TrustListState>();
  for (const ExpectedExport& who : *own) {
    TL_ASSIGN_OR_RETURN(const std::vector<StoredEntry> entries,
                        OwnCertificates(context, who.unit, resolved.warnings));
    if (entries.empty()) {
      AddPending(resolved, absl::StrCat(who.node, " has no ", who.unit,
                                        " certificate of its own, which its cluster's trust lists "
                                        "name: declare it with `certificate`, or put certificate "
                                        "and key into its slot"));
    } else if (entries.size() > 1) {
      AddRefusal(resolved, absl::StrCat(who.node, " holds ", entries.size(),
                                        " own certificates of ", who.unit,
                                        "; a trust list names one of each node: leave "
                                        "one in its slot"));
    } else {
      *desired->add_published() = Fact(who.unit, entries.front().certificate);
    }
  }
  if (resolved.verdict == v1::OUTCOME_UNSPECIFIED) resolved.desired = std::move(desired);
  return resolved;
}

absl::StatusOr<Observed> ObservePublish(const PlanContext& context,
                                        const v1::TrustListState& desired) {
  TL_ASSIGN_OR_RETURN(const std::vector<ExpectedExport> own, OwnSources(context));
  Observed observed;
  auto present = std::make_unique<v1::TrustListState>();
  if (own.empty()) {
    observed.present = std::move(present);
    observed.summary = "no list names this node";
    return observed;
  }
  TL_ASSIGN_OR_RETURN(OwnExports exports, ReadOwnExports(context, ExchangeOf(context), own));
  observed.warnings = std::move(exports.warnings);
  std::set<std::pair<std::string, std::string>> there;
  for (const auto& [unit, certificates] : exports.by_unit) {
    for (const Certificate& certificate : certificates) {
      *present->add_published() = Fact(unit, certificate);
      there.emplace(unit, certificate.sha256_hex());
    }
  }
  int missing = 0;
  for (const v1::PublishedCertificate& fact : desired.published()) {
    missing += there.count({fact.unit(), fact.sha256()}) == 0 ? 1 : 0;
  }
  observed.summary =
      absl::StrCat(missing, " of ", desired.published_size(), " certificates not published");
  observed.present = std::move(present);
  return observed;
}

absl::Status StagePublish(const PlanContext& context, const v1::TrustListState& desired,
                          const v1::TrustListState& present, TransactionBuilder& transaction) {
  TL_ASSIGN_OR_RETURN(const std::vector<ExpectedExport> own, OwnSources(context));
  UnitFingerprints wanted, there;
  for (const auto& fact : desired.published()) wanted[fact.unit()].insert(fact.sha256());
  for (const auto& fact : present.published()) there[fact.unit()].insert(fact.sha256());
  return StageOwnExports(context, ExchangeOf(context), own, wanted, there, BundleProfile::kModern,
                         transaction);
}

}  // namespace trustline::agent
