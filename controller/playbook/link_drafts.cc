// Ids, `after`, and the order within stages.
#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/playbook/drafts.h"

namespace trustline::controller {
namespace {

using NodeDrafts = std::vector<ResourceDraft>;

void AppendToRepeated(NodeDrafts& drafts,
                      const std::function<std::string(const ResourceDraft&, int)>& suffix) {
  std::map<std::string, int> total, seen;
  for (const ResourceDraft& draft : drafts) ++total[draft.resource.id()];
  for (ResourceDraft& draft : drafts) {
    const std::string id = draft.resource.id();
    if (total[id] > 1) draft.resource.set_id(absl::StrCat(id, suffix(draft, ++seen[id])));
  }
}

// The label; where two share it, with the task's name; where these agree too, numbered.
void SettleIds(NodeDrafts& drafts) {
  for (ResourceDraft& draft : drafts) draft.resource.set_id(ResourceLabel(draft.resource));
  AppendToRepeated(drafts, [](const ResourceDraft& draft, int) {
    return draft.task->name.empty() ? std::string() : absl::StrCat(" (", draft.task->name, ")");
  });
  AppendToRepeated(drafts,
                   [](const ResourceDraft&, int number) { return absl::StrCat(" #", number); });
  for (ResourceDraft& draft : drafts) {
    for (size_t notifier : draft.notified_by)
      draft.resource.add_notified_by(drafts[notifier].resource.id());
  }
}

bool IsNamed(const ResourceDraft& draft, const std::string& word) {
  return draft.task->name == word || draft.resource.id() == word ||
         ResourceLabel(draft.resource) == word;
}

bool SameStage(const ResourceDraft& a, const ResourceDraft& b) { return a.stage == b.stage; }

// A name that no task of the play and no resource on any node has.
void CheckNames(const Drafts& drafts, yaml::Diagnostics& diagnostics) {
  std::map<const Play*, std::set<std::string>> ids;
  std::set<std::pair<const Play*, const Task*>> seen;
  for (const auto& [node, of_node] : drafts) {
    for (const ResourceDraft& draft : of_node) {
      std::set<std::string>& known = ids[draft.stage->play];
      known.insert(draft.resource.id());
      known.insert(ResourceLabel(draft.resource));
      seen.emplace(draft.stage->play, draft.task);
    }
  }
  for (const auto& [play, task] : seen) {
    std::vector<std::string> names;
    for (const Task& other : play->tasks) {
      if (!other.name.empty()) names.push_back(other.name);
    }
    for (const Word& word : task->after) {
      if (word.text == task->name && !task->name.empty()) {
        diagnostics.Error(word.span,
                          absl::StrCat("task \"", word.text, "\" cannot wait for itself"));
        continue;
      }
      if (std::find(names.begin(), names.end(), word.text) != names.end() ||
          ids[play].contains(word.text))
        continue;
      // A task that could not be read may be the one that is meant.
      if (play->broken) continue;
      diagnostics.Error(word.span, absl::StrCat("no task \"", word.text, "\" in this play",
                                                yaml::DidYouMeanSuffix(word.text, names)));
    }
  }
}

// The drafts of one stage, [begin, end), in an order in which everything comes behind what it waits
// for; otherwise as they were.
class StageOrder {
 public:
  StageOrder(NodeDrafts& drafts, size_t begin, size_t end)
      : drafts_(drafts), begin_(begin), end_(end) {}

  void Resolve() {
    waits_for_.resize(end_ - begin_);
    for (size_t i = begin_; i < end_; ++i) {
      std::set<std::string> ids;
      for (const Word& word : drafts_[i].task->after) {
        for (size_t j = begin_; j < end_; ++j) {
          if (j == i || drafts_[j].handler || !IsNamed(drafts_[j], word.text)) continue;
          waits_for_[i - begin_].push_back(j - begin_);
          if (ids.insert(drafts_[j].resource.id()).second)
            drafts_[i].resource.add_after(drafts_[j].resource.id());
        }
      }
    }
  }

  // Positions in order, or nothing when they wait in a circle; `circle` then holds its members.
  std::vector<size_t> Order(std::vector<const Task*>& circle) const {
    std::vector<size_t> order;
    std::vector<bool> done(waits_for_.size(), false);
    while (order.size() < waits_for_.size()) {
      size_t next = waits_for_.size();
      for (size_t i = 0; i < waits_for_.size() && next == waits_for_.size(); ++i) {
        if (done[i]) continue;
        const bool ready = std::all_of(waits_for_[i].begin(), waits_for_[i].end(),
                                       [&](size_t other) { return done[other]; });
        if (ready) next = i;
      }
      if (next == waits_for_.size()) {
        for (size_t i = 0; i < waits_for_.size(); ++i) {
          if (!done[i] && !waits_for_[i].empty()) circle.push_back(drafts_[begin_ + i].task);
        }
        return {};
      }
      done[next] = true;
      order.push_back(next);
    }
    return order;
  }

 private:
  NodeDrafts& drafts_;
  size_t begin_, end_;
  std::vector<std::vector<size_t>> waits_for_;
};

void OrderStages(NodeDrafts& drafts, std::set<const Task*>& in_circles,
                 yaml::Diagnostics& diagnostics) {
  size_t begin = 0;
  while (begin < drafts.size()) {
    size_t end = begin;
    while (end < drafts.size() && SameStage(drafts[begin], drafts[end])) ++end;
    StageOrder stage(drafts, begin, end);
    stage.Resolve();
    std::vector<const Task*> circle;
    const std::vector<size_t> order = stage.Order(circle);
    if (!circle.empty()) {
      if (in_circles.insert(circle.front()).second) {
        std::vector<std::string> names;
        for (const Task* task : circle) names.push_back(absl::StrCat("\"", task->Title(), "\""));
        diagnostics.Error(
            circle.front()->after.front().span,
            absl::StrCat("these tasks wait for each other: ", absl::StrJoin(names, ", ")));
      }
    } else {
      NodeDrafts sorted;
      for (size_t position : order) sorted.push_back(std::move(drafts[begin + position]));
      std::move(sorted.begin(), sorted.end(), drafts.begin() + static_cast<ptrdiff_t>(begin));
    }
    begin = end;
  }
}

}  // namespace

void LinkDrafts(Drafts& drafts, yaml::Diagnostics& diagnostics) {
  std::set<const Task*> in_circles;
  for (auto& [node, of_node] : drafts) SettleIds(of_node);
  CheckNames(drafts, diagnostics);
  for (auto& [node, of_node] : drafts) OrderStages(of_node, in_circles, diagnostics);
}

}  // namespace trustline::controller
