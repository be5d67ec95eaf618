// What the command says when it is used, misused, and given bad files.
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/test_fleet.h"

namespace trustline::e2e {
namespace {

using ::testing::Contains;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kInventory[] =
    "all:\n  vars: { exchange: e, sftp_hub: { host: hub.example.net, user: bulk, password: !env "
    "HUB_PASSWORD, host_key: "
    "\"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\" } }\n  children:\n    destination:\n   "
    "   vars: { cluster: dst, version: "
    "\"14\" }\n      hosts:\n        dst-pub: { roles: [publisher, tftp, tvs], address: 10.20.0.11 "
    "}\n    dhcp:\n      vars: { "
    "dhcp_server: kea }\n      hosts: { dhcp-a: { address: 10.30.0.2 } }\n    probes:\n      "
    "hosts: { probe: { address: 10.30.0.5 } }\n";

class CliTest : public ::testing::Test {
 protected:
  CliTest() { fleet_.Write("inventory.yml", kInventory); }
  Finished Lint(const std::string& playbook) {
    Command command = fleet_.Trustline({"lint", "playbook.yml", "-i", "inventory.yml"});
    fleet_.Write("playbook.yml", playbook);
    command.directory = fleet_.directory();
    return RunToEnd(command);
  }
  TestFleet fleet_;
};

// Every command there is: those the help of another one names.
TEST_F(CliTest, EveryHelpHasAnExample) {
  std::vector<std::vector<std::string>> commands = {{}};
  for (size_t at = 0; at < commands.size(); ++at) {
    const std::vector<std::string> command = commands[at];
    std::vector<std::string> arguments = command;
    arguments.push_back("--help");
    const Finished done = fleet_.Operate(arguments);
    const std::string name = absl::StrJoin(command, " ");
    EXPECT_EQ(done.exit_code, 0) << name;
    EXPECT_THAT(done.err, IsEmpty()) << name;
    const size_t example = done.out.find("\nExample");
    ASSERT_NE(example, std::string::npos) << name << done;
    EXPECT_THAT(done.out.substr(example),
                HasSubstr(absl::StrCat("trustline", name.empty() ? "" : " ", name)))
        << name;
    const size_t below = done.out.find("Subcommands:\n");
    if (below == std::string::npos) continue;
    for (absl::string_view line : absl::StrSplit(done.out.substr(below, example - below), '\n')) {
      if (!absl::StartsWith(line, "  ") || absl::StartsWith(line, "   ")) continue;
      commands.push_back(command);
      commands.back().emplace_back(line.substr(2, line.find(' ', 2) - 2));
    }
  }
  // Or the help is no longer laid out as this test reads it.
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"apply"}, {"history", "show"}, {"phone", "evidence"}, {"explain"}}) {
    EXPECT_THAT(commands, Contains(command));
  }
}

TEST_F(CliTest, VersionSchemaAndExplainAnswer) {
  EXPECT_THAT(fleet_.Operate({"version"}).out,
              ContainsRegex("^trustline [0-9]+\\.[0-9]+\\.[0-9]+\n$"));
  EXPECT_EQ(fleet_.Operate({"--version"}).exit_code, 0);
  EXPECT_TRUE(Json(fleet_.Operate({"schema"})).is_object());
  EXPECT_EQ(fleet_.Operate({"schema"}).out,
            ReadFileOrDie(TRUSTLINE_SOURCE_DIR "/playbooks/schema.json"));
  for (const char* kind : {"certificate", "bundle_export", "bundle_consolidation", "bundle_import",
                           "tftp_pointer", "service"}) {
    EXPECT_THAT(fleet_.Operate({"explain"}).out, HasSubstr(kind));
    EXPECT_EQ(fleet_.Operate({"explain", kind}).exit_code, 0) << kind;
  }
  const Finished typo = fleet_.Operate({"explain", "tftp_ponter"});
  EXPECT_EQ(typo.exit_code, 64);
  EXPECT_THAT(typo.err, HasSubstr("did you mean \"tftp_pointer\""));
}

TEST_F(CliTest, WrongUseIsExit64) {
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"aply"},
      {"apply"},
      {"apply", "x.yml"},
      {"apply", "x.yml", "-i", "i.yml", "--no-such-flag"},
      {"apply", "x.yml", "-i", "i.yml", "-o", "xml"},
      {"apply", "x.yml", "-i", "i.yml", "--forks", "0"},
      {"history"},
      {"pki", "issue", "robot", "x", "--ca", "c", "--out", "o"}};
  for (const auto& arguments : wrong) {
    const Finished done = fleet_.Operate(arguments);
    EXPECT_EQ(done.exit_code, 64) << absl::StrJoin(arguments, " ");
    EXPECT_THAT(done.out, IsEmpty()) << absl::StrJoin(arguments, " ");
    EXPECT_THAT(done.err, Not(IsEmpty())) << absl::StrJoin(arguments, " ");
  }
}

TEST_F(CliTest, AFileThatIsNotWhatItShouldBeIsExit65) {
  const std::string text = fleet_.Write("notes.txt", "hello\n");
  const std::string pem =
      fleet_.Write("signer.pem", testing::TestPki::UnitCertificate("signer").ToPem());
  const std::string key = fleet_.Write("other.key", PrivateKey::GenerateEcP256()->ToPkcs8Pem());
  chmod(key.c_str(), 0600);
  const std::vector<std::vector<std::string>> wrong = {
      {"trust-list", "show", text},
      {"trust-list", "verify", text},
      {"signed-file", "show", text},
      {"signed-file", "verify", text, "--certificate", pem},
      {"signed-file", "sign", text, "--certificate", text, "--key", key},
      {"signed-file", "sign", text, "--certificate", pem, "--key", key},
      {"signed-file", "strip", text, "--certificate", pem, "--out", text + ".out"},
      {"tvs", "query", "127.0.0.1:1", "--itl", text, "--certificate", pem},
      {"tvs", "verify", "127.0.0.1:1", text, "--pin", pem}};
  for (const auto& arguments : wrong) {
    const Finished done = fleet_.Operate(arguments);
    EXPECT_EQ(done.exit_code, 65) << absl::StrJoin(arguments, " ") << done;
    EXPECT_THAT(done.out, IsEmpty()) << absl::StrJoin(arguments, " ");
    EXPECT_THAT(done.err, HasSubstr(arguments.back() == key && arguments[4] == pem ? key : text));
  }
}

TEST_F(CliTest, AnUnknownFieldIsShownWithLineCaretAndSuggestion) {
  const std::string line =
      "    - bundle_import: { unit: [CallManager], hub: \"{{ sftp_hub }}\", exchange: \"{{ "
      "exchange }}\" }\n";
  const Finished done = Lint("- name: Import\n  hosts: destination\n  tasks:\n" + line);
  EXPECT_EQ(done.exit_code, 65);
  EXPECT_THAT(done.out, IsEmpty());
  EXPECT_THAT(done.err, HasSubstr("playbook.yml:4:24: error: unknown field \"unit\" in "
                                  "bundle_import (did you mean \"units\"?)\n"
                                  "    4 | " +
                                  line + "      |                        ^~~~\n"))
      << done.err;
  // The other commands say the same, before they ask anybody.
  Command apply = fleet_.Trustline({"apply", "playbook.yml", "-i", "inventory.yml"});
  apply.directory = fleet_.directory();
  const Finished refused = RunToEnd(apply);
  EXPECT_EQ(refused.exit_code, 65) << refused;
  EXPECT_THAT(refused.err, HasSubstr("playbook.yml:4:24: error: "));
  const Finished json = [&] {
    Command command =
        fleet_.Trustline({"lint", "playbook.yml", "-i", "inventory.yml", "-o", "json"});
    command.directory = fleet_.directory();
    return RunToEnd(command);
  }();
  EXPECT_EQ(json.exit_code, 65);
  EXPECT_EQ(Json(json)["diagnostics"][0]["line"], 4);
}

TEST_F(CliTest, WhatComesLaterIsUnsupportedNotUnknown) {
  const std::string tail = "  tasks:\n    - service: { name: tvs }\n";
  const std::vector<std::string> playbooks = {
      "- name: p\n  hosts: dhcp\n  confirm: { within: 10m }\n" + tail,
      "- import_playbook: other.yml\n",
      "- name: p\n  hosts: dhcp\n  tasks:\n    - tftp_pointer: { scope: { class_name: phones }, "
      "tftp_servers: [10.20.0.11], probe_from: probe }\n"};
  for (const std::string& playbook : playbooks) {
    const Finished done = Lint(playbook);
    EXPECT_EQ(done.exit_code, 65) << playbook << done;
    EXPECT_THAT(done.err, HasSubstr("unsupported")) << playbook;
    EXPECT_THAT(done.err, ContainsRegex("^playbook.yml:[0-9]+:[0-9]+: error: ")) << playbook;
  }
}

TEST_F(CliTest, StartingAtATaskAndSteppingAreAskedForAsAnsibleDoes) {
  const std::string playbook = fleet_.Write(
      "steps.yml",
      "- hosts: dst-pub\n  tasks:\n    - { name: one, service: { name: tvs } }\n    - { name: two, "
      "service: { name: tftp } }\n");
  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.begin() + 1, {playbook, "-i", fleet_.inventory(), "-T", "2"});
    return fleet_.Operate(words);
  };
  const Finished typo = run({"plan", "--start-at-task", "tow"});
  EXPECT_EQ(typo.exit_code, 66) << typo;
  EXPECT_THAT(typo.err, HasSubstr("did you mean \"two\""));
  EXPECT_EQ(run({"apply", "--step", "--yes"}).exit_code, 64);
  // Nobody is there to answer: nothing is started.
  const Finished stepped = run({"apply", "--step", "-o", "yaml"});
  EXPECT_EQ(stepped.exit_code, 16) << stepped;
  EXPECT_THAT(stepped.out, StartsWith("schema: trustline/1\n"));
  EXPECT_THAT(stepped.out, HasSubstr("exit_code: 16\n"));
}

TEST_F(CliTest, MissingFilesAndPatternsThatMatchNothingAreExit66) {
  const std::string good =
      fleet_.Write("good.yml", "- name: p\n  hosts: all\n  tasks:\n    - service: { name: tvs }\n");
  const Finished inventory =
      fleet_.Operate({"plan", good, "-i", fleet_.directory() + "/absent.yml"});
  EXPECT_EQ(inventory.exit_code, 66) << inventory;
  EXPECT_THAT(inventory.err, HasSubstr("absent.yml"));
  const Finished playbook =
      fleet_.Operate({"plan", fleet_.directory() + "/absent.yml", "-i", fleet_.inventory()});
  EXPECT_EQ(playbook.exit_code, 66) << playbook;
  const Finished limit = fleet_.Operate({"plan", good, "-i", fleet_.inventory(), "-l", "dst-pbu"});
  EXPECT_EQ(limit.exit_code, 66) << limit;
  EXPECT_THAT(limit.err, HasSubstr("did you mean \"dst-pub\""));
  const Finished nothing =
      fleet_.Operate({"plan", good, "-i", fleet_.inventory(), "-l", "dhcp:&destination"});
  EXPECT_EQ(nothing.exit_code, 66) << nothing;
  const Finished tags =
      fleet_.Operate({"plan", good, "-i", fleet_.inventory(), "--tags", "nosuchtag"});
  EXPECT_EQ(tags.exit_code, 66) << tags;
  const Finished secret = [&] {
    Command command = fleet_.Trustline(
        {"apply", TRUSTLINE_SOURCE_DIR "/playbooks/migrate-phones.yml", "-i", fleet_.inventory()});
    fleet_.Write("inventory.yml",
                 absl::StrReplaceAll(
                     kInventory, {{"exchange: e,", "exchange: e, phone_waves: [],"},
                                  {"    destination:",
                                   "    source:\n      hosts: { src-pub: { cluster: src, version: "
                                   "\"14\", roles: [publisher, tftp, tvs], address: 10.10.0.11 } "
                                   "}\n    destination:"}}));
    command.environment.erase("HUB_PASSWORD");
    return RunToEnd(command);
  }();
  EXPECT_NE(secret.exit_code, 0) << secret;
  EXPECT_THAT(secret.err, HasSubstr("HUB_PASSWORD"));
}

TEST_F(CliTest, InventoryShowsGroupsHostsAndVariables) {
  const Finished graph = fleet_.Operate({"inventory", "-i", fleet_.inventory(), "--graph"});
  EXPECT_EQ(graph.exit_code, 0);
  EXPECT_THAT(graph.out, ContainsRegex("@all:\n"));
  EXPECT_THAT(graph.out, HasSubstr("@destination:"));
  const nlohmann::json list =
      Json(fleet_.Operate({"inventory", "-i", fleet_.inventory(), "--list"}));
  EXPECT_TRUE(list["_meta"]["hostvars"].contains("dst-pub"));
  const nlohmann::json host =
      Json(fleet_.Operate({"inventory", "-i", fleet_.inventory(), "--host", "dst-pub"}));
  EXPECT_EQ(host["cluster"], "dst");
  EXPECT_EQ(fleet_.Operate({"inventory", "-i", fleet_.inventory(), "--host", "dst-pbu"}).exit_code,
            66);
}

TEST_F(CliTest, LintTellsWarningsAsJsonToo) {
  fleet_.Write("phones.csv",
               "device,address,itl\n"
               "SEP001B54AABB01,10.30.0.21,3fa9000000000000000000000000000000000000\n"
               "SEP001B54AABB02,10.99.0.21,3fa9000000000000000000000000000000000000\n");
  const std::string playbook = fleet_.Write(
      "gated.yml",
      "- name: Point\n  hosts: dhcp\n  gate: { phones: phones.csv, run_on: probes }\n  tasks:\n   "
      " - tftp_pointer: { scope: { subnet: 10.30.0.0/24 }, tftp_servers: [10.20.0.11], "
      "probe_from: probe }\n");
  const Finished done = fleet_.Operate({"lint", playbook, "-i", fleet_.inventory(), "-o", "json"});
  EXPECT_EQ(done.exit_code, 0) << done;
  EXPECT_THAT(Json(done).dump(), HasSubstr("1 phone is in no scope that a gate judges: "
                                           "SEP001B54AABB02"))
      << done;
}

TEST_F(CliTest, InventoryHonoursTheLimit) {
  const auto look = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"inventory", "-i", fleet_.inventory(), "-l", "dhcp"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return fleet_.Operate(arguments);
  };
  const nlohmann::json list = Json(look({}));
  EXPECT_EQ(list["_meta"]["hostvars"].size(), 1u) << list.dump(2);
  EXPECT_TRUE(list["_meta"]["hostvars"].contains("dhcp-a"));
  EXPECT_FALSE(list.contains("destination"));
  EXPECT_EQ(list["dhcp"]["hosts"], nlohmann::json::array({"dhcp-a"}));
  const Finished graph = look({"--graph"});
  EXPECT_THAT(graph.out, HasSubstr("--dhcp-a"));
  EXPECT_THAT(graph.out, Not(HasSubstr("destination")));
  EXPECT_EQ(look({"--host", "dst-pub"}).exit_code, 66);
  const Finished typo = fleet_.Operate({"inventory", "-i", fleet_.inventory(), "-l", "dhpc"});
  EXPECT_EQ(typo.exit_code, 66);
  EXPECT_THAT(typo.err, HasSubstr("did you mean \"dhcp\""));
}

TEST_F(CliTest, ALimitThatSplitsTheServersOfAScopeIsRefusedBeforeAnyIsAsked) {
  const std::string inventory = fleet_.Write(
      "two-servers.yml",
      "all:\n  children:\n    dhcp:\n      vars: { dhcp_server: kea }\n      hosts:\n        "
      "dhcp-a: { "
      "address: 10.30.0.2 }\n        dhcp-b: { address: 10.30.0.3 }\n    probes:\n      hosts: { "
      "probe: { address: 10.30.0.5 } }\n");
  const std::string playbook = fleet_.Write(
      "pointer.yml",
      "- name: Point\n  hosts: dhcp\n  tasks:\n    - tftp_pointer: { scope: { global: true }, "
      "tftp_servers: [10.20.0.11], probe_from: probe }\n");
  const Finished done = fleet_.Operate({"apply", playbook, "-i", inventory, "-l", "dhcp-a"});
  EXPECT_EQ(done.exit_code, 8) << done;
  EXPECT_THAT(done.err, HasSubstr("selected on dhcp-a but not on dhcp-b"));
  EXPECT_THAT(done.out, IsEmpty());
}

TEST_F(CliTest, ListsOfHostsTasksAndTagsAskNobody) {
  const std::string playbook =
      fleet_.Write("good.yml",
                   "- name: A play\n  hosts: dhcp\n  tasks:\n    - name: A task\n      tags: "
                   "[one]\n      service: { name: tvs }\n");
  const Finished lists = fleet_.Operate(
      {"apply", playbook, "-i", fleet_.inventory(), "--list-hosts", "--list-tasks", "--list-tags"});
  EXPECT_EQ(lists.exit_code, 0) << lists;
  for (const char* text : {"A play", "dhcp-a", "A task", "[one]"})
    EXPECT_THAT(lists.out, HasSubstr(text));
}

// A node whose service takes longer than a second to come back: what is shown meanwhile?
TEST_F(CliTest, ProgressIsForTerminalsOnly) {
  fleet_.Add("node-a");
  ASSERT_TRUE(fleet_.StartAll());
  fleet_.Write("inventory.yml", "all:\n  hosts:\n    node-a: " + fleet_.Reach("node-a") + "\n");
  fleet_.Write("peer.pem", testing::TestPki::UnitCertificate("peer").ToPem());
  const std::string playbook =
      fleet_.Write("slow.yml",
                   "- name: Slow\n  hosts: all\n  tasks:\n    - name: The peer\n      certificate: "
                   "{ unit: CallManager-trust, src: peer.pem }\n"
                   "      notify: restart\n  handlers:\n    - name: restart\n      service: { "
                   "name: tvs, state: restarted }\n");
  const std::string hold = fleet_.node("node-a").directory() + "/service.hold";
  const std::vector<std::string> arguments = {"apply",   playbook, "-i", fleet_.inventory(),
                                              "--color", "auto"};

  WriteFileOrDie(hold, "", 0644);
  Command on_terminal = fleet_.Trustline(arguments);
  on_terminal.on_terminal = true;
  on_terminal.environment["TERM"] = "xterm";
  Program shown(on_terminal);
  EXPECT_TRUE(Eventually(absl::Seconds(30), [&] {
    return absl::StrContains(shown.err(), "waiting for node-a");
  })) << shown.err();
  unlink(hold.c_str());
  const Finished on = shown.Wait(absl::Seconds(60));
  EXPECT_EQ(on.exit_code, 0) << on;
  EXPECT_THAT(on.out, Not(HasSubstr("\x1b"))) << "standard output is no terminal";

  fleet_.Write("peer.pem", testing::TestPki::UnitCertificate("peer").ToPem());  // another one
  WriteFileOrDie(hold, "", 0644);
  unlink((fleet_.node("node-a").directory() + "/service.waiting").c_str());
  const absl::Time began = absl::Now();
  Program quiet(fleet_.Trustline(arguments));
  ASSERT_TRUE(Eventually(
      absl::Seconds(30),
      [&] {
        return access((fleet_.node("node-a").directory() + "/service.waiting").c_str(), F_OK) ==
                   0 &&
               absl::Now() - began > absl::Seconds(2);
      }))
      << quiet.out() << quiet.err();
  unlink(hold.c_str());
  const Finished off = quiet.Wait(absl::Seconds(60));
  EXPECT_EQ(off.exit_code, 0) << off;
  EXPECT_THAT(off.err, IsEmpty());
  EXPECT_THAT(off.out, Not(HasSubstr("\x1b")));
  EXPECT_THAT(off.out, Not(HasSubstr("\r")));
  EXPECT_THAT(off.out, Not(HasSubstr("waiting for")));
  // Asked for, there is colour in a pipe too; NO_COLOR wins over a terminal, not over the flag.
  const Finished coloured =
      fleet_.Operate({"apply", playbook, "-i", fleet_.inventory(), "--color", "always"});
  EXPECT_THAT(coloured.out, HasSubstr("\x1b["));
}

}  // namespace
}  // namespace trustline::e2e
