// A fleet on one machine for one test: a CA, operators, real agents on loopback, a real sshd as
// hub, an inventory, and the operator's command. Everything is below one temporary directory and
// gone with the object.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/e2e/program.h"
#include "tests/fakes/test_pki.h"
#include "tests/servers/sshd.h"

namespace trustline::e2e {

inline constexpr char kDomain[] = "e2e.example";

// The programs under test.
std::string TrustlineProgram();
std::string AgentProgram();
// An agent that kills itself before its n-th effect on the host (TRUSTLINE_CRASH_AT).
std::string CrashingAgentProgram();

// One node with its agent, its certificates and a service `tvs` that writes down every start and
// what it then loaded.
class Node {
 public:
  Node(std::string name, std::string directory);

  const std::string& name() const { return name_; }
  const std::string& directory() const { return directory_; }
  std::string certificates() const { return directory_ + "/certificates"; }
  std::string state() const { return directory_ + "/state"; }
  std::string tftp_root() const { return directory_ + "/tftp"; }
  std::string pki() const { return directory_ + "/pki"; }
  std::string config() const { return directory_ + "/agent.yaml"; }

  // True once it serves. A program that ends or says nothing in time leaves its words in log().
  bool Start(const std::string& program = AgentProgram(),
             const std::map<std::string, std::string>& environment = {});
  Program* agent() { return agent_.get(); }
  uint16_t port() const { return port_; }
  // SIGTERM and wait: what it ended with.
  Finished Stop();
  void Kill();  // SIGKILL, waited for
  // All that its agents have logged up to now.
  std::string log() const;

  // How often the service was started anew, and whether what it loaded then is what lies there now.
  int service_restarts() const;
  bool service_has_loaded_what_is_there() const;

 private:
  std::string name_, directory_;
  std::string earlier_log_;
  std::unique_ptr<Program> agent_;
  uint16_t port_ = 0;
};

struct NodeOptions {
  std::string roles =
      "  - { operator: alice, role: operator }\n  - { operator: bob, role: operator }\n";
  std::string more;                       // lines of agent.yaml
  const testing::TestPki* pki = nullptr;  // another fleet's CA
};

class TestFleet {
 public:
  TestFleet();
  ~TestFleet();

  const std::string& directory() const { return files_.path(); }
  testing::TestPki& pki() { return pki_; }

  // The hub starts at first use. Needs EnterPrivateMounts before.
  Sshd& hub();
  // A node with identity and configuration, not started.
  Node& Add(const std::string& name, const NodeOptions& options = {});
  Node& node(const std::string& name);
  std::vector<Node*> nodes();
  ::testing::AssertionResult StartAll();

  // src-pub, src-sub1, dst-pub, dst-sub1, as playbooks/lab has them; also names the DHCP nodes of
  // the playbook, which nobody asks.
  void AddClusters();
  // Writes inventory.yml for AddClusters with the ports the agents have now. `port_of` overrides.
  void WriteClusterInventory(const std::map<std::string, uint16_t>& port_of = {});
  // Where an inventory has a host of this name: "{ ansible_host: 127.0.0.1, ansible_port: 4711,
  // <more> }".
  std::string Reach(const std::string& node, const std::string& more = "");
  // Below directory(); returns the path.
  std::string Write(const std::string& name, const std::string& text);
  std::string inventory() const { return directory() + "/inventory.yml"; }
  std::string history() const { return directory() + "/history.db"; }

  // An operator's directory for TRUSTLINE_PKI, made at first use.
  std::string OperatorDirectory(const std::string& name);
  void WriteIdentity(const std::string& directory, const std::string& stem,
                     const testing::TestIdentity& identity, const testing::TestPki& pki);

  // `trustline ARGUMENTS` as alice (or with another identity) with the hub's password in the
  // environment.
  Command Trustline(const std::vector<std::string>& arguments,
                    const std::string& operator_directory = "");
  Finished Operate(const std::vector<std::string>& arguments,
                   absl::Duration limit = absl::Seconds(120));
  // The bundle plays of playbooks/migrate-phones.yml, with more arguments.
  std::vector<std::string> Migrate(const std::string& command,
                                   const std::vector<std::string>& more = {});
  // Gives the nodes their identities (playbooks/cluster-identities.yml).
  ::testing::AssertionResult MakeClusterIdentities();
  ::testing::AssertionResult MigrateBundles();

  // What all agents and the hub have on disk.
  std::map<std::string, std::string> Everything();
  std::string Logs();

 private:
  TempDirectory files_;
  testing::TestPki pki_{kDomain};
  std::vector<std::unique_ptr<Node>> nodes_;
  std::unique_ptr<Sshd> hub_;
};

// The one JSON document a command printed; a failed test and null when it is none.
nlohmann::json Json(const Finished& finished);
// One JSON object per line.
std::vector<nlohmann::json> JsonLines(const Finished& finished);
// Nodes with one outcome or more that is not `outcome`, in a run's JSON: "src-pub bundle_export ...
// failed: why".
std::vector<std::string> RowsOtherThan(const nlohmann::json& run, const std::string& outcome);
std::vector<std::string> RowsOf(const nlohmann::json& run, const std::string& outcome);

// Skips the test, saying why, where a real sshd cannot run.
#define TL_NEEDS_HUB()                                                                   \
  do {                                                                                   \
    if (const std::string missing = ::trustline::EnterPrivateMounts(); !missing.empty()) \
      GTEST_SKIP() << missing;                                                           \
  } while (false)

}  // namespace trustline::e2e
