// Looks at the phones of a wave as they are now: the gate's evidence file, read anew, the web pages
// of phones whose address it names, and the lists the destination serves.
#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controller/compile.h"
#include "controller/run_record.h"

namespace trustline::controller {

struct ArrivalLookOptions {
  uint16_t web_port = 80;  // of the phones' own pages
  absl::Duration web_timeout = absl::Seconds(3);
  size_t in_flight = 64;  // phones at a time
};

// Blocks while servers and phones are asked. A web page counts where it is the named device's and
// says what the file does not say, or says otherwise. InvalidArgument: the file has errors, with
// their places; Unavailable: no destination server serves a list; Cancelled.
absl::StatusOr<WavePhones> LookForArrivals(const ArrivalDemand& demand,
                                           const std::function<bool()>& cancelled, absl::Time now,
                                           const ArrivalLookOptions& options = {});

}  // namespace trustline::controller
