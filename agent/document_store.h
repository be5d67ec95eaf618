// The documents of this node, one record per playbook, and which part of which document is in
// force.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/state_files.h"
#include "protos/trustline/v1/desired_state.pb.h"
#include "protos/trustline/v1/node_state.pb.h"

namespace trustline::agent {

// A document as it was received.
struct ReceivedDocument {
  v1::Envelope envelope;
  std::string digest;  // of the payload
  v1::DesiredState state;
};

// What a stage's end means for the stored document.
struct StageProgress {
  uint32_t stage = 0;
  bool passed = false;               // every resource of the stage is converged
  std::vector<std::string> settled;  // ids that are converged
  std::string run_id;
  absl::Time now;
};

// Where a document stands after a stage. The older documents of the playbook stay below it for the
// stages it has not passed. Equal to `stored` when nothing moved.
v1::StoredDocument AfterStage(const v1::StoredDocument& stored, const ReceivedDocument& received,
                              const StageProgress& progress);

// The layers as they were before `run_id` first wrote them.
v1::StoredDocument BeforeRun(const v1::StoredDocument& stored, absl::string_view run_id);

// Through which stage a document with this digest has come; 0 when it is not the newest one.
uint32_t ThroughStage(const v1::StoredDocument& stored, absl::string_view digest);

// What `stored` becomes when one stage of the run that wrote it is put back: the run's document in
// force for its earlier stages, and what `before_run` had beyond them. Just `before_run` where the
// document had passed the stage before the run, or is no longer that of the run.
v1::StoredDocument BeforeStage(const v1::StoredDocument& stored,
                               const v1::StoredDocument& before_run, uint32_t stage);

// One layer's resources in force.
struct LayerInForce {
  ReceivedDocument document;
  uint32_t through_stage = 0;
  absl::Time checked;
  std::vector<const v1::Resource*>
      resources;  // of `document`; none that a newer layer declares too
};
// Newest first. DataLoss when a stored document cannot be read.
absl::StatusOr<std::vector<LayerInForce>> InForce(const v1::StoredDocument& stored);

// Thread-compatible.
class DocumentStore {
 public:
  explicit DocumentStore(StateFiles& state) : state_(state) {}

  static std::string PathOf(const std::string& playbook);
  // A record without layers when there is none.
  absl::StatusOr<v1::StoredDocument> Get(const std::string& playbook) const;
  // Ascending by file name.
  absl::StatusOr<std::vector<v1::StoredDocument>> All() const;
  // What makes `stored` the record; a record without layers is removed.
  static v1::StateWrite WriteOf(const v1::StoredDocument& stored);
  absl::Status Put(const v1::StoredDocument& stored);

 private:
  StateFiles& state_;
};

}  // namespace trustline::agent
