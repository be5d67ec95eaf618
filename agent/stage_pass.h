// One look at the resources of a stage: resolve, observe, compare. Planning and applying both begin
// with it, so that they cannot disagree.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/document_store.h"
#include "agent/gate/verdict_end.h"
#include "agent/hub_pass.h"
#include "agent/resource_kind.h"
#include "google/protobuf/message.h"
#include "protos/generic/kinds.h"
#include "protos/trustline/v1/report.pb.h"

namespace trustline::agent {

// A resource of the stage and what is known about it.
struct StageItem {
  const v1::Resource* resource = nullptr;
  const KindDescriptor* descriptor = nullptr;  // null: a kind this build does not know
  const ResourceKind* kind = nullptr;          // null: unsupported here
  bool selected = true;  // false: looked at only because a selected one needs it
  v1::ResourcePlan plan;
  std::unique_ptr<google::protobuf::Message> desired, present;
  VerdictEnd permitted_until;  // what its permission rests on
  absl::Status look;           // why the look failed, when the outcome is FAILED
};

// Thread-compatible. Everything passed in outlives it.
class StagePass {
 public:
  // `resources`: of `document`, in its order; `only`: ids to select, empty for all.
  // InvalidArgument: an id of `only`, `after` or `notified_by` that is not among them, or a circle.
  static absl::StatusOr<std::unique_ptr<StagePass>> Open(
      const ReceivedDocument& document, uint32_t stage,
      const std::vector<const v1::Resource*>& resources, const std::vector<std::string>& only,
      const NodeIdentity& self, const Host& host, HubDialer& dialer,
      const v1::SecretValues& secrets, const KindRegistry& kinds);

  // Looks at every resource in order. Reads only. `cancelled` (may be empty) is asked between
  // resources; what was not looked at is CANCELLED. Without `judging`, kinds that judge are taken
  // to have accepted: asking live servers on behalf of phones is for runs.
  void Look(const std::function<bool()>& cancelled, bool judging = true);

  // Selected resources only; the id covers the document, the stage, and what was desired and
  // present.
  v1::Plan MakePlan() const;

  // What stands against going on with an item, given what the ones it needs have become; empty when
  // nothing does.
  std::string BlockedBy(const StageItem& item) const;

  // After the effects: OK when nothing is left to do.
  absl::Status LookAgain(StageItem& item);
  absl::Status Prove(const StageItem& item, Prover& prover);
  absl::StatusOr<Permission> Permit(const StageItem& item, Prover& prover);
  absl::Status Stage(const StageItem& item, TransactionBuilder& transaction);

  std::vector<StageItem>& items() { return items_; }
  const std::vector<StageItem>& items() const { return items_; }
  Hubs& hubs() { return hubs_; }

 private:
  StagePass(const ReceivedDocument& document, uint32_t stage, const NodeIdentity& self,
            const Host& host, HubDialer& dialer, const v1::SecretValues& secrets);
  absl::Status Arrange(const std::vector<const v1::Resource*>& resources,
                       const std::vector<std::string>& only, const KindRegistry& kinds);
  void LookAt(StageItem& item);
  // `changing`: before the transaction, when what other items plan is still to come.
  PlanContext ContextOf(const StageItem& item, bool changing);
  const StageItem* Find(const std::string& id) const;

  const ReceivedDocument& document_;
  const uint32_t stage_;
  const NodeIdentity& self_;
  const HostView view_;
  const v1::SecretValues& secrets_;
  HubPass hubs_;
  std::vector<StageItem> items_;  // in the order to converge
};

// Whether an outcome of a look means that nothing is left to do.
bool Settled(const StageItem& item);

}  // namespace trustline::agent
