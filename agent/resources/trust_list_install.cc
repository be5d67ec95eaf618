// The step install of `trust_list`.
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "agent/resources/node_exports.h"
#include "agent/resources/trust_list_steps.h"
#include "trust/list_exchange.h"
#include "trust/sha256.h"
#include "trust/status_macros.h"
#include "trust/trust_list/list_verify.h"
#include "trust/trust_list/list_writer.h"

namespace trustline::agent {
namespace {

constexpr uint32_t kServedMode = 0644;  // TFTP servers give up what everybody may read

// What this node must serve.
struct Wanted {
  bool nothing = false;  // it serves no files
  std::string bytes;
  std::string signer;  // "ITLRecovery of dst-pub, serial 4F22..."
  std::vector<std::string> paths;
  std::map<std::string, Sequences> sequences;  // by unit
};

std::vector<std::string> PathsOf(const v1::TrustListSpec& spec) {
  std::string root = spec.tftp_root();
  while (root.size() > 1 && root.back() == '/') root.pop_back();
  if (root == "/") root.clear();
  const bool ctl = TypeOf(spec) == ListType::kCtl;
  std::set<std::string> paths = {absl::StrCat(root, "/", ctl ? kCtlFileName : kItlFileName)};
  for (const std::string& device : spec.devices()) {
    paths.insert(absl::StrCat(root, "/", ctl ? "CTL" : "ITL", device, ".tlv"));
  }
  return {paths.begin(), paths.end()};
}

bool NamesNobody(const TrustList& list) {
  return std::all_of(list.records.begin(), list.records.end(), [](const TrustListRecord& record) {
    return record.IsEmpty() || record.Is(ListRole::kCapf);
  });
}

// Whether phones of this node can take the list, and it is the one that was asked for. Empty: yes.
std::string Objection(const v1::TrustListSpec& spec, const ExpectedList& expected,
                      const TrustList& list, const Certificate& signer) {
  const absl::string_view name = expected.type == ListType::kCtl ? kCtlFileName : kItlFileName;
  if (list.header.file_name != name) {
    return absl::StrCat("its header does not call it ", name);
  }
  const bool empty = ContentOf(spec) == ListContent::kEmpty;
  for (const ListProblem& problem : VerifyTrustList(list).problems) {
    if (empty && problem.kind == ListProblemKind::kUnknownSigner) continue;
    return problem.text;
  }
  const absl::Status signature = VerifyListSignature(list, signer);
  if (!signature.ok()) {
    return absl::StrCat("it is not signed by ", expected.signer.unit, " of ", expected.signer.node,
                        " (serial ", signer.serial_hex(),
                        "), as that node published it: ", signature.message());
  }
  return "";
}

// A record by which phones of this node check what they download.
bool NamesFilesSigner(const TrustList& list, const std::vector<StoredEntry>& own) {
  return std::any_of(list.records.begin(), list.records.end(), [&](const TrustListRecord& record) {
    return (record.Is(ListRole::kTftp) || record.Is(ListRole::kCcmTftp)) &&
           std::any_of(own.begin(), own.end(), [&](const StoredEntry& entry) {
             return record.certificate == entry.certificate.der();
           });
  });
}

std::optional<ExpectedList> OwnList(const PlanContext& context,
                                    const std::vector<ExpectedList>& lists) {
  const v1::Cluster* const cluster = ClusterOf(context.document.topology(), context.self.node);
  const std::vector<std::string> tftp = NodesWith(*cluster, v1::NODE_ROLE_TFTP);
  if (std::find(tftp.begin(), tftp.end(), context.self.node) == tftp.end()) return std::nullopt;
  for (const ExpectedList& list : lists) {
    if (list.node.empty() || list.node == context.self.node) return list;
  }
  return std::nullopt;
}

// The node's list from the hub, checked; or a verdict.
absl::StatusOr<Wanted> FindWanted(const PlanContext& context, Resolved& verdict) {
  const v1::TrustListSpec& spec = TrustListSpecOf(context);
  const ExchangeSpec exchange = ExchangeOf(context);
  Wanted wanted;
  if (spec.tftp_root().empty()) {
    AddRefusal(verdict, "step install needs tftp_root, the directory the TFTP server serves");
    return wanted;
  }
  std::optional<Resolved> refused;
  const std::vector<ExpectedList> lists = ListsOrRefused(context, refused);
  if (refused) {
    verdict = *std::move(refused);
    return wanted;
  }
  const std::optional<ExpectedList> list = OwnList(context, lists);
  if (!list) {
    wanted.nothing = true;
    return wanted;
  }
  const std::string name = ListName(*list);
  TL_ASSIGN_OR_RETURN(HubReader* const hub, context.hubs.Reader(exchange.hub));
  TL_ASSIGN_OR_RETURN(const BelievedListManifest believed,
                      ReadListManifest(*hub, TrustOf(context, exchange.exchange), *list));
  for (const std::string& rejected : believed.rejected) {
    verdict.warnings.push_back(absl::StrCat("not believed: ", rejected));
  }
  TL_ASSIGN_OR_RETURN(const PublishedCertificates published,
                      ReadPublished(context, {list->signer}, *hub, verdict));
  if (!believed.manifest) {
    AddPending(verdict, absl::StrCat("no list for ", name, " by ", list->signer.node, " in ",
                                     ExchangePlace(exchange),
                                     ": run trust_list with step build on ", list->signer.node));
    return wanted;
  }
  const uint64_t sequence = believed.manifest->sequence();
  TL_ASSIGN_OR_RETURN(const Sequences before,
                      ReadBelievedSequences(context.host.files, context.host.layout, kTrustListKind,
                                            exchange.exchange, ListUnit(*list)));
  const auto known = before.find(ListOwner(*list));
  if (known != before.end() && sequence < known->second) {
    AddRefusal(verdict,
               absl::StrCat("the newest manifest of ", name, " on the hub is #", sequence,
                            ", but this node has believed #", known->second,
                            " before: somebody put an old state back; run trust_list with step "
                            "build on ",
                            list->signer.node, " again"));
  }
  if (verdict.verdict != v1::OUTCOME_UNSPECIFIED) return wanted;

  const auto refuse = [&](absl::string_view why) {
    AddRefusal(verdict,
               absl::StrCat(name, " on the hub is refused: ", why, "; nothing was installed"));
    return wanted;
  };
  absl::StatusOr<std::string> bytes = ReadListObject(*hub, *believed.manifest);
  if (!bytes.ok()) {
    if (ConcernsTheLink(bytes.status())) return bytes.status();
    return refuse(bytes.status().message());
  }
  const absl::StatusOr<TrustList> parsed = ParseTrustList(*bytes);
  if (!parsed.ok()) return refuse(parsed.status().message());
  const bool empty = ContentOf(spec) == ListContent::kEmpty;
  if (NamesNobody(*parsed) != empty) {
    AddPending(
        verdict,
        absl::StrCat(name, " on the hub is ",
                     empty ? "a full one, this installs empty" : "an empty one, this installs full",
                     " lists: run trust_list with step build and the same content on ",
                     list->signer.node));
    return wanted;
  }
  const Certificate& signer = published.by_source.at(list->signer);
  const std::string objection = Objection(spec, *list, *parsed, signer);
  if (!objection.empty()) return refuse(objection);
  if (!empty) {
    TL_ASSIGN_OR_RETURN(const std::vector<StoredEntry> own,
                        OwnCertificates(context, "CallManager", verdict.warnings));
    if (!NamesFilesSigner(*parsed, own)) {
      AddPending(verdict, absl::StrCat(name,
                                       " on the hub names another CallManager than signs "
                                       "this node's files: run trust_list with the steps "
                                       "publish and build again"));
      return wanted;
    }
  }
  wanted.bytes = *std::move(bytes);
  wanted.signer =
      absl::StrCat(list->signer.unit, " of ", list->signer.node, ", serial ", signer.serial_hex());
  wanted.paths = PathsOf(spec);
  wanted.sequences = published.sequences;
  wanted.sequences[ListUnit(*list)][ListOwner(*list)] = sequence;
  return wanted;
}

v1::InstalledTrustList FactOf(const std::string& path, const std::string& bytes,
                              const std::string& signer) {
  v1::InstalledTrustList fact;
  fact.set_path(path);
  fact.set_sha256(Sha256Hex(bytes));
  fact.set_sha1(absl::BytesToHexString(DigestOf(SignatureDigest::kSha1, bytes)));
  fact.set_signer(signer);
  return fact;
}

}  // namespace

absl::StatusOr<Resolved> ResolveInstall(const PlanContext& context) {
  Resolved resolved;
  TL_ASSIGN_OR_RETURN(const Wanted wanted, FindWanted(context, resolved));
  if (resolved.verdict != v1::OUTCOME_UNSPECIFIED) return resolved;
  auto desired = std::make_unique<v1::TrustListState>();
  for (const std::string& path : wanted.paths) {
    *desired->add_installed() = FactOf(path, wanted.bytes, wanted.signer);
  }
  for (const auto& [unit, sequences] : wanted.sequences) {
    *desired->add_believed() = BelievedFact(ExchangeOf(context).exchange, unit, sequences);
  }
  resolved.desired = std::move(desired);
  return resolved;
}

absl::StatusOr<Observed> ObserveInstall(const PlanContext& context,
                                        const v1::TrustListState& desired) {
  Observed observed;
  auto present = std::make_unique<v1::TrustListState>();
  int missing = 0;
  for (const v1::InstalledTrustList& wanted : desired.installed()) {
    const absl::StatusOr<FileImage> image = context.host.files.Read(wanted.path());
    if (absl::IsNotFound(image.status())) {
      ++missing;
      continue;
    }
    TL_RETURN_IF_ERROR(image.status());
    const v1::InstalledTrustList fact =
        FactOf(wanted.path(), image->bytes,
               Sha256Hex(image->bytes) == wanted.sha256() ? wanted.signer() : "");
    missing += fact.sha256() == wanted.sha256() ? 0 : 1;
    if (fact.sha256() == wanted.sha256() && image->mode != kServedMode) {
      observed.warnings.push_back(
          absl::StrCat(wanted.path(),
                       ": its mode is not 0644, so that the TFTP server may not read it; it "
                       "counts as absent"));
      ++missing;
      continue;
    }
    *present->add_installed() = fact;
  }
  for (const v1::BelievedSequences& fact : desired.believed()) {
    TL_ASSIGN_OR_RETURN(const auto known, PresentBelieved(context.host, kTrustListKind, fact));
    if (known) *present->add_believed() = *known;
  }
  observed.summary =
      desired.installed().empty()
          ? "this node serves no files to phones"
          : absl::StrCat(missing, " of ", desired.installed_size(), " files to write");
  observed.present = std::move(present);
  return observed;
}

absl::Status StageInstall(const PlanContext& context, const v1::TrustListState& desired,
                          const v1::TrustListState& present, TransactionBuilder& transaction) {
  Resolved verdict;
  // The state carries no bytes: they are read again, and only what was planned is taken.
  TL_ASSIGN_OR_RETURN(const Wanted wanted, FindWanted(context, verdict));
  const std::string sha256 = Sha256Hex(wanted.bytes);
  std::map<std::string, std::string> there;
  for (const v1::InstalledTrustList& fact : present.installed()) there[fact.path()] = fact.sha256();
  for (const v1::InstalledTrustList& fact : desired.installed()) {
    if (verdict.verdict != v1::OUTCOME_UNSPECIFIED || fact.sha256() != sha256) {
      return absl::AbortedError(absl::StrCat(ExchangePlace(ExchangeOf(context)),
                                             " changed while it was looked at: run again"));
    }
    if (there[fact.path()] == sha256) continue;
    absl::StatusOr<FileImage> image = transaction.Upcoming(fact.path());
    if (absl::IsNotFound(image.status())) {
      image = FileImage{};
      image->uid = ::geteuid();
      image->gid = ::getegid();
    }
    TL_RETURN_IF_ERROR(image.status());
    image->bytes = wanted.bytes;
    image->mode = kServedMode;
    TL_RETURN_IF_ERROR(transaction.WriteFile(fact.path(), *std::move(image)));
  }
  for (const auto& [unit, sequences] : wanted.sequences) {
    TL_RETURN_IF_ERROR(RaiseBelievedSequences(context.host.layout, kTrustListKind,
                                              ExchangeOf(context).exchange, unit, sequences,
                                              transaction));
  }
  return absl::OkStatus();
}

}  // namespace trustline::agent
