// Decides at the TLS handshake whether the peer is the agent that was dialled.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "grpcpp/security/tls_certificate_verifier.h"
#include "trust/certificate.h"
#include "trust/identity.h"

namespace trustline::controller {

// OK when `certificate_pem` chains to `roots` at `now`, and is the certificate of exactly `wanted`:
// its URI SAN, and the node's name among its DNS SANs. Unauthenticated otherwise; says which
// identity was wanted and which was seen. Pure.
absl::Status CheckAgent(const Identity& wanted, absl::string_view certificate_pem,
                        const std::vector<Certificate>& roots, absl::Time now);

// What the last handshake with one node came to. gRPC reports every failed handshake as
// UNAVAILABLE; this keeps the reason. Safe for concurrent use.
class HandshakeVerdict {
 public:
  void Set(absl::Status status) {
    std::lock_guard<std::mutex> lock(mutex_);
    status_ = std::move(status);
  }
  absl::Status Get() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return status_;
  }

 private:
  mutable std::mutex mutex_;
  absl::Status status_;
};

// gRPC's own chain check must be off (set_verify_server_certs(false)): it would come first and drop
// the connection without saying whose certificate it saw. This verifier does the whole check, chain
// and dates included; that the peer holds the key is proven by the handshake itself.
std::shared_ptr<grpc::experimental::CertificateVerifier> MakeAgentVerifier(
    Identity wanted, std::shared_ptr<const std::vector<Certificate>> roots,
    std::shared_ptr<HandshakeVerdict> verdict);

}  // namespace trustline::controller
