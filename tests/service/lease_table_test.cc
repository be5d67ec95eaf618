#include "agent/service/lease_table.h"

#include <optional>

#include "gtest/gtest.h"
#include "tests/fakes/fake_host.h"

namespace trustline::agent {
namespace {

const std::string kOlga = "trustline://example.test/operator/olga";
const std::string kOtto = "trustline://example.test/operator/otto";

v1::LeaseRequest Take(const std::string& run_id, uint32_t seconds = 30) {
  v1::LeaseRequest request;
  request.set_action(v1::LeaseRequest::ACTION_TAKE);
  request.set_run_id(run_id);
  request.set_seconds(seconds);
  return request;
}
v1::LeaseRequest Release(const std::string& run_id) {
  v1::LeaseRequest request;
  request.set_action(v1::LeaseRequest::ACTION_RELEASE);
  request.set_run_id(run_id);
  return request;
}

class LeaseTableTest : public ::testing::Test {
 protected:
  FakeClock clock_;
  LeaseTable leases_{clock_};
};

TEST_F(LeaseTableTest, SecondOperatorIsToldWhoHoldsItAndForHowLong) {
  ASSERT_TRUE(leases_.Handle(Take("run-1"), kOlga).ok());
  clock_.Advance(absl::Seconds(10));
  const absl::Status refused = leases_.Handle(Take("run-2"), kOtto).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(refused.message(),
            "run run-1 of trustline://example.test/operator/olga holds this node for 20 s more");
}

TEST_F(LeaseTableTest, AnotherRunOfTheSameOperatorIsRefusedToo) {
  ASSERT_TRUE(leases_.Handle(Take("run-1"), kOlga).ok());
  EXPECT_EQ(leases_.Handle(Take("run-2"), kOlga).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(LeaseTableTest, TheLeaseOfAnEndedRunOfTheSameOperatorIsTakenOver) {
  ASSERT_TRUE(leases_.Handle(Take("run-1"), kOlga).ok());
  v1::LeaseRequest next = Take("run-2");
  next.add_ended_runs("run-0");
  EXPECT_FALSE(leases_.Handle(next, kOlga).ok());
  next.add_ended_runs("run-1");
  EXPECT_FALSE(leases_.Handle(next, kOtto).ok());  // not his to say
  EXPECT_TRUE(leases_.Handle(next, kOlga).ok());
  EXPECT_TRUE(leases_.Holds("run-2", kOlga));
  EXPECT_FALSE(leases_.Holds("run-1", kOlga));
}

TEST_F(LeaseTableTest, ARunThatIsAtWorkHasNotEnded) {
  ASSERT_TRUE(leases_.Handle(Take("run-1"), kOlga).ok());
  absl::StatusOr<LeaseTable::Use> use = leases_.Demand("run-1", kOlga);
  ASSERT_TRUE(use.ok());
  v1::LeaseRequest next = Take("run-2");
  next.add_ended_runs("run-1");
  EXPECT_FALSE(leases_.Handle(next, kOlga).ok());
  *use = LeaseTable::Use();
  EXPECT_TRUE(leases_.Handle(next, kOlga).ok());
}

TEST_F(LeaseTableTest, KnowingARunsNameIsNotHoldingItsLease) {
  ASSERT_TRUE(leases_.Handle(Take("run-1"), kOlga).ok());
  EXPECT_EQ(leases_.Handle(Take("run-1"), kOtto).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(leases_.Handle(Release("run-1"), kOtto).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(leases_.Demand("run-1", kOtto).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(LeaseTableTest, TakingAgainRenews) {
  ASSERT_TRUE(leases_.Handle(Take("run-1", 30), kOlga).ok());
  clock_.Advance(absl::Seconds(29));
  const absl::StatusOr<v1::LeaseResponse> renewed = leases_.Handle(Take("run-1", 30), kOlga);
  ASSERT_TRUE(renewed.ok());
  EXPECT_EQ(renewed->expires_unix(), absl::ToUnixSeconds(clock_.Now() + absl::Seconds(30)));
  clock_.Advance(absl::Seconds(29));
  EXPECT_TRUE(leases_.Holds("run-1", kOlga));
}

TEST_F(LeaseTableTest, EndsWhenItsTimeIsOver) {
  ASSERT_TRUE(leases_.Handle(Take("run-1", 30), kOlga).ok());
  clock_.Advance(absl::Seconds(30));
  EXPECT_EQ(leases_.Current().run_id(), "");
  EXPECT_EQ(leases_.Demand("run-1", kOlga).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(leases_.Handle(Take("run-2"), kOtto).ok());
}

TEST_F(LeaseTableTest, WorkKeepsItAliveAndLeavesTimeToRenew) {
  ASSERT_TRUE(leases_.Handle(Take("run-1", 5), kOlga).ok());
  {
    absl::StatusOr<LeaseTable::Use> use = leases_.Demand("run-1", kOlga);
    ASSERT_TRUE(use.ok());
    clock_.Advance(absl::Minutes(10));
    const absl::Status refused = leases_.Handle(Take("run-2"), kOtto).status();
    EXPECT_EQ(refused.message(),
              "run run-1 of trustline://example.test/operator/olga holds this node and is at work");
    EXPECT_EQ(leases_.Handle(Release("run-1"), kOlga).status().code(),
              absl::StatusCode::kFailedPrecondition);
  }
  EXPECT_TRUE(leases_.Holds("run-1", kOlga));
  clock_.Advance(absl::Seconds(5));
  EXPECT_TRUE(leases_.Handle(Take("run-2"), kOtto).ok());
}

TEST_F(LeaseTableTest, ReleaseFreesTheNodeAndMayBeRepeated) {
  ASSERT_TRUE(leases_.Handle(Take("run-1"), kOlga).ok());
  EXPECT_TRUE(leases_.Handle(Release("run-1"), kOlga).ok());
  EXPECT_TRUE(leases_.Handle(Release("run-1"), kOlga).ok());
  EXPECT_TRUE(leases_.Handle(Take("run-2"), kOtto).ok());
}

TEST_F(LeaseTableTest, SenselessRequestsAreRefused) {
  EXPECT_EQ(leases_.Handle(Take(""), kOlga).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(leases_.Handle(Take("run-1", 4), kOlga).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(leases_.Handle(Take("run-1", 601), kOlga).status().code(),
            absl::StatusCode::kInvalidArgument);
  v1::LeaseRequest neither;
  neither.set_run_id("run-1");
  EXPECT_EQ(leases_.Handle(neither, kOlga).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(leases_.Demand("", kOlga).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace trustline::agent
