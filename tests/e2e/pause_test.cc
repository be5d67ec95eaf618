// A pause that an operator answers at a terminal.
#include <signal.h>

#include <functional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/test_fleet.h"

namespace trustline::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class PauseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fleet_.Add("node-a");
    ASSERT_TRUE(fleet_.StartAll());
    fleet_.Write("inventory.yml", "all:\n  hosts:\n    node-a: " + fleet_.Reach("node-a") + "\n");
    fleet_.Write("peer.pem", testing::TestPki::UnitCertificate("peer").ToPem());
    playbook_ =
        fleet_.Write("pause.yml",
                     "- name: Look first\n  hosts: all\n  tasks:\n    - service: { name: tvs }\n"
                     "    - pause: { prompt: The phones are idle }\n"
                     "- name: Then trust\n  hosts: all\n  tasks:\n    - certificate: { unit: "
                     "CallManager-trust, src: peer.pem }\n");
  }
  // Runs up to the question and answers.
  Finished Answered(const std::function<void(Program&)>& answer) {
    Command command = fleet_.Trustline({"apply", playbook_, "-i", fleet_.inventory()});
    command.asks_on_terminal = true;
    Program program(command);
    EXPECT_TRUE(Eventually(absl::Seconds(60), [&] {
      return absl::StrContains(program.err(), "Continue? [y/N] ") || !program.Running();
    }));
    EXPECT_THAT(program.err(), HasSubstr("The phones are idle")) << program.out();
    answer(program);
    return program.Wait(absl::Seconds(60));
  }
  std::vector<std::string> Trusted() {
    return NamesIn(fleet_.node("node-a").certificates() + "/CallManager-trust");
  }

  TestFleet fleet_;
  std::string playbook_;
};

TEST_F(PauseTest, YesGoesOn) {
  const Finished done = Answered([](Program& program) { program.Type(" Yes\n"); });
  EXPECT_EQ(done.exit_code, 0) << done;
  EXPECT_THAT(Trusted(), Not(IsEmpty()));
}

TEST_F(PauseTest, NoAndAnEmptyLineStopBeforeTheNextPlay) {
  for (const char* keys : {"n\n", "\n", "yesterday\n"}) {
    const Finished done = Answered([&](Program& program) { program.Type(keys); });
    EXPECT_EQ(done.exit_code, 16) << done;
    EXPECT_THAT(absl::StrCat(done.out, done.err), HasSubstr("a pause nobody confirmed"));
    EXPECT_THAT(Trusted(), IsEmpty());
  }
}

TEST_F(PauseTest, CtrlCAndSigintInterrupt) {
  for (const bool typed : {true, false}) {
    const Finished done =
        Answered([&](Program& program) { typed ? program.Type("\x03") : program.Signal(SIGINT); });
    EXPECT_EQ(done.exit_code, 130) << done;
    EXPECT_THAT(Trusted(), IsEmpty());
  }
}

}  // namespace
}  // namespace trustline::e2e
