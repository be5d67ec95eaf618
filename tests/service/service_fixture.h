// Agents in process, on the real wire: real identities, real TLS, port 0; only what an agent does
// to its node is scripted.
#pragma once

#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/service/agent_server.h"
#include "agent/service/identity_keeper.h"
#include "agent/service/stage_runner.h"
#include "controller/fleet.h"
#include "grpcpp/channel.h"
#include "tests/fakes/fake_host.h"
#include "tests/fakes/test_pki.h"
#include "tests/support/temp_directory.h"

namespace trustline::testing {

// Longest wait for what must happen; only a failing test waits that long.
inline constexpr std::chrono::seconds kPatience{60};

// Asked again and again until true; false after kPatience.
bool Eventually(const std::function<bool()>& condition);

// Opened once.
class Gate {
 public:
  void Open();
  bool IsOpen() const;
  // False after kPatience.
  bool Wait() const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool open_ = false;
};

void WriteFile(const std::string& path, const std::string& bytes, int mode = 0600);
std::string ReadFile(const std::string& path);

// Does what the test says; until told otherwise everything succeeds at once with empty results.
class ScriptedRunner final : public agent::StageRunner {
 public:
  std::function<absl::StatusOr<v1::Plan>(const agent::StageRequest&)> plan;
  std::function<absl::StatusOr<v1::StageReport>(const agent::StageRequest&, agent::Prover&,
                                                const agent::EventSink&,
                                                const std::function<bool()>&)>
      apply;
  std::function<absl::StatusOr<v1::StageReport>(const v1::RollbackStart&, const std::string& caller,
                                                agent::Prover&, const agent::EventSink&)>
      rollback;
  std::function<absl::Status(v1::StatusResponse&)> status;

  absl::StatusOr<v1::Plan> PlanStage(const agent::StageRequest& request) override {
    return plan ? plan(request) : v1::Plan();
  }
  absl::StatusOr<v1::StageReport> ApplyStage(const agent::StageRequest& request,
                                             agent::Prover& prover, const agent::EventSink& events,
                                             const std::function<bool()>& cancelled) override {
    return apply ? apply(request, prover, events, cancelled) : v1::StageReport();
  }
  absl::StatusOr<v1::StageReport> Rollback(const v1::RollbackStart& request,
                                           const std::string& caller, agent::Prover& prover,
                                           const agent::EventSink& events) override {
    return rollback ? rollback(request, caller, prover, events) : v1::StageReport();
  }
  absl::Status FillStatus(v1::StatusResponse& response) override {
    return status ? status(response) : absl::OkStatus();
  }
  std::function<absl::StatusOr<v1::JudgeResponse>(const v1::GateQuestion&)> judge;
  absl::StatusOr<v1::JudgeResponse> Judge(const v1::GateQuestion& question) override {
    return judge ? judge(question) : v1::JudgeResponse();
  }
};

class ScriptedProber final : public DhcpProber {
 public:
  std::function<absl::StatusOr<v1::ProbeResponse>(const v1::ProbeRequest&)> probe;
  absl::StatusOr<v1::ProbeResponse> Probe(const v1::ProbeRequest& request) override {
    return probe ? probe(request) : v1::ProbeResponse();
  }
};

// One agent. Operators: vera (viewer), olga (operator), otto (operator), adam (admin); nobody else
// has a role.
class TestAgent {
 public:
  TestAgent(const TestPki& pki, const std::string& node);
  ~TestAgent();

  // Replaces what lies in the identity files.
  void WriteIdentity(const TestIdentity& identity, const std::vector<Certificate>& roots);
  // Ends the test program when the agent cannot start.
  void Start();
  absl::Status TryStart();
  uint16_t port() const { return server->port(); }
  controller::NodeAddress address() const { return {node, "127.0.0.1", port()}; }

  const std::string node;
  TempDirectory directory;
  v1::AgentConfig config;
  agent::FakeClock clock;  // starts at the real time
  ScriptedRunner runner;
  ScriptedProber prober;
  std::unique_ptr<agent::IdentityKeeper> keeper;
  std::unique_ptr<agent::AgentServer> server;
};

// An operator's identity on disk.
class TestOperator {
 public:
  TestOperator(const TestPki& pki, const std::string& name);
  TestOperator(const TestIdentity& identity, const std::vector<Certificate>& roots);
  absl::StatusOr<std::unique_ptr<controller::Fleet>> TryFleet(
      const std::vector<controller::NodeAddress>& nodes) const;
  std::unique_ptr<controller::Fleet> Fleet(const std::vector<controller::NodeAddress>& nodes) const;

 private:
  TempDirectory directory_;
};

// A client that checks nothing about the server and shows any certificate: for what a fleet would
// not even try.
std::shared_ptr<grpc::Channel> RawChannel(uint16_t port, const TestIdentity& identity,
                                          const std::vector<Certificate>& roots);
// One message there, one back, both as bytes. For services whose protos are not packaged.
absl::StatusOr<std::string> RawUnary(grpc::Channel& channel, const std::string& method,
                                     const std::string& request);

// Stops an agent before what its scripts use goes out of scope: declared after it.
class StopsFirst {
 public:
  explicit StopsFirst(TestAgent& agent) : agent_(agent) {}
  ~StopsFirst() { agent_.server.reset(); }

 private:
  TestAgent& agent_;
};

// The result of one asynchronous call.
template <typename T>
class Result {
 public:
  controller::Callback<T> Callback() {
    return [shared = shared_](absl::StatusOr<T> value) { shared->set_value(std::move(value)); };
  }
  bool Ready() const {
    return future_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }
  absl::StatusOr<T> Get() const {
    if (future_.wait_for(kPatience) != std::future_status::ready)
      return absl::InternalError("the test's patience is over");
    return future_.get();
  }

 private:
  std::shared_ptr<std::promise<absl::StatusOr<T>>> shared_ =
      std::make_shared<std::promise<absl::StatusOr<T>>>();
  std::shared_future<absl::StatusOr<T>> future_ = shared_->get_future().share();
};

// Blocking forms for tests.
absl::StatusOr<v1::DescribeResponse> Describe(controller::Fleet& fleet, const std::string& node);
absl::StatusOr<v1::StatusResponse> GetStatus(controller::Fleet& fleet, const std::string& node);
absl::StatusOr<v1::PlanResponse> Plan(controller::Fleet& fleet, const std::string& node,
                                      const v1::PlanRequest& request = {});
absl::StatusOr<v1::LeaseResponse> TakeLease(controller::Fleet& fleet, const std::string& node,
                                            const std::string& run_id, uint32_t seconds = 60);
absl::StatusOr<v1::LeaseResponse> ReleaseLease(controller::Fleet& fleet, const std::string& node,
                                               const std::string& run_id);
absl::StatusOr<v1::StageReport> Apply(controller::Fleet& fleet, const std::string& node,
                                      const std::string& run_id);
absl::StatusOr<v1::StageReport> Rollback(controller::Fleet& fleet, const std::string& node,
                                         const std::string& run_id, bool include_trust = false);

}  // namespace trustline::testing
