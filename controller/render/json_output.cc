#include "controller/render/json_output.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "controller/render/run_text.h"

namespace trustline::controller {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kSchema[] = "trustline/1";

std::string Rfc3339(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
}
Json TimeOrNull(absl::Time time) {
  return time == absl::InfinitePast() ? Json(nullptr) : Json(Rfc3339(time));
}
Json UnixOrNull(int64_t seconds) {
  return seconds == 0 ? Json(nullptr) : Json(Rfc3339(absl::FromUnixSeconds(seconds)));
}

// Bytes that are not UTF-8 (a server's words, a certificate's name) are replaced, never a reason to
// fail.
std::string Dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

template <typename Strings>
Json Array(const Strings& strings) {
  Json array = Json::array();
  for (const auto& text : strings) array.push_back(text);
  return array;
}

Json ChangesJson(const google::protobuf::RepeatedPtrField<v1::Change>& changes) {
  Json array = Json::array();
  for (const v1::Change& change : changes) {
    Json fields = Json::array();
    for (const v1::FieldChange& field : change.fields())
      fields.push_back(
          {{"field", field.field()}, {"before", field.before()}, {"after", field.after()}});
    const char* action = change.action() == v1::Change::ACTION_ADD      ? "add"
                         : change.action() == v1::Change::ACTION_REMOVE ? "remove"
                                                                        : "update";
    array.push_back({{"action", action},
                     {"fact", change.fact()},
                     {"identity", change.identity()},
                     {"text", change.text()},
                     {"fields", fields}});
  }
  return array;
}

Json GateJson(const v1::GateReport& report) {
  Json classes = Json::array();
  for (const v1::GateClass& row : report.classes()) {
    Json decisions = Json::array();
    for (const v1::GateDecision& decision : row.decisions()) {
      Json missing = Json::array();
      for (const v1::GateMissing& each : decision.missing()) {
        missing.push_back({{"node", each.node()},
                           {"serial", each.serial()},
                           {"subject", each.subject()},
                           {"role_only", each.role_only()}});
      }
      decisions.push_back({{"node", decision.node()},
                           {"address", decision.address()},
                           {"accepted", decision.accepted()},
                           {"return_trip", decision.return_trip()},
                           {"reason", decision.reason()},
                           {"notes", Array(decision.notes())},
                           {"assumptions", Array(decision.assumptions())},
                           {"missing", missing},
                           {"next", decision.next()}});
    }
    classes.push_back({{"number", row.number()},
                       {"phones", row.phones()},
                       {"examples", Array(row.examples())},
                       {"holds", row.holds()},
                       {"excluded", row.excluded()},
                       {"decisions", decisions}});
  }
  return {{"judge", report.judge()},
          {"evidence", report.evidence()},
          {"accepted", report.accepted()},
          {"phones", report.phones()},
          {"locked", report.locked()},
          {"unproven", report.unproven()},
          {"unproven_examples", Array(report.unproven_examples())},
          {"reasons", Array(report.reasons())},
          {"warnings", Array(report.warnings())},
          {"classes", classes}};
}

// ResourcePlan and ResourceOutcome have these in common.
template <typename Resource>
Json ResourceJson(const Resource& resource) {
  Json json = {{"id", resource.id()},
               {"kind", resource.kind()},
               {"task", resource.task()},
               {"outcome", OutcomeName(resource.outcome())},
               {"summary", resource.summary()},
               {"reasons", Array(resource.reasons())},
               {"warnings", Array(resource.warnings())},
               {"changes", ChangesJson(resource.changes())}};
  if (resource.has_gate()) json["gate"] = GateJson(resource.gate());
  return json;
}

Json RowJson(const ResourceRow& row) {
  Json json = {{"node", row.node}, {"stage", row.stage}, {"play", row.play}, {"wave", row.wave}};
  json.update(ResourceJson(row.outcome));
  return json;
}

Json RecapJson(const RunRecord& record) {
  Json recap = Json::object();
  for (const auto& [node, c] : CountRecap(record)) {
    recap[node] = {
        {"ok", c.ok},           {"changed", c.changed},         {"unreachable", c.unreachable},
        {"failed", c.failed},   {"skipped", c.skipped},         {"rescued", c.rescued},
        {"ignored", c.ignored}, {"refused", c.refused},         {"pending", c.pending},
        {"blocked", c.blocked}, {"rolled_back", c.rolled_back}, {"cancelled", c.cancelled}};
  }
  return recap;
}

Json SplitsJson(const RunRecord& record) {
  Json array = Json::array();
  for (const PointerSplit& split : FindPointerSplits(record)) {
    array.push_back({{"stage", split.stage},
                     {"resource", split.resource},
                     {"done", Array(split.done)},
                     {"not_done", Array(split.not_done)}});
  }
  return array;
}

Json ArrivalsJson(const RunRecord& record) {
  constexpr const char* kEnds[] = {"reached", "missed", "interrupted", "looked"};
  Json array = Json::array();
  for (const ArrivalRecord& arrival : record.arrivals) {
    Json moved = Json::array(), missing = Json::array();
    for (const FoundPhone& phone : arrival.phones.phones) {
      if (phone.arrived) {
        moved.push_back(phone.device);
      } else {
        missing.push_back({{"device", phone.device},
                           {"counts", phone.counts},
                           {"known", phone.known},
                           {"reason", phone.why}});
      }
    }
    array.push_back({{"stage", arrival.stage},
                     {"play", arrival.play},
                     {"wave", arrival.wave},
                     {"end", kEnds[static_cast<int>(arrival.end)]},
                     {"put_back", arrival.put_back},
                     {"at_least_percent", arrival.at_least},
                     {"within_seconds", absl::ToInt64Seconds(arrival.within)},
                     {"began", TimeOrNull(arrival.began)},
                     {"ended", TimeOrNull(arrival.ended)},
                     {"phones", arrival.phones.Counted()},
                     {"arrived", arrival.phones.Arrived()},
                     {"excluded", arrival.phones.excluded},
                     {"moved", std::move(moved)},
                     {"missing", std::move(missing)},
                     {"problem", arrival.problem}});
  }
  return array;
}

Json RunFields(const RunRecord& record, int exit_code) {
  return {{"run_id", record.run_id},
          {"command", record.command},
          {"playbook", record.playbook},
          {"operator", record.operator_name},
          {"started", TimeOrNull(record.started)},
          {"finished", TimeOrNull(record.finished)},
          {"of_run", record.of_run},
          {"gate_override", record.gate_override},
          {"partial", SplitsJson(record)},
          {"arrivals", ArrivalsJson(record)},
          {"stopped", record.stopped},
          {"interrupted", record.interrupted},
          {"exit_code", exit_code},
          {"recap", RecapJson(record)}};
}

}  // namespace

std::string PlanJson(const PlanResult& plan, const CompiledPlaybook& playbook) {
  Json stages = Json::array();
  for (const StagePlanResult& stage : plan.stages) {
    Json nodes = Json::object();
    for (const auto& [node, answer] : stage.by_node) {
      if (!answer.ok()) {
        nodes[node] = {{"outcome", OutcomeName(OutcomeOfStatus(answer.status()))},
                       {"error", std::string(answer.status().message())}};
        continue;
      }
      Json resources = Json::array();
      for (const v1::ResourcePlan& resource : answer->resources())
        resources.push_back(ResourceJson(resource));
      nodes[node] = {{"plan_id", answer->plan_id()}, {"resources", resources}};
    }
    stages.push_back(
        {{"stage", stage.stage->number},
         {"play", stage.stage->play},
         {"wave", stage.stage->wave},
         {"known_after_stage", stage.known_after == 0 ? Json(nullptr) : Json(stage.known_after)},
         {"nodes", nodes}});
  }
  PlanCounts counts = CountPlan(plan);
  Json json = {{"schema", kSchema},
               {"playbook", playbook.name},
               {"stages", stages},
               {"summary",
                {{"nodes", counts.nodes},
                 {"nodes_with_changes", counts.nodes_with_changes},
                 {"changes", counts.changes},
                 {"pending", counts.pending},
                 {"refused", counts.refused},
                 {"failed", counts.failed},
                 {"unreachable", counts.unreachable},
                 {"stages_not_known_yet", counts.stages_unknown}}}};
  return Dump(json, 2) + "\n";
}

std::string RunJson(const RunRecord& record, int exit_code) {
  Json json = {{"schema", kSchema}};
  json.update(RunFields(record, exit_code));
  Json rows = Json::array();
  for (const ResourceRow& row : record.rows) rows.push_back(RowJson(row));
  json["resources"] = rows;
  Json documents = Json::object();
  for (const auto& [node, digest] : record.document_digests) documents[node] = digest;
  json["documents"] = documents;
  return Dump(json, 2) + "\n";
}

std::string StatusJson(const std::vector<NodeStatus>& nodes, absl::Time now) {
  Json array = Json::array();
  for (const NodeStatus& status : nodes) {
    Json json = {{"node", status.node}, {"state", StateWord(status)}};
    if (!status.answer.ok()) {
      json["error"] = std::string(status.answer.status().message());
      json["last_seen"] = TimeOrNull(status.last_seen);
      array.push_back(json);
      continue;
    }
    const v1::StatusResponse& answer = *status.answer;
    json["version"] = answer.version();
    Json documents = Json::array();
    for (const v1::DocumentStatus& document : answer.documents()) {
      documents.push_back({{"playbook", document.playbook()},
                           {"document_sha256", document.document_sha256()},
                           {"stages_passed", document.stages_passed()},
                           {"stages", document.stages()},
                           {"resources", document.resources()},
                           {"converged", document.converged()},
                           {"drifted", Array(document.drifted())},
                           {"checked", UnixOrNull(document.checked_unix())}});
    }
    json["documents"] = documents;
    Json certificates = Json::array();
    for (const v1::CertificateStatus& certificate : answer.certificates()) {
      certificates.push_back({{"store", certificate.store()},
                              {"subject", certificate.subject()},
                              {"serial", certificate.serial()},
                              {"sha256", certificate.sha256()},
                              {"not_after", UnixOrNull(certificate.not_after_unix())},
                              {"own", certificate.own()}});
    }
    json["certificates"] = certificates;
    Json generations = Json::array();
    for (const v1::GenerationStatus& generation : answer.generations()) {
      generations.push_back({{"number", generation.number()},
                             {"run_id", generation.run_id()},
                             {"playbook", generation.playbook()},
                             {"stage", generation.stage()},
                             {"created", UnixOrNull(generation.created_unix())},
                             {"resources", Array(generation.resources())},
                             {"rolled_back", generation.rolled_back()}});
    }
    json["generations"] = generations;
    json["held"] = answer.held();
    json["lease"] = answer.lease_run().empty()
                        ? Json(nullptr)
                        : Json({{"run_id", answer.lease_run()}, {"holder", answer.lease_holder()}});
    json["reloads_owed"] = Array(answer.reloads_owed());
    json["last_change"] = {{"time", UnixOrNull(answer.last_change_unix())},
                           {"text", answer.last_change()}};
    array.push_back(json);
  }
  Json json = {{"schema", kSchema}, {"time", Rfc3339(now)}, {"nodes", array}};
  return Dump(json, 2) + "\n";
}

std::string HistoryJson(const std::vector<RunSummary>& runs) {
  Json array = Json::array();
  for (const RunSummary& run : runs) {
    array.push_back({{"run_id", run.run_id},
                     {"command", run.command},
                     {"playbook", run.playbook},
                     {"operator", run.operator_name},
                     {"started", TimeOrNull(run.started)},
                     {"finished", TimeOrNull(run.finished)},
                     {"exit_code", run.exit_code < 0 ? Json(nullptr) : Json(run.exit_code)},
                     {"nodes", run.nodes},
                     {"changed", run.changed},
                     {"failed", run.failed},
                     {"unreachable", run.unreachable},
                     {"refused", run.refused},
                     {"pending", run.pending},
                     {"stopped", run.stopped}});
  }
  return Dump({{"schema", kSchema}, {"runs", array}}, 2) + "\n";
}

std::string PkiJson(const PkiSummary& summary) {
  return Dump(
             {{"schema", kSchema},
              {"file", summary.file},
              {"what", std::string(PkiWhatName(summary.what))},
              {"subject", summary.subject},
              {"issuer", summary.issuer},
              {"identity", summary.identity},
              {"dns_names", Array(summary.dns_names)},
              {"serial", summary.serial_hex},
              {"sha256", summary.sha256_hex},
              {"not_before",
               summary.not_before ? Json(Rfc3339(*summary.not_before)) : Json(nullptr)},
              {"not_after", summary.not_after ? Json(Rfc3339(*summary.not_after)) : Json(nullptr)}},
             2) +
         "\n";
}

std::string DiagnosticsJson(const yaml::Diagnostics& diagnostics) {
  Json array = Json::array();
  for (const yaml::Diagnostic& diagnostic : diagnostics.all()) {
    const char* severity = diagnostic.severity == yaml::Severity::kError     ? "error"
                           : diagnostic.severity == yaml::Severity::kWarning ? "warning"
                                                                             : "note";
    Json json = {{"severity", severity}, {"message", diagnostic.message}};
    if (diagnostic.span.file != nullptr) {
      json["file"] = diagnostic.span.file->name;
      json["line"] = diagnostic.span.line;
      json["column"] = diagnostic.span.column;
    }
    array.push_back(json);
  }
  return Dump({{"schema", kSchema}, {"errors", diagnostics.errors()}, {"diagnostics", array}}, 2) +
         "\n";
}

namespace {
void Emit(std::ostream& out, const char* event, const std::string& run_id, absl::Time now,
          const Json& fields) {
  Json json = {{"schema", kSchema}, {"ts", Rfc3339(now)}, {"event", event}, {"run_id", run_id}};
  json.update(fields);
  out << Dump(json, -1) << "\n" << std::flush;
}
}  // namespace

void JsonLines::OnStageStart(const StagePlan& stage, const std::vector<std::string>& nodes) {
  Emit(out_, "stage_started", run_id_, now_(),
       {{"stage", stage.number},
        {"play", stage.play},
        {"wave", stage.wave},
        {"nodes", Array(nodes)}});
}
void JsonLines::OnResource(const ResourceRow& row) {
  Emit(out_, "resource", run_id_, now_(), RowJson(row));
}
void JsonLines::OnStageEnd(const StagePlan& stage, const std::vector<ResourceRow>&) {
  Emit(out_, "stage_ended", run_id_, now_(),
       {{"stage", stage.number}, {"play", stage.play}, {"wave", stage.wave}});
}
void JsonLines::OnNotice(const std::string& text) {
  Emit(out_, "notice", run_id_, now_(), {{"text", text}});
}
void JsonLines::RunFinished(const RunRecord& record, int exit_code) {
  Emit(out_, "run_finished", run_id_, now_(), RunFields(record, exit_code));
}

}  // namespace trustline::controller
