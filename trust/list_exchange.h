// Trust lists on the hub, on their way from the node that signs them to the nodes that serve them:
//
//   <exchange>/lists/<cluster>.<node>.itl.<sequence>.<content>.tlv   (a CTL: <cluster>.ctl....)
//       the list
//   <exchange>/lists/<cluster>.<node>.itl.<sequence>.manifest
//       Envelope{ListManifest} signed by the agent of the node that built it, published last
//
// <content> is 16 hex digits of the list's SHA-256. What the lists are made of travels as exports
// do (trust/exchange.h). As there, names are a convenience, nothing is overwritten, and the hub is
// not trusted: the highest sequence whose envelope verifies counts. Whether phones take a list is
// for trust/trust_list/list_verify.h to say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "protos/trustline/v1/exchange.pb.h"
#include "trust/exchange.h"
#include "trust/hub.h"
#include "trust/list_rules.h"

namespace trustline {

struct BelievedListManifest {
  std::optional<v1::ListManifest> manifest;  // the newest one believed
  std::vector<std::string> rejected;         // why other files were not, naming each
};

// A manifest counts only if it is signed by the agent of the node that must build the list, and
// exchange, cluster, list, node it is for and file name agree. Errors as ReadManifests.
absl::StatusOr<BelievedListManifest> ReadListManifest(HubReader& hub, const ExchangeTrust& trust,
                                                      const ExpectedList& list);

// The bytes of the list a believed manifest names. DataLoss when they are absent or altered.
absl::StatusOr<std::string> ReadListObject(HubReader& hub, const v1::ListManifest& manifest);

// List first, manifest last. `sequence` must be above every one seen. AlreadyExists when a name is
// taken by anything else; InvalidArgument: a signer who is not the builder's agent, names unfit for
// a file name.
absl::Status PublishList(Hub& hub, absl::string_view exchange, const ExpectedList& list,
                         absl::string_view bytes, uint64_t sequence, const PrivateKey& key,
                         const Certificate& signer, absl::Time now);

// Highest sequence in use for the list, believed or not; 0 when there is none.
absl::StatusOr<uint64_t> HighestListSequence(HubReader& hub, absl::string_view exchange,
                                             const ExpectedList& list);

}  // namespace trustline
