// Machine output: one JSON document, or one event per line. Every object carries "schema":
// "trustline/1". Values never contain secrets: they come from plans, outcomes and statuses, which
// hold none.
#pragma once

#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "controller/history/history_store.h"
#include "controller/pki_files.h"
#include "controller/render/status_text.h"
#include "controller/run_record.h"
#include "controller/runner.h"
#include "protos/yaml/diagnostics.h"

namespace trustline::controller {

std::string PlanJson(const PlanResult& plan, const CompiledPlaybook& playbook);
std::string RunJson(const RunRecord& record, int exit_code);
std::string StatusJson(const std::vector<NodeStatus>& nodes, absl::Time now);
std::string HistoryJson(const std::vector<RunSummary>& runs);
std::string PkiJson(const PkiSummary& summary);
std::string DiagnosticsJson(const yaml::Diagnostics& diagnostics);

// One JSON object per line and event: stage_started, resource, stage_ended, notice; the caller adds
// run_finished.
class JsonLines : public RunObserver {
 public:
  JsonLines(std::string run_id, std::ostream& out, std::function<absl::Time()> now)
      : run_id_(std::move(run_id)), out_(out), now_(std::move(now)) {}
  void OnStageStart(const StagePlan& stage, const std::vector<std::string>& nodes) override;
  void OnResource(const ResourceRow& row) override;
  void OnStageEnd(const StagePlan& stage, const std::vector<ResourceRow>& rows) override;
  void OnNotice(const std::string& text) override;
  void RunFinished(const RunRecord& record, int exit_code);

 private:
  std::string run_id_;
  std::ostream& out_;
  std::function<absl::Time()> now_;
};

}  // namespace trustline::controller
