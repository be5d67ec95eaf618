// A Trust Verification Service's answer to a reader or a program.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "trust/tvs/tvs_client.h"

namespace trustline::controller {

std::string TvsAnswerText(const TvsAddress& server, const TvsRequest& request,
                          const TvsAnswer& answer, absl::Time now);
std::string TvsAnswerJson(const TvsAddress& server, const TvsRequest& request,
                          const TvsAnswer& answer);

// Lines of sixteen bytes with their offset, under a heading.
std::string HexDump(absl::string_view heading, absl::string_view bytes);

}  // namespace trustline::controller
