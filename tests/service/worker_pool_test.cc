#include "agent/service/worker_pool.h"

#include <atomic>

#include "gtest/gtest.h"
#include "tests/service/service_fixture.h"

namespace trustline::agent {
namespace {

using ::trustline::testing::Eventually;
using ::trustline::testing::Gate;

TEST(WorkerPoolTest, RefusesWhatDoesNotFitIntoTheQueue) {
  Gate gate;
  std::atomic<int> running{0}, done{0};
  {
    WorkerPool pool("plans", 1, 2);
    const auto work = [&] {
      ++running;
      gate.Wait();
      ++done;
    };
    ASSERT_TRUE(pool.Submit(work).ok());
    ASSERT_TRUE(Eventually([&] { return running == 1; }));  // it has left the queue
    ASSERT_TRUE(pool.Submit(work).ok());
    ASSERT_TRUE(pool.Submit(work).ok());
    const absl::Status refused = pool.Submit(work);
    EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(refused.message(), "2 plans are waiting on this node already; try again later");
    gate.Open();
  }
  EXPECT_EQ(done, 3);  // the destructor ran what was accepted
}

}  // namespace
}  // namespace trustline::agent
