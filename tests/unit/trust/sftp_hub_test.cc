// The hub's own behaviour over a server in memory: what is tried again, and what a link that drops
// at any request leaves behind.
#include "trust/sftp_hub.h"

#include <functional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/trust/fake_sftp_server.h"
#include "trust/sftp_wire.h"

namespace trustline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class SftpHubTest : public testing::Test {
 protected:
  SftpHubTest() {
    address_.set_host("hub.example.net");
    address_.set_user("bulk");
    address_.mutable_password()->set_name("env:HUB_PASSWORD");
    address_.set_host_key("SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    address_.set_directory("/data");
    (*secrets_.mutable_by_name())["env:HUB_PASSWORD"] = "s3cret";
    server_.directories.insert("/data");
  }

  SftpDialer Dialer(int tries) {
    SftpRetry retry;
    retry.tries = tries;
    retry.jitter = [] { return 1.0; };
    retry.sleep = [this](absl::Duration wait) { waits_.push_back(wait); };
    return SftpDialer(retry,
                      [this](const SshServer& server,
                             const SshLogin& login) -> absl::StatusOr<std::unique_ptr<SftpStream>> {
                        seen_ = server;
                        password_ = std::string(login.password);
                        private_key_ = std::string(login.private_key);
                        if (!refusals_.empty()) {
                          const absl::Status refusal = refusals_.back();
                          refusals_.pop_back();
                          return refusal;
                        }
                        return server_.Connect();
                      });
  }
  absl::StatusOr<std::unique_ptr<Hub>> Dial(int tries = 3) {
    return Dialer(tries).Dial(address_, secrets_);
  }

  FakeSftpServer server_;
  v1::HubAddress address_;
  v1::SecretValues secrets_;
  std::vector<absl::Status> refusals_;  // of connections, the last one first
  std::vector<absl::Duration> waits_;
  SshServer seen_;
  std::string password_, private_key_;
};

TEST_F(SftpHubTest, AddressAndLoginReachTheConnection) {
  address_.set_known_hosts("lines");
  ASSERT_TRUE(Dial().ok());
  EXPECT_EQ(seen_.host, "hub.example.net");
  EXPECT_EQ(seen_.port, 22);
  EXPECT_EQ(seen_.user, "bulk");
  EXPECT_EQ(seen_.host_key, address_.host_key());
  EXPECT_EQ(seen_.known_hosts, "lines");
  EXPECT_EQ(seen_.timeout, absl::Seconds(15));
  EXPECT_EQ(password_, "s3cret");
  EXPECT_EQ(private_key_, "");
  address_.clear_password();
  address_.mutable_private_key()->set_name("env:HUB_PASSWORD");
  address_.set_port(2222);
  address_.set_timeout_seconds(3);
  ASSERT_TRUE(Dial().ok());
  EXPECT_EQ(private_key_, "s3cret");
  EXPECT_EQ(password_, "");
  EXPECT_EQ(seen_.port, 2222);
  EXPECT_EQ(seen_.timeout, absl::Seconds(3));
}

TEST_F(SftpHubTest, UnfitAddressesAreInvalid) {
  const auto code = [&](const std::function<void(v1::HubAddress*)>& change) {
    const v1::HubAddress before = address_;
    change(&address_);
    const absl::StatusCode code = Dial().status().code();
    address_ = before;
    return code;
  };
  const auto invalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(code([](v1::HubAddress* a) { a->set_port(70000); }), invalid);
  EXPECT_EQ(code([](v1::HubAddress* a) { a->set_timeout_seconds(100000); }), invalid);
  EXPECT_EQ(code([](v1::HubAddress* a) { a->set_directory("/a/../b"); }), invalid);
  EXPECT_EQ(code([](v1::HubAddress* a) { a->set_directory("//a"); }), invalid);
  EXPECT_EQ(code([](v1::HubAddress* a) { a->clear_password(); }), invalid);
  EXPECT_EQ(code([](v1::HubAddress* a) { a->mutable_private_key()->set_name("x"); }), invalid);
  EXPECT_EQ(code([](v1::HubAddress* a) { a->mutable_password()->set_name("other"); }),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(server_.connections(), 0);
}

TEST_F(SftpHubTest, OnlyUnavailableIsTriedAgainWithGrowingWaits) {
  for (const absl::Status& refusal :
       {absl::PermissionDeniedError("login"), absl::FailedPreconditionError("host key"),
        absl::InvalidArgumentError("key"), absl::InternalError("nonsense")}) {
    refusals_ = {refusal};
    EXPECT_EQ(Dial().status().code(), refusal.code());
    EXPECT_THAT(waits_, IsEmpty());
  }
  refusals_ = std::vector<absl::Status>(2, absl::UnavailableError("down"));
  EXPECT_TRUE(Dial(3).ok());
  EXPECT_THAT(waits_, ElementsAre(absl::Milliseconds(250), absl::Milliseconds(500)));
  waits_.clear();
  refusals_ = std::vector<absl::Status>(3, absl::UnavailableError("down"));
  const absl::Status status = Dial(3).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(), "hub hub.example.net: down (given up after 3 tries)");
  EXPECT_THAT(waits_, SizeIs(2));
}

TEST_F(SftpHubTest, WaitsAreBoundedAndJittered) {
  SftpRetry retry;
  retry.tries = 10;
  double jitter = 0;
  retry.jitter = [&] { return jitter += 0.1; };
  retry.sleep = [this](absl::Duration wait) { waits_.push_back(wait); };
  SftpDialer dialer(
      retry, [](const SshServer&, const SshLogin&) -> absl::StatusOr<std::unique_ptr<SftpStream>> {
        return absl::UnavailableError("down");
      });
  EXPECT_FALSE(dialer.Dial(address_, secrets_).ok());
  ASSERT_THAT(waits_, SizeIs(9));
  EXPECT_EQ(waits_[0], absl::Milliseconds(250) * 0.1);
  EXPECT_NEAR(absl::ToDoubleSeconds(waits_[8]), 5 * 0.9, 1e-6);
}

// "Not found" means "nothing was exported yet" to readers; no trouble with the connection may look
// like it.
TEST_F(SftpHubTest, ConnectionTroubleNeverLooksLikeAMissingFile) {
  auto hub = Dial();
  ASSERT_TRUE(hub.ok());
  server_.DropAt(1, false);
  refusals_ = {absl::NotFoundError("no such host")};
  EXPECT_EQ((*hub)->List("spring").status().code(), absl::StatusCode::kFailedPrecondition);
}

// The heart of "a dropped link leaves a consistent exchange": every request, before and after it is
// done.
TEST_F(SftpHubTest, Scenario23LinkDroppedAtEveryRequestLeavesNothingOrAll) {
  const std::string bytes(100000, 'b');
  int sweeps = 0;
  for (const int tries : {1, 2}) {
    for (const bool after : {false, true}) {
      for (int n = 1;; ++n) {
        server_ = FakeSftpServer();
        server_.directories.insert("/data");
        server_.DropAt(n, after);
        auto hub = Dial(tries);
        const absl::Status status =
            hub.ok() ? (*hub)->Publish("spring/exports/file", bytes) : hub.status();
        const auto file = server_.files.find("/data/spring/exports/file");
        const bool published = file != server_.files.end();
        EXPECT_TRUE(!published || file->second == bytes) << n;
        if (tries > 1) {
          EXPECT_EQ(status, absl::OkStatus()) << n << after;
          EXPECT_TRUE(published) << n << after;
          EXPECT_THAT(server_.files, SizeIs(1)) << n << after << ": a temporary file is left";
        } else if (server_.dropped()) {
          EXPECT_TRUE(status.ok() || absl::IsUnavailable(status)) << status;
          EXPECT_TRUE(published || !status.ok());
          // A second publication after the failed one: the node comes back later.
          const absl::Status again = (*Dial(1))->Publish("spring/exports/file", bytes);
          EXPECT_EQ(again.code(),
                    published ? absl::StatusCode::kAlreadyExists : absl::StatusCode::kOk);
        }
        if (!server_.dropped()) break;
        ++sweeps;
      }
    }
  }
  EXPECT_GT(sweeps, 40);
}

TEST_F(SftpHubTest, NameTakenByAnotherWhileOurAnswerWasLostIsTold) {
  auto hub = Dial();
  ASSERT_TRUE(hub.ok());
  ASSERT_EQ((*hub)->Publish("first", "1"), absl::OkStatus());
  const int before = server_.requests();
  ASSERT_EQ((*hub)->Publish("second", "2"), absl::OkStatus());
  const int rename = server_.requests() - before;  // the last request of a publication
  int waited = 0;
  SftpRetry retry;
  retry.jitter = [] { return 0.0; };
  retry.sleep = [&](absl::Duration) {
    ++waited;
    server_.files["/data/third"] = "somebody else's";
  };
  SftpDialer dialer(
      retry,
      [this](const SshServer&, const SshLogin&) -> absl::StatusOr<std::unique_ptr<SftpStream>> {
        return server_.Connect();
      });
  auto other = dialer.Dial(address_, secrets_);
  ASSERT_TRUE(other.ok());
  server_.DropAt(rename, /*after=*/false);
  EXPECT_EQ((*other)->Publish("third", "3").code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(waited, 1);
  EXPECT_EQ(server_.files["/data/third"], "somebody else's");
  EXPECT_THAT(server_.files, SizeIs(3));
}

TEST_F(SftpHubTest, Scenario23FullDiskIsSaidAndLeavesNoTrace) {
  server_.capacity = 150000;
  server_.files["/data/old"] = std::string(50000, 'o');
  auto hub = Dial();
  const absl::Status full = (*hub)->Publish("new", std::string(120000, 'n'));
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
  EXPECT_THAT(std::string(full.message()), HasSubstr("disk is full"));
  EXPECT_THAT(server_.files, SizeIs(1));
  EXPECT_THAT(waits_, IsEmpty());
  // A server that does not tell its free space: no guess is made.
  server_.statvfs = false;
  EXPECT_EQ((*Dial())->Publish("new", std::string(120000, 'n')).code(),
            absl::StatusCode::kInternal);
  EXPECT_THAT(server_.files, SizeIs(1));
}

TEST_F(SftpHubTest, SmallFileTakesFewRoundTrips) {
  auto hub = Dial();
  ASSERT_EQ((*hub)->Publish("one", "1"), absl::OkStatus());
  const int before = server_.requests();
  ASSERT_EQ((*hub)->Publish("two", "2"), absl::OkStatus());
  // stat, open, write, fsync, close, rename
  EXPECT_EQ(server_.requests() - before, 6);
}

TEST_F(SftpHubTest, ListIsSortedWhateverTheServerSays) {
  server_.files = {{"/data/b", ""}, {"/data/a", "1"}, {"/data/.a.x.part", ""}};
  const auto list = (*Dial())->List("");
  ASSERT_TRUE(list.ok());
  EXPECT_THAT(*list, SizeIs(3));
  EXPECT_EQ((*list)[0].name, ".a.x.part");
  EXPECT_EQ((*list)[1].name, "a");
}

}  // namespace
}  // namespace trustline
