// What operators read of simulated phones.
#include "controller/render/phone_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/fakes/phone_world.h"
#include "trust/rsa_signature.h"

namespace trustline::controller {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::MakeItl;
using ::testing::Not;
using testing::PhoneWorld;
using testing::TestPki;

std::string Sha1(const std::string& bytes) {
  return absl::BytesToHexString(DigestOf(SignatureDigest::kSha1, bytes));
}

class PhoneOutput : public ::testing::Test {
 protected:
  PhoneOutput() {
    behaviour_.names = {{world_.dst_pub.address, "dst-pub"}};
    world_.ServeDestination(world_.dst_pub);
  }
  BootResult Moved() {
    world_.SourceKnows(world_.dst_pub.itlrecovery);
    return world_.Run(before_, {world_.dst_pub.address}, behaviour_);
  }
  BootResult Locked() { return world_.Run(before_, {world_.dst_pub.address}, behaviour_); }

  PhoneWorld world_;
  PhoneBehaviour behaviour_;
  PhoneState before_ = world_.SourcePhone();
};

TEST_F(PhoneOutput, ABootIsToldStepByStepAndEndsWithItsReasonAndDigests) {
  const BootResult moved = Moved();
  const std::string text = BootText(moved, before_, behaviour_, Style());
  EXPECT_THAT(text, HasSubstr(absl::StrCat("  ", world_.CtlName(),
                                           " from dst-pub (10.20.0.11): no such file")));
  EXPECT_THAT(text, HasSubstr("~ "));
  EXPECT_THAT(text,
              HasSubstr(absl::StrCat("\nSEP001B54AABB01  moved  ", moved.reason, "\n  ITL ",
                                     Sha1(*before_.itl), " -> ", Sha1(*moved.after.itl), "\n")));
  EXPECT_THAT(text, HasSubstr("  registers at dst-pub (10.20.0.11), 10.20.0.12\n"));
  // No CTL, no line of it; no colour, no escapes.
  EXPECT_THAT(text, Not(HasSubstr("  CTL none")));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST_F(PhoneOutput, ALockedPhoneIsShouted) {
  const BootResult locked = Locked();
  ASSERT_EQ(locked.end, BootResult::End::kLocked);
  const std::string text = BootText(locked, before_, behaviour_, Style());
  EXPECT_THAT(text, AllOf(HasSubstr("\n! "), HasSubstr("SEP001B54AABB01  LOCKED  ")));
  EXPECT_THAT(text, HasSubstr(absl::StrCat("  ITL ", Sha1(*before_.itl), "\n")));
  const std::string move = MoveText(locked, before_, behaviour_, Style());
  EXPECT_THAT(move, AllOf(HasSubstr("SEP001B54AABB01  LOCKED  registers at 10.10.0.11"),
                          HasSubstr(locked.reason)));
  const std::string coloured = MoveText(locked, before_, behaviour_, Style{true, 80});
  EXPECT_THAT(coloured, HasSubstr("\x1b["));
}

TEST_F(PhoneOutput, AMoveIsOneLine) {
  EXPECT_EQ(MoveText(Moved(), before_, behaviour_, Style()),
            "SEP001B54AABB01  moved  registers at dst-pub (10.20.0.11), 10.20.0.12\n");
  BootResult nowhere = Moved();
  nowhere.registers_at.clear();
  EXPECT_EQ(MoveText(nowhere, before_, behaviour_, Style()),
            "SEP001B54AABB01  moved  registers nowhere\n");
}

TEST_F(PhoneOutput, TheSameAsJson) {
  const BootResult moved = Moved();
  const auto json = nlohmann::json::parse(BootJson(moved, before_));
  EXPECT_EQ(json["device"], "SEP001B54AABB01");
  EXPECT_EQ(json["end"], "moved");
  EXPECT_EQ(json["itl"]["before"], Sha1(*before_.itl));
  EXPECT_EQ(json["itl"]["after"], Sha1(*moved.after.itl));
  EXPECT_EQ(json["ctl"]["after"], "none");
  EXPECT_EQ(json["steps"].size(), moved.steps.size());
  EXPECT_EQ(json["tvs"][0]["vouched"], true);
  EXPECT_EQ(json["tvs"][0]["server"], "10.10.0.11:2445");
  EXPECT_FALSE(json.contains("refusal"));
}

TEST_F(PhoneOutput, ARefusalIsNamedInJson) {
  const auto json = nlohmann::json::parse(BootJson(Locked(), before_));
  EXPECT_EQ(json["refusal"], "signer-unknown");
  EXPECT_EQ(json["refused_file"], world_.ItlName());
  EXPECT_EQ(json["tvs"][0]["vouched"], false);
}

class FleetOutput : public PhoneOutput {
 protected:
  FleetOutput() {
    const std::string old_itl = MakeItl(world_.src_pub, world_.source);
    options_.tftp_servers = {world_.dst_pub.address};
    options_.behaviour = behaviour_;
    options_.behaviour.fetch_config = false;
    options_.in_flight = 1;  // PhoneWorld is for one at a time
    options_.library.Add(old_itl, "ITL of src-pub");
    world_.Serve(world_.dst_pub, "ITLFile.tlv", MakeItl(world_.dst_pub, world_.destination));
    for (int i = 0; i < 1007; ++i) {
      PhoneEvidence phone;
      phone.device = absl::StrFormat("SEP%012X", i);
      phone.tvs = before_.tvs;
      if (i < 1000) phone.itl.digest = Sha1(old_itl);
      if (i == 1006) phone.excluded = "in a box";
      phones_.push_back(std::move(phone));
    }
  }
  std::vector<ClassDecision> Decide() {
    return DecideClasses(phones_, world_, options_, TestPki::SomeTime());
  }

  FleetOptions options_;
  std::vector<PhoneEvidence> phones_;
};

TEST_F(FleetOutput, ClassesAreShownAndNotPhones) {
  world_.SourceKnows(world_.dst_pub.itlrecovery);
  const std::string text = FleetText(Decide(), options_.library, "phones.csv", Style());
  EXPECT_THAT(text, HasSubstr("evidence  phones.csv\n"));
  EXPECT_THAT(text, AllOf(HasSubstr("class 1   1,000 phones  ITL "),
                          HasSubstr("(ITL of src-pub)  moved  ")));
  EXPECT_THAT(text, HasSubstr("unproven  no evidence of its ITL\n"));
  EXPECT_THAT(text, HasSubstr("not judged  excluded: in a box\n"));
  EXPECT_THAT(text, HasSubstr("          e.g. SEP0000000003E8, SEP0000000003E9, "));
  EXPECT_THAT(text, Not(HasSubstr("SEP000000000000")));  // of a class that moves nobody asks
  EXPECT_THAT(text, HasSubstr("FLEET  3 classes: 1,000 moved, 6 unproven, 1 not judged; 3 phones "
                              "simulated\n"));
}

TEST_F(FleetOutput, LockedClassesNameSomeOfTheirPhones) {
  const std::string text = FleetText(Decide(), options_.library, "phones.csv", Style());
  EXPECT_THAT(text, AllOf(HasSubstr("LOCKED"), HasSubstr("e.g. SEP000000000000, SEP000000000001"),
                          HasSubstr("1,000 locked")));
}

TEST_F(FleetOutput, ClassesAsJson) {
  world_.SourceKnows(world_.dst_pub.itlrecovery);
  const auto json = nlohmann::json::parse(FleetJson(Decide(), options_.library));
  ASSERT_EQ(json["classes"].size(), 3u);
  EXPECT_EQ(json["classes"][0]["phones"], 1000);
  EXPECT_EQ(json["classes"][0]["end"], "moved");
  EXPECT_EQ(json["classes"][0]["simulated"], 3);
  EXPECT_EQ(json["classes"][0]["ends"]["moved"], 3);
  EXPECT_EQ(json["classes"][1]["unproven"], true);
  EXPECT_FALSE(json["classes"][1].contains("end"));
  EXPECT_EQ(json["classes"][2]["not_judged"], "excluded: in a box");
}

TEST(ArrivalOutput, ReasonsAreCountedWithSomeExamples) {
  std::vector<PhoneEvidence> phones(12);
  for (size_t i = 0; i < phones.size(); ++i) phones[i].device = absl::StrCat("SEP", i);
  Arrival arrival;
  arrival.arrived = {{0, "dst-pub"}, {1, "dst-pub"}, {2, "dst-sub1"}};
  for (size_t i = 3; i < 10; ++i) arrival.waiting.push_back({i, "holds no ITL"});
  arrival.unknown = {{10, "no evidence of its ITL"}};
  arrival.excluded = {{11, "in a box"}};
  EXPECT_EQ(ArrivalText(arrival, phones, Style(), 2),
            "arrived   2 phones  hold the list of dst-pub\n"
            "arrived   1 phone  hold the list of dst-sub1\n"
            "waiting   7 phones  holds no ITL  e.g. SEP3, SEP4\n"
            "unknown   1 phone  no evidence of its ITL  e.g. SEP10\n"
            "excluded  1 phone  in a box  e.g. SEP11\n"
            "ARRIVAL  3 arrived, 7 waiting, 1 unknown, 1 excluded\n");
  const auto json = nlohmann::json::parse(ArrivalJson(arrival, phones));
  EXPECT_EQ(json["arrived"][2]["device"], "SEP2");
  EXPECT_EQ(json["arrived"][2]["node"], "dst-sub1");
  EXPECT_EQ(json["waiting"].size(), 7u);
  EXPECT_EQ(json["unknown"][0]["why"], "no evidence of its ITL");
  EXPECT_EQ(json["excluded"][0]["device"], "SEP11");
}

}  // namespace
}  // namespace trustline::controller
