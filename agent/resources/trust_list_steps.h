// The three steps of `trust_list` (agent/resources/trust_list.h), one file each, and what they
// share. Resolve, Observe and Stage of each are the kind's, for resources of that step.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/resource_kind.h"
#include "agent/resources/believed_sequences.h"
#include "agent/resources/bundle_exchange.h"
#include "protos/trustline/v1/kinds/trust_list.pb.h"
#include "trust/list_rules.h"
#include "trust/rsa_signature.h"

namespace trustline::agent {

inline constexpr absl::string_view kTrustListKind = "trust_list";

absl::StatusOr<Resolved> ResolvePublish(const PlanContext& context);
absl::StatusOr<Observed> ObservePublish(const PlanContext& context,
                                        const v1::TrustListState& desired);
absl::Status StagePublish(const PlanContext& context, const v1::TrustListState& desired,
                          const v1::TrustListState& present, TransactionBuilder& transaction);

absl::StatusOr<Resolved> ResolveBuild(const PlanContext& context);
absl::StatusOr<Observed> ObserveBuild(const PlanContext& context,
                                      const v1::TrustListState& desired);
absl::Status StageBuild(const PlanContext& context, const v1::TrustListState& desired,
                        const v1::TrustListState& present, TransactionBuilder& transaction);

absl::StatusOr<Resolved> ResolveInstall(const PlanContext& context);
absl::StatusOr<Observed> ObserveInstall(const PlanContext& context,
                                        const v1::TrustListState& desired);
absl::Status StageInstall(const PlanContext& context, const v1::TrustListState& desired,
                          const v1::TrustListState& present, TransactionBuilder& transaction);

// The Spec in the terms of trust/.
const v1::TrustListSpec& TrustListSpecOf(const PlanContext& context);
ExchangeSpec ExchangeOf(const PlanContext& context);
ListType TypeOf(const v1::TrustListSpec& spec);
ListContent ContentOf(const v1::TrustListSpec& spec);
SignatureDigest DigestOf(v1::ListDigest digest);
// Not empty for SHA-512.
std::string DigestWarning(v1::ListDigest digest);

// The lists of this node's cluster; where the topology allows none, `refused` says why.
std::vector<ExpectedList> ListsOrRefused(const PlanContext& context,
                                         std::optional<Resolved>& refused);
// "the itl of dst-sub1", "the ctl of cluster dst".
std::string ListName(const ExpectedList& list);
// "ITL", "CTL": the unit under which manifests of lists are remembered, and of whom.
std::string ListUnit(const ExpectedList& list);
std::pair<std::string, std::string> ListOwner(const ExpectedList& list);

// Takes the first reason's outcome back to the plan: a refusal outweighs what is pending.
void AddRefusal(Resolved& verdict, std::string reason);
void AddPending(Resolved& verdict, std::string reason);

// One certificate each of those wanted, as the nodes published them. Fills `verdict` with what is
// missing, ambiguous, unusable or went backwards.
struct PublishedCertificates {
  std::map<ExpectedExport, Certificate> by_source;
  std::map<std::string, Sequences> sequences;  // by unit
};
absl::StatusOr<PublishedCertificates> ReadPublished(const PlanContext& context,
                                                    const std::set<ExpectedExport>& wanted,
                                                    HubReader& hub, Resolved& verdict);

}  // namespace trustline::agent
