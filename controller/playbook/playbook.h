// A playbook's structure: plays and tasks as the file says them, before hosts, variables and
// templates.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "protos/generic/kinds.h"
#include "protos/trustline/v1/desired_state.pb.h"
#include "protos/yaml/diagnostics.h"
#include "protos/yaml/value.h"

namespace trustline::controller {

// A word of the file and where it stands.
struct Word {
  std::string text;
  yaml::Span span;
};

struct Task {
  std::string name;  // empty: none given
  yaml::Span name_span;
  const KindDescriptor* kind = nullptr;
  yaml::Span declared_at;  // the kind's key
  yaml::Value arguments;
  std::optional<yaml::Value> when;
  std::optional<yaml::Value> loop;
  std::vector<Word> tags, after, notify;
  v1::Mode mode = v1::MODE_ENFORCE;

  // The name, or the kind where there is none.
  const std::string& Title() const { return name.empty() ? kind->name : name; }
};

struct Play {
  std::string name;  // "play N" where none is given
  yaml::Span span;
  yaml::Value hosts;
  yaml::Value::Map variables;
  std::optional<yaml::Value> serial, max_fail_percentage, waves;
  std::optional<yaml::Value> gate;
  yaml::Span gate_span;  // of the key
  std::optional<yaml::Value> arrival;
  yaml::Span arrival_span;  // of the key
  bool require_no_stragglers = false;
  std::vector<Word> tags;
  std::vector<Task> tasks;                               // without pauses
  std::vector<Task> handlers;                            // kind `service` each, with a name
  std::optional<yaml::Value> pause_before, pause_after;  // prompts
  bool broken = false;  // errors were reported in it: what follows from it is not to be judged
};

// Reports everything wrong with the structure and the syntax of all templates in one go. What could
// be read is returned all the same, so that more can be checked.
std::vector<Play> ReadPlaybook(const yaml::Value& root, yaml::Diagnostics& diagnostics);

// "migrate-phones" for "dir/migrate-phones.yml".
std::string PlaybookName(const std::string& path);

}  // namespace trustline::controller
