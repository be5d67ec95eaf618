// Who may call what: the identity in the caller's certificate and the roles agent.yaml binds to it.
// No gRPC.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/host.h"
#include "agent/resource_kind.h"
#include "protos/trustline/v1/agent_config.pb.h"
#include "trust/identity.h"

namespace trustline::agent {

struct Caller {
  Identity identity;
  std::vector<v1::Role>
      roles;  // bound to it here, ascending, each once; an agent's identity has none

  bool Has(v1::Role role) const { return !roles.empty() && roles.back() >= role; }
};

// "viewer", "operator", "admin".
std::string RoleName(v1::Role role);

// Safe for concurrent use.
class Authorizer {
 public:
  // `self` is asked at each use: its roots say whom to believe now. `bindings` as in agent.yaml.
  Authorizer(std::function<NodeIdentity()> self, std::vector<v1::RoleBinding> bindings,
             const Clock& clock);

  // From the next call on. Connections stay: each call is judged anew.
  void Bind(std::vector<v1::RoleBinding> bindings);

  // Whom the certificate (PEM) names, with roles. It was checked by TLS when the connection was
  // made; a connection may live for long, so chain and dates are checked again here.
  // Unauthenticated: not one of this fleet's identities, or no more.
  absl::StatusOr<Caller> Identify(absl::string_view certificate_pem) const;

  // May `certificate_pem` call `method` ("/trustline.v1.Agent/Status")? Before any work, for every
  // method of the server. The role is what agent.proto says; health is open to every identity of
  // the fleet, reflection to operators, anything unknown to nobody. PermissionDenied names identity
  // and role.
  absl::StatusOr<Caller> Admit(absl::string_view certificate_pem, absl::string_view method) const;

  // OK when the caller has the role; PermissionDenied names identity and role. `what` says what
  // needs it.
  absl::Status Demand(const Caller& caller, v1::Role role, absl::string_view what) const;

 private:
  const std::function<NodeIdentity()> self_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::vector<v1::RoleBinding> bindings_;  // guarded by mutex_
};

}  // namespace trustline::agent
