#include "agent/document_store.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "trust/envelope.h"
#include "trust/sha256.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

constexpr char kDirectory[] = "documents";

// Whether every earlier stage that has resources of this node is behind `through`.
bool FollowsOn(const v1::DesiredState& document, uint32_t through, uint32_t stage) {
  for (const v1::Resource& resource : document.resources()) {
    if (resource.stage() > through && resource.stage() < stage) return false;
  }
  return true;
}

uint32_t LastStage(const v1::DesiredState& document) {
  uint32_t last = 0;
  for (const v1::Resource& resource : document.resources()) {
    last = std::max(last, resource.stage());
  }
  return last;
}

uint32_t StageOf(const v1::DesiredState& document, const std::string& id) {
  for (const v1::Resource& resource : document.resources()) {
    if (resource.id() == id) return resource.stage();
  }
  return 0;
}

}  // namespace

v1::StoredDocument AfterStage(const v1::StoredDocument& stored, const ReceivedDocument& received,
                              const StageProgress& progress) {
  v1::StoredDocument next = stored;
  next.set_playbook(received.state.playbook());
  const bool known =
      !stored.layers().empty() && PayloadDigest(stored.layers(0).document()) == received.digest;
  v1::DocumentLayer top;
  if (known) {
    top = stored.layers(0);
  } else {
    *top.mutable_document() = received.envelope;
  }
  const uint32_t through = top.through_stage();
  std::set<std::string> touched(top.touched().begin(), top.touched().end());
  bool moved = false;
  if (progress.stage > through) {
    if (progress.passed && FollowsOn(received.state, through, progress.stage)) {
      top.set_through_stage(progress.stage);
      moved = true;
      for (auto it = touched.begin(); it != touched.end();) {
        it = StageOf(received.state, *it) <= progress.stage ? touched.erase(it) : std::next(it);
      }
    } else {
      for (const std::string& id : progress.settled) moved |= touched.insert(id).second;
    }
  }
  if (!moved) return stored;
  top.clear_touched();
  for (const std::string& id : touched) top.add_touched(id);
  top.set_checked_unix(absl::ToUnixSeconds(progress.now));

  next.clear_layers();
  *next.add_layers() = top;
  if (top.through_stage() < LastStage(received.state)) {
    uint32_t covered = top.through_stage();
    for (int i = known ? 1 : 0; i < stored.layers_size(); ++i) {
      const v1::DocumentLayer& older = stored.layers(i);
      if (older.through_stage() <= covered) continue;
      covered = older.through_stage();
      *next.add_layers() = older;
    }
  }
  if (stored.run_id() != progress.run_id) {
    next.set_run_id(progress.run_id);
    *next.mutable_before_run() = stored.layers();
  }
  return next;
}

v1::StoredDocument BeforeRun(const v1::StoredDocument& stored, absl::string_view run_id) {
  v1::StoredDocument before;
  before.set_playbook(stored.playbook());
  *before.mutable_layers() =
      stored.run_id() == run_id && !run_id.empty() ? stored.before_run() : stored.layers();
  return before;
}

v1::StoredDocument BeforeStage(const v1::StoredDocument& stored,
                               const v1::StoredDocument& before_run, uint32_t stage) {
  v1::DesiredState state;
  if (stored.layers().empty() || !state.ParseFromString(stored.layers(0).document().payload())) {
    return before_run;
  }
  const std::string digest = PayloadDigest(stored.layers(0).document());
  const bool known =
      !before_run.layers().empty() && PayloadDigest(before_run.layers(0).document()) == digest;
  if (known && before_run.layers(0).through_stage() >= stage) return before_run;
  v1::DocumentLayer top = stored.layers(0);
  uint32_t through = known ? before_run.layers(0).through_stage() : 0;
  for (const v1::Resource& resource : state.resources()) {
    if (resource.stage() < stage && resource.stage() <= top.through_stage()) {
      through = std::max(through, resource.stage());
    }
  }
  top.set_through_stage(through);
  top.clear_touched();
  for (const std::string& id : stored.layers(0).touched()) {
    if (StageOf(state, id) != stage) top.add_touched(id);
  }
  // Nothing of the run's document is left in force.
  if (through == 0 && top.touched().empty()) return before_run;
  v1::StoredDocument before;
  before.set_playbook(stored.playbook());
  *before.add_layers() = std::move(top);
  for (int i = known ? 1 : 0; i < before_run.layers_size(); ++i) {
    if (before_run.layers(i).through_stage() > through) *before.add_layers() = before_run.layers(i);
  }
  return before;
}

uint32_t ThroughStage(const v1::StoredDocument& stored, absl::string_view digest) {
  if (stored.layers().empty() || PayloadDigest(stored.layers(0).document()) != digest) return 0;
  return stored.layers(0).through_stage();
}

absl::StatusOr<std::vector<LayerInForce>> InForce(const v1::StoredDocument& stored) {
  std::vector<LayerInForce> layers;
  layers.reserve(static_cast<size_t>(stored.layers_size()));  // elements stay where they are
  std::set<std::string> declared;
  uint32_t covered = 0;
  for (const v1::DocumentLayer& stored_layer : stored.layers()) {
    LayerInForce layer;
    layer.document.envelope = stored_layer.document();
    layer.document.digest = PayloadDigest(stored_layer.document());
    if (!layer.document.state.ParseFromString(stored_layer.document().payload())) {
      return absl::DataLossError(
          absl::StrCat("the stored document of ", stored.playbook(), " cannot be read"));
    }
    layer.through_stage = stored_layer.through_stage();
    layer.checked = absl::FromUnixSeconds(stored_layer.checked_unix());
    const std::set<std::string> touched(stored_layer.touched().begin(),
                                        stored_layer.touched().end());
    layers.push_back(std::move(layer));
    LayerInForce& placed = layers.back();
    for (const v1::Resource& resource : placed.document.state.resources()) {
      const bool in_stages = resource.stage() > covered && resource.stage() <= placed.through_stage;
      if (!in_stages && touched.count(resource.id()) == 0) continue;
      if (declared.insert(resource.id()).second) placed.resources.push_back(&resource);
    }
    covered = std::max(covered, placed.through_stage);
  }
  return layers;
}

std::string DocumentStore::PathOf(const std::string& playbook) {
  const bool plain = !playbook.empty() && playbook.size() <= 100 &&
                     absl::ascii_isalnum(playbook[0]) &&
                     std::all_of(playbook.begin(), playbook.end(), [](unsigned char c) {
                       return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
                     });
  return absl::StrCat(kDirectory, "/", plain ? playbook : "_" + Sha256Hex(playbook));
}

absl::StatusOr<v1::StoredDocument> DocumentStore::Get(const std::string& playbook) const {
  v1::StoredDocument stored;
  const absl::Status status = state_.Read(PathOf(playbook), stored);
  if (!status.ok() && !absl::IsNotFound(status)) return status;
  stored.set_playbook(playbook);
  return stored;
}

absl::StatusOr<std::vector<v1::StoredDocument>> DocumentStore::All() const {
  TL_ASSIGN_OR_RETURN(const std::vector<std::string> names, state_.List(kDirectory));
  std::vector<v1::StoredDocument> all;
  for (const std::string& name : names) {
    v1::StoredDocument stored;
    const absl::Status status = state_.Read(absl::StrCat(kDirectory, "/", name), stored);
    if (absl::IsNotFound(status)) continue;  // removed meanwhile
    TL_RETURN_IF_ERROR(status);
    all.push_back(std::move(stored));
  }
  return all;
}

v1::StateWrite DocumentStore::WriteOf(const v1::StoredDocument& stored) {
  v1::StateWrite write;
  write.set_path(PathOf(stored.playbook()));
  write.set_remove(stored.layers().empty());
  if (!stored.layers().empty()) write.set_payload(stored.SerializeAsString());
  return write;
}

absl::Status DocumentStore::Put(const v1::StoredDocument& stored) {
  if (stored.layers().empty()) return state_.Remove(PathOf(stored.playbook()));
  return state_.Write(PathOf(stored.playbook()), stored);
}

}  // namespace trustline::agent
