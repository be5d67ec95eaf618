#include "controller/run_put_back.h"

#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/arrival_watch.h"

namespace trustline::controller {

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
  std::set<std::string> stuck;
  bool any = false;
  for (ResourceRow& row : RollBackNodes(room, undo, back, no_lease, record)) {
    if (row.outcome.outcome() == v1::OUTCOME_ROLLED_BACK) {
      any = true;
      row.outcome.add_reasons(why);
    } else if (row.outcome.outcome() != v1::OUTCOME_UNCHANGED) {
      stuck.insert(row.node);
    }
    record.rows.push_back(std::move(row));
  }
  arrival.put_back = any && stuck.empty();
  record.stopped = absl::StrCat(
      why, !stuck.empty() ? absl::StrCat("; NOT put back on ", absl::StrJoin(stuck, ", "))
           : any          ? "; its pointers were put back"
                          : "; nothing was put back, because this run had changed none of its "
                            "pointers (`trustline rollback` undoes the run that did)");
}

}  // namespace trustline::controller
