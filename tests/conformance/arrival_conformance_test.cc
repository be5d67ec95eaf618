// A run that waits for the phones of its waves, over agents that write and put back for real.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "controller/exit_codes.h"
#include "controller/runner.h"
#include "tests/fakes/fake_fleet.h"
#include "tests/fakes/fake_hub.h"
#include "tests/fakes/fake_kinds.h"
#include "tests/fakes/kind_harness.h"

namespace trustline {
namespace {

using agent::KindHarness;
using ::testing::HasSubstr;

constexpr char kPilot[] = "/etc/pointers/10.30.0.0_24";
constexpr char kFloor[] = "/etc/pointers/10.31.0.0_24";

// Two DHCP servers that serve the source to two subnets, and a playbook with a wave for each.
class ArrivalConformanceTest : public ::testing::Test {
 protected:
  ArrivalConformanceTest() {
    const auto authority = std::make_shared<agent::TestFleet>();
    for (const char* name : {"dhcp-a", "dhcp-b"}) {
      auto node =
          std::make_unique<KindHarness>(name, v1::Topology(), dialer_, kinds_.registry, authority);
      agent::FakePointerKind::Install(node->host);
      for (const char* path : {kPilot, kFloor}) {
        agent::FileImage image;
        image.bytes = "10.10.0.11";
        node->host.files.Put(path, image);
      }
      EXPECT_TRUE(node->host.services.Reload("dhcp").ok());
      v1::Resource floor = agent::PointerResource("10.31.0.0/24", {"10.20.0.11"});
      floor.set_stage(2);
      input_.envelopes[name] = node->Document(
          {agent::PointerResource("10.30.0.0/24", {"10.20.0.11"}), floor}, "migrate");
      EXPECT_TRUE(
          input_.playbook.documents[name].ParseFromString(input_.envelopes[name].payload()));
      nodes_[name] = std::move(node);
    }
    input_.playbook.name = "migrate";
    for (uint32_t number = 1; number <= 2; ++number) {
      controller::StagePlan stage;
      stage.number = number;
      stage.play = "Point";
      stage.wave = number == 1 ? "pilot" : "floor";
      stage.hosts = {"dhcp-a", "dhcp-b"};
      stage.batches = {stage.hosts};
      stage.pointer = true;
      stage.arrival.emplace();
      stage.arrival->at_least = 95;
      stage.arrival->within = absl::Minutes(30);
      stage.arrival->every = absl::Minutes(1);
      stage.arrival->phones = stage.wave;
      for (const std::string& host : stage.hosts) input_.selected[number][host] = {};
      input_.playbook.stages.push_back(stage);
    }
    fleet_.on_plan = [this](const std::string& node, const v1::PlanRequest& request) {
      return nodes_[node]->converger().PlanStage(RequestOf(request.document(), request.stage()));
    };
    fleet_.on_apply = [this](const std::string& node, const v1::ApplyStart& start) {
      agent::StageRequest request = RequestOf(start.document(), start.stage());
      request.run_id = start.run_id();
      return nodes_[node]->converger().ApplyStage(request, nodes_[node]->prover, nullptr, nullptr);
    };
    fleet_.on_rollback = [this](const std::string& node, const v1::RollbackStart& start) {
      return nodes_[node]->converger().Rollback(start, "", nodes_[node]->prover, nullptr);
    };
    options_.now = [this] { return now_; };
    options_.sleep = [this](absl::Duration duration) { now_ += duration; };
    options_.record_arrival = [](const controller::ArrivalDemand&,
                                 const controller::ArrivalRecord&) { return absl::OkStatus(); };
    options_.look_for_arrivals = [this](const controller::ArrivalDemand& demand,
                                        const std::function<bool()>&) {
      controller::WavePhones phones;
      phones.phones = {{"SEP001B54AABB01", true, true, ""},
                       {"SEP001B54AABB02", demand.phones == "pilot" || all_arrive_, true, ""}};
      return phones;
    };
  }

  static agent::StageRequest RequestOf(const v1::Envelope& document, uint32_t stage) {
    agent::StageRequest request;
    request.document = document;
    request.stage = stage;
    return request;
  }
  controller::RunRecord Run(const std::string& run_id) {
    options_.run_id = run_id;
    controller::RunObserver quiet;
    return controller::RunApply(fleet_, input_, options_, quiet);
  }
  std::string Served(const std::string& node, const std::string& path) {
    const auto image = nodes_[node]->host.files.Read(path);
    return image.ok() ? image->bytes : std::string(image.status().message());
  }
  v1::StatusResponse StatusOf(const std::string& node) {
    v1::StatusResponse status;
    EXPECT_TRUE(nodes_[node]->converger().FillStatus(status).ok());
    return status;
  }

  FakeHubServer hub_;
  FakeHubDialer dialer_{&hub_};
  agent::FakeKinds kinds_;
  std::map<std::string, std::unique_ptr<KindHarness>> nodes_;
  controller::RunInput input_;
  controller::RunOptions options_;
  absl::Time now_ = absl::FromUnixSeconds(1795305600);
  bool all_arrive_ = false;
  trustline::testing::FakeFleet fleet_;  // last: its thread uses the others
};

TEST_F(ArrivalConformanceTest, Scenario34OnlyTheMissedWaveServesItsPreviousOption150) {
  const controller::RunRecord record = Run("r1");
  EXPECT_EQ(controller::ExitCodeOf(record), controller::kExitRolledBack) << record.stopped;
  EXPECT_THAT(record.stopped, HasSubstr("wave floor: 1 of 2 phones arrived (50%)"));
  for (const char* node : {"dhcp-a", "dhcp-b"}) {
    EXPECT_EQ(Served(node, kPilot), "10.20.0.11") << node;
    EXPECT_EQ(Served(node, kFloor), "10.10.0.11") << node;
    EXPECT_EQ(Served(node, "/run/dhcp-loaded/10.31.0.0_24"), "10.10.0.11") << node;
    const v1::StatusResponse status = StatusOf(node);
    EXPECT_EQ(status.documents(0).stages_passed(), 1u) << node;
    EXPECT_THAT(status.held(), HasSubstr("stage 2 of run r1")) << node;
  }
}

TEST_F(ArrivalConformanceTest, Scenario34TheNextRunMovesTheMissedWaveAgainAndOnlyThat) {
  Run("r1");
  all_arrive_ = true;
  const controller::RunRecord record = Run("r2");
  EXPECT_EQ(controller::ExitCodeOf(record), controller::kExitOk) << record.stopped;
  for (const char* node : {"dhcp-a", "dhcp-b"}) {
    EXPECT_EQ(Served(node, kFloor), "10.20.0.11") << node;
    EXPECT_EQ(controller::CountRecap(record).at(node).changed, 1) << node;
    EXPECT_EQ(StatusOf(node).held(), "") << node;
  }
}

}  // namespace
}  // namespace trustline
