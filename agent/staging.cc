#include "agent/staging.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

// One spelling per file, so that two resources cannot write one file under two names.
absl::Status CheckSpelling(const std::string& path) {
  if (!absl::StartsWith(path, "/") || path.size() < 2) {
    return absl::InvalidArgumentError(absl::StrCat("'", path, "' is not an absolute path"));
  }
  for (absl::string_view part : absl::StrSplit(path.substr(1), '/')) {
    if (part.empty() || part == "." || part == "..") {
      return absl::InvalidArgumentError(
          absl::StrCat("'", path, "' is not a plain path: no empty, '.' or '..' parts"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::unique_ptr<StagedChanges::Draft> StagedChanges::Begin(std::string resource,
                                                           std::string kind) const {
  return std::unique_ptr<Draft>(new Draft(*this, std::move(resource), std::move(kind)));
}

bool StagedChanges::Accept(Draft& draft) {
  const bool anything = !draft.writes_.empty() || !draft.effects_.empty();
  for (auto& [path, image] : draft.writes_) {
    StagedWrite& write = writes_[path];
    write.image = std::move(image);
    write.resources.push_back(draft.resource_);
  }
  for (StagedEffect& effect : draft.effects_) effects_.push_back(std::move(effect));
  draft.writes_.clear();
  draft.effects_.clear();
  return anything;
}

absl::Status StagedChanges::Draft::Put(const std::string& path, MaybeImage image) {
  TL_RETURN_IF_ERROR(CheckSpelling(path));
  const auto other = accepted_.writes_.find(path);
  if (other != accepted_.writes_.end() && asked_.count(path) == 0) {
    return absl::AlreadyExistsError(
        absl::StrCat(path, " is already written by ", other->second.resources.back()));
  }
  writes_[path] = std::move(image);
  return absl::OkStatus();
}

absl::Status StagedChanges::Draft::WriteFile(const std::string& path, FileImage image) {
  return Put(path, std::move(image));
}

absl::Status StagedChanges::Draft::RemoveFile(const std::string& path) {
  return Put(path, std::nullopt);
}

absl::StatusOr<FileImage> StagedChanges::Draft::Upcoming(const std::string& path) const {
  asked_.insert(path);
  const MaybeImage* staged = nullptr;
  if (const auto own = writes_.find(path); own != writes_.end()) {
    staged = &own->second;
  } else if (const auto other = accepted_.writes_.find(path); other != accepted_.writes_.end()) {
    staged = &other->second.image;
  }
  if (staged == nullptr) return accepted_.files_.Read(path);
  if (!staged->has_value()) return absl::NotFoundError(absl::StrCat(path, " will be removed"));
  return **staged;
}

absl::StatusOr<std::vector<std::string>> StagedChanges::Draft::UpcomingList(
    const std::string& directory) const {
  std::set<std::string> names;
  const absl::StatusOr<std::vector<std::string>> present = accepted_.files_.List(directory);
  bool exists = present.ok();
  if (present.ok()) {
    names.insert(present->begin(), present->end());
  } else if (!absl::IsNotFound(present.status())) {
    return present.status();
  }
  const std::string prefix = directory == "/" ? directory : absl::StrCat(directory, "/");
  const auto apply = [&](const std::string& path, const MaybeImage& image) {
    absl::string_view name = path;
    if (!absl::ConsumePrefix(&name, prefix)) return;
    if (image.has_value()) {
      // A file further down makes the directories it needs.
      names.emplace(name.substr(0, name.find('/')));
      exists = true;
    } else {
      names.erase(std::string(name));
    }
  };
  for (const auto& [path, write] : accepted_.writes_) apply(path, write.image);
  for (const auto& [path, image] : writes_) apply(path, image);
  if (!exists) return absl::NotFoundError(absl::StrCat(directory, " does not exist"));
  return std::vector<std::string>(names.begin(), names.end());
}

void StagedChanges::Draft::AddEffect(std::string description, std::string undo_argument,
                                     std::function<absl::Status(const Host&, Hubs&)> act) {
  effects_.push_back(
      {resource_, kind_, std::move(description), std::move(undo_argument), std::move(act)});
}

}  // namespace trustline::agent
