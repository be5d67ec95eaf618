#include "tests/service/service_fixture.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_certificate_verifier.h"
#include "grpcpp/security/tls_credentials_options.h"
#include "gtest/gtest.h"
#include "protos/wire/grpc_status.h"

namespace trustline::testing {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(50);

[[noreturn]] void Die(const std::string& why) {
  std::cerr << "service_fixture: " << why << std::endl;
  std::abort();
}

std::string PemOf(const std::vector<Certificate>& certificates) {
  std::string pem;
  for (const Certificate& certificate : certificates) pem += certificate.ToPem();
  return pem;
}

v1::RoleBinding Bind(const std::string& name, v1::Role role) {
  v1::RoleBinding binding;
  binding.set_operator_(name);
  binding.set_role(role);
  return binding;
}

controller::ProofHandler NoProof() {
  return [](const v1::ProofQuestion&, std::function<void(v1::ProofAnswer)> reply) {
    v1::ProofAnswer answer;
    answer.set_error("this test proves nothing");
    reply(answer);
  };
}

}  // namespace

bool Eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // only between two looks
  }
  return true;
}

void Gate::Open() {
  std::lock_guard<std::mutex> lock(mutex_);
  open_ = true;
  changed_.notify_all();
}
bool Gate::IsOpen() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return open_;
}
bool Gate::Wait() const {
  std::unique_lock<std::mutex> lock(mutex_);
  return changed_.wait_for(lock, kPatience, [this] { return open_; });
}

void WriteFile(const std::string& path, const std::string& bytes, int mode) {
  const std::string fresh = path + ".new";
  std::ofstream(fresh, std::ios::binary) << bytes;
  if (::chmod(fresh.c_str(), static_cast<mode_t>(mode)) != 0 ||
      ::rename(fresh.c_str(), path.c_str()) != 0)
    Die(absl::StrCat("write ", path));
}
std::string ReadFile(const std::string& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

TestAgent::TestAgent(const TestPki& pki, const std::string& name) : node(name) {
  clock.Set(absl::Now());
  config.set_node(node);
  config.set_domain(pki.domain);
  config.set_listen("127.0.0.1:0");
  config.set_state_directory(directory.File("state"));
  config.mutable_identity()->set_certificate(directory.File("agent.pem"));
  config.mutable_identity()->set_key(directory.File("agent.key"));
  config.mutable_identity()->set_ca(directory.File("ca.pem"));
  *config.add_roles() = Bind("vera", v1::ROLE_VIEWER);
  *config.add_roles() = Bind("olga", v1::ROLE_OPERATOR);
  *config.add_roles() = Bind("otto", v1::ROLE_OPERATOR);
  *config.add_roles() = Bind("adam", v1::ROLE_ADMIN);
  WriteIdentity(pki.AgentIdentity(node), pki.roots());
}
TestAgent::~TestAgent() = default;

void TestAgent::WriteIdentity(const TestIdentity& identity, const std::vector<Certificate>& roots) {
  WriteFile(config.identity().certificate(), identity.certificate_pem(), 0644);
  WriteFile(config.identity().key(), identity.key_pem());
  WriteFile(config.identity().ca(), PemOf(roots), 0644);
}

absl::Status TestAgent::TryStart() {
  absl::StatusOr<std::unique_ptr<agent::IdentityKeeper>> opened =
      agent::IdentityKeeper::Open(config, clock);
  if (!opened.ok()) return opened.status();
  keeper = *std::move(opened);
  absl::StatusOr<std::unique_ptr<agent::AgentServer>> started = agent::AgentServer::Start(
      config, {node, "1.2.3", {"certificate", "service"}}, clock, *keeper, runner, prober);
  if (!started.ok()) return started.status();
  server = *std::move(started);
  return absl::OkStatus();
}

void TestAgent::Start() {
  if (const absl::Status started = TryStart(); !started.ok()) Die(started.ToString());
}

TestOperator::TestOperator(const TestPki& pki, const std::string& name)
    : TestOperator(pki.OperatorIdentity(name), pki.roots()) {}
TestOperator::TestOperator(const TestIdentity& identity, const std::vector<Certificate>& roots) {
  WriteFile(directory_.File("operator.pem"), identity.certificate_pem(), 0644);
  WriteFile(directory_.File("operator.key"), identity.key_pem());
  WriteFile(directory_.File("ca.pem"), PemOf(roots), 0644);
}
absl::StatusOr<std::unique_ptr<controller::Fleet>> TestOperator::TryFleet(
    const std::vector<controller::NodeAddress>& nodes) const {
  std::map<std::string, controller::NodeAddress> by_name;
  for (const controller::NodeAddress& address : nodes) by_name[address.node] = address;
  return controller::MakeGrpcFleet(
      {directory_.File("operator.pem"), directory_.File("operator.key"), directory_.File("ca.pem")},
      by_name);
}
std::unique_ptr<controller::Fleet> TestOperator::Fleet(
    const std::vector<controller::NodeAddress>& nodes) const {
  absl::StatusOr<std::unique_ptr<controller::Fleet>> fleet = TryFleet(nodes);
  if (!fleet.ok()) Die(fleet.status().ToString());
  return *std::move(fleet);
}

std::shared_ptr<grpc::Channel> RawChannel(uint16_t port, const TestIdentity& identity,
                                          const std::vector<Certificate>& roots) {
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(
      std::make_shared<grpc::experimental::StaticDataCertificateProvider>(
          PemOf(roots), std::vector<grpc::experimental::IdentityKeyCertPair>{
                            {identity.key_pem(), identity.certificate_pem()}}));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_verify_server_certs(false);
  options.set_certificate_verifier(std::make_shared<grpc::experimental::NoOpCertificateVerifier>());
  options.set_check_call_host(false);
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", port),
                                   grpc::experimental::TlsCredentials(options), arguments);
}

absl::StatusOr<std::string> RawUnary(grpc::Channel& channel, const std::string& method,
                                     const std::string& request) {
  grpc::GenericStub stub(std::shared_ptr<grpc::Channel>(&channel, [](grpc::Channel*) {}));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kTimeout));
  grpc::Slice slice(request);
  const grpc::ByteBuffer there(&slice, 1);
  grpc::ByteBuffer back;
  std::promise<grpc::Status> done;
  stub.UnaryCall(&context, method, {}, &there, &back,
                 [&done](const grpc::Status& status) { done.set_value(status); });
  const grpc::Status status = done.get_future().get();
  if (!status.ok()) return FromGrpc(status);
  grpc::Slice whole;
  if (!back.DumpToSingleSlice(&whole).ok()) return absl::InternalError("no bytes came back");
  return std::string(reinterpret_cast<const char*>(whole.begin()), whole.size());
}

absl::StatusOr<v1::DescribeResponse> Describe(controller::Fleet& fleet, const std::string& node) {
  Result<v1::DescribeResponse> result;
  const auto call = fleet.Describe(node, kTimeout, result.Callback());
  return result.Get();
}
absl::StatusOr<v1::StatusResponse> GetStatus(controller::Fleet& fleet, const std::string& node) {
  Result<v1::StatusResponse> result;
  const auto call = fleet.Status(node, kTimeout, result.Callback());
  return result.Get();
}
absl::StatusOr<v1::PlanResponse> Plan(controller::Fleet& fleet, const std::string& node,
                                      const v1::PlanRequest& request) {
  Result<v1::PlanResponse> result;
  const auto call = fleet.Plan(node, request, kTimeout, result.Callback());
  return result.Get();
}
absl::StatusOr<v1::LeaseResponse> TakeLease(controller::Fleet& fleet, const std::string& node,
                                            const std::string& run_id, uint32_t seconds) {
  v1::LeaseRequest request;
  request.set_action(v1::LeaseRequest::ACTION_TAKE);
  request.set_run_id(run_id);
  request.set_seconds(seconds);
  Result<v1::LeaseResponse> result;
  const auto call = fleet.Lease(node, request, kTimeout, result.Callback());
  return result.Get();
}
absl::StatusOr<v1::LeaseResponse> ReleaseLease(controller::Fleet& fleet, const std::string& node,
                                               const std::string& run_id) {
  v1::LeaseRequest request;
  request.set_action(v1::LeaseRequest::ACTION_RELEASE);
  request.set_run_id(run_id);
  Result<v1::LeaseResponse> result;
  const auto call = fleet.Lease(node, request, kTimeout, result.Callback());
  return result.Get();
}
absl::StatusOr<v1::StageReport> Apply(controller::Fleet& fleet, const std::string& node,
                                      const std::string& run_id) {
  v1::ApplyStart start;
  start.set_run_id(run_id);
  start.set_stage(1);
  Result<v1::StageReport> result;
  const auto call = fleet.Apply(
      node, start, kTimeout, [](const v1::ApplyEvent&) {}, NoProof(), result.Callback());
  return result.Get();
}
absl::StatusOr<v1::StageReport> Rollback(controller::Fleet& fleet, const std::string& node,
                                         const std::string& run_id, bool include_trust) {
  v1::RollbackStart start;
  start.set_run_id(run_id);
  start.set_include_trust(include_trust);
  Result<v1::StageReport> result;
  const auto call = fleet.Rollback(
      node, start, kTimeout, [](const v1::ApplyEvent&) {}, NoProof(), result.Callback());
  return result.Get();
}

}  // namespace trustline::testing
