// The prober against a real Kea.
#include "trust/dhcp_probe.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "agent/dhcp/kea_control.h"
#include "tests/integration/dhcp/kea_lab.h"
#include "trust/phone/option150.h"

namespace trustline {
namespace {

constexpr char kConfig[] = R"({ "Dhcp4": {
  "interfaces-config": { "interfaces": [ "v0" ] },
  "control-socket": { "socket-type": "unix", "socket-name": "@SOCKET@" },
  "lease-database": { "type": "memfile", "persist": false },
  "option-def": [ { "name": "voip-tftp", "code": 150, "type": "ipv4-address", "array": true } ],
  "option-data": [ { "name": "voip-tftp", "data": "10.10.0.9" } ],
  "subnet4": [
    { "subnet": "10.77.0.0/24", "id": 1, "pools": [ { "pool": "10.77.0.100 - 10.77.0.200" } ],
      "option-data": [ { "name": "voip-tftp", "data": "10.10.0.11, 10.10.0.12" } ],
      "reservations": [
        { "hw-address": "00:1b:54:aa:bb:01", "ip-address": "10.77.0.50",
          "option-data": [ { "name": "voip-tftp", "data": "10.20.0.11" } ] },
        { "hw-address": "00:1b:54:aa:bb:02", "hostname": "without-own-value" } ] },
    { "subnet": "10.78.0.0/24", "id": 2, "pools": [ { "pool": "10.78.0.100 - 10.78.0.200" } ] },
    { "subnet": "10.79.0.0/24", "id": 3, "pools": [ { "pool": "10.79.0.100 - 10.79.0.200" } ],
      "option-data": [ { "code": 150, "csv-format": false, "data": "0A140010" } ],
      "reservations": [ { "hw-address": "00:1b:54:aa:bb:03",
                          "option-data": [ { "name": "voip-tftp", "data": "10.20.0.33" } ] } ] }
  ]
} })";

class DhcpProbeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string missing = WhyNoLab({"ip", "kea-dhcp4", "udhcpc"});
    ASSERT_EQ(missing, "");
    lab_ = std::make_unique<KeaLab>(kConfig);
  }
  std::unique_ptr<KeaLab> lab_;
};

TEST_F(DhcpProbeTest, InsideASubnetItIsAskedByInform) {
  const absl::StatusOr<v1::ProbeResponse> response =
      lab_->Probe("10.77.0.0/24", "", /*may_discover=*/false);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(response->answered());
  EXPECT_EQ(response->how(), "DHCPINFORM");
  EXPECT_EQ(response->server_identifier(), "10.77.0.1");
  EXPECT_EQ(lab_->Ask("10.77.0.0/24"), "0a0a000b0a0a000c");
}

TEST_F(DhcpProbeTest, Scenario09AReservationIsAskedForByItsMacAndWins) {
  EXPECT_EQ(lab_->Ask("10.77.0.0/24", "00:1b:54:aa:bb:01"), "0a14000b");
  EXPECT_EQ(lab_->Ask("10.77.0.0/24", "00:1b:54:aa:bb:02"), "0a0a000b0a0a000c");
}

TEST_F(DhcpProbeTest, AnotherSubnetIsAskedThroughARelayWithLinkSelection) {
  const absl::StatusOr<v1::ProbeResponse> response = lab_->Probe("10.79.0.0/24");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(response->answered());
  EXPECT_EQ(response->how(), "DHCPDISCOVER via relay 10.77.0.2");
  EXPECT_EQ(lab_->Ask("10.79.0.0/24"), "0a140010");
  // A subnet without a value of its own hands out the global one.
  EXPECT_EQ(lab_->Ask("10.78.0.0/24"), "0a0a0009");
}

TEST_F(DhcpProbeTest, AReservationOfAnotherSubnetIsAskedThroughARelay) {
  EXPECT_EQ(lab_->Ask("10.79.0.0/24", "00:1b:54:aa:bb:03"), "0a140021");
}

TEST_F(DhcpProbeTest, WithoutASubnetTheOwnOneIsAsked) {
  EXPECT_EQ(lab_->Ask(""), "0a0a000b0a0a000c");
}

TEST_F(DhcpProbeTest, AnotherSubnetIsNotAskedWhenDiscoverIsNotAllowed) {
  const absl::Status status = lab_->Probe("10.79.0.0/24", "", /*may_discover=*/false).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
}

// What `trustline phone` does with --dhcp.
TEST_F(DhcpProbeTest, APhoneIsToldItsTftpServersInTheirOrder) {
  const auto ask = [&](const std::string& server, const std::string& subnet, const std::string& mac,
                       absl::Duration timeout) {
    absl::StatusOr<std::vector<std::string>> servers = absl::InternalError("not asked");
    lab_->phones().Do([&] {
      UdpDhcpProber prober;
      servers = AskForTftpServers(prober, server, subnet, mac, timeout);
    });
    return servers;
  };
  const auto own = ask("10.77.0.1", "", "", absl::Seconds(3));
  ASSERT_TRUE(own.ok()) << own.status();
  EXPECT_EQ(*own, (std::vector<std::string>{"10.10.0.11", "10.10.0.12"}));
  const auto pilot = ask("10.77.0.1", "10.77.0.0/24", "00:1b:54:aa:bb:01", absl::Seconds(3));
  ASSERT_TRUE(pilot.ok()) << pilot.status();
  EXPECT_EQ(*pilot, std::vector<std::string>{"10.20.0.11"});
  const auto other = ask("10.77.0.1", "10.79.0.0/24", "", absl::Seconds(3));
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(*other, std::vector<std::string>{"10.20.0.16"});
  lab_->KillKea();
  const absl::Status silent = ask("10.77.0.1", "", "", absl::Milliseconds(300)).status();
  EXPECT_EQ(silent.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(silent.message(), "DHCP server 10.77.0.1 does not answer");
}

TEST_F(DhcpProbeTest, TheServersOwnHostIsRefused) {
  v1::ProbeRequest request;
  request.set_server("10.77.0.1");
  absl::Status status;
  lab_->server().Do([&] { status = UdpDhcpProber().Probe(request).status(); });
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(DhcpProbeTest, ADeadServerDoesNotAnswer) {
  lab_->KillKea();
  const absl::StatusOr<v1::ProbeResponse> response = lab_->Probe("10.77.0.0/24", "", true, 300);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_FALSE(response->answered());
  EXPECT_FALSE(response->present());
}

TEST_F(DhcpProbeTest, ARealClientGetsTheSameBytes) {
  EXPECT_EQ(lab_->Udhcpc(), lab_->Ask("10.77.0.0/24"));
  EXPECT_EQ(lab_->Udhcpc("00:1b:54:aa:bb:01"), "0a14000b");
}

TEST_F(DhcpProbeTest, NoRouteIsSaidSo) {
  v1::ProbeRequest request;
  request.set_server("192.0.2.1");
  request.set_subnet("10.79.0.0/24");
  request.set_may_discover(true);
  absl::Status status;
  lab_->phones().Do([&] { status = UdpDhcpProber().Probe(request).status(); });
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
}

// What makes the proof on the wire necessary: such a Kea looks healthy on its control socket.
TEST_F(DhcpProbeTest, AServerThatChokedOnItsFileIsSilentUntilItGetsTheOldOne) {
  agent::KeaControl control(lab_->Server());
  std::string bad = lab_->config();
  const size_t at = bad.find("10.77.0.100");
  ASSERT_NE(at, std::string::npos);
  bad.replace(at, 11, "10.66.0.100");  // a pool outside its subnet
  WriteText(lab_->config_path(), bad);
  EXPECT_FALSE(control.TestConfig(bad).ok());
  EXPECT_EQ(control.Reload().code(), absl::StatusCode::kInvalidArgument);
  const absl::StatusOr<std::string> running = control.RunningConfig();
  EXPECT_TRUE(running.ok()) << running.status();
  const absl::StatusOr<v1::ProbeResponse> silence = lab_->Probe("10.77.0.0/24", "", true, 500);
  ASSERT_TRUE(silence.ok()) << silence.status();
  EXPECT_FALSE(silence->answered());

  WriteText(lab_->config_path(), lab_->config());
  EXPECT_TRUE(control.Reload().ok());
  EXPECT_EQ(lab_->Ask("10.77.0.0/24"), "0a0a000b0a0a000c");
}

}  // namespace
}  // namespace trustline
