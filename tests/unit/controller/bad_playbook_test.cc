// A corpus of wrong playbooks, each with the exact first line users see.
#include <gtest/gtest.h>

#include <cstdlib>

#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "controller/compile.h"
#include "tests/unit/controller/temp_files.h"

namespace trustline::controller {
namespace {

constexpr char kInventory[] = R"(all:
  vars:
    hub: { host: h, user: u, password: !env TL_TEST_HUB_PASSWORD, host_key: "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }
  children:
    source:
      vars: { cluster: src, version: "11.5" }
      hosts:
        src-pub: { roles: [publisher, tftp], address: 10.10.0.11 }
    destination:
      vars: { cluster: dst, version: "14" }
      hosts:
        dst-pub: { roles: [publisher, tftp], address: 10.20.0.11 }
        dst-sub1: { roles: [tvs], address: 10.20.0.12 }
    dhcp:
      vars: { dhcp_server: kea }
      hosts: { dhcp-a: {}, dhcp-b: {} }
    probes:
      hosts: { probe: {} }
)";

struct BadPlaybook {
  const char* name;
  const char* yaml;
  const char* first_line;
};
void PrintTo(const BadPlaybook& bad, std::ostream* out) { *out << bad.name; }

class BadPlaybookTest : public ::testing::TestWithParam<BadPlaybook> {
 protected:
  BadPlaybookTest() { setenv("TL_TEST_HUB_PASSWORD", "x", 1); }
  ~BadPlaybookTest() override { unsetenv("TL_TEST_HUB_PASSWORD"); }
};

std::string FirstLine(const std::string& playbook, const std::string& inventory) {
  TempFiles files;
  yaml::Diagnostics diagnostics;
  CompileOptions options;
  options.playbook_path = files.Write("p.yml", playbook);
  options.inventories = {files.Write("i.yml", inventory)};
  EXPECT_FALSE(Compile(options, diagnostics).compiled.has_value());
  const std::string said =
      absl::StrReplaceAll(diagnostics.Render(), {{files.directory() + "/", ""}});
  return std::vector<std::string>(absl::StrSplit(said, '\n'))[0];
}

TEST_P(BadPlaybookTest, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(FirstLine(GetParam().yaml, kInventory), GetParam().first_line);
}

#define POINTER \
  "tftp_pointer: { scope: { global: true }, tftp_servers: [10.20.0.11], probe_from: probe }"

INSTANTIATE_TEST_SUITE_P(
    Structure, BadPlaybookTest,
    ::testing::Values(
        BadPlaybook{"empty", "", "error: playbook p.yml has no plays"},
        BadPlaybook{"map", "hosts: all\n",
                    "p.yml:1:1: error: a playbook is a list of plays, got a map"},
        BadPlaybook{"play_text", "- all\n", "p.yml:1:3: error: a play is a map, got a string"},
        BadPlaybook{"no_hosts", "- name: x\n  tasks: []\n",
                    "p.yml:1:3: error: play \"x\" has no hosts"},
        BadPlaybook{"hosts_number", "- hosts: 5\n",
                    "p.yml:1:10: error: \"hosts\" must be a host pattern or a list of them"},
        BadPlaybook{"hosts_unknown", "- hosts: destinaton\n",
                    "p.yml:1:10: error: no host or group \"destinaton\" in the inventory (did you "
                    "mean \"destination\"?)"},
        BadPlaybook{"hosts_unknown_part", "- hosts: \"source:!dst-pb\"\n",
                    "p.yml:1:19: error: no host or group \"dst-pb\" in the inventory (did you mean "
                    "\"dst-pub\"?)"},
        BadPlaybook{
            "play_key", "- hosts: all\n  serail: 1\n",
            "p.yml:2:3: error: unknown key \"serail\" in a play (did you mean \"serial\"?)"},
        BadPlaybook{"gate_without_pointer", "- hosts: all\n  gate: { phones: x }\n",
                    "p.yml:2:3: error: play \"play 1\" has a gate but no tftp_pointer that it "
                    "could guard"},
        BadPlaybook{"confirm", "- hosts: all\n  confirm: { within: 10m }\n",
                    "p.yml:2:3: error: unsupported: confirm is not built yet"},
        BadPlaybook{"import", "- import_playbook: other.yml\n",
                    "p.yml:1:3: error: unsupported: import_playbook is not built yet; put the "
                    "plays into one file"},
        BadPlaybook{"vault",
                    "- hosts: all\n  vars:\n    x: !vault |\n      $ANSIBLE_VAULT;1.1;AES256\n",
                    "p.yml:3:8: error: unsupported: !vault, ansible-vault is not read yet; use "
                    "!env NAME or !file PATH"},
        BadPlaybook{"roles", "- hosts: all\n  roles: [x]\n",
                    "p.yml:2:3: error: trustline has no roles; write the tasks into the play"},
        BadPlaybook{"become", "- hosts: all\n  become: true\n",
                    "p.yml:2:3: error: the agent on a node needs no other user; remove \"become\""},
        BadPlaybook{"gather_facts", "- hosts: all\n  gather_facts: false\n",
                    "p.yml:2:3: error: trustline gathers no facts; remove \"gather_facts\""},
        BadPlaybook{"vars_list", "- hosts: all\n  vars: [a]\n",
                    "p.yml:2:9: error: \"vars\" must be a map, got a list"},
        BadPlaybook{
            "vars_reserved", "- hosts: all\n  vars: { groups: 1 }\n",
            "p.yml:2:11: error: \"groups\" is set by trustline and cannot be a variable of yours"},
        BadPlaybook{"serial_zero", "- hosts: all\n  serial: 0\n",
                    "p.yml:2:11: error: \"serial\" is a number from 1, a percentage such as "
                    "\"30%\", or a list of these"},
        BadPlaybook{"serial_percent", "- hosts: all\n  serial: [1, \"130%\"]\n",
                    "p.yml:2:15: error: \"serial\" is a number from 1, a percentage such as "
                    "\"30%\", or a list of these"},
        BadPlaybook{"serial_empty", "- hosts: all\n  serial: []\n",
                    "p.yml:2:11: error: \"serial\" is an empty list"},
        BadPlaybook{"max_fail", "- hosts: all\n  max_fail_percentage: 101\n",
                    "p.yml:2:24: error: \"max_fail_percentage\" is an integer from 0 to 100"},
        BadPlaybook{
            "waves_map", "- hosts: all\n  waves: { name: x }\n",
            "p.yml:2:10: error: \"waves\" must be a list of maps with a name each, got a map"},
        BadPlaybook{"waves_empty", "- hosts: all\n  waves: []\n",
                    "p.yml:2:10: error: \"waves\" must be a list of maps with a name each, got an "
                    "empty list"},
        BadPlaybook{"wave_name", "- hosts: all\n  waves: [{ scopes: [] }]\n",
                    "p.yml:2:11: error: a wave is a map with a name: { name: pilot, ... }"},
        BadPlaybook{"wave_twice", "- hosts: all\n  waves: [{ name: a }, { name: a }]\n",
                    "p.yml:2:32: error: two waves of this play are named \"a\""},
        BadPlaybook{"octal", "- hosts: all\n  vars: { mode: 0644 }\n",
                    "p.yml:2:17: error: number 0644 begins with a zero, which some readers take as "
                    "octal; quote it, or write it without the zero or as 0o644"},
        BadPlaybook{"duplicate", "- hosts: all\n  hosts: all\n",
                    "p.yml:2:3: error: key \"hosts\" is given twice in one map"}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Tasks, BadPlaybookTest,
    ::testing::Values(
        BadPlaybook{"tasks_map", "- hosts: all\n  tasks: { service: { name: x } }\n",
                    "p.yml:2:10: error: \"tasks\" must be a list, got a map"},
        BadPlaybook{"no_kind", "- hosts: all\n  tasks:\n    - name: x\n",
                    "p.yml:3:7: error: a task needs a kind: certificate, bundle_export, "
                    "bundle_consolidation, bundle_import, tftp_pointer, service, trust_list, "
                    "signed_file, trust_verification, trust_gate or pause"},
        BadPlaybook{"straggler_guard",
                    "- hosts: all\n  require_no_stragglers: \"{{ maybe }}\"\n  tasks: []\n",
                    "p.yml:2:26: error: \"require_no_stragglers\" must be true or false, got a "
                    "string"},
        BadPlaybook{"kind", "- hosts: all\n  tasks:\n    - bundle_imprt: {}\n",
                    "p.yml:3:7: error: unknown key \"bundle_imprt\" in a task (did you mean "
                    "\"bundle_import\"?)"},
        BadPlaybook{"task_key",
                    "- hosts: all\n  tasks:\n    - { service: { name: x }, wen: true }\n",
                    "p.yml:3:31: error: unknown key \"wen\" in a task (did you mean \"when\"?)"},
        BadPlaybook{"two_kinds",
                    "- hosts: all\n  tasks:\n    - service: { name: x }\n      certificate: {}\n",
                    "p.yml:4:7: error: a task has one kind; this one has service and certificate"},
        BadPlaybook{
            "register", "- hosts: all\n  tasks:\n    - { service: { name: x }, register: r }\n",
            "p.yml:3:31: error: results of tasks cannot be used by others; remove \"register\""},
        BadPlaybook{"arguments_text", "- hosts: all\n  tasks:\n    - service: x\n",
                    "p.yml:3:16: error: service must be a map, not a string"},
        BadPlaybook{"field", "- hosts: all\n  tasks:\n    - service: { nam: x, name: y }\n",
                    "p.yml:3:18: error: unknown field \"nam\" in service (did you mean \"name\"?)"},
        BadPlaybook{"mode",
                    "- hosts: all\n  tasks:\n    - { service: { name: x }, mode: reprot }\n",
                    "p.yml:3:37: error: \"mode\" is enforce or report (did you mean \"report\"?)"},
        BadPlaybook{
            "tags", "- hosts: all\n  tasks:\n    - { service: { name: x }, tags: [1] }\n",
            "p.yml:3:38: error: \"tags\" takes a string or a list of strings, got an integer"},
        BadPlaybook{"field_never_used",
                    "- hosts: all\n  tasks:\n    - service: { nam: x, name: \"{{ x }}\" }\n      "
                    "when: false\n",
                    "p.yml:3:18: error: unknown field \"nam\" in service (did you mean \"name\"?)"},
        BadPlaybook{"value_never_used",
                    "- hosts: all\n  tasks:\n    - service: { name: x, state: on_fire }\n      "
                    "when: false\n",
                    "p.yml:3:34: error: \"state\" in service must be started, restarted or "
                    "reloaded, not \"on_fire\""},
        BadPlaybook{"when_syntax",
                    "- hosts: all\n  tasks:\n    - { service: { name: x }, when: a == }\n",
                    "p.yml:3:41: error: the expression ends too early"},
        BadPlaybook{
            "when_braces",
            "- hosts: all\n  tasks:\n    - service: { name: x }\n      when: \"{{ true }}\"\n",
            "p.yml:4:14: error: a condition is an expression already; write it without {{ }}"},
        BadPlaybook{
            "when_text",
            "- hosts: all\n  tasks:\n    - { service: { name: x }, when: inventory_hostname }\n",
            "p.yml:3:37: error: \"when\" must be true or false, this is a string"},
        BadPlaybook{"when_undefined",
                    "- hosts: all\n  tasks:\n    - { service: { name: x }, when: not gone }\n",
                    "p.yml:3:41: error: \"gone\" is not defined"},
        BadPlaybook{"loop_text",
                    "- hosts: all\n  tasks:\n    - { service: { name: x }, loop: abc }\n",
                    "p.yml:3:37: error: \"loop\" must be a list, got a string"},
        BadPlaybook{"loop_map",
                    "- hosts: all\n  tasks:\n    - { service: { name: x }, loop: \"{{ hub }}\" }\n",
                    "p.yml:3:37: error: \"loop\" must be a list, got a map"},
        BadPlaybook{"item_outside",
                    "- hosts: all\n  tasks:\n    - service: { name: \"{{ item }}\" }\n",
                    "p.yml:3:28: error: \"item\" is not defined"},
        BadPlaybook{"wave_outside",
                    "- hosts: all\n  tasks:\n    - service: { name: \"{{ wave.name }}\" }\n",
                    "p.yml:3:28: error: \"wave\" is not defined"},
        BadPlaybook{"after",
                    "- hosts: all\n  tasks:\n    - { name: first, service: { name: x } }\n    - { "
                    "service: { name: y }, after: frist }\n",
                    "p.yml:4:38: error: no task \"frist\" in this play (did you mean \"first\"?)"},
        BadPlaybook{"after_itself",
                    "- hosts: all\n  tasks:\n    - { name: a, service: { name: x }, after: a }\n",
                    "p.yml:3:47: error: task \"a\" cannot wait for itself"},
        BadPlaybook{"after_circle",
                    "- hosts: all\n  tasks:\n    - { name: a, service: { name: x }, after: b }\n   "
                    " - { name: b, service: { name: y }, after: a }\n",
                    "p.yml:3:47: error: these tasks wait for each other: \"a\", \"b\""},
        BadPlaybook{"after_other_play",
                    "- hosts: all\n  tasks:\n    - { name: a, service: { name: x } }\n- hosts: "
                    "all\n  tasks:\n    - { service: { name: y }, after: a }\n",
                    "p.yml:6:38: error: no task \"a\" in this play"},
        BadPlaybook{
            "notify",
            "- hosts: all\n  tasks:\n    - { service: { name: x }, notify: restrt }\n  handlers:\n "
            "   - { name: restart, service: { name: y, state: restarted } }\n",
            "p.yml:3:39: error: no handler \"restrt\" in this play (did you mean \"restart\"?)"},
        BadPlaybook{"handler_name", "- hosts: all\n  handlers:\n    - service: { name: y }\n",
                    "p.yml:3:7: error: a handler needs a name, by which tasks notify it"},
        BadPlaybook{"handler_kind",
                    "- hosts: all\n  handlers:\n    - { name: x, certificate: {} }\n",
                    "p.yml:3:18: error: a handler is a service, not certificate"},
        BadPlaybook{
            "handler_loop",
            "- hosts: all\n  handlers:\n    - { loop: [1], name: x, service: { name: y } }\n",
            "p.yml:3:9: error: a handler has no \"loop\""},
        BadPlaybook{"restarted_task",
                    "- hosts: all\n  tasks:\n    - service: { name: y, state: restarted }\n",
                    "p.yml:3:34: error: state restarted and reloaded need something that notifies "
                    "them; make this a handler, or say started"},
        BadPlaybook{"pause_inside",
                    "- hosts: all\n  tasks:\n    - service: { name: x }\n    - pause: { prompt: go "
                    "}\n    - service: { name: y }\n",
                    "p.yml:4:14: error: a pause must be the first or the last task of its play; "
                    "split the play in two"},
        BadPlaybook{"pause_prompt", "- hosts: all\n  tasks:\n    - pause: { seconds: 5 }\n",
                    "p.yml:3:14: error: a pause needs a prompt: pause: { prompt: \"...\" }"},
        BadPlaybook{"pause_when",
                    "- hosts: all\n  tasks:\n    - { pause: { prompt: go }, when: true }\n",
                    "p.yml:3:32: error: a pause has no \"when\"; it stops the whole play"},
        BadPlaybook{
            "secret_literal",
            "- hosts: source\n  tasks:\n    - bundle_export: { hub: { host: h, user: u, password: "
            "swordfish, host_key: \"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\" }, "
            "exchange: e, units: [CallManager] }\n",
            "p.yml:3:59: error: \"password\" in hub is a secret: give it as !env NAME or !file "
            "PATH"},
        BadPlaybook{"secret_text",
                    "- hosts: source\n  tasks:\n    - service: { name: \"x{{ hub.password }}\" }\n",
                    "p.yml:3:26: error: a secret cannot be a part of a text"}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Documents, BadPlaybookTest,
    ::testing::Values(
        BadPlaybook{
            "Scenario27BothClusters",
            "- hosts: dhcp\n  tasks:\n    - tftp_pointer: { scope: { global: true }, tftp_servers: "
            "[10.20.0.11, 10.10.0.11], probe_from: probe }\n",
            "p.yml:3:62: error: addresses of two clusters together: 10.20.0.11 (dst-pub, cluster "
            "dst) and 10.10.0.11 (src-pub, cluster src); phones would flap between them"},
        BadPlaybook{"Scenario27NoAddress",
                    "- hosts: dhcp\n  tasks:\n    - tftp_pointer: { scope: { global: true }, "
                    "tftp_servers: [], probe_from: probe }\n",
                    "p.yml:3:62: error: \"tftp_servers\" in tftp_pointer needs at least 1 item"},
        BadPlaybook{"Scenario27NoTftp",
                    "- hosts: dhcp\n  tasks:\n    - tftp_pointer: { scope: { global: true }, "
                    "tftp_servers: [10.20.0.12], probe_from: probe }\n",
                    "p.yml:3:62: error: 10.20.0.12 is dst-sub1, which does not have the role tftp"},
        BadPlaybook{"class_scope",
                    "- hosts: dhcp\n  tasks:\n    - tftp_pointer: { scope: { class_name: x }, "
                    "tftp_servers: [10.20.0.11], probe_from: probe }\n",
                    "p.yml:3:30: error: unsupported: a client class as scope; use a subnet, a "
                    "reservation or global"},
        BadPlaybook{"no_dhcp_server",
                    "- hosts: probe\n  tasks:\n    - tftp_pointer: { scope: { global: true }, "
                    "tftp_servers: [10.20.0.11], probe_from: dhcp-a }\n",
                    "p.yml:3:7: error: probe is not a DHCP server of the inventory; set its "
                    "variable dhcp_server"},
        BadPlaybook{
            "prober",
            "- hosts: dhcp\n  tasks:\n    - tftp_pointer: { scope: { global: true }, "
            "tftp_servers: [10.20.0.11], probe_from: prob }\n",
            "p.yml:3:88: error: probe_from: no host \"prob\" in the inventory (did you mean "
            "\"probe\"?)"},
        BadPlaybook{"prober_itself",
                    "- hosts: dhcp-a\n  tasks:\n    - tftp_pointer: { scope: { global: true }, "
                    "tftp_servers: [10.20.0.11], probe_from: dhcp-a }\n",
                    "p.yml:3:88: error: probe_from: dhcp-a cannot prove its own answers; name "
                    "another host"},
        BadPlaybook{
            "max_fail_pointer",
            "- hosts: dhcp\n  max_fail_percentage: 10\n  tasks:\n    - " POINTER "\n",
            "p.yml:2:24: error: max_fail_percentage must be 0 in a play that changes a pointer and "
            "in every play before it: phones would be sent to nodes that failed"},
        BadPlaybook{
            "max_fail_before_pointer",
            "- hosts: source\n  max_fail_percentage: 10\n- hosts: dhcp\n  tasks:\n    - " POINTER
            "\n",
            "p.yml:2:24: error: max_fail_percentage must be 0 in a play that changes a pointer and "
            "in every play before it: phones would be sent to nodes that failed"},
        BadPlaybook{"serial_splits_scope",
                    "- hosts: dhcp\n  serial: 1\n  tasks:\n    - " POINTER "\n",
                    "p.yml:2:11: error: serial puts dhcp-a and dhcp-b, which serve global, into "
                    "different batches; all servers of a scope change together"},
        BadPlaybook{"plays_split_scope",
                    "- hosts: dhcp-a\n  tasks:\n    - " POINTER
                    "\n- hosts: dhcp-b\n  tasks:\n    - " POINTER "\n",
                    "p.yml:6:7: error: global changes on dhcp-b here and on dhcp-a in stage 1; all "
                    "servers of a scope change together, so put them into one play"},
        BadPlaybook{"claims",
                    "- hosts: dhcp\n  tasks:\n    - " POINTER
                    "\n    - tftp_pointer: { scope: { global: true }, tftp_servers: [10.10.0.11], "
                    "probe_from: probe }\n",
                    "p.yml:4:7: error: option 150 of global is declared twice with different "
                    "content: 10.20.0.11 and 10.10.0.11 (on dhcp-a)"},
        BadPlaybook{"claims_identity",
                    "- hosts: source\n  tasks:\n    - certificate: { unit: TVS, purpose: identity, "
                    "generate: { common_name: a } }\n    - certificate: { unit: TVS, purpose: "
                    "identity, generate: { common_name: b } }\n",
                    "p.yml:4:7: error: the identity certificate of TVS is declared twice with "
                    "different content (on src-pub)"}),
    [](const auto& info) { return info.param.name; });

struct BadInventory {
  const char* name;
  const char* hosts;
  const char* first_line;
};
void PrintTo(const BadInventory& bad, std::ostream* out) { *out << bad.name; }

class BadTopologyTest : public ::testing::TestWithParam<BadInventory> {};

TEST_P(BadTopologyTest, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(FirstLine("- hosts: all\n", std::string("all:\n  hosts:\n") + GetParam().hosts),
            GetParam().first_line);
}

INSTANTIATE_TEST_SUITE_P(
    Corpus, BadTopologyTest,
    ::testing::Values(
        BadInventory{
            "two_versions",
            "    a: { cluster: x, version: \"11.5\" }\n    b: { cluster: x, version: \"12.5\" }\n",
            "i.yml:4:31: error: cluster \"x\" has version \"12.5\" on b but \"11.5\" on a"},
        BadInventory{"two_modes",
                     "    a: { cluster: x, version: \"14\" }\n    b: { cluster: x, version: "
                     "\"14\", security_mode: mixed }\n",
                     "i.yml:4:52: error: cluster \"x\" has security_mode \"mixed\" on b but "
                     "\"non-secure\" on a"},
        BadInventory{"no_version", "    a: { cluster: x }\n",
                     "i.yml:3:19: error: cluster \"x\" needs the variable \"version\" (host a)"},
        BadInventory{"float_version", "    a: { cluster: x, version: 11.5 }\n",
                     "i.yml:3:31: error: variable \"version\" must be a string, got a number; "
                     "quote it: \"11.5\""},
        BadInventory{"mode", "    a: { cluster: x, version: \"14\", security_mode: mixd }\n",
                     "i.yml:3:52: error: unknown security_mode \"mixd\" (did you mean \"mixed\"?); "
                     "known are non-secure and mixed"},
        BadInventory{"role", "    a: { cluster: x, version: \"14\", roles: [tfpt] }\n",
                     "i.yml:3:45: error: unknown role \"tfpt\" (did you mean \"tftp\"?); known are "
                     "publisher, tftp, tvs, callmanager, capf"},
        BadInventory{"roles_text", "    a: { cluster: x, version: \"14\", roles: tftp }\n",
                     "i.yml:3:44: error: variable \"roles\" must be a list of strings"},
        BadInventory{"two_publishers",
                     "    a: { cluster: x, version: \"14\", roles: [publisher] }\n    b: { "
                     "cluster: x, version: \"14\", roles: [publisher] }\n",
                     "i.yml:4:45: error: cluster \"x\" has two publishers: a and b"},
        BadInventory{"address", "    a: { cluster: x, version: \"14\", address: 10.0.0.300 }\n",
                     "i.yml:3:46: error: \"10.0.0.300\" is not an IPv4 address"},
        BadInventory{"same_address",
                     "    a: { cluster: x, version: \"14\", address: 10.0.0.1 }\n    b: { cluster: "
                     "y, version: \"14\", address: 10.0.0.1 }\n",
                     "i.yml:4:46: error: address 10.0.0.1 is given to both a and b"},
        BadInventory{"tvs_order", "    a: { cluster: x, version: \"14\", tvs_order: 4 }\n",
                     "i.yml:3:48: error: variable \"tvs_order\" must be an integer from 1 to 3"},
        BadInventory{
            "dnsmasq", "    a: { dhcp_server: dnsmasq }\n",
            "i.yml:3:23: error: unsupported: DHCP server dnsmasq; only kea is supported so far"},
        BadInventory{
            "dhcp_server", "    a: { dhcp_server: kae }\n",
            "i.yml:3:23: error: unknown dhcp_server \"kae\" (did you mean \"kea\"?); known is kea"},
        BadInventory{
            "port", "    a: { ansible_port: 70000 }\n",
            "i.yml:3:24: error: variable \"ansible_port\" must be an integer from 1 to 65535"}),
    [](const auto& info) { return info.param.name; });

TEST(BadExchangeTest, Scenario22OneClusterAloneIsRefused) {
  setenv("TL_TEST_HUB_PASSWORD", "x", 1);
  EXPECT_EQ(
      FirstLine(
          "- hosts: a\n  tasks:\n    - bundle_consolidation: { hub: { host: h, user: u, password: "
          "!env TL_TEST_HUB_PASSWORD, host_key: "
          "\"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\" }, exchange: e, units: "
          "[CallManager] }\n",
          "all:\n  hosts:\n    a: { cluster: x, version: \"14\", roles: [publisher, tftp] }\n"),
      "p.yml:3:7: error: an exchange needs two clusters; the inventory has only x");
  unsetenv("TL_TEST_HUB_PASSWORD");
}

}  // namespace
}  // namespace trustline::controller
