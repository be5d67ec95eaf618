// A TCP connection within a time limit that holds for looking up the name as well.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace trustline {

// A connected socket (non-blocking, close-on-exec, no Nagle delay), which the caller closes. Tries
// every address of `host` within `timeout` altogether. Unavailable: refused, unreachable, no answer
// in time, or the name service does not answer now. FailedPrecondition: there is no such name.
absl::StatusOr<int> ConnectTcp(absl::string_view host, uint16_t port, absl::Duration timeout);

}  // namespace trustline
