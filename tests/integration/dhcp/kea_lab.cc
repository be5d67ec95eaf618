#include "tests/integration/dhcp/kea_lab.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>

#include <chrono>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "agent/dhcp/kea_control.h"

namespace trustline {

KeaLab::KeaLab(const std::string& config)
    : config_(absl::StrReplaceAll(config, {{"@SOCKET@", directory_.File("s")}})) {
  Connect(server_, "v0", "10.77.0.1/24", phones_, "v1", "10.77.0.2/24");
  WriteText(config_path(), config_);
  kea_ = std::make_unique<LabProcess>(
      server_, std::vector<std::string>{"kea-dhcp4", "-c", config_path()},
      std::vector<std::string>{absl::StrCat("KEA_PIDFILE_DIR=", directory_.path()),
                               absl::StrCat("KEA_LOCKFILE_DIR=", directory_.path())},
      directory_.File("kea.log"));
  const agent::KeaControl control(Server(), nullptr, absl::Seconds(5));
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!control.RunningConfig().ok()) {
    if (!kea_->Running() || std::chrono::steady_clock::now() > end) {
      ADD_FAILURE() << "Kea did not start: " << Log();
      return;
    }
    poll(nullptr, 0, 20);
  }
}

v1::KeaServer KeaLab::Server() const {
  v1::KeaServer server;
  server.set_config(config_path());
  server.set_control_socket(directory_.File("s"));
  server.set_address("10.77.0.1");
  return server;
}

absl::StatusOr<v1::ProbeResponse> KeaLab::Probe(const std::string& subnet, const std::string& mac,
                                                bool may_discover, uint32_t timeout_ms) const {
  v1::ProbeRequest request;
  request.set_server("10.77.0.1");
  request.set_subnet(subnet);
  request.set_hardware_address(mac);
  request.set_may_discover(may_discover);
  request.set_timeout_ms(timeout_ms);
  absl::StatusOr<v1::ProbeResponse> response = absl::InternalError("not asked");
  phones_.Do([&] { response = UdpDhcpProber().Probe(request); });
  return response;
}

std::string KeaLab::Ask(const std::string& subnet, const std::string& mac) const {
  const absl::StatusOr<v1::ProbeResponse> response = Probe(subnet, mac);
  if (!response.ok()) return response.status().ToString();
  if (!response->answered()) return "silent";
  return response->present() ? absl::BytesToHexString(response->option_150()) : "none";
}

std::string KeaLab::Udhcpc(const std::string& mac) const {
  const std::string script = directory_.File("udhcpc.sh");
  const std::string out = directory_.File("udhcpc.out");
  WriteText(script, absl::StrCat("#!/bin/sh\n[ \"$1\" = bound ] && echo \"$opt150\" > ", out,
                                 "\nexit 0\n"));
  EXPECT_EQ(chmod(script.c_str(), 0700), 0);
  WriteText(out, "");
  if (!mac.empty()) phones_.Run({"ip", "link", "set", "v1", "address", mac});
  phones_.Run(
      {"udhcpc", "-f", "-n", "-q", "-t", "5", "-T", "1", "-O", "150", "-i", "v1", "-s", script});
  return std::string(absl::StripSuffix(ReadText(out), "\n"));
}

absl::StatusOr<v1::ProbeResponse> LabProver::Ask(const std::string&,
                                                 const v1::ProbeRequest& probe) {
  if (deaf_) {
    v1::ProbeResponse silence;
    silence.set_how("DHCPINFORM");
    return silence;
  }
  absl::StatusOr<v1::ProbeResponse> response = absl::InternalError("not asked");
  lab_.phones().Do([&] { response = UdpDhcpProber().Probe(probe); });
  return response;
}

absl::StatusOr<v1::Envelope> LabProver::AskGate(const std::string& judge, const v1::GateQuestion&) {
  return absl::UnavailableError(judge + " does not judge here");
}

}  // namespace trustline
