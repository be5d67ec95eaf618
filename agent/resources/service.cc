#include "agent/resources/service.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/resources/kind_record.h"
#include "trust/sha256.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

const v1::ServiceSpec& Spec(const PlanContext& context) { return context.resource.service(); }

// A service that only has to run, or that nothing notifies, has nothing to load.
bool Loads(const PlanContext& context) {
  return Spec(context).state() != v1::SERVICE_CONDITION_STARTED &&
         Spec(context).state() != v1::SERVICE_CONDITION_UNSPECIFIED &&
         context.resource.notified_by_size() > 0;
}

// One record per resource: two plays may restart one service for different reasons, and neither may
// owe the other a restart.
std::string RecordPath(const PlanContext& context) {
  const std::string owner =
      Sha256Hex(absl::StrCat(context.document.playbook(), "\n", context.resource.id()));
  return absl::StrCat(context.host.layout.state_directory, "/kinds/service/", Spec(context).name(),
                      ".", owner.substr(0, 16), ".loaded");
}

absl::StatusOr<std::string> ReadRecord(const FileView& files, const std::string& path) {
  const absl::StatusOr<FileImage> image = files.Read(path);
  if (absl::IsNotFound(image.status())) return std::string();
  TL_RETURN_IF_ERROR(image.status());
  return std::string(absl::StripAsciiWhitespace(image->bytes));
}

absl::Status CheckRunning(const Host& host, const std::string& name) {
  TL_ASSIGN_OR_RETURN(const ServiceStatus status, host.services.Status(name));
  if (status.running) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("service ", name, " does not run after it was told to: ", status.detail));
}

// What the effect does to the service.
enum class Action { kStart, kRestart, kReload };

absl::Status Act(const Host& host, const std::string& name, Action action) {
  switch (action) {
    case Action::kStart:
      TL_RETURN_IF_ERROR(host.services.Start(name));
      break;
    case Action::kRestart:
      TL_RETURN_IF_ERROR(host.services.Restart(name));
      break;
    case Action::kReload:
      TL_RETURN_IF_ERROR(host.services.Reload(name));
      break;
  }
  return CheckRunning(host, name);
}

}  // namespace

// Several plays and playbooks may want one service to run and to have loaded what they change.
std::vector<std::string> ServiceKind::Claims(const v1::Resource&) const { return {}; }

absl::StatusOr<Resolved> ServiceKind::Resolve(const PlanContext& context) const {
  Resolved resolved;
  std::string digests;
  if (Loads(context)) {
    std::vector<std::string> notifiers(context.resource.notified_by().begin(),
                                       context.resource.notified_by().end());
    std::sort(notifiers.begin(), notifiers.end());
    for (const std::string& notifier : notifiers) {
      const std::string digest =
          context.desired_digest_of ? context.desired_digest_of(notifier) : "";
      if (digest.empty()) {
        resolved.reasons.push_back(
            absl::StrCat("what ", notifier, " will put on disk is not known"));
      }
      absl::StrAppend(&digests, notifier, "\n", digest, "\n");
    }
  }
  if (!resolved.reasons.empty()) {
    resolved.verdict = v1::OUTCOME_PENDING;
    return resolved;
  }
  auto desired = std::make_unique<v1::ServiceState>();
  v1::RunningService* service = desired->add_services();
  service->set_name(Spec(context).name());
  service->set_running(true);
  if (!digests.empty()) service->set_loaded(Sha256Hex(digests));
  resolved.desired = std::move(desired);
  return resolved;
}

absl::StatusOr<Observed> ServiceKind::Observe(const PlanContext& context,
                                              const google::protobuf::Message& message) const {
  const v1::RunningService& desired = static_cast<const v1::ServiceState&>(message).services(0);
  const std::string& name = Spec(context).name();
  const absl::StatusOr<ServiceStatus> status = context.host.services.Status(name);
  if (absl::IsNotFound(status.status())) {
    return absl::NotFoundError(absl::StrCat("service ", name,
                                            " is unknown: name it in agent.yaml under services, or "
                                            "give the name of a systemd unit"));
  }
  TL_RETURN_IF_ERROR(status.status());
  Observed observed;
  auto present = std::make_unique<v1::ServiceState>();
  v1::RunningService* service = present->add_services();
  service->set_name(name);
  service->set_running(status->running);
  if (Loads(context)) {
    TL_ASSIGN_OR_RETURN(const std::string loaded,
                        ReadRecord(context.host.files, RecordPath(context)));
    service->set_loaded(loaded);
    // Content that comes back after it was gone has the digest it had, but whoever started the
    // service in between has loaded something else.
    for (const std::string& notifier : context.resource.notified_by()) {
      if (context.will_change && context.will_change(notifier)) service->clear_loaded();
    }
  }
  if (!status->running) {
    observed.summary = absl::StrCat("does not run: ", status->detail);
  } else if (service->loaded() != desired.loaded()) {
    observed.summary = "has not loaded what is on disk";
  } else {
    observed.summary = status->detail;
  }
  observed.present = std::move(present);
  return observed;
}

absl::Status ServiceKind::Stage(const PlanContext& context,
                                const google::protobuf::Message& desired_message,
                                const google::protobuf::Message& present_message,
                                TransactionBuilder& transaction) const {
  const v1::RunningService& desired =
      static_cast<const v1::ServiceState&>(desired_message).services(0);
  const v1::RunningService& present =
      static_cast<const v1::ServiceState&>(present_message).services(0);
  const std::string& name = desired.name();
  const bool loads = Loads(context);
  Action action = Action::kStart;
  if (present.running()) {
    action = Spec(context).state() == v1::SERVICE_CONDITION_RELOADED ? Action::kReload
                                                                     : Action::kRestart;
  }
  // The record and the files it speaks of are one transaction: it stays only when the service came
  // up with them, and goes back with them otherwise. The service must then load the old ones.
  const std::string record = RecordPath(context);
  std::string undo;
  if (loads) {
    TL_RETURN_IF_ERROR(
        transaction.WriteFile(record, KindRecord(absl::StrCat(desired.loaded(), "\n"))));
    undo = absl::StrCat(action == Action::kReload ? "reload" : "restart", "\n", name, "\n", record);
  }
  const char* const words = action == Action::kStart     ? "start "
                            : action == Action::kRestart ? "restart "
                                                         : "reload ";
  transaction.AddEffect(
      absl::StrCat(words, name), std::move(undo),
      [name, action](const Host& host, Hubs&) { return Act(host, name, action); });
  return absl::OkStatus();
}

absl::Status ServiceKind::Undo(const std::string& undo_argument, const Host& host) const {
  const std::vector<std::string> parts = absl::StrSplit(undo_argument, '\n');
  if (parts.size() != 3) {
    return absl::InvalidArgumentError("the record of a service's restart cannot be read");
  }
  const std::string& name = parts[1];
  const std::string& record = parts[2];
  const absl::Status status =
      Act(host, name, parts[0] == "reload" ? Action::kReload : Action::kRestart);
  if (status.ok()) return status;
  // It may have loaded what is no longer there: without a record a restart stays owed.
  const absl::Status dropped = host.files.Remove(record);
  if (dropped.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(status.message(), "; ", dropped.message()));
}

}  // namespace trustline::agent
