#include "protos/yaml/diagnostics.h"

#include <memory>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace trustline::yaml {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::shared_ptr<const SourceFile> File(std::string name, std::string text) {
  auto file = std::make_shared<SourceFile>();
  file->name = std::move(name);
  file->text = std::move(text);
  return file;
}

TEST(Diagnostics, ErrorLooksAsPromised) {
  const auto file =
      File("migrate-phones.yml",
           std::string(13, '\n') +
               "    - bundle_import: { unit: [CallManager], hub: \"{{ sftp_hub }}\" }\n");
  Diagnostics diagnostics;
  diagnostics.Error({file, 14, 24, 28}, "unknown field \"unit\" in bundle_import" +
                                            DidYouMeanSuffix("unit", {"hub", "exchange", "units"}));
  EXPECT_EQ(diagnostics.Render(),
            "migrate-phones.yml:14:24: error: unknown field \"unit\" in bundle_import (did you "
            "mean \"units\"?)\n"
            "   14 |     - bundle_import: { unit: [CallManager], hub: \"{{ sftp_hub }}\" }\n"
            "      |                        ^~~~\n");
  EXPECT_EQ(diagnostics.ToStatus().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(diagnostics.ToStatus().message(), diagnostics.Render());
}

TEST(Diagnostics, ComeInTheOrderOfPlaceWithTheirNotes) {
  const auto a = File("a.yml", "one\ntwo\nthree\n");
  const auto b = File("b.yml", "x\n");
  Diagnostics diagnostics;
  diagnostics.Error({a, 3, 1, 6}, "last");
  diagnostics.Note({a, 1, 1, 4}, "about the last");
  diagnostics.Error({b, 1, 1, 2}, "other file");
  diagnostics.Warning({a, 2, 1, 4}, "first");
  const std::string text = diagnostics.Render();
  EXPECT_LT(text.find("warning: first"), text.find("error: last"));
  EXPECT_LT(text.find("error: last"), text.find("a.yml:1:1: note: about the last"));
  EXPECT_LT(text.find("note: about"), text.find("b.yml:1:1: error: other file"));
  EXPECT_EQ(diagnostics.errors(), 2);
}

TEST(Diagnostics, SameMistakeIsSaidOnce) {
  const auto file = File("a.yml", "one\n");
  Diagnostics diagnostics;
  diagnostics.Error({file, 1, 1, 4}, "wrong");
  diagnostics.Error({file, 1, 1, 4}, "wrong");
  EXPECT_EQ(diagnostics.Render(), "a.yml:1:1: error: wrong\n    1 | one\n      | ^~~\n");
}

TEST(Diagnostics, ShowAHundredAndCountTheRest) {
  Diagnostics diagnostics;
  for (int i = 0; i < 150; ++i) diagnostics.Error(Span(), "wrong " + std::to_string(i));
  EXPECT_THAT(diagnostics.Render(), HasSubstr("error: wrong 99\nnote: 50 more are not shown\n"));
  EXPECT_EQ(diagnostics.errors(), 150);
}

TEST(Diagnostics, WithoutFileThereIsNoPlace) {
  Diagnostics diagnostics;
  EXPECT_TRUE(diagnostics.ToStatus().ok());
  diagnostics.Warning(Span(), "careful");
  EXPECT_TRUE(diagnostics.ToStatus().ok());
  diagnostics.Error(Span(), "no such file");
  EXPECT_EQ(diagnostics.Render(), "warning: careful\nerror: no such file\n");
}

TEST(Diagnostics, CaretKeepsItsPlaceBehindTabsAndUmlauts) {
  const auto file = File("a.yml", "\tü: \"größe\" x\n");
  Diagnostics diagnostics;
  diagnostics.Error({file, 1, 6, 15}, "wrong");
  EXPECT_THAT(diagnostics.Render(), HasSubstr("    1 | \tü: \"größe\" x\n      | \t   ^~~~~~~\n"));
}

TEST(Diagnostics, WhatATerminalWouldActUponIsDefused) {
  const auto file = File("a\x1b[2J.yml", "x: \x1b[31m\xff\n");
  Diagnostics diagnostics;
  diagnostics.Error({file, 1, 4, 5}, "bad \x1b[31m value");
  EXPECT_THAT(diagnostics.Render(), Not(HasSubstr("\x1b")));
  EXPECT_THAT(diagnostics.Render(), HasSubstr("bad \\x1b[31m value"));
  EXPECT_THAT(diagnostics.Render(), HasSubstr("    1 | x: ?[31m?\n"));
}

TEST(Diagnostics, PlaceBeyondTheEndIsHarmless) {
  const auto file = File("a.yml", "one");
  Diagnostics diagnostics;
  diagnostics.Error({file, 7, 9, 12}, "wrong");
  EXPECT_EQ(diagnostics.Render(), "a.yml:7:9: error: wrong\n    7 | \n      | ^\n");
}

TEST(Diagnostics, LongLinesAreShownAroundThePlace) {
  const auto file = File("a.yml", std::string(5000, 'x') + "HERE" + std::string(5000, 'x'));
  Diagnostics diagnostics;
  diagnostics.Error({file, 1, 5001, 5005}, "wrong");
  const std::string text = diagnostics.Render();
  EXPECT_LT(text.size(), 600U);
  const size_t here = text.find("HERE");
  const size_t line = text.rfind('\n', here);
  const size_t caret = text.find("^~~~");
  ASSERT_NE(caret, std::string::npos);
  EXPECT_EQ(here - line, caret - text.rfind('\n', caret));
}

TEST(Diagnostics, HiddenTextIsNotShown) {
  const auto file = File("a.yml", "{ user: x, password: hunter2, port: a }\npassword: |2\n");
  Diagnostics diagnostics;
  diagnostics.Hide({file, 1, 22, 29});
  diagnostics.Hide({file, 2, 11, 0});
  diagnostics.Error({file, 1, 37, 38}, "wrong");
  diagnostics.Error({file, 2, 1, 9}, "wrong");
  EXPECT_THAT(diagnostics.Render(), Not(HasSubstr("hunter2")));
  EXPECT_THAT(diagnostics.Render(), HasSubstr("{ user: x, password: *******, port: a }"));
  EXPECT_THAT(diagnostics.Render(), HasSubstr("    2 | password: **\n"));
}

TEST(DidYouMean, NearestWithinAThird) {
  const std::vector<std::string> fields = {"hub", "exchange", "units", "bundle_password"};
  EXPECT_EQ(DidYouMean("unit", fields), "units");
  EXPECT_EQ(DidYouMean("exhcange", fields), "exchange");
  EXPECT_EQ(DidYouMean("Units", fields), "units");
  EXPECT_EQ(DidYouMean("bundlepasswd", fields), "bundle_password");
  EXPECT_EQ(DidYouMean("something", fields), "");
  EXPECT_EQ(DidYouMean("x", fields), "");
  EXPECT_EQ(DidYouMeanSuffix("something", fields), "");
}

}  // namespace
}  // namespace trustline::yaml
