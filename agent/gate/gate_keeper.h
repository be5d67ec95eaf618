// Answers DHCP agents that ask for a verdict: from the gates of this node's documents in force, by
// simulated phones, now.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "agent/gate/phone_networks.h"
#include "agent/host.h"
#include "agent/resource_kind.h"
#include "protos/trustline/v1/gate.pb.h"

namespace trustline::agent {

// Safe for concurrent use; one judgement at a time. Several DHCP servers ask about the same move:
// a judgement of the last minute about the same gate is not repeated.
class GateKeeper {
 public:
  GateKeeper(std::function<NodeIdentity()> identity, Host host,
             std::shared_ptr<const PhoneNetworks> phones)
      : identity_(std::move(identity)), host_(host), phones_(std::move(phones)) {}

  // NotFound: no such gate is in force here, or it is not about that pointer. InvalidArgument: the
  // question says too little to be bound to anything.
  absl::StatusOr<v1::JudgeResponse> Answer(const v1::GateQuestion& question);

 private:
  struct Judgement {
    v1::GateReport report;
    absl::Time at;
  };

  const std::function<NodeIdentity()> identity_;
  const Host host_;
  const std::shared_ptr<const PhoneNetworks> phones_;
  absl::Mutex judging_;
  std::map<std::string, Judgement> recent_ ABSL_GUARDED_BY(judging_);  // by what was judged
};

}  // namespace trustline::agent
