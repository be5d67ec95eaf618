#include "agent/service/identity_keeper.h"

#include <sys/stat.h>

#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/service/service_fixture.h"

namespace trustline::agent {
namespace {

using ::testing::HasSubstr;
using ::trustline::testing::ReadFile;
using ::trustline::testing::TestAgent;
using ::trustline::testing::TestIdentity;
using ::trustline::testing::TestPki;
using ::trustline::testing::WriteFile;

class IdentityKeeperTest : public ::testing::Test {
 protected:
  void Open() {
    absl::StatusOr<std::unique_ptr<IdentityKeeper>> opened =
        IdentityKeeper::Open(agent_.config, agent_.clock);
    ASSERT_TRUE(opened.ok()) << opened.status();
    keeper_ = *std::move(opened);
  }
  absl::Status OpenError() { return IdentityKeeper::Open(agent_.config, agent_.clock).status(); }
  // What is on disk for gRPC is one whole set, the one that is believed.
  void ExpectServed(const TestIdentity& identity) {
    EXPECT_EQ(ReadFile(keeper_->certificate_path()), identity.certificate_pem());
    EXPECT_EQ(ReadFile(keeper_->key_path()), identity.key_pem());
    EXPECT_EQ(keeper_->Current().certificate, identity.certificate);
  }

  TestPki pki_;
  TestAgent agent_{pki_, "src-pub"};
  TestIdentity first_ = pki_.AgentIdentity("src-pub");
  std::unique_ptr<IdentityKeeper> keeper_;

  void SetUp() override { agent_.WriteIdentity(first_, pki_.roots()); }
};

TEST_F(IdentityKeeperTest, NewPairIsTakenUp) {
  Open();
  ExpectServed(first_);
  EXPECT_FALSE(keeper_->Poll().value());
  const TestIdentity second = pki_.AgentIdentity("src-pub");
  agent_.WriteIdentity(second, pki_.roots());
  EXPECT_TRUE(keeper_->Poll().value());
  ExpectServed(second);
  EXPECT_FALSE(keeper_->Poll().value());
}

TEST_F(IdentityKeeperTest, MismatchedPairIsRefusedOnceAndTheOldOneStays) {
  Open();
  const TestIdentity second = pki_.AgentIdentity("src-pub");
  WriteFile(agent_.config.identity().certificate(),
            second.certificate_pem());  // the key is still the first one's
  const absl::Status refused = keeper_->Poll().status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("does not belong to the certificate"));
  ExpectServed(first_);
  EXPECT_FALSE(keeper_->Poll().value());  // said once
  WriteFile(agent_.config.identity().key(), second.key_pem());
  EXPECT_TRUE(keeper_->Poll().value());
  ExpectServed(second);
}

TEST_F(IdentityKeeperTest, WhatIsNotThisAgentsValidIdentityIsRefused) {
  Open();
  const TestPki foreign;
  const auto refusal = [&](const TestIdentity& identity) {
    agent_.WriteIdentity(identity, pki_.roots());
    const absl::StatusOr<bool> polled = keeper_->Poll();
    ExpectServed(first_);
    return polled.ok() ? "taken up or not noticed" : std::string(polled.status().message());
  };
  EXPECT_THAT(refusal(pki_.AgentIdentity("src-sub1")),
              HasSubstr("is the certificate of trustline://example.test/agent/src-sub1, this agent "
                        "is trustline://example.test/agent/src-pub"));
  EXPECT_THAT(refusal(pki_.OperatorIdentity("src-pub")),
              HasSubstr("trustline://example.test/operator/src-pub"));
  EXPECT_THAT(refusal(foreign.AgentIdentity("src-pub")), HasSubstr("does not hold against"));
  EXPECT_THAT(refusal(pki_.Issue({pki_.domain, IdentityKind::kAgent, "src-pub"},
                                 TestPki::ValidFrom(), absl::Hours(24))),
              HasSubstr("expired"));
}

TEST_F(IdentityKeeperTest, VanishedOrBrokenFilesChangeNothing) {
  Open();
  std::filesystem::remove(agent_.config.identity().key());
  EXPECT_FALSE(keeper_->Poll().ok());
  EXPECT_FALSE(keeper_->Poll().value());
  WriteFile(agent_.config.identity().key(), "-----BEGIN PRIVATE KEY-----\nnonsense\n");
  const absl::Status broken = keeper_->Poll().status();
  EXPECT_FALSE(broken.ok());
  EXPECT_EQ(std::string(broken.message()).find("nonsense"), std::string::npos);
  ExpectServed(first_);
  agent_.WriteIdentity(first_, pki_.roots());
  EXPECT_FALSE(keeper_->Poll().value());
}

TEST_F(IdentityKeeperTest, StartNeedsAPrivateKeyThatIsPrivate) {
  WriteFile(agent_.config.identity().key(), first_.key_pem(), 0640);
  const absl::Status refused = OpenError();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("chmod 0600"));
}

TEST_F(IdentityKeeperTest, StartNeedsThisNodesIdentity) {
  agent_.WriteIdentity(pki_.AgentIdentity("src-sub1"), pki_.roots());
  EXPECT_EQ(OpenError().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(IdentityKeeperTest, CopiesArePrivateAndOldOnesAreNotKept) {
  Open();
  for (int i = 0; i < 4; ++i) {
    agent_.WriteIdentity(pki_.AgentIdentity("src-pub"), pki_.roots());
    ASSERT_TRUE(keeper_->Poll().value());
  }
  const std::string directory = agent_.config.state_directory() + "/identity";
  struct stat info {};
  ASSERT_EQ(::stat(directory.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  ASSERT_EQ(::stat(keeper_->key_path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  size_t entries = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    static_cast<void>(entry);
    ++entries;
  }
  EXPECT_EQ(entries, 3u);  // this one, the one before, the link
}

// gRPC takes two files for one set when neither modification time, in seconds, changed while it
// read.
TEST_F(IdentityKeeperTest, NoTwoSetsShareAModificationTime) {
  Open();
  struct stat before {
  }, after{};
  ASSERT_EQ(::stat(keeper_->key_path().c_str(), &before), 0);
  agent_.WriteIdentity(pki_.AgentIdentity("src-pub"), pki_.roots());
  ASSERT_TRUE(keeper_->Poll().value());
  ASSERT_EQ(::stat(keeper_->key_path().c_str(), &after), 0);
  EXPECT_NE(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
}

TEST_F(IdentityKeeperTest, RestartGoesOnAfterWhatIsThere) {
  Open();
  keeper_.reset();
  const TestIdentity second = pki_.AgentIdentity("src-pub");
  agent_.WriteIdentity(second, pki_.roots());
  Open();
  ExpectServed(second);
}

}  // namespace
}  // namespace trustline::agent
