#include "controller/client/agent_verifier.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "protos/wire/grpc_status.h"

namespace trustline::controller {
namespace {

class AgentVerifier final : public grpc::experimental::ExternalCertificateVerifier {
 public:
  AgentVerifier(Identity wanted, std::shared_ptr<const std::vector<Certificate>> roots,
                std::shared_ptr<HandshakeVerdict> verdict)
      : wanted_(std::move(wanted)), roots_(std::move(roots)), verdict_(std::move(verdict)) {}

  bool Verify(grpc::experimental::TlsCustomVerificationCheckRequest* request,
              std::function<void(grpc::Status)> /*callback*/, grpc::Status* sync_status) override {
    const grpc::string_ref pem = request->peer_cert();
    const absl::Status status =
        CheckAgent(wanted_, absl::string_view(pem.data(), pem.size()), *roots_, absl::Now());
    verdict_->Set(status);
    *sync_status = ToGrpc(status);
    return true;  // decided here and now
  }
  void Cancel(grpc::experimental::TlsCustomVerificationCheckRequest* /*request*/) override {
  }  // nothing is ever pending

 private:
  const Identity wanted_;
  const std::shared_ptr<const std::vector<Certificate>> roots_;
  const std::shared_ptr<HandshakeVerdict> verdict_;
};

}  // namespace

absl::Status CheckAgent(const Identity& wanted, absl::string_view certificate_pem,
                        const std::vector<Certificate>& roots, absl::Time now) {
  const std::string want = absl::StrCat("wanted ", wanted.ToUri());
  const absl::StatusOr<Certificate> certificate = Certificate::FromPem(certificate_pem);
  if (!certificate.ok())
    return absl::UnauthenticatedError(
        absl::StrCat(want, ", saw no readable certificate: ", certificate.status().message()));
  const absl::StatusOr<Identity> seen = IdentityOf(*certificate);
  const std::string saw =
      seen.ok() ? seen->ToUri() : absl::StrCat("a certificate of ", certificate->subject());
  if (const absl::Status chain = VerifyChain(*certificate, roots, now); !chain.ok()) {
    return absl::UnauthenticatedError(
        absl::StrCat(want, ", saw ", saw, ", which is not believed: ", chain.message()));
  }
  if (!seen.ok())
    return absl::UnauthenticatedError(
        absl::StrCat(want, ", saw ", saw, ": ", seen.status().message()));
  if (*seen != wanted) return absl::UnauthenticatedError(absl::StrCat(want, ", saw ", saw));
  const std::vector<std::string>& names = certificate->dns_names();
  if (std::find(names.begin(), names.end(), wanted.name) == names.end()) {
    return absl::UnauthenticatedError(
        absl::StrCat(want, ", saw ", saw, " without DNS name ", wanted.name));
  }
  return absl::OkStatus();
}

std::shared_ptr<grpc::experimental::CertificateVerifier> MakeAgentVerifier(
    Identity wanted, std::shared_ptr<const std::vector<Certificate>> roots,
    std::shared_ptr<HandshakeVerdict> verdict) {
  return grpc::experimental::ExternalCertificateVerifier::Create<AgentVerifier>(
      std::move(wanted), std::move(roots), std::move(verdict));
}

}  // namespace trustline::controller
