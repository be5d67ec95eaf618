// The controller's view of many agents, and of those that are not what they should be.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/service/service_fixture.h"

namespace trustline::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// A TCP port that never says a word, or (`listening` false) is not there any more.
class MutePort {
 public:
  explicit MutePort(bool listening) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    if (listening) {
      EXPECT_EQ(::listen(fd_, 8), 0);
    }
    port_ = ntohs(address.sin_port);
  }
  ~MutePort() { ::close(fd_); }
  uint16_t port() const { return port_; }

 private:
  int fd_ = -1;
  uint16_t port_ = 0;
};

class FleetTest : public ::testing::Test {
 protected:
  TestPki pki_;
  TestOperator olga_{pki_, "olga"};
};

TEST_F(FleetTest, FiftyAgentsAnswerWhileOneHangs) {
  constexpr int kAgents = 50, kHung = 17;
  Gate release;
  std::vector<std::unique_ptr<TestAgent>> agents;
  std::vector<controller::NodeAddress> addresses;
  for (int i = 0; i < kAgents; ++i) {
    agents.push_back(std::make_unique<TestAgent>(pki_, absl::StrCat("node", i)));
    if (i == kHung) {
      agents.back()->runner.status = [&release](v1::StatusResponse&) {
        release.Wait();
        return absl::OkStatus();
      };
    }
    agents.back()->Start();
    addresses.push_back(agents.back()->address());
  }
  {
    const auto fleet = olga_.Fleet(addresses);
    std::vector<Result<v1::StatusResponse>> results(kAgents);
    std::vector<std::unique_ptr<controller::CallHandle>> calls;
    for (int i = 0; i < kAgents; ++i)
      calls.push_back(
          fleet->Status(absl::StrCat("node", i), absl::Minutes(2), results[i].Callback()));
    for (int i = 0; i < kAgents; ++i) {
      if (i == kHung) continue;
      const absl::StatusOr<v1::StatusResponse> status = results[i].Get();
      ASSERT_TRUE(status.ok()) << status.status();
      EXPECT_EQ(status->node(), absl::StrCat("node", i));
    }
    EXPECT_FALSE(results[kHung].Ready());  // everybody else was answered while it still hung

    Result<v1::StatusResponse> hung;
    const auto call =
        fleet->Status(absl::StrCat("node", kHung), absl::Milliseconds(300), hung.Callback());
    const absl::Status late = hung.Get().status();
    EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_THAT(std::string(late.message()), HasSubstr("node17 (127.0.0.1:"));
    EXPECT_THAT(std::string(late.message()), HasSubstr("no answer within 300ms"));

    calls[kHung]->Cancel();
    EXPECT_EQ(results[kHung].Get().status().code(), absl::StatusCode::kCancelled);
  }
  release.Open();
}

TEST_F(FleetTest, NodeBsCertificateAtNodeAsAddressIsRefused) {
  TestAgent b(pki_, "node-b");
  b.Start();
  const auto fleet = olga_.Fleet({{"node-a", "127.0.0.1", b.port()}, b.address()});
  const absl::Status refused = Describe(*fleet, "node-a").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(refused.message(), absl::StrCat("node-a (127.0.0.1:", b.port(),
                                            "): wanted trustline://example.test/agent/node-a, saw "
                                            "trustline://example.test/agent/node-b"));
  EXPECT_TRUE(Describe(*fleet, "node-b").ok());
  // Said again from the channel's memory, not only at the first handshake.
  EXPECT_EQ(Describe(*fleet, "node-a").status().code(), absl::StatusCode::kUnauthenticated);
}

TEST_F(FleetTest, ForeignAgentIsRefused) {
  const TestPki foreign;
  TestAgent agent(foreign, "src-pub");
  agent.Start();
  const absl::Status refused = Describe(*olga_.Fleet({agent.address()}), "src-pub").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("wanted trustline://example.test/agent/src-pub, saw "
                        "trustline://example.test/agent/src-pub, which is not believed"));
}

TEST_F(FleetTest, AgentOfAnotherDomainIsRefused) {
  const TestPki other("other.test");
  TestAgent agent(other, "src-pub");
  agent.Start();
  // The operator trusts both authorities; the domain still decides.
  const TestOperator olga(pki_.OperatorIdentity("olga"),
                          {pki_.authority.certificate, other.authority.certificate});
  const absl::Status refused = Describe(*olga.Fleet({agent.address()}), "src-pub").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("wanted trustline://example.test/agent/src-pub, saw "
                        "trustline://other.test/agent/src-pub"));
}

TEST_F(FleetTest, ExpiredAgentIsRefused) {
  TestAgent agent(pki_, "src-pub");
  agent.clock.Set(TestPki::ValidFrom() +
                  absl::Hours(1));  // its own clock is slow: it does not know
  agent.WriteIdentity(pki_.Issue({pki_.domain, IdentityKind::kAgent, "src-pub"},
                                 TestPki::ValidFrom(), absl::Hours(24)),
                      pki_.roots());
  agent.Start();
  const absl::Status refused = Describe(*olga_.Fleet({agent.address()}), "src-pub").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("expired"));
}

TEST_F(FleetTest, OperatorsCertificateAtAnAgentsAddressIsRefused) {
  TestAgent agent(pki_, "src-pub");
  agent.Start();
  const auto fleet = olga_.Fleet({{"olga", "127.0.0.1", agent.port()}});
  EXPECT_EQ(Describe(*fleet, "olga").status().code(), absl::StatusCode::kUnauthenticated);
}

TEST_F(FleetTest, NobodyListeningIsUnavailableWithTheReason) {
  const MutePort closed(/*listening=*/false);
  const absl::Status refused =
      Describe(*olga_.Fleet({{"src-sub1", "127.0.0.1", closed.port()}}), "src-sub1").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(refused.message(),
            absl::StrCat("src-sub1 (127.0.0.1:", closed.port(), "): connection refused"));
}

TEST_F(FleetTest, UnknownHostNameIsUnavailable) {
  const absl::Status refused =
      Describe(*olga_.Fleet({{"src-sub1", "no-such-host.invalid", 9443}}), "src-sub1").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(refused.message()), StartsWith("src-sub1 (no-such-host.invalid:9443): "));
}

TEST_F(FleetTest, PortThatNeverShakesHandsRunsOutOfTime) {
  const MutePort mute(/*listening=*/true);
  const auto fleet = olga_.Fleet({{"src-sub1", "127.0.0.1", mute.port()}});
  Result<v1::DescribeResponse> result;
  const auto call = fleet->Describe("src-sub1", absl::Milliseconds(300), result.Callback());
  const absl::Status late = result.Get().status();
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(late.message()), HasSubstr("not even a connection"));
}

TEST_F(FleetTest, AgentThatComesBackIsReached) {
  TestAgent agent(pki_, "src-pub");
  agent.Start();
  const auto fleet = olga_.Fleet({agent.address()});
  ASSERT_TRUE(Describe(*fleet, "src-pub").ok());
  agent.config.set_listen(absl::StrCat("127.0.0.1:", agent.port()));
  agent.server.reset();
  EXPECT_EQ(Describe(*fleet, "src-pub").status().code(), absl::StatusCode::kUnavailable);
  agent.Start();
  EXPECT_TRUE(Eventually([&] { return Describe(*fleet, "src-pub").ok(); }));
}

TEST_F(FleetTest, NodeOutsideTheInventoryIsNotFound) {
  const auto fleet = olga_.Fleet({});
  EXPECT_EQ(Describe(*fleet, "nowhere").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(FleetTest, CallbackComesAfterTheHandle) {
  const auto fleet = olga_.Fleet({});
  for (int i = 0; i < 100; ++i) {
    Gate done;
    const auto caller = std::this_thread::get_id();
    const auto call = fleet->Describe("nowhere", absl::Seconds(50),
                                      [&, caller](const absl::StatusOr<v1::DescribeResponse>&) {
                                        EXPECT_NE(std::this_thread::get_id(), caller);
                                        done.Open();
                                      });
    ASSERT_NE(call, nullptr);
    ASSERT_TRUE(done.Wait());
  }
}

TEST_F(FleetTest, CallsMayBeMadeInsideACallback) {
  TestAgent agent(pki_, "src-pub");
  agent.Start();
  const auto fleet = olga_.Fleet({agent.address()});
  Result<v1::StatusResponse> second;
  std::unique_ptr<controller::CallHandle> inner;
  const auto outer = fleet->Describe(
      "src-pub", absl::Seconds(50), [&](const absl::StatusOr<v1::DescribeResponse>& first) {
        EXPECT_TRUE(first.ok()) << first.status();
        inner = fleet->Status("src-pub", absl::Seconds(50), second.Callback());
      });
  EXPECT_TRUE(second.Get().ok());
}

TEST_F(FleetTest, CancelIsSafeBeforeDuringAndAfter) {
  Gate release;
  TestAgent agent(pki_, "src-pub");
  agent.runner.status = [&release](v1::StatusResponse&) {
    release.Wait();
    return absl::OkStatus();
  };
  agent.Start();
  const auto fleet = olga_.Fleet({agent.address()});
  Result<v1::StatusResponse> result;
  const auto call = fleet->Status("src-pub", absl::Minutes(2), result.Callback());
  call->Cancel();
  call->Cancel();
  EXPECT_EQ(result.Get().status().code(), absl::StatusCode::kCancelled);
  call->Cancel();
  release.Open();
  EXPECT_TRUE(Eventually([&] { return GetStatus(*fleet, "src-pub").ok(); }));
}

TEST_F(FleetTest, DestructorCancelsAndWaitsForEveryCallback) {
  Gate release;
  TestAgent agent(pki_, "src-pub");
  agent.runner.status = [&release](v1::StatusResponse&) {
    release.Wait();
    return absl::OkStatus();
  };
  agent.Start();
  std::atomic<int> callbacks{0}, cancelled{0};
  std::unique_ptr<controller::CallHandle> last;
  {
    const auto fleet = olga_.Fleet({agent.address()});
    for (int i = 0; i < 8; ++i) {
      last = fleet->Status("src-pub", absl::Minutes(2),
                           [&](const absl::StatusOr<v1::StatusResponse>& status) {
                             ++callbacks;
                             if (status.status().code() == absl::StatusCode::kCancelled)
                               ++cancelled;
                           });
    }
  }
  EXPECT_EQ(callbacks, 8);
  EXPECT_EQ(cancelled, 8);
  last->Cancel();  // of a fleet that is gone
  release.Open();
}

TEST_F(FleetTest, OperatorsOwnExpiredOrForeignCertificateIsSaidBeforeDialling) {
  const TestPki foreign;
  const TestIdentity expired = pki_.Issue({pki_.domain, IdentityKind::kOperator, "olga"},
                                          TestPki::ValidFrom(), absl::Hours(24));
  const absl::Status late = TestOperator(expired, pki_.roots()).TryFleet({}).status();
  EXPECT_EQ(late.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(late.message()), HasSubstr("expired"));
  EXPECT_EQ(
      TestOperator(foreign.OperatorIdentity("olga"), pki_.roots()).TryFleet({}).status().code(),
      absl::StatusCode::kUnauthenticated);
  const absl::Status agent =
      TestOperator(pki_.AgentIdentity("src-pub"), pki_.roots()).TryFleet({}).status();
  EXPECT_EQ(agent.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(agent.message()), HasSubstr("not an operator's"));
}

TEST_F(FleetTest, OperatorsKeyMustMatchAndBePrivate) {
  const TempDirectory directory;
  const TestIdentity olga = pki_.OperatorIdentity("olga"), other = pki_.OperatorIdentity("olga");
  WriteFile(directory.File("c"), olga.certificate_pem());
  WriteFile(directory.File("ca"), pki_.authority.certificate.ToPem());
  WriteFile(directory.File("k"), other.key_pem());
  const controller::OperatorIdentityFiles files = {directory.File("c"), directory.File("k"),
                                                   directory.File("ca")};
  EXPECT_THAT(std::string(controller::MakeGrpcFleet(files, {}).status().message()),
              HasSubstr("does not belong to"));
  WriteFile(directory.File("k"), olga.key_pem(), 0644);
  EXPECT_THAT(std::string(controller::MakeGrpcFleet(files, {}).status().message()),
              HasSubstr("chmod 0600"));
}

}  // namespace
}  // namespace trustline::testing
