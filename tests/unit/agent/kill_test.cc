// kill -9 of a real process, on real files and with a real service program, before every call of
// one apply.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/converger.h"
#include "agent/file_image.h"
#include "agent/real_host.h"
#include "agent/staged_name.h"
#include "protos/generic/kinds.h"
#include "tests/fakes/fake_hub.h"
#include "tests/fakes/fake_kinds.h"
#include "tests/fakes/kind_harness.h"
#include "tests/support/temp_directory.h"

namespace trustline::agent {
namespace {

namespace fs = std::filesystem;

// A node in a directory of this machine. Everything is on disk, so that another process can take
// over.
class Machine {
 public:
  Machine() {
    for (const char* directory : {"state", "certificates/u-trust", "pointers", "loaded"}) {
      fs::create_directories(root_ + "/" + directory);
    }
    Put("certificates/u-trust/replaced", "old", 0604);
    Put("certificates/u-trust/removed", "to go", 0640);
    Put("pointers/10.30.0.0_24", "10.10.0.11", 0644);
    Put("loaded/10.30.0.0_24", "10.10.0.11", 0644);
    // The daemon: forgets everything and loads what is there.
    std::ofstream(root_ + "/ctl") << "#!/bin/sh\ncd " << root_
                                  << " && rm -f loaded/* && cp pointers/* loaded/\n";
    ::chmod((root_ + "/ctl").c_str(), 0755);
    config_.set_node("n");
    config_.set_state_directory(root_ + "/state");
    config_.add_writable(root_);
    config_.mutable_certificates()->set_root(root_ + "/certificates");
    config_.mutable_certificates()->set_uid(::geteuid());
    config_.mutable_certificates()->set_gid(::getegid());
    v1::ManagedService* dhcp = config_.add_services();
    dhcp->set_name("dhcp");
    dhcp->mutable_command()->set_timeout_seconds(30);
    dhcp->mutable_command()->add_status("true");
    dhcp->mutable_command()->add_start(root_ + "/ctl");
    dhcp->mutable_command()->add_restart(root_ + "/ctl");
    kinds_.pointer->directory = root_ + "/pointers";
    kinds_.pointer->loaded = root_ + "/loaded";
    kinds_.trust->origin = "";
  }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  struct Agent {
    Agent(const Machine& machine, TestFleet& fleet, CallHook hook)
        : host(machine.config_, std::make_unique<FakeDhcp>(calls, files), std::move(hook)),
          converger([&fleet] { return fleet.Agent("n"); }, host.host(), dialer,
                    machine.kinds_.registry) {}
    CallSwitch calls;
    FakeFiles files{calls};
    FakeHubServer hub;
    FakeHubDialer dialer{&hub};
    RealHost host;
    Converger converger;
  };

  // Every file but the agent's own, with everything rollback must bring back.
  std::map<std::string, FileImage> World() const {
    std::map<std::string, FileImage> world;
    const PosixFiles files({});
    for (const auto& entry : fs::recursive_directory_iterator(root_)) {
      const std::string path = entry.path().string();
      if (!entry.is_regular_file() || absl::StartsWith(path, root_ + "/state/")) continue;
      world[path.substr(root_.size())] = files.Read(path).value();
    }
    return world;
  }
  std::vector<std::string> Strays() const {
    std::vector<std::string> strays;
    for (const auto& entry : fs::recursive_directory_iterator(root_)) {
      const std::string path = entry.path().string();
      if (IsStagedName(NameOf(path)) || path == root_ + "/state/journal" ||
          (absl::EndsWith(path, ".images") && !fs::exists(path.substr(0, path.size() - 7)))) {
        strays.push_back(path);
      }
    }
    return strays;
  }

 private:
  void Put(const std::string& path, const std::string& bytes, mode_t mode) {
    std::ofstream(root_ + "/" + path) << bytes;
    ::chmod((root_ + "/" + path).c_str(), mode);
  }

  const testing::TempDirectory scratch_;
  const std::string root_ = scratch_.path();
  v1::AgentConfig config_;
  FakeKinds kinds_;
};

v1::Envelope Wanted(TestFleet& fleet) {
  v1::DesiredState document;
  document.set_node("n");
  document.set_playbook("site");
  document.add_stages()->set_number(1);
  for (v1::Resource resource :
       {TrustResource("u-trust", "replaced", "new"), TrustResource("u-trust", "removed", ""),
        TrustResource("v-trust", "made", "made"),
        PointerResource("10.30.0.0/24", {"10.20.0.11"})}) {
    resource.set_stage(1);
    *document.add_resources() = resource;
  }
  return fleet.SealDocument(document);
}

absl::StatusOr<v1::StageReport> Apply(Machine::Agent& agent, const v1::Envelope& document) {
  StageRequest request;
  request.document = document;
  request.stage = 1;
  request.run_id = "r";
  FakeProver prover;
  return agent.converger.ApplyStage(request, prover, nullptr, nullptr);
}

TEST(KillTest, KillAtEveryHostCallLeavesANodeThatConverges) {
  TestFleet fleet;
  fleet.Agent("n");
  const v1::Envelope document = Wanted(fleet);
  int kills = 0, undone = 0, finished = 0;
  for (int n = 1;; ++n) {
    Machine machine;
    const auto before = machine.World();
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      int calls = 0;
      Machine::Agent agent(machine, fleet, [&](absl::string_view, absl::string_view) {
        if (++calls == n) ::kill(::getpid(), SIGKILL);
        return absl::OkStatus();
      });
      const auto report = Apply(agent, document);
      ::_exit(report.ok() && report->generation() == 1 ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    if (WIFEXITED(status)) {
      EXPECT_EQ(WEXITSTATUS(status), 0);
      break;
    }
    ASSERT_EQ(WTERMSIG(status), SIGKILL);
    ++kills;
    Machine::Agent agent(machine, fleet, nullptr);
    const auto recovered = agent.converger.Recover();
    ASSERT_TRUE(recovered.ok()) << n << ": " << recovered.status();
    EXPECT_THAT(machine.Strays(), ::testing::IsEmpty()) << n;
    const auto settled = machine.World();
    ++(settled == before ? undone : finished);
    const auto report = Apply(agent, document);
    ASSERT_TRUE(report.ok()) << n << ": " << report.status();
    for (const auto& resource : report->resources()) {
      EXPECT_EQ(resource.outcome(), settled == before ? v1::OUTCOME_CHANGED : v1::OUTCOME_UNCHANGED)
          << n << " " << resource.ShortDebugString();
    }
    const auto world = machine.World();
    EXPECT_EQ(world.at("/certificates/u-trust/replaced").bytes, "new") << n;
    EXPECT_EQ(world.count("/certificates/u-trust/removed"), 0u) << n;
    EXPECT_EQ(world.at("/certificates/v-trust/made").mode, 0640u) << n;
    EXPECT_EQ(world.at("/loaded/10.30.0.0_24").bytes, "10.20.0.11") << n;
    EXPECT_THAT(machine.Strays(), ::testing::IsEmpty()) << n;
  }
  std::cout << "kills: " << kills << ", undone: " << undone << ", finished: " << finished << "\n";
  RecordProperty("kills", kills);
  EXPECT_GT(undone, 20);
  EXPECT_GT(finished, 3);
}

}  // namespace
}  // namespace trustline::agent
