// How many phones may be reset at once: after a reset all of them ask the first TVS of their group
// for the new signer at the same moment. Pure.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace trustline::agent {

struct ResetAdvice {
  uint32_t at_once = 0;  // phones; at least 1
  uint32_t batches = 0;  // for all of them
};

// A phone waits `patience` for a server, then tries the next one of at most three, each once; one
// that finds none in time keeps its old list. `lookups_per_second`: handshakes and answers one
// server is trusted with; real ones publish no figure, so the default is low.
ResetAdvice AdviseReset(uint32_t phones, size_t tvs_servers, double lookups_per_second = 50,
                        absl::Duration patience = absl::Seconds(10));

}  // namespace trustline::agent
