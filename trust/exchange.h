// An exchange on the hub: exports of every node under signed manifests, and the consolidated
// bundles.
//
//   <exchange>/exports/<cluster>.<node>.<unit>.<sequence>.<set>.p12
//       the bundle of one node and unit
//   <exchange>/manifests/<cluster>.<node>.<unit>.<sequence>.manifest
//       Envelope{Manifest} signed by that node's agent, published after the bundle
//   <exchange>/consolidated/consolidated.<unit>.<set>.p12 and .pem
//       or .<set>.<sequence>.p12 where that name is taken by other content
//   <exchange>/consolidated/consolidated.<unit>.<sequence>.index
//       Envelope{ConsolidationIndex}, published last
//
// Sequences are 8 decimal digits, so names sort. <set> is 16 hex digits of the SHA-256 over the
// certificates' SHA-256s, ascending and joined: a bundle is named by what is in it, not by its
// bytes. Names are a convenience: every fact is taken from signed content and checked against the
// name. Nothing is overwritten; the highest sequence whose envelope verifies counts. Files whose
// names do not parse are ignored.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "protos/trustline/v1/exchange.pb.h"
#include "protos/trustline/v1/topology.pb.h"
#include "trust/bundle.h"
#include "trust/cluster_rules.h"
#include "trust/envelope.h"
#include "trust/hub.h"

namespace trustline {

// Whom a reader believes.
struct ExchangeTrust {
  std::string exchange;
  v1::Topology topology;
  std::vector<Certificate> roots;
  absl::Time now;
};

struct BelievedManifests {
  // The newest believed manifest of every (cluster, node, unit).
  std::map<ExpectedExport, v1::Manifest> manifests;
  // Why other files were not believed, one line each, naming the file: forged, replayed from
  // another exchange, signed by another node, ...
  std::vector<std::string> rejected;
};

// Reads and checks the manifests of the exchange that concern `units`, newest first; what a
// believed one supersedes is not read. A missing exchange is an empty result, not an error.
// ResourceExhausted: more than 4096 files. InvalidArgument: a topology without a domain. The hub's
// own errors about the link. A manifest counts only if it is signed by the agent of the very node
// it speaks for, that node is in the topology under that cluster, and exchange, unit and file name
// agree.
absl::StatusOr<BelievedManifests> ReadManifests(HubReader& hub, const ExchangeTrust& trust,
                                                const std::vector<std::string>& units);

// The certificates of one export, checked: object digest, and the set equals the manifest's.
// DataLoss otherwise, naming what differs; also for an absent object. As ReadBundle says for an
// object the node did sign for: PermissionDenied (wrong password), FailedPrecondition (a private
// key inside).
absl::StatusOr<std::vector<BundleEntry>> ReadExport(HubReader& hub, const v1::Manifest& manifest,
                                                    absl::string_view bundle_password);

struct ExportToPublish {
  ExpectedExport who;
  std::vector<BundleEntry> entries;
  uint64_t sequence = 1;  // above every sequence seen
};
// Bundle first, manifest last. A bundle of the same name left by an interrupted run is fine when
// its bytes' certificates are the same set; AlreadyExists when the name, or the manifest's, is
// taken by anything else. InvalidArgument: no entries, names unfit for a file name, a signer who is
// not the node's agent.
absl::Status PublishExport(Hub& hub, absl::string_view exchange, const ExportToPublish& what,
                           absl::string_view bundle_password, BundleProfile profile,
                           const PrivateKey& key, const Certificate& signer, absl::Time now);

struct Consolidated {
  v1::ConsolidationIndex index;
  std::vector<BundleEntry> entries;
};
// The newest consolidated bundle of a unit whose index is signed by any agent of the topology and
// whose objects have the digests it names. NotFound: there is none. DataLoss: its object was
// altered or does not hold the set it claims. FailedPrecondition: a private key inside.
absl::StatusOr<Consolidated> ReadConsolidated(HubReader& hub, const ExchangeTrust& trust,
                                              absl::string_view unit,
                                              absl::string_view bundle_password);

// Merges (ascending SHA-256) and publishes p12, pem, then the index.
absl::Status PublishConsolidated(Hub& hub, absl::string_view exchange, absl::string_view unit,
                                 std::vector<BundleEntry> entries,
                                 const std::vector<v1::Manifest>& manifests, uint64_t sequence,
                                 absl::string_view bundle_password, BundleProfile profile,
                                 absl::string_view node, const PrivateKey& key,
                                 const Certificate& signer, absl::Time now);

// Highest sequence in use for (who) or for the unit's index, believed or not, by manifests, indexes
// and bundles; 0 when there is none. New sequences go above it.
absl::StatusOr<uint64_t> HighestExportSequence(HubReader& hub, absl::string_view exchange,
                                               const ExpectedExport& who);
absl::StatusOr<uint64_t> HighestConsolidationSequence(HubReader& hub, absl::string_view exchange,
                                                      absl::string_view unit);

}  // namespace trustline
