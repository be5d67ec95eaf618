#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "controller/expression/templating.h"
#include "controller/inventory/inventory.h"
#include "controller/playbook/playbook.h"

namespace trustline::controller {
namespace {

using yaml::Span;
using yaml::Type;
using yaml::Value;

const std::vector<std::string>& PlayKeys() {
  static const auto* const kKeys = new std::vector<std::string>{
      "name",     "hosts", "vars", "serial",  "max_fail_percentage",  "tags", "tasks",
      "handlers", "waves", "gate", "arrival", "require_no_stragglers"};
  return *kKeys;
}

const std::vector<std::string>& TaskKeys() {
  static const auto* const kKeys =
      new std::vector<std::string>{"name", "when", "loop", "tags", "after", "notify", "mode"};
  return *kKeys;
}

// Known from the field or from later versions; what to do instead, or that it is not built yet.
const char* AdviceFor(absl::string_view key) {
  struct Entry {
    absl::string_view key;
    const char* advice;
  };
  static constexpr Entry kEntries[] = {
      {"confirm", "unsupported: confirm is not built yet"},
      {"import_playbook",
       "unsupported: import_playbook is not built yet; put the plays into one file"},
      {"roles", "trustline has no roles; write the tasks into the play"},
      {"become", "the agent on a node needs no other user; remove \"become\""},
      {"become_user", "the agent on a node needs no other user; remove \"become_user\""},
      {"gather_facts", "trustline gathers no facts; remove \"gather_facts\""},
      {"vars_files", "put variables into vars, group_vars/ or host_vars/"},
      {"pre_tasks", "put these tasks first in \"tasks\""},
      {"post_tasks", "put these tasks last in \"tasks\""},
      {"strategy", "every play is a barrier; remove \"strategy\""},
      {"any_errors_fatal",
       "any failed node stops later plays already; remove \"any_errors_fatal\""},
      {"ignore_errors", "errors are never ignored; use max_fail_percentage"},
      {"with_items", "write \"loop\""},
      {"register", "results of tasks cannot be used by others; remove \"register\""},
      {"delegate_to", "a task runs on the hosts of its play; remove \"delegate_to\""},
      {"block", "blocks are not part of the language; write the tasks into the play"},
      {"listen", "a handler is notified by its name"},
  };
  for (const Entry& entry : kEntries) {
    if (entry.key == key) return entry.advice;
  }
  return nullptr;
}

class Reader {
 public:
  explicit Reader(yaml::Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  std::vector<Play> Read(const Value& root) {
    std::vector<Play> plays;
    if (root.is_null()) return plays;
    if (!root.is_list()) {
      diagnostics_.Error(root.span(), absl::StrCat("a playbook is a list of plays, got ",
                                                   yaml::TypeName(root.type())));
      return plays;
    }
    for (const Value& item : root.list()) {
      if (!item.is_map()) {
        diagnostics_.Error(item.span(),
                           absl::StrCat("a play is a map, got ", yaml::TypeName(item.type())));
        continue;
      }
      const int errors = diagnostics_.errors();
      Play play = ReadPlay(item, plays.size() + 1);
      play.broken = diagnostics_.errors() > errors;
      plays.push_back(std::move(play));
    }
    return plays;
  }

 private:
  Play ReadPlay(const Value& value, size_t number) {
    Play play;
    play.span = value.span();
    play.name = absl::StrCat("play ", number);
    // An import is not a play with keys missing.
    const bool import = value.Find("import_playbook") != nullptr;
    for (const Value::Member& member : value.map()) {
      const std::string& key = member.key;
      const Value& given = member.value;
      if (key == "name") {
        if (ExpectString(member)) play.name = given.text();
      } else if (key == "hosts") {
        ReadHosts(given, play);
      } else if (key == "vars") {
        ReadVariables(given, play);
      } else if (key == "serial") {
        play.serial = Checked(given);
      } else if (key == "max_fail_percentage") {
        play.max_fail_percentage = Checked(given);
      } else if (key == "tags") {
        play.tags = ReadWords(member, /*commas=*/true);
      } else if (key == "waves") {
        play.waves = Checked(given);
      } else if (key == "gate") {
        play.gate = Checked(given);
        play.gate_span = member.key_span;
      } else if (key == "arrival") {
        play.arrival = Checked(given);
        play.arrival_span = member.key_span;
      } else if (key == "require_no_stragglers") {
        play.require_no_stragglers = ReadFlag(member);
      } else if (key != "tasks" && key != "handlers") {
        UnknownKey(member, "a play", PlayKeys());
      }
    }
    if (value.Find("hosts") == nullptr && !import) {
      diagnostics_.Error(value.span(), absl::StrCat("play \"", play.name, "\" has no hosts"));
    }
    if (const Value* handlers = value.Find("handlers")) ReadHandlers(*handlers, play);
    if (const Value* tasks = value.Find("tasks")) ReadTasks(*tasks, play);
    CheckNotifications(play);
    CheckGate(play);
    return play;
  }

  void CheckGate(const Play& play) {
    if (play.arrival && !play.gate) {
      diagnostics_.Error(
          play.arrival_span,
          absl::StrCat("play \"", play.name,
                       "\" has an arrival but no gate: its phones are those that the "
                       "gate names"));
    }
    if (!play.gate) return;
    for (const Task& task : play.tasks) {
      if (task.kind->rule.pointer()) return;
    }
    diagnostics_.Error(play.gate_span,
                       absl::StrCat("play \"", play.name,
                                    "\" has a gate but no tftp_pointer that it could guard"));
  }

  bool ExpectString(const Value::Member& member) {
    if (member.value.is_string() && !member.value.text().empty()) return true;
    diagnostics_.Error(
        member.value.span(),
        absl::StrCat(
            "\"", member.key, "\" must be a string, got ",
            member.value.is_string() ? "an empty one" : yaml::TypeName(member.value.type())));
    return false;
  }

  // True or false as such: what guards a play must not depend on a variable.
  bool ReadFlag(const Value::Member& member) {
    if (member.value.type() == Type::kBool) return member.value.bool_value();
    diagnostics_.Error(member.value.span(),
                       absl::StrCat("\"", member.key, "\" must be true or false, got ",
                                    yaml::TypeName(member.value.type())));
    return false;
  }

  const Value& Checked(const Value& value) {
    CheckTemplates(value, diagnostics_);
    return value;
  }

  void UnknownKey(const Value::Member& member, absl::string_view where,
                  const std::vector<std::string>& known) {
    if (const char* advice = AdviceFor(member.key)) {
      diagnostics_.Error(member.key_span, absl::StrCat(advice));
      return;
    }
    diagnostics_.Error(member.key_span, absl::StrCat("unknown key \"", member.key, "\" in ", where,
                                                     yaml::DidYouMeanSuffix(member.key, known)));
  }

  void ReadHosts(const Value& value, Play& play) {
    bool good = value.is_string() && !value.text().empty();
    if (value.is_list() && !value.list().empty()) {
      good = true;
      for (const Value& item : value.list())
        good = good && item.is_string() && !item.text().empty();
    }
    if (!good) {
      diagnostics_.Error(value.span(), "\"hosts\" must be a host pattern or a list of them");
      return;
    }
    play.hosts = Checked(value);
  }

  void ReadVariables(const Value& value, Play& play) {
    if (value.is_null()) return;
    if (!value.is_map()) {
      diagnostics_.Error(
          value.span(), absl::StrCat("\"vars\" must be a map, got ", yaml::TypeName(value.type())));
      return;
    }
    for (const Value::Member& member : value.map()) {
      if (std::string why = WhyNotAVariableName(member.key); !why.empty()) {
        diagnostics_.Error(member.key_span, why);
        continue;
      }
      CheckTemplates(member.value, diagnostics_);
      play.variables.push_back(member);
    }
  }

  // A string or a list of strings.
  std::vector<Word> ReadWords(const Value::Member& member, bool commas) {
    std::vector<Word> words;
    auto take = [&](const Value& value) {
      if (!value.is_string() || value.text().empty()) {
        diagnostics_.Error(
            value.span(),
            absl::StrCat("\"", member.key, "\" takes a string or a list of strings, got ",
                         value.is_string() ? "an empty string" : yaml::TypeName(value.type())));
        return;
      }
      if (HasTemplates(value)) {
        diagnostics_.Error(value.span(), absl::StrCat("\"", member.key, "\" cannot be a template"));
        return;
      }
      if (!commas) {
        words.push_back({value.text(), value.span()});
        return;
      }
      for (absl::string_view part : absl::StrSplit(value.text(), ',')) {
        part = absl::StripAsciiWhitespace(part);
        if (!part.empty()) words.push_back({std::string(part), value.span()});
      }
    };
    if (member.value.is_list()) {
      for (const Value& item : member.value.list()) take(item);
    } else if (!member.value.is_null()) {
      take(member.value);
    }
    return words;
  }

  void ReadTasks(const Value& value, Play& play) {
    if (value.is_null()) return;
    if (!value.is_list()) {
      diagnostics_.Error(value.span(), absl::StrCat("\"tasks\" must be a list, got ",
                                                    yaml::TypeName(value.type())));
      return;
    }
    const Value::List& items = value.list();
    std::map<std::string, Span> names;
    for (size_t i = 0; i < items.size(); ++i) {
      if (!items[i].is_map()) {
        diagnostics_.Error(items[i].span(),
                           absl::StrCat("a task is a map, got ", yaml::TypeName(items[i].type())));
        continue;
      }
      if (items[i].Find("pause") != nullptr) {
        ReadPause(items[i], i, items.size(), play);
        continue;
      }
      std::optional<Task> task = ReadTask(items[i], /*handler=*/false);
      if (!task) continue;
      if (!task->name.empty()) {
        auto [first, is_new] = names.emplace(task->name, task->name_span);
        if (!is_new) {
          diagnostics_.Warning(task->name_span, absl::StrCat("two tasks of this play are named \"",
                                                             task->name, "\""));
          diagnostics_.Note(first->second, "the first one is here");
        }
      }
      play.tasks.push_back(*std::move(task));
    }
  }

  void ReadPause(const Value& value, size_t index, size_t count, Play& play) {
    const Value& pause = *value.Find("pause");
    for (const Value::Member& member : value.map()) {
      if (member.key == "pause" || member.key == "name") continue;
      diagnostics_.Error(member.key_span, absl::StrCat("a pause has no \"", member.key,
                                                       "\"; it stops the whole play"));
    }
    const Value* prompt = pause.Find("prompt");
    if (prompt == nullptr || !prompt->is_string() || prompt->text().empty()) {
      diagnostics_.Error(pause.span(), "a pause needs a prompt: pause: { prompt: \"...\" }");
      return;
    }
    for (const Value::Member& member : pause.map()) {
      if (member.key == "prompt") continue;
      diagnostics_.Error(member.key_span,
                         absl::StrCat("unknown key \"", member.key, "\" in a pause",
                                      yaml::DidYouMeanSuffix(member.key, {"prompt"})));
    }
    CheckTemplates(*prompt, diagnostics_);
    if (index == 0) {
      play.pause_before = *prompt;
    } else if (index + 1 == count) {
      play.pause_after = *prompt;
    } else {
      diagnostics_.Error(
          pause.span(),
          "a pause must be the first or the last task of its play; split the play in two");
    }
  }

  void ReadHandlers(const Value& value, Play& play) {
    if (value.is_null()) return;
    if (!value.is_list()) {
      diagnostics_.Error(value.span(), absl::StrCat("\"handlers\" must be a list, got ",
                                                    yaml::TypeName(value.type())));
      return;
    }
    std::map<std::string, Span> names;
    for (const Value& item : value.list()) {
      if (!item.is_map()) {
        diagnostics_.Error(item.span(),
                           absl::StrCat("a handler is a map, got ", yaml::TypeName(item.type())));
        continue;
      }
      std::optional<Task> handler = ReadTask(item, /*handler=*/true);
      if (!handler) continue;
      if (handler->name.empty()) {
        diagnostics_.Error(item.span(), "a handler needs a name, by which tasks notify it");
        continue;
      }
      if (handler->kind->name != "service") {
        diagnostics_.Error(handler->declared_at,
                           absl::StrCat("a handler is a service, not ", handler->kind->name));
        continue;
      }
      auto [first, is_new] = names.emplace(handler->name, handler->name_span);
      if (!is_new) {
        diagnostics_.Error(
            handler->name_span,
            absl::StrCat("two handlers of this play are named \"", handler->name, "\""));
        diagnostics_.Note(first->second, "the first one is here");
        continue;
      }
      play.handlers.push_back(*std::move(handler));
    }
  }

  std::optional<Task> ReadTask(const Value& value, bool handler) {
    Task task;
    bool two_kinds = false, unknown = false;
    for (const Value::Member& member : value.map()) {
      const std::string& key = member.key;
      const Value& given = member.value;
      if (const KindDescriptor* kind = FindKind(key)) {
        if (task.kind != nullptr) {
          diagnostics_.Error(member.key_span, absl::StrCat("a task has one kind; this one has ",
                                                           task.kind->name, " and ", key));
          two_kinds = true;
          continue;
        }
        task.kind = kind;
        task.declared_at = member.key_span;
        task.arguments = Checked(given);
      } else if (key == "name") {
        if (ExpectString(member)) task.name = given.text();
        task.name_span = given.span();
      } else if (key == "when") {
        CheckCondition(given, diagnostics_);
        task.when = given;
      } else if (key == "tags") {
        task.tags = ReadWords(member, /*commas=*/true);
      } else if (key == "mode") {
        ReadMode(given, task);
      } else if (handler && (key == "loop" || key == "after" || key == "notify")) {
        diagnostics_.Error(member.key_span, absl::StrCat("a handler has no \"", key, "\""));
      } else if (key == "loop") {
        ReadLoop(given, task);
      } else if (key == "after") {
        task.after = ReadWords(member, /*commas=*/false);
      } else if (key == "notify") {
        task.notify = ReadWords(member, /*commas=*/false);
      } else {
        unknown = true;
        std::vector<std::string> known = TaskKeys();
        known.push_back("pause");
        for (const KindDescriptor& kind : AllKinds()) known.push_back(kind.name);
        UnknownKey(member, handler ? "a handler" : "a task", known);
      }
    }
    if (two_kinds) return std::nullopt;
    if (task.kind == nullptr) {
      // A misspelt kind has been reported already.
      if (!unknown) {
        std::vector<std::string> kinds;
        for (const KindDescriptor& kind : AllKinds()) kinds.push_back(kind.name);
        diagnostics_.Error(value.span(), absl::StrCat("a ", handler ? "handler" : "task",
                                                      " needs a kind: ", absl::StrJoin(kinds, ", "),
                                                      handler ? "" : " or pause"));
      }
      return std::nullopt;
    }
    return task;
  }

  void ReadLoop(const Value& value, Task& task) {
    if (!value.is_list() && !HasTemplates(value)) {
      diagnostics_.Error(value.span(), absl::StrCat("\"loop\" must be a list, got ",
                                                    yaml::TypeName(value.type())));
      return;
    }
    task.loop = Checked(value);
  }

  void ReadMode(const Value& value, Task& task) {
    if (value.is_string() && value.text() == "enforce") {
      task.mode = v1::MODE_ENFORCE;
    } else if (value.is_string() && value.text() == "report") {
      task.mode = v1::MODE_REPORT;
    } else {
      const std::string text = value.is_string() ? value.text() : "";
      diagnostics_.Error(value.span(),
                         absl::StrCat("\"mode\" is enforce or report",
                                      yaml::DidYouMeanSuffix(text, {"enforce", "report"})));
    }
  }

  void CheckNotifications(const Play& play) {
    std::vector<std::string> names;
    for (const Task& handler : play.handlers) names.push_back(handler.name);
    std::set<std::string> used;
    for (const Task& task : play.tasks) {
      for (const Word& word : task.notify) {
        used.insert(word.text);
        if (std::find(names.begin(), names.end(), word.text) == names.end()) {
          diagnostics_.Error(word.span, absl::StrCat("no handler \"", word.text, "\" in this play",
                                                     yaml::DidYouMeanSuffix(word.text, names)));
        }
      }
    }
    for (const Task& handler : play.handlers) {
      if (!used.contains(handler.name))
        diagnostics_.Warning(handler.name_span,
                             absl::StrCat("no task notifies handler \"", handler.name, "\""));
    }
  }

  yaml::Diagnostics& diagnostics_;
};

}  // namespace

std::vector<Play> ReadPlaybook(const yaml::Value& root, yaml::Diagnostics& diagnostics) {
  return Reader(diagnostics).Read(root);
}

std::string PlaybookName(const std::string& path) {
  return std::filesystem::path(path).stem().string();
}

}  // namespace trustline::controller
