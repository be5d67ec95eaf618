#include "controller/compile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "tests/unit/controller/temp_files.h"

namespace trustline::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// The inventory and the playbook users are shown, without gate and confirm, which come later.
constexpr char kInventory[] = R"(all:
  vars:
    exchange: spring-migration            # a directory on the hub
    sftp_hub:
      host: hub.example.net
      user: bulk
      password: !env HUB_PASSWORD
      host_key: "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
  children:
    source:
      vars: { cluster: src, version: "11.5" }
      hosts:
        src-pub: { roles: [publisher, tftp, tvs], address: 10.10.0.11 }
        src-sub1: { roles: [tftp, tvs], address: 10.10.0.12 }
    destination:
      vars: { cluster: dst, version: "14" }
      hosts:
        dst-pub: { roles: [publisher, tftp, tvs], address: 10.20.0.11 }
        dst-sub1: { roles: [tftp, tvs], address: 10.20.0.12 }
    dhcp:
      vars: { dhcp_server: kea }
      hosts: { dhcp-a: {}, dhcp-b: {} }
    probes:                               # agents in the phones' networks
      hosts: { probe-floor3: {} }
)";

constexpr char kPlaybook[] = R"(# yaml-language-server: $schema=./schema.json
- name: Export the certificates phones must trust
  hosts: source:destination
  tasks:
    - bundle_export: { hub: "{{ sftp_hub }}", exchange: "{{ exchange }}", units: [CallManager, ITLRecovery] }

- name: Consolidate once
  hosts: "destination[0]"
  tasks:
    - bundle_consolidation: { hub: "{{ sftp_hub }}", exchange: "{{ exchange }}", units: [CallManager, ITLRecovery] }

- name: Import on every node of both clusters
  hosts: source:destination
  tags: [import]
  tasks:
    - bundle_import: { hub: "{{ sftp_hub }}", exchange: "{{ exchange }}", units: [CallManager, ITLRecovery] }
      notify: restart TVS
  handlers:
    - name: restart TVS
      service: { name: tvs, state: restarted }

- name: Point the phones at the destination
  hosts: dhcp
  waves:
    - { name: pilot, scopes: [{ reservation: "00:1b:54:aa:bb:01" }] }
    - { name: floor 3, scopes: [{ subnet: 10.30.0.0/24 }, { subnet: 10.30.1.0/24 }] }
  tasks:
    - tftp_pointer:
        scope: "{{ item }}"
        tftp_servers: "{{ groups.destination | map('extract', hostvars, 'address') }}"
        probe_from: "{{ groups.probes[0] }}"
      loop: "{{ wave.scopes }}"
    - pause: { prompt: "Reset the phones of {{ wave.name }}, then continue" }
)";

class CompileTest : public ::testing::Test {
 protected:
  CompileTest() { setenv("HUB_PASSWORD", "swordfish", 1); }
  ~CompileTest() override { unsetenv("HUB_PASSWORD"); }

  CompileOptions Options(const std::string& playbook, const std::string& inventory = kInventory) {
    CompileOptions options;
    options.playbook_path = files_.Write("migrate.yml", playbook);
    options.inventories = {files_.Write("inventory.yml", inventory)};
    options.domain = "example.net";
    return options;
  }
  // Of a playbook that must compile.
  CompiledPlaybook Must(const std::string& playbook, const std::string& inventory = kInventory,
                        const std::vector<std::string>& extra = {}) {
    CompileOptions options = Options(playbook, inventory);
    options.extra_vars = extra;
    CompileResult result = Compile(options, diagnostics_);
    EXPECT_TRUE(result.compiled.has_value()) << diagnostics_.Render();
    return result.compiled ? *std::move(result.compiled) : CompiledPlaybook();
  }
  // Everything that is said about it, without the directory.
  std::string Said() const {
    return absl::StrReplaceAll(diagnostics_.Render(), {{files_.directory() + "/", ""}});
  }
  std::string FirstLine() const {
    return std::vector<std::string>(absl::StrSplit(Said(), '\n'))[0];
  }

  static std::vector<std::string> Ids(const v1::DesiredState& document) {
    std::vector<std::string> ids;
    for (const v1::Resource& resource : document.resources())
      ids.push_back(absl::StrCat(resource.stage(), " ", resource.id()));
    return ids;
  }

  TempFiles files_;
  yaml::Diagnostics diagnostics_;
};

TEST_F(CompileTest, TheShownPlaybookCompilesToOneDocumentPerNode) {
  const CompiledPlaybook compiled = Must(kPlaybook);
  EXPECT_EQ(Said(), "");
  EXPECT_EQ(compiled.name, "migrate");
  ASSERT_EQ(compiled.stages.size(), 5u);
  EXPECT_EQ(compiled.stages[4].number, 5u);
  EXPECT_EQ(compiled.stages[4].play, "Point the phones at the destination");
  EXPECT_EQ(compiled.stages[4].wave, "floor 3");
  EXPECT_TRUE(compiled.stages[4].pointer);
  EXPECT_FALSE(compiled.stages[2].pointer);
  EXPECT_EQ(*compiled.stages[3].pause_after, "Reset the phones of pilot, then continue");
  EXPECT_FALSE(compiled.stages[3].pause_before.has_value());
  EXPECT_THAT(compiled.stages[0].hosts, ElementsAre("src-pub", "src-sub1", "dst-pub", "dst-sub1"));
  EXPECT_THAT(compiled.stages[1].batches, ElementsAre(ElementsAre("dst-pub")));
  EXPECT_EQ(compiled.documents.size(), 6u);  // the probe has nothing to do

  const v1::DesiredState& document = compiled.documents.at("dst-pub");
  EXPECT_EQ(document.node(), "dst-pub");
  EXPECT_EQ(document.playbook(), "migrate");
  EXPECT_EQ(document.stages_size(), 5);
  EXPECT_THAT(Ids(document), ElementsAre("1 bundle_export \"CallManager, ITLRecovery\"",
                                         "2 bundle_consolidation \"CallManager, ITLRecovery\"",
                                         "3 bundle_import \"CallManager, ITLRecovery\"",
                                         "3 service \"tvs restarted\""));
  EXPECT_THAT(document.resources(3).notified_by(),
              ElementsAre("bundle_import \"CallManager, ITLRecovery\""));
  EXPECT_THAT(document.resources(3).tags(), ElementsAre("import"));
  EXPECT_EQ(document.resources(0).bundle_export().hub().password().name(), "env:HUB_PASSWORD");
  EXPECT_EQ(document.resources(0).bundle_export().exchange(), "spring-migration");
  EXPECT_EQ(document.resources(0).declared_at().file(), "migrate.yml");
  EXPECT_EQ(document.resources(0).declared_at().line(), 5u);
  EXPECT_EQ(document.resources(0).declared_at().column(), 7u);

  const v1::DesiredState& dhcp = compiled.documents.at("dhcp-a");
  EXPECT_THAT(Ids(dhcp), ElementsAre("4 tftp_pointer \"reservation 00:1b:54:aa:bb:01\"",
                                     "5 tftp_pointer \"subnet 10.30.0.0/24\"",
                                     "5 tftp_pointer \"subnet 10.30.1.0/24\""));
  EXPECT_THAT(dhcp.resources(0).tftp_pointer().tftp_servers(),
              ElementsAre("10.20.0.11", "10.20.0.12"));
  EXPECT_EQ(dhcp.resources(0).tftp_pointer().probe_from(), "probe-floor3");
}

TEST_F(CompileTest, NoDocumentHoldsASecretsValue) {
  const CompiledPlaybook compiled = Must(kPlaybook);
  for (const auto& [node, document] : compiled.documents) {
    EXPECT_EQ(document.SerializeAsString().find("swordfish"), std::string::npos) << node;
  }
}

TEST_F(CompileTest, TheTopologyComesFromTheInventory) {
  const CompiledPlaybook compiled = Must(kPlaybook);
  const v1::Topology& topology = compiled.topology;
  EXPECT_EQ(topology.domain(), "example.net");
  ASSERT_EQ(topology.clusters_size(), 2);
  EXPECT_EQ(topology.clusters(0).name(), "src");
  EXPECT_EQ(topology.clusters(0).version(), "11.5");
  EXPECT_EQ(topology.clusters(0).security_mode(), v1::SECURITY_MODE_NON_SECURE);
  EXPECT_THAT(topology.clusters(1).nodes(0).roles(),
              ElementsAre(v1::NODE_ROLE_PUBLISHER, v1::NODE_ROLE_TFTP, v1::NODE_ROLE_TVS));
  EXPECT_THAT(topology.clusters(1).nodes(1).addresses(), ElementsAre("10.20.0.12"));
  ASSERT_EQ(topology.dhcp_servers_size(), 2);
  EXPECT_EQ(topology.dhcp_servers(1).node(), "dhcp-b");
  EXPECT_EQ(compiled.documents.at("dhcp-a").topology().SerializeAsString(),
            topology.SerializeAsString());
}

TEST_F(CompileTest, NodesAreReachedWhereTheInventorySays) {
  const CompiledPlaybook compiled = Must("- hosts: all\n", R"(all:
  hosts:
    a: {}
    b: { address: 10.0.0.2 }
    c: { address: 10.0.0.3, ansible_host: c.mgmt.example.net, ansible_port: 9999 }
    d: { trustline_port: "{{ 9000 + 1 }}", ansible_port: 22 }
)");
  EXPECT_EQ(compiled.nodes.at("a").host, "a");
  EXPECT_EQ(compiled.nodes.at("a").port, 9443);
  EXPECT_EQ(compiled.nodes.at("b").host, "10.0.0.2");
  EXPECT_EQ(compiled.nodes.at("c").host, "c.mgmt.example.net");
  EXPECT_EQ(compiled.nodes.at("c").port, 9999);
  EXPECT_EQ(compiled.nodes.at("d").port, 9001);
  EXPECT_THAT(compiled.documents, IsEmpty());
}

TEST_F(CompileTest, CompilingTwiceFromElsewhereGivesTheSameBytes) {
  const CompiledPlaybook first = Must(kPlaybook);
  CompileOptions options = Options(kPlaybook);
  options.playbook_path = files_.directory() + "/./migrate.yml";
  CompileResult second = Compile(options, diagnostics_);
  ASSERT_TRUE(second.compiled.has_value());
  EXPECT_EQ(first.documents.at("dst-pub").SerializeAsString(),
            second.compiled->documents.at("dst-pub").SerializeAsString());
}

TEST_F(CompileTest, WhenSkipsAndLoopsRepeat) {
  const CompiledPlaybook compiled = Must(R"(- name: services
  hosts: source
  vars: { names: [one, two, three] }
  tasks:
    - name: only the publisher
      service: { name: extra }
      when: "'publisher' in roles"
    - name: all but one
      service: { name: "{{ item }}" }
      loop: "{{ names + ['four'] }}"
      when: [item != 'two', inventory_hostname != 'nobody']
    - service: { name: "{{ item }}" }
      loop: []
)");
  EXPECT_THAT(Ids(compiled.documents.at("src-pub")),
              ElementsAre("1 service \"extra started\"", "1 service \"one started\"",
                          "1 service \"three started\"", "1 service \"four started\""));
  EXPECT_THAT(Ids(compiled.documents.at("src-sub1")),
              ElementsAre("1 service \"one started\"", "1 service \"three started\"",
                          "1 service \"four started\""));
  std::vector<std::string> skipped;
  for (const SkippedTask& skip : compiled.skipped)
    skipped.push_back(absl::StrCat(skip.node, "/", skip.stage, "/", skip.task));
  EXPECT_THAT(skipped, ElementsAre("src-pub/1/service", "src-sub1/1/only the publisher",
                                   "src-sub1/1/service"));
}

TEST_F(CompileTest, IdsStayUniqueWithTheTasksNameOrANumber) {
  const CompiledPlaybook compiled = Must(R"(- hosts: src-pub
  tasks:
    - service: { name: a }
    - { name: again, service: { name: a } }
    - { name: twice, service: { name: b } }
    - { name: other, service: { name: b } }
- hosts: src-pub
  tasks:
    - { name: twice, service: { name: b } }
)");
  EXPECT_THAT(Ids(compiled.documents.at("src-pub")),
              ElementsAre("1 service \"a started\"", "1 service \"a started\" (again)",
                          "1 service \"b started\" (twice) #1", "1 service \"b started\" (other)",
                          "2 service \"b started\" (twice) #2"));
}

TEST_F(CompileTest, AfterOrdersTasksAndNamesTheirIds) {
  const CompiledPlaybook compiled = Must(R"(- hosts: src-pub
  tasks:
    - { name: last, service: { name: c }, after: [middle, 'service "z started"'] }
    - { name: middle, service: { name: b }, after: first }
    - { name: first, service: { name: a } }
    - service: { name: z }
)");
  const v1::DesiredState& document = compiled.documents.at("src-pub");
  EXPECT_THAT(Ids(document), ElementsAre("1 service \"a started\"", "1 service \"b started\"",
                                         "1 service \"z started\"", "1 service \"c started\""));
  EXPECT_THAT(document.resources(3).after(),
              ElementsAre("service \"b started\"", "service \"z started\""));
}

TEST_F(CompileTest, WaitingForATaskThatIsSkippedIsFine) {
  const CompiledPlaybook compiled = Must(R"(- hosts: source
  tasks:
    - { name: first, service: { name: a }, when: "'publisher' in roles" }
    - { name: second, service: { name: b }, after: first }
)");
  EXPECT_THAT(compiled.documents.at("src-sub1").resources(0).after(), IsEmpty());
  EXPECT_THAT(compiled.documents.at("src-pub").resources(1).after(),
              ElementsAre("service \"a started\""));
}

TEST_F(CompileTest, HandlersEndTheStageThatNotifiesThem) {
  const CompiledPlaybook compiled = Must(R"(- hosts: source
  handlers:
    - { name: reload b, service: { name: b, state: reloaded }, tags: own }
    - { name: reload a, service: { name: a, state: reloaded } }
  tasks:
    - { name: x, service: { name: x }, notify: [reload a, reload b], tags: "tx, never" }
    - { name: y, service: { name: y }, notify: reload a, tags: ty, when: "'publisher' in roles" }
    - { name: z, service: { name: z }, when: false, notify: reload b }
)");
  const v1::DesiredState& document = compiled.documents.at("src-pub");
  EXPECT_THAT(Ids(document), ElementsAre("1 service \"x started\"", "1 service \"y started\"",
                                         "1 service \"b reloaded\"", "1 service \"a reloaded\""));
  EXPECT_THAT(document.resources(2).notified_by(), ElementsAre("service \"x started\""));
  EXPECT_THAT(document.resources(3).notified_by(),
              ElementsAre("service \"x started\"", "service \"y started\""));
  EXPECT_THAT(document.resources(2).tags(), ElementsAre("own", "tx", "never"));
  EXPECT_THAT(document.resources(3).tags(), ElementsAre("tx", "ty"));
  EXPECT_THAT(compiled.documents.at("src-sub1").resources(2).notified_by(),
              ElementsAre("service \"x started\""));
}

TEST_F(CompileTest, ModeTagsAndPausesArrive) {
  const CompiledPlaybook compiled = Must(R"(- name: p
  hosts: source
  tags: [p1, both]
  tasks:
    - pause: { prompt: "before {{ exchange }}" }
    - { service: { name: a }, mode: report, tags: [both, t1] }
    - pause: { prompt: after }
)");
  const v1::Resource& resource = compiled.documents.at("src-pub").resources(0);
  EXPECT_EQ(resource.mode(), v1::MODE_REPORT);
  EXPECT_THAT(resource.tags(), ElementsAre("p1", "both", "t1"));
  EXPECT_EQ(*compiled.stages[0].pause_before, "before spring-migration");
  EXPECT_EQ(*compiled.stages[0].pause_after, "after");
}

TEST_F(CompileTest, SerialCutsBatches) {
  auto batches = [&](const std::string& serial) {
    const CompiledPlaybook compiled =
        Must("- hosts: n*\n  serial: " + serial + "\n", "all:\n  hosts: { \"n[0:9]\": {} }\n");
    std::vector<size_t> sizes;
    for (const auto& batch : compiled.stages[0].batches) sizes.push_back(batch.size());
    return absl::StrJoin(sizes, " ");
  };
  EXPECT_EQ(batches("4"), "4 4 2");
  EXPECT_EQ(batches("\"30%\""), "3 3 3 1");
  EXPECT_EQ(batches("\"5%\""), "1 1 1 1 1 1 1 1 1 1");
  EXPECT_EQ(batches("[1, 4]"), "1 4 4 1");
  EXPECT_EQ(batches("[1, \"50%\"]"), "1 5 4");
  EXPECT_EQ(batches("100"), "10");
  EXPECT_EQ(batches("\"{{ 5 }}\""), "5 5");
}

TEST_F(CompileTest, EveryStageOfAGuardedPlayIsGuarded) {
  const CompiledPlaybook compiled = Must(
      "- hosts: n1\n- hosts: n1\n  require_no_stragglers: true\n  waves: [{ name: a }, { name: b "
      "}]\n",
      "all:\n  hosts: { n1: {} }\n");
  ASSERT_EQ(compiled.stages.size(), 3u);
  EXPECT_FALSE(compiled.stages[0].require_no_stragglers);
  EXPECT_TRUE(compiled.stages[1].require_no_stragglers);
  EXPECT_TRUE(compiled.stages[2].require_no_stragglers);
}

TEST_F(CompileTest, ExtraVariablesWinOverEverything) {
  const std::string file = files_.Write("extra.json", "{\"c\": \"file\", \"n\": 7}");
  const CompiledPlaybook compiled =
      Must(R"(- hosts: src-pub
  vars: { a: play, b: play, c: play }
  tasks:
    - service: { name: "{{ a }}.{{ b }}.{{ c }}.{{ n + 1 }}.{{ exchange }}" }
)",
           kInventory, {"b=pair exchange='two'", "@" + file, "{c: yaml}"});
  EXPECT_THAT(Ids(compiled.documents.at("src-pub")),
              ElementsAre("1 service \"play.pair.yaml.8.two started\""));
}

TEST_F(CompileTest, WavesAndHostsMayComeFromVariables) {
  const CompiledPlaybook compiled = Must(R"(- hosts: "{{ target }}"
  waves: "{{ my_waves }}"
  tasks:
    - service: { name: "{{ wave.unit }}" }
)",
                                         "all:\n  vars: { my_waves: [{ name: one, unit: a }, { "
                                         "name: two, unit: b }] }\n  hosts: { x: {}, y: {} }\n",
                                         {"target=y"});
  EXPECT_THAT(Ids(compiled.documents.at("y")),
              ElementsAre("1 service \"a started\"", "2 service \"b started\""));
  EXPECT_EQ(compiled.documents.size(), 1u);
}

TEST_F(CompileTest, FilesOfTheControllerAreReadBesideThePlaybook) {
  files_.Write("keys/known_hosts", "hub.example.net ssh-ed25519 AAAA\n");
  const CompiledPlaybook compiled = Must(R"(- hosts: src-pub
  tasks:
    - bundle_export: { hub: { host: h, user: u, password: !file secret.txt, known_hosts_file: keys/known_hosts }, exchange: e, units: [CallManager] }
)");
  const v1::HubAddress& hub = compiled.documents.at("src-pub").resources(0).bundle_export().hub();
  EXPECT_EQ(hub.known_hosts(), "hub.example.net ssh-ed25519 AAAA\n");
  EXPECT_EQ(hub.password().name(), "file:secret.txt");
}

TEST_F(CompileTest, AnUnsetVariableOfTheEnvironmentIsAWarningOnce) {
  unsetenv("HUB_PASSWORD");
  Must(kPlaybook);
  EXPECT_EQ(Said(),
            "inventory.yml:7:17: warning: environment variable HUB_PASSWORD is not set; plan and "
            "apply need it\n"
            "    7 |       password: !env HUB_PASSWORD\n"
            "      |                 ^~~~~~~~~~~~~~~~~\n");
}

TEST_F(CompileTest, AThirdTftpServerIsAWarning) {
  Must(R"(- hosts: dhcp
  tasks:
    - tftp_pointer: { scope: { global: true }, tftp_servers: [10.20.0.11, 10.20.0.12, 10.99.0.1], probe_from: probe-floor3 }
)");
  EXPECT_THAT(Said(), HasSubstr("migrate.yml:3:62: warning: tftp_servers has 3 addresses; phones "
                                "use the first two and ignore the others\n"));
  EXPECT_THAT(
      Said(),
      HasSubstr("migrate.yml:3:62: warning: 10.99.0.1 belongs to no node of the inventory\n"));
}

TEST_F(CompileTest, MatchingNoHostIsItsOwnResult) {
  CompileResult result =
      Compile(Options("- name: p\n  hosts: source:&destination\n"), diagnostics_);
  EXPECT_FALSE(result.compiled.has_value());
  EXPECT_TRUE(result.no_hosts_matched);
  EXPECT_FALSE(result.input_missing);
  EXPECT_EQ(FirstLine(), "migrate.yml:2:10: error: play \"p\" matches no host");
}

TEST_F(CompileTest, MissingFilesAreMissingInput) {
  CompileOptions options = Options(kPlaybook);
  options.playbook_path = files_.Path("none.yml");
  options.extra_vars = {"@" + files_.Path("none.json")};
  CompileResult result = Compile(options, diagnostics_);
  EXPECT_TRUE(result.input_missing);
  EXPECT_THAT(Said(), HasSubstr("error: playbook none.yml: no such file\n"));
  EXPECT_THAT(Said(), HasSubstr("error: --extra-vars @none.json: no such file\n"));
}

TEST_F(CompileTest, AllErrorsOfAllFilesComeInOneGo) {
  const std::string broken =
      absl::StrReplaceAll(kInventory, {{"version: \"14\"", "version: \"fourteen\""}});
  CompileResult result = Compile(Options(R"(- name: one
  hosts: sorce
  serail: 1
  tasks:
    - bundle_import: { unit: [CallManager], hub: "{{ sftp_hub }}", exchange: x }
- name: two
  hosts: source
  tasks:
    - service: { name: "{{ nmae }}" }
    - service: { name: "{{ 1 + }}" }
    - servce: { name: x }
)",
                                         broken),
                                 diagnostics_);
  EXPECT_FALSE(result.compiled.has_value());
  const std::string said = Said();
  EXPECT_THAT(said, HasSubstr("migrate.yml:2:10: error: no host or group \"sorce\" in the "
                              "inventory (did you mean \"source\"?)"));
  EXPECT_THAT(
      said,
      HasSubstr(
          "migrate.yml:3:3: error: unknown key \"serail\" in a play (did you mean \"serial\"?)"));
  EXPECT_THAT(said, HasSubstr("migrate.yml:9:28: error: \"nmae\" is not defined"));
  EXPECT_THAT(said, HasSubstr("migrate.yml:10:32: error: the expression ends too early"));
  EXPECT_THAT(said, HasSubstr("migrate.yml:5:24: error: unknown field \"unit\" in bundle_import "
                              "(did you mean \"units\"?)"));
  EXPECT_EQ(diagnostics_.errors(), 7) << said;
  EXPECT_THAT(
      said,
      HasSubstr(
          "migrate.yml:11:7: error: unknown key \"servce\" in a task (did you mean \"service\"?)"));
  EXPECT_THAT(said, HasSubstr("inventory.yml:16:38: error: \"fourteen\" is not a version"));
}

TEST_F(CompileTest, AnErrorOnManyHostsIsSaidOnceAndNamesTheFirst) {
  Compile(Options("- hosts: all\n  tasks:\n    - service: { name: \"{{ address }}\" }\n    - "
                  "service: { nam: x }\n"),
          diagnostics_);
  EXPECT_EQ(diagnostics_.errors(), 3)
      << Said();  // address is undefined; nam is unknown, name is missing
  EXPECT_THAT(Said(), HasSubstr("error: \"address\" is not defined"));
  EXPECT_THAT(Said(), HasSubstr("note: on host dhcp-a"));
}

TEST_F(CompileTest, ABrokenVariableIsShownWhereItIsDefinedAndUsed) {
  Compile(Options("- hosts: src-pub\n  tasks:\n    - service: { name: \"{{ outer }}\" }\n",
                  "all:\n  vars: { outer: \"a{{ inner }}\" }\n  hosts: { src-pub: {} }\n"),
          diagnostics_);
  EXPECT_EQ(Said(),
            "inventory.yml:2:23: error: \"inner\" is not defined\n"
            "    2 |   vars: { outer: \"a{{ inner }}\" }\n"
            "      |                       ^~~~~\n"
            "migrate.yml:3:28: note: used here as \"outer\"\n"
            "    3 |     - service: { name: \"{{ outer }}\" }\n"
            "      |                            ^~~~~\n"
            "note: on host src-pub\n");
}

TEST_F(CompileTest, TheShownErrorLooksAsShown) {
  Compile(Options("- hosts: src-pub\n  tasks:\n    - bundle_import: { unit: [CallManager], hub: "
                  "\"{{ sftp_hub }}\" }\n"),
          diagnostics_);
  EXPECT_THAT(
      Said(),
      HasSubstr("migrate.yml:3:24: error: unknown field \"unit\" in bundle_import (did you mean "
                "\"units\"?)\n"
                "    3 |     - bundle_import: { unit: [CallManager], hub: \"{{ sftp_hub }}\" }\n"
                "      |                        ^~~~\n"));
}

TEST_F(CompileTest, ManyHostsCompile) {
  const CompiledPlaybook compiled = Must(
      R"(- hosts: fleet
  serial: "25%"
  tasks:
    - name: first
      service: { name: "{{ prefix }}-{{ inventory_hostname }}" }
    - name: second
      service: { name: "{{ hostvars[groups.fleet[0]].prefix }}-{{ item }}" }
      loop: [1, 2, 3]
      after: first
      when: item != 2
)",
      "all:\n  children:\n    fleet:\n      vars: { base: n, prefix: \"{{ base }}x\" }\n      "
      "hosts: { \"node[0001:2000]\": {} }\n");
  EXPECT_EQ(compiled.documents.size(), 2000u);
  EXPECT_EQ(compiled.stages[0].batches.size(), 4u);
  EXPECT_THAT(Ids(compiled.documents.at("node2000")),
              ElementsAre("1 service \"nx-node2000 started\"", "1 service \"nx-1 started\"",
                          "1 service \"nx-3 started\""));
}

TEST_F(CompileTest, ALiteralSecretIsNeverRepeated) {
  Compile(Options("- hosts: source\n  tasks:\n    - bundle_export: { hub: { host: h, user: u, "
                  "password: swordfish, host_key: x }, exchange: e, units: [CallManager] }\n"),
          diagnostics_);
  EXPECT_GT(diagnostics_.errors(), 0);
  EXPECT_EQ(Said().find("swordfish"), std::string::npos) << Said();
}

}  // namespace
}  // namespace trustline::controller
