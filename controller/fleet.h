// The controller's view of the agents: asynchronous calls, one channel per node, deadlines on every
// call. No gRPC types.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controller/compile.h"
#include "protos/trustline/v1/agent.pb.h"

namespace trustline::controller {

template <typename T>
using Callback = std::function<void(absl::StatusOr<T>)>;

// Cancels a call in flight; the call's callback still comes, with Cancelled. Safe after the call
// ended.
class CallHandle {
 public:
  virtual ~CallHandle() = default;
  virtual void Cancel() = 0;
};

// Answers an agent's question for a proof on the wire; must call `reply` exactly once, on any
// thread.
using ProofHandler = std::function<void(const v1::ProofQuestion& question,
                                        std::function<void(v1::ProofAnswer)> reply)>;

// Safe for concurrent use. Callbacks come exactly once, on a thread of the library, never before
// the call returned its handle; they must not block. A node that cannot be reached is Unavailable
// ("src-sub1 (10.10.0.12:9443): connection refused"); a node with another's certificate is
// Unauthenticated, saying which identity was wanted; a call that ran out of time is
// DeadlineExceeded.
class Fleet {
 public:
  virtual ~Fleet() = default;
  virtual std::unique_ptr<CallHandle> Describe(const std::string& node, absl::Duration timeout,
                                               Callback<v1::DescribeResponse> done) = 0;
  virtual std::unique_ptr<CallHandle> Status(const std::string& node, absl::Duration timeout,
                                             Callback<v1::StatusResponse> done) = 0;
  virtual std::unique_ptr<CallHandle> Plan(const std::string& node, const v1::PlanRequest& request,
                                           absl::Duration timeout,
                                           Callback<v1::PlanResponse> done) = 0;
  virtual std::unique_ptr<CallHandle> Lease(const std::string& node,
                                            const v1::LeaseRequest& request, absl::Duration timeout,
                                            Callback<v1::LeaseResponse> done) = 0;
  virtual std::unique_ptr<CallHandle> Probe(const std::string& node,
                                            const v1::ProbeRequest& request, absl::Duration timeout,
                                            Callback<v1::ProbeResponse> done) = 0;
  virtual std::unique_ptr<CallHandle> Judge(const std::string& node,
                                            const v1::JudgeRequest& request, absl::Duration timeout,
                                            Callback<v1::JudgeResponse> done) = 0;
  // `on_event` comes for every event but the report, in order, before `done`.
  virtual std::unique_ptr<CallHandle> Apply(const std::string& node, const v1::ApplyStart& request,
                                            absl::Duration timeout,
                                            std::function<void(const v1::ApplyEvent&)> on_event,
                                            ProofHandler on_question,
                                            Callback<v1::StageReport> done) = 0;
  virtual std::unique_ptr<CallHandle> Rollback(const std::string& node,
                                               const v1::RollbackStart& request,
                                               absl::Duration timeout,
                                               std::function<void(const v1::ApplyEvent&)> on_event,
                                               ProofHandler on_question,
                                               Callback<v1::StageReport> done) = 0;
};

// Where the operator's identity lies.
struct OperatorIdentityFiles {
  std::string certificate, key, ca;
};

// The real fleet over gRPC with mutual TLS. An agent is accepted only with DNS SAN = its node name
// and URI SAN trustline://DOMAIN/agent/NODE.
absl::StatusOr<std::unique_ptr<Fleet>> MakeGrpcFleet(
    const OperatorIdentityFiles& identity, const std::map<std::string, NodeAddress>& nodes);

}  // namespace trustline::controller
