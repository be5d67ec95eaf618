#include <set>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/runner.h"
#include "protos/generic/kinds.h"

namespace trustline::controller {

void SelectResources(const Mask& mask, const std::vector<std::string>& allowed, RunInput& input) {
  std::set<std::string> nodes(allowed.begin(), allowed.end());
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
