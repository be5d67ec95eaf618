#include "controller/inventory/inventory.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "controller/inventory/host_pattern.h"
#include "controller/inventory/host_range.h"
#include "controller/inventory/variables.h"
#include "tests/unit/controller/temp_files.h"

namespace trustline::controller {
namespace {

using yaml::Value;

std::string Expand(const std::string& name) {
  absl::StatusOr<std::vector<std::string>> names = ExpandHostRange(name);
  return names.ok() ? absl::StrJoin(*names, " ") : std::string(names.status().message());
}

TEST(HostRangeTest, ExpandsNumbersLettersAndSteps) {
  EXPECT_EQ(Expand("plain"), "plain");
  EXPECT_EQ(Expand("node[8:11]"), "node8 node9 node10 node11");
  EXPECT_EQ(Expand("node[08:11]"), "node08 node09 node10 node11");
  EXPECT_EQ(Expand("r[a:c]"), "ra rb rc");
  EXPECT_EQ(Expand("r[A:B]x"), "rAx rBx");
  EXPECT_EQ(Expand("n[0:9:4]"), "n0 n4 n8");
  EXPECT_EQ(Expand("r[1:2]n[a:b].example"), "r1na.example r1nb.example r2na.example r2nb.example");
  EXPECT_EQ(Expand("n[001:001]"), "n001");
}

TEST(HostRangeTest, RefusesWhatIsNoRange) {
  EXPECT_EQ(Expand("n[3:1]"), "range \"[3:1]\": the last is before the first");
  EXPECT_EQ(Expand("n[01:100]"),
            "range \"[01:100]\": with leading zeros both ends need the same width");
  EXPECT_EQ(Expand("n[a:9]"),
            "range \"[a:9]\": both ends are numbers, or both are letters of one case");
  EXPECT_EQ(Expand("n[a:F]"),
            "range \"[a:F]\": both ends are numbers, or both are letters of one case");
  EXPECT_EQ(Expand("n[1]"), "range \"[1]\": write [first:last] or [first:last:step]");
  EXPECT_EQ(Expand("n[1:5:0]"), "range \"[1:5:0]\": the step is a number from 1");
  EXPECT_EQ(Expand("n[1:2"), "\"[\" without \"]\" in host name \"n[1:2\"");
  EXPECT_EQ(Expand("n[1:20000]"), "range \"[1:20000]\": more than 10000 hosts");
  EXPECT_EQ(Expand("n[1:4000000000]"), "range \"[1:4000000000]\": more than 10000 hosts");
  EXPECT_EQ(Expand("n[1:99999999999]"), "range \"[1:99999999999]\": the number is too large");
  EXPECT_EQ(Expand("n[1:1000]m[1:1000]"), "the ranges of one entry give more than 10000 hosts");
}

class InventoryTest : public ::testing::Test {
 protected:
  Inventory Load(const std::vector<std::string>& inventories,
                 const std::string& playbook_directory = "") {
    std::optional<Inventory> inventory =
        LoadInventory({inventories, playbook_directory}, diagnostics_, &missing_);
    EXPECT_TRUE(inventory.has_value()) << diagnostics_.Render();
    return inventory ? *std::move(inventory) : Inventory();
  }
  static std::string Var(const Inventory& inventory, const std::string& host,
                         const std::string& name) {
    for (const Value::Member& member : inventory.FindHost(host)->variables) {
      if (member.key == name) return member.value.ToText();
    }
    return "(none)";
  }
  static std::string Hosts(const Inventory& inventory, const std::string& group) {
    return absl::StrJoin(inventory.HostsOf(group), " ");
  }

  TempFiles files_;
  yaml::Diagnostics diagnostics_;
  bool missing_ = false;
};

constexpr char kSite[] = R"(all:
  vars: { color: all, only_all: 1 }
  hosts:
    lonely: {}
  children:
    source:
      vars: { color: source }
      hosts:
        src-pub: { color: host }
        src-sub[1:2]: {}
    destination:
      children:
        dst_core:
          vars: { color: core }
          hosts: { dst-pub: {} }
        dst_edge:
          hosts: { dst-sub1: {}, src-sub2: {} }
      vars: { color: destination }
)";

TEST_F(InventoryTest, GroupsNestAndHostsKeepTheirOrder) {
  const Inventory inventory = Load({files_.Write("i.yml", kSite)});
  EXPECT_EQ(Hosts(inventory, "all"), "lonely src-pub src-sub1 src-sub2 dst-pub dst-sub1");
  EXPECT_EQ(Hosts(inventory, "source"), "src-pub src-sub1 src-sub2");
  EXPECT_EQ(Hosts(inventory, "destination"), "dst-pub dst-sub1 src-sub2");
  EXPECT_EQ(Hosts(inventory, "ungrouped"), "lonely");
  EXPECT_EQ(absl::StrJoin(inventory.FindHost("src-sub2")->groups, " "),
            "all destination source dst_edge");
}

TEST_F(InventoryTest, TheDeeperGroupWinsAndTheHostOverAll) {
  const Inventory inventory = Load({files_.Write("i.yml", kSite)});
  EXPECT_EQ(Var(inventory, "lonely", "color"), "all");
  EXPECT_EQ(Var(inventory, "src-pub", "color"), "host");
  EXPECT_EQ(Var(inventory, "src-sub1", "color"), "source");
  EXPECT_EQ(Var(inventory, "dst-pub", "color"), "core");
  EXPECT_EQ(Var(inventory, "dst-sub1", "color"), "destination");
  EXPECT_EQ(Var(inventory, "dst-sub1", "only_all"), "1");
  // Same depth: the later in the alphabet.
  EXPECT_EQ(Var(inventory, "src-sub2", "color"), "source");
}

TEST_F(InventoryTest, VariableFilesLayOverTheInventoryAndThePlaybooksOverThose) {
  const std::string inventory_file = files_.Write("inv/i.yml", kSite);
  files_.Write("inv/group_vars/source.yml", "a: inventory\nb: inventory\ncolor: file\n");
  files_.Write("inv/group_vars/all/10.yml", "c: first\nd: first\n");
  files_.Write("inv/group_vars/all/20.json", "{\"d\": \"second\"}");
  files_.Write("inv/host_vars/src-sub1", "e: 1\n");
  files_.Write("play/group_vars/source.yaml", "b: playbook\n");
  files_.Write("play/host_vars/src-sub1.yml", "e: 2\n");
  const Inventory inventory = Load({inventory_file}, files_.Path("play"));
  EXPECT_EQ(Var(inventory, "src-sub1", "a"), "inventory");
  EXPECT_EQ(Var(inventory, "src-sub1", "b"), "playbook");
  EXPECT_EQ(Var(inventory, "src-sub1", "c"), "first");
  EXPECT_EQ(Var(inventory, "src-sub1", "d"), "second");
  EXPECT_EQ(Var(inventory, "src-sub1", "e"), "2");
  EXPECT_EQ(Var(inventory, "src-sub1", "color"), "file");
  EXPECT_TRUE(diagnostics_.all().empty()) << diagnostics_.Render();
}

TEST_F(InventoryTest, SeveralInventoriesMergeAndTheLaterWins) {
  const std::string a =
      files_.Write("a.yml", "all:\n  children:\n    g: { hosts: { x: { v: 1, w: 1 } } }\n");
  const std::string b =
      files_.Write("b.yml", "all:\n  children:\n    g: { hosts: { x: { v: 2 }, y: {} } }\n");
  const Inventory inventory = Load({a, b, "z,"});
  EXPECT_EQ(Hosts(inventory, "g"), "x y");
  EXPECT_EQ(Hosts(inventory, "ungrouped"), "z");
  EXPECT_EQ(Var(inventory, "x", "v"), "2");
  EXPECT_EQ(Var(inventory, "x", "w"), "1");
}

TEST_F(InventoryTest, ADirectoryIsReadInAsciiOrder) {
  files_.Write("site/20-late.yml", "all:\n  hosts: { x: { v: late } }\n");
  files_.Write("site/10-early.yml", "all:\n  hosts: { x: { v: early }, w: {} }\n");
  files_.Write("site/.hidden.yml", "not: [an inventory\n");
  files_.Write("site/10-early.yml~", "not: [an inventory\n");
  files_.Write("site/README.md", "# text\n");
  files_.Write("site/group_vars/all.yml", "from_file: yes indeed\n");
  const Inventory inventory = Load({files_.Path("site")});
  EXPECT_EQ(Hosts(inventory, "all"), "x w");
  EXPECT_EQ(Var(inventory, "x", "v"), "late");
  EXPECT_EQ(Var(inventory, "w", "from_file"), "yes indeed");
}

TEST_F(InventoryTest, AMisspeltVariableFileIsWarnedAbout) {
  const std::string path = files_.Write("i.yml", kSite);
  files_.Write("group_vars/destinatoin.yml", "a: 1\n");
  Load({path});
  ASSERT_EQ(diagnostics_.all().size(), 1u);
  EXPECT_EQ(diagnostics_.all()[0].severity, yaml::Severity::kWarning);
  EXPECT_NE(diagnostics_.all()[0].message.find(
                "no group \"destinatoin\" (did you mean \"destination\"?)"),
            std::string::npos);
}

TEST_F(InventoryTest, WhatIsNotThereIsMissingInput) {
  EXPECT_FALSE(LoadInventory({{files_.Path("none.yml")}, ""}, diagnostics_, &missing_).has_value());
  EXPECT_TRUE(missing_);
  yaml::Diagnostics none;
  bool missing = false;
  EXPECT_FALSE(LoadInventory({{}, ""}, none, &missing).has_value());
  EXPECT_FALSE(missing);
  EXPECT_EQ(none.Render(), "error: no inventory: name one with -i\n");
}

// The first error of an inventory, exactly.
struct BadInventory {
  const char* name;
  const char* yaml;
  const char* first_line;
};
void PrintTo(const BadInventory& bad, std::ostream* out) { *out << bad.name; }

class BadInventoryTest : public ::testing::TestWithParam<BadInventory> {};

TEST_P(BadInventoryTest, SaysWhatIsWrongAndWhere) {
  TempFiles files;
  yaml::Diagnostics diagnostics;
  const std::string path = files.Write("inventory.yml", GetParam().yaml);
  EXPECT_FALSE(LoadInventory({{path}, ""}, diagnostics).has_value());
  std::string rendered = diagnostics.Render();
  for (size_t at = rendered.find(files.directory() + "/"); at != std::string::npos;
       at = rendered.find(files.directory() + "/")) {
    rendered.erase(at, files.directory().size() + 1);
  }
  const std::vector<std::string> lines = absl::StrSplit(rendered, '\n');
  EXPECT_EQ(lines[0], GetParam().first_line) << rendered;
}

INSTANTIATE_TEST_SUITE_P(
    Corpus, BadInventoryTest,
    ::testing::Values(
        BadInventory{"list", "- a\n- b\n",
                     "inventory.yml:1:1: error: an inventory is a map of groups beginning with "
                     "\"all:\", got a list"},
        BadInventory{
            "ini", "[source]\nsrc-pub\n",
            "error: unsupported: inventory.yml is an INI inventory; write the inventory in YAML"},
        BadInventory{"script", "#!/bin/sh\necho {}\n",
                     "error: unsupported: inventory.yml is an executable inventory; write the "
                     "inventory in YAML"},
        BadInventory{"vault", "$ANSIBLE_VAULT;1.1;AES256\n6162\n",
                     "error: unsupported: inventory.yml is encrypted by ansible-vault; write the "
                     "inventory in YAML"},
        BadInventory{
            "hosts_on_top", "hosts:\n  a: {}\n",
            "inventory.yml:1:1: error: \"hosts\" belongs into a group; indent it below \"all:\""},
        BadInventory{"misspelt", "all:\n  host: { a: {} }\n",
                     "inventory.yml:2:3: error: unknown key \"host\" in group \"all\" (did you "
                     "mean \"hosts\"?); a group has hosts, vars and children"},
        BadInventory{"host_list", "all:\n  hosts: [a, b]\n",
                     "inventory.yml:2:10: error: \"hosts\" must be a map of host names (\"name: "
                     "{}\"), got a list"},
        BadInventory{"children_list", "all:\n  children: [a]\n",
                     "inventory.yml:2:13: error: \"children\" must be a map of groups, got a list"},
        BadInventory{"group_text", "all:\n  children:\n    g: text\n",
                     "inventory.yml:3:8: error: group \"g\" must be a map with hosts, vars and "
                     "children, got a string"},
        BadInventory{"vars_list", "all:\n  vars: [a]\n",
                     "inventory.yml:2:9: error: \"vars\" must be a map of variables, got a list"},
        BadInventory{
            "host_text", "all:\n  hosts:\n    a: 10.0.0.1\n",
            "inventory.yml:3:8: error: host \"a\" must be a map of variables, got a string"},
        BadInventory{"host_name", "all:\n  hosts:\n    \"a b\": {}\n",
                     "inventory.yml:3:5: error: \"a b\" cannot be a host's name: letters, digits, "
                     "- _ . only"},
        BadInventory{"host_path", "all:\n  hosts:\n    ../a: {}\n",
                     "inventory.yml:3:5: error: \"../a\" cannot be a host's name: letters, digits, "
                     "- _ . only"},
        BadInventory{"group_name", "all:\n  children:\n    a.b: {}\n",
                     "inventory.yml:3:5: error: \"a.b\" cannot be a group's name: letters, digits, "
                     "- and _ only"},
        BadInventory{"range", "all:\n  hosts:\n    n[3:1]: {}\n",
                     "inventory.yml:3:5: error: range \"[3:1]\": the last is before the first"},
        BadInventory{"cycle",
                     "all:\n  children:\n    a:\n      children:\n        b:\n          "
                     "children:\n            a: {}\n",
                     "inventory.yml:7:13: error: group \"a\" cannot be a child of \"b\": it "
                     "contains it already"},
        BadInventory{"own_child", "all:\n  children:\n    a:\n      children: { a: {} }\n",
                     "inventory.yml:4:19: error: group \"a\" cannot be a child of \"a\": it "
                     "contains it already"},
        BadInventory{"all_below", "all:\n  children:\n    a:\n      children: { all: {} }\n",
                     "inventory.yml:4:19: error: group \"all\" cannot be a child of \"a\": it "
                     "contains it already"},
        BadInventory{"reserved", "all:\n  vars: { item: 1 }\n",
                     "inventory.yml:2:11: error: \"item\" is set by trustline and cannot be a "
                     "variable of yours"},
        BadInventory{"variable_name", "all:\n  vars: { a-b: 1 }\n",
                     "inventory.yml:2:11: error: \"a-b\" cannot be a variable's name: letters, "
                     "digits and _ only, no digit first"},
        BadInventory{"word", "all:\n  vars: { not: 1 }\n",
                     "inventory.yml:2:11: error: \"not\" is a word of the expression language and "
                     "cannot be a variable"},
        BadInventory{"template", "all:\n  vars: { a: \"{{ 1 + }}\" }\n",
                     "inventory.yml:2:22: error: the expression ends too early"},
        BadInventory{"twice", "all:\n  hosts:\n    a: {}\n    a: {}\n",
                     "inventory.yml:4:5: error: key \"a\" is given twice in one map"}),
    [](const ::testing::TestParamInfo<BadInventory>& info) { return info.param.name; });

class HostPatternTest : public InventoryTest {
 protected:
  HostPatternTest() : inventory_(Load({files_.Write("i.yml", kSite)})) {}
  std::string Match(const std::string& pattern) {
    yaml::Diagnostics diagnostics;
    std::optional<std::vector<std::string>> hosts =
        MatchHosts(inventory_, Value::String(pattern, {}), diagnostics);
    if (!hosts) return absl::StrCat("error: ", diagnostics.all()[0].message);
    return absl::StrJoin(*hosts, " ");
  }
  Inventory inventory_;
};

TEST_F(HostPatternTest, UnionsIntersectionsAndExclusions) {
  EXPECT_EQ(Match("all"), "lonely src-pub src-sub1 src-sub2 dst-pub dst-sub1");
  EXPECT_EQ(Match("*"), "lonely src-pub src-sub1 src-sub2 dst-pub dst-sub1");
  EXPECT_EQ(Match("ungrouped"), "lonely");
  EXPECT_EQ(Match("source:dst_core"), "src-pub src-sub1 src-sub2 dst-pub");
  EXPECT_EQ(Match("dst_core , src-pub"), "src-pub dst-pub");
  EXPECT_EQ(Match("source:&destination"), "src-sub2");
  EXPECT_EQ(Match("source:!destination"), "src-pub src-sub1");
  // Exclusion comes last, wherever it stands.
  EXPECT_EQ(Match("!src-pub:source:&all"), "src-sub1 src-sub2");
  EXPECT_EQ(Match("!source"), "lonely dst-pub dst-sub1");
}

TEST_F(HostPatternTest, GlobsAndRegexesMatchHostsAndGroups) {
  EXPECT_EQ(Match("src-*"), "src-pub src-sub1 src-sub2");
  EXPECT_EQ(Match("*-sub?"), "src-sub1 src-sub2 dst-sub1");
  EXPECT_EQ(Match("src-sub[2]"),
            "error: no host or group \"src-sub\" in the inventory (did you mean \"src-pub\"?)");
  EXPECT_EQ(Match("src-s[tu]b1"), "src-sub1");
  EXPECT_EQ(Match("dst_*"), "src-sub2 dst-pub dst-sub1");
  EXPECT_EQ(Match("~(src|dst)-pub"), "src-pub dst-pub");
  EXPECT_EQ(Match("~sub"), "");
  EXPECT_EQ(Match("~src-(?:pub|sub1)"), "src-pub src-sub1");
  EXPECT_EQ(Match("nothing*"), "");
  EXPECT_EQ(Match("~("), "error: this is not a regular expression: missing ): ^(?:()");
}

TEST_F(HostPatternTest, PositionsCountWithinAGroup) {
  EXPECT_EQ(Match("source[0]"), "src-pub");
  EXPECT_EQ(Match("source[-1]"), "src-sub2");
  EXPECT_EQ(Match("source[0:1]"), "src-pub src-sub1");
  EXPECT_EQ(Match("source[1:]"), "src-sub1 src-sub2");
  EXPECT_EQ(Match("source[7]"), "");
  EXPECT_EQ(Match("source[-7]"), "");
  EXPECT_EQ(Match("source[0]:destination[0]"), "src-pub dst-pub");
  EXPECT_EQ(Match("src-*[1]"), "src-sub1");
}

TEST_F(HostPatternTest, AnUnknownNameIsAnErrorWithTheNearestOne) {
  EXPECT_EQ(Match("sorce"),
            "error: no host or group \"sorce\" in the inventory (did you mean \"source\"?)");
  EXPECT_EQ(Match("source:!dst-pubb"),
            "error: no host or group \"dst-pubb\" in the inventory (did you mean \"dst-pub\"?)");
  EXPECT_EQ(
      Match("destintion[0]"),
      "error: no host or group \"destintion\" in the inventory (did you mean \"destination\"?)");
  EXPECT_EQ(Match("source:&"), "error: a name is missing after \"&\"");
}

TEST_F(HostPatternTest, AListCountsAsJoined) {
  yaml::Diagnostics diagnostics;
  const Value list =
      Value::FromList({Value::String("source", {}), Value::String("!src-pub", {})}, {});
  EXPECT_EQ(absl::StrJoin(*MatchHosts(inventory_, list, diagnostics), " "), "src-sub1 src-sub2");
}

TEST_F(InventoryTest, VariablesAreEvaluatedLazilyWithTheirPrecedence) {
  const Inventory inventory = Load({files_.Write("i.yml", R"(all:
  vars: { a: group, b: group, c: group, d: group, made: "{{ a }}-{{ b }}-{{ c }}-{{ d }}", number: "{{ 1 + 1 }}", broken: "{{ gone }}" }
  hosts: { h: { b: host, c: host, d: host }, other: {} }
)")});
  VariableWorld world(inventory, {{"d", {}, Value::String("extra", {})}});
  const Value::Map play = {{"c", {}, Value::String("play", {})},
                           {"d", {}, Value::String("play", {})}};
  VariableScope scope = world.HostInPlay("h", &play);
  EXPECT_EQ(scope.Find("made")->value().text(), "group-host-play-extra");
  EXPECT_EQ(scope.Find("number")->value().int_value(), 2);
  EXPECT_EQ(scope.Find("inventory_hostname")->value().text(), "h");
  EXPECT_FALSE(scope.Find("gone").has_value());
  EXPECT_FALSE(scope.Find("broken")->ok());
  // hostvars know nothing of the play.
  EXPECT_EQ(world.HostScope("h")->Find("made")->value().text(), "group-host-host-extra");
  EXPECT_EQ(world.HostScope("other")->Find("made")->value().text(), "group-group-group-extra");
  EXPECT_EQ(world.HostScope("nobody"), nullptr);
  VariableScope before_hosts = world.PlayScope(&play);
  EXPECT_EQ(before_hosts.Find("made")->value().text(), "group-group-play-extra");
}

TEST_F(InventoryTest, VariablesDefinedByThemselvesAreRefused) {
  std::string chain =
      "all:\n  vars:\n    loop: \"{{ pool }}\"\n    pool: \"{{ loop }}\"\n    across: \"{{ "
      "hostvars['h'].across }}\"\n    v0: 1\n";
  for (int i = 1; i <= 100; ++i)
    chain += "    v" + std::to_string(i) + ": \"{{ v" + std::to_string(i - 1) + " }}\"\n";
  chain += "  hosts: { h: {} }\n";
  const Inventory inventory = Load({files_.Write("i.yml", chain)});
  VariableWorld world(inventory, {});
  VariableScope& scope = *world.HostScope("h");
  EXPECT_EQ(scope.Find("loop")->error().message, "variable \"loop\" is defined by itself");
  EXPECT_EQ(scope.Find("across")->error().message, "variable \"across\" is defined by itself");
  EXPECT_EQ(scope.Find("v100")->error().message,
            "variable \"v68\" is defined through more than 32 others");
  EXPECT_EQ(scope.Find("v20")->value().int_value(), 1);
}

TEST_F(InventoryTest, GrowingVariablesAreRefused) {
  std::string chain = "all:\n  vars:\n    v0: [1, 2, 3, 4, 5, 6, 7, 8]\n";
  for (int i = 1; i <= 30; ++i) {
    const std::string before = "v" + std::to_string(i - 1);
    chain +=
        "    v" + std::to_string(i) + ": [\"{{ " + before + " }}\", \"{{ " + before + " }}\"]\n";
  }
  chain += "  hosts: { h: {} }\n";
  const Inventory inventory = Load({files_.Write("i.yml", chain)});
  VariableWorld world(inventory, {});
  EXPECT_EQ(world.HostScope("h")->Find("v30")->error().message, "the value becomes too large");
}

TEST_F(InventoryTest, ListGraphAndHostShowReferencesOfSecretsOnly) {
  const Inventory inventory = Load({files_.Write("i.yml", R"(all:
  vars: { password: !env HUB_PASSWORD, n: 5 }
  children:
    a:
      hosts: { h1: { x: [1, two] } }
      children: { b: { hosts: { h2: {} } } }
    c: {}
)")});
  EXPECT_EQ(RenderInventoryGraph(inventory, false), R"(@all:
  |--@a:
  |  |--@b:
  |  |  |--h2
  |  |--h1
  |--@c:
  |--@ungrouped:
)");
  const std::string graph = RenderInventoryGraph(inventory, true);
  EXPECT_NE(graph.find("{password = !env HUB_PASSWORD}"), std::string::npos) << graph;
  const nlohmann::json list = nlohmann::json::parse(RenderInventoryList(inventory));
  EXPECT_EQ(list["_meta"]["hostvars"]["h1"]["x"].dump(), "[1,\"two\"]");
  EXPECT_EQ(list["_meta"]["hostvars"]["h2"]["password"]["secret"], "env:HUB_PASSWORD");
  EXPECT_EQ(list["a"]["children"].dump(), "[\"b\"]");
  EXPECT_EQ(list["all"]["children"].dump(), "[\"a\",\"c\",\"ungrouped\"]");
  const nlohmann::json host = nlohmann::json::parse(RenderInventoryHost(*inventory.FindHost("h1")));
  EXPECT_EQ(host["n"], 5);
}

}  // namespace
}  // namespace trustline::controller
