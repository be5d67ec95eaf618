#include "controller/render/status_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/render/style.h"

namespace trustline::controller {
namespace {

absl::Time Now() { return absl::FromUnixSeconds(1795305600); }

v1::StatusResponse Answer(const std::string& node, uint32_t converged, int64_t own_days) {
  v1::StatusResponse answer;
  answer.set_node(node);
  v1::DocumentStatus* document = answer.add_documents();
  document->set_playbook("migrate-phones");
  document->set_stages_passed(3);
  document->set_stages(3);
  document->set_resources(6);
  document->set_converged(converged);
  v1::CertificateStatus* certificate = answer.add_certificates();
  certificate->set_store("TVS");
  certificate->set_own(true);
  certificate->set_not_after_unix(
      absl::ToUnixSeconds(Now() + absl::Hours(24) * own_days + absl::Hours(1)));
  return answer;
}

TEST(StatusTable, LooksAsOperatorsKnowIt) {
  NodeStatus drifted{"src-sub1", Answer("src-sub1", 5, 12), absl::InfinitePast()};
  drifted.answer->mutable_documents(0)->add_drifted("Phone-SAST-trust: 1 certificate missing");
  drifted.answer->set_last_change_unix(absl::ToUnixSeconds(Now() - absl::Minutes(2)));
  NodeStatus silent{"dhcp-b", absl::UnavailableError("connection refused"), Now() - absl::Hours(1)};
  NodeStatus fine{"dst-pub", Answer("dst-pub", 6, 4 * 365), absl::InfinitePast()};
  fine.answer->set_last_change_unix(absl::ToUnixSeconds(Now() - absl::Hours(49)));
  EXPECT_EQ(FormatStatus({drifted, silent, fine}, Now(), Style(), true),
            "NODE      STATE        STAGES  RESOURCES  CERTIFICATES         LAST CHANGE\n"
            "src-sub1  drifted      3/3     5 of 6     TVS expires in 12 d  2 m ago  "
            "Phone-SAST-trust: 1 certificate missing\n"
            "dhcp-b    unreachable  -       ?          -                    last seen 1 h ago  "
            "connection refused\n"
            "dst-pub   converged    3/3     6 of 6     TVS expires in 4 y   2 d ago\n");
}

TEST(StatusTable, StateComesFromWhatIsTrueNow) {
  NodeStatus node{"a", Answer("a", 6, 100), absl::InfinitePast()};
  EXPECT_EQ(StateWord(node), "converged");
  node.answer->add_reloads_owed("tvs");
  EXPECT_EQ(StateWord(node), "pending");
  node.answer->set_held("rolled back by run 20261122-8");
  EXPECT_EQ(StateWord(node), "held");
  node.answer = v1::StatusResponse();
  EXPECT_EQ(StateWord(node), "idle");
  node.answer = absl::PermissionDeniedError("no role");
  EXPECT_EQ(StateWord(node), "denied");
}

TEST(StatusTable, AnExpiredCertificateSaysSo) {
  NodeStatus node{"a", Answer("a", 6, -3), absl::InfinitePast()};
  EXPECT_THAT(FormatStatus({node}, Now(), Style(), false),
              ::testing::HasSubstr("TVS expired 2 d ago"));
}

TEST(Durations, TakeTheLargestWholeUnit) {
  EXPECT_EQ(HumanDuration(absl::Milliseconds(400)), "0 s");
  EXPECT_EQ(HumanDuration(absl::Seconds(43)), "43 s");
  EXPECT_EQ(HumanDuration(absl::Seconds(150)), "2 m");
  EXPECT_EQ(HumanDuration(absl::Hours(30)), "30 h");
  EXPECT_EQ(HumanDuration(absl::Hours(12 * 24)), "12 d");
  EXPECT_EQ(HumanDuration(absl::Hours(24 * 365 * 4 + 5)), "4 y");
}

TEST(Colour, FollowsTheFlagAndTheEnvironment) {
  setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(StyleFor(1, "auto").colour);
  EXPECT_TRUE(StyleFor(1, "always").colour);
  unsetenv("NO_COLOR");
  setenv("CLICOLOR_FORCE", "1", 1);
  EXPECT_TRUE(StyleFor(1, "auto").colour);
  EXPECT_FALSE(StyleFor(1, "never").colour);
  unsetenv("CLICOLOR_FORCE");
  Style style;
  style.colour = true;
  EXPECT_EQ(style.Apply(Paint::kGood, "ok"), "\x1b[32mok\x1b[0m");
}

TEST(Digits, AreGrouped) {
  EXPECT_EQ(GroupDigits(1241), "1,241");
  EXPECT_EQ(GroupDigits(12), "12");
  EXPECT_EQ(GroupDigits(1234567), "1,234,567");
}

}  // namespace
}  // namespace trustline::controller
