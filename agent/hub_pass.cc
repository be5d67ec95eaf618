#include "agent/hub_pass.h"

namespace trustline::agent {

absl::StatusOr<Hub*> HubPass::Writer(const v1::HubAddress& address) {
  const std::string key = address.SerializeAsString();  // no maps inside, so the same each time
  auto found = open_.find(key);
  if (found == open_.end()) found = open_.emplace(key, dialer_.Dial(address, secrets_)).first;
  if (!found->second.ok()) return found->second.status();
  return found->second->get();
}

absl::StatusOr<HubReader*> HubPass::Reader(const v1::HubAddress& address) {
  absl::StatusOr<Hub*> hub = Writer(address);
  if (!hub.ok()) return hub.status();
  return *hub;
}

}  // namespace trustline::agent
