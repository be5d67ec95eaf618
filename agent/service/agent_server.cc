#include "agent/service/agent_server.h"

#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/log.h"
#include "agent/service/authorizer.h"
#include "agent/service/call_guard.h"
#include "agent/service/lease_table.h"
#include "grpc/support/log.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_credentials_options.h"
#include "protos/wire/grpc_status.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

constexpr uint32_t kDefaultMessageBytes = 8u << 20;  // agent_config.proto
constexpr const char* kDefaultListen = "0.0.0.0:9443";
constexpr unsigned kCredentialSeconds = 1;  // how often gRPC looks behind the link
// After the drain only what anybody may break is left: health watches, reads that nobody waits for
// any more.
constexpr std::chrono::seconds kLastCalls{2};

void GrpcLog(gpr_log_func_args* args) {
  Log(args->severity == GPR_LOG_SEVERITY_ERROR ? LogLevel::kWarning : LogLevel::kDebug,
      args->message, {{"library", "grpc"}});
}

// Why an address that gRPC could not listen on cannot be: gRPC keeps the reason to itself.
std::string WhyNotListening(const std::string& listen) {
  const size_t colon = listen.rfind(':');
  if (colon == std::string::npos) return "it has no port; write ADDRESS:PORT";
  std::string host = listen.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int rc = ::getaddrinfo(host.empty() ? nullptr : host.c_str(), listen.c_str() + colon + 1,
                               &hints, &found);
  if (rc != 0) return ::gai_strerror(rc);
  std::string why = "gRPC refused it";
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    const int fd = ::socket(each->ai_family, each->ai_socktype | SOCK_CLOEXEC, each->ai_protocol);
    if (fd < 0) continue;
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (::bind(fd, each->ai_addr, each->ai_addrlen) != 0 || ::listen(fd, 1) != 0) {
      why = errno == EADDRINUSE ? "the address is already in use: is another agent running?"
                                : std::strerror(errno);
    }
    ::close(fd);
  }
  ::freeaddrinfo(found);
  return why;
}

absl::Status WritePortFile(const std::string& path, int port) {
  const std::string fresh = absl::StrCat(path, ".new");
  const std::string text = absl::StrCat(port, "\n");
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("write port file ", fresh));
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  ::close(fd);
  if (!written) return absl::ErrnoToStatus(error, absl::StrCat("write port file ", fresh));
  if (std::rename(fresh.c_str(), path.c_str()) != 0)
    return absl::ErrnoToStatus(errno, absl::StrCat("write port file ", path));
  return absl::OkStatus();
}

}  // namespace

void RouteGrpcLog() { gpr_set_log_function(GrpcLog); }

class AgentServer::Impl {
 public:
  Impl(const v1::AgentConfig& config, AgentDescription description, const Clock& clock,
       const IdentityKeeper& identity, StageRunner& runner, DhcpProber& prober)
      : authorizer_([&identity] { return identity.Current(); },
                    {config.roles().begin(), config.roles().end()}, clock),
        leases_(clock),
        service_(std::move(description), authorizer_, leases_, runner, prober) {}

  ~Impl() {
    if (server_ != nullptr) Drain(absl::ZeroDuration());
  }

  absl::Status Start(const v1::AgentConfig& config, const IdentityKeeper& identity) {
    grpc::experimental::TlsServerCredentialsOptions options(
        std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
            identity.key_path(), identity.certificate_path(), identity.ca_path(),
            kCredentialSeconds));
    options.watch_root_certs();
    options.watch_identity_key_cert_pairs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    const std::shared_ptr<grpc::ServerCredentials> credentials =
        grpc::experimental::TlsServerCredentials(options);
    credentials->SetAuthMetadataProcessor(std::make_shared<CallGuard>(authorizer_));

    grpc::EnableDefaultHealthCheckService(true);
    static const bool reflecting = [] {
      grpc::reflection::InitProtoReflectionServerBuilderPlugin();
      return true;
    }();
    static_cast<void>(reflecting);

    const std::string listen = config.listen().empty() ? kDefaultListen : config.listen();
    const uint32_t max_bytes =
        config.max_message_bytes() == 0 ? kDefaultMessageBytes : config.max_message_bytes();
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(listen, credentials, &port);
    builder.RegisterService(&service_);
    builder.SetMaxReceiveMessageSize(static_cast<int>(std::min<uint32_t>(max_bytes, INT32_MAX)));
    // Without this a second agent would bind the same port and take every other call.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                               kPermittedPingIntervalMs);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port == 0) {
      server_.reset();
      return absl::FailedPreconditionError(
          absl::StrCat("cannot listen on ", listen, ": ", WhyNotListening(listen)));
    }
    port_ = static_cast<uint16_t>(port);
    if (!config.port_file().empty()) TL_RETURN_IF_ERROR(WritePortFile(config.port_file(), port));
    server_->GetHealthCheckService()->SetServingStatus(v1::Agent::service_full_name(), true);
    return absl::OkStatus();
  }

  bool Drain(absl::Duration patience) {
    if (drained_.exchange(true)) return true;
    server_->GetHealthCheckService()->SetServingStatus(false);
    service_.BeginDrain();
    const bool idle = service_.WaitIdle(patience);
    if (!idle) service_.CancelWork();
    server_->Shutdown(std::chrono::system_clock::now() + kLastCalls);
    server_->Wait();
    return idle;
  }

  uint16_t port() const { return port_; }
  void TakeRoles(const v1::AgentConfig& config) {
    authorizer_.Bind({config.roles().begin(), config.roles().end()});
  }

 private:
  Authorizer authorizer_;
  LeaseTable leases_;
  AgentService service_;
  std::unique_ptr<grpc::Server> server_;  // after what it serves
  uint16_t port_ = 0;
  std::atomic<bool> drained_{false};
};

absl::StatusOr<std::unique_ptr<AgentServer>> AgentServer::Start(
    const v1::AgentConfig& config, AgentDescription description, const Clock& clock,
    const IdentityKeeper& identity, StageRunner& runner, DhcpProber& prober) {
  auto impl =
      std::make_unique<Impl>(config, std::move(description), clock, identity, runner, prober);
  TL_RETURN_IF_ERROR(impl->Start(config, identity));
  return std::unique_ptr<AgentServer>(new AgentServer(std::move(impl)));
}

AgentServer::AgentServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AgentServer::~AgentServer() = default;
uint16_t AgentServer::port() const { return impl_->port(); }
void AgentServer::TakeRoles(const v1::AgentConfig& config) { impl_->TakeRoles(config); }
bool AgentServer::Drain(absl::Duration patience) { return impl_->Drain(patience); }

}  // namespace trustline::agent
