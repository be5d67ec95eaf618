// Which run a rollback takes back when none is named, and what it says of what stays.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "controller/exit_codes.h"
#include "controller/render/run_text.h"
#include "controller/run_rollback.h"
#include "tests/fakes/fake_fleet.h"

namespace trustline::controller {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::trustline::testing::FakeFleet;
using ::trustline::testing::ReportOf;

constexpr char kKept[] = "kept: phones may need this trust on their way back";

class RollbackChoice : public ::testing::Test {
 protected:
  RollbackChoice() {
    options_.run_id = "20261122-9";
    fleet_.on_status = [](const std::string&) -> absl::StatusOr<v1::StatusResponse> {
      v1::StatusResponse status;
      for (const int number : {5, 7, 6}) {
        v1::GenerationStatus* generation = status.add_generations();
        generation->set_run_id(absl::StrCat("20261122-", number));
        generation->set_created_unix(number * 100);
      }
      return status;
    };
    fleet_.on_rollback = [this](const std::string& node, const v1::RollbackStart& start) {
      tried_.push_back(start.of_run());
      const bool trust_only = trust_only_.contains(start.of_run());
      v1::StageReport report =
          ReportOf(node, 4, {trust_only ? v1::OUTCOME_UNCHANGED : v1::OUTCOME_CHANGED},
                   trust_only ? "bundle_import" : "tftp_pointer");
      if (trust_only) report.mutable_resources(0)->set_summary(kKept);
      return absl::StatusOr<v1::StageReport>(report);
    };
  }
  RunRecord RollBack() {
    RunPrinter printer(TextOptions(), out_, err_);
    return RunRollback(fleet_, input_, options_, printer);
  }

  FakeFleet fleet_;
  RunOptions options_;
  RollbackInput input_{{"a"}, "", false, {}};
  std::set<std::string> trust_only_;
  std::vector<std::string> tried_;
  std::ostringstream out_, err_;
};

TEST_F(RollbackChoice, GoesPastRunsOfWhichOnlyTrustWouldBeKept) {
  trust_only_ = {"20261122-7"};
  const RunRecord record = RollBack();
  EXPECT_THAT(tried_, ElementsAre("20261122-7", "20261122-6"));
  EXPECT_EQ(record.of_run, "20261122-6");
  EXPECT_EQ(ExitCodeOf(record), kExitOk);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr(kKept), HasSubstr("--include-trust takes it back"),
                                HasSubstr("Put back what run 20261122-6 changed")));
  EXPECT_THAT(err_.str(), HasSubstr("nothing was put back: what run 20261122-7 did stays, imported "
                                    "trust unless --include-trust is given; now the one before "
                                    "it, 20261122-6"));
}

TEST_F(RollbackChoice, SaysWhenNothingAtAllWasPutBack) {
  trust_only_ = {"20261122-7", "20261122-6", "20261122-5"};
  RollBack();
  EXPECT_THAT(tried_, ElementsAre("20261122-7", "20261122-6", "20261122-5"));
  EXPECT_THAT(err_.str(), HasSubstr("nothing was put back: what run 20261122-5 did stays"));
  EXPECT_THAT(err_.str(), HasSubstr("`trustline rollback --run ID`"));
}

TEST_F(RollbackChoice, LeavesANamedRunAtThat) {
  trust_only_ = {"20261122-7"};
  input_.of_run = "20261122-7";
  RollBack();
  EXPECT_THAT(tried_, ElementsAre("20261122-7"));
  EXPECT_THAT(err_.str(), HasSubstr("nothing was put back"));
}

TEST_F(RollbackChoice, StartsNothingOnceItIsInterrupted) {
  options_.interrupts = [] { return 1; };
  EXPECT_EQ(ExitCodeOf(RollBack()), kExitInterrupted);
  EXPECT_THAT(tried_, IsEmpty());
}

TEST_F(RollbackChoice, DoesNotCallUnknownNothing) {
  fleet_.on_status = [](const std::string&) -> absl::StatusOr<v1::StatusResponse> {
    return absl::UnavailableError("connection refused");
  };
  EXPECT_EQ(ExitCodeOf(RollBack()), kExitUnreachable);
  EXPECT_THAT(tried_, IsEmpty()) << "it would choose a run of its own";
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("PLAY [Not known what to put back: a does not answer]"),
                                Not(HasSubstr("Nothing to put back"))));
}

TEST_F(RollbackChoice, KnowsWhetherANodeHasHeardOfARun) {
  EXPECT_TRUE(MayBeKnown(fleet_, {"a"}, "20261122-6", options_));
  EXPECT_FALSE(MayBeKnown(fleet_, {"a"}, "nosuch", options_));
  fleet_.on_status = [](const std::string&) -> absl::StatusOr<v1::StatusResponse> {
    return absl::UnavailableError("connection refused");
  };
  EXPECT_TRUE(MayBeKnown(fleet_, {"a"}, "nosuch", options_)) << "it may, where nobody answers";
}

}  // namespace
}  // namespace trustline::controller
