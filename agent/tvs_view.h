// Asking a Trust Verification Service on this node, for kinds that prove what they say.
#pragma once

#include "absl/status/statusor.h"
#include "trust/tvs/tvs_client.h"

namespace trustline::agent {

// A look, not an effect. Safe for concurrent use.
class TvsView {
 public:
  virtual ~TvsView() = default;
  // As AskTvs. A service that has been started and is not up yet is asked again until
  // `options.timeout` has passed; Unavailable then.
  virtual absl::StatusOr<TvsAnswer> Ask(const TvsAddress& server, const TvsRequest& request,
                                        const TvsClientOptions& options) const = 0;
};

// Over the network. Lives as long as the process.
const TvsView& LiveTvs();

}  // namespace trustline::agent
