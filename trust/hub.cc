#include "trust/hub.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace trustline {

absl::Status CheckHubPath(absl::string_view path) {
  if (path.empty()) return absl::InvalidArgumentError("hub path is empty");
  if (path.size() > kMaxHubPathBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("hub path is longer than ", kMaxHubPathBytes, " bytes"));
  }
  for (const unsigned char c : path) {
    if (c < 0x20 || c == 0x7f) {
      return absl::InvalidArgumentError("hub path holds a control character");
    }
  }
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    if (part.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "hub path '", path, "' is not relative to the hub's directory or has an empty part"));
    }
    if (part == "." || part == "..") {
      return absl::InvalidArgumentError(
          absl::StrCat("hub path '", path, "' has a '", part, "' part"));
    }
    if (part.size() > kMaxHubNameBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("hub path '", path, "' has a part of over ", kMaxHubNameBytes, " bytes"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<absl::string_view> HubSecret(const v1::SecretRef& reference,
                                            const v1::SecretValues& secrets) {
  const auto found = secrets.by_name().find(reference.name());
  if (found == secrets.by_name().end()) {
    return absl::FailedPreconditionError(absl::StrCat("secret ", reference.name(), " not held"));
  }
  return absl::string_view(found->second);
}

}  // namespace trustline
