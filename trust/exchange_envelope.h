// Signed facts on the hub: what the files of an exchange (trust/exchange.h, trust/list_exchange.h)
// have in common. Each is an Envelope by the identity of a node's agent, published once, never
// overwritten.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message_lite.h"
#include "trust/envelope.h"
#include "trust/exchange.h"
#include "trust/hub.h"

namespace trustline {

inline constexpr uint64_t kMaxEnvelopeBytes = 1 << 20;

// Codes that speak about the link or the login, not about one file: no reason to call a file bad.
bool ConcernsTheHub(const absl::Status& status);

// Names of the files in one directory of an exchange; none when the directory is not there yet.
// ResourceExhausted for more than 4096.
absl::StatusOr<std::vector<std::string>> ListExchangeFiles(HubReader& hub,
                                                           absl::string_view directory);

// InvalidArgument for an unfit exchange name, and for a topology without a domain.
absl::Status CheckExchangeTrust(const ExchangeTrust& trust);

// The payload and the agent that signed it, when the fleet's CA vouches for it in the topology's
// domain. PermissionDenied or InvalidArgument otherwise.
absl::StatusOr<Opened> OpenFromAgent(const std::string& bytes, absl::string_view type,
                                     const ExchangeTrust& trust);

// "was made for exchange 'autumn', not 'spring'".
absl::Status OtherExchange(absl::string_view made_for, absl::string_view exchange);

// InvalidArgument for 0, ResourceExhausted above what a file name holds.
absl::Status CheckSequence(uint64_t sequence);

// InvalidArgument unless `signer` is the agent of `node`.
absl::Status CheckEnvelopeSigner(absl::string_view node, const Certificate& signer);

// Seals and publishes. AlreadyExists when the name is taken.
absl::Status PublishEnvelope(Hub& hub, const std::string& path, absl::string_view type,
                             const google::protobuf::MessageLite& message, const PrivateKey& key,
                             const Certificate& signer);

}  // namespace trustline
