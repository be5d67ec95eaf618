#include "controller/playbook/drafts.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "controller/expression/templating.h"
#include "protos/yaml/message_reader.h"

namespace trustline::controller {
namespace {

namespace fs = std::filesystem;
using yaml::Value;

constexpr size_t kMaxContentBytes = 1 << 20;

// Files whose content goes into the document: certificates, known_hosts.
absl::StatusOr<std::string> ReadContent(const std::string& directory, const std::string& path) {
  const fs::path full = fs::path(path).is_absolute() ? fs::path(path) : fs::path(directory) / path;
  std::error_code error;
  if (!fs::is_regular_file(full, error)) {
    return absl::NotFoundError(absl::StrCat(
        full.string(), ": ", fs::exists(full, error) ? "not a regular file" : "no such file"));
  }
  if (fs::file_size(full, error) > kMaxContentBytes) {
    return absl::InvalidArgumentError(absl::StrCat(full.string(), ": larger than 1 MiB"));
  }
  std::ifstream in(full, std::ios::binary);
  std::ostringstream content;
  content << in.rdbuf();
  if (!in) return absl::PermissionDeniedError(absl::StrCat(full.string(), ": cannot be read"));
  return content.str();
}

// A handler runs when any of what notifies it runs, so it takes the tags of all; `never` only where
// all have it.
void InheritTags(const std::vector<const v1::Resource*>& notifiers, v1::Resource& handler) {
  std::set<std::string> present(handler.tags().begin(), handler.tags().end());
  for (const v1::Resource* notifier : notifiers) {
    for (const std::string& tag : notifier->tags()) {
      const bool everywhere =
          std::all_of(notifiers.begin(), notifiers.end(), [&](const v1::Resource* other) {
            return std::find(other->tags().begin(), other->tags().end(), tag) !=
                   other->tags().end();
          });
      if (tag == "never" && !everywhere) continue;
      if (present.insert(tag).second) handler.add_tags(tag);
    }
  }
}

}  // namespace

struct DraftMaker::HostStage {
  const StageDraft& stage;
  const std::string& host;
  VariableScope scope;
  std::vector<ResourceDraft>& drafts;
  std::vector<DraftSkip>& skipped;
  size_t first = 0;  // of this stage among the node's drafts
};

void DraftMaker::Add(const StageDraft& stage, Drafts& drafts, std::vector<DraftSkip>& skipped) {
  for (const std::string& host : stage.hosts) {
    HostStage at{stage,        host,    world_.HostInPlay(host, &stage.play->variables),
                 drafts[host], skipped, drafts[host].size()};
    if (!stage.wave_name.empty()) at.scope.Set("wave", stage.wave);
    for (const Task& task : stage.play->tasks) AddTask(task, at);
    AddHandlers(at);
  }
}

DraftMaker::DraftMaker(VariableWorld& world, std::string playbook_directory,
                       yaml::Diagnostics& diagnostics)
    : world_(world),
      directory_(std::move(playbook_directory)),
      diagnostics_(diagnostics),
      report_(diagnostics) {
  read_options_.read_file = [this](const std::string& path) {
    return ReadContent(directory_, path);
  };
}

std::optional<bool> DraftMaker::Applies(const Task& task, VariableScope& scope,
                                        const std::string& host) {
  if (!task.when) return true;
  yaml::Diagnostics found;
  // A condition whose syntax is wrong has been reported when it was read.
  if (yaml::Diagnostics syntax; !CheckCondition(*task.when, syntax)) return std::nullopt;
  std::optional<bool> applies = EvaluateCondition(*task.when, scope, found);
  report_.Take(found, absl::StrCat("on host ", host));
  return applies;
}

void DraftMaker::AddTask(const Task& task, HostStage& at) {
  if (!task.loop) {
    const std::optional<bool> applies = Applies(task, at.scope, at.host);
    if (!applies) return;
    if (!*applies) {
      at.skipped.push_back({at.host, at.stage.number, task.Title()});
      return;
    }
    AddResource(task, at.scope, at);
    return;
  }
  yaml::Diagnostics found;
  std::optional<Value> items = Render(*task.loop, at.scope, found);
  if (items && !items->is_list()) {
    found.Error(task.loop->span(),
                absl::StrCat("\"loop\" must be a list, got ", yaml::TypeName(items->type())));
    items.reset();
  }
  report_.Take(found, absl::StrCat("on host ", at.host));
  if (!items) return;
  bool any = false, failed = false;
  for (const Value& item : items->list()) {
    VariableScope scope = at.scope;
    scope.Set("item", item);
    const std::optional<bool> applies = Applies(task, scope, at.host);
    failed = failed || !applies;
    if (!applies || !*applies) continue;
    any = true;
    AddResource(task, scope, at);
  }
  if (!any && !failed) at.skipped.push_back({at.host, at.stage.number, task.Title()});
}

bool DraftMaker::ReadSpec(const Value& arguments, const Task& task,
                          google::protobuf::Message& spec) {
  // Only the reader knows which places hold what must not be shown, so what is new is read again
  // into the real diagnostics.
  yaml::Diagnostics trial;
  const bool good = yaml::ReadMessage(arguments, task.kind->name, read_options_, spec, trial);
  bool is_new = false;
  for (const yaml::Diagnostic& diagnostic : trial.all())
    is_new = report_.IsNew(diagnostic) || is_new;
  if (is_new) yaml::ReadMessage(arguments, task.kind->name, read_options_, spec, diagnostics_);
  return good;
}

void DraftMaker::CheckUnused(const Task& task) {
  if (rendered_.contains(&task)) return;
  if (!HasTemplates(task.arguments)) {
    v1::Resource scratch;
    ReadSpec(task.arguments, task, MutableSpec(scratch, *task.kind));
    return;
  }
  // Without a host no value is known, but names of fields are.
  std::vector<std::string> known;
  for (int i = 0; i < task.kind->spec->field_count(); ++i) {
    known.push_back(task.kind->spec->field(i)->name());
  }
  for (const Value::Member& member : task.arguments.map()) {
    if (std::find(known.begin(), known.end(), member.key) != known.end()) continue;
    diagnostics_.Error(member.key_span,
                       absl::StrCat("unknown field \"", member.key, "\" in ", task.kind->name,
                                    yaml::DidYouMeanSuffix(member.key, known)));
  }
}

bool DraftMaker::AddResource(const Task& task, VariableScope& scope, HostStage& at) {
  rendered_.insert(&task);
  yaml::Diagnostics found;
  std::optional<Value> arguments = Render(task.arguments, scope, found);
  report_.Take(found, absl::StrCat("on host ", at.host));
  if (!arguments) return false;
  WarnUnsetSecrets(*arguments);
  ResourceDraft draft;
  draft.task = &task;
  draft.stage = &at.stage;
  v1::Resource& resource = draft.resource;
  if (!ReadSpec(*arguments, task, MutableSpec(resource, *task.kind))) return false;
  resource.set_stage(at.stage.number);
  resource.set_mode(task.mode);
  resource.set_task(task.name);
  std::set<std::string> tags;
  for (const std::vector<Word>* words : {&at.stage.play->tags, &task.tags}) {
    for (const Word& word : *words) {
      if (tags.insert(word.text).second) resource.add_tags(word.text);
    }
  }
  v1::SourceSpan& place = *resource.mutable_declared_at();
  if (task.declared_at.file != nullptr)
    place.set_file(fs::path(task.declared_at.file->name).filename().string());
  place.set_line(task.declared_at.line);
  place.set_column(task.declared_at.column);
  at.drafts.push_back(std::move(draft));
  return true;
}

void DraftMaker::AddHandlers(HostStage& at) {
  const size_t end = at.drafts.size();
  for (const Task& handler : at.stage.play->handlers) {
    std::vector<size_t> notifiers;
    for (size_t i = at.first; i < end; ++i) {
      const std::vector<Word>& notify = at.drafts[i].task->notify;
      if (std::any_of(notify.begin(), notify.end(),
                      [&](const Word& word) { return word.text == handler.name; }))
        notifiers.push_back(i);
    }
    if (notifiers.empty()) continue;
    const std::optional<bool> applies = Applies(handler, at.scope, at.host);
    if (applies && !*applies) at.skipped.push_back({at.host, at.stage.number, handler.Title()});
    if (!applies || !*applies || !AddResource(handler, at.scope, at)) continue;
    ResourceDraft& draft = at.drafts.back();
    draft.handler = true;
    draft.notified_by = notifiers;
    std::vector<const v1::Resource*> resources;
    for (size_t i : notifiers) resources.push_back(&at.drafts[i].resource);
    InheritTags(resources, draft.resource);
  }
}

void DraftMaker::WarnUnsetSecrets(const Value& value) {
  if (value.is_list()) {
    for (const Value& item : value.list()) WarnUnsetSecrets(item);
  } else if (value.is_map()) {
    for (const Value::Member& member : value.map()) WarnUnsetSecrets(member.value);
  } else if (value.type() == yaml::Type::kSecret) {
    absl::string_view name = value.text();
    if (!absl::ConsumePrefix(&name, "env:") || std::getenv(std::string(name).c_str()) != nullptr)
      return;
    if (unset_.insert(value.text()).second) {
      diagnostics_.Warning(value.span(), absl::StrCat("environment variable ", name,
                                                      " is not set; plan and apply need it"));
    }
  }
}

}  // namespace trustline::controller
