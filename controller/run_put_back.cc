#include "controller/run_put_back.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/arrival_watch.h"

namespace trustline::controller {
namespace {

// Pointers of the stage that an earlier run moved: this run's rollback leaves them there.
std::vector<ResourceRow> MovedBefore(const StagePlan& stage, const RunRecord& record) {
  std::vector<ResourceRow> rows;
  for (const ResourceRow& row : record.rows) {
    if (row.stage == stage.number && row.outcome.kind() == "tftp_pointer" &&
        row.outcome.outcome() == v1::OUTCOME_UNCHANGED) {
      rows.push_back(row);
    }
  }
  return rows;
}

std::string RevertOf(const RunOptions& options, const StagePlan& stage, const std::string& node) {
  const absl::StatusOr<std::string> run = options.changed_in(stage, node);
  const bool known = run.ok() && !run->empty();
  return absl::StrCat("trustline rollback -l ", node, known ? " --run " : "", known ? *run : "");
}

}  // namespace

void PutBackWave(const RollbackRoom& room, const RunInput& input, const StagePlan& stage,
                 const std::map<std::string, absl::Status>& no_lease, ArrivalRecord& arrival,
                 RunRecord& record) {
  const std::string why = WhyMissed(arrival);
  RollbackInput undo;
  for (const auto& [node, ids] : input.selected.at(stage.number)) undo.nodes.push_back(node);
  undo.of_run = room.options.run_id;
  undo.stage = stage.number;
  undo.secrets = input.secrets;
  StagePlan back;
  back.number = stage.number;
  back.play = PutBackPlay(stage.play);
  back.wave = stage.wave;
  back.hosts = stage.hosts;
  room.observer.OnNotice(absl::StrCat(why, "; its pointers are put back"));
  std::vector<ResourceRow> from_before = MovedBefore(stage, record);
  std::vector<ResourceRow> rows = RollBackNodes(room, undo, back, no_lease, record);
  const bool any = std::any_of(rows.begin(), rows.end(), [](const ResourceRow& row) {
    return row.outcome.outcome() == v1::OUTCOME_ROLLED_BACK;
  });
  std::set<std::string> stuck;
  std::set<std::string> reverts;
  for (ResourceRow& row : rows) {
    if (row.outcome.outcome() == v1::OUTCOME_ROLLED_BACK) {
      row.outcome.add_reasons(why);
    } else if (row.outcome.outcome() != v1::OUTCOME_UNCHANGED) {
      stuck.insert(row.node);
    }
  }
  if (!any) from_before.clear();
  for (ResourceRow& row : from_before) {
    // Its partners are back where they were, and this one still sends phones away.
    const std::string revert = RevertOf(room.options, stage, row.node);
    stuck.insert(row.node);
    reverts.insert(revert);
    row.play = back.play;
    row.outcome.set_outcome(v1::OUTCOME_FAILED);
    row.outcome.clear_reasons();
    row.outcome.add_reasons(absl::StrCat(
        "still serves the destination: an earlier run moved it; put it back with `", revert, "`"));
    room.observer.OnResource(row);
    rows.push_back(std::move(row));
  }
  std::move(rows.begin(), rows.end(), std::back_inserter(record.rows));
  arrival.put_back = any && stuck.empty();
  const std::string command = reverts.empty()
                                  ? ""
                                  : absl::StrCat("; what an earlier run moved goes back with `",
                                                 absl::StrJoin(reverts, "`, `"), "`");
  record.stopped = absl::StrCat(
      why, !stuck.empty() ? absl::StrCat("; NOT put back on ", absl::StrJoin(stuck, ", "), command)
           : any          ? "; its pointers were put back"
                          : "; nothing was put back, because this run had changed none of its "
                            "pointers (`trustline rollback` undoes the run that did)");
}

}  // namespace trustline::controller
