#include "agent/config.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_directory.h"

namespace trustline::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A directory with an identity's three files; DIR in texts stands for it.
class ConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"agent.pem", "agent.key", "ca.pem"}) {
      std::ofstream(directory_ + "/" + name) << "PEM\n";
    }
    ASSERT_EQ(chmod((directory_ + "/agent.key").c_str(), 0600), 0);
  }

  absl::StatusOr<v1::AgentConfig> Load(const std::string& text) {
    const std::string path = directory_ + "/agent.yaml";
    std::ofstream(path) << absl::StrReplaceAll(text, {{"DIR", directory_}});
    return LoadAgentConfig(path);
  }
  // The errors with DIR for the directory; a missing error is one of its own.
  std::string Complaints(const std::string& text) {
    const auto loaded = Load(text);
    if (loaded.ok()) return "no error";
    EXPECT_EQ(loaded.status().code(), absl::StatusCode::kInvalidArgument);
    return absl::StrReplaceAll(loaded.status().message(), {{directory_, "DIR"}});
  }

  const testing::TempDirectory scratch_;
  const std::string directory_ = scratch_.path();
};

constexpr char kMinimal[] =
    "node: src-pub\n"
    "domain: example.net\n"
    "identity: { certificate: DIR/agent.pem, key: DIR/agent.key, ca: DIR/ca.pem }\n"
    "roles: [{ operator: '*', role: operator }]\n";

std::string With(const std::string& more) { return absl::StrCat(kMinimal, more); }

TEST_F(ConfigTest, MinimalFileGetsDefaults) {
  const auto config = Load(kMinimal);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->node(), "src-pub");
  EXPECT_EQ(config->listen(), "0.0.0.0:9443");
  EXPECT_EQ(config->state_directory(), "/var/lib/trustline");
  EXPECT_EQ(config->max_message_bytes(), 8388608U);
  EXPECT_EQ(config->log_format(), "text");
  EXPECT_EQ(config->roles(0).role(), v1::ROLE_OPERATOR);
  EXPECT_FALSE(config->has_kea());
}

TEST_F(ConfigTest, FullFileIsAccepted) {
  const auto config = Load(With(
      "listen: 127.0.0.1:0\n"
      "port_file: /run/trustline/port\n"
      "state_directory: DIR/state\n"
      "writable: [/srv/certs, /etc/kea/]\n"
      "certificates:\n"
      "  root: /srv/certs\n"
      "  one_per_subject: [tomcat-trust]\n"
      "  merged: [{ store: CallManager-trust, file: DIR/state/merged.pem }]\n"
      "kea: { address: 10.30.0.2 }\n"
      "services:\n"
      "  - { name: tvs, unit: tvs.service }\n"
      "  - { name: d, pid_file: { path: /run/d.pid, signal: USR1 } }\n"
      "  - { name: c, command: { status: [/bin/a], start: [/bin/b, x], restart: [/bin/c] } }\n"));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->kea().config(), "/etc/kea/kea-dhcp4.conf");
  EXPECT_EQ(config->services(2).command().timeout_seconds(), 30U);
}

TEST_F(ConfigTest, FieldErrorsHaveTheirPlace) {
  const std::string all = Complaints(
      "node: src-pub\ndomian: example.net\nidentity: { key: 5 }\n"
      "roles: [{ operator: ann, role: root }]\nlog_level: loud\n");
  EXPECT_THAT(all, HasSubstr("DIR/agent.yaml:2:1: error: unknown field \"domian\" in agent.yaml "
                             "(did you mean \"domain\"?)\n    2 | domian: example.net\n"
                             "      | ^~~~~~\n"));
  EXPECT_THAT(all, HasSubstr("agent.yaml:3:18: error: \"key\" in identity must be a string"));
  EXPECT_THAT(all, HasSubstr("missing required fields \"certificate\" and \"ca\" in identity"));
  EXPECT_THAT(all, HasSubstr("\"role\" in roles must be viewer, operator or admin, not \"root\""));
  EXPECT_THAT(all, HasSubstr("\"log_level\" in agent.yaml must be debug, info, warning or error"));
}

TEST_F(ConfigTest, EmptyAndMissingFilesAreErrors) {
  EXPECT_THAT(Complaints("# nothing\n"), HasSubstr("agent.yaml is empty"));
  EXPECT_THAT(LoadAgentConfig(directory_ + "/none.yaml").status().message(),
              HasSubstr("none.yaml: No such file or directory"));
}

TEST_F(ConfigTest, APathWithEmptyPartsIsRefusedHereNotAtTheFirstWrite) {
  const std::string all =
      Complaints(With("state_directory: /srv/state/\nwritable: [/srv//kea/]\n"));
  for (const char* path : {"/srv/state/", "/srv//kea"}) {
    EXPECT_THAT(all,
                HasSubstr(absl::StrCat("error: \"", path,
                                       "\" must be a path without // and without / at its end")));
  }
}

TEST_F(ConfigTest, PathsAreAbsoluteAndStraight) {
  const std::string all = Complaints(With(
      "port_file: port\n"
      "state_directory: /var/lib/../x\n"
      "writable: [srv]\n"
      "kea: { address: 10.30.0.2, config: DIR/kea.conf, control_socket: sock }\n"
      "services:\n"
      "  - { name: d, pid_file: { path: d.pid } }\n"
      "  - { name: c, command: { status: [a], start: [/b], restart: [/c], reload: [kill] } }\n"));
  for (const char* path : {"port", "srv", "sock", "d.pid", "a", "kill"}) {
    EXPECT_THAT(all, HasSubstr(absl::StrCat("error: \"", path, "\" must be an absolute path")));
  }
  EXPECT_THAT(all, HasSubstr("agent.yaml:6:18: error: \"/var/lib/../x\" must be a path without"));
  EXPECT_THAT(all, HasSubstr("agent.yaml:11:36: error: \"a\" must"));
}

TEST_F(ConfigTest, ListenIsAnAddressAndAPort) {
  for (const char* listen : {"9443", "localhost:9443", "1.2.3.4", "1.2.3.4:65536", "1.2.3.4:-1",
                             "1.2.3.4:", "1.2.3.4:1:2", "300.1.1.1:5"}) {
    EXPECT_THAT(Complaints(With(absl::StrCat("listen: '", listen, "'\n"))),
                HasSubstr("agent.yaml:5:9: error: \"listen\" must be an IPv4 address and a port"))
        << listen;
  }
}

TEST_F(ConfigTest, WhatTheAgentReplacesLiesBelowWritable) {
  const std::string all = Complaints(
      With("writable: [/srv/certs]\n"
           "certificates: { root: /srv/certsx, merged: [{ store: a, file: /opt/pem/a.pem }] }\n"
           "kea: { address: 10.30.0.2 }\n"));
  EXPECT_THAT(all, HasSubstr("agent.yaml:6:23: error: the agent writes /srv/certsx, which is not "
                             "below a directory of \"writable\"; add /srv/certsx there"));
  EXPECT_THAT(all, HasSubstr("agent.yaml:6:63: error: the agent writes /opt/pem/a.pem, which is "
                             "not below a directory of \"writable\"; add /opt/pem there"));
  EXPECT_THAT(all, HasSubstr("agent.yaml:7:6: error: the agent writes /etc/kea/kea-dhcp4.conf, "
                             "which is not below a directory of \"writable\"; add /etc/kea there"));
  EXPECT_THAT(Complaints(With("writable: [/]\n")), HasSubstr("the agent may not write everywhere"));
}

TEST_F(ConfigTest, KeyIsPrivateToItsOwner) {
  ASSERT_EQ(chmod((directory_ + "/agent.key").c_str(), 0640), 0);
  EXPECT_THAT(
      Complaints(kMinimal),
      ::testing::ContainsRegex("agent.yaml:3:[0-9]+: error: key DIR/agent.key has mode 0640"));
  ASSERT_EQ(chmod((directory_ + "/agent.key").c_str(), 0400), 0);
  EXPECT_TRUE(Load(kMinimal).ok());
}

TEST_F(ConfigTest, IdentityFilesMustBeThere) {
  std::filesystem::remove(directory_ + "/ca.pem");
  std::filesystem::remove(directory_ + "/agent.key");
  std::filesystem::create_directory(directory_ + "/agent.key");
  const std::string all = Complaints(kMinimal);
  EXPECT_THAT(all, HasSubstr("cannot read DIR/ca.pem: No such file or directory"));
  EXPECT_THAT(all, HasSubstr("DIR/agent.key is not a regular file"));
}

TEST_F(ConfigTest, NamesAreUnique) {
  const std::string all =
      Complaints(With("services:\n  - { name: tvs, unit: a }\n  - { name: tvs, unit: b }\n"
                      "certificates:\n  root: /var/lib/trustline/certs\n  merged:\n"
                      "    - { store: s, file: /var/lib/trustline/a.pem }\n"
                      "    - { store: s, file: /var/lib/trustline/a.pem }\n"));
  EXPECT_THAT(all, HasSubstr("agent.yaml:7:13: error: service \"tvs\" is named twice"));
  EXPECT_THAT(all, HasSubstr("agent.yaml:6:13: note: the first one is here"));
  EXPECT_THAT(all, HasSubstr("store \"s\" is named twice"));
  EXPECT_THAT(all, HasSubstr("file \"/var/lib/trustline/a.pem\" is named twice"));
}

TEST_F(ConfigTest, NumbersAndAddressesAreSane) {
  const std::string all = Complaints(
      With("max_message_bytes: 10\nkea: { address: nowhere, config: /var/lib/trustline/kea.conf }\n"
           "services: [{ name: c, command: { status: [/a], start: [/b], restart: [/c], "
           "timeout_seconds: 0 } }]\n"));
  EXPECT_THAT(all, HasSubstr("\"max_message_bytes\" must be between 65536 and 67108864"));
  EXPECT_THAT(all, HasSubstr("\"address\" in kea must be an IPv4 address, not \"nowhere\""));
  EXPECT_THAT(all, HasSubstr("\"timeout_seconds\" must be at least 1"));
}

TEST_F(ConfigTest, ADatabaseOfTvsdLiesBelowWritableAloneWithATtlTvsctlTakes) {
  const std::string base = "writable: [/srv]\ncertificates:\n  root: /srv/certs\n";
  const auto config = Load(With(base + "  tvsd: { file: /srv/tvs.db }\n"));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->certificates().tvsd().file(), "/srv/tvs.db");
  EXPECT_EQ(config->certificates().tvsd().ttl_seconds(), 86400u);
  EXPECT_THAT(Complaints(With(base + "  tvsd: { file: /var/lib/tvs.db }\n")),
              HasSubstr("agent.yaml:8:17: error: the agent writes /var/lib/tvs.db, which is not "
                        "below a directory of \"writable\""));
  for (const char* ttl : {"0", "2592001"}) {
    EXPECT_THAT(Complaints(With(
                    absl::StrCat(base, "  tvsd: { file: /srv/tvs.db, ttl_seconds: ", ttl, " }\n"))),
                HasSubstr("\"ttl_seconds\" must be between 1 and 2592000"));
  }
  EXPECT_THAT(Complaints(With(base + "  merged: [{ store: a, file: /srv/tvs.db }]\n"
                                     "  tvsd: { file: /srv/tvs.db }\n")),
              HasSubstr("agent.yaml:9:17: error: "));
}

TEST_F(ConfigTest, DefaultIsNotBlamedForAValueThatWasRefused) {
  EXPECT_THAT(Complaints(With("listen: 5\n")), Not(HasSubstr("IPv4 address and a port")));
}

}  // namespace
}  // namespace trustline::agent
