#include "protos/yaml/document.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trustline::yaml {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Value MustParse(const std::string& text) {
  Diagnostics diagnostics;
  Value value = ParseYaml("t.yml", text, diagnostics);
  EXPECT_EQ(diagnostics.Render(), "");
  return value;
}

std::string Complaints(const std::string& text) {
  Diagnostics diagnostics;
  const Value value = ParseYaml("t.yml", text, diagnostics);
  EXPECT_TRUE(diagnostics.has_errors());
  EXPECT_TRUE(value.is_null());
  return diagnostics.Render();
}

TEST(Document, ScalarsFollowTheCoreSchema) {
  const Value v = MustParse(
      "{a: 1, b: -7, c: 0o17, d: 0x1F, e: 1.5, f: 1e3, g: true, h: False, i: null, j: ~, k: text,\n"
      " l: '5', m: \"true\", n: 10.10.0.1, o: 00:1b:54, p: .5, q: !!str 5, r: !!float 2, s: 0,\n"
      " t: ! 12, u: .inf, v: 1.}");
  EXPECT_EQ(v.Find("a")->int_value(), 1);
  EXPECT_EQ(v.Find("b")->int_value(), -7);
  EXPECT_EQ(v.Find("c")->int_value(), 15);
  EXPECT_EQ(v.Find("d")->int_value(), 31);
  EXPECT_EQ(v.Find("e")->float_value(), 1.5);
  EXPECT_EQ(v.Find("f")->float_value(), 1000);
  EXPECT_TRUE(v.Find("g")->bool_value());
  EXPECT_EQ(v.Find("h")->type(), Type::kBool);
  EXPECT_TRUE(v.Find("i")->is_null());
  EXPECT_TRUE(v.Find("j")->is_null());
  EXPECT_TRUE(v.Find("k")->plain());
  for (const char* key : {"k", "l", "m", "n", "o", "q", "t"}) {
    EXPECT_TRUE(v.Find(key)->is_string()) << key;
  }
  EXPECT_FALSE(v.Find("l")->plain());
  EXPECT_EQ(v.Find("p")->float_value(), .5);
  EXPECT_EQ(v.Find("r")->float_value(), 2);
  EXPECT_EQ(v.Find("s")->int_value(), 0);
  EXPECT_EQ(v.Find("u")->type(), Type::kFloat);
  EXPECT_EQ(v.Find("v")->float_value(), 1);
}

TEST(Document, LargestAndSmallestIntegersFitAndTheNextDoNot) {
  const Value v = MustParse("[9223372036854775807, -9223372036854775808]");
  EXPECT_EQ(v.list()[0].int_value(), INT64_MAX);
  EXPECT_EQ(v.list()[1].int_value(), INT64_MIN);
  EXPECT_THAT(Complaints("a: 9223372036854775808"), HasSubstr("does not fit 64 bits"));
}

TEST(Document, EmptyTextIsNullWithoutAnError) {
  EXPECT_TRUE(MustParse("").is_null());
  EXPECT_TRUE(MustParse("# nothing\n\n").is_null());
  EXPECT_TRUE(MustParse("---\n").is_null());
}

TEST(Document, EveryValueKnowsItsPlace) {
  const Value v = MustParse(
      "- name: über\n"
      "  list: [ab, \"c d\", 'e''f' ]\n"
      "  secret: !env HUB_PASSWORD   # here\n"
      "\r\n"
      "  deep:\n"
      "    key: &x value\n"
      "    text: |\n"
      "      one\n"
      "    again: *x\n");
  const Value& map = v.list()[0];
  const auto place = [](const Span& s) {
    return absl::StrCat(s.line, ":", s.column, "-", s.end_column);
  };
  EXPECT_EQ(place(v.span()), "1:1-2");
  EXPECT_EQ(place(map.span()), "1:3-4");
  EXPECT_EQ(place(map.Find("name")->span()), "1:9-14");  // ü is two bytes
  EXPECT_EQ(place(map.Find("list")->list()[0].span()), "2:10-12");
  EXPECT_EQ(place(map.Find("list")->list()[1].span()), "2:14-19");
  EXPECT_EQ(place(map.Find("list")->list()[2].span()), "2:21-27");
  EXPECT_EQ(place(map.Find("secret")->span()), "3:11-28");
  EXPECT_EQ(place(map.map()[3].key_span), "5:3-7");
  EXPECT_EQ(place(map.Find("deep")->Find("key")->span()), "6:10-18");
  EXPECT_EQ(place(map.Find("deep")->Find("text")->span()), "7:11-12");
  EXPECT_EQ(place(map.Find("deep")->Find("again")->span()), "9:12-14");
  EXPECT_EQ(map.Find("deep")->Find("again")->text(), "value");
  EXPECT_EQ(map.Find("list")->list()[2].text(), "e'f");
}

TEST(Document, PlacesAreExactAfterWindowsLineEndsAndAByteOrderMark) {
  Diagnostics diagnostics;
  const Value v = ParseYaml("t.yml",
                            "\xEF\xBB\xBF"
                            "a: 1\r\nb: two\r\n",
                            diagnostics);
  ASSERT_FALSE(diagnostics.has_errors());
  EXPECT_EQ(v.Find("b")->span().line, 2U);
  EXPECT_EQ(v.Find("b")->span().column, 4U);
  EXPECT_EQ(v.Find("b")->span().end_column, 7U);
  EXPECT_EQ(v.Find("b")->text(), "two");
}

TEST(Document, MissingValuesStandAtTheirKeyOrDash) {
  const Value v = MustParse("a:\n\n# comment\nb:\n  - x\n  -   # none\n\n  - y\n");
  EXPECT_TRUE(v.Find("a")->is_null());
  EXPECT_EQ(v.Find("a")->span().line, 1U);
  EXPECT_EQ(v.Find("b")->list()[1].span().line, 6U);
  EXPECT_EQ(v.Find("b")->list()[1].span().column, 3U);
}

TEST(Document, SecretsAreReferences) {
  const Value v = MustParse("[!env HUB_PASSWORD, !file '/etc/x y', !file rel/path]");
  EXPECT_EQ(v.list()[0].type(), Type::kSecret);
  EXPECT_EQ(v.list()[0].text(), "env:HUB_PASSWORD");
  EXPECT_EQ(v.list()[1].text(), "file:/etc/x y");
  EXPECT_EQ(v.list()[2].text(), "file:rel/path");
  EXPECT_THAT(Complaints("a: !env hub-password"), HasSubstr("!env takes the name"));
  EXPECT_THAT(Complaints("a: !env [x]"), HasSubstr("!env takes a name, not a list"));
  EXPECT_THAT(Complaints("a: !file"), HasSubstr("!file takes a path"));
}

TEST(Document, DuplicateKeysAreRefusedInEveryStyleShowingBoth) {
  EXPECT_EQ(Complaints("a: 1\nb: 2\na: 3\n"),
            "t.yml:3:1: error: key \"a\" is given twice in one map\n"
            "    3 | a: 3\n"
            "      | ^\n"
            "t.yml:1:1: note: the first one is here\n"
            "    1 | a: 1\n"
            "      | ^\n");
  EXPECT_THAT(Complaints("x: {unit: 1, 'unit': 2}"), HasSubstr("t.yml:1:14: error: key \"unit\""));
}

TEST(Document, OctalTrapIsRefused) {
  EXPECT_EQ(Complaints("mode: 0644\n"),
            "t.yml:1:7: error: number 0644 begins with a zero, which some readers take as octal; "
            "quote it, or write it without the zero or as 0o644\n"
            "    1 | mode: 0644\n"
            "      |       ^~~~\n");
  EXPECT_THAT(Complaints("a: -08"), Not(HasSubstr("0o")));
  EXPECT_THAT(Complaints("a: 007.5"), HasSubstr("begins with a zero"));
}

TEST(Document, WordsForBooleansAreStringsWithAWarning) {
  Diagnostics diagnostics;
  const Value v = ParseYaml("t.yml", "{a: yes, b: Off, on: 'no'}", diagnostics);
  EXPECT_FALSE(diagnostics.has_errors());
  EXPECT_EQ(diagnostics.all().size(), 2U);
  EXPECT_THAT(diagnostics.Render(), HasSubstr("t.yml:1:5: warning: yes is a string"));
  EXPECT_EQ(v.Find("a")->text(), "yes");
  EXPECT_EQ(v.Find("on")->text(), "no");
}

TEST(Document, KeysMustBeStrings) {
  EXPECT_THAT(Complaints("5: x"), HasSubstr("t.yml:1:1: error: key 5 is not a string; quote it"));
  EXPECT_THAT(Complaints("true: x"), HasSubstr("key true is not a string"));
  EXPECT_THAT(Complaints("~: x"), HasSubstr("key null is not a string"));
  EXPECT_THAT(Complaints("? [a, b]\n: x"), HasSubstr("a key must be a string"));
  EXPECT_THAT(Complaints("!env A: x"), HasSubstr("a key cannot be a secret"));
}

TEST(Document, BareTemplateIsExplained) {
  EXPECT_EQ(Complaints("hub: {{ sftp_hub }}\n"),
            "t.yml:1:6: error: a value that begins with {{ must be quoted: \"{{ ... }}\"\n"
            "    1 | hub: {{ sftp_hub }}\n"
            "      |      ^~\n");
  EXPECT_THAT(Complaints("hub: {{ a }}/b\n"), HasSubstr("must be quoted"));
}

TEST(Document, UnknownTagsAreRefused) {
  EXPECT_THAT(Complaints("a: !evn X"), HasSubstr("unknown tag !evn (did you mean \"!env\"?)"));
  EXPECT_THAT(Complaints("a: !vault |\n  x\n"), HasSubstr("unsupported: !vault"));
  EXPECT_THAT(Complaints("a: !!binary aGk="), HasSubstr("tag !!binary does not fit"));
  EXPECT_THAT(Complaints("a: !!int five"), HasSubstr("tag !!int does not fit \"five\""));
  EXPECT_THAT(Complaints("a: !thing {b: 1}"), HasSubstr("unknown tag !thing"));
}

TEST(Document, MergeKeysAreRefused) {
  EXPECT_THAT(Complaints("a: &a {x: 1}\nb: {<<: *a}\n"), HasSubstr("t.yml:2:5: error: merge keys"));
}

TEST(Document, AnchorsAreFineAndBombsAreNot) {
  const Value v = MustParse("a: &x [1, 2]\nb: [*x, *x]\n");
  EXPECT_EQ(v.Find("b")->list()[1].list().size(), 2U);
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    absl::StrAppend(&bomb, "a", i, ": &a", i, " [");
    for (int k = 0; k < 10; ++k) absl::StrAppend(&bomb, k ? ", " : "", "*a", i - 1);
    absl::StrAppend(&bomb, "]\n");
  }
  EXPECT_THAT(Complaints(bomb), HasSubstr("expand to more than 100000 values"));
  EXPECT_THAT(Complaints("a: &x [1, *x]"), HasSubstr("alias refers to the value that contains it"));
  EXPECT_THAT(Complaints("a: *nowhere"), HasSubstr("alias to an anchor that is not defined"));
}

TEST(Document, DepthIsBoundedAlsoThroughAliases) {
  EXPECT_FALSE(MustParse(std::string(64, '[') + std::string(64, ']')).is_null());
  EXPECT_THAT(Complaints(std::string(65, '[') + std::string(65, ']')),
              HasSubstr("t.yml:1:65: error: values are nested deeper than 64 levels"));
  EXPECT_THAT(Complaints(std::string(100'000, '[')), HasSubstr("nested"));
  std::string ladder = "a0: &a0 [x]\n";
  for (int i = 1; i < 70; ++i) absl::StrAppend(&ladder, "a", i, ": &a", i, " [*a", i - 1, "]\n");
  EXPECT_THAT(Complaints(ladder), HasSubstr("nested deeper than 64 levels"));
}

TEST(Document, UnreadableBytesAreNamed) {
  EXPECT_THAT(Complaints(std::string("a: x\0y", 6)),
              HasSubstr("t.yml:1:5: error: control character 0x00"));
  EXPECT_THAT(Complaints("a: \x1b[31m"), HasSubstr("control character 0x1b"));
  EXPECT_THAT(Complaints("ok: 1\na: \xff"), HasSubstr("t.yml:2:4: error: byte 0xff is not valid"));
  EXPECT_THAT(Complaints("a: \xc0\x80"), HasSubstr("not valid UTF-8"));
  EXPECT_THAT(Complaints("a: \xed\xa0\x80"), HasSubstr("not valid UTF-8"));
}

TEST(Document, SizeIsBounded) {
  EXPECT_THAT(Complaints(std::string((4 << 20) + 1, '#')),
              HasSubstr("t.yml: error: file is larger than 4 MiB"));
}

TEST(Document, OneDocumentPerFile) {
  EXPECT_FALSE(MustParse("---\na: 1\n...\n").is_null());
  EXPECT_THAT(Complaints("a: 1\n---\nb: 2\n"),
              HasSubstr("t.yml:2:1: error: a second document begins here"));
  EXPECT_THAT(Complaints("- a\nb: c\n"), HasSubstr("t.yml:2:1: error: "));
  EXPECT_THAT(Complaints("[a]]\n"), HasSubstr("error: "));
}

TEST(Document, AllErrorsComeInOneGo) {
  const std::string all = Complaints("a: 01\nb: !nope x\na: 2\n7: x\n");
  EXPECT_THAT(all, HasSubstr("t.yml:1:4: error: number 01"));
  EXPECT_THAT(all, HasSubstr("t.yml:2:4: error: unknown tag !nope"));
  EXPECT_THAT(all, HasSubstr("t.yml:3:1: error: key \"a\""));
  EXPECT_THAT(all, HasSubstr("t.yml:4:1: error: key 7"));
}

TEST(Document, SyntaxErrorsHaveAPlaceAndSayWhatToDo) {
  EXPECT_THAT(Complaints("a: b: c\n"), HasSubstr("t.yml:1:5: error: a second \": \" in one line"));
  EXPECT_THAT(Complaints("a: [1, 2\nb: 3\n"), HasSubstr("error: "));
  EXPECT_THAT(Complaints("a: \"x\n"), HasSubstr("t.yml:1:4: error: this quoted string has no end"));
  EXPECT_THAT(Complaints("a:\n\tb: 1\n"), HasSubstr("t.yml:2:"));
  EXPECT_THAT(Complaints("a: b\nc\n"), HasSubstr("t.yml:2:1: error: expected \":\" after \"c\""));
  EXPECT_THAT(Complaints("a: [b, , c]\n"), HasSubstr("t.yml:1:8: error: a list item is missing"));
  EXPECT_EQ(Complaints("{a: b\n"),
            "t.yml:2:1: error: expected \",\" or \"}\" here\n    2 | \n      | ^\n");
  EXPECT_FALSE(MustParse("? a\n? b\n").is_null());
  EXPECT_FALSE(MustParse("a : 1\n\"b\" : 2\n&k c: 3\n!!str d: 4\n").is_null());
  EXPECT_THAT(Complaints("a: @x\n"), HasSubstr("t.yml:1:4: error: unexpected character"));
}

// Whatever the bytes: an answer, spans inside the text, and messages that can be printed.
TEST(Document, BrokenTextNeverBreaksTheReader) {
  const std::string good =
      "- name: \"Export\" # all\n  hosts: source:destination\n  tasks:\n"
      "    - bundle_export: { hub: &h { host: 'h', password: !env P }, units: [a, b] }\n"
      "    - text: |\n        one\n        two\n      more: >-\n        folded\n"
      "    - ? key\n      : *h\n      x: !!str 5\n";
  const std::string alphabet = "{}[]:,-?&*!|>'\"%@`#~ \t\n\r\\0aß\x01\xff";
  uint32_t state = 12345;
  const auto next = [&state](size_t limit) {
    state = state * 1664525U + 1013904223U;
    return static_cast<size_t>(state >> 8) % limit;
  };
  for (int round = 0; round < 3000; ++round) {
    std::string text = good;
    for (size_t edits = 1 + next(4); edits > 0; --edits) {
      const size_t at = next(text.size());
      switch (next(3)) {
        case 0:
          text.erase(at, 1 + next(5));
          break;
        case 1:
          text[at] = alphabet[next(alphabet.size())];
          break;
        default:
          text.insert(at, 1, alphabet[next(alphabet.size())]);
      }
    }
    Diagnostics diagnostics;
    ParseYaml("t.yml", text, diagnostics);
    const auto lines = static_cast<uint32_t>(std::count(text.begin(), text.end(), '\n') + 1);
    for (const Diagnostic& item : diagnostics.all()) {
      ASSERT_GE(item.span.line, 1U) << text;
      ASSERT_LE(item.span.line, lines) << text;
    }
    ASSERT_EQ(diagnostics.Render().find('\x01'), std::string::npos);
  }
}

TEST(Document, UnreadableFileIsAnErrorWithoutPlace) {
  Diagnostics diagnostics;
  LoadYaml("/nonexistent/x.yml", diagnostics);
  EXPECT_EQ(diagnostics.Render(),
            "error: cannot read /nonexistent/x.yml: No such file or directory\n");
  Diagnostics directory;
  LoadYaml(::testing::TempDir(), directory);
  EXPECT_THAT(directory.Render(), HasSubstr("not a regular file"));
}

TEST(Document, FileIsReadUnderItsName) {
  const std::string path = absl::StrCat(::testing::TempDir(), "/tl-document-", getpid(), ".yml");
  std::ofstream(path) << "a: [1, 2]\nb: 07\n";
  Diagnostics diagnostics;
  LoadYaml(path, diagnostics);
  EXPECT_THAT(diagnostics.Render(), HasSubstr(absl::StrCat(path, ":2:4: error: ")));
  unlink(path.c_str());
}

}  // namespace
}  // namespace trustline::yaml
