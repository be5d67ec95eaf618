#include "agent/service/authorizer.h"

#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

struct MethodRule {
  absl::string_view method;
  v1::Role role;
};
// What agent.proto says of each method.
constexpr MethodRule kAgentMethods[] = {
    {"Describe", v1::ROLE_VIEWER},     {"Status", v1::ROLE_VIEWER},
    {"PlanStage", v1::ROLE_OPERATOR},  {"Lease", v1::ROLE_OPERATOR},
    {"ApplyStage", v1::ROLE_OPERATOR}, {"Rollback", v1::ROLE_OPERATOR},
    {"Probe", v1::ROLE_OPERATOR},      {"Judge", v1::ROLE_OPERATOR},
};

}  // namespace

std::string RoleName(v1::Role role) {
  switch (role) {
    case v1::ROLE_VIEWER:
      return "viewer";
    case v1::ROLE_OPERATOR:
      return "operator";
    case v1::ROLE_ADMIN:
      return "admin";
    default:
      return "none";
  }
}

Authorizer::Authorizer(std::function<NodeIdentity()> self, std::vector<v1::RoleBinding> bindings,
                       const Clock& clock)
    : self_(std::move(self)), clock_(clock), bindings_(std::move(bindings)) {}

void Authorizer::Bind(std::vector<v1::RoleBinding> bindings) {
  const std::lock_guard<std::mutex> lock(mutex_);
  bindings_ = std::move(bindings);
}

absl::StatusOr<Caller> Authorizer::Identify(absl::string_view certificate_pem) const {
  const absl::StatusOr<Certificate> certificate = Certificate::FromPem(certificate_pem);
  if (!certificate.ok())
    return absl::UnauthenticatedError(
        absl::StrCat("the caller's certificate: ", certificate.status().message()));
  absl::StatusOr<Identity> identity = IdentityOf(*certificate);
  if (!identity.ok()) {
    return absl::UnauthenticatedError(
        absl::StrCat("the caller's certificate ", certificate->subject(),
                     " names no trustline identity: ", identity.status().message()));
  }
  const NodeIdentity self = self_();
  if (const absl::Status chain = VerifyChain(*certificate, self.roots, clock_.Now()); !chain.ok()) {
    return absl::UnauthenticatedError(absl::StrCat(identity->ToUri(), ": ", chain.message()));
  }
  if (identity->domain != self.domain) {
    return absl::UnauthenticatedError(absl::StrCat(identity->ToUri(), " is of domain ",
                                                   identity->domain, ", node ", self.node,
                                                   " is of ", self.domain));
  }
  std::set<v1::Role> roles;
  if (identity->kind == IdentityKind::kOperator) {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const v1::RoleBinding& binding : bindings_) {
      if (binding.role() != v1::ROLE_UNSPECIFIED &&
          (binding.operator_() == "*" || binding.operator_() == identity->name))
        roles.insert(binding.role());
    }
  }
  return Caller{*std::move(identity), {roles.begin(), roles.end()}};
}

absl::StatusOr<Caller> Authorizer::Admit(absl::string_view certificate_pem,
                                         absl::string_view method) const {
  TL_ASSIGN_OR_RETURN(Caller caller, Identify(certificate_pem));
  if (absl::StartsWith(method, "/grpc.health.v1.Health/")) return caller;
  if (absl::StartsWith(method, "/grpc.reflection.")) {
    TL_RETURN_IF_ERROR(Demand(caller, v1::ROLE_OPERATOR, "reflection"));
    return caller;
  }
  absl::string_view name = method;
  if (absl::ConsumePrefix(&name, "/trustline.v1.Agent/")) {
    for (const MethodRule& rule : kAgentMethods) {
      if (rule.method != name) continue;
      TL_RETURN_IF_ERROR(Demand(caller, rule.role, name));
      return caller;
    }
  }
  return absl::PermissionDeniedError(absl::StrCat("no role may call ", method));
}

absl::Status Authorizer::Demand(const Caller& caller, v1::Role role, absl::string_view what) const {
  if (caller.Has(role)) return absl::OkStatus();
  std::vector<std::string> bound;
  for (const v1::Role each : caller.roles) bound.push_back(RoleName(each));
  const std::string node = self_().node;
  return absl::PermissionDeniedError(
      absl::StrCat(caller.identity.ToUri(), " lacks role ", RoleName(role), " on ", node,
                   ", which ", what, " needs; ",
                   bound.empty() ? "no role is bound to it"
                                 : absl::StrCat("it has ", absl::StrJoin(bound, ", "))));
}

}  // namespace trustline::agent
