#include "agent/hold.h"

#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

constexpr char kHold[] = "hold";

}  // namespace

absl::StatusOr<std::optional<v1::Hold>> ReadHold(const StateFiles& state) {
  v1::Hold hold;
  const absl::Status status = state.Read(kHold, hold);
  if (absl::IsNotFound(status)) return std::optional<v1::Hold>();
  TL_RETURN_IF_ERROR(status);
  return std::optional<v1::Hold>(std::move(hold));
}

v1::StateWrite WriteOfHold(const v1::Hold& hold) {
  v1::StateWrite write;
  write.set_path(kHold);
  write.set_payload(hold.SerializeAsString());
  return write;
}

v1::StateWrite RemovalOfHold() {
  v1::StateWrite write;
  write.set_path(kHold);
  write.set_remove(true);
  return write;
}

}  // namespace trustline::agent
