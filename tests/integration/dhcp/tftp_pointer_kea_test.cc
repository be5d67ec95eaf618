// The kind tftp_pointer through the real converger on a real Kea, its real file, and the wire.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "agent/converger.h"
#include "agent/dhcp/kea_compare.h"
#include "agent/dhcp/kea_config.h"
#include "agent/dhcp/kea_control.h"
#include "agent/posix_files.h"
#include "agent/resources/tftp_pointer.h"
#include "tests/fakes/fake_host.h"
#include "tests/fakes/fake_hub.h"
#include "tests/fakes/kind_harness.h"
#include "tests/integration/dhcp/kea_lab.h"

namespace trustline::agent {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

// Everything an operator writes into such a file: comments, extra commas, odd layout.
constexpr char kConfig[] = R"(# Voice network, building 7
{ "Dhcp4": {
  "interfaces-config": { "interfaces": [ "v0" ] }, // the phones' side
  "control-socket": { "socket-type": "unix", "socket-name": "@SOCKET@" },
  "lease-database": { "type": "memfile", "persist": false },
  "valid-lifetime": 600, "comment": "do not touch",
  "option-def": [ { "name": "voip-tftp", "code": 150, "type": "ipv4-address", "array": true, } ],
  "option-data": [ { "name": "voip-tftp", "data": "10.10.0.9" } ],
  "client-classes": [ { "name": "lab", "test": "option[60].text == 'lab'" } ],
  "subnet4": [
    { "subnet": "10.77.0.0/24", "id": 7, "pools": [ { "pool": "10.77.0.100 - 10.77.0.200" } ],
      /* the old cluster */
      "option-data": [ { "name": "voip-tftp",   "data": "10.10.0.11,10.10.0.12" }, // publisher first
                       { "name": "routers", "data": "10.77.0.1" } ],
      "reservations": [
        { "hw-address": "00:1B:54:AA:BB:01", "ip-address": "10.77.0.50" }, # pilot
      ] },
    { "subnet": "10.78.0.0/24", "pools": [ { "pool": "10.78.0.100/30" } ],
      "option-data": [ { "code": 150, "csv-format": false, "data": "0a0a000b" } ] },
    { "subnet": "10.79.0.0/24", "pools": [ { "pool": "10.79.0.0/25" } ]
    },
  ],
  "loggers": [ { "name": "kea-dhcp4", "output_options": [ { "output": "stdout" } ], "severity": "WARN" } ]
} }
)";

constexpr char kOld[] = "0a0a000b0a0a000c";
constexpr char kNew[] = "0a14000b0a14000c";

v1::Resource Pointer() {
  v1::Resource resource;
  resource.set_stage(1);
  resource.set_mode(v1::MODE_ENFORCE);
  v1::TftpPointerSpec& spec = *resource.mutable_tftp_pointer();
  spec.add_tftp_servers("10.20.0.11");
  spec.add_tftp_servers("10.20.0.12");
  spec.set_probe_from("probe-floor3");
  return resource;
}
v1::Resource SubnetPointer(const std::string& subnet) {
  v1::Resource resource = Pointer();
  resource.set_id("tftp_pointer subnet " + subnet);
  resource.mutable_tftp_pointer()->mutable_scope()->set_subnet(subnet);
  return resource;
}
v1::Resource ReservationPointer(const std::string& mac) {
  v1::Resource resource = Pointer();
  resource.set_id("tftp_pointer reservation " + mac);
  resource.mutable_tftp_pointer()->mutable_scope()->set_reservation(mac);
  return resource;
}
v1::Resource GlobalPointer() {
  v1::Resource resource = Pointer();
  resource.set_id("tftp_pointer global");
  resource.mutable_tftp_pointer()->mutable_scope()->set_global(true);
  return resource;
}

class TftpPointerKeaTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string missing = WhyNoLab({"ip", "kea-dhcp4", "udhcpc"});
    ASSERT_EQ(missing, "");
    lab_ = std::make_unique<KeaLab>(kConfig);
    prover_ = std::make_unique<LabProver>(*lab_);
    files_ = std::make_unique<PosixFiles>(std::vector<std::string>{lab_->directory().path()});
    dhcp_ = std::make_unique<KeaControl>(lab_->Server());
    layout_.state_directory = lab_->directory().File("state");
    kinds_.push_back(std::make_unique<TftpPointerKind>());
    converger_ = std::make_unique<Converger>(
        [this] { return fleet_.Agent("dhcp-a"); },
        Host{fake_.clock, *files_, *dhcp_, fake_.services, layout_}, dialer_, kinds_);
  }

  StageRequest Request(const std::vector<v1::Resource>& resources) {
    v1::DesiredState document;
    document.set_node("dhcp-a");
    document.set_playbook("site");
    document.mutable_topology()->set_domain(fleet_.domain());
    v1::Stage& stage = *document.add_stages();
    stage.set_number(1);
    stage.set_play("point the phones");
    for (const v1::Resource& resource : resources) *document.add_resources() = resource;
    StageRequest request;
    request.document = fleet_.SealDocument(document);
    request.stage = 1;
    request.run_id = absl::StrCat("run-", ++runs_);
    return request;
  }
  v1::StageReport Apply(const std::vector<v1::Resource>& resources) {
    absl::StatusOr<v1::StageReport> report = converger_->ApplyStage(
        Request(resources), *prover_, [](const v1::ApplyEvent&) {}, [] { return false; });
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : v1::StageReport();
  }
  v1::Outcome ApplyOne(const v1::Resource& resource) {
    report_ = Apply({resource});
    return report_.resources_size() == 1 ? report_.resources(0).outcome() : v1::OUTCOME_UNSPECIFIED;
  }
  v1::Outcome Rollback() {
    v1::RollbackStart request;
    request.set_run_id(absl::StrCat("rollback-", ++runs_));
    const absl::StatusOr<v1::StageReport> report =
        converger_->Rollback(request, "", *prover_, [](const v1::ApplyEvent&) {});
    EXPECT_TRUE(report.ok()) << report.status();
    report_ = report.ok() ? *report : v1::StageReport();
    return report_.resources_size() == 1 ? report_.resources(0).outcome() : v1::OUTCOME_UNSPECIFIED;
  }

  std::string File() const { return ReadText(lab_->config_path()); }
  // The lab's first file with `from`, once there, replaced.
  std::string Edited(const std::string& from, const std::string& to) const {
    std::string text = lab_->config();
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  }
  bool Loaded() const {
    const absl::StatusOr<std::string> running = dhcp_->RunningConfig();
    return running.ok() &&
           !FirstDifference(KeaConfig::Parse(File()).value(), KeaConfig::Parse(*running).value());
  }

  std::unique_ptr<KeaLab> lab_;
  std::unique_ptr<LabProver> prover_;
  std::unique_ptr<PosixFiles> files_;
  std::unique_ptr<KeaControl> dhcp_;
  FakeHost fake_;
  Layout layout_;
  TestFleet fleet_;
  FakeHubServer hub_;
  FakeHubDialer dialer_{&hub_};
  KindRegistry kinds_;
  std::unique_ptr<Converger> converger_;
  v1::StageReport report_;
  int runs_ = 0;
};

TEST_F(TftpPointerKeaTest, TheFileTheServerAndTheWireChangeTogetherAndComeBack) {
  ASSERT_EQ(chmod(lab_->config_path().c_str(), 0640), 0);
  EXPECT_EQ(lab_->Udhcpc(), kOld);

  EXPECT_EQ(ApplyOne(SubnetPointer("10.77.0.0/24")), v1::OUTCOME_CHANGED) << report_.DebugString();
  EXPECT_EQ(File(), Edited("10.10.0.11,10.10.0.12", "10.20.0.11, 10.20.0.12"));
  struct stat status {};
  ASSERT_EQ(stat(lab_->config_path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
  EXPECT_TRUE(Loaded());
  EXPECT_EQ(lab_->Udhcpc(), kNew);

  EXPECT_EQ(ApplyOne(SubnetPointer("10.77.0.0/24")), v1::OUTCOME_UNCHANGED)
      << report_.DebugString();

  EXPECT_EQ(Rollback(), v1::OUTCOME_CHANGED) << report_.DebugString();
  EXPECT_EQ(File(), lab_->config());
  EXPECT_TRUE(Loaded());
  EXPECT_EQ(lab_->Udhcpc(), kOld);
}

TEST_F(TftpPointerKeaTest, ARollbackIsAskedForOnTheWireAndAFailedProofRestoresNothing) {
  EXPECT_EQ(ApplyOne(SubnetPointer("10.77.0.0/24")), v1::OUTCOME_CHANGED) << report_.DebugString();
  prover_->Deafen();
  EXPECT_EQ(Rollback(), v1::OUTCOME_FAILED);
  EXPECT_THAT(report_.resources(0).reasons(),
              Contains(HasSubstr("put back, but not proven: dhcp-a does not answer any more")));
  EXPECT_EQ(File(), lab_->config());
  EXPECT_TRUE(Loaded());
  EXPECT_EQ(lab_->Udhcpc(), kOld);
}

TEST_F(TftpPointerKeaTest, ARollbackToAnInheritedValueIsProvenToo) {
  // 10.79.0.0/24 sets nothing itself: its clients have the global value before and after.
  EXPECT_EQ(ApplyOne(SubnetPointer("10.79.0.0/24")), v1::OUTCOME_CHANGED) << report_.DebugString();
  EXPECT_EQ(Rollback(), v1::OUTCOME_CHANGED) << report_.DebugString();
  EXPECT_EQ(lab_->Ask("10.79.0.0/24"), "0a0a0009");
}

TEST_F(TftpPointerKeaTest, Scenario08OnlyTheNamedSubnetsChange) {
  const v1::StageReport report =
      Apply({SubnetPointer("10.78.0.0/24"), SubnetPointer("10.79.0.0/24")});
  for (const v1::ResourceOutcome& outcome : report.resources()) {
    EXPECT_EQ(outcome.outcome(), v1::OUTCOME_CHANGED) << outcome.DebugString();
  }
  EXPECT_EQ(
      File(),
      absl::StrReplaceAll(
          lab_->config(),
          {{"\"0a0a000b\"", "\"0A14000B0A14000C\""},
           {R"("pools": [ { "pool": "10.79.0.0/25" } ])",
            R"("pools": [ { "pool": "10.79.0.0/25" } ], "option-data": [ { "name": "voip-tftp", "data": "10.20.0.11, 10.20.0.12" } ])"}}));
  EXPECT_EQ(lab_->Ask("10.77.0.0/24"), kOld);
  EXPECT_EQ(lab_->Ask("10.78.0.0/24"), kNew);
  EXPECT_EQ(lab_->Ask("10.79.0.0/24"), kNew);
}

TEST_F(TftpPointerKeaTest, Scenario09APilotReservationMovesAndItsSubnetStays) {
  EXPECT_EQ(ApplyOne(ReservationPointer("00:1b:54:aa:bb:01")), v1::OUTCOME_CHANGED)
      << report_.DebugString();
  EXPECT_EQ(lab_->Udhcpc(), kOld);
  EXPECT_EQ(lab_->Udhcpc("00:1b:54:aa:bb:01"), kNew);
}

TEST_F(TftpPointerKeaTest, AGlobalValueIsProvenWhereNothingHidesIt) {
  EXPECT_EQ(ApplyOne(GlobalPointer()), v1::OUTCOME_CHANGED) << report_.DebugString();
  EXPECT_THAT(report_.resources(0).warnings(),
              Contains(HasSubstr("subnet 10.77.0.0/24 sets option 150 itself")));
  EXPECT_EQ(lab_->Ask("10.77.0.0/24"), kOld);
  EXPECT_EQ(lab_->Ask("10.79.0.0/24"), kNew);
}

TEST_F(TftpPointerKeaTest, AFileEditedByHandAndNotLoadedIsRefused) {
  WriteText(lab_->config_path(), Edited("600", "700"));
  EXPECT_EQ(ApplyOne(SubnetPointer("10.77.0.0/24")), v1::OUTCOME_REFUSED);
  EXPECT_THAT(report_.resources(0).reasons(),
              Contains(HasSubstr("valid-lifetime: the file says 700, the server has 600")));
  EXPECT_EQ(File(), Edited("600", "700"));
  EXPECT_EQ(lab_->Ask("10.77.0.0/24"), kOld);
}

TEST_F(TftpPointerKeaTest, AnUnprovenServerGetsItsFileBackAndAnswersAgain) {
  prover_->Deafen();
  EXPECT_NE(ApplyOne(SubnetPointer("10.77.0.0/24")), v1::OUTCOME_CHANGED);
  EXPECT_THAT(report_.resources(0).reasons(),
              Contains(HasSubstr("dhcp-a does not answer any more")));
  EXPECT_EQ(File(), lab_->config());
  EXPECT_TRUE(Loaded());
  EXPECT_EQ(lab_->Udhcpc(), kOld);
}

// The trap: the control socket works and shows the old configuration, but no client is answered.
TEST_F(TftpPointerKeaTest, UndoRevivesAServerThatChokedOnItsFile) {
  WriteText(lab_->config_path(), Edited("10.77.0.100 - 10.77.0.200", "10.66.0.100 - 10.66.0.200"));
  EXPECT_FALSE(dhcp_->Reload().ok());
  const absl::StatusOr<v1::ProbeResponse> silence = lab_->Probe("10.77.0.0/24", "", true, 300);
  ASSERT_TRUE(silence.ok()) << silence.status();
  EXPECT_FALSE(silence->answered());

  WriteText(lab_->config_path(), lab_->config());
  EXPECT_TRUE(Loaded()) << "Kea shows the old configuration all the while";
  const absl::Status undone = TftpPointerKind().Undo(
      "subnet 10.77.0.0/24", Host{fake_.clock, *files_, *dhcp_, fake_.services, layout_});
  EXPECT_TRUE(undone.ok()) << undone;
  EXPECT_EQ(lab_->Ask("10.77.0.0/24"), kOld);
}

TEST_F(TftpPointerKeaTest, ATextKeaRejectsIsNeverWritten) {
  // A definition for one address cannot hold two: seen before anything is asked of Kea.
  WriteText(lab_->config_path(), absl::StrReplaceAll(Edited(", \"array\": true", ""),
                                                     {{"10.10.0.11,10.10.0.12", "10.10.0.11"}}));
  ASSERT_TRUE(dhcp_->Reload().ok());
  const std::string before = File();
  EXPECT_NE(ApplyOne(SubnetPointer("10.77.0.0/24")), v1::OUTCOME_CHANGED);
  EXPECT_THAT(report_.resources(0).reasons(), Contains(HasSubstr("\"array\": true")));
  EXPECT_EQ(File(), before);
}

TEST_F(TftpPointerKeaTest, PlanningLeavesNoTraceOnTheServer) {
  const absl::StatusOr<v1::Plan> plan =
      converger_->PlanStage(Request({SubnetPointer("10.77.0.0/24")}));
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->resources(0).outcome(), v1::OUTCOME_WOULD_CHANGE);
  EXPECT_EQ(File(), lab_->config());
  EXPECT_EQ(lab_->Ask("10.77.0.0/24"), kOld);
}

}  // namespace
}  // namespace trustline::agent
