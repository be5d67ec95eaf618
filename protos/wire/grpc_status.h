// absl::Status <-> grpc::Status, and the channel settings both ends must agree on. The one place
// where the two meet.
#pragma once

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace trustline {

// Codes are the same numbers on both sides; messages are carried as they are, cut to what fits into
// HTTP/2 trailers. Payloads are not carried.
grpc::Status ToGrpc(const absl::Status& status);

// A code that gRPC does not define becomes Unknown.
absl::Status FromGrpc(const grpc::Status& status);

// "FAILED_PRECONDITION": as gRPC's documentation spells it, for logs.
const char* CodeName(absl::StatusCode code);

// A peer that vanished without a word is noticed after at most kKeepaliveTimeMs +
// kKeepaliveTimeoutMs. Agents permit pings half that far apart, as gRPC closes the connection of a
// client that pings more often than its server permits.
inline constexpr int kKeepaliveTimeMs = 20'000;
inline constexpr int kKeepaliveTimeoutMs = 10'000;
inline constexpr int kPermittedPingIntervalMs = kKeepaliveTimeMs / 2;

}  // namespace trustline
