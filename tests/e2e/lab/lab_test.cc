// The README's main command, whole and interrupted.
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/program.h"
#include "tests/servers/sshd.h"

namespace trustline::e2e {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr absl::Duration kWholeRun = absl::Minutes(10);

class LabTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0)
      GTEST_SKIP()
          << "the lab needs root: it makes network namespaces, a chrooted sshd and DHCP servers";
    for (const char* program : {"/usr/sbin/sshd", "/usr/sbin/kea-dhcp4", "/usr/bin/udhcpc",
                                "/usr/sbin/in.tftpd", "/usr/bin/faketime"}) {
      if (access(program, X_OK) != 0 &&
          access(absl::StrCat("/usr/sbin/", std::filesystem::path(program).filename().string())
                     .c_str(),
                 X_OK) != 0)
        FAIL() << "the lab needs " << program << "; playbooks/lab/run installs it";
    }
    Start();
  }
  virtual std::vector<std::string> Options() const { return {}; }
  void Start() {
    Command command;
    command.argv = {TRUSTLINE_SOURCE_DIR "/playbooks/lab/run", "--build-dir", TRUSTLINE_BINARY_DIR};
    for (const std::string& option : Options()) command.argv.push_back(option);
    command.own_group = true;
    command.death_signal = SIGTERM;  // it removes the lab
    lab_ = std::make_unique<Program>(command);
  }
  void TearDown() override {
    if (lab_ == nullptr || !lab_->Running()) return;
    lab_->Signal(SIGTERM);
    lab_->Wait(absl::Minutes(1));
  }

  void ExpectNothingLeft() {
    const std::string id = absl::StrCat("tl-", lab_->pid());
    for (const std::string& name : NamesIn("/run/netns"))
      EXPECT_FALSE(absl::StartsWith(name, id + "-")) << name;
    EXPECT_FALSE(std::filesystem::exists("/run/" + id));
    for (const std::string& pid : NamesIn("/proc")) {
      if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
      std::ifstream in(absl::StrCat("/proc/", pid, "/cmdline"));
      std::ostringstream words;
      words << in.rdbuf();
      EXPECT_THAT(words.str(), Not(HasSubstr(absl::StrCat("/run/", id, "/")))) << "process " << pid;
    }
  }

  std::unique_ptr<Program> lab_;
};

TEST_F(LabTest, Scenario01MovesThePhonesChangesNothingTheSecondTimeAndPutsThePointerBack) {
  const Finished done = lab_->Wait(kWholeRun);
  ASSERT_EQ(done.exit_code, 0) << done;
  const std::string src = "0a0a000b0a0a000c", dst = "0a14000b0a14000c";
  EXPECT_THAT(done.out, HasSubstr(absl::StrCat("moved to the destination and back: ", src, " -> ",
                                               dst, " -> ", src)));
  // What a real client got, three times, for a phone of the floor and for the pilot.
  std::vector<std::string> got;
  for (absl::string_view line : absl::StrSplit(done.out, '\n')) {
    for (const std::string& bytes : {src, dst}) {
      if ((absl::StrContains(line, "phone on floor 3:") ||
           absl::StrContains(line, "pilot phone:")) &&
          absl::StrContains(line, bytes))
        got.push_back(bytes);
    }
  }
  EXPECT_EQ(got, (std::vector<std::string>{src, src, dst, dst, src, src}));
  // And where twenty simulated phones stood after each of their three resets.
  std::vector<std::string> stood;
  for (absl::string_view line : absl::StrSplit(done.out, '\n')) {
    if (absl::StrContains(line, " locked") && absl::StrContains(line, " at the source; "))
      stood.emplace_back(absl::StripAsciiWhitespace(line));
  }
  EXPECT_EQ(stood, (std::vector<std::string>{
                       "0 of 20 phones at the destination, 20 at the source; 0 locked",
                       "20 of 20 phones at the destination, 0 at the source; 0 locked",
                       "0 of 20 phones at the destination, 20 at the source; 0 locked"}));
  // What one of them did: asked the source's TVS about a signer it did not know, and moved.
  EXPECT_THAT(done.out, HasSubstr("vouched for by TVS 10.10.0.12, role SAST"));
  EXPECT_THAT(done.out, HasSubstr("(96 08 0a 14 00 0b 0a 14 00 0c"));

  const size_t migrate = done.out.find("==> migrate\n"), again = done.out.find("==> migrate again"),
               back = done.out.find("==> put the pointer back");
  ASSERT_TRUE(migrate < again && again < back && back != std::string::npos) << done;
  const std::string first = done.out.substr(migrate, again - migrate),
                    second = done.out.substr(again, back - again);
  for (const char* node : {"src-pub", "src-sub1", "dst-pub", "dst-sub1", "dhcp-a", "dhcp-b"}) {
    EXPECT_THAT(first,
                ContainsRegex(absl::StrCat("\n", node, " +: ok=[1-9][0-9]* +changed=[1-9]")));
    EXPECT_THAT(second,
                ContainsRegex(absl::StrCat(
                    "\n", node, " +: ok=[1-9][0-9]* +changed=0 +unreachable=0 +failed=0 ")));
  }
  EXPECT_THAT(done.out, HasSubstr("PLAN  "));
  EXPECT_THAT(done.out, Not(HasSubstr("\x1b")));
  EXPECT_THAT(done.out, HasSubstr("time per phase"));
  ExpectNothingLeft();
}

// One thing is wrong before the cutover: what the gate must say of it, and how many of the twenty
// phones are locked when it is overridden.
struct Break {
  std::string name, reason;
  int locked;
};
std::ostream& operator<<(std::ostream& out, const Break& what) { return out << what.name; }
class LabBreakTest : public LabTest, public ::testing::WithParamInterface<Break> {
  std::vector<std::string> Options() const override { return {"--break", GetParam().name}; }
};
INSTANTIATE_TEST_SUITE_P(
    Every, LabBreakTest,
    ::testing::Values(
        Break{
            "signer-missing",
            "signed by ITLRecovery serial [0-9A-F]+, absent from Phone-SAST-trust of src-sub1: TVS "
            "there answered certificate unknown",
            10},
        Break{"callmanager-trust-only",
              "which TVS of src-pub, src-sub1 knows without the role SAST: it is in "
              "CallManager-trust "
              "there, but not in Phone-SAST-trust",
              20},
        Break{"tvs-stopped", "TVS of src-pub, src-sub1 cannot be reached from probe", 20},
        Break{"tvs-expired", "no TVS certificate of the phone's ITL is valid: .* expired 20", 20},
        Break{"itlrecovery-forgotten",
              "signed by ITLRecovery serial [0-9A-F]+, absent from Phone-SAST-trust of src-pub, "
              "src-sub1",
              20},
        Break{"itl-tampered",
              "the signature is not by the signer's key, or what was signed has changed", 20},
        Break{"phones-cut-off", "TVS of src-pub, src-sub1 cannot be reached from probe", 20},
        Break{"stale-phone-list",
              "TVS of src-pub, src-sub1 does not show a valid certificate of the phones' own ITL",
              20}),
    [](const auto& info) {
      return absl::StrReplaceAll(info.param.name, {{"-", "_"}});
    });

TEST_P(LabBreakTest, IsRefusedBeforeOption150ChangesAndLocksPhonesWhenTheGateIsOverridden) {
  const Finished done = lab_->Wait(kWholeRun);
  ASSERT_EQ(done.exit_code, 0) << done;
  const size_t gate = done.out.find("==> the gate\n"),
               refused = done.out.find("==> what the phones get after the refusal"),
               overridden = done.out.find("==> the same with the gate overridden");
  ASSERT_TRUE(gate < refused && refused < overridden && overridden != std::string::npos) << done;
  // preflight and apply (both exit 8, or the lab had failed) give the reason, before anything
  // moves.
  const std::string verdict = done.out.substr(gate, refused - gate);
  EXPECT_THAT(verdict, ContainsRegex(absl::StrCat("LOCKED +", ".*", GetParam().reason)));
  EXPECT_THAT(verdict, HasSubstr("option 150 was not changed"));
  const std::string after = done.out.substr(refused, overridden - refused);
  EXPECT_THAT(after, HasSubstr("phone on floor 3: 0a0a000b0a0a000c"));
  EXPECT_THAT(after, HasSubstr("pilot phone:      0a0a000b0a0a000c"));
  const std::string then = done.out.substr(overridden);
  EXPECT_THAT(then, HasSubstr("phone on floor 3: 0a14000b0a14000c"));
  EXPECT_THAT(then, HasSubstr(absl::StrCat("; ", GetParam().locked, " locked\n")));
  ExpectNothingLeft();
}

class LabLatePhonesTest : public LabTest {
  std::vector<std::string> Options() const override { return {"--late-phones"}; }
};

TEST_F(LabLatePhonesTest, Scenario34TheWaveWhosePhonesStayAwayIsPutBackAndNoOther) {
  const Finished done = lab_->Wait(kWholeRun);
  ASSERT_EQ(done.exit_code, 0) << done;
  // Nobody was reset but the pilot, by whom the first wave was waited for.
  EXPECT_THAT(done.out, HasSubstr("1 of 20 phones at the destination, 19 at the source; 0 locked"));
  EXPECT_THAT(done.out, HasSubstr("wave pilot: 1 of 1 phone arrived (100%)"));
  EXPECT_THAT(done.out, ContainsRegex("wave floor 3: .* within 40s, 100% are wanted"));
  const size_t after = done.out.find("==> what the phones get after the second wave was put back");
  ASSERT_NE(after, std::string::npos) << done;
  EXPECT_THAT(done.out.substr(after), HasSubstr("phone on floor 3: 0a0a000b0a0a000c"));
  EXPECT_THAT(done.out.substr(after), HasSubstr("pilot phone:      0a14000b0a14000c"));
  ExpectNothingLeft();
}

Finished RunLab(std::vector<std::string> argv) {
  Command command;
  command.argv = std::move(argv);
  command.death_signal = SIGTERM;
  return RunToEnd(command);
}

class LabKeptTest : public LabTest {
 protected:
  std::vector<std::string> Options() const override { return {"--keep", "--name", name_}; }
  void TearDown() override {
    LabTest::TearDown();
    RunLab(Down());
  }
  std::vector<std::string> Down() const {
    return {TRUSTLINE_SOURCE_DIR "/playbooks/lab/run", "--down", "--name", name_};
  }
  const std::string name_ = absl::StrCat("t", getpid());
};

TEST_F(LabKeptTest, IsThereToLookAtUntilItIsTakenDown) {
  const Finished done = lab_->Wait(kWholeRun);
  ASSERT_EQ(done.exit_code, 0) << done;
  const std::string id = absl::StrCat("tl-", name_);
  EXPECT_THAT(done.out, HasSubstr(absl::StrCat("ip netns exec ", id, "-ops bash --rcfile /run/", id,
                                               "/env")));
  EXPECT_THAT(done.out, HasSubstr(absl::StrCat("playbooks/lab/run --down --name ", name_)));
  // As it says: a shell on the operators' machine, and a command in it.
  const Finished status = RunLab(
      {"/sbin/ip", "netns", "exec", id + "-ops", "/bin/bash", "-c",
       absl::StrCat(". /run/", id, "/env && trustline status -i /run/", id, "/inventory.yml")});
  EXPECT_EQ(status.exit_code, 0) << status;
  EXPECT_THAT(status.out, ContainsRegex("dst-pub +converged"));
  EXPECT_THAT(status.out, ContainsRegex("dhcp-b +held"));
  // A second one of that name would be in its way.
  EXPECT_EQ(RunLab({TRUSTLINE_SOURCE_DIR "/playbooks/lab/run", "--keep", "--name", name_,
                    "--build-dir", TRUSTLINE_BINARY_DIR})
                .exit_code,
            1);

  const Finished down = RunLab(Down());
  EXPECT_EQ(down.exit_code, 0) << down;
  EXPECT_FALSE(std::filesystem::exists("/run/" + id));
  for (const std::string& name : NamesIn("/run/netns"))
    EXPECT_FALSE(absl::StartsWith(name, id + "-")) << name;
}

// In a user namespace of its own without a mapping, as nobody there.
TEST(LabWithoutRootTest, SaysWhatItNeedsAndWhy) {
  const Finished done =
      RunLab({"/usr/bin/unshare", "--user", TRUSTLINE_SOURCE_DIR "/playbooks/lab/run"});
  EXPECT_EQ(done.exit_code, 77) << done;
  EXPECT_THAT(done.err, HasSubstr("needs root: network namespaces"));
  EXPECT_THAT(done.out, IsEmpty());
}

TEST_F(LabTest, InterruptedFromTheKeyboardItLeavesNothing) {
  ASSERT_TRUE(Eventually(kWholeRun, [&] {
    return absl::StrContains(lab_->out(), "==> migrate\n") || !lab_->Running();
  }));
  lab_->SignalGroup(SIGINT);  // as a terminal does
  const Finished done = lab_->Wait(absl::Minutes(2));
  EXPECT_EQ(done.exit_code, 130) << done;
  EXPECT_THAT(done.err, HasSubstr("interrupted"));
  ExpectNothingLeft();
}

TEST_F(LabTest, TerminatedWhileTheNetworkIsMadeItLeavesNothing) {
  // Some of its namespaces are there, others and all servers are not.
  const std::string one = absl::StrCat("/run/netns/tl-", lab_->pid(), "-dst-pub");
  ASSERT_TRUE(
      Eventually(kWholeRun, [&] { return std::filesystem::exists(one) || !lab_->Running(); }));
  EXPECT_TRUE(lab_->Running()) << lab_->err();
  lab_->Signal(SIGTERM);
  const Finished done = lab_->Wait(absl::Minutes(2));
  EXPECT_NE(done.exit_code, 0) << done;
  ExpectNothingLeft();
}

}  // namespace
}  // namespace trustline::e2e
