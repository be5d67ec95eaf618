// The play key `arrival`: what it compiles to, and what is wrong with it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "controller/compile.h"
#include "tests/unit/controller/temp_files.h"

namespace trustline::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kInventory[] = R"(all:
  children:
    destination:
      vars: { cluster: dst, version: "14" }
      hosts:
        dst-pub: { roles: [publisher, tftp, tvs], address: 10.20.0.11 }
    dhcp:
      vars: { dhcp_server: kea }
      hosts: { dhcp-a: {}, dhcp-b: {} }
    probes:
      hosts: { probe-floor3: {} }
)";

constexpr char kPlaybook[] = R"(- name: Point the phones
  hosts: dhcp
  waves:
    - { name: pilot, share: "100%", scopes: [{ reservation: "00:1b:54:aa:bb:01" }] }
    - { name: floor 3, share: "95%", scopes: [{ subnet: 10.30.0.0/24 }] }
  gate: { phones: phones.csv, run_on: probes, tftp_http_port: 6971 }
  arrival: { at_least: "{{ wave.share }}", within: 30m, every: 45s }
  tasks:
    - tftp_pointer:
        scope: "{{ item }}"
        tftp_servers: [10.20.0.11]
        probe_from: probe-floor3
      loop: "{{ wave.scopes }}"
)";

constexpr char kPhones[] =
    "device,address,itl\n"
    "SEP001B54AABB01,10.30.0.21,3fa9000000000000000000000000000000000000\n"
    "SEP001B54AABB02,10.30.0.22,\n";

class ArrivalCompileTest : public ::testing::Test {
 protected:
  ArrivalCompileTest() { files_.Write("phones.csv", kPhones); }

  std::optional<CompiledPlaybook> Try(const std::string& playbook) {
    CompileOptions options;
    options.playbook_path = files_.Write("migrate.yml", playbook);
    options.inventories = {files_.Write("inventory.yml", kInventory)};
    options.domain = "example.net";
    diagnostics_ = yaml::Diagnostics();
    return Compile(options, diagnostics_).compiled;
  }
  std::string Said() const {
    return absl::StrReplaceAll(diagnostics_.Render(), {{files_.directory() + "/", ""}});
  }
  // What is said of the playbook with this arrival instead of its own.
  std::string Of(const std::string& arrival) {
    EXPECT_FALSE(Try(absl::StrReplaceAll(
                         kPlaybook, {{"{ at_least: \"{{ wave.share }}\", within: 30m, every: 45s }",
                                      arrival}}))
                     .has_value())
        << arrival;
    return Said();
  }

  TempFiles files_;
  yaml::Diagnostics diagnostics_;
};

TEST_F(ArrivalCompileTest, Scenario34EveryWaveAsksForItsOwnPhones) {
  const std::optional<CompiledPlaybook> compiled = Try(kPlaybook);
  ASSERT_TRUE(compiled.has_value()) << Said();
  ASSERT_EQ(compiled->stages.size(), 4u);
  EXPECT_FALSE(compiled->stages[0].arrival.has_value());  // the gate
  ASSERT_TRUE(compiled->stages[1].arrival.has_value());
  ASSERT_TRUE(compiled->stages[3].arrival.has_value());
  EXPECT_EQ(compiled->stages[1].arrival->at_least, 100);
  const ArrivalDemand& floor = *compiled->stages[3].arrival;
  EXPECT_EQ(floor.at_least, 95);
  EXPECT_EQ(floor.within, absl::Minutes(30));
  EXPECT_EQ(floor.every, absl::Seconds(45));
  EXPECT_EQ(floor.phones, files_.Path("phones.csv"));
  EXPECT_EQ(floor.tftp_http_port, 6971u);
  EXPECT_EQ(floor.exchange, "migrate");
  ASSERT_EQ(floor.pointers.size(), 1u);
  EXPECT_EQ(floor.pointers[0].scope().subnet(), "10.30.0.0/24");
  EXPECT_THAT(floor.pointers[0].tftp_servers(), ElementsAre("10.20.0.11"));
}

TEST_F(ArrivalCompileTest, Scenario34LooksComeEveryHalfMinuteWhereNothingIsSaid) {
  const std::optional<CompiledPlaybook> compiled =
      Try(absl::StrReplaceAll(kPlaybook, {{", every: 45s", ""}}));
  ASSERT_TRUE(compiled.has_value()) << Said();
  EXPECT_EQ(compiled->stages[1].arrival->every, absl::Seconds(30));
}

TEST_F(ArrivalCompileTest, Scenario34WrongValuesAreErrorsAtTheirPlace) {
  EXPECT_THAT(Of("soon"), HasSubstr("migrate.yml:7:12: error: \"arrival\" is a map: { at_least: "
                                    "\"95%\", within: 30m }, got a string"));
  EXPECT_THAT(Of("{ at_least: 95, within: 30m }"),
              HasSubstr("migrate.yml:7:24: error: \"at_least\" of an arrival is a percentage of "
                        "the wave's phones from \"1%\" to \"100%\""));
  for (const char* share : {"0%", "101%", "%", "95", "-5%", "9.5%", "+5%", "0x5%", "5 %", "05%"}) {
    EXPECT_THAT(Of(absl::StrCat("{ at_least: \"", share, "\", within: 30m }")),
                HasSubstr("is a percentage of the wave's phones"))
        << share;
  }
  EXPECT_THAT(Of("{ at_least: \"95%\", within: 30 }"),
              HasSubstr("migrate.yml:7:39: error: \"within\" of an arrival is a time such as 30s, "
                        "30m or 2h"));
  for (const char* time : {"0m", "+5m", "1.5h", "m", "-1m", "\"5 m\"", "99999999999h"}) {
    EXPECT_THAT(Of(absl::StrCat("{ at_least: \"95%\", within: ", time, " }")),
                HasSubstr("\"within\" of an arrival is a time"))
        << time;
  }
  EXPECT_THAT(Of("{ at_least: \"95%\", within: 30m, every: often }"),
              HasSubstr("\"every\" of an arrival is"));
  EXPECT_THAT(Of("{ at_least: \"95%\", within: 1m, every: 5m }"),
              HasSubstr("\"every\" of an arrival, 5m, is longer than \"within\""));
  EXPECT_THAT(Of("{ at_least: \"95%\", within: 10s }"),
              HasSubstr("\"every\" of an arrival, 30s where nothing is said, is longer"));
  EXPECT_THAT(Of("{ at_least: \"95%\", withn: 30m }"),
              HasSubstr("migrate.yml:7:31: error: unknown key \"withn\" in an arrival (did you "
                        "mean \"within\"?)"));
  EXPECT_THAT(Of("{ every: 30s }"), HasSubstr("an arrival needs \"at_least\""));
  EXPECT_THAT(Of("{ every: 30s }"), HasSubstr("an arrival needs \"within\""));
}

TEST_F(ArrivalCompileTest, Scenario34WithoutAGateNobodyCanBeCounted) {
  EXPECT_FALSE(Try(absl::StrReplaceAll(
      kPlaybook,
      {{"  gate: { phones: phones.csv, run_on: probes, tftp_http_port: 6971 }\n", ""}})));
  EXPECT_THAT(Said(), HasSubstr("migrate.yml:6:3: error: play \"Point the phones\" has an arrival "
                                "but no gate"));
  EXPECT_FALSE(
      Try("- name: Prepare\n  hosts: dhcp\n  gate: { phones: phones.csv, run_on: probes }"
          "\n  arrival: { at_least: \"95%\", within: 30m }\n  tasks: []\n"));
  EXPECT_THAT(Said(), HasSubstr("has a gate but no tftp_pointer"));
}

TEST_F(ArrivalCompileTest, Scenario34AWaveWithoutAnyPhoneIsAnError) {
  files_.Write("phones.csv", "device,address\nSEP001B54AABB01,10.99.0.21\n");
  EXPECT_FALSE(Try(kPlaybook).has_value());
  EXPECT_THAT(Said(), HasSubstr("migrate.yml:7:3: error: nobody could arrive: no phone of "
                                "phones.csv is in the scopes of wave \"floor 3\""));
}

TEST_F(ArrivalCompileTest, Scenario34APauseWithoutAnArrivalLooksOnceAtThePhonesOfAGatedPlay) {
  const std::string paused = absl::StrCat(
      absl::StrReplaceAll(kPlaybook, {{"  arrival: { at_least: \"{{ wave.share }}\", within: 30m, "
                                       "every: 45s }\n",
                                       ""}}),
      "    - pause: { prompt: Reset the phones }\n");
  std::optional<CompiledPlaybook> compiled = Try(paused);
  ASSERT_TRUE(compiled.has_value()) << Said();
  EXPECT_FALSE(compiled->stages[2].arrival.has_value());  // the gate of the second wave
  ASSERT_TRUE(compiled->stages[3].arrival.has_value());
  const ArrivalDemand& floor = *compiled->stages[3].arrival;
  EXPECT_TRUE(floor.only_look);
  EXPECT_EQ(floor.phones, files_.Path("phones.csv"));
  EXPECT_EQ(floor.tftp_http_port, 6971u);
  ASSERT_EQ(floor.pointers.size(), 1u);
  EXPECT_EQ(floor.pointers[0].scope().subnet(), "10.30.0.0/24");
  // An arrival waits for them after the same pause.
  compiled = Try(absl::StrCat(kPlaybook, "    - pause: { prompt: Reset the phones }\n"));
  ASSERT_TRUE(compiled.has_value()) << Said();
  EXPECT_FALSE(compiled->stages[3].arrival->only_look);
  // Nobody in scope: nobody to look for.
  files_.Write("phones.csv", "device,address\nSEP001B54AABB01,10.99.0.21\n");
  compiled = Try(paused);
  ASSERT_TRUE(compiled.has_value()) << Said();
  EXPECT_FALSE(compiled->stages[3].arrival.has_value());
}

}  // namespace
}  // namespace trustline::controller
