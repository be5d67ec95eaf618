#include "agent/state_files.h"

#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/staged_name.h"
#include "trust/sha256.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

constexpr absl::string_view kMagic = "trustline-state-v1 ";
constexpr size_t kHeader = kMagic.size() + 64 + 1;  // then SHA-256 in hex and a line feed

}  // namespace

std::string StateFiles::Path(const std::string& path) const {
  return path.empty() ? directory_ : absl::StrCat(directory_, "/", path);
}

absl::Status StateFiles::Read(const std::string& path, google::protobuf::MessageLite& into) const {
  TL_ASSIGN_OR_RETURN(const FileImage image, files_.Read(Path(path)));
  const absl::string_view bytes = image.bytes;
  const auto damaged = [&] {
    return absl::DataLossError(absl::StrCat(
        Path(path), " is damaged; move it away only after comparing this node with its playbooks"));
  };
  if (bytes.size() < kHeader || !absl::StartsWith(bytes, kMagic) || bytes[kHeader - 1] != '\n') {
    return damaged();
  }
  const absl::string_view payload = bytes.substr(kHeader);
  if (bytes.substr(kMagic.size(), 64) != Sha256Hex(payload)) return damaged();
  if (!into.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return damaged();
  return absl::OkStatus();
}

absl::Status StateFiles::Write(const std::string& path,
                               const google::protobuf::MessageLite& message) {
  return WritePayload(path, message.SerializeAsString());
}

absl::Status StateFiles::WritePayload(const std::string& path, const std::string& payload) {
  FileImage image;
  image.bytes = absl::StrCat(kMagic, Sha256Hex(payload), "\n", payload);
  image.mode = 0600;
  image.uid = ::geteuid();
  image.gid = ::getegid();
  const std::string target = Path(path);
  TL_ASSIGN_OR_RETURN(const std::string staged, files_.Stage(target, image));
  const absl::Status renamed = files_.Rename(staged, target);
  if (!renamed.ok()) {
    // What could not be removed either is swept at the next start.
    const absl::Status removed = files_.Remove(staged);
    if (removed.ok()) return renamed;
    return absl::Status(renamed.code(), absl::StrCat(renamed.message(), "; and ", staged,
                                                     " was left: ", removed.message()));
  }
  return files_.SyncDirectory(DirectoryOf(target));
}

absl::Status StateFiles::Remove(const std::string& path) {
  TL_RETURN_IF_ERROR(files_.Remove(Path(path)));
  const absl::Status synced = files_.SyncDirectory(DirectoryOf(Path(path)));
  return absl::IsNotFound(synced) ? absl::OkStatus() : synced;  // no directory, no file
}

absl::StatusOr<std::vector<std::string>> StateFiles::List(const std::string& directory) const {
  absl::StatusOr<std::vector<std::string>> names = files_.List(Path(directory));
  if (absl::IsNotFound(names.status())) return std::vector<std::string>();
  TL_RETURN_IF_ERROR(names.status());
  std::vector<std::string> kept;
  for (std::string& name : *names) {
    if (!IsStagedName(name)) kept.push_back(std::move(name));
  }
  return kept;
}

absl::StatusOr<int> StateFiles::SweepBelow(const std::string& directory) {
  const absl::StatusOr<std::vector<std::string>> names = files_.List(directory);
  // Not there, or not a directory.
  if (absl::IsNotFound(names.status()) || absl::IsFailedPrecondition(names.status())) return 0;
  TL_RETURN_IF_ERROR(names.status());
  int swept = 0, below = 0;
  for (const std::string& name : *names) {
    const std::string path = absl::StrCat(directory, "/", name);
    if (IsStagedName(name)) {
      TL_RETURN_IF_ERROR(files_.Remove(path));
      ++swept;
    } else {
      TL_ASSIGN_OR_RETURN(const int more, SweepBelow(path));
      below += more;
    }
  }
  if (swept > 0) TL_RETURN_IF_ERROR(files_.SyncDirectory(directory));
  return swept + below;
}

absl::StatusOr<int> StateFiles::Sweep() { return SweepBelow(directory_); }

}  // namespace trustline::agent
