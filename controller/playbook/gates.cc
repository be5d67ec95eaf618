#include "controller/playbook/gates.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "controller/playbook/gate_evidence.h"
#include "trust/tftp_pointer_rules.h"

namespace trustline::controller {
namespace {

// What is served where in a stage: each pointer once, however many servers have it.
std::vector<v1::GatedPointer> PointersOf(const Drafts& drafts, uint32_t stage) {
  std::vector<v1::GatedPointer> pointers;
  std::set<std::string> seen;
  for (const auto& [node, of_node] : drafts) {
    for (const ResourceDraft& draft : of_node) {
      if (draft.stage->number != stage || !draft.resource.has_tftp_pointer()) continue;
      v1::GatedPointer pointer;
      *pointer.mutable_scope() = draft.resource.tftp_pointer().scope();
      *pointer.mutable_tftp_servers() = draft.resource.tftp_pointer().tftp_servers();
      if (seen.insert(pointer.SerializeAsString()).second) pointers.push_back(std::move(pointer));
    }
  }
  return pointers;
}

const StageDraft* StageOf(const std::vector<StageDraft>& stages, uint32_t number) {
  const auto found = std::find_if(stages.begin(), stages.end(),
                                  [&](const StageDraft& stage) { return stage.number == number; });
  return found == stages.end() ? nullptr : &*found;
}

}  // namespace

const Play& GateMaker::PlayOf(const Play& play) {
  const auto [entry, is_new] = plays_.try_emplace(&play);
  GatePlay& gate = entry->second;
  if (is_new) {
    gate.play.name = absl::StrCat("GATE [", play.name, "]");
    gate.play.span = play.gate_span;
    gate.task.kind = FindKind("trust_gate");
    gate.task.declared_at = play.gate_span;
    gate.play.tasks.push_back(gate.task);
  }
  return gate.play;
}

void GateMaker::Add(uint32_t gate, uint32_t guarded, GateSettings settings) {
  gates_.push_back({gate, guarded, std::move(settings), std::nullopt});
}

const GateMaker::Gate* GateMaker::GateOf(uint32_t guarded) const {
  const auto found = std::find_if(gates_.begin(), gates_.end(),
                                  [&](const Gate& gate) { return gate.guarded == guarded; });
  return found == gates_.end() ? nullptr : &*found;
}

const v1::TrustGateSpec* GateMaker::SpecFor(uint32_t guarded) const {
  const Gate* gate = GateOf(guarded);
  return gate != nullptr && gate->made ? &*gate->made : nullptr;
}

std::string GateMaker::PhonesFor(uint32_t guarded) const {
  const Gate* gate = GateOf(guarded);
  return gate == nullptr ? ""
                         : (std::filesystem::path(directory_) / gate->settings.phones).string();
}

void GateMaker::MakeDrafts(const std::vector<StageDraft>& stages, Drafts& drafts,
                           bool& input_missing) {
  std::map<std::string, int> names;
  EvidenceUses evidence;
  for (Gate& gate : gates_) {
    const StageDraft* stage = StageOf(stages, gate.number);
    const StageDraft* guarded = StageOf(stages, gate.guarded);
    if (stage == nullptr || guarded == nullptr) continue;
    const std::vector<v1::GatedPointer> pointers = PointersOf(drafts, gate.guarded);
    // No pointer on any host (a `when` that is false): nothing to judge.
    if (pointers.empty()) continue;
    v1::TrustGateSpec spec = gate.settings.spec;
    std::string name = guarded->wave_name.empty()
                           ? guarded->play->name
                           : absl::StrCat(guarded->play->name, ", wave ", guarded->wave_name);
    if (const int count = ++names[name]; count > 1) absl::StrAppend(&name, " (", count, ")");
    spec.set_name(name);
    for (const v1::GatedPointer& pointer : pointers) *spec.add_pointers() = pointer;
    if (!AddGateEvidence(directory_, gate.settings, spec, evidence, diagnostics_, input_missing)) {
      continue;
    }
    gate.made = spec;
    for (const std::string& judge : stage->hosts) {
      ResourceDraft draft;
      draft.task = &stage->play->tasks.front();
      draft.stage = stage;
      v1::Resource& resource = draft.resource;
      *resource.mutable_trust_gate() = spec;
      resource.set_stage(stage->number);
      resource.set_mode(v1::MODE_ENFORCE);
      const yaml::Span& span = draft.task->declared_at;
      v1::SourceSpan& place = *resource.mutable_declared_at();
      if (span.file != nullptr) {
        place.set_file(std::filesystem::path(span.file->name).filename().string());
      }
      place.set_line(span.line);
      place.set_column(span.column);
      drafts[judge].push_back(std::move(draft));
    }
  }
  if (!diagnostics_.has_errors()) WarnOfUnjudged(evidence, diagnostics_);
}

void GateMaker::LinkPointers(const std::vector<StageDraft>& stages, Drafts& drafts) const {
  for (const Gate& gate : gates_) {
    const StageDraft* stage = StageOf(stages, gate.number);
    if (stage == nullptr) continue;
    v1::GateDemand demand;
    demand.set_require_return(gate.settings.spec.require_return());
    for (const std::string& judge : stage->hosts) {
      for (const ResourceDraft& draft : drafts[judge]) {
        if (draft.stage != stage || !draft.resource.has_trust_gate()) continue;
        demand.set_gate(draft.resource.id());
        demand.add_judges(judge);
      }
    }
    for (auto& [node, of_node] : drafts) {
      for (ResourceDraft& draft : of_node) {
        if (draft.stage->number != gate.guarded || !draft.resource.has_tftp_pointer()) continue;
        *draft.resource.mutable_gate() = demand;
      }
    }
  }
}

}  // namespace trustline::controller
