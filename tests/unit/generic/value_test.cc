#include "protos/yaml/value.h"

#include "gtest/gtest.h"
#include "protos/yaml/document.h"

namespace trustline::yaml {
namespace {

Value Parse(const std::string& text) {
  Diagnostics diagnostics;
  Value value = ParseYaml("t.yml", text, diagnostics);
  EXPECT_EQ(diagnostics.Render(), "");
  return value;
}

TEST(Value, EqualityIgnoresPlacesAndTheOrderOfKeys) {
  EXPECT_EQ(Parse("{a: 1, b: [x, true]}"), Parse("b:\n  - x\n  - true\na: 1\n"));
  EXPECT_EQ(Parse("1"), Parse("1.0"));
  EXPECT_FALSE(Parse("1") == Parse("'1'"));
  EXPECT_FALSE(Parse("[a]") == Parse("[a, b]"));
  EXPECT_FALSE(Parse("{a: 1}") == Parse("{b: 1}"));
  EXPECT_FALSE(Parse("!env A") == Parse("env:A"));
}

TEST(Value, TextKeepsWhatWasMeant) {
  EXPECT_EQ(Parse("14.0").ToText(), "14.0");
  EXPECT_EQ(Parse("11.5").ToText(), "11.5");
  EXPECT_EQ(Parse("5").ToText(), "5");
  EXPECT_EQ(Parse("true").ToText(), "true");
  EXPECT_EQ(Parse("'it: is'").ToText(), "it: is");
  EXPECT_EQ(Parse("!env A").ToText(), "!env A");
  EXPECT_EQ(Parse("{a: [1, 'b: c', floor 3], 'd ': {}}").ToText(),
            "{ a: [1, \"b: c\", floor 3], \"d \": {} }");
}

TEST(Value, FlowTextReadsBackAsTheSameValue) {
  const Value value = Parse("{a: [1, '5', \"x\\ny\\\\\\\"\", 'true', ''], 'k: v': null, c: -1.5}");
  EXPECT_EQ(Parse(value.ToText()), value);
}

TEST(Value, FindAnswersOnlyForMaps) {
  EXPECT_EQ(Parse("[a]").Find("a"), nullptr);
  EXPECT_EQ(Value().Find("a"), nullptr);
  EXPECT_EQ(Parse("{a: 1}").Find("b"), nullptr);
}

}  // namespace
}  // namespace trustline::yaml
