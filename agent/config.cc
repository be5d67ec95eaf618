#include "agent/config.h"

#include <arpa/inet.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "protos/yaml/diagnostics.h"
#include "protos/yaml/document.h"
#include "protos/yaml/message_reader.h"

namespace trustline::agent {
namespace {

using yaml::Diagnostics;
using yaml::Span;
using yaml::Value;

constexpr uint32_t kLeastMessageBytes = 64 << 10;
constexpr uint32_t kMostMessageBytes = 64 << 20;
constexpr uint32_t kMostTvsdTtl = 30 * 24 * 3600;

// Where a value stands in the file; where it is a default, the nearest value around it that does.
Span PlaceOf(const Value& root, std::initializer_list<absl::string_view> path) {
  const Value* place = &root;
  for (const absl::string_view step : path) {
    const Value* next = nullptr;
    int index = 0;
    if (place->is_list()) {
      if (absl::SimpleAtoi(step, &index) && static_cast<size_t>(index) < place->list().size()) {
        next = &place->list()[static_cast<size_t>(index)];
      }
    } else {
      next = place->Find(step);
    }
    if (next == nullptr) break;
    place = next;
  }
  return place->span();
}

bool IsIpv4(const std::string& text) {
  in_addr address;
  return inet_pton(AF_INET, text.c_str(), &address) == 1;
}

bool IsBelow(absl::string_view path, absl::string_view directory) {
  while (absl::EndsWith(directory, "/")) directory.remove_suffix(1);
  return path == directory || (absl::StartsWith(path, directory) && path[directory.size()] == '/');
}

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

class Checks {
 public:
  Checks(const v1::AgentConfig& config, const Value& root, Diagnostics& diagnostics)
      : config_(config), root_(root), diagnostics_(diagnostics) {}

  void Run() {
    Listen();
    Path({"state_directory"}, config_.state_directory());
    if (!config_.port_file().empty()) Path({"port_file"}, config_.port_file());
    Identity();
    for (int i = 0; i < config_.writable_size(); ++i) {
      const std::string index = absl::StrCat(i);
      // Here a slash at the end is as good as none: nothing is put together from it.
      const absl::string_view root = absl::StripSuffix(config_.writable(i), "/");
      if (Path({"writable", index}, root.empty() ? config_.writable(i) : std::string(root)) &&
          config_.writable(i) == "/") {
        Error({"writable", index},
              "the agent may not write everywhere; name the directories it needs");
      }
    }
    if (config_.has_certificates()) Certificates();
    if (config_.has_kea()) Kea();
    Services();
    if (config_.max_message_bytes() < kLeastMessageBytes ||
        config_.max_message_bytes() > kMostMessageBytes) {
      Error({"max_message_bytes"},
            absl::StrFormat("\"max_message_bytes\" must be between %d and %d", kLeastMessageBytes,
                            kMostMessageBytes));
    }
  }

 private:
  using Steps = std::initializer_list<absl::string_view>;

  void Error(Steps steps, std::string message) {
    diagnostics_.Error(PlaceOf(root_, steps), std::move(message));
  }

  // Absolute, without ".." and empty parts, so that it names one place whoever reads it and paths
  // below it are what the host takes.
  bool Path(Steps steps, const std::string& path) {
    if (!absl::StartsWith(path, "/")) {
      Error(steps, absl::StrCat("\"", path, "\" must be an absolute path"));
      return false;
    }
    for (const absl::string_view part : absl::StrSplit(path.substr(1), '/')) {
      if ((part != ".." && part != "." && !part.empty()) || path == "/") continue;
      Error(steps,
            part.empty()
                ? absl::StrCat("\"", path, "\" must be a path without // and without / at its end")
                : absl::StrCat("\"", path, "\" must be a path without . and .."));
      return false;
    }
    return true;
  }

  void Writable(Steps steps, const std::string& path, const std::string& directory) {
    if (!Path(steps, path) || IsBelow(path, config_.state_directory())) return;
    for (const std::string& root : config_.writable()) {
      if (IsBelow(path, root)) return;
    }
    Error(steps, absl::StrCat("the agent writes ", path,
                              ", which is not below a directory of \"writable\"; add ", directory,
                              " there"));
  }

  void Listen() {
    const std::vector<std::string> parts = absl::StrSplit(config_.listen(), ':');
    uint32_t port = 0;
    if (parts.size() == 2 && IsIpv4(parts[0]) && !parts[1].empty() &&
        parts[1].find_first_not_of("0123456789") == std::string::npos &&
        absl::SimpleAtoi(parts[1], &port) && port <= 65535) {
      return;
    }
    Error({"listen"},
          absl::StrCat("\"listen\" must be an IPv4 address and a port such as 0.0.0.0:9443, not \"",
                       config_.listen(), "\""));
  }

  // True when `path` is a regular file; `info` is filled.
  bool RegularFile(Steps steps, const std::string& path, struct stat& info) {
    if (!Path(steps, path)) return false;
    if (stat(path.c_str(), &info) != 0) {
      Error(steps, absl::StrCat("cannot read ", path, ": ", std::strerror(errno)));
      return false;
    }
    if (!S_ISREG(info.st_mode)) {
      Error(steps, absl::StrCat(path, " is not a regular file"));
      return false;
    }
    return true;
  }

  void Identity() {
    struct stat info;
    RegularFile({"identity", "certificate"}, config_.identity().certificate(), info);
    RegularFile({"identity", "ca"}, config_.identity().ca(), info);
    if (!RegularFile({"identity", "key"}, config_.identity().key(), info)) return;
    if ((info.st_mode & 0077) != 0) {
      Error(
          {"identity", "key"},
          absl::StrFormat("key %s has mode %04o, so that others can get at it; chmod 0600 it, and "
                          "issue a new one if somebody may have read it",
                          config_.identity().key(), info.st_mode & 07777));
    }
  }

  void Certificates() {
    const v1::CertificateRoots& roots = config_.certificates();
    Writable({"certificates", "root"}, roots.root(), roots.root());
    if (roots.has_tvsd()) {
      Writable({"certificates", "tvsd", "file"}, roots.tvsd().file(),
               DirectoryOf(roots.tvsd().file()));
      // What tvsctl takes.
      if (roots.tvsd().ttl_seconds() < 1 || roots.tvsd().ttl_seconds() > kMostTvsdTtl) {
        Error({"certificates", "tvsd", "ttl_seconds"},
              absl::StrCat("\"ttl_seconds\" must be between 1 and ", kMostTvsdTtl));
      }
    }
    std::map<std::string, Span> stores, files;
    for (int i = 0; i < roots.merged_size(); ++i) {
      const std::string index = absl::StrCat(i);
      const v1::MergedFile& merged = roots.merged(i);
      Writable({"certificates", "merged", index, "file"}, merged.file(),
               DirectoryOf(merged.file()));
      Unique(stores, merged.store(), {"certificates", "merged", index, "store"}, "store");
      Unique(files, merged.file(), {"certificates", "merged", index, "file"}, "file");
    }
    if (roots.has_tvsd()) {
      Unique(files, roots.tvsd().file(), {"certificates", "tvsd", "file"}, "file");
    }
  }

  void Kea() {
    const v1::KeaServer& kea = config_.kea();
    Writable({"kea", "config"}, kea.config(), DirectoryOf(kea.config()));
    Path({"kea", "control_socket"}, kea.control_socket());
    if (!IsIpv4(kea.address())) {
      Error({"kea", "address"}, absl::StrCat("\"address\" in kea must be an IPv4 address, not \"",
                                             kea.address(), "\""));
    }
  }

  void Unique(std::map<std::string, Span>& seen, const std::string& name, Steps steps,
              absl::string_view what) {
    const Span span = PlaceOf(root_, steps);
    const auto [first, fresh] = seen.emplace(name, span);
    if (fresh) return;
    diagnostics_.Error(span, absl::StrCat(what, " \"", name, "\" is named twice"));
    diagnostics_.Note(first->second, "the first one is here");
  }

  void Command(const std::string& index, absl::string_view which,
               const google::protobuf::RepeatedPtrField<std::string>& arguments) {
    if (arguments.empty()) return;
    Path({"services", index, "command", which, "0"}, arguments[0]);
  }

  void Services() {
    std::map<std::string, Span> names;
    for (int i = 0; i < config_.services_size(); ++i) {
      const std::string index = absl::StrCat(i);
      const v1::ManagedService& service = config_.services(i);
      Unique(names, service.name(), {"services", index, "name"}, "service");
      if (service.has_pid_file()) {
        Path({"services", index, "pid_file", "path"}, service.pid_file().path());
      }
      if (!service.has_command()) continue;
      const v1::CommandService& command = service.command();
      Command(index, "status", command.status());
      Command(index, "start", command.start());
      Command(index, "restart", command.restart());
      Command(index, "reload", command.reload());
      if (command.timeout_seconds() == 0) {
        Error({"services", index, "command", "timeout_seconds"},
              "\"timeout_seconds\" must be at least 1");
      }
    }
  }

  const v1::AgentConfig& config_;
  const Value& root_;
  Diagnostics& diagnostics_;
};

}  // namespace

absl::StatusOr<v1::AgentConfig> LoadAgentConfig(const std::string& path) {
  Diagnostics diagnostics;
  const Value root = yaml::LoadYaml(path, diagnostics);
  if (diagnostics.has_errors()) return diagnostics.ToStatus();
  if (root.is_null()) {
    return absl::InvalidArgumentError(absl::StrCat("error: ", path, " is empty\n"));
  }
  v1::AgentConfig config;
  // Only what could be read is worth a second look: a default must not be blamed for a value that
  // was refused.
  if (yaml::ReadMessage(root, "agent.yaml", yaml::ReadOptions(), config, diagnostics)) {
    Checks(config, root, diagnostics).Run();
  }
  if (diagnostics.has_errors()) return diagnostics.ToStatus();
  return config;
}

}  // namespace trustline::agent
