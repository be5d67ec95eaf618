// Whom a phone asks for a signer it does not know, and what the answers are worth to it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/fakes/phone_world.h"
#include "trust/phone/phone.h"

namespace trustline {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::MakeItl;
using testing::PhoneWorld;
using ::testing::SizeIs;
using testing::TestPki;
using End = BootResult::End;

class PhoneTvs : public ::testing::Test {
 protected:
  PhoneTvs() {
    world_.ServeDestination(world_.dst_pub);
    lists_only_.fetch_config = false;
  }
  BootResult Move(const PhoneState& state, const PhoneBehaviour& behaviour) {
    world_.asked.clear();
    return world_.Run(state, {world_.dst_pub.address}, behaviour);
  }
  BootResult Move(const PhoneState& state) { return Move(state, lists_only_); }
  BootResult Move() { return Move(world_.SourcePhone()); }
  void ExpectLocked(const BootResult& result, PhoneRefusal refusal, const std::string& why) {
    EXPECT_EQ(result.end, End::kLocked) << result.reason;
    EXPECT_EQ(PhoneRefusalName(result.refusal), PhoneRefusalName(refusal)) << result.reason;
    EXPECT_THAT(result.reason, HasSubstr(why));
    EXPECT_FALSE(result.itl_changed);
  }
  PhoneWorld::Tvs& Tvs(const testing::PhoneNode& node) { return world_.tvs.at(node.address); }

  PhoneWorld world_;
  PhoneBehaviour lists_only_;
};

TEST_F(PhoneTvs, Scenario28PrimaryDownSecondaryUpPhonesFailOverInGroupOrder) {
  world_.SourceKnows(world_.dst_pub.itlrecovery);
  Tvs(world_.src_pub).broken = absl::UnavailableError("connection refused");
  const BootResult result = Move();
  EXPECT_EQ(result.end, End::kMoved) << result.reason;
  EXPECT_THAT(world_.asked, ElementsAre("10.10.0.11", "10.10.0.12"));
  EXPECT_THAT(result.reason, HasSubstr("vouched for by TVS src-sub1 (10.10.0.12)"));
  ASSERT_THAT(result.tvs, SizeIs(2));
  EXPECT_EQ(result.tvs[0].refusal, PhoneRefusal::kTvsUnreachable);
  EXPECT_EQ(result.tvs[1].refusal, PhoneRefusal::kNone);
}

TEST_F(PhoneTvs, Scenario28AllThreeDownPhonesKeepTheirList) {
  PhoneState phone = world_.SourcePhone();
  phone.tvs.push_back({"10.10.0.13", 2445});
  for (auto& [address, server] : world_.tvs)
    server.broken = absl::UnavailableError("connection timed out");
  const BootResult result = Move(phone, {});
  ExpectLocked(result, PhoneRefusal::kTvsUnreachable,
               "TVS src-pub (10.10.0.11) could not be asked: connection timed out; "
               "TVS src-sub1 (10.10.0.12) could not be asked: connection timed out; "
               "TVS 10.10.0.13 could not be asked: no route to host; no other TVS server");
  EXPECT_EQ(result.after.itl, phone.itl);
  EXPECT_EQ(result.after.config, phone.config);
  EXPECT_EQ(result.after.status.back().text, "Trust List Update Failed");
  EXPECT_THAT(result.registers_at, ElementsAre("10.10.0.11", "10.10.0.12"));
  // Each server once per file: the list, then the configuration.
  EXPECT_THAT(world_.asked, SizeIs(6));
}

TEST_F(PhoneTvs, AFourthServerIsNotAsked) {
  PhoneState phone = world_.SourcePhone();
  phone.tvs = {{"10.0.0.1", 2445}, {"10.0.0.2", 2445}, {"10.0.0.3", 2445}, {"10.10.0.11", 2445}};
  world_.SourceKnows(world_.dst_pub.itlrecovery);
  ExpectLocked(Move(phone), PhoneRefusal::kTvsUnreachable, "phones ask three TVS servers at most");
  EXPECT_THAT(world_.asked, ElementsAre("10.0.0.1", "10.0.0.2", "10.0.0.3"));
}

// Replication lag: only one subscriber lacks the signer, and its phones are locked.
TEST_F(PhoneTvs, Scenario13ASignerMissingOnOneNodeLocksThePhonesThatAskIt) {
  Tvs(world_.src_pub).knows = {{world_.dst_pub.itlrecovery, {0}}};
  PhoneState lagging = world_.SourcePhone();
  lagging.tvs = {{world_.src_sub.address, 2445}};
  EXPECT_EQ(Move().end, End::kMoved);
  ExpectLocked(Move(lagging), PhoneRefusal::kSignerUnknown,
               "TVS src-sub1 (10.10.0.12) answered: certificate unknown; no other TVS server");
}

TEST_F(PhoneTvs, AnUnknownCertificateIsFinalUnlessPhonesAreForgiving) {
  Tvs(world_.src_sub).knows = {{world_.dst_pub.itlrecovery, {0}}};
  const BootResult strict = Move();
  ExpectLocked(strict, PhoneRefusal::kSignerUnknown, "certificate unknown");
  EXPECT_THAT(world_.asked, ElementsAre("10.10.0.11"));
  EXPECT_THAT(strict.assumptions, Contains(HasSubstr("is not documented")));
  PhoneBehaviour forgiving = lists_only_;
  forgiving.next_tvs_after_refusal = true;
  EXPECT_EQ(Move(world_.SourcePhone(), forgiving).end, End::kMoved);
}

TEST_F(PhoneTvs, Scenario14RolesWithoutSastLockThePhone) {
  world_.SourceKnows(world_.dst_pub.itlrecovery, {1, 3});
  ExpectLocked(Move(), PhoneRefusal::kSignerRole,
               "answered: certificate known, but without the role SAST (it has CCM, TFTP)");
}

TEST_F(PhoneTvs, ATvsThatPresentsAnotherCertificateIsNotBelieved) {
  world_.SourceKnows(world_.dst_pub.itlrecovery);
  for (auto& [address, server] : world_.tvs)
    server.identity = TestPki::UnitCertificate("tvs_regenerated");
  ExpectLocked(Move(), PhoneRefusal::kTvsIdentity,
               "presents a certificate that the phone's ITL does not have");
}

TEST_F(PhoneTvs, Scenario17AnExpiredTvsCertificateStrandsThePhone) {
  testing::UnitOptions past;
  past.not_after = TestPki::SomeTime() - absl::Hours(1);
  testing::PhoneNode& node = world_.src_pub;
  node.tvs = TestPki::UnitCertificate("tvs_src-pub", past);
  PhoneState phone = world_.SourcePhone();
  phone.itl = MakeItl(node, {node});
  Tvs(node).identity = node.tvs;
  world_.SourceKnows(world_.dst_pub.itlrecovery);
  const BootResult result = Move(phone);
  ExpectLocked(result, PhoneRefusal::kTvsIdentity, "expired 2026-05-31");
  EXPECT_THAT(world_.asked, IsEmpty());
  EXPECT_THAT(result.assumptions, SizeIs(1));
  PhoneBehaviour forgiving = lists_only_;
  forgiving.expired_tvs_certificates = true;
  EXPECT_EQ(Move(phone, forgiving).end, End::kMoved);
}

// The phone was off while the TVS certificate was regenerated.
TEST_F(PhoneTvs, Scenario17AStaleItlStrandsThePhone) {
  world_.SourceKnows(world_.dst_pub.itlrecovery);
  PhoneState phone = world_.SourcePhone();
  testing::PhoneNode before = testing::MakePhoneNode("src-pub", "10.10.0.11");
  phone.itl = MakeItl(before, {before});
  ExpectLocked(Move(phone), PhoneRefusal::kTvsIdentity, "does not have");
}

TEST_F(PhoneTvs, AnAnswerToAnotherQuestionVouchesForNothing) {
  world_.SourceKnows(world_.dst_pub.itlrecovery);
  Tvs(world_.src_pub).answers_another_question = true;
  const BootResult result = Move();
  EXPECT_EQ(result.end, End::kMoved) << result.reason;
  EXPECT_THAT(world_.asked, ElementsAre("10.10.0.11", "10.10.0.12"));
  EXPECT_THAT(result.tvs[0].text, HasSubstr("another question"));
}

TEST_F(PhoneTvs, AnAddressedPhoneWithoutTvsServersIsLocked) {
  PhoneState phone = world_.SourcePhone();
  phone.tvs.clear();
  ExpectLocked(Move(phone), PhoneRefusal::kTvsNone, "knows no TVS server");
}

TEST_F(PhoneTvs, Scenario44AnswersAreUsedUntilTheyExpireOrThePhoneIsReset) {
  for (auto& [address, server] : world_.tvs) server.ttl = absl::Hours(2);
  const absl::Time noon = TestPki::SomeTime();
  const std::vector<std::string> servers = {world_.dst_pub.address};
  PhoneBehaviour no_reset = lists_only_;
  no_reset.reset_forgets_tvs = false;
  const PhoneState refused = world_.Run(world_.SourcePhone(), servers, no_reset, noon).after;
  ASSERT_THAT(refused.tvs_cache, SizeIs(1));
  EXPECT_EQ(refused.tvs_cache[0].expires, noon + absl::Hours(2));

  // Imported afterwards: the old answer sticks.
  world_.SourceKnows(world_.dst_pub.itlrecovery);
  world_.asked.clear();
  const BootResult sticking = world_.Run(refused, servers, no_reset, noon + absl::Minutes(119));
  ExpectLocked(sticking, PhoneRefusal::kSignerUnknown, "certificate unknown");
  EXPECT_THAT(world_.asked, IsEmpty());
  ASSERT_THAT(sticking.tvs, SizeIs(1));
  EXPECT_TRUE(sticking.tvs[0].from_cache);
  EXPECT_THAT(sticking.assumptions, Contains(HasSubstr("remembers")));
  // Expired.
  EXPECT_EQ(world_.Run(refused, servers, no_reset, noon + absl::Minutes(120)).end, End::kMoved);
  // Reset.
  EXPECT_EQ(world_.Run(refused, servers, lists_only_, noon + absl::Minutes(1)).end, End::kMoved);
}

TEST_F(PhoneTvs, Scenario44AGoodAnswerIsForgottenWithTheListItWasFor) {
  world_.SourceKnows(world_.dst_pub.itlrecovery);
  const BootResult moved = Move();
  ASSERT_EQ(moved.end, End::kMoved);
  EXPECT_THAT(moved.after.tvs_cache, IsEmpty());
}

TEST_F(PhoneTvs, WhenTheItlIsRefusedAKnownTftpSignerStillGetsItsConfigurationApplied) {
  // CallManager was imported, ITLRecovery was forgotten: the phone registers, and is not moved.
  world_.SourceKnows(world_.dst_pub.callmanager);
  const BootResult result = Move(world_.SourcePhone(), {});
  ExpectLocked(result, PhoneRefusal::kSignerUnknown, "CN=ITLRECOVERY_dst-pub");
  EXPECT_EQ(result.refused_file, world_.ItlName());
  EXPECT_TRUE(result.config_changed);
  EXPECT_THAT(result.registers_at, ElementsAre("10.20.0.11", "10.20.0.12"));
}

}  // namespace
}  // namespace trustline
