#include "agent/gate/destination_checks.h"

#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "trust/cluster_rules.h"
#include "trust/trust_list/list_writer.h"
#include "trust/trust_list/trust_list.h"
#include "trust/tvs/message.h"

namespace trustline::agent {
namespace {

// The device a TVS is told asks; it logs the name and nothing else.
constexpr char kProbingDevice[] = "SEP000000000000";
constexpr ClusterVersion kItlRecoverySigns{12, 0, 0};

std::optional<TrustList> ListOf(const std::string& address, const char* file,
                                const TripGround& ground) {
  const absl::StatusOr<std::string> bytes = ground.network.Fetch(address, file);
  if (!bytes.ok()) return std::nullopt;
  absl::StatusOr<TrustList> list = ParseTrustList(*bytes);
  if (!list.ok()) return std::nullopt;
  return *std::move(list);
}

// By which phones of the list's cluster know its TVS.
std::vector<Certificate> TvsCertificates(const TrustList& itl) {
  std::vector<Certificate> certificates;
  for (const TrustListRecord& record : itl.records) {
    if (!record.Is(ListRole::kTvs) || !record.certificate) continue;
    absl::StatusOr<Certificate> certificate = Certificate::FromDer(*record.certificate);
    if (certificate.ok()) certificates.push_back(*std::move(certificate));
  }
  return certificates;
}

TvsRequest QueryFor(absl::string_view subject, absl::string_view issuer, absl::string_view serial) {
  TvsRequest request;
  request.kind = TvsKind::kQuery;
  request.session = 1;
  request.device = kProbingDevice;
  request.subject = std::string(subject);
  request.issuer = std::string(issuer);
  request.serial = std::string(serial);
  return request;
}

void CheckSigner(const TrustList& itl, const v1::Cluster& cluster, const std::string& node,
                 std::vector<std::string>& warnings) {
  const absl::StatusOr<ClusterVersion> version = ParseClusterVersion(cluster.version());
  const ListSigner signer = SignerOf(itl.bytes);
  if (!version.ok() || !signer.known) return;
  const std::string expected = *version >= kItlRecoverySigns ? "ITLRecovery" : "CallManager";
  if (signer.unit == expected) return;
  warnings.push_back(absl::StrCat("ITL of ", node, " is signed by ", signer.unit, " serial ",
                                  signer.serial_hex, ", but ", cluster.name(), " is version ",
                                  cluster.version(), ", which signs with ", expected));
}

void CheckTvs(const TrustList& itl, const v1::Cluster& cluster, const TripGround& ground,
              DestinationFindings& findings) {
  const std::vector<Certificate> pinned = TvsCertificates(itl);
  if (pinned.empty()) return;
  const TvsRequest request = QueryFor("", itl.header.signer_issuer, itl.header.signer_serial);
  for (const TvsAddress& server : ground.map.TvsGroup(cluster)) {
    const absl::StatusOr<TvsReply> reply = ground.network.AskTvs(server, request, pinned);
    if (reply.ok()) continue;
    const std::string text =
        absl::StrCat("TVS of ", ground.map.NameOf(server.host), " does not serve the phones of ",
                     cluster.name(), ": ", reply.status().message());
    (ground.lenient ? findings.warnings : findings.refusals).push_back(text);
  }
}

}  // namespace

DestinationFindings CheckDestination(const std::string& address, const TripGround& ground) {
  DestinationFindings findings;
  const v1::Cluster* cluster = ground.map.ClusterAt(address);
  const std::string node = ground.map.NameOf(address);
  if (cluster == nullptr) {
    findings.warnings.push_back(absl::StrCat(
        address, " is no node of the inventory: its version, mode and TVS are not known"));
    return findings;
  }
  if (cluster->security_mode() == v1::SECURITY_MODE_MIXED &&
      absl::IsNotFound(ground.network.Fetch(address, kCtlFileName).status())) {
    findings.refusals.push_back(absl::StrCat(cluster->name(), " is in mixed mode, but ", node,
                                             " serves no ", kCtlFileName));
  }
  const std::optional<TrustList> itl = ListOf(address, kItlFileName, ground);
  if (!itl) return findings;
  CheckSigner(*itl, *cluster, node, findings.warnings);
  CheckTvs(*itl, *cluster, ground, findings);
  return findings;
}

LscFinding CheckLscIssuer(const std::string& issuer_sha256, const std::string& address,
                          ServedLists& lists, const TripGround& ground) {
  const std::string wanted = absl::AsciiStrToLower(issuer_sha256);
  const v1::Cluster* cluster = ground.map.ClusterAt(address);
  const std::string who = absl::StrCat("CAPF certificate ", wanted.substr(0, 8), "...");
  std::optional<Certificate> issuer;
  lists.FetchCommon();
  for (const ServedList& served : lists.all()) {
    const absl::StatusOr<TrustList> list = ParseTrustList(served.bytes);
    if (!list.ok()) continue;
    for (const TrustListRecord& record : list->records) {
      if (issuer || !record.Is(ListRole::kCapf) || !record.certificate) continue;
      absl::StatusOr<Certificate> certificate = Certificate::FromDer(*record.certificate);
      if (certificate.ok() && certificate->sha256_hex() == wanted) issuer = *std::move(certificate);
    }
  }
  if (!issuer) {
    return {false, absl::StrCat("phones hold an LSC of ", who,
                                ", which no list served now contains: whether the destination "
                                "trusts it is not known")};
  }
  const std::optional<TrustList> itl = ListOf(address, kItlFileName, ground);
  if (cluster == nullptr || !itl) return {};
  const TvsRequest request = QueryFor(issuer->subject(), issuer->issuer(), issuer->serial());
  for (const TvsAddress& server : ground.map.TvsGroup(*cluster)) {
    const absl::StatusOr<TvsReply> reply =
        ground.network.AskTvs(server, request, TvsCertificates(*itl));
    // A TVS that does not answer is refused for that already.
    if (!reply.ok()) continue;
    if (reply->status == 0 && reply->certificate == issuer->der()) continue;
    return {cluster->security_mode() == v1::SECURITY_MODE_MIXED,
            absl::StrCat("phones hold an LSC of ", issuer->subject(), " serial ",
                         issuer->serial_hex(), ", which ", ground.map.NameOf(server.host),
                         " does not know (CAPF-trust): their registration over TLS would fail")};
  }
  return {};
}

}  // namespace trustline::agent
