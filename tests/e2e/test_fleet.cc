#include "tests/e2e/test_fleet.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace trustline::e2e {
namespace {

constexpr absl::Duration kStart = absl::Seconds(60);

// What the service does; the digest of all certificates is what it "loads".
constexpr char kService[] = R"(#!/bin/sh
set -eu
dir=$1
digest() { cd "$dir/certificates" 2>/dev/null && find . -type f ! -name '.*' | sort | xargs -r sha256sum | sha256sum; }
case $2 in
  status) test -f "$dir/service/running" ;;
  start | restart)
    mkdir -p "$dir/service"
    [ ! -e "$dir/service.hold" ] || : >"$dir/service.waiting"
    while [ -e "$dir/service.hold" ]; do sleep 0.05; done
    digest >"$dir/service/loaded" || true
    echo "$2" >>"$dir/service/starts"
    : >"$dir/service/running"
    ;;
  digest) digest ;;
esac
)";

}  // namespace

std::string TrustlineProgram() { return TRUSTLINE_BINARY_DIR "/trustline"; }
std::string AgentProgram() { return TRUSTLINE_BINARY_DIR "/trustline-agent"; }
std::string CrashingAgentProgram() { return TRUSTLINE_BINARY_DIR "/tests/crashing_agent"; }

Node::Node(std::string name, std::string directory)
    : name_(std::move(name)), directory_(std::move(directory)) {}

bool Node::Start(const std::string& program,
                 const std::map<std::string, std::string>& environment) {
  if (agent_ != nullptr) earlier_log_ = log();
  agent_ = nullptr;
  port_ = 0;
  const std::string port_file = directory_ + "/port";
  unlink(port_file.c_str());
  Command command;
  command.argv = {program, "--config", config()};
  command.environment = environment;
  agent_ = std::make_unique<Program>(command);
  bool serving = false;
  Eventually(kStart, [&] {
    if (access(port_file.c_str(), R_OK) == 0) {
      int port = 0;
      const std::string text = ReadFileOrDie(port_file);
      serving = !text.empty() && absl::SimpleAtoi(text, &port) && port > 0;
      if (serving) port_ = static_cast<uint16_t>(port);
    }
    return serving || !agent_->Running();
  });
  return serving && agent_->Running();
}

Finished Node::Stop() {
  agent_->Signal(SIGTERM);
  return agent_->Wait(absl::Seconds(60));
}

void Node::Kill() {
  agent_->Signal(SIGKILL);
  agent_->Wait(absl::Seconds(60));
}

std::string Node::log() const {
  return agent_ == nullptr ? earlier_log_
                           : absl::StrCat(earlier_log_, agent_->out(), agent_->err());
}

int Node::service_restarts() const {
  const std::string starts = directory_ + "/service/starts";
  if (access(starts.c_str(), R_OK) != 0) return 0;
  const std::string text = ReadFileOrDie(starts);
  return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}

bool Node::service_has_loaded_what_is_there() const {
  const std::string loaded = directory_ + "/service/loaded";
  if (access(loaded.c_str(), R_OK) != 0) return false;
  return RunToEnd({{"/bin/sh", directory_ + "/service.sh", directory_, "digest"},
                   {},
                   "",
                   "",
                   false,
                   9,
                   false})
             .out == ReadFileOrDie(loaded);
}

TestFleet::TestFleet() = default;
TestFleet::~TestFleet() {
  if (!::testing::Test::HasFailure()) return;
  // What the agents said is what explains most failures.
  for (Node* node : nodes()) {
    const std::string log = node->log();
    std::fprintf(stderr, "--- log of %s (end)\n%s\n", node->name().c_str(),
                 log.substr(log.size() > 4000 ? log.size() - 4000 : 0).c_str());
  }
}

Sshd& TestFleet::hub() {
  if (hub_ == nullptr) {
    hub_ = std::make_unique<Sshd>();
    EXPECT_EQ(hub_->problem(), "");
  }
  return *hub_;
}

void TestFleet::WriteIdentity(const std::string& directory, const std::string& stem,
                              const testing::TestIdentity& identity, const testing::TestPki& pki) {
  std::filesystem::create_directories(directory);
  WriteFileOrDie(absl::StrCat(directory, "/", stem, ".crt"), identity.certificate_pem(), 0644);
  WriteFileOrDie(absl::StrCat(directory, "/", stem, ".key"), identity.key_pem(), 0600);
  WriteFileOrDie(directory + "/ca.crt", pki.authority.certificate.ToPem(), 0644);
}

std::string TestFleet::OperatorDirectory(const std::string& name) {
  const std::string directory = absl::StrCat(files_.path(), "/operators/", name);
  if (access(directory.c_str(), F_OK) != 0)
    WriteIdentity(directory, "operator", pki_.OperatorIdentity(name), pki_);
  return directory;
}

Node& TestFleet::Add(const std::string& name, const NodeOptions& options) {
  const std::string directory = absl::StrCat(files_.path(), "/nodes/", name);
  nodes_.push_back(std::make_unique<Node>(name, directory));
  Node& node = *nodes_.back();
  const testing::TestPki& pki = options.pki == nullptr ? pki_ : *options.pki;
  WriteIdentity(node.pki(), name, pki.AgentIdentity(name), pki);
  std::filesystem::create_directories(node.certificates());
  std::filesystem::create_directories(node.tftp_root());
  WriteFileOrDie(directory + "/service.sh", kService, 0755);
  std::filesystem::create_directories(directory + "/service");
  WriteFileOrDie(directory + "/service/running", "", 0644);
  auto vector_of = [&](const char* action) {
    return absl::StrCat("[/bin/sh, ", directory, "/service.sh, ", directory, ", ", action, "]");
  };
  WriteFileOrDie(
      node.config(),
      absl::StrCat(
          "node: ", name, "\ndomain: ", kDomain, "\nlisten: 127.0.0.1:0\nport_file: ", directory,
          "/port\nstate_directory: ", node.state(), "\nidentity: { certificate: ", node.pki(), "/",
          name, ".crt, key: ", node.pki(), "/", name, ".key, ca: ", node.pki(),
          "/ca.crt }\nroles:\n", options.roles, "writable: [", node.certificates(), ", ",
          node.tftp_root(), "]\ncertificates: { root: ", node.certificates(),
          " }\nservices:\n  - name: tvs\n    command:\n      status: ", vector_of("status"),
          "\n      start: ", vector_of("start"), "\n      restart: ", vector_of("restart"), "\n",
          options.more),
      0644);
  return node;
}

Node& TestFleet::node(const std::string& name) {
  for (auto& node : nodes_) {
    if (node->name() == name) return *node;
  }
  std::fprintf(stderr, "no node %s\n", name.c_str());
  std::abort();
}

std::vector<Node*> TestFleet::nodes() {
  std::vector<Node*> all;
  for (auto& node : nodes_) all.push_back(node.get());
  return all;
}

::testing::AssertionResult TestFleet::StartAll() {
  for (auto& node : nodes_) {
    if (!node->Start())
      return ::testing::AssertionFailure()
             << "the agent of " << node->name() << " does not serve: " << node->log();
  }
  return ::testing::AssertionSuccess();
}

void TestFleet::AddClusters() {
  for (const char* name : {"src-pub", "src-sub1", "dst-pub", "dst-sub1"}) Add(name);
}

std::string TestFleet::Reach(const std::string& name, const std::string& more) {
  return absl::StrCat("{ ansible_host: 127.0.0.1, ansible_port: ", node(name).port(),
                      more.empty() ? "" : ", ", more, " }");
}

void TestFleet::WriteClusterInventory(const std::map<std::string, uint16_t>& port_of) {
  auto host = [&](const std::string& name, const std::string& roles, const std::string& address) {
    auto other = port_of.find(name);
    const uint16_t port = other == port_of.end() ? node(name).port() : other->second;
    return absl::StrCat("        ", name, ": { roles: [", roles, "], address: ", address,
                        ", ansible_host: 127.0.0.1, ansible_port: ", port, " }\n");
  };
  const v1::HubAddress address = hub().Address();
  Write("inventory.yml",
        absl::StrCat(
            "all:\n  vars:\n    exchange: e2e-migration\n    sftp_hub:\n      host: 127.0.0.1\n    "
            "  port: ",
            address.port(), "\n      user: ", address.user(),
            "\n      password: !env HUB_PASSWORD\n      host_key: \"", address.host_key(),
            "\"\n      directory: /data\n    phones_csv: ",
            Write("phones.csv", "device,itl,ctl,tvs\n"),
            "\n    phone_waves:\n      - { name: floor 3, scopes: [{ "
            "subnet: "
            "10.30.0.0/24 }] }\n  children:\n    source:\n      vars: { cluster: src, version: "
            "\"11.5\" }\n"
            "      hosts:\n",
            host("src-pub", "publisher, tftp, tvs", "10.10.0.11"),
            host("src-sub1", "tftp, tvs", "10.10.0.12"),
            "    destination:\n      vars: { cluster: dst, version: \"14\" }\n      hosts:\n",
            host("dst-pub", "publisher, tftp, tvs", "10.20.0.11"),
            host("dst-sub1", "tftp, tvs", "10.20.0.12"),
            "    dhcp:\n      vars: { dhcp_server: kea }\n      hosts:\n        dhcp-a: { address: "
            "10.30.0.2 }\n"
            "    probes:\n      hosts:\n        probe: { address: 10.30.0.5 }\n"));
}

std::string TestFleet::Write(const std::string& name, const std::string& text) {
  const std::string path = absl::StrCat(files_.path(), "/", name);
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  WriteFileOrDie(path, text, 0644);
  return path;
}

Command TestFleet::Trustline(const std::vector<std::string>& arguments,
                             const std::string& operator_directory) {
  Command command;
  command.argv = {TrustlineProgram()};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.environment["TRUSTLINE_PKI"] =
      operator_directory.empty() ? OperatorDirectory("alice") : operator_directory;
  command.environment["TRUSTLINE_HISTORY"] = history();
  command.environment["HUB_PASSWORD"] = Sshd::password();
  return command;
}

Finished TestFleet::Operate(const std::vector<std::string>& arguments, absl::Duration limit) {
  return RunToEnd(Trustline(arguments), limit);
}

std::vector<std::string> TestFleet::Migrate(const std::string& command,
                                            const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {
      command,  TRUSTLINE_SOURCE_DIR "/playbooks/migrate-phones.yml",
      "-i",     inventory(),
      "--tags", "export,consolidate,import"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

::testing::AssertionResult TestFleet::MakeClusterIdentities() {
  const Finished done = Operate(
      {"apply", TRUSTLINE_SOURCE_DIR "/playbooks/cluster-identities.yml", "-i", inventory()});
  if (done.exit_code != 0) return ::testing::AssertionFailure() << "identities: " << done;
  return ::testing::AssertionSuccess();
}

::testing::AssertionResult TestFleet::MigrateBundles() {
  const Finished done = Operate(Migrate("apply"));
  if (done.exit_code != 0) return ::testing::AssertionFailure() << "migration: " << done;
  return ::testing::AssertionSuccess();
}

std::map<std::string, std::string> TestFleet::Everything() {
  std::map<std::string, std::string> all;
  auto add = [&](const std::string& lead, const std::string& directory) {
    for (auto& [path, entry] : Snapshot(directory)) all[absl::StrCat(lead, "/", path)] = entry;
  };
  for (auto& node : nodes_) {
    add(node->name() + "/certificates", node->certificates());
    add(node->name() + "/state", node->state());
    add(node->name() + "/service", node->directory() + "/service");
  }
  if (hub_ != nullptr) add("hub", hub_->data());
  return all;
}

std::string TestFleet::Logs() {
  std::string logs;
  for (auto& node : nodes_) absl::StrAppend(&logs, node->log());
  return logs;
}

nlohmann::json Json(const Finished& finished) {
  nlohmann::json json = nlohmann::json::parse(finished.out, nullptr, false);
  if (json.is_discarded()) {
    ADD_FAILURE() << "not one JSON document: " << finished;
    return nullptr;
  }
  return json;
}

std::vector<nlohmann::json> JsonLines(const Finished& finished) {
  std::vector<nlohmann::json> lines;
  for (absl::string_view line : absl::StrSplit(finished.out, '\n', absl::SkipEmpty())) {
    nlohmann::json json = nlohmann::json::parse(line.begin(), line.end(), nullptr, false);
    if (json.is_discarded()) {
      ADD_FAILURE() << "not JSON: " << line;
      continue;
    }
    lines.push_back(std::move(json));
  }
  return lines;
}

namespace {
std::vector<std::string> Rows(const nlohmann::json& run, const std::string& outcome, bool equal) {
  std::vector<std::string> rows;
  if (!run.is_object() || !run.contains("resources")) return {"no resources: " + run.dump()};
  for (const nlohmann::json& row : run["resources"]) {
    const std::string said = row["outcome"];
    if ((said == outcome) != equal) continue;
    std::string text =
        absl::StrCat(row["node"].get<std::string>(), " ", row["id"].get<std::string>(), " ", said,
                     ": ", row["summary"].get<std::string>());
    for (const nlohmann::json& reason : row["reasons"])
      absl::StrAppend(&text, "; ", reason.get<std::string>());
    rows.push_back(text);
  }
  return rows;
}
}  // namespace

std::vector<std::string> RowsOtherThan(const nlohmann::json& run, const std::string& outcome) {
  return Rows(run, outcome, false);
}
std::vector<std::string> RowsOf(const nlohmann::json& run, const std::string& outcome) {
  return Rows(run, outcome, true);
}

}  // namespace trustline::e2e
