#include "agent/gate/reset_advice.h"

#include <algorithm>

namespace trustline::agent {

ResetAdvice AdviseReset(uint32_t phones, size_t tvs_servers, double lookups_per_second,
                        absl::Duration patience) {
  constexpr size_t kTvsServersAsked = 3;
  const size_t servers = std::clamp<size_t>(tvs_servers, 1, kTvsServersAsked);
  const double served =
      lookups_per_second * absl::ToDoubleSeconds(patience) * static_cast<double>(servers);
  ResetAdvice advice;
  advice.at_once = static_cast<uint32_t>(std::clamp(served, 1.0, static_cast<double>(UINT32_MAX)));
  advice.batches =
      static_cast<uint32_t>((static_cast<uint64_t>(phones) + advice.at_once - 1) / advice.at_once);
  return advice;
}

}  // namespace trustline::agent
