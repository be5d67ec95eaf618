#include "agent/tvs_config.h"

#include <arpa/inet.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "protos/yaml/diagnostics.h"
#include "protos/yaml/document.h"
#include "protos/yaml/message_reader.h"
#include "trust/status_macros.h"

namespace trustline::agent {
namespace {

using yaml::Diagnostics;
using yaml::Value;

// No phone needs more, and the kernel gives no more without asking.
constexpr uint32_t kMostConnections = 1'000'000, kMostThreads = 256, kMostSeconds = 3600;

class Checks {
 public:
  Checks(const v1::TvsConfig& config, const Value& root, Diagnostics& diagnostics)
      : config_(config), root_(root), diagnostics_(diagnostics) {}

  void Run() {
    if (const auto address = ParseTvsListen(config_.listen()); !address.ok()) {
      Error("listen", std::string(address.status().message()));
    }
    Range("max_connections", config_.max_connections(), kMostConnections);
    Range("connection_seconds", config_.connection_seconds(), kMostSeconds);
    Range("threads", config_.threads(), kMostThreads);
    if (config_.drain_seconds() > kMostSeconds) Range("drain_seconds", 0, kMostSeconds);
    if (config_.gid() != 0 && config_.uid() == 0) {
      Error("gid", "\"gid\" without \"uid\": the service would stay root");
    }
  }

 private:
  void Error(absl::string_view field, std::string message) {
    const Value* value = root_.Find(field);
    diagnostics_.Error(value == nullptr ? root_.span() : value->span(), std::move(message));
  }
  void Range(absl::string_view field, uint32_t value, uint32_t most) {
    if (value >= 1 && value <= most) return;
    Error(field, absl::StrCat("\"", field, "\" must be between 1 and ", most));
  }

  const v1::TvsConfig& config_;
  const Value& root_;
  Diagnostics& diagnostics_;
};

absl::StatusOr<v1::TvsConfig> ReadConfig(const Value& root, Diagnostics& diagnostics) {
  if (diagnostics.has_errors()) return diagnostics.ToStatus();
  v1::TvsConfig config;
  if (yaml::ReadMessage(root, "the configuration of trustline-tvs", yaml::ReadOptions(), config,
                        diagnostics)) {
    Checks(config, root, diagnostics).Run();
  }
  if (diagnostics.has_errors()) return diagnostics.ToStatus();
  return config;
}

absl::StatusOr<std::string> Quoted(const std::string& text) {
  if (std::any_of(text.begin(), text.end(),
                  [](unsigned char c) { return absl::ascii_iscntrl(c); })) {
    return absl::InvalidArgumentError("a path with control characters");
  }
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}}), "\"");
}

}  // namespace

absl::StatusOr<TvsListenAddress> ParseTvsListen(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  in_addr address;
  uint32_t port = 0;
  if (parts.size() != 2 || inet_pton(AF_INET, parts[0].c_str(), &address) != 1 ||
      !absl::SimpleAtoi(parts[1], &port) || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" must be an IPv4 address and a port such as 0.0.0.0:2445"));
  }
  return TvsListenAddress{parts[0], static_cast<uint16_t>(port)};
}

absl::StatusOr<v1::TvsConfig> LoadTvsConfig(const std::string& path) {
  Diagnostics diagnostics;
  const Value root = yaml::LoadYaml(path, diagnostics);
  return ReadConfig(root, diagnostics);
}

absl::StatusOr<v1::TvsConfig> ParseTvsConfig(const std::string& name, const std::string& text) {
  Diagnostics diagnostics;
  const Value root = yaml::ParseYaml(name, text, diagnostics);
  return ReadConfig(root, diagnostics);
}

absl::StatusOr<std::string> RenderTvsConfig(const v1::TvsConfig& config) {
  std::string text = "# trustline-tvs; written by trustline, changes by hand are put back.\n";
  const auto line = [&text](absl::string_view key, const auto& value) {
    absl::StrAppend(&text, key, ": ", value, "\n");
  };
  for (const auto& [key, value] : {std::pair<const char*, std::string>{"listen", config.listen()},
                                   {"certificate", config.certificate()},
                                   {"key", config.key()},
                                   {"stores", config.stores()},
                                   {"port_file", config.port_file()},
                                   {"pid_file", config.pid_file()}}) {
    if (value.empty()) continue;
    TL_ASSIGN_OR_RETURN(const std::string quoted, Quoted(value));
    line(key, quoted);
  }
  line("mixed_mode", config.mixed_mode() ? "true" : "false");
  line("compatibility",
       config.compatibility() == v1::TVS_COMPATIBILITY_LEGACY_PHONES ? "legacy_phones" : "modern");
  line("ttl_seconds", config.ttl_seconds());
  line("ask_phone_certificate", config.ask_phone_certificate() ? "true" : "false");
  line("max_connections", config.max_connections());
  line("connection_seconds", config.connection_seconds());
  line("threads", config.threads());
  line("drain_seconds", config.drain_seconds());
  line("uid", config.uid());
  line("gid", config.gid());
  line("log_format", config.log_format());
  line("log_level", config.log_level());
  return text;
}

}  // namespace trustline::agent
