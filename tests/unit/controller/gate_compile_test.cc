// The play key `gate`: what it compiles to, and what is wrong with it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "controller/compile.h"
#include "controller/runner.h"
#include "tests/unit/controller/temp_files.h"

namespace trustline::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kInventory[] = R"(all:
  children:
    source:
      vars: { cluster: src, version: "11.5" }
      hosts:
        src-pub: { roles: [publisher, tftp, tvs], address: 10.10.0.11 }
    destination:
      vars: { cluster: dst, version: "14" }
      hosts:
        dst-pub: { roles: [publisher, tftp, tvs], address: 10.20.0.11 }
    dhcp:
      vars: { dhcp_server: kea }
      hosts: { dhcp-a: {}, dhcp-b: {} }
    probes:
      hosts: { probe-floor3: {}, probe-floor4: {} }
)";

constexpr char kPlaybook[] = R"(- name: Prepare
  hosts: source
  tasks:
    - service: { name: tvs, state: started }
      tags: [prepare]

- name: Point the phones
  hosts: dhcp
  waves:
    - { name: pilot, scopes: [{ reservation: "00:1b:54:aa:bb:01" }] }
    - { name: floor 3, scopes: [{ subnet: 10.30.0.0/24 }] }
  gate: { phones: phones.csv, run_on: probes, require_return: true, max_age: 2h }
  tasks:
    - tftp_pointer:
        scope: "{{ item }}"
        tftp_servers: [10.20.0.11]
        probe_from: probe-floor3
      loop: "{{ wave.scopes }}"
      tags: [point]
    - pause: { prompt: "Reset the phones of {{ wave.name }}" }
)";

constexpr char kPhones[] =
    "device,address,itl,tvs,alternate_tftp,excluded,read_at\n"
    "SEP001B54AABB01,10.30.0.21,3fa9000000000000000000000000000000000000,10.10.0.11,,,"
    "2026-06-01T10:00:00Z\n"
    "SEP001B54AABB02,10.30.0.22,3fa9000000000000000000000000000000000000,10.10.0.11,,,"
    "2026-06-01T09:00:00Z\n"
    "SEP001B54AABB03,10.30.0.23,,10.10.0.11,,,\n"
    "SEP001B54AABB04,10.40.0.24,3fa9000000000000000000000000000000000000,10.10.0.11,,,\n"
    "SEP001B54AABB05,10.30.0.25,3fa9000000000000000000000000000000000000,10.10.0.11,10.9.9.9,,\n"
    "SEP001B54AABB06,10.30.0.26,3fa9000000000000000000000000000000000000,10.10.0.11,,\"no record, "
    "to be replaced\",\n";

class GateCompileTest : public ::testing::Test {
 protected:
  GateCompileTest() { files_.Write("phones.csv", kPhones); }

  CompileResult Try(const std::string& playbook) {
    CompileOptions options;
    options.playbook_path = files_.Write("migrate.yml", playbook);
    options.inventories = {files_.Write("inventory.yml", kInventory)};
    options.domain = "example.net";
    return Compile(options, diagnostics_);
  }
  CompiledPlaybook Must(const std::string& playbook = kPlaybook) {
    CompileResult result = Try(playbook);
    EXPECT_TRUE(result.compiled.has_value()) << diagnostics_.Render();
    return result.compiled ? *std::move(result.compiled) : CompiledPlaybook();
  }
  std::string Said() const {
    return absl::StrReplaceAll(diagnostics_.Render(), {{files_.directory() + "/", ""}});
  }
  static std::string With(const std::string& gate) {
    return absl::StrReplaceAll(
        kPlaybook,
        {{"{ phones: phones.csv, run_on: probes, require_return: true, max_age: 2h }", gate}});
  }
  static const v1::Resource& Gate(const CompiledPlaybook& compiled, const std::string& judge,
                                  uint32_t stage) {
    for (const v1::Resource& resource : compiled.documents.at(judge).resources()) {
      if (resource.stage() == stage && resource.has_trust_gate()) return resource;
    }
    ADD_FAILURE() << "no gate in stage " << stage;
    return v1::Resource::default_instance();
  }

  TempFiles files_;
  yaml::Diagnostics diagnostics_;
};

TEST_F(GateCompileTest, EveryWaveIsJudgedInAStageOfItsOwnBeforeIt) {
  const CompiledPlaybook compiled = Must();
  ASSERT_EQ(compiled.stages.size(), 5u);
  EXPECT_EQ(compiled.stages[1].play, "GATE [Point the phones]");
  EXPECT_EQ(compiled.stages[1].wave, "pilot");
  EXPECT_EQ(compiled.stages[1].gate_for, 3u);
  EXPECT_THAT(compiled.stages[1].hosts, ElementsAre("probe-floor3", "probe-floor4"));
  EXPECT_FALSE(compiled.stages[1].pointer);
  EXPECT_EQ(compiled.stages[2].gate_for, 0u);
  EXPECT_TRUE(compiled.stages[2].pointer);
  EXPECT_EQ(compiled.stages[3].gate_for, 5u);
  EXPECT_FALSE(compiled.stages[1].pause_after.has_value());
  EXPECT_TRUE(compiled.stages[2].pause_after.has_value());

  const v1::DesiredState& judge = compiled.documents.at("probe-floor3");
  EXPECT_EQ(judge.stages(3).gate_for(), 5u);
  ASSERT_EQ(judge.resources_size(), 2);
  const v1::Resource& gate = Gate(compiled, "probe-floor3", 2);
  EXPECT_EQ(gate.id(), "trust_gate \"Point the phones, wave pilot\"");
  EXPECT_EQ(gate.id(), Gate(compiled, "probe-floor4", 2).id());
  EXPECT_TRUE(gate.trust_gate().require_return());
  EXPECT_EQ(gate.trust_gate().max_age_seconds(), 7200u);
  ASSERT_EQ(gate.trust_gate().pointers_size(), 1);
  EXPECT_EQ(gate.trust_gate().pointers(0).scope().reservation(), "00:1b:54:aa:bb:01");
  EXPECT_THAT(gate.trust_gate().pointers(0).tftp_servers(), ElementsAre("10.20.0.11"));
}

TEST_F(GateCompileTest, ThePointersDemandTheVerdictOfEveryJudge) {
  const CompiledPlaybook compiled = Must();
  for (const char* server : {"dhcp-a", "dhcp-b"}) {
    const v1::DesiredState& document = compiled.documents.at(server);
    ASSERT_EQ(document.resources_size(), 2);
    const v1::GateDemand& demand = document.resources(1).gate();
    EXPECT_EQ(demand.gate(), "trust_gate \"Point the phones, wave floor 3\"");
    EXPECT_THAT(demand.judges(), ElementsAre("probe-floor3", "probe-floor4"));
    EXPECT_TRUE(demand.require_return());
  }
}

TEST_F(GateCompileTest, ClassesAreThePhonesOfTheScope) {
  const CompiledPlaybook compiled = Must();
  const v1::TrustGateSpec& pilot = Gate(compiled, "probe-floor3", 2).trust_gate();
  ASSERT_EQ(pilot.classes_size(), 1);
  EXPECT_EQ(pilot.classes(0).count(), 1u);
  EXPECT_THAT(pilot.classes(0).examples(), ElementsAre("SEP001B54AABB01"));
  EXPECT_EQ(pilot.unproven(), 0u);

  const v1::TrustGateSpec& floor = Gate(compiled, "probe-floor3", 4).trust_gate();
  ASSERT_EQ(floor.classes_size(), 3) << floor.DebugString();
  EXPECT_EQ(floor.classes(0).count(), 2u);
  EXPECT_EQ(floor.classes(0).itl_digest(), "3fa9000000000000000000000000000000000000");
  EXPECT_THAT(floor.classes(0).tvs(), ElementsAre("10.10.0.11:2445"));
  EXPECT_THAT(floor.classes(1).tftp(), ElementsAre("10.9.9.9"));
  EXPECT_EQ(floor.classes(2).excluded(), "no record, to be replaced");
  EXPECT_EQ(floor.unproven(), 1u);
  EXPECT_THAT(floor.unproven_examples(), ElementsAre("SEP001B54AABB03"));
  EXPECT_EQ(floor.evidence(), "phones.csv: 5 phones");
  EXPECT_EQ(floor.evidence_unix(), 1780304400);  // the oldest: 2026-06-01T09:00:00Z
}

TEST_F(GateCompileTest, APilotWithoutEvidenceIsUnproven) {
  files_.Write("phones.csv", "device\n");
  const v1::TrustGateSpec pilot = Gate(Must(), "probe-floor3", 2).trust_gate();
  EXPECT_EQ(pilot.unproven(), 1u);
  EXPECT_THAT(pilot.unproven_examples(), ElementsAre("SEP001B54AABB01"));
}

TEST_F(GateCompileTest, APromptBeforeThePlayComesBeforeItsGate) {
  const CompiledPlaybook compiled = Must(absl::StrReplaceAll(
      kPlaybook, {{"  tasks:\n    - tftp_pointer",
                   "  tasks:\n    - pause: { prompt: \"ready?\" }\n    - tftp_pointer"}}));
  EXPECT_TRUE(compiled.stages[1].pause_before.has_value());
  EXPECT_FALSE(compiled.stages[2].pause_before.has_value());
}

TEST_F(GateCompileTest, NoMaskLeavesAGateOutThatGuardsWhatIsInTheRun) {
  RunInput input;
  input.playbook = Must();
  SelectResources({"dhcp", {"point"}, {"untagged"}}, {"dhcp-a", "dhcp-b"}, input);
  EXPECT_EQ(input.selected.size(), 4u);
  EXPECT_EQ(input.selected.at(2).count("probe-floor3"), 1u);
  EXPECT_EQ(input.selected.at(4).count("probe-floor4"), 1u);
}

TEST_F(GateCompileTest, AGateDoesNotRunWhenNoPointerItGuardsIsInTheRun) {
  RunInput input;
  input.playbook = Must();
  SelectResources({"", {"prepare"}, {}},
                  {"src-pub", "dst-pub", "dhcp-a", "dhcp-b", "probe-floor3", "probe-floor4"},
                  input);
  ASSERT_EQ(input.selected.size(), 1u);
  EXPECT_EQ(input.selected.count(1), 1u);
}

TEST_F(GateCompileTest, EveryBadRowIsToldWithItsPlace) {
  files_.Write("phones.csv",
               "device,itl\n"
               "SEP001B54AABB01,xyz\n"
               "SEP001B54AABB02,none\n"
               "phone three,none\n");
  EXPECT_FALSE(Try(kPlaybook).compiled.has_value());
  EXPECT_THAT(Said(), HasSubstr("phones.csv:2:17: error:"));
  EXPECT_THAT(Said(), HasSubstr("phones.csv:4:1: error:"));
}

TEST_F(GateCompileTest, AMissingFileIsMissingInput) {
  const CompileResult result = Try(With("{ phones: none.csv, run_on: probes }"));
  EXPECT_FALSE(result.compiled.has_value());
  EXPECT_TRUE(result.input_missing);
  EXPECT_THAT(Said(), HasSubstr("none.csv: no such file"));
}

TEST_F(GateCompileTest, RunOnThatMatchesNobodyIsNoHost) {
  const CompileResult result = Try(With("{ phones: phones.csv, run_on: \"probes:!probes\" }"));
  EXPECT_TRUE(result.no_hosts_matched);
  EXPECT_THAT(Said(), HasSubstr("\"run_on\" of the gate matches no host"));
}

TEST_F(GateCompileTest, ErrorsPointAtWhatIsWrong) {
  Try(With("{ phones: phones.csv, run_on: probes, requireReturn: true }"));
  EXPECT_THAT(Said(), HasSubstr("migrate.yml:12:47: error: unknown key \"requireReturn\" in a gate "
                                "(did you mean \"require_return\"?)"));
  diagnostics_ = yaml::Diagnostics();
  Try(With("{ phones: phones.csv, run_on: probes, max_age: soon }"));
  EXPECT_THAT(Said(), HasSubstr("\"max_age\" of a gate is an age such as 30m, 24h or 7d"));
  diagnostics_ = yaml::Diagnostics();
  Try(With("{ run_on: probes }"));
  EXPECT_THAT(Said(), HasSubstr("a gate needs \"phones\""));
  diagnostics_ = yaml::Diagnostics();
  Try(With("{ phones: phones.csv, run_on: nobody }"));
  EXPECT_THAT(Said(), HasSubstr("no host or group \"nobody\""));
}

TEST_F(GateCompileTest, APhoneIsInAScopeThatOverlapsItsNetworkOrHoldsItsAddress) {
  constexpr char kItl[] = ",3fa9000000000000000000000000000000000000\n";
  files_.Write("phones.csv", absl::StrCat("device,subnet,address,itl\n",
                                          "SEP001B54AABB11,10.30.1.0/24,", kItl,  // inside
                                          "SEP001B54AABB12,10.30.0.0/16,", kItl,  // around
                                          "SEP001B54AABB13,10.99.0.0/24,10.30.1.7", kItl,
                                          "SEP001B54AABB14,10.99.0.0/24,10.99.0.7", kItl,
                                          "SEP001B54AABB15,10.30.2.0/24,", kItl));
  const CompiledPlaybook compiled =
      Must(absl::StrReplaceAll(kPlaybook, {{"10.30.0.0/24", "10.30.0.0/23"}}));
  EXPECT_EQ(Gate(compiled, "probe-floor3", 4).trust_gate().evidence(), "phones.csv: 3 phones");
  EXPECT_THAT(Said(), HasSubstr("warning: phones.csv: 2 phones are in no scope that a gate judges: "
                                "SEP001B54AABB14, ..."));
}

TEST_F(GateCompileTest, EvidenceThatIsMissingIsSaidOnce) {
  std::filesystem::remove(files_.Path("phones.csv"));
  EXPECT_TRUE(Try(kPlaybook).input_missing);
  const std::string said = Said();
  EXPECT_THAT(said, HasSubstr("phones.csv: no such file"));
  EXPECT_EQ(said.find("no such file"), said.rfind("no such file"));
}

}  // namespace
}  // namespace trustline::controller
