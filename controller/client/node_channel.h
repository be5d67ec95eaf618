// One node's channel and what its errors mean.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "controller/client/agent_verifier.h"
#include "controller/compile.h"
#include "grpcpp/channel.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "protos/trustline/v1/agent.grpc.pb.h"

namespace trustline::controller {

// The operator's side of every handshake.
struct OperatorIdentity {
  std::string domain;
  Certificate certificate;
  std::shared_ptr<const std::vector<Certificate>> roots;
  std::shared_ptr<grpc::experimental::CertificateProviderInterface> provider;
};

// Dials at the first call. Safe for concurrent use.
class NodeChannel {
 public:
  NodeChannel(const NodeAddress& address, const OperatorIdentity& identity);

  v1::Agent::StubInterface::async_interface* stub() { return stub_->async(); }
  // gRPC's status in the words of fleet.h: names the node, and for what concerns the connection its
  // address; tells a wrong identity from an unreachable node.
  absl::Status Explain(const grpc::Status& status, absl::Duration timeout) const;

 private:
  const std::string node_, where_;  // "src-sub1", "src-sub1 (10.10.0.12:9443)"
  const absl::Time operator_not_after_;
  const std::shared_ptr<HandshakeVerdict> verdict_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Agent::Stub> stub_;
};

}  // namespace trustline::controller
