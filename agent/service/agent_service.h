// The methods of trustline.v1.Agent. CallGuard has checked the role before any of them runs.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/host.h"
#include "agent/service/authorizer.h"
#include "agent/service/call_record.h"
#include "agent/service/lease_table.h"
#include "agent/service/stage_runner.h"
#include "agent/service/worker_pool.h"
#include "protos/trustline/v1/agent.grpc.pb.h"
#include "trust/dhcp_probe.h"

namespace trustline::agent {

struct AgentDescription {
  std::string node, version;
  std::vector<std::string> kinds;
};

// Nothing blocks a gRPC thread: what reads runs on one small pool, what writes on a pool of one.
// Everything passed in outlives the service; the server that it is registered with is shut down
// before the service is destroyed.
class AgentService final : public v1::Agent::CallbackService {
 public:
  AgentService(AgentDescription description, const Authorizer& authorizer, LeaseTable& leases,
               StageRunner& runner, DhcpProber& prober);

  // From now on nothing that could last is begun: UNAVAILABLE. What runs goes on; its run may still
  // renew its lease.
  void BeginDrain();
  // True once no apply or rollback is at work; false when that took longer than `patience`.
  bool WaitIdle(absl::Duration patience);
  // Whatever is at work stops at its next safe point.
  void CancelWork();

  grpc::ServerUnaryReactor* Describe(grpc::CallbackServerContext* context,
                                     const v1::DescribeRequest* request,
                                     v1::DescribeResponse* response) override;
  grpc::ServerUnaryReactor* Status(grpc::CallbackServerContext* context,
                                   const v1::StatusRequest* request,
                                   v1::StatusResponse* response) override;
  grpc::ServerUnaryReactor* PlanStage(grpc::CallbackServerContext* context,
                                      const v1::PlanRequest* request,
                                      v1::PlanResponse* response) override;
  grpc::ServerUnaryReactor* Lease(grpc::CallbackServerContext* context,
                                  const v1::LeaseRequest* request,
                                  v1::LeaseResponse* response) override;
  grpc::ServerUnaryReactor* Probe(grpc::CallbackServerContext* context,
                                  const v1::ProbeRequest* request,
                                  v1::ProbeResponse* response) override;
  grpc::ServerUnaryReactor* Judge(grpc::CallbackServerContext* context,
                                  const v1::JudgeRequest* request,
                                  v1::JudgeResponse* response) override;
  grpc::ServerBidiReactor<v1::ApplyRequest, v1::ApplyEvent>* ApplyStage(
      grpc::CallbackServerContext* context) override;
  grpc::ServerBidiReactor<v1::RollbackRequest, v1::ApplyEvent>* Rollback(
      grpc::CallbackServerContext* context) override;

 private:
  absl::StatusOr<Caller> CallerOf(const grpc::CallbackServerContext& context) const;
  absl::Status RefuseWhileDraining() const;
  // Runs `work` on the reading pool unless the caller is gone by then, and answers with what it
  // says.
  grpc::ServerUnaryReactor* OnPool(grpc::CallbackServerContext* context, CallRecord record,
                                   std::function<absl::Status()> work);
  absl::Status WorkBegins();  // Unavailable while draining
  void WorkEnds();

  const AgentDescription description_;
  const Authorizer& authorizer_;
  LeaseTable& leases_;
  StageRunner& runner_;
  DhcpProber& prober_;
  std::mutex probing_;  // one probe at a time: it binds the DHCP ports of this host
  std::atomic<bool> draining_{
      false};  // set under idle_mutex_, so that no work begins after WaitIdle looked
  std::atomic<bool> cancel_work_{false};
  std::mutex idle_mutex_;
  std::condition_variable idle_;
  int working_ = 0;  // guarded by idle_mutex_
  WorkerPool reading_;
  WorkerPool writing_;
};

}  // namespace trustline::agent
