#include "agent/dhcp/kea_json.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace trustline::agent {
namespace {

std::string Words(const std::string& text) {
  const absl::StatusOr<KeaValue> value = ParseKeaJson(text);
  return value.ok() ? "OK" : std::string(value.status().message());
}

TEST(KeaJsonTest, CommentsAndExtraCommasAreKeasDialect) {
  const absl::StatusOr<KeaValue> value = ParseKeaJson(
      "# hash\n// slashes\n/* block\n */ { \"a\": [ 1, 2.5e1, -3, ], // note\n"
      "  \"b\": { \"c\": true, \"d\": null /* } */ }, \"e\": \"x # not a comment\" , }\n# end");
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(ToStrictJson(*value),
            R"({"a":[1,2.5e1,-3],"b":{"c":true,"d":null},"e":"x # not a comment"})");
}

TEST(KeaJsonTest, KeasNumbersAreWrittenAsJsonHasThem) {
  const absl::StatusOr<KeaValue> value = ParseKeaJson("[ .5, -.5, 5., +7, 5.e2, 12, 0.25 ]");
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(ToStrictJson(*value), "[0.5,-0.5,5.0,7,5.0e2,12,0.25]");
  EXPECT_FALSE(ParseKeaJson("[ . ]").ok());
  EXPECT_FALSE(ParseKeaJson("[ - ]").ok());
}

TEST(KeaJsonTest, EveryValueKnowsWhereItStands) {
  const std::string text = "{ \"a\" : [ \"x\\\"y\", 12 ] }";
  const absl::StatusOr<KeaValue> value = ParseKeaJson(text);
  ASSERT_TRUE(value.ok()) << value.status();
  const KeaValue& list = *value->Find("a");
  EXPECT_EQ(text.substr(list.begin, list.end - list.begin), "[ \"x\\\"y\", 12 ]");
  EXPECT_EQ(text.substr(list.items[0].begin, list.items[0].end - list.items[0].begin),
            "\"x\\\"y\"");
  EXPECT_EQ(list.items[0].text, "x\"y");
  EXPECT_EQ(text.substr(list.items[1].begin, list.items[1].end - list.items[1].begin), "12");
}

TEST(KeaJsonTest, EscapesAreDecodedAndWrittenAgain) {
  const absl::StatusOr<KeaValue> value = ParseKeaJson(R"(["\u00e4\u20ac\/\n\t\\\"\b\f\r"])");
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(value->items[0].text, "\xc3\xa4\xe2\x82\xac/\n\t\\\"\b\f\r");
  const absl::StatusOr<KeaValue> again = ParseKeaJson(ToStrictJson(*value));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->items[0].text, value->items[0].text);
}

TEST(KeaJsonTest, MistakesAreNamedWithLineAndColumn) {
  EXPECT_EQ(Words("{\n  \"a\" 1 }"), "line 2:7: a colon is expected here");
  EXPECT_EQ(Words("{\n  \"a\": 1\n  \"b\": 2 }"), "line 3:3: a comma or } is expected here");
  EXPECT_EQ(Words("{ \"a\": 1, \"a\": 2 }"), "line 1:11: \"a\" is given twice");
  EXPECT_EQ(Words("{ \"a\": tru }"), "line 1:8: a value is expected here");
  EXPECT_EQ(Words("{ \"a\": 1.2.3 }"), "line 1:8: this is not a number");
  EXPECT_EQ(Words("{ a: 1 }"), "line 1:3: a name in quotes is expected here");
  EXPECT_EQ(Words("{} x"), "line 1:4: something follows the configuration");
  EXPECT_EQ(Words("{ \"a\": \"x\n\" }"), "line 1:8: this string is not closed");
  EXPECT_EQ(Words("/* { }"), "line 1:1: this comment is not closed");
  EXPECT_EQ(Words(R"(["\x"])"), "line 1:3: unknown escape in a string");
  EXPECT_EQ(Words(R"(["\u12"])"), "line 1:5: \\u needs four hex digits");
}

TEST(KeaJsonTest, EveryTruncationIsAnError) {
  const std::string text = R"({"a":[1,{"b":"c\u00e4"},true],"d":null})";
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(ParseKeaJson(text.substr(0, size)).ok()) << size;
  }
  EXPECT_TRUE(ParseKeaJson(text).ok());
}

TEST(KeaJsonTest, DepthIsBounded) {
  EXPECT_EQ(Words(std::string(100000, '[')), "line 1:102: nested too deeply");
}

TEST(KeaJsonTest, IncludesAreRefusedWithWords) {
  const absl::StatusOr<KeaValue> value =
      ParseKeaJson("{ \"Dhcp4\": {\n  <?include \"subnets.json\"?> } }");
  EXPECT_EQ(value.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_NE(value.status().message().find("line 2:3: <?include?> is not supported"),
            absl::string_view::npos);
}

// What AppendElement makes of the outermost container.
std::string Appended(const std::string& text, const std::string& element) {
  const absl::StatusOr<KeaValue> value = ParseKeaJson(text);
  EXPECT_TRUE(value.ok()) << value.status();
  const std::string changed = AppendElement(text, *value, element);
  const absl::StatusOr<KeaValue> again = ParseKeaJson(changed);
  EXPECT_TRUE(again.ok()) << again.status() << "\n" << changed;
  EXPECT_EQ(again->members.size() + again->items.size(),
            value->members.size() + value->items.size() + 1)
      << changed;
  return changed;
}

TEST(KeaJsonTest, AnElementIsLaidOutLikeItsNeighbours) {
  EXPECT_EQ(Appended("{\"a\":1}", "\"n\": 2"), "{\"a\":1, \"n\": 2}");
  EXPECT_EQ(Appended("{ \"a\": 1 }", "\"n\": 2"), "{ \"a\": 1, \"n\": 2 }");
  EXPECT_EQ(Appended("{\n  \"a\": 1\n}\n", "\"n\": 2"), "{\n  \"a\": 1,\n  \"n\": 2\n}\n");
  EXPECT_EQ(Appended("{\r\n\t\"a\": 1\r\n}", "\"n\": 2"), "{\r\n\t\"a\": 1,\r\n\t\"n\": 2\r\n}");
  EXPECT_EQ(Appended("[\n  1,\n  2,\n]", "3"), "[\n  1,\n  2,\n  3\n]");
}

TEST(KeaJsonTest, AnElementNeverMovesOrSwallowsAComment) {
  EXPECT_EQ(Appended("{\n  \"a\": 1 // one\n}", "\"n\": 2"),
            "{\n  \"a\": 1, // one\n  \"n\": 2\n}");
  EXPECT_EQ(Appended("{\n  \"a\": 1, // one\n  # last, words\n}", "\"n\": 2"),
            "{\n  \"a\": 1, // one\n  # last, words\n  \"n\": 2\n}");
  EXPECT_EQ(Appended("{ \"a\": 1 # one\n}", "\"n\": 2"), "{ \"a\": 1, # one\n\"n\": 2\n}");
  EXPECT_EQ(Appended("{ \"a\": 1 /* , one */ }", "\"n\": 2"), "{ \"a\": 1, /* , one */ \"n\": 2 }");
  EXPECT_EQ(Appended("{ \"a\": 1 /* one */, }", "\"n\": 2"), "{ \"a\": 1 /* one */, \"n\": 2 }");
}

TEST(KeaJsonTest, AnEmptyContainerTakesAnElement) {
  EXPECT_EQ(Appended("{}", "\"n\": 2"), "{ \"n\": 2 }");
  EXPECT_EQ(Appended("[ ]", "2"), "[ 2 ]");
  EXPECT_EQ(Appended("[ // none yet\n  ]", "2"), "[ // none yet\n  2 ]");
  EXPECT_EQ(Appended("[ # none yet\n]", "2"), "[ # none yet\n 2 ]");
}

}  // namespace
}  // namespace trustline::agent
