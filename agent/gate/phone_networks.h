// Where simulated phones of a gate get their network from; behind an interface, because tests of
// gates script what the servers say.
#pragma once

#include <memory>

#include "trust/phone/phone.h"

namespace trustline::agent {

// Safe for concurrent use; what it opens is used by one thread.
class PhoneNetworks {
 public:
  virtual ~PhoneNetworks() = default;
  // The world as phones at this node see it. Of `behaviour` it takes ports and times to wait.
  virtual std::unique_ptr<PhoneNetwork> Open(const PhoneBehaviour& behaviour) const = 0;
};

// The real servers.
std::shared_ptr<const PhoneNetworks> LivePhoneNetworks();

}  // namespace trustline::agent
