// Who speaks: the URI SANs of trustline's own certificates, and the chain to the fleet's CA.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "trust/certificate.h"

namespace trustline {

enum class IdentityKind { kAgent, kOperator };

// trustline://DOMAIN/agent/NODE or trustline://DOMAIN/operator/NAME.
struct Identity {
  std::string domain;
  IdentityKind kind = IdentityKind::kOperator;
  std::string name;

  std::string ToUri() const;
  friend bool operator==(const Identity&, const Identity&) = default;
};

// InvalidArgument unless `uri` has exactly the form above; DOMAIN and names are
// [A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?.
absl::StatusOr<Identity> ParseIdentityUri(absl::string_view uri);

// The one trustline identity of a certificate: exactly one URI SAN of our scheme; for an agent the
// DNS SANs must contain the node's name.
absl::StatusOr<Identity> IdentityOf(const Certificate& certificate);

// OK when `certificate` chains to one of `roots` and both are valid at `now`. PermissionDenied says
// why not ("expired on ...", "not issued by ...").
absl::Status VerifyChain(const Certificate& certificate, const std::vector<Certificate>& roots,
                         absl::Time now);

}  // namespace trustline
