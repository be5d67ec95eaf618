// Stands before every method of the server, also those that libraries bring along (health,
// reflection), and lets a call in only with its role.
#pragma once

#include "agent/service/authorizer.h"
#include "grpcpp/security/auth_context.h"
#include "grpcpp/security/auth_metadata_processor.h"

namespace trustline::agent {

// The PEM of the certificate the peer proved to hold; empty without one.
std::string PeerCertificate(const grpc::AuthContext& context);

// gRPC runs it before the message of a call is read. Safe for concurrent use; `authorizer` outlives
// the server.
class CallGuard final : public grpc::AuthMetadataProcessor {
 public:
  explicit CallGuard(const Authorizer& authorizer) : authorizer_(authorizer) {}

  bool IsBlocking() const override { return false; }  // two signatures checked; no input or output
  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* context,
                       OutputMetadata* consumed, OutputMetadata* response) override;

 private:
  const Authorizer& authorizer_;
};

}  // namespace trustline::agent
