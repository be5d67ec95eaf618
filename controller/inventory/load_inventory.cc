// Reads inventories and variable files from disk into an InventoryBuilder.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "controller/expression/templating.h"
#include "controller/inventory/host_range.h"
#include "controller/inventory/inventory.h"
#include "controller/inventory/inventory_builder.h"
#include "protos/yaml/document.h"

namespace trustline::controller {
namespace {

namespace fs = std::filesystem;
using yaml::Span;
using yaml::Value;

// Directories below a directory inventory that are followed.
constexpr int kMaxDirectoryDepth = 8;

bool HasVariablesEnding(const fs::path& path) {
  const std::string ending = path.extension().string();
  return ending == ".yml" || ending == ".yaml" || ending == ".json";
}

// Entries in ASCII order, without hidden ones and editors' backups. An unreadable directory is an
// error.
std::vector<fs::path> Entries(const fs::path& directory, yaml::Diagnostics& diagnostics) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (absl::StartsWith(name, ".") || absl::EndsWith(name, "~") || absl::EndsWith(name, ".bak"))
      continue;
    entries.push_back(it->path());
  }
  if (error) diagnostics.Error({}, absl::StrCat(directory.string(), ": ", error.message()));
  std::sort(entries.begin(), entries.end());
  return entries;
}

class Loader {
 public:
  Loader(yaml::Diagnostics& diagnostics, bool* input_missing)
      : diagnostics_(diagnostics), input_missing_(input_missing), builder_(diagnostics) {}

  // One -i.
  void ReadSource(const std::string& source) {
    std::error_code error;
    const fs::file_status status = fs::status(source, error);
    if (!fs::exists(status)) {
      if (source.find(',') != std::string::npos) return ReadNames(source);
      diagnostics_.Error({}, absl::StrCat("inventory ", source, ": no such file or directory"));
      if (input_missing_ != nullptr) *input_missing_ = true;
      return;
    }
    if (fs::is_directory(status)) {
      directories_.push_back(source);
      return ReadDirectory(source, 0);
    }
    const fs::path parent = fs::path(source).parent_path();
    directories_.push_back(parent.empty() ? "." : parent.string());
    ReadFile(source);
  }

  // The variable files beside all inventories, then those beside the playbook.
  void ReadVariableFiles(const std::string& playbook_directory) {
    std::set<std::string> seen;
    std::vector<std::pair<std::string, bool>> directories;
    for (const std::string& directory : directories_) directories.emplace_back(directory, false);
    if (!playbook_directory.empty()) directories.emplace_back(playbook_directory, true);
    for (const auto& [directory, of_playbook] : directories) {
      std::error_code error;
      const fs::path real = fs::weakly_canonical(directory, error);
      if (!seen.insert(error ? directory : real.string()).second) continue;
      ReadVariableDirectory(fs::path(directory) / "group_vars", true, of_playbook);
      ReadVariableDirectory(fs::path(directory) / "host_vars", false, of_playbook);
    }
  }

  Inventory Build() { return builder_.Build(); }

 private:
  // "a,b,": hosts by name.
  void ReadNames(const std::string& source) {
    auto file = std::make_shared<yaml::SourceFile>();
    file->name = "--inventory";
    file->text = source;
    uint32_t column = 1;
    for (absl::string_view part : absl::StrSplit(source, ',')) {
      const Span span{file, 1, column, column + static_cast<uint32_t>(part.size())};
      column += static_cast<uint32_t>(part.size()) + 1;
      const std::string name(absl::StripAsciiWhitespace(part));
      if (!name.empty()) AddHosts(name, span, "all");
    }
  }

  void ReadDirectory(const fs::path& directory, int depth) {
    if (depth > kMaxDirectoryDepth) {
      diagnostics_.Error(
          {}, absl::StrCat(directory.string(), ": inventory directories are nested too deeply"));
      return;
    }
    for (const fs::path& entry : Entries(directory, diagnostics_)) {
      const std::string name = entry.filename().string();
      std::error_code error;
      if (fs::is_directory(entry, error)) {
        if (name != "group_vars" && name != "host_vars") ReadDirectory(entry, depth + 1);
      } else if (HasVariablesEnding(entry)) {
        ReadFile(entry.string());
      }
    }
  }

  void ReadFile(const std::string& path) {
    std::error_code error;
    if (!fs::is_regular_file(path, error)) {
      diagnostics_.Error({}, absl::StrCat(path, ": not a regular file"));
      return;
    }
    if (std::string kind = OtherFormat(path); !kind.empty()) {
      diagnostics_.Error(
          {}, absl::StrCat("unsupported: ", path, " is ", kind, "; write the inventory in YAML"));
      return;
    }
    const Value root = yaml::LoadYaml(path, diagnostics_);
    if (root.is_null()) return;
    if (!root.is_map()) {
      diagnostics_.Error(
          root.span(), absl::StrCat("an inventory is a map of groups beginning with \"all:\", got ",
                                    yaml::TypeName(root.type())));
      return;
    }
    for (const Value::Member& member : root.map()) {
      if (member.key == "hosts" || member.key == "vars" || member.key == "children") {
        diagnostics_.Error(
            member.key_span,
            absl::StrCat("\"", member.key, "\" belongs into a group; indent it below \"all:\""));
        continue;
      }
      ReadGroup(member.key, member.key_span, member.value);
    }
  }

  // What is recognised only to be refused by its name.
  static std::string OtherFormat(const std::string& path) {
    std::ifstream in(path);
    std::string line;
    while (std::getline(in, line)) {
      const absl::string_view text = absl::StripAsciiWhitespace(line);
      if (absl::StartsWith(text, "#!")) return "an executable inventory";
      if (absl::StartsWith(text, "$ANSIBLE_VAULT;")) return "encrypted by ansible-vault";
      if (text.empty() || text[0] == '#' || text[0] == ';') continue;
      return text[0] == '[' && text.back() == ']' && text.find(',') == absl::string_view::npos
                 ? "an INI inventory"
                 : "";
    }
    return "";
  }

  void ReadGroup(const std::string& name, const Span& span, const Value& value) {
    if (!builder_.AddGroup(name, span) || value.is_null()) return;
    if (!value.is_map()) {
      diagnostics_.Error(
          value.span(),
          absl::StrCat("group \"", name, "\" must be a map with hosts, vars and children, got ",
                       yaml::TypeName(value.type())));
      return;
    }
    for (const Value::Member& member : value.map()) {
      if (member.key == "hosts") {
        ReadHosts(name, member.value);
      } else if (member.key == "vars") {
        CheckTemplates(member.value, diagnostics_);
        builder_.SetGroupVariables(name, member.value, "\"vars\"");
      } else if (member.key == "children") {
        ReadChildren(name, member.value);
      } else {
        diagnostics_.Error(
            member.key_span,
            absl::StrCat("unknown key \"", member.key, "\" in group \"", name, "\"",
                         yaml::DidYouMeanSuffix(member.key, {"hosts", "vars", "children"}),
                         "; a group has hosts, vars and children"));
      }
    }
  }

  void ReadHosts(const std::string& group, const Value& value) {
    if (value.is_null()) return;
    if (!value.is_map()) {
      diagnostics_.Error(value.span(),
                         absl::StrCat("\"hosts\" must be a map of host names (\"name: {}\"), got ",
                                      yaml::TypeName(value.type())));
      return;
    }
    for (const Value::Member& member : value.map()) {
      const std::vector<std::string> names = AddHosts(member.key, member.key_span, group);
      if (names.empty()) continue;
      CheckTemplates(member.value, diagnostics_);
      for (const std::string& name : names) {
        builder_.SetHostVariables(name, member.value, absl::StrCat("host \"", name, "\""));
        if (!member.value.is_map()) break;  // once is enough for an error
      }
    }
  }

  std::vector<std::string> AddHosts(const std::string& entry, const Span& span,
                                    const std::string& group) {
    absl::StatusOr<std::vector<std::string>> names = ExpandHostRange(entry);
    if (!names.ok()) {
      diagnostics_.Error(span, std::string(names.status().message()));
      return {};
    }
    std::vector<std::string> added;
    for (const std::string& name : *names) {
      if (!builder_.AddHost(name, span)) break;
      if (group != "all") builder_.AddHostToGroup(name, group);
      added.push_back(name);
    }
    return added;
  }

  void ReadChildren(const std::string& group, const Value& value) {
    if (value.is_null()) return;
    if (!value.is_map()) {
      diagnostics_.Error(value.span(), absl::StrCat("\"children\" must be a map of groups, got ",
                                                    yaml::TypeName(value.type())));
      return;
    }
    for (const Value::Member& member : value.map()) {
      if (!builder_.AddGroup(member.key, member.key_span)) continue;
      builder_.AddChild(group, member.key, member.key_span);
      ReadGroup(member.key, member.key_span, member.value);
    }
  }

  // group_vars/NAME, NAME.yml, NAME.yaml, NAME.json, or a directory NAME of such files.
  void ReadVariableDirectory(const fs::path& directory, bool of_groups, bool of_playbook) {
    std::error_code error;
    if (!fs::is_directory(directory, error)) return;
    for (const fs::path& entry : Entries(directory, diagnostics_)) {
      const bool is_directory = fs::is_directory(entry, error);
      if (!is_directory && entry.has_extension() && !HasVariablesEnding(entry) &&
          !IsKnown(entry.filename().string(), of_groups))
        continue;
      std::string name = entry.filename().string();
      if (!is_directory && HasVariablesEnding(entry)) name = entry.stem().string();
      if (!IsKnown(name, of_groups)) {
        WarnUnknown(entry, name, of_groups, of_playbook);
        continue;
      }
      if (is_directory) {
        for (const fs::path& file : Entries(entry, diagnostics_)) {
          if (fs::is_regular_file(file, error) &&
              (HasVariablesEnding(file) || !file.has_extension()))
            ReadVariables(file, name, of_groups);
        }
      } else {
        ReadVariables(entry, name, of_groups);
      }
    }
  }

  bool IsKnown(const std::string& name, bool group) const {
    return group ? builder_.HasGroup(name) || name == "ungrouped" : builder_.HasHost(name);
  }

  // A playbook's variables may be for other inventories; a misspelt name is worth a word all the
  // same.
  void WarnUnknown(const fs::path& entry, const std::string& name, bool of_groups,
                   bool of_playbook) {
    const std::string suffix =
        yaml::DidYouMeanSuffix(name, of_groups ? builder_.GroupNames() : builder_.HostNames());
    if (of_playbook && suffix.empty()) return;
    diagnostics_.Warning({}, absl::StrCat(entry.string(), ": no ", of_groups ? "group" : "host",
                                          " \"", name, "\"", suffix));
  }

  void ReadVariables(const fs::path& path, const std::string& name, bool of_groups) {
    const Value root = yaml::LoadYaml(path.string(), diagnostics_);
    if (root.is_string() && absl::StartsWith(root.text(), "$ANSIBLE_VAULT;")) {
      diagnostics_.Error(root.span(), "unsupported: ansible-vault; use !env NAME or !file PATH");
      return;
    }
    CheckTemplates(root, diagnostics_);
    const std::string what = absl::StrCat("a file of variables for \"", name, "\"");
    if (of_groups) {
      builder_.AddGroup(name, root.span());
      builder_.SetGroupVariables(name, root, what);
    } else {
      builder_.SetHostVariables(name, root, what);
    }
  }

  yaml::Diagnostics& diagnostics_;
  bool* input_missing_;
  InventoryBuilder builder_;
  std::vector<std::string> directories_;
};

}  // namespace

std::optional<Inventory> LoadInventory(const InventorySources& sources,
                                       yaml::Diagnostics& diagnostics, bool* input_missing) {
  const int errors_before = diagnostics.errors();
  if (sources.inventories.empty()) {
    diagnostics.Error({}, "no inventory: name one with -i");
    return std::nullopt;
  }
  Loader loader(diagnostics, input_missing);
  for (const std::string& source : sources.inventories) loader.ReadSource(source);
  loader.ReadVariableFiles(sources.playbook_directory);
  Inventory inventory = loader.Build();
  if (diagnostics.errors() > errors_before) return std::nullopt;
  return inventory;
}

}  // namespace trustline::controller
