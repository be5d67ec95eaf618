#include "agent/dhcp/kea_compare.h"

#include <gtest/gtest.h>

#include <string>

namespace trustline::agent {
namespace {

constexpr char kFile[] = R"json({ "Dhcp4": {
  "comment": "main", "reservation-mode": "all", // becomes three settings
  "interfaces-config": { "interfaces": [ "eth1", "eth0" ] },
  "lease-database": { "type": "mysql", "password": "old-secret" },
  "valid-lifetime": 4000, "t1-percent": 0.50,
  "option-def": [ { "name": "voip-tftp", "code": 150, "type": "ipv4-address", "array": true } ],
  "option-data": [ { "name": "voip-tftp", "data": "10.10.0.11,10.10.0.12" },
                   { "name": "routers", "data": " 10.30.0.1" } ],
  "subnet4": [
    { "subnet": "10.30.0.0/24", "id": 5,
      "relay": { "ip-address": "10.30.0.2" },
      "pools": [ { "pool": "10.30.0.100 - 10.30.0.200", "option-data": [] }, { "pool": "10.30.0.64/28" } ],
      "reservations": [
        { "hw-address": "00:1B:54:AA:BB:01", "ip-address": "10.30.0.50",
          "option-data": [ { "code": 150, "csv-format": false, "data": "0a 0a 00 0c" } ] },
        { "client-id": "01:02:03", "ip-address": "10.30.0.51" } ] },
    { "subnet": "10.29.0.0/24" }
  ],
  "client-classes": [ { "name": "c1", "test": "member('KNOWN')", "only-if-required": false } ],
  "loggers": [ { "name": "kea-dhcp4", "severity": "warn" } ]
} })json";

// The same as config-get of Kea 2.2 shows it: defaults filled in, other order, other spellings.
constexpr char kRunning[] = R"json({ "Dhcp4": {
  "authoritative": false, "boot-file-name": "",
  "client-classes": [ { "boot-file-name": "", "name": "c1", "next-server": "0.0.0.0", "option-data": [],
                        "option-def": [], "server-hostname": "", "test": "member('KNOWN')" } ],
  "hooks-libraries": [], "shared-networks": [],
  "interfaces-config": { "interfaces": [ "eth0", "eth1" ], "re-detect": true },
  "lease-database": { "type": "mysql", "password": "old-secret" },
  "loggers": [ { "debuglevel": 0, "name": "kea-dhcp4", "severity": "WARN", "output_options": [ { "output": "stdout" } ] } ],
  "option-data": [
    { "always-send": false, "code": 3, "csv-format": true, "data": " 10.30.0.1", "name": "routers", "space": "dhcp4" },
    { "always-send": false, "code": 150, "csv-format": true, "data": "10.10.0.11,10.10.0.12", "name": "voip-tftp", "space": "dhcp4" } ],
  "option-def": [ { "array": true, "code": 150, "encapsulate": "", "name": "voip-tftp", "record-types": "", "space": "dhcp4", "type": "ipv4-address" } ],
  "reservations": [], "reservations-global": false, "reservations-in-subnet": true,
  "subnet4": [
    { "4o6-interface": "", "id": 1, "option-data": [], "pools": [], "reservations": [], "relay": { "ip-addresses": [] },
      "subnet": "10.29.0.0/24", "valid-lifetime": 4000 },
    { "id": 5, "option-data": [], "pools": [ { "option-data": [], "pool": "10.30.0.64/28" },
                                              { "option-data": [], "pool": "10.30.0.100-10.30.0.200" } ],
      "relay": { "ip-addresses": [ "10.30.0.2" ] },
      "reservations": [
        { "boot-file-name": "", "client-classes": [], "hostname": "", "hw-address": "00:1b:54:aa:bb:01", "ip-address": "10.30.0.50",
          "option-data": [ { "always-send": false, "code": 150, "csv-format": false, "data": "0A0A000C", "name": "voip-tftp", "space": "dhcp4" } ] },
        { "client-id": "010203", "hostname": "", "ip-address": "10.30.0.51", "option-data": [] } ],
      "subnet": "10.30.0.0/24", "valid-lifetime": 4000 } ],
  "t1-percent": 0.5, "t2-percent": 0.875, "user-context": { "comment": "main" }, "valid-lifetime": 4000
}, "hash": "ABC" })json";

// The difference after `from` became `to` in the file.
std::string Difference(const std::string& from = "", const std::string& to = "",
                       std::string running = kRunning) {
  std::string file = kFile;
  if (!from.empty()) {
    const size_t at = file.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    file.replace(at, from.size(), to);
  }
  const absl::StatusOr<KeaConfig> one = KeaConfig::Parse(file);
  const absl::StatusOr<KeaConfig> other = KeaConfig::Parse(running);
  EXPECT_TRUE(one.ok()) << one.status();
  EXPECT_TRUE(other.ok()) << other.status();
  return FirstDifference(*one, *other).value_or("none");
}

TEST(KeaCompareTest, DefaultsOrderAndSpellingAreNoDifference) { EXPECT_EQ(Difference(), "none"); }

TEST(KeaCompareTest, WhatConfigGetLeavesOutIsNoDifference) {
  EXPECT_EQ(
      Difference("\"valid-lifetime\": 4000,",
                 R"("valid-lifetime": 4e3, "compatibility": { "lenient-option-parsing": true },
                          "reservation-mode-note": "", "user-context": { "comment": "main" },)"),
      "none");
  EXPECT_EQ(Difference("[ \"eth1\", \"eth0\" ]",
                       R"([ "eth1", "eth0" ], "outbound-interface": "same-as-inbound")"),
            "none");
  EXPECT_EQ(Difference("[ \"eth1\", \"eth0\" ]",
                       R"([ "eth1", "eth0" ], "outbound-interface": "use-routing")"),
            "interfaces-config/outbound-interface: the file says \"use-routing\", the server has "
            "nothing");
}

TEST(KeaCompareTest, AChangedValueIsNamedWithItsPath) {
  EXPECT_EQ(Difference("10.10.0.11,10.10.0.12", "10.20.0.11"),
            "option-data/150/data: the file says \"10.20.0.11\", the server has "
            "\"10.10.0.11,10.10.0.12\"");
  EXPECT_EQ(Difference("4000", "3600"), "valid-lifetime: the file says 3600, the server has 4000");
  EXPECT_EQ(Difference("0a 0a 00 0c", "0a 0a 00 0d"),
            "subnet4/10.30.0.0/24/reservations/00:1B:54:AA:BB:01/option-data/150/data: the file "
            "says \"0a 0a 00 0d\", the server has \"0A0A000C\"");
  EXPECT_EQ(Difference("member('KNOWN')", "member('UNKNOWN')"),
            "client-classes/c1/test: the file says \"member('UNKNOWN')\", the server has "
            "\"member('KNOWN')\"");
  EXPECT_EQ(Difference("\"10.30.0.2\"", "\"10.30.0.3\""),
            "subnet4/10.30.0.0/24/relay/ip-address: the file says \"10.30.0.3\", the server has "
            "nothing");
  EXPECT_EQ(Difference("\"array\": true", "\"array\": false"),
            "option-def/voip-tftp/array: the file says false, the server has true");
  EXPECT_EQ(Difference("\"eth1\"", "\"eth2\""),
            "interfaces-config/interfaces/eth2: the file has it, the server does not");
}

TEST(KeaCompareTest, WhatOneSideLacksIsNamed) {
  EXPECT_EQ(Difference("{ \"subnet\": \"10.29.0.0/24\" }", ""),
            "subnet4/10.29.0.0/24: the server has it, the file does not");
  EXPECT_EQ(Difference("{ \"subnet\": \"10.29.0.0/24\" }",
                       "{ \"subnet\": \"10.29.0.0/24\" }, { \"subnet\": \"10.28.0.0/24\" }"),
            "subnet4/10.28.0.0/24: the file has it, the server does not");
  EXPECT_EQ(Difference("{ \"subnet\": \"10.29.0.0/24\" }",
                       "{ \"subnet\": \"10.29.0.0/24\", \"interface\": \"eth0\" }"),
            "subnet4/10.29.0.0/24/interface: the file says \"eth0\", the server has nothing");
  EXPECT_EQ(Difference("\"option-data\": [ { \"code\": 150, \"csv-format\": false, \"data\": \"0a "
                       "0a 00 0c\" } ]",
                       "\"hostname\": \"\""),
            "subnet4/10.30.0.0/24/reservations/00:1B:54:AA:BB:01/option-data/150: the server has "
            "it, the file does not");
}

TEST(KeaCompareTest, SecretsAreNeverShown) {
  const std::string difference = Difference("old-secret", "new-secret");
  EXPECT_EQ(difference, "lease-database/password: the file says a secret, the server has a secret");
}

}  // namespace
}  // namespace trustline::agent
