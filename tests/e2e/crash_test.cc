// kill -9 of the agent before every effect it has on its node during one apply; then it is started
// again and the apply repeated.
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "re2/re2.h"
#include "tests/e2e/test_fleet.h"

namespace trustline::e2e {
namespace {

using ::testing::IsEmpty;

constexpr char kPlaybook[] = R"(- name: Export
  hosts: source:destination
  tags: [prepare]
  tasks:
    - bundle_export: { hub: "{{ sftp_hub }}", exchange: "{{ exchange }}", units: [CallManager] }
- name: Consolidate
  hosts: dst-pub
  tags: [prepare]
  tasks:
    - bundle_consolidation: { hub: "{{ sftp_hub }}", exchange: "{{ exchange }}", units: [CallManager] }
- name: Import
  hosts: source:destination
  tags: [import]
  tasks:
    - bundle_import: { hub: "{{ sftp_hub }}", exchange: "{{ exchange }}", units: [CallManager] }
      notify: restart TVS
  handlers:
    - name: restart TVS
      service: { name: tvs, state: restarted }
)";

constexpr char kNode[] = "src-pub";

class CrashTest : public ::testing::Test {
 protected:
  void SetUp() override {
    TL_NEEDS_HUB();
    fleet_ = std::make_unique<TestFleet>();
    fleet_->AddClusters();
    ASSERT_TRUE(fleet_->StartAll());
    fleet_->WriteClusterInventory();
    ASSERT_TRUE(fleet_->MakeClusterIdentities());
    playbook_ = fleet_->Write("crash.yml", kPlaybook);
    const Finished ready =
        fleet_->Operate({"apply", playbook_, "-i", fleet_->inventory(), "--tags", "prepare"});
    ASSERT_EQ(ready.exit_code, 0) << ready;
    node_ = &fleet_->node(kNode);
    node_->Stop();
    Copy(node_->directory(), fleet_->directory() + "/before");
  }

  static void Copy(const std::string& from, const std::string& to) {
    for (const char* part : {"certificates", "state", "service"}) {
      std::filesystem::remove_all(absl::StrCat(to, "/", part));
      std::filesystem::create_directories(to);
      if (std::filesystem::exists(absl::StrCat(from, "/", part)))
        std::filesystem::copy(absl::StrCat(from, "/", part), absl::StrCat(to, "/", part),
                              std::filesystem::copy_options::recursive |
                                  std::filesystem::copy_options::copy_symlinks);
    }
  }
  void Reset() { Copy(fleet_->directory() + "/before", node_->directory()); }
  Finished Import() {
    fleet_->WriteClusterInventory();
    return fleet_->Operate({"apply", playbook_, "-i", fleet_->inventory(), "--tags", "import", "-l",
                            kNode, "-o", "json"});
  }
  // What lies in the state directory, numbers and digests aside: a crashed apply may have used one
  // more of each.
  std::set<std::string> StateNames() {
    std::set<std::string> names;
    for (const auto& [full_path, entry] : Snapshot(node_->state())) {
      std::string path = full_path;
      RE2::GlobalReplace(&path, "[0-9a-f]{16,}", "DIGEST");
      RE2::GlobalReplace(&path, "[0-9]+", "N");
      names.insert(path);
    }
    return names;
  }

  std::unique_ptr<TestFleet> fleet_;
  std::string playbook_;
  Node* node_ = nullptr;
};

TEST_F(CrashTest, KilledBeforeAnyEffectAnAgentConvergesWhenStartedAgain) {
  ASSERT_TRUE(node_->Start());
  const Finished undisturbed = Import();
  ASSERT_EQ(undisturbed.exit_code, 0) << undisturbed;
  node_->Stop();
  const auto certificates = Snapshot(node_->certificates());
  const std::set<std::string> state = StateNames();
  ASSERT_TRUE(node_->service_has_loaded_what_is_there());

  int points = 0;
  std::map<std::string, int> by_call;
  for (int at = 1;; ++at) {
    ASSERT_LT(at, 1000);
    Reset();
    const std::string trace = fleet_->directory() + "/trace";
    unlink(trace.c_str());
    const bool started =
        node_->Start(CrashingAgentProgram(),
                     {{"TRUSTLINE_CRASH_AT", absl::StrCat(at)}, {"TRUSTLINE_CRASH_TRACE", trace}});
    Finished broken;
    if (started) broken = Import();
    if (node_->agent()->Running()) {
      EXPECT_TRUE(started) << node_->log();
      EXPECT_EQ(broken.exit_code, 0) << broken;
      node_->Stop();
      break;
    }
    ASSERT_EQ(node_->agent()->Wait(absl::Seconds(10)).signal, SIGKILL) << node_->log();
    ++points;
    const std::vector<std::string> calls =
        absl::StrSplit(ReadFileOrDie(trace), '\n', absl::SkipEmpty());
    const std::string where =
        absl::StrCat("killed before call ", at, ": ", calls.empty() ? "?" : calls.back());
    if (!calls.empty()) ++by_call[calls.back().substr(0, calls.back().find(' '))];
    if (started) {
      EXPECT_EQ(broken.exit_code, 4) << where << "\n" << broken;
    }

    ASSERT_TRUE(node_->Start()) << where << "\n" << node_->log();
    const Finished healed = Import();
    ASSERT_EQ(healed.exit_code, 0) << where << "\n" << healed << node_->log();
    const Finished settled = Import();
    ASSERT_EQ(settled.exit_code, 0) << where << "\n" << settled;
    EXPECT_THAT(RowsOtherThan(Json(settled), "unchanged"), IsEmpty()) << where;
    node_->Stop();
    EXPECT_EQ(Snapshot(node_->certificates()), certificates) << where;
    EXPECT_EQ(StateNames(), state) << where;
    EXPECT_TRUE(node_->service_has_loaded_what_is_there()) << where << ": a restart was forgotten";
    if (HasFailure()) break;
  }
  std::cout << points << " crash points:";
  for (const auto& [call, count] : by_call) std::cout << " " << count << " " << call;
  std::cout << "\n";
  EXPECT_GT(points, 20);
}

}  // namespace
}  // namespace trustline::e2e
