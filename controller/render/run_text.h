// Plans, runs and recaps as an operator reads them on a terminal. Text goes to the given stream
// only.
#pragma once

#include <ostream>
#include <string>

#include "controller/render/style.h"
#include "controller/run_record.h"
#include "controller/runner.h"

namespace trustline::controller {

struct TextOptions {
  Style style;
  bool diff = false;
  int verbosity = 0;
  bool gate_overridden = false;  // the run has --override-gate
};

// The plan, and its last line "PLAN  6 nodes, ...; nothing was written".
void PrintPlan(const PlanResult& plan, const CompiledPlaybook& playbook, const TextOptions& options,
               std::ostream& out);
// How many resources would change, and whether anything was not a plain plan (pending, refused,
// failed, unreachable).
struct PlanCounts {
  int nodes = 0, nodes_with_changes = 0, changes = 0, resources_changing = 0;
  int stages_unknown = 0, pending = 0, refused = 0, failed = 0, unreachable = 0, denied = 0;
};
PlanCounts CountPlan(const PlanResult& plan);

// Prints a stage when it has ended, task by task, in the order of the playbook; so the same run
// prints the same text.
class RunPrinter : public RunObserver {
 public:
  RunPrinter(TextOptions options, std::ostream& out, std::ostream& err)
      : options_(options), out_(out), err_(err) {}
  void OnStageStart(const StagePlan& stage, const std::vector<std::string>& nodes) override;
  void OnStageEnd(const StagePlan& stage, const std::vector<ResourceRow>& rows) override;
  void OnNotice(const std::string& text) override;

 private:
  TextOptions options_;
  std::ostream& out_;
  std::ostream& err_;
};

// One line on a terminal that shows what is being waited for, after the first second; nothing
// anywhere else. Wraps another observer.
class ProgressLine : public RunObserver {
 public:
  ProgressLine(RunObserver& inner, std::ostream& err, bool terminal,
               std::function<absl::Time()> now)
      : inner_(inner), err_(err), terminal_(terminal), now_(std::move(now)), began_(now_()) {}
  ~ProgressLine() override { Clear(); }
  void OnStageStart(const StagePlan& stage, const std::vector<std::string>& nodes) override;
  void OnResource(const ResourceRow& row) override { inner_.OnResource(row); }
  void OnProgress(const std::string& node, const std::string& text) override;
  void OnTick(const StagePlan& stage, const std::vector<std::string>& waiting) override;
  void OnStageEnd(const StagePlan& stage, const std::vector<ResourceRow>& rows) override;
  void OnNotice(const std::string& text) override;

 private:
  void Clear();
  RunObserver& inner_;
  std::ostream& err_;
  bool terminal_;
  std::function<absl::Time()> now_;
  absl::Time began_, drawn_ = absl::InfinitePast();
  std::string last_progress_;
  bool shown_ = false;
};

// "PLAY RECAP ***", a line per node, what stopped the run, the run line.
void PrintRecap(const RunRecord& record, const TextOptions& options, std::ostream& out);
// A pointer stage in which some servers of a scope changed and others did not: what is split and
// how to finish or revert. Empty: none is.
std::string SplitBatchAdvice(const RunRecord& record, const std::string& playbook_argument,
                             const std::string& inventory_arguments);

}  // namespace trustline::controller
