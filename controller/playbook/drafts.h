// Resources on their way into documents: typed, but their ids and references not settled yet.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "controller/expression/report_once.h"
#include "controller/inventory/variables.h"
#include "controller/playbook/playbook.h"
#include "protos/trustline/v1/desired_state.pb.h"
#include "protos/yaml/message_reader.h"

namespace trustline::controller {

// A play, or one wave of it, on its hosts.
struct StageDraft {
  uint32_t number = 0;
  const Play* play = nullptr;
  std::string wave_name;           // empty: none
  yaml::Value wave;                // the map
  std::vector<std::string> hosts;  // in inventory order
  std::vector<std::vector<std::string>> batches;
  int max_fail_percentage = 0;
  uint32_t gate_for = 0;  // the stage whose pointers this one judges; 0: an ordinary stage
};

struct ResourceDraft {
  v1::Resource resource;
  const Task* task = nullptr;
  const StageDraft* stage = nullptr;
  bool handler = false;
  std::vector<size_t> notified_by;  // positions among the node's drafts
};

struct DraftSkip {
  std::string node;
  uint32_t stage = 0;
  std::string task;
};

// All drafts of a playbook by node, stage by stage in the order of the file, handlers at the end of
// their stage.
using Drafts = std::map<std::string, std::vector<ResourceDraft>>;

// Turns the tasks of stages into drafts. One per compilation.
class DraftMaker {
 public:
  DraftMaker(VariableWorld& world, std::string playbook_directory, yaml::Diagnostics& diagnostics);

  // Appends `stage`'s resources on each of its hosts. `stage` outlives the drafts. What fails on
  // many hosts for one reason is reported once, naming the first.
  void Add(const StageDraft& stage, Drafts& drafts, std::vector<DraftSkip>& skipped);

  // Checks as much of a task as can be without a host, when no host came to it: its play matches
  // none, or `when` was false everywhere. After all stages.
  void CheckUnused(const Task& task);

 private:
  struct HostStage;
  void AddTask(const Task& task, HostStage& at);
  void AddHandlers(HostStage& at);
  // False when it reported an error.
  bool AddResource(const Task& task, VariableScope& scope, HostStage& at);
  std::optional<bool> Applies(const Task& task, VariableScope& scope, const std::string& host);
  void WarnUnsetSecrets(const yaml::Value& value);
  // False when it reported an error, or met one that was said before.
  bool ReadSpec(const yaml::Value& arguments, const Task& task, google::protobuf::Message& spec);

  VariableWorld& world_;
  std::string directory_;
  yaml::Diagnostics& diagnostics_;
  yaml::ReadOptions read_options_;
  ReportOnce report_;
  std::set<const Task*> rendered_;  // on some host
  std::set<std::string> unset_;     // variables of the environment that were warned about
};

// Settles ids, `after` and the order within stages, on every node. Unknown names and circles are
// errors.
void LinkDrafts(Drafts& drafts, yaml::Diagnostics& diagnostics);

}  // namespace trustline::controller
