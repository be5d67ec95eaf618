// Playbook + inventory + variables -> one DesiredState per node, and how to roll it out. Pure but
// for reading the named files.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "protos/trustline/v1/desired_state.pb.h"
#include "protos/yaml/diagnostics.h"

namespace trustline::controller {

struct CompileOptions {
  std::string playbook_path;
  std::vector<std::string> inventories;  // -i, in order; files or directories
  std::vector<std::string> extra_vars;   // -e: k=v, JSON/YAML, @file
  std::string domain;                    // of the operator's identity; empty while linting
  // !env values are looked up by presence only while compiling; values are read by ResolveSecrets.
};

// How to reach a node.
struct NodeAddress {
  std::string node;      // inventory name
  std::string host;      // var `ansible_host`, else `address`, else the name
  uint16_t port = 9443;  // var `ansible_port` or `trustline_port`
};

// What is asked of the phones of a stage once its pointers are in place: the play key `arrival`, or
// one look after the pause of a gated play that has none.
struct ArrivalDemand {
  bool only_look = false;  // the run goes on whatever is found; the next three are unset
  int at_least = 0;        // percent of the phones in scope that can be moved
  absl::Duration within;   // from the end of the stage's pause on
  absl::Duration every;    // how often the evidence is looked at
  std::string phones;      // the gate's evidence file, below the playbook's directory
  std::vector<v1::GatedPointer> pointers;  // whom the stage moves, and where to
  std::string exchange;  // whose ledger of stragglers; the playbook's name where it has none
  // Filled in by the run of a look: what was read before this does not say that a phone stayed
  // away.
  absl::Time since = absl::InfinitePast();
  // As the gate has them; 0: what phones use.
  uint32_t tftp_http_port = 0, tftp_port = 0, timeout_ms = 0;
};

// One stage of the rollout, the same for all nodes.
struct StagePlan {
  uint32_t number = 0;
  std::string play;
  std::string wave;                               // empty: none
  std::vector<std::string> hosts;                 // every host of the play, in inventory order
  std::vector<std::vector<std::string>> batches;  // from `serial`; one batch without
  int max_fail_percentage = 0;
  bool pointer =
      false;  // holds a resource a pointer depends on: all servers of a scope are in one batch
  uint32_t gate_for = 0;                 // judges the pointers of that stage; 0: an ordinary stage
  std::optional<ArrivalDemand> arrival;  // looked at after `pause_after`
  bool require_no_stragglers = false;    // it takes the source away: every phone has arrived
  std::optional<std::string> pause_before;  // prompt to confirm before this stage
  std::optional<std::string> pause_after;   // prompt to confirm after it
};

struct SkippedTask {  // `when` was false; counted as skipped= in the recap
  std::string node;
  uint32_t stage = 0;
  std::string task;
};

struct CompiledPlaybook {
  std::string name;  // "migrate-phones"
  std::vector<StagePlan> stages;
  std::map<std::string, v1::DesiredState> documents;  // by node; only nodes with resources
  std::map<std::string, NodeAddress> nodes;           // every node of the inventory
  std::vector<SkippedTask> skipped;
  v1::Topology topology;
};

// Reports everything wrong into `diagnostics`; nullopt then. `no_hosts_matched` is set when a
// play's pattern matched nothing (exit 66).
struct CompileResult {
  std::optional<CompiledPlaybook> compiled;
  bool no_hosts_matched = false;
  bool input_missing = false;  // a file named on the command line is not there (exit 66)
};
CompileResult Compile(const CompileOptions& options, yaml::Diagnostics& diagnostics);

// Which of a document's resources a run may apply: --limit, --tags, --skip-tags mask, they never
// change the document.
struct Mask {
  std::string limit;  // host pattern; empty: all
  std::vector<std::string> tags, skip_tags;
};
// Node names allowed by `limit` against the same inventories. Unknown names and empty matches are
// errors in `diagnostics`.
std::optional<std::vector<std::string>> LimitHosts(const CompileOptions& options,
                                                   const std::string& limit,
                                                   yaml::Diagnostics& diagnostics);
// Ansible's rules: `always` runs unless skipped, `never` only when named.
bool TagsAllow(const Mask& mask, const v1::Resource& resource);

}  // namespace trustline::controller
