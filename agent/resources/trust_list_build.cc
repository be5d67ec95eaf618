// The step build of `trust_list`.
#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/linux_certificate_store.h"
#include "agent/resources/node_exports.h"
#include "agent/resources/trust_list_steps.h"
#include "trust/dhcp_message.h"
#include "trust/list_exchange.h"
#include "trust/sha256.h"
#include "trust/status_macros.h"
#include "trust/trust_list/list_writer.h"

namespace trustline::agent {
namespace {

struct Built {
  ExpectedList list;
  Certificate signer;
  std::string bytes;
  v1::BuiltTrustList fact;
};

struct Builds {
  std::vector<Built> lists;
  std::map<std::string, Sequences> sequences;  // of what they are made of, by unit
  bool elsewhere = false;                      // other nodes hold the keys
};

// None (zeros) where the inventory names no IPv4 address.
std::array<uint8_t, 4> AddressOf(const v1::Topology& topology, const std::string& node) {
  std::array<uint8_t, 4> address{};
  const v1::Cluster* const cluster = ClusterOf(topology, node);
  if (cluster == nullptr) return address;
  for (const v1::ClusterNode& member : cluster->nodes()) {
    if (member.name() != node || member.addresses().empty()) continue;
    const uint32_t number = ParseIpv4(member.addresses(0)).value_or(0);
    for (size_t i = 0; i < address.size(); ++i) {
      address[i] = static_cast<uint8_t>(number >> (8 * (address.size() - 1 - i)));
    }
  }
  return address;
}

v1::BuiltTrustList FactOf(const ExpectedList& list, const Certificate& signer,
                          const TrustList& parsed) {
  v1::BuiltTrustList fact;
  fact.set_node(list.node.empty() ? list.cluster : list.node);
  fact.set_list(std::string(ListTypeName(list.type)));
  fact.set_content(Sha256Hex(parsed.TimelessBytes()));
  fact.set_signer(
      absl::StrCat(list.signer.unit, " of ", list.signer.node, ", serial ", signer.serial_hex()));
  fact.set_records(static_cast<uint32_t>(parsed.records.size()));
  return fact;
}

// The one own certificate of the unit that signs; nothing when `verdict` says why not.
absl::StatusOr<std::optional<StoredEntry>> OwnSigner(const PlanContext& context,
                                                     const std::string& unit, Resolved& verdict) {
  TL_ASSIGN_OR_RETURN(std::vector<StoredEntry> entries,
                      OwnCertificates(context, unit, verdict.warnings));
  if (entries.size() == 1) return std::optional(std::move(entries.front()));
  if (entries.empty()) {
    AddPending(verdict, absl::StrCat(context.self.node, " has no ", unit,
                                     " certificate with its key, which signs its cluster's lists"));
  } else {
    AddRefusal(verdict,
               absl::StrCat(context.self.node, " holds ", entries.size(), " own certificates of ",
                            unit, "; which one signs is not guessed: leave one in its slot"));
  }
  return std::optional<StoredEntry>();
}

// One list, signed; nothing when phones could not take it.
absl::StatusOr<std::optional<Built>> Write(const PlanContext& context, const ExpectedList& list,
                                           const StoredEntry& signer,
                                           const PublishedCertificates& published,
                                           Resolved& verdict) {
  const v1::TrustListSpec& spec = TrustListSpecOf(context);
  TrustListDraft draft;
  draft.file_name = list.type == ListType::kCtl ? kCtlFileName : kItlFileName;
  if (spec.signer_version()) draft.signer_version = ListVersion{1, 1};
  draft.digest = DigestOf(spec.digest());
  draft.timestamp = context.host.clock.Now();
  draft.without_signers = ContentOf(spec) == ListContent::kEmpty;
  bool tvs = list.type == ListType::kCtl || draft.without_signers;
  for (const ExpectedRecord& record : list.records) {
    TL_ASSIGN_OR_RETURN(
        TrustListRecord made,
        MakeRecord(published.by_source.at(record.source), record.role, record.source.node,
                   AddressOf(context.document.topology(), record.source.node)));
    draft.records.push_back(std::move(made));
    tvs = tvs || record.role == ListRole::kTvs;
  }
  if (!tvs) {
    verdict.warnings.push_back(
        absl::StrCat(ListName(list),
                     " names no TVS, because no node of the cluster has the role tvs: phones "
                     "that take it can ask nobody about a new signer"));
  }
  TL_ASSIGN_OR_RETURN(const LinuxCertificateStore store,
                      LinuxCertificateStore::Open(context.host.files, context.host.layout));
  TL_ASSIGN_OR_RETURN(const PrivateKey key, store.KeyOf(signer));
  absl::StatusOr<std::string> bytes = WriteTrustList(draft, signer.certificate, key);
  if (absl::IsInvalidArgument(bytes.status()) || absl::IsFailedPrecondition(bytes.status())) {
    AddRefusal(verdict, absl::StrCat(ListName(list), ": ", bytes.status().message()));
    return std::optional<Built>();
  }
  TL_RETURN_IF_ERROR(bytes.status());
  TL_ASSIGN_OR_RETURN(const TrustList parsed, ParseTrustList(*bytes));
  return std::optional<Built>(
      {list, signer.certificate, *std::move(bytes), FactOf(list, signer.certificate, parsed)});
}

// Every list whose key this node holds, or a verdict.
absl::StatusOr<Builds> BuildAll(const PlanContext& context, Resolved& verdict) {
  Builds builds;
  std::optional<Resolved> refused;
  std::vector<ExpectedList> lists = ListsOrRefused(context, refused);
  if (refused) {
    verdict = *std::move(refused);
    return builds;
  }
  lists.erase(std::remove_if(
                  lists.begin(), lists.end(),
                  [&](const ExpectedList& list) { return list.signer.node != context.self.node; }),
              lists.end());
  if (lists.empty()) {
    builds.elsewhere = true;
    return builds;
  }
  if (std::string warning = DigestWarning(TrustListSpecOf(context).digest()); !warning.empty()) {
    verdict.warnings.push_back(std::move(warning));
  }
  std::set<ExpectedExport> sources;
  std::map<std::string, StoredEntry> signers;  // by unit
  for (const ExpectedList& list : lists) {
    sources.insert(list.signer);
    for (const ExpectedRecord& record : list.records) sources.insert(record.source);
    if (signers.count(list.signer.unit) > 0) continue;
    TL_ASSIGN_OR_RETURN(std::optional<StoredEntry> signer,
                        OwnSigner(context, list.signer.unit, verdict));
    if (signer) signers.emplace(list.signer.unit, *std::move(signer));
  }
  TL_ASSIGN_OR_RETURN(HubReader* const hub, context.hubs.Reader(ExchangeOf(context).hub));
  TL_ASSIGN_OR_RETURN(const PublishedCertificates published,
                      ReadPublished(context, sources, *hub, verdict));
  for (const auto& [who, certificate] : published.by_source) {
    const auto own = signers.find(who.unit);
    if (who.node == context.self.node && own != signers.end() &&
        !(own->second.certificate == certificate)) {
      AddPending(verdict,
                 absl::StrCat("the hub holds another ", who.unit, " of ", who.node, " (serial ",
                              certificate.serial_hex(), ") than this node signs with (serial ",
                              own->second.certificate.serial_hex(),
                              "): run trust_list with step publish on ", who.node));
    }
    const std::string expiry = ExpiryWarning(absl::StrCat(who.unit, " of ", who.node), certificate,
                                             context.host.clock.Now());
    if (!expiry.empty() && who.node != context.self.node) verdict.warnings.push_back(expiry);
  }
  if (verdict.verdict != v1::OUTCOME_UNSPECIFIED) return builds;
  for (const ExpectedList& list : lists) {
    TL_ASSIGN_OR_RETURN(std::optional<Built> built,
                        Write(context, list, signers.at(list.signer.unit), published, verdict));
    if (built) builds.lists.push_back(*std::move(built));
  }
  builds.sequences = published.sequences;
  return builds;
}

// Lists of this node's making that were on the hub before, so that a new one goes above them even
// where the hub was emptied.
absl::StatusOr<uint64_t> OwnSequence(const PlanContext& context, const ExpectedList& list) {
  TL_ASSIGN_OR_RETURN(const Sequences known,
                      ReadBelievedSequences(context.host.files, context.host.layout, kTrustListKind,
                                            ExchangeOf(context).exchange, ListUnit(list)));
  const auto found = known.find(ListOwner(list));
  return found == known.end() ? 0 : found->second;
}

// The fact about what is on the hub now; nothing where there is nothing usable.
absl::StatusOr<std::optional<v1::BuiltTrustList>> Present(const PlanContext& context,
                                                          const ExpectedList& list,
                                                          const Certificate& signer, HubReader& hub,
                                                          std::vector<std::string>& warnings) {
  const std::optional<v1::BuiltTrustList> nothing;
  const auto absent = [&](absl::string_view why) {
    warnings.push_back(
        absl::StrCat(ListName(list), " on the hub is unusable and counts as absent: ", why));
    return nothing;
  };
  TL_ASSIGN_OR_RETURN(const BelievedListManifest believed,
                      ReadListManifest(hub, TrustOf(context, ExchangeOf(context).exchange), list));
  for (const std::string& rejected : believed.rejected) {
    warnings.push_back(absl::StrCat("not believed: ", rejected));
  }
  if (!believed.manifest) return nothing;
  TL_ASSIGN_OR_RETURN(const uint64_t own, OwnSequence(context, list));
  if (believed.manifest->sequence() < own) {
    return absent(absl::StrCat("its manifest is #", believed.manifest->sequence(),
                               ", but this node published #", own,
                               ": somebody put an old state back"));
  }
  const absl::StatusOr<std::string> bytes = ReadListObject(hub, *believed.manifest);
  if (!bytes.ok()) {
    if (ConcernsTheLink(bytes.status())) return bytes.status();
    return absent(bytes.status().message());
  }
  const absl::StatusOr<TrustList> parsed = ParseTrustList(*bytes);
  if (!parsed.ok()) return absent(parsed.status().message());
  return std::optional(FactOf(list, signer, *parsed));
}

}  // namespace

absl::StatusOr<Resolved> ResolveBuild(const PlanContext& context) {
  Resolved resolved;
  TL_ASSIGN_OR_RETURN(const Builds builds, BuildAll(context, resolved));
  if (resolved.verdict != v1::OUTCOME_UNSPECIFIED) return resolved;
  auto desired = std::make_unique<v1::TrustListState>();
  for (const Built& built : builds.lists) *desired->add_built() = built.fact;
  for (const auto& [unit, sequences] : builds.sequences) {
    *desired->add_believed() = BelievedFact(ExchangeOf(context).exchange, unit, sequences);
  }
  resolved.desired = std::move(desired);
  return resolved;
}

absl::StatusOr<Observed> ObserveBuild(const PlanContext& context,
                                      const v1::TrustListState& desired) {
  Observed observed;
  auto present = std::make_unique<v1::TrustListState>();
  Resolved verdict;
  TL_ASSIGN_OR_RETURN(const Builds builds, BuildAll(context, verdict));
  if (verdict.verdict != v1::OUTCOME_UNSPECIFIED) {
    return absl::AbortedError(absl::StrCat(
        "what the lists are made of changed meanwhile: ", verdict.reasons.front(), ": run again"));
  }
  if (builds.elsewhere) {
    observed.present = std::move(present);
    observed.summary = "other nodes sign this cluster's lists";
    return observed;
  }
  TL_ASSIGN_OR_RETURN(HubReader* const hub, context.hubs.Reader(ExchangeOf(context).hub));
  int missing = 0;
  for (const Built& built : builds.lists) {
    TL_ASSIGN_OR_RETURN(const std::optional<v1::BuiltTrustList> fact,
                        Present(context, built.list, built.signer, *hub, observed.warnings));
    if (fact) *present->add_built() = *fact;
    missing += fact && fact->content() == built.fact.content() ? 0 : 1;
  }
  for (const v1::BelievedSequences& fact : desired.believed()) {
    TL_ASSIGN_OR_RETURN(const auto known, PresentBelieved(context.host, kTrustListKind, fact));
    if (known) *present->add_believed() = *known;
  }
  observed.summary = absl::StrCat(missing, " of ", desired.built_size(), " lists to be built");
  observed.present = std::move(present);
  return observed;
}

absl::Status StageBuild(const PlanContext& context, const v1::TrustListState& desired,
                        const v1::TrustListState& present, TransactionBuilder& transaction) {
  const ExchangeSpec spec = ExchangeOf(context);
  Resolved verdict;
  TL_ASSIGN_OR_RETURN(const Builds builds, BuildAll(context, verdict));
  const auto content = [](const v1::TrustListState& state, const v1::BuiltTrustList& wanted) {
    for (const v1::BuiltTrustList& fact : state.built()) {
      if (fact.node() == wanted.node() && fact.list() == wanted.list()) return fact.content();
    }
    return std::string();
  };
  if (verdict.verdict != v1::OUTCOME_UNSPECIFIED ||
      builds.lists.size() != static_cast<size_t>(desired.built_size())) {
    return absl::AbortedError("what the lists are made of changed meanwhile: run again");
  }
  TL_ASSIGN_OR_RETURN(HubReader* const hub, context.hubs.Reader(spec.hub));
  for (const auto& [unit, sequences] : builds.sequences) {
    TL_RETURN_IF_ERROR(RaiseBelievedSequences(context.host.layout, kTrustListKind, spec.exchange,
                                              unit, sequences, transaction));
  }
  for (const Built& built : builds.lists) {
    if (content(desired, built.fact) != built.fact.content()) {
      return absl::AbortedError("what the lists are made of changed meanwhile: run again");
    }
    if (content(present, built.fact) == built.fact.content()) continue;
    TL_ASSIGN_OR_RETURN(const uint64_t own, OwnSequence(context, built.list));
    TL_ASSIGN_OR_RETURN(const uint64_t on_hub,
                        HighestListSequence(*hub, spec.exchange, built.list));
    const uint64_t sequence = std::max(own, on_hub) + 1;
    TL_RETURN_IF_ERROR(RaiseBelievedSequences(context.host.layout, kTrustListKind, spec.exchange,
                                              ListUnit(built.list),
                                              {{ListOwner(built.list), sequence}}, transaction));
    transaction.AddEffect(
        absl::StrCat("publish ", ListName(built.list), " to ", ExchangePlace(spec)),
        /*undo_argument=*/"",
        [built, sequence, address = spec.hub, exchange = spec.exchange, key = context.self.key,
         signer = context.self.certificate](const Host& host, Hubs& hubs) -> absl::Status {
          TL_ASSIGN_OR_RETURN(Hub* const writer, hubs.Writer(address));
          return PublishList(*writer, exchange, built.list, built.bytes, sequence, key, signer,
                             host.clock.Now());
        });
  }
  return absl::OkStatus();
}

}  // namespace trustline::agent
