// --limit, --tags and --skip-tags: what a run may apply. They never change a document.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/compile.h"
#include "controller/inventory/host_pattern.h"
#include "controller/inventory/inventory.h"

namespace trustline::controller {
namespace {

bool Named(const std::vector<std::string>& names, absl::string_view wanted) {
  return std::find(names.begin(), names.end(), wanted) != names.end();
}

// Ansible's `tagged` and `untagged`: whether `names` names one of `tags`, or these words mean them.
bool Meets(const std::vector<std::string>& names, const std::set<std::string>& tags) {
  for (const std::string& name : names) {
    if (tags.contains(name)) return true;
  }
  if (tags.empty() ? Named(names, "untagged") : Named(names, "tagged")) return true;
  return false;
}

// "@file": one pattern per line.
bool ReadLimitFile(const std::string& path, std::string& pattern, yaml::Diagnostics& diagnostics) {
  std::ifstream in(path);
  if (!in) {
    diagnostics.Error({}, absl::StrCat("--limit @", path, ": cannot be read"));
    return false;
  }
  std::string line;
  pattern.clear();
  while (std::getline(in, line)) {
    const absl::string_view text = absl::StripAsciiWhitespace(line);
    if (text.empty() || text[0] == '#') continue;
    absl::StrAppend(&pattern, pattern.empty() ? "" : ",", text);
  }
  return true;
}

}  // namespace

bool TagsAllow(const Mask& mask, const v1::Resource& resource) {
  const std::set<std::string> tags(resource.tags().begin(), resource.tags().end());
  bool allowed = true;
  const bool never = tags.contains("never");
  if (mask.tags.empty() || Named(mask.tags, "all")) {
    allowed = !never || Meets(mask.tags, tags);
  } else {
    allowed = Meets(mask.tags, tags);
    // "tagged" alone does not name what is `never`.
    if (never && allowed) {
      allowed = std::any_of(mask.tags.begin(), mask.tags.end(),
                            [&](const std::string& tag) { return tags.contains(tag); });
    }
  }
  if (tags.contains("always")) allowed = true;
  if (!allowed || mask.skip_tags.empty()) return allowed;
  if (resource.notified_by_size() > 0) {
    // A handler bears the tags of all that notify it. Skipping one of these must not make a node
    // forget what another one owes.
    return tags.empty() || !std::all_of(tags.begin(), tags.end(), [&](const std::string& tag) {
             return Named(mask.skip_tags, tag);
           });
  }
  if (Named(mask.skip_tags, "all"))
    return tags.contains("always") && !Named(mask.skip_tags, "always");
  return !Meets(mask.skip_tags, tags);
}

std::optional<std::vector<std::string>> LimitHosts(const CompileOptions& options,
                                                   const std::string& limit,
                                                   yaml::Diagnostics& diagnostics) {
  InventorySources sources;
  sources.inventories = options.inventories;
  if (!options.playbook_path.empty()) {
    const std::filesystem::path parent = std::filesystem::path(options.playbook_path).parent_path();
    sources.playbook_directory = parent.empty() ? "." : parent.string();
  }
  // Whoever compiled has shown the inventory's warnings already.
  yaml::Diagnostics of_inventory;
  std::optional<Inventory> inventory = LoadInventory(sources, of_inventory);
  if (!inventory) {
    LoadInventory(sources, diagnostics);
    return std::nullopt;
  }
  std::string pattern = limit;
  if (pattern.empty()) pattern = "all";
  if (absl::StartsWith(pattern, "@") && !ReadLimitFile(pattern.substr(1), pattern, diagnostics))
    return std::nullopt;
  auto file = std::make_shared<yaml::SourceFile>();
  file->name = "--limit";
  file->text = pattern;
  const yaml::Value value = yaml::Value::String(
      pattern, yaml::Span{file, 1, 1, static_cast<uint32_t>(pattern.size() + 1)}, true);
  std::optional<std::vector<std::string>> hosts = MatchHosts(*inventory, value, diagnostics);
  if (hosts && hosts->empty()) {
    diagnostics.Error(value.span(), absl::StrCat("\"", pattern, "\" matches no host"));
    return std::nullopt;
  }
  return hosts;
}

}  // namespace trustline::controller
