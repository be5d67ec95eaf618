#include "agent/service/call_guard.h"

#include <string>

#include "agent/service/call_record.h"
#include "grpc/grpc_security_constants.h"
#include "protos/wire/grpc_status.h"

namespace trustline::agent {

std::string PeerCertificate(const grpc::AuthContext& context) {
  const auto values = context.FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (values.size() != 1) return "";
  return std::string(values[0].data(), values[0].size());
}

grpc::Status CallGuard::Process(const InputMetadata& metadata, grpc::AuthContext* context,
                                OutputMetadata* /*consumed*/, OutputMetadata* /*response*/) {
  // The request's pseudo-header: "/package.Service/Method".
  const auto path = metadata.find(":path");
  const std::string method =
      path == metadata.end() ? "" : std::string(path->second.data(), path->second.size());
  const std::string certificate = context == nullptr ? "" : PeerCertificate(*context);
  const absl::StatusOr<Caller> admitted = authorizer_.Admit(certificate, method);
  if (admitted.ok()) return grpc::Status::OK;
  const absl::StatusOr<Caller> caller = authorizer_.Identify(certificate);
  CallRecord(method, caller.ok() ? caller->identity.ToUri() : "unknown").Finish(admitted.status());
  return ToGrpc(admitted.status());
}

}  // namespace trustline::agent
