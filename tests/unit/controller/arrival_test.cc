// Who has arrived, told from the lists phones hold.
#include "controller/arrival.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "trust/rsa_signature.h"

namespace trustline::controller {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const char kNewItl[] = "the destination's ITL", kOtherItl[] = "the ITL of its subscriber";
const char kOldItl[] = "the source's ITL", kNewCtl[] = "the destination's CTL";

LiveList Live(const std::string& node, const std::string& bytes, bool ctl = false) {
  return {"10.20.0.11", node, ctl, bytes};
}
std::vector<LiveList> Destination() {
  return {Live("dst-pub", kNewItl), Live("dst-sub1", kOtherItl)};
}
std::vector<LiveList> MixedDestination() {
  std::vector<LiveList> live = Destination();
  live.push_back(Live("dst-pub", kNewCtl, true));
  return live;
}

ListEvidence Holds(const std::string& bytes) {
  ListEvidence list;
  list.digest = absl::BytesToHexString(DigestOf(SignatureDigest::kSha1, bytes));
  return list;
}
ListEvidence None() {
  ListEvidence list;
  list.none = true;
  return list;
}
PhoneEvidence PhoneWith(ListEvidence itl, ListEvidence ctl = {}) {
  PhoneEvidence phone;
  phone.device = "SEP001B54AABB01";
  phone.itl = std::move(itl);
  phone.ctl = std::move(ctl);
  return phone;
}

TEST(Arrival, APhoneHasArrivedWhenItsItlIsOneADestinationNodeServes) {
  ListEvidence by_md5, by_bytes;
  by_md5.digest = Live("", kOtherItl).Md5();
  by_bytes.bytes = kNewItl;
  const Arrival arrival = CompareArrival(
      {PhoneWith(Holds(kNewItl)), PhoneWith(by_md5), PhoneWith(by_bytes)}, Destination());
  ASSERT_THAT(arrival.arrived, SizeIs(3));
  EXPECT_EQ(arrival.arrived[0].node, "dst-pub");
  EXPECT_EQ(arrival.arrived[1].node, "dst-sub1");
  EXPECT_EQ(arrival.arrived[2].phone, 2u);
  EXPECT_EQ(arrival.arrived[2].node, "dst-pub");
  EXPECT_THAT(arrival.waiting, IsEmpty());
  EXPECT_THAT(arrival.unknown, IsEmpty());
}

TEST(Arrival, AnotherListOrNoneIsWaitingWithTheReason) {
  const Arrival arrival =
      CompareArrival({PhoneWith(Holds(kOldItl)), PhoneWith(None())}, Destination());
  ASSERT_THAT(arrival.waiting, SizeIs(2));
  EXPECT_EQ(arrival.waiting[0].phone, 0u);
  EXPECT_THAT(arrival.waiting[0].why, HasSubstr(Holds(kOldItl).digest.substr(0, 12)));
  EXPECT_THAT(arrival.waiting[0].why, HasSubstr("which no destination node serves"));
  EXPECT_EQ(arrival.waiting[1].why, "holds no ITL");
  EXPECT_THAT(arrival.arrived, IsEmpty());
}

TEST(Arrival, WithoutEvidenceNothingIsSaid) {
  const Arrival arrival = CompareArrival({PhoneWith({})}, Destination());
  ASSERT_THAT(arrival.unknown, SizeIs(1));
  EXPECT_EQ(arrival.unknown[0].why, "no evidence of its ITL");
  EXPECT_THAT(arrival.arrived, IsEmpty());
  EXPECT_THAT(arrival.waiting, IsEmpty());
}

TEST(Arrival, WhereTheDestinationHasACtlItMustBeThereToo) {
  const Arrival arrival = CompareArrival(
      {PhoneWith(Holds(kNewItl), Holds(kNewCtl)), PhoneWith(Holds(kNewItl), Holds("old CTL")),
       PhoneWith(Holds(kNewItl), None()), PhoneWith(Holds(kNewItl)),
       PhoneWith(Holds(kOldItl), Holds(kNewCtl))},
      MixedDestination());
  ASSERT_THAT(arrival.arrived, SizeIs(1));
  EXPECT_EQ(arrival.arrived[0].phone, 0u);
  ASSERT_THAT(arrival.waiting, SizeIs(3));
  EXPECT_THAT(arrival.waiting[0].why, HasSubstr("holds CTL "));
  EXPECT_EQ(arrival.waiting[1].why, "holds no CTL");
  EXPECT_THAT(arrival.waiting[2].why, HasSubstr("holds ITL "));
  ASSERT_THAT(arrival.unknown, SizeIs(1));
  EXPECT_EQ(arrival.unknown[0].phone, 3u);
  EXPECT_EQ(arrival.unknown[0].why, "no evidence of its CTL");
}

// An ITL is no CTL, whatever its bytes.
TEST(Arrival, AListCountsAsItsOwnKindOnly) {
  const Arrival arrival = CompareArrival({PhoneWith(Holds(kNewCtl))}, MixedDestination());
  EXPECT_THAT(arrival.arrived, IsEmpty());
  EXPECT_THAT(arrival.waiting, SizeIs(1));
}

TEST(Arrival, OfPhonesWithoutSecurityByDefaultTheCtlCounts) {
  PhoneEvidence old_phone = PhoneWith({}, Holds(kNewCtl));
  old_phone.abilities.security_by_default = false;
  EXPECT_THAT(CompareArrival({old_phone}, MixedDestination()).arrived, SizeIs(1));
  const Arrival without = CompareArrival({old_phone}, Destination());
  ASSERT_THAT(without.unknown, SizeIs(1));
  EXPECT_THAT(without.unknown[0].why, HasSubstr("nothing to compare"));
}

TEST(Arrival, ExcludedPhonesAreListedAndNotJudged) {
  PhoneEvidence excluded = PhoneWith(Holds(kNewItl));
  excluded.excluded = "in a box";
  const Arrival arrival = CompareArrival({excluded}, Destination());
  ASSERT_THAT(arrival.excluded, SizeIs(1));
  EXPECT_EQ(arrival.excluded[0].why, "in a box");
  EXPECT_THAT(arrival.arrived, IsEmpty());
}

TEST(Arrival, AgainstADestinationThatServesNothingNobodyHasArrived) {
  const Arrival arrival = CompareArrival({PhoneWith(Holds(kNewItl))}, {});
  EXPECT_THAT(arrival.arrived, IsEmpty());
  EXPECT_THAT(arrival.waiting, SizeIs(1));
}

}  // namespace
}  // namespace trustline::controller
