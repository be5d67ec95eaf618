// Tells systemd how the agent is doing (Type=notify), without libsystemd: one datagram to the
// socket it names. Protocol: sd_notify(3).
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace trustline::agent {

// Sends `state` ("READY=1", "STOPPING=1\nSTATUS=draining") to $NOTIFY_SOCKET, a path or an abstract
// name beginning with '@'. OK when it is unset: not run by systemd. Errors: InvalidArgument for
// another form of address, Unavailable when it cannot be sent. Safe for concurrent use while nobody
// changes the environment.
absl::Status NotifySystemd(absl::string_view state);

}  // namespace trustline::agent
