#include "agent/resources/trust_list.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/resources/trust_list_steps.h"
#include "trust/status_macros.h"

namespace trustline::agent {

const v1::TrustListSpec& TrustListSpecOf(const PlanContext& context) {
  return context.resource.trust_list();
}

ExchangeSpec ExchangeOf(const PlanContext& context) {
  const v1::TrustListSpec& spec = TrustListSpecOf(context);
  return {spec.hub(), spec.exchange(), {}, spec.bundle_password()};
}

ListType TypeOf(const v1::TrustListSpec& spec) {
  return spec.list() == v1::TRUST_LIST_TYPE_CTL ? ListType::kCtl : ListType::kItl;
}

ListContent ContentOf(const v1::TrustListSpec& spec) {
  return spec.content() == v1::LIST_CONTENT_EMPTY ? ListContent::kEmpty : ListContent::kFull;
}

SignatureDigest DigestOf(v1::ListDigest digest) {
  return digest == v1::LIST_DIGEST_SHA512 ? SignatureDigest::kSha512 : SignatureDigest::kSha1;
}

std::string DigestWarning(v1::ListDigest digest) {
  if (digest != v1::LIST_DIGEST_SHA512) return "";
  return "digest sha512: phones that only know SHA-1 will accept nothing signed so, and keep what "
         "they have";
}

std::vector<ExpectedList> ListsOrRefused(const PlanContext& context,
                                         std::optional<Resolved>& refused) {
  const v1::Topology& topology = context.document.topology();
  const v1::TrustListSpec& spec = TrustListSpecOf(context);
  const v1::Cluster* const cluster = ClusterOf(topology, context.self.node);
  if (cluster == nullptr) {
    refused = Refused(absl::StrCat(context.self.node,
                                   " is a node of no cluster of the inventory, so it has no trust "
                                   "lists; give its group a cluster"));
    return {};
  }
  absl::StatusOr<std::vector<ExpectedList>> lists =
      ExpectedLists(topology, cluster->name(), TypeOf(spec), ContentOf(spec));
  if (lists.ok()) return *std::move(lists);
  refused = Refused(std::string(lists.status().message()));
  return {};
}

std::string ListName(const ExpectedList& list) {
  return absl::StrCat("the ", ListTypeName(list.type), " of ",
                      list.node.empty() ? absl::StrCat("cluster ", list.cluster) : list.node);
}

std::string ListUnit(const ExpectedList& list) {
  return list.type == ListType::kCtl ? "CTL" : "ITL";
}

std::pair<std::string, std::string> ListOwner(const ExpectedList& list) {
  return {list.cluster, list.node.empty() ? list.signer.node : list.node};
}

void AddRefusal(Resolved& verdict, std::string reason) {
  verdict.verdict = v1::OUTCOME_REFUSED;
  verdict.reasons.push_back(std::move(reason));
}

void AddPending(Resolved& verdict, std::string reason) {
  if (verdict.verdict == v1::OUTCOME_UNSPECIFIED) verdict.verdict = v1::OUTCOME_PENDING;
  verdict.reasons.push_back(std::move(reason));
}

absl::StatusOr<PublishedCertificates> ReadPublished(const PlanContext& context,
                                                    const std::set<ExpectedExport>& wanted,
                                                    HubReader& hub, Resolved& verdict) {
  const ExchangeSpec spec = ExchangeOf(context);
  std::set<std::string> units;
  for (const ExpectedExport& who : wanted) units.insert(who.unit);
  TL_ASSIGN_OR_RETURN(
      const BelievedManifests believed,
      ReadManifests(hub, TrustOf(context, spec.exchange), {units.begin(), units.end()}));
  PublishedCertificates published;
  std::map<std::string, Sequences> before;
  for (const std::string& unit : units) {
    TL_ASSIGN_OR_RETURN(before[unit], ReadBelievedSequences(context.host.files, context.host.layout,
                                                            kTrustListKind, spec.exchange, unit));
  }
  for (const ExpectedExport& who : wanted) {
    const std::string name = absl::StrCat(who.unit, " of ", who.node);
    for (const std::string& rejected : believed.rejected) {
      if (absl::StrContains(rejected,
                            absl::StrCat("/", who.cluster, ".", who.node, ".", who.unit, "."))) {
        verdict.warnings.push_back(absl::StrCat("not believed: ", rejected));
      }
    }
    const auto manifest = believed.manifests.find(who);
    if (manifest == believed.manifests.end()) {
      AddPending(verdict,
                 absl::StrCat("no ", name, " (cluster ", who.cluster, ") in ", ExchangePlace(spec),
                              ": run trust_list with step publish on ", who.node));
      continue;
    }
    const uint64_t sequence = manifest->second.sequence();
    const auto known = before[who.unit].find({who.cluster, who.node});
    if (known != before[who.unit].end() && sequence < known->second) {
      AddRefusal(verdict,
                 absl::StrCat("the newest manifest of ", name, " on the hub is #", sequence,
                              ", but this node has believed #", known->second,
                              " before: somebody put an old state back; run trust_list with step "
                              "publish on ",
                              who.node, " again"));
      continue;
    }
    const absl::StatusOr<std::vector<BundleEntry>> entries =
        ReadExport(hub, manifest->second, PasswordOf(context, spec.bundle_password));
    if (!entries.ok()) {
      if (ConcernsTheLink(entries.status())) return entries.status();
      AddRefusal(verdict, absl::StrCat(name, " cannot be used: ", entries.status().message()));
      continue;
    }
    if (entries->size() != 1) {
      AddRefusal(verdict, absl::StrCat(who.node, " published ", entries->size(),
                                       " certificates of ", who.unit,
                                       "; a list names one: leave one in its slot and publish "
                                       "again"));
      continue;
    }
    published.by_source.emplace(who, entries->front().certificate);
    published.sequences[who.unit][{who.cluster, who.node}] = sequence;
  }
  return published;
}

std::vector<std::string> TrustListKind::Claims(const v1::Resource& resource) const {
  const v1::TrustListSpec& spec = resource.trust_list();
  const absl::string_view list = ListTypeName(TypeOf(spec));
  switch (spec.step()) {
    case v1::TRUST_LIST_STEP_BUILD:
      return {absl::StrCat("trust_list ", list, " built for exchange ", spec.exchange())};
    case v1::TRUST_LIST_STEP_INSTALL:
      return {absl::StrCat("trust_list ", list, " in ", spec.tftp_root())};
    default:  // two playbooks that publish want the same thing
      return {};
  }
}

absl::StatusOr<Resolved> TrustListKind::Resolve(const PlanContext& context) const {
  switch (TrustListSpecOf(context).step()) {
    case v1::TRUST_LIST_STEP_PUBLISH:
      return ResolvePublish(context);
    case v1::TRUST_LIST_STEP_BUILD:
      return ResolveBuild(context);
    case v1::TRUST_LIST_STEP_INSTALL:
      return ResolveInstall(context);
    default:
      return absl::InvalidArgumentError("the step is none this agent knows");
  }
}

absl::StatusOr<Observed> TrustListKind::Observe(const PlanContext& context,
                                                const google::protobuf::Message& message) const {
  const auto& desired = static_cast<const v1::TrustListState&>(message);
  switch (TrustListSpecOf(context).step()) {
    case v1::TRUST_LIST_STEP_PUBLISH:
      return ObservePublish(context, desired);
    case v1::TRUST_LIST_STEP_BUILD:
      return ObserveBuild(context, desired);
    default:
      return ObserveInstall(context, desired);
  }
}

absl::Status TrustListKind::Stage(const PlanContext& context,
                                  const google::protobuf::Message& desired_message,
                                  const google::protobuf::Message& present_message,
                                  TransactionBuilder& transaction) const {
  const auto& desired = static_cast<const v1::TrustListState&>(desired_message);
  const auto& present = static_cast<const v1::TrustListState&>(present_message);
  switch (TrustListSpecOf(context).step()) {
    case v1::TRUST_LIST_STEP_PUBLISH:
      return StagePublish(context, desired, present, transaction);
    case v1::TRUST_LIST_STEP_BUILD:
      return StageBuild(context, desired, present, transaction);
    default:
      return StageInstall(context, desired, present, transaction);
  }
}

std::string TrustListKind::Describe(const v1::Change& change,
                                    const google::protobuf::Message& desired_message,
                                    const google::protobuf::Message& present) const {
  const auto& desired = static_cast<const v1::TrustListState&>(desired_message);
  if (std::string record = DescribeBelieved(change, desired.believed()); !record.empty()) {
    return record;
  }
  return ResourceKind::Describe(change, desired_message, present);
}

}  // namespace trustline::agent
