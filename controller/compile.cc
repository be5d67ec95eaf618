#include "controller/compile.h"

#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "controller/expression/templating.h"
#include "controller/inventory/host_pattern.h"
#include "controller/inventory/inventory.h"
#include "controller/inventory/topology.h"
#include "controller/inventory/variables.h"
#include "controller/playbook/arrival_settings.h"
#include "controller/playbook/batches.h"
#include "controller/playbook/document_checks.h"
#include "controller/playbook/drafts.h"
#include "controller/playbook/extra_variables.h"
#include "controller/playbook/gate_settings.h"
#include "controller/playbook/gates.h"
#include "controller/playbook/playbook.h"
#include "protos/yaml/document.h"

namespace trustline::controller {
namespace {

using yaml::Value;

// More stages than this is a mistake in `waves`.
constexpr size_t kMaxStages = 10000;

std::string DirectoryOf(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

class Compiler {
 public:
  Compiler(const CompileOptions& options, yaml::Diagnostics& diagnostics)
      : options_(options),
        diagnostics_(diagnostics),
        gates_(DirectoryOf(options.playbook_path), diagnostics) {}

  CompileResult Compile() {
    const int errors_before = diagnostics_.errors();
    const std::vector<Play> plays = ReadPlays();
    Value::Map extra = ReadExtraVariables(options_.extra_vars, diagnostics_, result_.input_missing);
    InventorySources sources{options_.inventories, DirectoryOf(options_.playbook_path)};
    std::optional<Inventory> inventory =
        LoadInventory(sources, diagnostics_, &result_.input_missing);
    if (inventory) {
      VariableWorld world(*inventory, std::move(extra));
      CompiledPlaybook compiled = CompilePlays(plays, *inventory, world);
      if (diagnostics_.errors() == errors_before) result_.compiled = std::move(compiled);
    }
    return std::move(result_);
  }

 private:
  std::vector<Play> ReadPlays() {
    std::error_code error;
    if (!std::filesystem::exists(options_.playbook_path, error)) {
      diagnostics_.Error({}, absl::StrCat("playbook ", options_.playbook_path, ": no such file"));
      result_.input_missing = true;
      return {};
    }
    const int errors_before = diagnostics_.errors();
    const Value root = yaml::LoadYaml(options_.playbook_path, diagnostics_);
    std::vector<Play> plays = ReadPlaybook(root, diagnostics_);
    if (plays.empty() && diagnostics_.errors() == errors_before) {
      diagnostics_.Error(root.span(),
                         absl::StrCat("playbook ", options_.playbook_path, " has no plays"));
    }
    return plays;
  }

  CompiledPlaybook CompilePlays(const std::vector<Play>& plays, const Inventory& inventory,
                                VariableWorld& world) {
    CompiledPlaybook compiled;
    compiled.name = PlaybookName(options_.playbook_path);
    compiled.topology = BuildTopology(world, options_.domain, diagnostics_);
    compiled.nodes = NodeAddresses(world, diagnostics_);
    // Drafts point to their stages, so all stages are there before the first draft.
    std::vector<StageDraft> stages;
    std::vector<std::pair<std::optional<std::string>, std::optional<std::string>>> pauses;
    for (const Play& play : plays) AddStages(play, inventory, world, stages, pauses);
    Drafts drafts;
    std::vector<DraftSkip> skipped;
    DraftMaker maker(world, DirectoryOf(options_.playbook_path), diagnostics_);
    for (const StageDraft& stage : stages) {
      if (stage.gate_for == 0) maker.Add(stage, drafts, skipped);
    }
    gates_.MakeDrafts(stages, drafts, result_.input_missing);
    for (const Play& play : plays) {
      for (const Task& task : play.tasks) maker.CheckUnused(task);
      for (const Task& handler : play.handlers) maker.CheckUnused(handler);
    }
    LinkDrafts(drafts, diagnostics_);
    gates_.LinkPointers(stages, drafts);
    CheckDocuments(stages, drafts, compiled.topology, inventory, diagnostics_);

    for (size_t i = 0; i < stages.size(); ++i) {
      compiled.stages.push_back(PlanOf(stages[i], pauses[i]));
      compiled.stages.back().arrival = ArrivalOf(stages[i], drafts, compiled.name);
    }
    for (const DraftSkip& skip : skipped)
      compiled.skipped.push_back({skip.node, skip.stage, skip.task});
    for (auto& [node, of_node] : drafts) {
      if (!of_node.empty()) AddDocument(node, of_node, compiled);
    }
    return compiled;
  }

  // A template of the play itself, before any host.
  std::optional<Value> RenderForPlay(const std::optional<Value>& value, VariableScope& scope) {
    if (!value) return Value();
    return Render(*value, scope, diagnostics_);
  }

  std::optional<std::vector<std::string>> HostsOf(const Play& play, const Inventory& inventory,
                                                  VariableScope& scope) {
    if (play.hosts.is_null()) return std::nullopt;  // reported when it was read
    std::optional<Value> rendered = Render(play.hosts, scope, diagnostics_);
    if (!rendered) return std::nullopt;
    std::optional<std::vector<std::string>> hosts = MatchHosts(inventory, *rendered, diagnostics_);
    if (!hosts) return std::nullopt;
    if (hosts->empty()) {
      result_.no_hosts_matched = true;
      diagnostics_.Error(play.hosts.span(),
                         absl::StrCat("play \"", play.name, "\" matches no host"));
      return std::nullopt;
    }
    return hosts;
  }

  // One null value without waves; empty when it reported an error.
  std::vector<Value> WavesOf(const Play& play, VariableScope& scope) {
    if (!play.waves) return {Value()};
    std::optional<Value> rendered = Render(*play.waves, scope, diagnostics_);
    if (!rendered) return {};
    if (!rendered->is_list() || rendered->list().empty()) {
      diagnostics_.Error(
          play.waves->span(),
          absl::StrCat("\"waves\" must be a list of maps with a name each, got ",
                       rendered->is_list() ? "an empty list" : yaml::TypeName(rendered->type())));
      return {};
    }
    std::set<std::string> names;
    bool good = true;
    for (const Value& wave : rendered->list()) {
      const Value* name = wave.Find("name");
      if (name == nullptr || !name->is_string() || name->text().empty()) {
        diagnostics_.Error(wave.span(), "a wave is a map with a name: { name: pilot, ... }");
        good = false;
      } else if (!names.insert(name->text()).second) {
        diagnostics_.Error(name->span(),
                           absl::StrCat("two waves of this play are named \"", name->text(), "\""));
        good = false;
      }
    }
    return good ? rendered->list() : std::vector<Value>{};
  }

  std::optional<std::string> PromptOf(const std::optional<Value>& prompt, VariableScope& scope,
                                      bool& good) {
    if (!prompt) return std::nullopt;
    std::optional<Value> rendered = Render(*prompt, scope, diagnostics_);
    if (!rendered) {
      good = false;
      return std::nullopt;
    }
    return rendered->ToText();
  }

  void AddStages(
      const Play& play, const Inventory& inventory, VariableWorld& world,
      std::vector<StageDraft>& stages,
      std::vector<std::pair<std::optional<std::string>, std::optional<std::string>>>& pauses) {
    VariableScope scope = world.PlayScope(&play.variables);
    const std::vector<Value> waves = WavesOf(play, scope);
    std::optional<std::vector<std::string>> hosts = HostsOf(play, inventory, scope);
    std::optional<Value> serial = RenderForPlay(play.serial, scope);
    std::optional<Value> budget = RenderForPlay(play.max_fail_percentage, scope);
    std::optional<int> max_fail =
        budget ? ReadMaxFailPercentage(*budget, diagnostics_) : std::nullopt;
    if (!hosts || !serial) return;
    std::optional<std::vector<std::vector<std::string>>> batches =
        CutIntoBatches(*hosts, *serial, diagnostics_);
    if (!max_fail || !batches) return;
    if (stages.size() + waves.size() * (play.gate ? 2 : 1) > kMaxStages) {
      diagnostics_.Error(play.span,
                         absl::StrCat("the playbook has more than ", kMaxStages, " stages"));
      return;
    }
    for (const Value& wave : waves) {
      StageDraft stage;
      stage.play = &play;
      if (wave.is_map()) {
        stage.wave = wave;
        stage.wave_name = wave.Find("name")->text();
        scope.Set("wave", wave);
      }
      stage.hosts = *hosts;
      stage.batches = *batches;
      stage.max_fail_percentage = *max_fail;
      bool good = true;
      std::optional<std::string> before = PromptOf(play.pause_before, scope, good);
      std::optional<std::string> after = PromptOf(play.pause_after, scope, good);
      if (!good) continue;
      if (play.gate) {
        // Judged after whoever was waited for, and right before the pointers move.
        if (!AddGateStage(play, inventory, scope, stage, stages)) continue;
        pauses.emplace_back(std::exchange(before, std::nullopt), std::nullopt);
      }
      stage.number = static_cast<uint32_t>(stages.size() + 1);
      if (play.arrival && play.gate && !AddArrival(play, scope, stage.number)) continue;
      // Whoever was told to reset the phones is told who has come.
      if (!play.arrival && play.gate && after) arrivals_.emplace(stage.number, std::nullopt);
      stages.push_back(std::move(stage));
      pauses.emplace_back(std::move(before), std::move(after));
    }
  }

  // The stage before `guarded`, which gets the next number. False when it reported an error.
  bool AddGateStage(const Play& play, const Inventory& inventory, VariableScope& scope,
                    const StageDraft& guarded, std::vector<StageDraft>& stages) {
    std::optional<Value> rendered = Render(*play.gate, scope, diagnostics_);
    if (!rendered) return false;
    std::optional<GateSettings> settings =
        ReadGateSettings(*rendered, inventory, diagnostics_, result_.no_hosts_matched);
    if (!settings) return false;
    StageDraft gate;
    gate.number = static_cast<uint32_t>(stages.size() + 1);
    gate.gate_for = gate.number + 1;
    gate.play = &gates_.PlayOf(play);
    gate.wave_name = guarded.wave_name;
    gate.hosts = settings->run_on;
    gate.batches = {gate.hosts};
    gates_.Add(gate.number, gate.gate_for, *std::move(settings));
    stages.push_back(std::move(gate));
    return true;
  }

  // False when it reported an error.
  bool AddArrival(const Play& play, VariableScope& scope, uint32_t stage) {
    std::optional<Value> rendered = Render(*play.arrival, scope, diagnostics_);
    if (!rendered) return false;
    std::optional<ArrivalSettings> settings = ReadArrivalSettings(*rendered, diagnostics_);
    if (settings) arrivals_.emplace(stage, *settings);
    return settings.has_value();
  }

  // Nothing where the stage has no pointer on any host.
  std::optional<ArrivalDemand> ArrivalOf(const StageDraft& stage, const Drafts& drafts,
                                         const std::string& playbook) {
    const auto settings = arrivals_.find(stage.number);
    const v1::TrustGateSpec* gate = gates_.SpecFor(stage.number);
    if (settings == arrivals_.end() || gate == nullptr) return std::nullopt;
    uint32_t phones = gate->unproven();
    for (const v1::PhoneClass& group : gate->classes()) phones += group.count();
    if (phones == 0 && !settings->second) return std::nullopt;
    if (phones == 0) {
      diagnostics_.Error(
          stage.play->arrival_span,
          absl::StrCat("nobody could arrive: no phone of ", gates_.PhonesFor(stage.number),
                       " is in the scopes of ",
                       stage.wave_name.empty() ? absl::StrCat("play \"", stage.play->name, "\"")
                                               : absl::StrCat("wave \"", stage.wave_name, "\"")));
    }
    ArrivalDemand demand;
    demand.only_look = !settings->second.has_value();
    if (settings->second) {
      demand.at_least = settings->second->at_least;
      demand.within = settings->second->within;
      demand.every = settings->second->every;
    }
    demand.phones = gates_.PhonesFor(stage.number);
    demand.pointers.assign(gate->pointers().begin(), gate->pointers().end());
    demand.exchange = ExchangeOf(drafts).value_or(playbook);
    demand.tftp_http_port = gate->tftp_http_port();
    demand.tftp_port = gate->tftp_port();
    demand.timeout_ms = gate->timeout_ms();
    return demand;
  }

  // The exchange of certificates that the playbook is about; nothing where it names none or
  // several.
  static std::optional<std::string> ExchangeOf(const Drafts& drafts) {
    std::set<std::string> exchanges;
    for (const auto& [node, of_node] : drafts) {
      for (const ResourceDraft& draft : of_node) {
        const v1::Resource& resource = draft.resource;
        if (resource.has_bundle_export()) exchanges.insert(resource.bundle_export().exchange());
        if (resource.has_bundle_import()) exchanges.insert(resource.bundle_import().exchange());
      }
    }
    if (exchanges.size() != 1) return std::nullopt;
    return *exchanges.begin();
  }

  static StagePlan PlanOf(
      const StageDraft& stage,
      const std::pair<std::optional<std::string>, std::optional<std::string>>& pauses) {
    StagePlan plan;
    plan.number = stage.number;
    plan.play = stage.play->name;
    plan.wave = stage.wave_name;
    plan.hosts = stage.hosts;
    plan.batches = stage.batches;
    plan.max_fail_percentage = stage.max_fail_percentage;
    plan.gate_for = stage.gate_for;
    for (const Task& task : stage.play->tasks)
      plan.pointer = plan.pointer || task.kind->rule.pointer();
    plan.require_no_stragglers = stage.play->require_no_stragglers;
    plan.pause_before = pauses.first;
    plan.pause_after = pauses.second;
    return plan;
  }

  static void AddDocument(const std::string& node, const std::vector<ResourceDraft>& drafts,
                          CompiledPlaybook& compiled) {
    v1::DesiredState& document = compiled.documents[node];
    document.set_node(node);
    document.set_playbook(compiled.name);
    *document.mutable_topology() = compiled.topology;
    for (const StagePlan& plan : compiled.stages) {
      v1::Stage& stage = *document.add_stages();
      stage.set_number(plan.number);
      stage.set_play(plan.play);
      stage.set_wave(plan.wave);
      stage.set_gate_for(plan.gate_for);
    }
    for (const ResourceDraft& draft : drafts) *document.add_resources() = draft.resource;
  }

  const CompileOptions& options_;
  yaml::Diagnostics& diagnostics_;
  CompileResult result_;
  GateMaker gates_;
  // By the stage they follow; nothing: only a look after its pause.
  std::map<uint32_t, std::optional<ArrivalSettings>> arrivals_;
};

}  // namespace

CompileResult Compile(const CompileOptions& options, yaml::Diagnostics& diagnostics) {
  return Compiler(options, diagnostics).Compile();
}

}  // namespace trustline::controller
