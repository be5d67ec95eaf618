// What is packaged with the agent: its example configuration and its systemd unit belong together.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/config.h"
#include "tests/support/temp_directory.h"

namespace trustline::agent {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;

std::string Packaged(const std::string& name) {
  std::ifstream file(absl::StrCat(TRUSTLINE_SOURCE_DIR, "/agent/packaging/", name));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The values of a key of the unit; "-" before a path means that it may be missing.
std::vector<std::string> UnitValues(const std::string& key) {
  std::vector<std::string> values;
  for (const absl::string_view line :
       absl::StrSplit(Packaged("trustline-agent.service"), absl::ByChar('\n'))) {
    absl::string_view rest = line;
    if (!absl::ConsumePrefix(&rest, key + "=")) continue;
    for (absl::string_view value : absl::StrSplit(rest, ' ', absl::SkipEmpty()))
      values.emplace_back(absl::StripPrefix(value, "-"));
  }
  return values;
}

class PackagingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"src-pub.crt", "src-pub.key", "ca.crt"}) {
      std::ofstream(directory_ + "/" + name) << "PEM\n";
    }
    ASSERT_EQ(chmod((directory_ + "/src-pub.key").c_str(), 0600), 0);
  }

  // With the identity's files where this test has them.
  absl::StatusOr<v1::AgentConfig> Load(const std::string& text) {
    const std::string path = directory_ + "/agent.yaml";
    std::ofstream(path) << absl::StrReplaceAll(text, {{"/etc/trustline/pki", directory_}});
    return LoadAgentConfig(path);
  }
  // systemd must let the agent write all it is told to write.
  void ExpectCovered(const v1::AgentConfig& config) {
    std::vector<std::string> covered = UnitValues("ReadWritePaths");
    for (const std::string& name : UnitValues("StateDirectory"))
      covered.push_back("/var/lib/" + name);
    std::vector<std::string> written(config.writable().begin(), config.writable().end());
    written.push_back(config.state_directory());
    for (const std::string& path : written) {
      EXPECT_TRUE(std::any_of(covered.begin(), covered.end(),
                              [&](const std::string& root) {
                                return path == root || absl::StartsWith(path, root + "/");
                              }))
          << path << " is not below ReadWritePaths or StateDirectory of trustline-agent.service";
    }
  }

  const testing::TempDirectory scratch_;
  const std::string directory_ = scratch_.path();
};

TEST_F(PackagingTest, TheExampleOfAClusterNodeIsRightAndItsUnitLetsItWrite) {
  const absl::StatusOr<v1::AgentConfig> config = Load(Packaged("agent.yaml"));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->writable(), Not(IsEmpty()));
  ExpectCovered(*config);
}

// The same file as its comments say for a DHCP server.
TEST_F(PackagingTest, TheExampleOfADhcpServerIsRightAndItsUnitLetsItWrite) {
  std::string text;
  bool cluster_only = false, dhcp = false;
  for (const absl::string_view line : absl::StrSplit(Packaged("agent.yaml"), '\n')) {
    if (!absl::StartsWith(line, " ")) {
      cluster_only = absl::StartsWith(line, "writable:") ||
                     absl::StartsWith(line, "certificates:") || absl::StartsWith(line, "services:");
    }
    if (absl::StartsWith(line, "# On a DHCP server")) {
      dhcp = true;
    } else if (!cluster_only) {
      absl::StrAppend(&text, dhcp ? absl::StripPrefix(line, "# ") : line, "\n");
    }
  }
  ASSERT_TRUE(dhcp);
  const absl::StatusOr<v1::AgentConfig> config = Load(text);
  ASSERT_TRUE(config.ok()) << config.status() << text;
  EXPECT_TRUE(config->has_kea());
  ExpectCovered(*config);
}

// What the unit stops waiting for must be longer than what the agent takes to drain.
TEST_F(PackagingTest, TheUnitWaitsForTheDrain) {
  const absl::StatusOr<v1::AgentConfig> config = Load(Packaged("agent.yaml"));
  ASSERT_TRUE(config.ok()) << config.status();
  const std::vector<std::string> timeout = UnitValues("TimeoutStopSec");
  ASSERT_EQ(timeout.size(), 1u);
  EXPECT_GT(std::stoul(timeout[0]), config->drain_seconds() + 15u);
}

}  // namespace
}  // namespace trustline::agent
