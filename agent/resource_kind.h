// The contract of a resource kind on the node. A kind is stateless; one instance serves all
// resources and threads.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/gate/phone_networks.h"
#include "agent/host.h"
#include "google/protobuf/message.h"
#include "protos/trustline/v1/agent.pb.h"
#include "protos/trustline/v1/desired_state.pb.h"
#include "protos/trustline/v1/report.pb.h"
#include "trust/certificate.h"
#include "trust/hub.h"
#include "trust/private_key.h"

namespace trustline::agent {

// Who this node is: its name, and the identity it signs manifests with.
struct NodeIdentity {
  std::string node;
  std::string domain;
  Certificate certificate;
  PrivateKey key;
  std::vector<Certificate> roots;
};

// Hub connections of one pass over a stage: one per address, dialled at first use. Planning gets
// readers only.
class HubReaders {
 public:
  virtual ~HubReaders() = default;
  virtual absl::StatusOr<HubReader*> Reader(const v1::HubAddress& address) = 0;
};
class Hubs : public HubReaders {
 public:
  virtual absl::StatusOr<Hub*> Writer(const v1::HubAddress& address) = 0;
};

// Asks the run for a proof from another node: on the wire, or by its simulated phones. Planning has
// none.
class Prover {
 public:
  virtual ~Prover() = default;
  // Blocks until answered; Unavailable when nobody could ask.
  virtual absl::StatusOr<v1::ProbeResponse> Ask(const std::string& from_node,
                                                const v1::ProbeRequest& probe) = 0;
  // The sealed verdict of `judge`, unopened: whoever carried it could have made it up. Blocks;
  // Unavailable when the judge could not be asked, else its own refusal to answer.
  virtual absl::StatusOr<v1::Envelope> AskGate(const std::string& judge,
                                               const v1::GateQuestion& question) = 0;
};

// What a kind sees while resolving and observing. Everything outlives the call.
struct PlanContext {
  const v1::Resource& resource;
  const v1::DesiredState& document;
  const NodeIdentity& self;
  const HostView& host;
  HubReaders& hubs;
  const v1::SecretValues& secrets;
  // Digest of the desired content of another resource of the stage that was already planned, by id;
  // empty when unknown. For `service`.
  std::function<std::string(const std::string& id)> desired_digest_of;
  // Whether another resource of the stage is about to be changed. For `service`: what it loaded is
  // then out of date even where it had loaded the very same content before. Null: none is.
  std::function<bool(const std::string& id)> will_change = {};
  // Hex SHA-256 of the document's payload; what a verdict about its pointers is bound to.
  std::string document_digest = {};
};

struct Resolved {
  // Set: go on to Observe. Null: `verdict` says why not (PENDING, REFUSED, UNSUPPORTED), with
  // reasons.
  std::unique_ptr<google::protobuf::Message> desired;
  v1::Outcome verdict = v1::OUTCOME_UNSPECIFIED;
  std::vector<std::string> reasons;
  std::vector<std::string> warnings;
};

struct Observed {
  std::unique_ptr<google::protobuf::Message>
      present;          // same type as desired, restricted to what desired speaks of
  std::string summary;  // optional: "2 of 6 certificates missing"
  // Not empty: the difference cannot be closed by writing (a same-subject conflict, a configuration
  // changed by hand): refused.
  std::vector<std::string> refusals;
  std::vector<std::string> warnings;
  std::optional<v1::GateReport> gate;  // kinds that judge: what they came to
};

// Whether a change that phones will feel may be made now.
struct Permission {
  std::vector<std::string> refusals;  // not empty: it may not
  std::vector<std::string> warnings;
};

// Collects what a resource wants done; the transaction does it (agent/transaction.h).
class TransactionBuilder {
 public:
  virtual ~TransactionBuilder() = default;
  // Sets the whole content of a file, or its absence. Writing a path again replaces what was said
  // before. A path that another resource of the transaction writes may be written only after asking
  // Upcoming for it (so that both edits are kept); else AlreadyExists.
  virtual absl::Status WriteFile(const std::string& path, FileImage image) = 0;
  virtual absl::Status RemoveFile(const std::string& path) = 0;
  // What a path will hold when the transaction commits: staged by any resource so far, else the
  // host's. NotFound when absent or to be removed.
  virtual absl::StatusOr<FileImage> Upcoming(const std::string& path) const = 0;
  virtual absl::StatusOr<std::vector<std::string>> UpcomingList(
      const std::string& directory) const = 0;
  // An effect after the files are in place, in order. `undo_argument` is journalled and given to
  // ResourceKind::Undo when the transaction is put back, also after a crash; an effect that needs
  // no undo passes an empty one.
  virtual void AddEffect(std::string description, std::string undo_argument,
                         std::function<absl::Status(const Host&, Hubs&)> act) = 0;
};

class ResourceKind {
 public:
  virtual ~ResourceKind() = default;
  // The field name in Resource's oneof.
  virtual std::string name() const = 0;
  // Strings that no two resources of a node may share across documents ("tftp_pointer
  // subnet 10.30.0.0/24"). Empty: never collides.
  virtual std::vector<std::string> Claims(const v1::Resource& resource) const = 0;
  // Desired State from spec, topology, host and hub. An error status is `failed`; Unavailable
  // errors of the hub too.
  virtual absl::StatusOr<Resolved> Resolve(const PlanContext& context) const = 0;
  virtual absl::StatusOr<Observed> Observe(const PlanContext& context,
                                           const google::protobuf::Message& desired) const = 0;
  // Only called when the difference is not empty. Puts what closes it into `transaction`; touches
  // nothing itself.
  virtual absl::Status Stage(const PlanContext& context, const google::protobuf::Message& desired,
                             const google::protobuf::Message& present,
                             TransactionBuilder& transaction) const = 0;
  // Proof beyond looking at the host, after the effects, and for unchanged resources too. An error
  // puts the transaction back. Default: nothing to prove.
  virtual absl::Status Prove(const PlanContext& context, const google::protobuf::Message& desired,
                             Prover& prover) const;
  // Asked about a difference that is to be closed, with the run at hand, before anything of the
  // stage is staged. A refusal can be overridden by an admin and then becomes a warning. An error
  // is `failed`. Default: permitted.
  virtual absl::StatusOr<Permission> Permit(const PlanContext& context,
                                            const google::protobuf::Message& desired,
                                            const google::protobuf::Message& present,
                                            Prover& prover) const;
  // The same before what this resource did is taken back; of `context.document` only node and
  // playbook are known then. `restored`: the node's files as they will be. Default: permitted.
  virtual absl::StatusOr<Permission> PermitUndo(const PlanContext& context,
                                                const FileView& restored, Prover& prover) const;
  // Takes an effect back after the files were restored, by making the outside follow what the files
  // say now (reload, restart). Must be safe when the effect never happened and when it is repeated.
  // Not called for an empty argument. Default: OK.
  virtual absl::Status Undo(const std::string& undo_argument, const Host& host) const;
  // Proof beyond looking at the host that what an effect changed is as before, after a rollback
  // has committed: an error is reported and restores nothing. `node` is this node's name; what
  // could not be proven and why goes into `warnings`. Not called for an empty argument. Default:
  // nothing to prove.
  virtual absl::Status ProveUndone(const std::string& undo_argument, const std::string& node,
                                   const HostView& host, Prover& prover,
                                   std::vector<std::string>& warnings) const;
  // One line for an operator about a difference: "Phone-SAST-trust  CN=dst-pub;OU=...  serial
  // 5A0F91...  CallManager of dst-pub, expires 2031-04-02". Default: the change's own text, as the
  // difference of states gives it; without one its identity and fields.
  virtual std::string Describe(const v1::Change& change, const google::protobuf::Message& desired,
                               const google::protobuf::Message& present) const;
};

// The one list of kinds on the node: name -> implementation. A kind of the proto that is missing
// here is answered `unsupported`.
using KindRegistry = std::vector<std::unique_ptr<const ResourceKind>>;
// agent/resources/registry.cc. `phones`: what simulated phones talk to; null: the real servers.
KindRegistry MakeKindRegistry(std::shared_ptr<const PhoneNetworks> phones = nullptr);

}  // namespace trustline::agent
