#include "agent/journal.h"

#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/file_image.h"
#include "agent/generations.h"
#include "agent/staged_name.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

constexpr char kJournal[] = "journal";
constexpr char kOwed[] = "owed";

bool SameEffect(const v1::DoneEffect& a, const v1::DoneEffect& b) {
  return a.kind() == b.kind() && a.undo_argument() == b.undo_argument();
}

}  // namespace

const ResourceKind* FindResourceKind(const KindRegistry& kinds, const std::string& name) {
  for (const auto& kind : kinds) {
    if (kind->name() == name) return kind.get();
  }
  return nullptr;
}

absl::StatusOr<std::optional<v1::Journal>> Journal::Read() const {
  v1::Journal journal;
  const absl::Status status = state_.Read(kJournal, journal);
  if (absl::IsNotFound(status)) return std::optional<v1::Journal>();
  TL_RETURN_IF_ERROR(status);
  return std::optional<v1::Journal>(std::move(journal));
}

absl::Status Journal::Write(const v1::Journal& journal) { return state_.Write(kJournal, journal); }

absl::StatusOr<v1::OwedEffects> Journal::Owed() const {
  v1::OwedEffects owed;
  const absl::Status status = state_.Read(kOwed, owed);
  if (!status.ok() && !absl::IsNotFound(status)) return status;
  return owed;
}

absl::StatusOr<std::string> Journal::Keep(const std::string& path, const FileImage& image) {
  std::string kept = KeptPath(path, ImageDigest(image));
  TL_ASSIGN_OR_RETURN(const std::string staged, host_.files.Stage(path, image));
  TL_RETURN_IF_ERROR(host_.files.Rename(staged, kept));
  TL_RETURN_IF_ERROR(host_.files.SyncDirectory(DirectoryOf(path)));
  return kept;
}

absl::Status Journal::RestoreFiles(const v1::Journal& journal, std::vector<std::string>& lines) {
  v1::SavedImages saved;
  TL_RETURN_IF_ERROR(state_.Read(Generations::ImagesPath(journal.generation().number()), saved));
  std::map<std::string, std::string> written;
  for (const v1::TouchedFile& file : journal.generation().files()) {
    written[file.path()] = file.written();
  }
  std::vector<std::string> problems;
  std::set<std::string> directories;
  const auto note = [&](const std::string& path, const absl::Status& status) {
    if (!status.ok()) problems.push_back(absl::StrCat(path, ": ", status.message()));
    return status.ok();
  };
  for (auto it = saved.files().rbegin(); it != saved.files().rend(); ++it) {
    const std::string& path = it->path();
    directories.insert(DirectoryOf(path));
    const MaybeImage before = LoadImage(*it);
    const absl::StatusOr<MaybeImage> present = ReadImage(host_.files, path);
    if (!note(path, present.status()) || *present == before) continue;
    // Neither ours nor from before: an admin's edit, after a crash perhaps hours later.
    if (present->has_value() && ImageDigest(*present) != written[path]) {
      const absl::StatusOr<std::string> kept = Keep(path, **present);
      if (!note(path, kept.status())) continue;
      lines.push_back(absl::StrCat(path,
                                   " was changed by somebody else meanwhile: that is kept as ",
                                   *kept, "; what was there before the run is put back"));
    }
    if (!before.has_value()) {
      note(path, host_.files.Remove(path));
      continue;
    }
    const absl::StatusOr<std::string> staged = host_.files.Stage(path, *before);
    if (note(path, staged.status())) note(path, host_.files.Rename(*staged, path));
  }
  // What waits beside the targets, also what a crash left before the journal could name it.
  for (const std::string& directory : directories) {
    const absl::StatusOr<std::vector<std::string>> names = host_.files.List(directory);
    if (absl::IsNotFound(names.status())) continue;
    if (!note(directory, names.status())) continue;
    for (const v1::SavedFile& file : saved.files()) {
      if (DirectoryOf(file.path()) != directory) continue;
      for (const std::string& name : *names) {
        if (!IsStagedName(name, NameOf(file.path()))) continue;
        const std::string stray = absl::StrCat(directory == "/" ? "" : directory, "/", name);
        note(stray, host_.files.Remove(stray));
      }
    }
    note(directory, host_.files.SyncDirectory(directory));
  }
  if (problems.empty()) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("could not be put back: ", absl::StrJoin(problems, "; ")));
}

absl::Status Journal::UndoEffect(const v1::DoneEffect& effect) {
  const ResourceKind* kind = FindResourceKind(kinds_, effect.kind());
  if (kind == nullptr) {
    return absl::UnimplementedError(absl::StrCat("this agent has no kind ", effect.kind()));
  }
  return kind->Undo(effect.undo_argument(), host_);
}

absl::Status Journal::PutBack(const v1::Journal& journal, std::vector<std::string>& lines,
                              std::map<std::string, std::string>& owed_by) {
  TL_RETURN_IF_ERROR(RestoreFiles(journal, lines));
  TL_ASSIGN_OR_RETURN(v1::OwedEffects owed, Owed());
  const int owed_before = owed.effects_size();
  std::vector<v1::DoneEffect> tried;
  const auto known = [](const auto& list, const v1::DoneEffect& effect) {
    for (const v1::DoneEffect& other : list) {
      if (SameEffect(other, effect)) return true;
    }
    return false;
  };
  const auto& effects = journal.generation().effects();
  for (auto it = effects.rbegin(); it != effects.rend(); ++it) {
    if (!it->started() || it->undo_argument().empty() || known(tried, *it)) continue;
    tried.push_back(*it);
    const absl::Status undone = UndoEffect(*it);
    if (undone.ok()) continue;
    lines.push_back(absl::StrCat(it->resource(), ": still to be taken back: ", it->description(),
                                 ": ", undone.message()));
    if (!known(owed.effects(), *it)) *owed.add_effects() = *it;
    for (const v1::DoneEffect& effect : effects) {
      if (SameEffect(effect, *it)) owed_by[effect.resource()] = std::string(undone.message());
    }
  }
  // Owed is on disk before the journal goes, so that it is never forgotten.
  if (owed.effects_size() != owed_before) TL_RETURN_IF_ERROR(state_.Write(kOwed, owed));
  TL_RETURN_IF_ERROR(state_.Remove(kJournal));
  return state_.Remove(Generations::ImagesPath(journal.generation().number()));
}

absl::Status Journal::Finish(const v1::Journal& journal) {
  for (const v1::StateWrite& write : journal.on_commit()) {
    TL_RETURN_IF_ERROR(write.remove() ? state_.Remove(write.path())
                                      : state_.WritePayload(write.path(), write.payload()));
  }
  return state_.Remove(kJournal);
}

absl::Status Journal::PayOwed(std::vector<std::string>& lines) {
  TL_ASSIGN_OR_RETURN(const v1::OwedEffects owed, Owed());
  if (owed.effects().empty()) return absl::OkStatus();
  v1::OwedEffects left;
  for (const v1::DoneEffect& effect : owed.effects()) {
    const absl::Status undone = UndoEffect(effect);
    if (undone.ok()) {
      lines.push_back(absl::StrCat(effect.resource(), ": taken back: ", effect.description()));
    } else {
      lines.push_back(absl::StrCat(effect.resource(), ": still to be taken back: ",
                                   effect.description(), ": ", undone.message()));
      *left.add_effects() = effect;
    }
  }
  if (left.effects().empty()) return state_.Remove(kOwed);
  if (left.effects_size() == owed.effects_size()) return absl::OkStatus();
  return state_.Write(kOwed, left);
}

absl::Status Journal::Settle(std::vector<std::string>& lines) {
  TL_ASSIGN_OR_RETURN(const std::optional<v1::Journal> open, Read());
  if (open.has_value()) {
    const v1::Generation& generation = open->generation();
    const std::string what = absl::StrCat("run ", generation.run_id(), ", ", generation.playbook(),
                                          " stage ", generation.stage(), ": ");
    if (open->phase() == v1::Journal::PHASE_COMMITTED) {
      TL_RETURN_IF_ERROR(Finish(*open));
      lines.push_back(absl::StrCat(what, "was proven before the interruption; finished"));
    } else {
      // Between the renames and an effect's mark the machine may have gone down, and its services
      // come up again with the new files: every effect may have happened without being marked.
      v1::Journal whole = *open;
      if (whole.phase() == v1::Journal::PHASE_PREPARED) {
        for (v1::DoneEffect& effect : *whole.mutable_generation()->mutable_effects()) {
          effect.set_started(true);
        }
      }
      std::map<std::string, std::string> owed;
      if (const absl::Status status = PutBack(whole, lines, owed); !status.ok()) {
        // The next try has nothing more to say about a file that this one kept and put back.
        return absl::Status(status.code(), absl::StrCat(status.message(), lines.empty() ? "" : "; ",
                                                        absl::StrJoin(lines, "; ")));
      }
      lines.push_back(absl::StrCat(what, "was interrupted; ", generation.files_size(),
                                   " files put back as they were"));
    }
  }
  return PayOwed(lines);
}

}  // namespace trustline::agent
