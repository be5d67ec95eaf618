#include "trust/hub.h"

#include <string>

#include "gtest/gtest.h"
#include "tests/fakes/fake_hub.h"

namespace trustline {
namespace {

TEST(HubPath, RelativePathsOfPlainPartsAreAccepted) {
  EXPECT_TRUE(CheckHubPath("spring/exports/a.p12").ok());
  EXPECT_TRUE(CheckHubPath("..a/b..").ok());
}

TEST(HubPath, EverythingElseIsInvalid) {
  for (const std::string& path :
       {std::string(), std::string("/a"), std::string("a/"), std::string("a//b"), std::string("."),
        std::string("a/../b"), std::string("a/./b"), std::string("a\nb"), std::string("a\0b", 3),
        std::string("a\x7f"), std::string(kMaxHubNameBytes + 1, 'a')}) {
    EXPECT_EQ(CheckHubPath(path).code(), absl::StatusCode::kInvalidArgument) << path;
  }
  std::string deep = "a";
  while (deep.size() <= kMaxHubPathBytes) deep += "/a";
  EXPECT_EQ(CheckHubPath(deep).code(), absl::StatusCode::kInvalidArgument);
}

TEST(HubSecret, MissingSecretIsNamedAndItsValueNever) {
  v1::SecretValues held;
  (*held.mutable_by_name())["env:OTHER"] = "s3cret";
  v1::SecretRef wanted;
  wanted.set_name("env:HUB_PASSWORD");
  const auto missing = HubSecret(wanted, held);
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(missing.status().message(), "secret env:HUB_PASSWORD not held");
  wanted.set_name("env:OTHER");
  EXPECT_EQ(HubSecret(wanted, held).value(), "s3cret");
}

class FakeHubTest : public testing::Test {
 protected:
  FakeHubServer server_;
  FakeHub hub_{&server_};
};

TEST_F(FakeHubTest, PublishedFilesAreListedByNameAndNeverOverwritten) {
  ASSERT_TRUE(hub_.Publish("x/b/two", "22").ok());
  ASSERT_TRUE(hub_.Publish("x/a", "1").ok());
  EXPECT_EQ(hub_.Publish("x/a", "other").code(), absl::StatusCode::kAlreadyExists);
  const auto list = hub_.List("x").value();
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].name, "a");
  EXPECT_EQ(list[0].size, 1u);
  EXPECT_EQ(list[1].name, "b");
  EXPECT_TRUE(list[1].is_directory);
  EXPECT_EQ(hub_.Read("x/a", 1).value(), "1");
  EXPECT_EQ(hub_.Read("x/b/two", 1).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(hub_.List("y").status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(hub_.List("").ok());
}

TEST_F(FakeHubTest, SwitchesHitTheCallTheyName) {
  server_.FailCall(2, absl::UnavailableError("gone"));
  EXPECT_TRUE(hub_.Publish("a", "1").ok());
  EXPECT_EQ(hub_.Read("a", 9).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(hub_.Read("a", 9).ok());
  server_.DropUpload(1);
  EXPECT_EQ(hub_.Publish("d/b", "1234").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(server_.Get("d/b").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(server_.Files().begin()->first.substr(0, 1), "a");
  EXPECT_EQ(server_.Files().size(), 2u);
  server_.SetCapacity(4);
  EXPECT_EQ(hub_.Publish("c", "12").code(), absl::StatusCode::kResourceExhausted);
  int seen = 0;
  server_.SetHook([&](const FakeHubCall& call) {
    ++seen;
    return call.kind == FakeHubCall::Kind::kList ? absl::PermissionDeniedError("no")
                                                 : absl::OkStatus();
  });
  EXPECT_EQ(hub_.List("d").status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(hub_.Read("a", 9).ok());
  EXPECT_EQ(seen, 2);
}

}  // namespace
}  // namespace trustline
