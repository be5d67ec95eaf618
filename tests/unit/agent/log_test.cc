#include "agent/log.h"

#include <vector>

#include "gtest/gtest.h"

namespace trustline::agent {
namespace {

const absl::Time kWhen = absl::FromUnixMillis(1'795'332'945'123);

class LogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SetLogSink([this](const std::string& line) { lines_.push_back(line); });
  }
  void TearDown() override {
    SetLogSink(nullptr);
    ASSERT_TRUE(ConfigureLog("", "").ok());
  }
  std::vector<std::string> lines_;
};

TEST_F(LogTest, TextLineHoldsUtcTimeLevelMessageAndFields) {
  EXPECT_EQ(FormatLogLine(LogFormat::kText, kWhen, LogLevel::kInfo, "apply finished",
                          {{"run", "20261122-7"}, {"error", "disk is full"}, {"empty", ""}}),
            "2026-11-22T07:35:45.123Z info apply finished run=20261122-7 error=\"disk is full\" "
            "empty=\"\"");
}

TEST_F(LogTest, JsonLineIsOneObject) {
  EXPECT_EQ(
      FormatLogLine(LogFormat::kJson, kWhen, LogLevel::kWarning, "call", {{"error", "say \"no\""}}),
      "{\"ts\":\"2026-11-22T07:35:45.123Z\",\"level\":\"warning\",\"message\":\"call\",\"error\":"
      "\"say \\\"no\\\"\"}");
}

TEST_F(LogTest, NoValueCanForgeALineOrAnEscapeSequence) {
  for (const LogFormat format : {LogFormat::kText, LogFormat::kJson}) {
    const std::string line = FormatLogLine(
        format, kWhen, LogLevel::kError, "a\nb",
        {{"caller", "x\n2026-11-22T00:00:00Z info forged \x1b[31m"}, {"bytes", "\xff\xfe"}});
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    EXPECT_EQ(line.find('\x1b'), std::string::npos) << line;
    EXPECT_EQ(line.find('\xff'), std::string::npos) << line;
  }
}

TEST_F(LogTest, LevelBelowTheConfiguredOneIsDropped) {
  ASSERT_TRUE(ConfigureLog("json", "warning").ok());
  Log(LogLevel::kInfo, "quiet");
  Log(LogLevel::kError, "loud");
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_NE(lines_[0].find("\"loud\""), std::string::npos);
}

TEST_F(LogTest, UnknownWordsAreRefusedAndChangeNothing) {
  EXPECT_EQ(ConfigureLog("xml", "info").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ConfigureLog("json", "loud").code(), absl::StatusCode::kInvalidArgument);
  Log(LogLevel::kInfo, "still text");
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_NE(lines_[0].front(), '{');
}

}  // namespace
}  // namespace trustline::agent
