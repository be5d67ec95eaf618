#include <set>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/runner.h"
#include "protos/generic/kinds.h"
#include "protos/yaml/diagnostics.h"

namespace trustline::controller {

namespace {

bool GuardsSelected(const RunInput& input, uint32_t stage) {
  const auto selected = input.selected.find(stage);
  if (selected == input.selected.end()) return false;
  for (const auto& [node, ids] : selected->second) {
    for (const v1::Resource& resource : input.playbook.documents.at(node).resources()) {
      if (resource.stage() == stage && resource.has_gate() &&
          (ids.empty() || absl::c_linear_search(ids, resource.id()))) {
        return true;
      }
    }
  }
  return false;
}

// No mask leaves a gate out when a pointer it guards is in the run, or lets it in when none is.
void SelectGates(RunInput& input) {
  for (const StagePlan& stage : input.playbook.stages) {
    if (stage.gate_for == 0) continue;
    input.selected.erase(stage.number);
    if (!GuardsSelected(input, stage.gate_for)) continue;
    for (const std::string& judge : stage.hosts) input.selected[stage.number][judge] = {};
  }
}

}  // namespace

void SelectResources(const Mask& mask, const std::vector<std::string>& allowed, RunInput& input) {
  std::set<std::string> nodes(allowed.begin(), allowed.end());
  input.allowed = nodes;
  for (const auto& [node, document] : input.playbook.documents) {
    if (!nodes.contains(node)) continue;
    std::map<uint32_t, std::pair<std::vector<std::string>, int>>
        by_stage;  // chosen ids, all of the stage
    for (const v1::Resource& resource : document.resources()) {
      auto& [chosen, total] = by_stage[resource.stage()];
      ++total;
      if (TagsAllow(mask, resource)) chosen.push_back(resource.id());
    }
    for (auto& [stage, choice] : by_stage) {
      auto& [chosen, total] = choice;
      if (chosen.empty()) continue;
      if (static_cast<int>(chosen.size()) == total) chosen.clear();  // everything: no mask
      input.selected[stage][node] = std::move(chosen);
    }
  }
  SelectGates(input);
}

absl::Status StartAtTask(const std::string& task, RunInput& input) {
  const auto title = [](const v1::Resource& resource) {
    return resource.task().empty() ? resource.id() : resource.task();
  };
  const auto is_selected = [&](const std::string& node, const v1::Resource& resource) {
    const auto stage = input.selected.find(resource.stage());
    if (stage == input.selected.end()) return false;
    const auto ids = stage->second.find(node);
    return ids != stage->second.end() &&
           (ids->second.empty() || absl::c_linear_search(ids->second, resource.id()));
  };
  uint32_t first = 0;
  std::vector<std::string> titles;
  for (const auto& [node, document] : input.playbook.documents) {
    for (const v1::Resource& resource : document.resources()) {
      if (!is_selected(node, resource)) continue;
      titles.push_back(title(resource));
      if (titles.back() == task && (first == 0 || resource.stage() < first))
        first = resource.stage();
    }
  }
  if (first == 0) {
    return absl::NotFoundError(absl::StrCat("--start-at-task: no task \"", task, "\" is selected",
                                            yaml::DidYouMeanSuffix(task, titles)));
  }
  // What comes before it on any node; a node on which the task itself was skipped leaves that out
  // too.
  std::set<std::string> before;
  for (const auto& [node, document] : input.playbook.documents) {
    std::vector<std::string> passed;
    for (const v1::Resource& resource : document.resources()) {
      if (resource.stage() != first || !is_selected(node, resource)) continue;
      if (title(resource) == task) {
        before.insert(passed.begin(), passed.end());
        break;
      }
      passed.push_back(title(resource));
    }
  }
  input.selected.erase(input.selected.begin(), input.selected.find(first));
  auto& nodes = input.selected.at(first);
  for (auto entry = nodes.begin(); entry != nodes.end();) {
    auto& [node, ids] = *entry;
    std::vector<std::string> kept;
    bool all = true;
    for (const v1::Resource& resource : input.playbook.documents.at(node).resources()) {
      if (resource.stage() != first) continue;
      // A handler is due only when something notified it, whatever was left out.
      const bool keep = is_selected(node, resource) &&
                        (resource.notified_by_size() > 0 || !before.contains(title(resource)));
      if (keep) kept.push_back(resource.id());
      all = all && keep;
    }
    if (kept.empty()) {
      entry = nodes.erase(entry);
      continue;
    }
    if (all) kept.clear();
    ids = std::move(kept);
    ++entry;
  }
  SelectGates(input);
  return absl::OkStatus();
}

void AskBeforeEveryStage(RunInput& input) {
  for (StagePlan& stage : input.playbook.stages) {
    const auto selected = input.selected.find(stage.number);
    if (selected == input.selected.end() || selected->second.empty()) continue;
    std::vector<std::string> nodes;
    for (const auto& [node, ids] : selected->second) nodes.push_back(node);
    const std::string prompt =
        absl::StrCat("Next: stage ", stage.number, " \"", stage.play, "\"",
                     stage.wave.empty() ? "" : absl::StrCat(", wave ", stage.wave), " on ",
                     absl::StrJoin(nodes, ", "));
    stage.pause_before =
        stage.pause_before ? absl::StrCat(prompt, "\n", *stage.pause_before) : prompt;
  }
}

std::vector<std::string> PartialPointers(const RunInput& input) {
  struct Servers {
    std::vector<std::string> in, out;
  };
  std::map<std::pair<uint32_t, std::string>, Servers> scopes;
  for (const auto& [node, document] : input.playbook.documents) {
    for (const v1::Resource& resource : document.resources()) {
      const KindDescriptor* kind = KindOf(resource);
      if (kind == nullptr || !kind->rule.pointer()) continue;
      bool selected = false;
      if (auto stage = input.selected.find(resource.stage()); stage != input.selected.end()) {
        if (auto ids = stage->second.find(node); ids != stage->second.end()) {
          selected = ids->second.empty() || absl::c_linear_search(ids->second, resource.id());
        }
      }
      Servers& servers = scopes[{resource.stage(), resource.id()}];
      (selected ? servers.in : servers.out).push_back(node);
    }
  }
  std::vector<std::string> lines;
  for (const auto& [scope, servers] : scopes) {
    if (servers.in.empty() || servers.out.empty()) continue;
    lines.push_back(absl::StrCat(scope.second, " is selected on ", absl::StrJoin(servers.in, ", "),
                                 " but not on ", absl::StrJoin(servers.out, ", "),
                                 ": phones get whichever server answers first until both agree"));
  }
  return lines;
}

}  // namespace trustline::controller
