#include "agent/transaction.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/file_image.h"
#include "agent/staged_name.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

class Run {
 public:
  Run(const Host& host, Hubs& hubs, StateFiles& state, Journal& journal,
      const StagedChanges& changes, v1::Generation generation, const TransactionHooks& hooks)
      : host_(host),
        hubs_(hubs),
        state_(state),
        journal_(journal),
        changes_(changes),
        hooks_(hooks) {
    *record_.mutable_generation() = std::move(generation);
  }

  TransactionResult Execute() {
    TransactionResult result;
    absl::StatusOr<v1::SavedImages> images = SaveDiffering();
    if (!images.ok()) {
      result.failure = {images.status(), culprit_};
      return result;
    }
    if (images->files().empty() && changes_.effects().empty()) {
      result.failure = hooks_.verify();
      return result;
    }
    const absl::StatusOr<uint64_t> number = Generations(state_).NextNumber();
    if (!number.ok()) {
      result.failure = {number.status(), ""};
      return result;
    }
    record_.mutable_generation()->set_number(*number);
    result.failure = Advance(*images);
    result.touched = touched_;
    if (committed_ != Commit::kNo) {
      if (committed_ == Commit::kUndecided) {
        result.put_back = result.failure.status;
      } else {
        result.generation = *number;
        // Proven and marked: what could not be recorded now is recorded before the next run.
        if (!result.failure.status.ok()) {
          result.warnings.push_back(
              absl::StrCat("to be recorded at the next start: ", result.failure.status.message()));
          result.failure = {};
        }
      }
      return result;
    }
    result.put_back = journal_.PutBack(record_, result.warnings, result.owed);
    return result;
  }

 private:
  enum class Commit { kNo, kYes, kUndecided };

  // The previous images of what will differ, which also fills the generation's list of files.
  absl::StatusOr<v1::SavedImages> SaveDiffering() {
    v1::SavedImages images;
    for (const auto& [path, write] : changes_.writes()) {
      culprit_ = write.resources.back();
      TL_ASSIGN_OR_RETURN(const MaybeImage present, ReadImage(host_.files, path));
      if (present == write.image) continue;
      *images.add_files() = SaveImage(path, present);
      v1::TouchedFile* file = record_.mutable_generation()->add_files();
      file->set_path(path);
      file->set_written(ImageDigest(write.image));
      for (const std::string& resource : write.resources) file->add_resources(resource);
    }
    for (const StagedEffect& staged : changes_.effects()) {
      v1::DoneEffect* effect = record_.mutable_generation()->add_effects();
      effect->set_resource(staged.resource);
      effect->set_kind(staged.kind);
      effect->set_description(staged.description);
      effect->set_undo_argument(staged.undo_argument);
    }
    culprit_.clear();
    return images;
  }

  bool Cancelled() const { return hooks_.cancelled && hooks_.cancelled(); }
  static StepFailure CancelledFailure() {
    return {absl::CancelledError("cancelled before it was finished"), ""};
  }
  void Progress(const std::string& line) const {
    if (hooks_.progress) hooks_.progress(line);
  }

  absl::Status Record(v1::Journal::Phase phase) {
    record_.set_phase(phase);
    return journal_.Write(record_);
  }

  StepFailure Advance(const v1::SavedImages& images) {
    const uint64_t number = record_.generation().number();
    if (absl::Status s = state_.Write(Generations::ImagesPath(number), images); !s.ok()) {
      return {s, ""};
    }
    if (absl::Status s = Record(v1::Journal::PHASE_STAGING); !s.ok()) return {s, ""};
    if (StepFailure f = StageFiles(); !f.status.ok()) return f;
    if (absl::Status s = Record(v1::Journal::PHASE_PREPARED); !s.ok()) return {s, ""};
    if (Cancelled()) return CancelledFailure();
    if (StepFailure f = ReplaceFiles(); !f.status.ok()) return f;
    if (StepFailure f = Act(); !f.status.ok()) return f;
    if (Cancelled()) return CancelledFailure();
    if (StepFailure f = hooks_.verify(); !f.status.ok()) return f;
    if (Cancelled()) return CancelledFailure();
    return CommitNow();
  }

  StepFailure StageFiles() {
    auto& files = *record_.mutable_generation()->mutable_files();
    for (v1::TouchedFile& file : files) {
      const StagedWrite& write = changes_.writes().at(file.path());
      if (!write.image.has_value()) continue;
      absl::StatusOr<std::string> staged = host_.files.Stage(file.path(), *write.image);
      if (!staged.ok()) return {staged.status(), write.resources.back()};
      file.set_staged(*std::move(staged));
    }
    return {};
  }

  StepFailure ReplaceFiles() {
    std::set<std::string> directories;
    for (const v1::TouchedFile& file : record_.generation().files()) {
      touched_ = true;
      const absl::Status status = file.staged().empty()
                                      ? host_.files.Remove(file.path())
                                      : host_.files.Rename(file.staged(), file.path());
      if (!status.ok()) return {status, file.resources(file.resources_size() - 1)};
      if (directories.insert(DirectoryOf(file.path())).second) Progress(file.path());
    }
    for (const std::string& directory : directories) {
      if (absl::Status s = host_.files.SyncDirectory(directory); !s.ok()) return {s, ""};
    }
    return {};
  }

  StepFailure Act() {
    for (size_t i = 0; i < changes_.effects().size(); ++i) {
      const StagedEffect& effect = changes_.effects()[i];
      if (Cancelled()) return CancelledFailure();
      Progress(effect.description);
      v1::DoneEffect* mark = record_.mutable_generation()->mutable_effects(static_cast<int>(i));
      mark->set_started(true);
      if (!effect.undo_argument.empty()) {
        if (absl::Status s = Record(v1::Journal::PHASE_PREPARED); !s.ok()) {
          mark->set_started(false);
          return {s, effect.resource};
        }
      }
      touched_ = true;
      if (absl::Status s = effect.act(host_, hubs_); !s.ok()) return {s, effect.resource};
    }
    return {};
  }

  StepFailure CommitNow() {
    for (v1::TouchedFile& file : *record_.mutable_generation()->mutable_files()) {
      file.clear_staged();
    }
    const v1::Generation& generation = record_.generation();
    absl::StatusOr<std::vector<v1::StateWrite>> writes =
        Generations(state_).CommitWrites(generation);
    if (!writes.ok()) return {writes.status(), ""};
    absl::StatusOr<std::vector<v1::StateWrite>> more = hooks_.on_commit(generation);
    if (!more.ok()) return {more.status(), ""};
    for (v1::StateWrite& write : *writes) *record_.add_on_commit() = std::move(write);
    for (v1::StateWrite& write : *more) *record_.add_on_commit() = std::move(write);
    if (absl::Status s = Record(v1::Journal::PHASE_COMMITTED); !s.ok()) {
      // The mark may be on disk or not. Before anything is put back it must surely not be; where
      // even that cannot be written the next start decides: both ways are whole.
      record_.clear_on_commit();
      const absl::Status revoked = Record(v1::Journal::PHASE_PREPARED);
      if (revoked.ok()) return {s, ""};
      committed_ = Commit::kUndecided;
      return {absl::Status(s.code(), absl::StrCat(s.message(), "; ", revoked.message(),
                                                  "; the next start decides")),
              ""};
    }
    committed_ = Commit::kYes;
    return {journal_.Finish(record_), ""};
  }

  const Host& host_;
  Hubs& hubs_;
  StateFiles& state_;
  Journal& journal_;
  const StagedChanges& changes_;
  const TransactionHooks& hooks_;
  v1::Journal record_;
  std::string culprit_;
  bool touched_ = false;
  Commit committed_ = Commit::kNo;
};

}  // namespace

TransactionResult RunTransaction(const Host& host, Hubs& hubs, StateFiles& state, Journal& journal,
                                 const StagedChanges& changes, v1::Generation generation,
                                 const TransactionHooks& hooks) {
  return Run(host, hubs, state, journal, changes, std::move(generation), hooks).Execute();
}

}  // namespace trustline::agent
