#include "agent/gate/phone_networks.h"

#include "trust/phone/live_network.h"

namespace trustline::agent {
namespace {

class LiveNetworks final : public PhoneNetworks {
 public:
  std::unique_ptr<PhoneNetwork> Open(const PhoneBehaviour& behaviour) const override {
    return std::make_unique<LiveNetwork>(behaviour);
  }
};

}  // namespace

std::shared_ptr<const PhoneNetworks> LivePhoneNetworks() {
  return std::make_shared<LiveNetworks>();
}

}  // namespace trustline::agent
