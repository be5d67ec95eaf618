#include <gtest/gtest.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "controller/expression/evaluate.h"
#include "controller/expression/templating.h"
#include "protos/yaml/document.h"

namespace trustline::controller {
namespace {

using yaml::Type;
using yaml::Value;

// Variables from a YAML map; hosts from the map `hosts_of_test` in it.
class FakeEnvironment : public Environment {
 public:
  explicit FakeEnvironment(const Value& variables) : variables_(variables) {
    if (const Value* hosts = variables.Find("hosts_of_test")) {
      for (const Value::Member& member : hosts->map())
        hosts_.emplace(member.key, FakeEnvironment(member.value));
    }
  }
  std::optional<Evaluated> Find(const std::string& name) override {
    const Value* found = variables_.Find(name);
    if (found == nullptr) return std::nullopt;
    return *found;
  }
  std::vector<std::string> Names() const override {
    std::vector<std::string> names;
    for (const Value::Member& member : variables_.map()) names.push_back(member.key);
    return names;
  }
  Environment* Host(const std::string& host) override {
    auto found = hosts_.find(host);
    return found == hosts_.end() ? nullptr : &found->second;
  }
  std::vector<std::string> HostNames() const override {
    std::vector<std::string> names;
    for (const auto& [name, environment] : hosts_) names.push_back(name);
    return names;
  }

 private:
  Value variables_;
  std::map<std::string, FakeEnvironment> hosts_;
};

constexpr char kVariables[] = R"(
n: 5
f: 1.5
t: true
s: text
empty: ""
nothing: null
list: [1, 2, 3]
words: [a, b]
map: { key: value, inner: { deep: 7 } }
people: [{ name: x, at: { floor: 1 } }, { name: y, at: { floor: 2 } }]
servers: [dst-pub, dst-sub1]
password: !env SECRET
hosts_of_test:
  dst-pub: { address: 10.20.0.11, tags: [p] }
  dst-sub1: { address: 10.20.0.12, tags: [s] }
)";

class ExpressionTest : public ::testing::Test {
 protected:
  ExpressionTest()
      : variables_(yaml::ParseYaml("vars.yml", kVariables, setup_)), environment_(variables_) {
    EXPECT_EQ(setup_.errors(), 0) << setup_.Render();
  }

  // Of the expression as text: "list: [1, 2]" style flow, or "error: ...".
  std::string Eval(const std::string& expression) {
    const Value scalar = Value::String(absl::StrCat("{{ ", expression, " }}"), {});
    Evaluated result = RenderOrError(scalar, environment_);
    if (!result.ok()) return absl::StrCat("error: ", result.error().message);
    last_ = result.value();
    return result.value().ToText();
  }

  yaml::Diagnostics setup_;
  Value variables_;
  FakeEnvironment environment_;
  Value last_;
};

TEST_F(ExpressionTest, PathsAndIndexesFindValues) {
  EXPECT_EQ(Eval("n"), "5");
  EXPECT_EQ(Eval("map.key"), "value");
  EXPECT_EQ(Eval("map['inner'].deep"), "7");
  EXPECT_EQ(Eval("list[0]"), "1");
  EXPECT_EQ(Eval("list[-1]"), "3");
  EXPECT_EQ(Eval("people[1].at.floor"), "2");
  EXPECT_EQ(Eval("hostvars['dst-pub'].address"), "10.20.0.11");
  EXPECT_EQ(Eval("hostvars[servers[1]]['address']"), "10.20.0.12");
  EXPECT_EQ(Eval("hostvars[servers[1]].tags[0]"), "s");
}

TEST_F(ExpressionTest, ASingleTemplateKeepsItsType) {
  Eval("n");
  EXPECT_EQ(last_.type(), Type::kInt);
  Eval("list");
  EXPECT_EQ(last_.type(), Type::kList);
  Eval("map");
  EXPECT_EQ(last_.type(), Type::kMap);
  Eval("t");
  EXPECT_EQ(last_.type(), Type::kBool);
  Eval("password");
  EXPECT_EQ(last_.type(), Type::kSecret);
  EXPECT_EQ(last_.text(), "env:SECRET");
}

TEST_F(ExpressionTest, TextAroundATemplateMakesText) {
  const Value scalar = Value::String("floor {{ n }}{{ s }}, {{ f }}/{{ t }}", {});
  Evaluated result = RenderOrError(scalar, environment_);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result.value().type(), Type::kString);
  EXPECT_EQ(result.value().text(), "floor 5text, 1.5/true");
}

TEST_F(ExpressionTest, BracesInStringsOfAnExpressionAreNoEnd) {
  EXPECT_EQ(Eval("'}}' + s"), "}}text");
  EXPECT_EQ(RenderOrError(Value::String("a { b } }} c", {}), environment_).value().text(),
            "a { b } }} c");
}

TEST_F(ExpressionTest, OperatorsBindAsInJinja) {
  EXPECT_EQ(Eval("true or false and false"), "true");
  EXPECT_EQ(Eval("not true or true"), "true");
  EXPECT_EQ(Eval("not (true or true)"), "false");
  EXPECT_EQ(Eval("1 + 2 == 3 and 2 < 3"), "true");
  EXPECT_EQ(Eval("words + ['c'] | length"),
            "error: \"+\" joins two lists, two strings or two numbers, got a list and an integer");
  EXPECT_EQ(Eval("(words + ['c']) | length"), "3");
  EXPECT_EQ(Eval("n in list or s == 'text'"), "true");
  EXPECT_EQ(Eval("2 not in list"), "false");
  EXPECT_EQ(Eval("not 2 in list"), "false");
}

TEST_F(ExpressionTest, ComparisonsKeepTypesApart) {
  EXPECT_EQ(Eval("n == '5'"), "false");
  EXPECT_EQ(Eval("1 == 1.0"), "true");
  EXPECT_EQ(Eval("'a' < 'b'"), "true");
  EXPECT_EQ(Eval("f >= 1"), "true");
  EXPECT_EQ(Eval("n < 'x'"), "error: cannot order an integer and a string");
  EXPECT_EQ(Eval("'key' in map"), "true");
  EXPECT_EQ(Eval("'ex' in s"), "true");
  EXPECT_EQ(Eval("[1, 2] == [1, 2]"), "true");
  EXPECT_EQ(Eval("none == nothing"), "true");
}

TEST_F(ExpressionTest, SumsJoinLikeWithLike) {
  EXPECT_EQ(Eval("list + [4]"), "[1, 2, 3, 4]");
  EXPECT_EQ(Eval("s + '!' + s"), "text!text");
  EXPECT_EQ(Eval("n + 1"), "6");
  EXPECT_EQ(Eval("n + 0.5"), "5.5");
  EXPECT_EQ(Eval("-1 + n"), "4");
  EXPECT_EQ(
      Eval("s + n"),
      "error: \"+\" joins two lists, two strings or two numbers, got a string and an integer");
  EXPECT_EQ(Eval("9223372036854775807 + 1"), "error: the sum is too large");
}

TEST_F(ExpressionTest, DefaultCatchesUndefinedOnly) {
  EXPECT_EQ(Eval("missing | default('x')"), "x");
  EXPECT_EQ(Eval("map.missing.deeper | default(list)"), "[1, 2, 3]");
  EXPECT_EQ(Eval("list[9] | default(0)"), "0");
  EXPECT_EQ(Eval("hostvars['nobody'].address | default('none')"), "none");
  EXPECT_EQ(Eval("hostvars['dst-pub'].missing | default('none')"), "none");
  EXPECT_EQ(Eval("empty | default('x')"), "");
  EXPECT_EQ(Eval("empty | default('x', true)"), "x");
  EXPECT_EQ(Eval("nothing | default('x', boolean=true)"), "x");
  EXPECT_EQ(Eval("s.part | default('x')"), "error: a string has no \"part\"");
  EXPECT_EQ(Eval("missing | default(other)"), "error: \"other\" is not defined");
}

TEST_F(ExpressionTest, FiltersMakeListsAndText) {
  EXPECT_EQ(Eval("list | join('-')"), "1-2-3");
  EXPECT_EQ(Eval("words | join"), "ab");
  EXPECT_EQ(Eval("list | length"), "3");
  EXPECT_EQ(Eval("map | length"), "2");
  EXPECT_EQ(Eval("s | length"), "4");
  EXPECT_EQ(Eval("people | map(attribute='name') | join(',')"), "x,y");
  EXPECT_EQ(Eval("people | map(attribute='at.floor')"), "[1, 2]");
  EXPECT_EQ(Eval("servers | map('extract', hostvars, 'address')"),
            "[\"10.20.0.11\", \"10.20.0.12\"]");
  EXPECT_EQ(Eval("servers | map('extract', hostvars, ['tags', 0]) | join"), "ps");
  EXPECT_EQ(Eval("[0, 2] | map('extract', list)"), "[1, 3]");
}

TEST_F(ExpressionTest, WrongFiltersAreNamed) {
  EXPECT_EQ(Eval("list | joinn"),
            "error: unknown filter \"joinn\" (did you mean \"join\"?); known are default, join, "
            "length, map");
  EXPECT_EQ(Eval("list | list"), "error: unknown filter \"list\"; map already gives a list");
  EXPECT_EQ(Eval("n | length"),
            "error: \"length\" takes a list, a map or a string, got an integer");
  EXPECT_EQ(Eval("s | join"), "error: \"join\" takes a list, got a string");
  EXPECT_EQ(Eval("list | map('upper')"),
            "error: \"map\" is map(attribute='name') or map('extract', hostvars, 'name')");
  EXPECT_EQ(Eval("list | length(1)"), "error: \"length\" takes at most 0 arguments");
  EXPECT_EQ(Eval("missing | default"), "error: \"default\" needs the value to use: default('x')");
  EXPECT_EQ(Eval("list | join(sep='x')"), "error: \"join\" has no argument \"sep\"");
}

TEST_F(ExpressionTest, UndefinedIsAnErrorWithTheNearestName) {
  EXPECT_EQ(Eval("servrs"), "error: \"servrs\" is not defined (did you mean \"servers\"?)");
  EXPECT_EQ(Eval("map.kye"), "error: \"kye\" is not defined here (did you mean \"key\"?)");
  EXPECT_EQ(Eval("list[3]"), "error: index 3 is outside a list of 3");
  EXPECT_EQ(Eval("hostvars['dst-pu'].address"),
            "error: no host \"dst-pu\" in the inventory (did you mean \"dst-pub\"?)");
  EXPECT_EQ(Eval("hostvars['dst-pub'].adress"),
            "error: host \"dst-pub\" has no variable \"adress\" (did you mean \"address\"?)");
  EXPECT_EQ(Eval("hostvars"),
            "error: hostvars needs a host in brackets: hostvars['name'].variable");
}

TEST_F(ExpressionTest, SyntaxErrorsSayWhatToDo) {
  EXPECT_EQ(Eval(""), "error: an expression is missing here");
  EXPECT_EQ(Eval("n +"), "error: the expression ends too early");
  EXPECT_EQ(Eval("(n"), "error: expected \")\", found end of the expression");
  EXPECT_EQ(Eval("n n"), "error: unexpected \"n\"");
  EXPECT_EQ(Eval("n = 5"), "error: unexpected \"=\"; a comparison is \"==\"");
  EXPECT_EQ(Eval("1 < 2 < 3"), "error: comparisons cannot be chained; join them with \"and\"");
  EXPECT_EQ(
      Eval("groups.my-group"),
      "error: unexpected \"-\"; write a name that has dashes in brackets, as in groups['a-b']");
  EXPECT_EQ(Eval("n is defined"),
            "error: tests with \"is\" are not part of the language; use a comparison or default()");
  EXPECT_EQ(Eval("1 if t else 2"),
            "error: inline \"if\" is not part of the language; use default() or when");
  EXPECT_EQ(Eval("lookup('env', 'X')"),
            "error: functions are not part of the language; filters are: \"x | length\"");
  EXPECT_EQ(Eval("list[0:2]"),
            "error: slices are not part of the language; host patterns know them: \"group[0:2]\"");
  EXPECT_EQ(Eval("{'a': 1}"),
            "error: maps cannot be written in an expression; put the map into a variable");
  EXPECT_EQ(Eval("99999999999999999999"), "error: this number is too large");
  EXPECT_EQ(Eval("a .. b"), "error: expected a name after \".\", found \".\"");
  EXPECT_EQ(Eval("not"), "error: the expression ends too early");
  EXPECT_EQ(Eval("a not b"), "error: expected \"in\" after \"not\"");
}

TEST_F(ExpressionTest, DepthAndLengthAreBounded) {
  std::string nested = "n";
  for (int i = 0; i < 5000; ++i) nested = "(" + nested + ")";
  EXPECT_EQ(Eval(nested), "error: the expression is nested too deeply");
  std::string nots;
  for (int i = 0; i < 5000; ++i) nots += "not ";
  EXPECT_EQ(Eval(nots + "t"), "error: the expression is nested too deeply");
  std::string path = "map";
  for (int i = 0; i < 5000; ++i) path += ".a";
  EXPECT_EQ(Eval(path), "error: the expression is nested too deeply");
  std::string sum = "1";
  for (int i = 0; i < 5000; ++i) sum += "+1";
  EXPECT_EQ(Eval(sum), "error: the expression is too long");
  std::string filters = "list";
  for (int i = 0; i < 5000; ++i) filters += "|length";
  EXPECT_EQ(Eval(filters), "error: the expression is nested too deeply");
}

TEST_F(ExpressionTest, SecretsNeitherCompareNorBecomeText) {
  EXPECT_EQ(Eval("password == 'guess'"),
            "error: a secret cannot be compared: its value is not known here");
  EXPECT_EQ(Eval("[password] == ['guess']"),
            "error: a secret cannot be compared: its value is not known here");
  EXPECT_EQ(Eval("[password] | join"),
            "error: \"join\" takes strings, numbers and booleans, got a secret");
  Evaluated result = RenderOrError(Value::String("x{{ password }}", {}), environment_);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().message, "a secret cannot be a part of a text");
}

TEST_F(ExpressionTest, ListsMapsAndNothingAreNoText) {
  EXPECT_EQ(RenderOrError(Value::String("x{{ list }}", {}), environment_).error().message,
            "a list cannot be a part of a text; use join");
  EXPECT_EQ(RenderOrError(Value::String("x{{ map }}", {}), environment_).error().message,
            "a map cannot be a part of a text");
  EXPECT_EQ(RenderOrError(Value::String("x{{ nothing }}", {}), environment_).error().message,
            "nothing cannot be a part of a text; use default(..., true)");
}

TEST_F(ExpressionTest, ConditionsMustBeTrueOrFalse) {
  auto condition = [&](Value value) -> std::string {
    yaml::Diagnostics diagnostics;
    std::optional<bool> result = EvaluateCondition(value, environment_, diagnostics);
    if (result) return *result ? "true" : "false";
    return diagnostics.all().empty() ? "nothing said" : diagnostics.all()[0].message;
  };
  EXPECT_EQ(condition(Value::String("n == 5", {})), "true");
  EXPECT_EQ(condition(Value::Bool(false, {})), "false");
  EXPECT_EQ(condition(Value::FromList({Value::String("t", {}), Value::String("n == 6", {})}, {})),
            "false");
  EXPECT_EQ(condition(Value::String("s", {})), "\"when\" must be true or false, this is a string");
  EXPECT_EQ(condition(Value::String("s and t", {})), "\"and\" takes true or false, got a string");
  EXPECT_EQ(condition(Value::String("{{ t }}", {})),
            "a condition is an expression already; write it without {{ }}");
  EXPECT_EQ(condition(Value::Int(1, {})),
            "\"when\" is true, false, an expression or a list of these, got an integer");
}

// Where an error points to, whatever the scalar's style.
struct PlaceCase {
  const char* yaml;
  const char* place;  // line:column-end
};

class TemplatePlaceTest : public ::testing::TestWithParam<PlaceCase> {};

TEST_P(TemplatePlaceTest, PointsInsideTheScalar) {
  yaml::Diagnostics diagnostics;
  const Value root = yaml::ParseYaml("p.yml", GetParam().yaml, diagnostics);
  ASSERT_EQ(diagnostics.errors(), 0) << diagnostics.Render();
  FakeEnvironment environment(Value::FromMap({}, {}));
  EXPECT_FALSE(Render(root, environment, diagnostics).has_value());
  ASSERT_EQ(diagnostics.errors(), 1);
  const yaml::Span& span = diagnostics.all()[0].span;
  EXPECT_EQ(absl::StrCat(span.line, ":", span.column, "-", span.end_column), GetParam().place)
      << diagnostics.Render();
}

INSTANTIATE_TEST_SUITE_P(
    Styles, TemplatePlaceTest,
    ::testing::Values(PlaceCase{"a: \"{{ gone }}\"\n", "1:8-12"},
                      PlaceCase{"a: x {{ gone }}\n", "1:9-13"},
                      PlaceCase{"a: '{{ ''q'' + gone }}'\n", "1:16-20"},
                      PlaceCase{"a: \"\\\"x\\\" {{ gone }}\"\n", "1:14-18"},
                      PlaceCase{"a:\n  - b\n  - \"é {{ gone }}\"\n", "3:12-16"},
                      PlaceCase{"a: |\n  first\n  {{ gone }}\n", "3:6-10"},
                      PlaceCase{"a: >\n  first\n  second {{ gone }}\n", "3:13-17"},
                      PlaceCase{"a: \"one\n  two {{ gone }}\"\n", "2:10-14"},
                      PlaceCase{"a: \"{{ 1 + }}\"\n", "1:12-13"},
                      PlaceCase{"a: \"{{ gone\"\n", "1:5-7"}));

TEST_F(ExpressionTest, AllScalarsAreReportedInOneGo) {
  yaml::Diagnostics diagnostics;
  const Value root = yaml::ParseYaml(
      "p.yml", "a: \"{{ x1 }}\"\nb: [\"{{ x2 }}\", { c: \"{{ x3 }}\" }]\n", diagnostics);
  EXPECT_FALSE(Render(root, environment_, diagnostics).has_value());
  EXPECT_EQ(diagnostics.errors(), 3);
}

TEST_F(ExpressionTest, SyntaxIsCheckedWithoutVariables) {
  yaml::Diagnostics diagnostics;
  const Value root = yaml::ParseYaml(
      "p.yml", "a: \"{{ unknown.thing }}\"\nb: \"{{ 1 + }}\"\nc: \"{% if x %}\"\n\"{{ k }}\": 1\n",
      diagnostics);
  EXPECT_FALSE(CheckTemplates(root, diagnostics));
  ASSERT_EQ(diagnostics.errors(), 3);
  EXPECT_EQ(diagnostics.all()[1].message,
            "unsupported: {% %} statements; use loop, when and {{ }}");
  EXPECT_EQ(diagnostics.all()[2].message, "a key cannot be a template");
}

}  // namespace
}  // namespace trustline::controller
