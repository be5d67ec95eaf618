// The hubs of one pass over a stage: one connection per address, dialled at first use, closed with
// the pass.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "agent/resource_kind.h"
#include "trust/hub.h"

namespace trustline::agent {

// Thread-compatible. `dialer` and `secrets` outlive it. An address that could not be dialled is not
// tried again within the pass, so that a dead hub costs one timeout and not one per resource.
class HubPass final : public Hubs {
 public:
  HubPass(HubDialer& dialer, const v1::SecretValues& secrets)
      : dialer_(dialer), secrets_(secrets) {}

  absl::StatusOr<HubReader*> Reader(const v1::HubAddress& address) override;
  absl::StatusOr<Hub*> Writer(const v1::HubAddress& address) override;

 private:
  HubDialer& dialer_;
  const v1::SecretValues& secrets_;
  std::map<std::string, absl::StatusOr<std::unique_ptr<Hub>>> open_;
};

}  // namespace trustline::agent
