// The fleet over gRPC's callback API: no thread per node, one for the callbacks.
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "controller/client/callback_thread.h"
#include "controller/client/conversation_call.h"
#include "controller/client/node_channel.h"
#include "controller/client/pending_call.h"
#include "controller/fleet.h"
#include "grpc/support/log.h"
#include "grpcpp/client_context.h"
#include "trust/identity.h"
#include "trust/private_key.h"
#include "trust/status_macros.h"

namespace trustline::controller {
namespace {

// One unary call in flight. gRPC's thread must never drop the last reference to it: with it may go
// the last one to the channel, and gRPC then joins the very thread it runs on.
template <typename Request, typename Response>
class UnaryCall final : public PendingCall {
 public:
  UnaryCall(NodeChannel& channel, CallbackThread& thread, Request request, absl::Duration timeout,
            Callback<Response> done, std::shared_ptr<InFlight> in_flight)
      : channel_(channel),
        thread_(thread),
        request_(std::move(request)),
        timeout_(timeout),
        done_(std::move(done)),
        in_flight_(std::move(in_flight)) {
    SetDeadline(context_, timeout);
  }

  // InFlight owns it already.
  template <typename Method>
  void Start(const Method& method) {
    (channel_.stub()->*method)(
        &context_, &request_, &response_,
        std::function<void(grpc::Status)>([this](const grpc::Status& status) { End(status); }));
  }

 private:
  void End(const grpc::Status& status) {
    absl::Status result = channel_.Explain(status, timeout_);
    thread_.Post([self = std::static_pointer_cast<UnaryCall>(shared_from_this()),
                  result = std::move(result)]() mutable {
      if (result.ok()) {
        self->done_(std::move(self->response_));
      } else {
        self->done_(std::move(result));
      }
      self->in_flight_->Remove(self);
    });
    // `this` may be gone
  }

  NodeChannel& channel_;
  CallbackThread& thread_;
  const Request request_;
  Response response_;
  const absl::Duration timeout_;
  const Callback<Response> done_;
  const std::shared_ptr<InFlight> in_flight_;
};

class Handle final : public CallHandle {
 public:
  explicit Handle(std::weak_ptr<PendingCall> call) : call_(std::move(call)) {}
  void Cancel() override {
    if (const std::shared_ptr<PendingCall> call = call_.lock()) call->Cancel();
  }

 private:
  const std::weak_ptr<PendingCall> call_;  // an ended call is nobody's
};

class GrpcFleet final : public Fleet {
 public:
  GrpcFleet(OperatorIdentity identity, const std::map<std::string, NodeAddress>& nodes)
      : identity_(std::move(identity)), nodes_(nodes), in_flight_(std::make_shared<InFlight>()) {}

  // Every callback has come when this returns; what is still in flight is cancelled.
  ~GrpcFleet() override { in_flight_->CancelAndWait(); }

  std::unique_ptr<CallHandle> Describe(const std::string& node, absl::Duration timeout,
                                       Callback<v1::DescribeResponse> done) override {
    return Unary(node, v1::DescribeRequest(), timeout, std::move(done), kDescribe);
  }
  std::unique_ptr<CallHandle> Status(const std::string& node, absl::Duration timeout,
                                     Callback<v1::StatusResponse> done) override {
    return Unary(node, v1::StatusRequest(), timeout, std::move(done), kStatus);
  }
  std::unique_ptr<CallHandle> Plan(const std::string& node, const v1::PlanRequest& request,
                                   absl::Duration timeout,
                                   Callback<v1::PlanResponse> done) override {
    return Unary(node, request, timeout, std::move(done), kPlan);
  }
  std::unique_ptr<CallHandle> Lease(const std::string& node, const v1::LeaseRequest& request,
                                    absl::Duration timeout,
                                    Callback<v1::LeaseResponse> done) override {
    return Unary(node, request, timeout, std::move(done), kLease);
  }
  std::unique_ptr<CallHandle> Probe(const std::string& node, const v1::ProbeRequest& request,
                                    absl::Duration timeout,
                                    Callback<v1::ProbeResponse> done) override {
    return Unary(node, request, timeout, std::move(done), kProbe);
  }
  std::unique_ptr<CallHandle> Judge(const std::string& node, const v1::JudgeRequest& request,
                                    absl::Duration timeout,
                                    Callback<v1::JudgeResponse> done) override {
    return Unary(node, request, timeout, std::move(done), kJudge);
  }
  std::unique_ptr<CallHandle> Apply(const std::string& node, const v1::ApplyStart& start,
                                    absl::Duration timeout,
                                    std::function<void(const v1::ApplyEvent&)> on_event,
                                    ProofHandler on_question,
                                    Callback<v1::StageReport> done) override {
    v1::ApplyRequest request;
    *request.mutable_start() = start;
    return Converse(node, std::move(request), timeout, std::move(on_event), std::move(on_question),
                    std::move(done),
                    [](NodeChannel& channel, grpc::ClientContext* context, auto* reactor) {
                      channel.stub()->ApplyStage(context, reactor);
                    });
  }
  std::unique_ptr<CallHandle> Rollback(const std::string& node, const v1::RollbackStart& start,
                                       absl::Duration timeout,
                                       std::function<void(const v1::ApplyEvent&)> on_event,
                                       ProofHandler on_question,
                                       Callback<v1::StageReport> done) override {
    v1::RollbackRequest request;
    *request.mutable_start() = start;
    return Converse(node, std::move(request), timeout, std::move(on_event), std::move(on_question),
                    std::move(done),
                    [](NodeChannel& channel, grpc::ClientContext* context, auto* reactor) {
                      channel.stub()->Rollback(context, reactor);
                    });
  }

 private:
  template <typename Request, typename Response>
  using Method = void (v1::Agent::StubInterface::async_interface::*)(
      grpc::ClientContext*, const Request*, Response*, std::function<void(grpc::Status)>);
  static constexpr Method<v1::DescribeRequest, v1::DescribeResponse> kDescribe =
      &v1::Agent::StubInterface::async_interface::Describe;
  static constexpr Method<v1::StatusRequest, v1::StatusResponse> kStatus =
      &v1::Agent::StubInterface::async_interface::Status;
  static constexpr Method<v1::PlanRequest, v1::PlanResponse> kPlan =
      &v1::Agent::StubInterface::async_interface::PlanStage;
  static constexpr Method<v1::LeaseRequest, v1::LeaseResponse> kLease =
      &v1::Agent::StubInterface::async_interface::Lease;
  static constexpr Method<v1::ProbeRequest, v1::ProbeResponse> kProbe =
      &v1::Agent::StubInterface::async_interface::Probe;
  static constexpr Method<v1::JudgeRequest, v1::JudgeResponse> kJudge =
      &v1::Agent::StubInterface::async_interface::Judge;

  // Null when the inventory has no such node.
  NodeChannel* Channel(const std::string& node) {
    const auto address = nodes_.find(node);
    if (address == nodes_.end()) return nullptr;
    std::lock_guard<std::mutex> lock(mutex_);
    std::unique_ptr<NodeChannel>& channel = channels_[node];
    if (channel == nullptr) channel = std::make_unique<NodeChannel>(address->second, identity_);
    return channel.get();
  }

  template <typename T>
  std::unique_ptr<CallHandle> UnknownNode(const std::string& node, Callback<T> done) {
    const auto hold = thread_.Hold();
    // In flight like any other, so that the destructor waits for it too.
    auto call = std::make_shared<PendingCall>();
    in_flight_->Add(call);
    thread_.Post([node, call, done = std::move(done), in_flight = in_flight_] {
      done(absl::NotFoundError(absl::StrCat("the inventory has no node ", node)));
      in_flight->Remove(call);
    });
    return std::make_unique<Handle>(call);
  }

  template <typename Request, typename Response>
  std::unique_ptr<CallHandle> Unary(const std::string& node, Request request,
                                    absl::Duration timeout, Callback<Response> done,
                                    Method<Request, Response> method) {
    NodeChannel* const channel = Channel(node);
    if (channel == nullptr) return UnknownNode(node, std::move(done));
    const auto hold = thread_.Hold();
    auto call = std::make_shared<UnaryCall<Request, Response>>(
        *channel, thread_, std::move(request), timeout, std::move(done), in_flight_);
    auto handle = std::make_unique<Handle>(call);
    in_flight_->Add(call);
    call->Start(method);
    return handle;
  }

  template <typename Request, typename StartCall>
  std::unique_ptr<CallHandle> Converse(const std::string& node, Request request,
                                       absl::Duration timeout,
                                       std::function<void(const v1::ApplyEvent&)> on_event,
                                       ProofHandler on_question, Callback<v1::StageReport> done,
                                       const StartCall& start_call) {
    NodeChannel* const channel = Channel(node);
    if (channel == nullptr) return UnknownNode(node, std::move(done));
    const auto hold = thread_.Hold();
    auto call = std::make_shared<ConversationCall<Request>>(
        *channel, thread_, timeout, std::move(on_event), std::move(on_question), std::move(done),
        in_flight_);
    auto handle = std::make_unique<Handle>(call);
    in_flight_->Add(call);
    call->Start(std::move(request), start_call);
    return handle;
  }

  const OperatorIdentity identity_;
  const std::map<std::string, NodeAddress> nodes_;
  const std::shared_ptr<InFlight> in_flight_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<NodeChannel>> channels_;  // guarded by mutex_
  CallbackThread
      thread_;  // last: its destructor runs what was posted while all of the above is there
};

absl::StatusOr<std::string> ReadFile(const std::string& path, bool is_private) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0)
    return absl::ErrnoToStatus(errno, absl::StrCat("read ", path));
  if (is_private && (info.st_mode & 077) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " can be read by others than its owner; chmod 0600 it"));
  }
  std::ifstream in(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << in.rdbuf();
  if (!in) return absl::UnavailableError(absl::StrCat("cannot read ", path));
  return bytes.str();
}

// gRPC's own words about failed handshakes would run into the operator's output; the calls' errors
// say it all. GRPC_VERBOSITY brings them back.
void QuietGrpc() {
  static const bool once = [] {
    if (std::getenv("GRPC_VERBOSITY") == nullptr)
      gpr_set_log_verbosity(static_cast<gpr_log_severity>(GPR_LOG_SEVERITY_ERROR + 1));
    return true;
  }();
  static_cast<void>(once);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Fleet>> MakeGrpcFleet(
    const OperatorIdentityFiles& files, const std::map<std::string, NodeAddress>& nodes) {
  const auto in_file = [](const std::string& path, const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
  };
  TL_ASSIGN_OR_RETURN(const std::string certificate_pem, ReadFile(files.certificate, false));
  TL_ASSIGN_OR_RETURN(const std::string key_pem, ReadFile(files.key, true));
  TL_ASSIGN_OR_RETURN(const std::string ca_pem, ReadFile(files.ca, false));
  absl::StatusOr<Certificate> certificate = Certificate::FromPem(certificate_pem);
  if (!certificate.ok()) return in_file(files.certificate, certificate.status());
  const absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(key_pem);
  if (!key.ok()) return in_file(files.key, key.status());
  absl::StatusOr<std::vector<Certificate>> roots = Certificate::AllFromPem(ca_pem);
  if (!roots.ok()) return in_file(files.ca, roots.status());
  if (roots->empty())
    return absl::InvalidArgumentError(absl::StrCat(files.ca, " holds no certificate"));
  if (!key->Matches(*certificate))
    return absl::FailedPreconditionError(absl::StrCat(
        "the key ", files.key, " does not belong to the certificate ", files.certificate));
  const absl::StatusOr<Identity> identity = IdentityOf(*certificate);
  if (!identity.ok()) return in_file(files.certificate, identity.status());
  if (identity->kind != IdentityKind::kOperator) {
    return absl::FailedPreconditionError(absl::StrCat(files.certificate, " is the certificate of ",
                                                      identity->ToUri(), ", not an operator's"));
  }
  // Agents would refuse it at the handshake, where they cannot say why.
  if (const absl::Status chain = VerifyChain(*certificate, *roots, absl::Now()); !chain.ok()) {
    return absl::UnauthenticatedError(absl::StrCat(files.certificate, " (", identity->ToUri(),
                                                   ") does not hold against ", files.ca, ": ",
                                                   chain.message()));
  }
  QuietGrpc();
  auto provider = std::make_shared<grpc::experimental::StaticDataCertificateProvider>(
      ca_pem, std::vector<grpc::experimental::IdentityKeyCertPair>{{key_pem, certificate_pem}});
  OperatorIdentity operator_identity{
      identity->domain, *std::move(certificate),
      std::make_shared<const std::vector<Certificate>>(*std::move(roots)), std::move(provider)};
  return std::unique_ptr<Fleet>(std::make_unique<GrpcFleet>(std::move(operator_identity), nodes));
}

}  // namespace trustline::controller
