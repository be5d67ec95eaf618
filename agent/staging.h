// What the resources of one stage want done, collected before anything is touched.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/file_image.h"
#include "agent/host.h"
#include "agent/resource_kind.h"

namespace trustline::agent {

struct StagedWrite {
  MaybeImage image;
  std::vector<std::string> resources;  // ids, in the order they wrote
};

struct StagedEffect {
  std::string resource;
  std::string kind;
  std::string description;
  std::string undo_argument;
  std::function<absl::Status(const Host&, Hubs&)> act;
};

// Thread-compatible.
class StagedChanges {
 public:
  explicit StagedChanges(const FileView& files) : files_(files) {}

  // What one resource wants. Nothing of it counts until Accept.
  class Draft;
  std::unique_ptr<Draft> Begin(std::string resource, std::string kind) const;
  // Takes a draft over whole. True when the resource asked for anything at all.
  bool Accept(Draft& draft);

  const std::map<std::string, StagedWrite>& writes() const { return writes_; }
  const std::vector<StagedEffect>& effects() const { return effects_; }

 private:
  const FileView& files_;
  std::map<std::string, StagedWrite> writes_;
  std::vector<StagedEffect> effects_;
};

class StagedChanges::Draft final : public TransactionBuilder {
 public:
  absl::Status WriteFile(const std::string& path, FileImage image) override;
  absl::Status RemoveFile(const std::string& path) override;
  absl::StatusOr<FileImage> Upcoming(const std::string& path) const override;
  absl::StatusOr<std::vector<std::string>> UpcomingList(
      const std::string& directory) const override;
  void AddEffect(std::string description, std::string undo_argument,
                 std::function<absl::Status(const Host&, Hubs&)> act) override;

 private:
  friend class StagedChanges;
  Draft(const StagedChanges& accepted, std::string resource, std::string kind)
      : accepted_(accepted), resource_(std::move(resource)), kind_(std::move(kind)) {}
  absl::Status Put(const std::string& path, MaybeImage image);

  const StagedChanges& accepted_;
  const std::string resource_, kind_;
  std::map<std::string, MaybeImage> writes_;
  std::vector<StagedEffect> effects_;
  mutable std::set<std::string> asked_;  // paths whose upcoming content this resource knows
};

}  // namespace trustline::agent
