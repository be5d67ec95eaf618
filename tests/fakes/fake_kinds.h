// Two kinds small enough to see through, for tests of what is around a kind.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/resource_kind.h"
#include "tests/fakes/fake_host.h"

namespace trustline::agent {

// Stands in for `tftp_pointer`: the file <directory>/<subnet, '/' as '_'> holds the servers, and
// the service "dhcp" has loaded it (a reload is its effect, with an undo). Asks the prover for
// "<servers>" when `prove` is set.
class FakePointerKind final : public ResourceKind {
 public:
  std::string PathOf(const v1::Resource& resource) const;
  // The service "dhcp" of `host` loads every pointer file when told to.
  static void Install(FakeHost& host);

  std::string name() const override { return "tftp_pointer"; }
  std::vector<std::string> Claims(const v1::Resource& resource) const override;
  absl::StatusOr<Resolved> Resolve(const PlanContext& context) const override;
  absl::StatusOr<Observed> Observe(const PlanContext& context,
                                   const google::protobuf::Message& desired) const override;
  absl::Status Stage(const PlanContext& context, const google::protobuf::Message& desired,
                     const google::protobuf::Message& present,
                     TransactionBuilder& transaction) const override;
  absl::Status Prove(const PlanContext& context, const google::protobuf::Message& desired,
                     Prover& prover) const override;
  absl::Status Undo(const std::string& undo_argument, const Host& host) const override;
  // Asks "probe" for `undone_subnet` when that is set, and compares with the file.
  absl::Status ProveUndone(const std::string& undo_argument, const std::string& node,
                           const HostView& host, Prover& prover,
                           std::vector<std::string>& warnings) const override;

  bool prove = false;
  std::string undone_subnet;
  std::string directory = "/etc/pointers";
  std::string loaded = "/run/dhcp-loaded";  // what the service has in memory, as files
};

// Stands in for `certificate`: the file <certificate_root>/<unit>/<name> holds `pem`, or is absent.
// The attribute user.origin says where it is from. Holds trust.
class FakeTrustKind final : public ResourceKind {
 public:
  static std::string PathOf(const v1::Resource& resource, const Layout& layout);

  std::string name() const override { return "certificate"; }
  std::vector<std::string> Claims(const v1::Resource& resource) const override;
  absl::StatusOr<Resolved> Resolve(const PlanContext& context) const override;
  absl::StatusOr<Observed> Observe(const PlanContext& context,
                                   const google::protobuf::Message& desired) const override;
  absl::Status Stage(const PlanContext& context, const google::protobuf::Message& desired,
                     const google::protobuf::Message& present,
                     TransactionBuilder& transaction) const override;

  std::string origin = "trustline";  // empty: no attribute, for file systems without them
  // When set, asked at the beginning of the step ("resolve", "observe", "stage") for a resource;
  // not OK is the step's answer.
  std::function<absl::Status(const std::string& step, const v1::Resource& resource)> interfere;
};

// Resources for them.
v1::Resource PointerResource(const std::string& subnet, const std::vector<std::string>& servers);
v1::Resource TrustResource(const std::string& unit, const std::string& name,
                           const std::string& content);

struct FakeKinds {
  FakeKinds();
  KindRegistry registry;
  FakePointerKind* pointer;  // in the registry
  FakeTrustKind* trust;
};

}  // namespace trustline::agent
