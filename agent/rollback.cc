// Undoing the last changing run of a node, as one transaction of its own.

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "agent/converger_impl.h"
#include "agent/file_image.h"
#include "agent/hold.h"
#include "agent/hub_pass.h"
#include "protos/generic/kinds.h"
#include "trust/envelope.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

// What a generation's change looks like when it is taken back.
v1::Change Inverse(const v1::Change& change) {
  v1::Change inverse = change;
  if (change.action() == v1::Change::ACTION_ADD) {
    inverse.set_action(v1::Change::ACTION_REMOVE);
  } else if (change.action() == v1::Change::ACTION_REMOVE) {
    inverse.set_action(v1::Change::ACTION_ADD);
  }
  const auto arrow = [](const std::string& from, const std::string& to) {
    return absl::StrCat(from.empty() ? "not set" : from, " -> ", to.empty() ? "not set" : to);
  };
  for (v1::FieldChange& field : *inverse.mutable_fields()) {
    const std::string forth = arrow(field.before(), field.after());
    std::swap(*field.mutable_before(), *field.mutable_after());
    // Kinds that describe an update say "X -> Y" as here (agent/resource_kind.h, Describe).
    inverse.set_text(
        absl::StrReplaceAll(inverse.text(), {{forth, arrow(field.before(), field.after())}}));
  }
  return inverse;
}

// A file on its way back: from what the newest generation wrote to what was there before the
// oldest.
struct WayBack {
  std::string written;        // digest the file must still have
  std::string before_digest;  // of the image below
  MaybeImage before;
  std::set<std::string> resources;
};

// The node's files as they will be once everything is put back.
class RestoredFiles final : public FileView {
 public:
  RestoredFiles(const FileView& present, const std::map<std::string, WayBack>& ways)
      : present_(present), ways_(ways) {}
  absl::StatusOr<FileImage> Read(const std::string& path) const override {
    const auto way = ways_.find(path);
    if (way == ways_.end()) return present_.Read(path);
    if (!way->second.before.has_value()) return absl::NotFoundError(path);
    return *way->second.before;
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) const override {
    return present_.List(directory);
  }

 private:
  const FileView& present_;
  const std::map<std::string, WayBack>& ways_;
};

// The generations of one run that a rollback takes back, newest first, and what they come to.
struct Undoing {
  std::vector<v1::Generation> generations;
  std::map<std::string, WayBack> files;
  std::vector<v1::DoneEffect> effects;  // in the order to take them back
  std::set<std::string> kept;           // ids of resources whose trust stays
  std::set<std::string> undone;         // ids of resources that have something to put back
  std::map<std::string, std::string> changed_since;  // path -> id
  // Changed this node after what is to be undone, and is to be rolled back before it.
  std::string later_run;
};

bool Keeps(const v1::Generation& generation, const std::string& id) {
  for (const v1::GenerationResource& resource : generation.resources()) {
    if (resource.id() == id) return resource.keeps_trust();
  }
  return false;
}

// Whether this generation's part of a resource is still to be taken back.
bool StillThere(const v1::Generation& generation, const std::string& id) {
  return !generation.rolled_back() || (generation.trust_kept() && Keeps(generation, id));
}

// Whether rolling this generation back would put anything back.
bool HasWayBack(const v1::Generation& generation, bool include_trust) {
  const auto goes = [&](const std::string& id) {
    return StillThere(generation, id) && (include_trust || !Keeps(generation, id));
  };
  for (const v1::TouchedFile& file : generation.files()) {
    if (std::all_of(file.resources().begin(), file.resources().end(), goes)) return true;
  }
  for (const v1::DoneEffect& effect : generation.effects()) {
    if (!effect.undo_argument().empty() && goes(effect.resource())) return true;
  }
  return false;
}

// `of_run` empty: the newest run that is not undone. `only_stage` 0: all of the run.
absl::StatusOr<Undoing> Collect(const Generations& store, bool include_trust,
                                const std::string& of_run, uint32_t only_stage) {
  TL_ASSIGN_OR_RETURN(const std::vector<v1::Generation> all, store.All());
  Undoing undoing;
  std::string wanted = of_run, later;
  for (const v1::Generation& generation : all) {
    const bool open = !generation.rolled_back() || (include_trust && generation.trust_kept());
    if (generation.is_rollback() || !open) continue;
    if (wanted.empty()) wanted = generation.run_id();
    if (generation.run_id() == wanted && (only_stage == 0 || generation.stage() == only_stage)) {
      undoing.generations.push_back(generation);
      // What changed between two generations of the run is later than the older one.
      if (!of_run.empty()) undoing.later_run = later;
    } else if (later.empty() && HasWayBack(generation, include_trust)) {
      later = generation.run_id() == wanted
                  ? absl::StrCat(generation.run_id(), " (stage ", generation.stage(), ")")
                  : generation.run_id();
    }
  }
  if (!undoing.later_run.empty()) return undoing;
  for (const v1::Generation& generation : undoing.generations) {
    TL_ASSIGN_OR_RETURN(const v1::SavedImages images, store.Images(generation.number()));
    std::map<std::string, const v1::SavedFile*> saved;
    for (const v1::SavedFile& file : images.files()) saved[file.path()] = &file;
    for (const v1::GenerationResource& resource : generation.resources()) {
      if (resource.keeps_trust() && !include_trust) undoing.kept.insert(resource.id());
    }
    for (const v1::TouchedFile& file : generation.files()) {
      bool stays = false;
      for (const std::string& id : file.resources()) {
        stays |= undoing.kept.count(id) != 0 || !StillThere(generation, id);
      }
      if (stays) continue;
      if (saved.count(file.path()) == 0) {
        return absl::DataLossError(
            absl::StrCat("generation ", generation.number(), " has no image of ", file.path()));
      }
      const auto [it, first] = undoing.files.try_emplace(file.path());
      WayBack& way = it->second;
      if (first) {
        way.written = file.written();
      } else if (way.before_digest != file.written()) {
        // Between two generations of the run somebody else wrote it.
        undoing.changed_since[file.path()] = file.resources(0);
      }
      way.before = LoadImage(*saved[file.path()]);
      way.before_digest = ImageDigest(way.before);
      way.resources.insert(file.resources().begin(), file.resources().end());
      undoing.undone.insert(file.resources().begin(), file.resources().end());
    }
    for (auto effect = generation.effects().rbegin(); effect != generation.effects().rend();
         ++effect) {
      if (effect->undo_argument().empty() || undoing.kept.count(effect->resource()) != 0 ||
          !StillThere(generation, effect->resource())) {
        continue;
      }
      bool known = false;
      for (const v1::DoneEffect& other : undoing.effects) {
        known |= other.kind() == effect->kind() && other.undo_argument() == effect->undo_argument();
      }
      if (!known) undoing.effects.push_back(*effect);
      undoing.undone.insert(effect->resource());
    }
  }
  return undoing;
}

// After the commit, so that a failed proof never brings the undone state back: what was put back is
// asked for where its kind can ask.
void ProveUndone(const std::vector<v1::DoneEffect>& effects, const KindRegistry& kinds,
                 const std::string& node, const HostView& host, Prover& prover,
                 v1::StageReport& report) {
  for (const v1::DoneEffect& effect : effects) {
    std::vector<std::string> warnings;
    const absl::Status proven =
        FindResourceKind(kinds, effect.kind())
            ->ProveUndone(effect.undo_argument(), node, host, prover, warnings);
    for (v1::ResourceOutcome& outcome : *report.mutable_resources()) {
      if (outcome.id() != effect.resource()) continue;
      for (std::string& warning : warnings) outcome.add_warnings(std::move(warning));
      if (proven.ok()) continue;
      outcome.set_outcome(v1::OUTCOME_FAILED);
      outcome.clear_summary();
      outcome.add_reasons(absl::StrCat("put back, but not proven: ", proven.message()));
    }
  }
}

}  // namespace

absl::StatusOr<v1::StageReport> Converger::Impl::Rollback(const v1::RollbackStart& request,
                                                          const std::string& caller, Prover& prover,
                                                          const EventSink& events) {
  absl::MutexLock lock(&writing_);
  v1::StageReport report;
  report.set_node(identity_().node);
  report.set_run_id(request.run_id());
  report.set_started_unix_ms(absl::ToUnixMillis(host_.clock.Now()));
  const auto finish = [&] {
    for (const v1::ResourceOutcome& outcome : report.resources()) Emit(events, outcome);
    report.set_finished_unix_ms(absl::ToUnixMillis(host_.clock.Now()));
    return report;
  };
  if (request.stage() != 0 && request.of_run().empty()) {
    return absl::InvalidArgumentError("a stage is rolled back of a run that is named");
  }
  const std::string what =
      request.stage() == 0 ? absl::StrCat("run ", request.of_run())
                           : absl::StrCat("stage ", request.stage(), " of run ", request.of_run());
  TL_RETURN_IF_ERROR(SettleFirst(events));
  TL_ASSIGN_OR_RETURN(Undoing undoing, Collect(generations_, request.include_trust(),
                                               request.of_run(), request.stage()));
  if (undoing.generations.empty() || !undoing.later_run.empty()) {
    v1::ResourceOutcome* outcome = report.add_resources();
    outcome->set_id("rollback");
    outcome->set_kind("rollback");
    if (!undoing.later_run.empty()) {
      outcome->set_outcome(v1::OUTCOME_REFUSED);
      outcome->add_reasons(absl::StrCat("run ", undoing.later_run, " changed this node after ",
                                        what, "; roll back ", undoing.later_run, " first"));
    } else {
      outcome->set_outcome(v1::OUTCOME_UNCHANGED);
      outcome->set_summary(
          request.of_run().empty()
              ? "no run has changed anything here that is not undone already"
              : absl::StrCat(what, " has changed nothing here that is not undone already"));
    }
    return finish();
  }
  const v1::Generation& newest = undoing.generations.front();
  report.set_playbook(newest.playbook());
  report.set_stage(newest.stage());

  // A row per resource of the run, newest first.
  std::set<std::string> listed;
  for (const v1::Generation& generation : undoing.generations) {
    for (auto resource = generation.resources().rbegin(); resource != generation.resources().rend();
         ++resource) {
      if (!StillThere(generation, resource->id()) || !listed.insert(resource->id()).second) {
        continue;
      }
      v1::ResourceOutcome* outcome = report.add_resources();
      outcome->set_id(resource->id());
      outcome->set_kind(resource->kind());
      outcome->set_stage(generation.stage());
      outcome->set_task(resource->task());
      outcome->set_outcome(v1::OUTCOME_UNCHANGED);
      if (undoing.kept.count(resource->id()) != 0) {
        outcome->set_summary("kept: phones may need this trust on their way back");
      } else if (undoing.undone.count(resource->id()) == 0) {
        outcome->set_summary("nothing on this node to put back; what was published stays");
      } else {
        outcome->set_outcome(v1::OUTCOME_WOULD_CHANGE);
        outcome->set_summary(absl::StrCat(
            "as before ", request.of_run().empty() ? absl::StrCat("run ", newest.run_id()) : what));
        for (const v1::Change& change : resource->changes()) {
          *outcome->add_changes() = Inverse(change);
        }
      }
    }
  }
  if (undoing.undone.empty()) return finish();

  for (const auto& [path, way] : undoing.files) {
    TL_ASSIGN_OR_RETURN(const MaybeImage present, ReadImage(host_.files, path));
    const std::string digest = ImageDigest(present);
    if (digest != way.written) undoing.changed_since[path] = *way.resources.begin();
  }
  if (!undoing.changed_since.empty()) {
    for (v1::ResourceOutcome& outcome : *report.mutable_resources()) {
      if (outcome.outcome() != v1::OUTCOME_WOULD_CHANGE) continue;
      outcome.clear_changes();
      outcome.clear_summary();
      outcome.set_outcome(v1::OUTCOME_BLOCKED);
      for (const auto& [path, id] : undoing.changed_since) {
        if (undoing.files[path].resources.count(outcome.id()) == 0) continue;
        outcome.set_outcome(v1::OUTCOME_REFUSED);
        outcome.add_reasons(absl::StrCat(path, " was changed since run ", newest.run_id(),
                                         " wrote it; compare it and put it back by hand"));
      }
      if (outcome.reasons().empty()) {
        outcome.add_reasons("not tried: another file of the run was changed since");
      }
    }
    return finish();
  }

  std::map<std::string, VerdictEnd> until;
  if (!WayBackPermitted(request, caller, undoing.generations, undoing.undone,
                        RestoredFiles(host_.files, undoing.files), prover, until, report)) {
    return finish();
  }

  // The same transaction as any other: images, journal, effects, verification, generation.
  StagedChanges changes(host_.files);
  for (const auto& [path, way] : undoing.files) {
    const auto draft = changes.Begin(*way.resources.begin(), "");
    TL_RETURN_IF_ERROR(way.before.has_value() ? draft->WriteFile(path, *way.before)
                                              : draft->RemoveFile(path));
    changes.Accept(*draft);
  }
  for (const v1::DoneEffect& effect : undoing.effects) {
    const ResourceKind* kind = FindResourceKind(kinds_, effect.kind());
    if (kind == nullptr) {
      return absl::FailedPreconditionError(absl::StrCat("this agent does not offer ", effect.kind(),
                                                        ", which run ", newest.run_id(), " used"));
    }
    const auto draft = changes.Begin(effect.resource(), effect.kind());
    draft->AddEffect(absl::StrCat("take back: ", effect.description()), effect.undo_argument(),
                     [kind, argument = effect.undo_argument()](const Host& host, Hubs&) {
                       return kind->Undo(argument, host);
                     });
    changes.Accept(*draft);
  }
  v1::Generation generation;
  generation.set_run_id(request.run_id());
  generation.set_playbook(newest.playbook());
  generation.set_stage(newest.stage());
  generation.set_created_unix(absl::ToUnixSeconds(host_.clock.Now()));
  generation.set_is_rollback(true);
  generation.set_gate_override(request.override_gate());
  for (const v1::ResourceOutcome& outcome : report.resources()) {
    if (outcome.outcome() != v1::OUTCOME_WOULD_CHANGE) continue;
    v1::GenerationResource* resource = generation.add_resources();
    resource->set_id(outcome.id());
    resource->set_kind(outcome.kind());
    resource->set_task(outcome.task());
    *resource->mutable_changes() = outcome.changes();
  }

  // Documents as they were before the run (or its stage): the oldest generation of a playbook
  // knows.
  std::map<std::string, v1::StoredDocument> documents;
  for (const v1::Generation& undone : undoing.generations) {
    TL_ASSIGN_OR_RETURN(const v1::StoredDocument stored, documents_.Get(undone.playbook()));
    v1::StoredDocument before = request.stage() == 0
                                    ? undone.before_run()
                                    : BeforeStage(stored, undone.before_run(), request.stage());
    before.set_playbook(undone.playbook());
    before.set_run_id(request.run_id());
    *before.mutable_before_run() = stored.layers();
    documents[undone.playbook()] = std::move(before);
  }

  TransactionHooks hooks;
  hooks.progress = [&](const std::string& line) { Progress(events, line); };
  hooks.verify = [&]() -> StepFailure {
    for (const auto& [path, way] : undoing.files) {
      const absl::StatusOr<MaybeImage> present = ReadImage(host_.files, path);
      if (!present.ok()) return {present.status(), *way.resources.begin()};
      if (ImageDigest(*present) != way.before_digest) {
        return {
            absl::FailedPreconditionError(absl::StrCat(path, " does not hold what was put back")),
            *way.resources.begin()};
      }
    }
    return {};
  };
  hooks.on_commit = [&](const v1::Generation&) -> absl::StatusOr<std::vector<v1::StateWrite>> {
    std::vector<v1::StateWrite> writes;
    for (v1::Generation undone : undoing.generations) {
      bool kept = false;
      for (const v1::GenerationResource& resource : undone.resources()) {
        kept |= undoing.kept.count(resource.id()) != 0;
      }
      undone.set_rolled_back(true);
      undone.set_trust_kept(kept);
      v1::StateWrite& write = writes.emplace_back();
      write.set_path(Generations::RecordPath(undone.number()));
      write.set_payload(undone.SerializeAsString());
    }
    for (const auto& [playbook, document] : documents) {
      writes.push_back(DocumentStore::WriteOf(document));
    }
    v1::Hold hold;
    hold.set_reason(
        absl::StrCat(request.of_run().empty() ? absl::StrCat("run ", newest.run_id()) : what,
                     " was rolled back by run ", request.run_id(), "; the next apply lifts this"));
    hold.set_run_id(request.run_id());
    hold.set_since_unix(absl::ToUnixSeconds(host_.clock.Now()));
    writes.push_back(WriteOfHold(hold));
    return writes;
  };
  if (!WayBackStillPermitted(request, caller, until, report)) return finish();
  HubPass hubs(dialer_, request.secrets());
  const TransactionResult result =
      RunTransaction(host_, hubs, state_, journal_, changes, generation, hooks);
  const bool done = result.failure.status.ok() && result.put_back.ok();
  for (v1::ResourceOutcome& outcome : *report.mutable_resources()) {
    if (outcome.outcome() != v1::OUTCOME_WOULD_CHANGE) continue;
    if (done) {
      outcome.set_outcome(v1::OUTCOME_CHANGED);
    } else {
      std::string reason;
      outcome.clear_changes();
      outcome.clear_summary();
      outcome.set_outcome(FailedOutcome(result, outcome.id(), reason));
      outcome.add_reasons(reason);
    }
    for (const std::string& warning : result.warnings) outcome.add_warnings(warning);
  }
  report.set_generation(result.generation);
  if (done) ProveUndone(undoing.effects, kinds_, report.node(), host_.view(), prover, report);
  if (done && !documents[newest.playbook()].layers().empty()) {
    const v1::StoredDocument& restored = documents[newest.playbook()];
    report.set_through_stage(restored.layers(0).through_stage());
    report.set_document_sha256(PayloadDigest(restored.layers(0).document()));
  }
  return finish();
}

}  // namespace trustline::agent
