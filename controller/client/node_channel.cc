#include "controller/client/node_channel.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpc/grpc.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/tls_credentials_options.h"
#include "grpcpp/support/channel_arguments.h"
#include "protos/wire/grpc_status.h"

namespace trustline::controller {
namespace {

// A report carries every change of a stage; far above what an agent says, far below what would
// hurt.
constexpr int kMaxReceiveBytes = 64 << 20;

std::string HostPort(const NodeAddress& address) {
  const bool ipv6 =
      address.host.find(':') != std::string::npos && !absl::StartsWith(address.host, "[");
  return ipv6 ? absl::StrCat("[", address.host, "]:", address.port)
              : absl::StrCat(address.host, ":", address.port);
}

// gRPC: "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Failed to
// connect to remote host: Connection refused". The last part is what happened.
std::string WhatHappened(const std::string& message) {
  const size_t colon = message.rfind(": ");
  std::string what = colon == std::string::npos ? message : message.substr(colon + 2);
  if (what.empty()) return "unreachable";
  what[0] = absl::ascii_tolower(static_cast<unsigned char>(what[0]));
  return what;
}

}  // namespace

NodeChannel::NodeChannel(const NodeAddress& address, const OperatorIdentity& identity)
    : node_(address.node),
      where_(absl::StrCat(address.node, " (", HostPort(address), ")")),
      operator_not_after_(identity.certificate.not_after()),
      verdict_(std::make_shared<HandshakeVerdict>()) {
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(identity.provider);
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_verify_server_certs(false);  // the verifier does it, and can say why not
  options.set_certificate_verifier(MakeAgentVerifier(
      {identity.domain, IdentityKind::kAgent, address.node}, identity.roots, verdict_));
  options.set_check_call_host(false);  // an agent is known by its name, not by its address

  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // the agent must see the operator, not a proxy
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  // The name in the agent's certificate, not the address it is reached at, else the agent's library
  // warns about every connection.
  arguments.SetSslTargetNameOverride(address.node);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL,
                   1);                           // two names at one address are two channels
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);  // what is retried is the rollout's decision
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS,
                   5000);  // also how long one attempt to connect may take
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5000);
  arguments.SetMaxReceiveMessageSize(kMaxReceiveBytes);
  channel_ = grpc::CreateCustomChannel(absl::StrCat("dns:///", HostPort(address)),
                                       grpc::experimental::TlsCredentials(options), arguments);
  stub_ = v1::Agent::NewStub(channel_);
}

absl::Status NodeChannel::Explain(const grpc::Status& status, absl::Duration timeout) const {
  absl::Status plain = FromGrpc(status);
  switch (plain.code()) {
    case absl::StatusCode::kOk:
      return plain;
    case absl::StatusCode::kUnavailable: {
      if (const absl::Status verdict = verdict_->Get(); !verdict.ok())
        return absl::UnauthenticatedError(absl::StrCat(where_, ": ", verdict.message()));
      const std::string message(plain.message());
      if (absl::StrContains(message, "Socket closed") ||
          absl::StrContains(message, "Connection reset by peer") ||
          absl::StrContains(message, "Broken pipe")) {
        if (operator_not_after_ <= absl::Now()) {
          return absl::UnauthenticatedError(
              absl::StrCat(where_, ": the operator's certificate expired on ",
                           absl::FormatTime("%Y-%m-%d", operator_not_after_, absl::UTCTimeZone())));
        }
        // An agent that refuses a certificate at the handshake can only hang up.
        return absl::UnavailableError(
            absl::StrCat(where_,
                         ": connection closed by the agent (stopped, or it does not accept this "
                         "operator's certificate: see its log)"));
      }
      if (absl::StrContains(message, "connect") || absl::StrContains(message, "resol") ||
          absl::StrContains(message, "DNS")) {
        return absl::UnavailableError(absl::StrCat(where_, ": ", WhatHappened(message)));
      }
      return absl::UnavailableError(
          absl::StrCat(where_, ": ", message));  // the agent's own words: it is draining
    }
    case absl::StatusCode::kDeadlineExceeded:
      return absl::DeadlineExceededError(absl::StrCat(
          where_, ": no answer within ", absl::FormatDuration(timeout),
          channel_->GetState(false) == GRPC_CHANNEL_READY ? "" : ", not even a connection"));
    case absl::StatusCode::kCancelled:
      return absl::CancelledError(absl::StrCat(node_, ": cancelled"));
    default:
      return absl::Status(plain.code(), absl::StrCat(node_, ": ", plain.message()));
  }
}

}  // namespace trustline::controller
