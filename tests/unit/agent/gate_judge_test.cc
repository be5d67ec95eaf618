// What a gate says about phones, lists and servers that are made for real and broken one by one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "agent/gate/judge.h"
#include "agent/gate/reset_advice.h"
#include "tests/fakes/gate_world.h"
#include "trust/trust_list/list_writer.h"

namespace trustline::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::ListOptions;
using ::testing::Not;
using testing::PhoneWorld;
using testing::TestPki;

class GateJudgeTest : public ::testing::Test {
 protected:
  // The source's TVS at an address knows nothing any more of what the destination signs with.
  void Forget(const std::string& address) { world_.phones.tvs.at(address).knows.clear(); }
  const v1::GateDecision& Decision(const v1::GateReport& report, int index, int row = 0) {
    return report.classes(row).decisions(index);
  }
  // The source's list names a CAPF, and the phones hold certificates (LSC) of it.
  Certificate HoldLscs() {
    const Certificate capf = TestPki::UnitCertificate("CAPF_src-pub");
    TrustListDraft draft;
    draft.timestamp = absl::FromUnixSeconds(1700000000);
    for (const auto& [certificate, role] :
         {std::pair{world_.phones.src_pub.callmanager, ListRole::kSast},
          std::pair{world_.phones.src_pub.callmanager, ListRole::kTftp},
          std::pair{capf, ListRole::kCapf}, std::pair{world_.phones.src_pub.tvs, ListRole::kTvs},
          std::pair{world_.phones.src_sub.tvs, ListRole::kTvs}}) {
      draft.records.push_back(MakeRecord(certificate, role, "src-pub").value());
    }
    world_.phones.Serve(
        world_.phones.src_pub, "ITLFile.tlv",
        WriteTrustList(draft, world_.phones.src_pub.callmanager, TestPki::UnitKey()).value());
    *world_.spec.mutable_classes(0) = world_.SourceClass();
    world_.spec.mutable_classes(0)->set_lsc_issuer_sha256(capf.sha256_hex());
    return capf;
  }
  void DestinationKnows(const Certificate& certificate) {
    for (const char* address : {"10.20.0.11", "10.20.0.12"}) {
      world_.phones.tvs.at(address).knows.emplace_back(certificate, std::vector<uint8_t>{4});
    }
  }

  GateWorld world_;
};

TEST_F(GateJudgeTest, Scenario01AcceptsWhenEveryTvsVouchesForTheDestination) {
  world_.Import();
  const v1::GateReport report = world_.Judge();
  EXPECT_TRUE(report.accepted()) << TextOf(report);
  EXPECT_EQ(report.judge(), "probe-floor3");
  EXPECT_EQ(report.phones(), 3u);
  EXPECT_EQ(report.locked(), 0u);
  ASSERT_EQ(report.classes(0).decisions_size(), 2);
  EXPECT_EQ(Decision(report, 0).node(), "dst-pub");
  EXPECT_EQ(Decision(report, 1).node(), "dst-sub1");
  EXPECT_THAT(report.classes(0).holds(), HasSubstr("ITL src-pub "));
  EXPECT_THAT(Decision(report, 0).reason(), HasSubstr("src-pub, src-sub1"));
}

TEST_F(GateJudgeTest, AsksAServerTheSameThingOnce) {
  world_.Import();
  *world_.spec.add_classes() = world_.SourceClass();
  world_.spec.mutable_classes(1)->set_no_ec(true);
  EXPECT_TRUE(world_.Judge().accepted());
  const auto asked = [&](const std::string& what) {
    return std::count(world_.phones.fetched.begin(), world_.phones.fetched.end(), what);
  };
  EXPECT_EQ(asked(absl::StrCat("10.20.0.11 ", world_.phones.ItlName())), 1);
}

TEST_F(GateJudgeTest, Scenario02NamesTheCallManagerThatWasNotImported) {
  ListOptions options;
  options.recovery_signs = false;
  world_.topology.mutable_clusters(1)->set_version("11.5");
  world_.ServeDestination(options);
  world_.phones.SourceKnows(world_.phones.dst_pub.callmanager);
  const v1::GateReport report = world_.Judge();
  EXPECT_FALSE(report.accepted());
  EXPECT_TRUE(Decision(report, 0).accepted()) << TextOf(report);
  EXPECT_FALSE(Decision(report, 1).accepted());
  EXPECT_THAT(Decision(report, 1).reason(),
              HasSubstr(absl::StrCat("ITL of dst-sub1 is signed by CallManager serial ",
                                     world_.phones.dst_sub.callmanager.serial_hex())));
}

TEST_F(GateJudgeTest, Scenario03SaysThatItlRecoveryIsAbsentFromPhoneSastTrust) {
  world_.phones.SourceKnows(world_.phones.dst_pub.callmanager);
  world_.phones.SourceKnows(world_.phones.dst_sub.callmanager);
  const v1::GateReport report = world_.Judge();
  EXPECT_FALSE(report.accepted());
  EXPECT_EQ(report.locked(), 3u);
  EXPECT_THAT(Decision(report, 0).reason(),
              HasSubstr(absl::StrCat("ITL of dst-pub is signed by ITLRecovery serial ",
                                     world_.phones.dst_pub.itlrecovery.serial_hex(),
                                     ", absent from Phone-SAST-trust of src-pub, src-sub1")));
  ASSERT_EQ(Decision(report, 0).missing_size(), 2);
  EXPECT_EQ(Decision(report, 0).missing(0).node(), "src-pub");
  EXPECT_EQ(Decision(report, 0).missing(0).serial(),
            world_.phones.dst_pub.itlrecovery.serial_hex());
  EXPECT_EQ(Decision(report, 0).next(), "trustline apply migrate.yml -l src-pub,src-sub1");
  EXPECT_THAT(report.reasons(), ElementsAre("3 phones would be locked"));
}

TEST_F(GateJudgeTest, Scenario13NamesTheSubscriberThatLagsAndWhoHasIt) {
  world_.Import();
  Forget("10.10.0.12");
  const v1::GateReport report = world_.Judge();
  EXPECT_FALSE(report.accepted());
  EXPECT_THAT(Decision(report, 0).reason(),
              HasSubstr("absent from Phone-SAST-trust of src-sub1: TVS there answered certificate "
                        "unknown"));
  EXPECT_THAT(Decision(report, 0).notes(), ElementsAre("present on src-pub"));
  ASSERT_EQ(Decision(report, 0).missing_size(), 1);
  EXPECT_EQ(Decision(report, 0).missing(0).node(), "src-sub1");
  EXPECT_EQ(Decision(report, 0).next(), "trustline apply migrate.yml -l src-sub1");
}

TEST_F(GateJudgeTest, Scenario14RefusesAnAnswerWithoutTheRoleSast) {
  world_.phones.SourceKnows(world_.phones.dst_pub.itlrecovery, {3});
  const v1::GateReport report = world_.Judge();
  EXPECT_FALSE(report.accepted());
  EXPECT_THAT(Decision(report, 0).reason(), HasSubstr("without the role SAST"));
  EXPECT_THAT(Decision(report, 0).reason(), HasSubstr("not in Phone-SAST-trust"));
  EXPECT_TRUE(Decision(report, 0).missing(0).role_only());
}

TEST_F(GateJudgeTest, Scenario16RefusesAnEmptyListInMixedModeAndWarnsWithout) {
  world_.Import();
  v1::PhoneClass& phones = *world_.spec.mutable_classes(0);
  phones.clear_itl_digest();
  phones.set_itl(absl::Base64Escape(testing::MakeEmptyItl(world_.phones.src_pub)));
  v1::GateReport report = world_.Judge();
  EXPECT_TRUE(report.accepted()) << TextOf(report);
  EXPECT_THAT(TextOf(report), HasSubstr("HTTPS services"));

  phones.set_ctl(absl::Base64Escape(testing::MakeCtl(world_.phones.src_pub)));
  report = world_.Judge();
  EXPECT_FALSE(report.accepted());
  EXPECT_THAT(Decision(report, 0).reason(), HasSubstr("Rollback to pre-8.0"));
}

TEST_F(GateJudgeTest, Scenario17StrandsPhonesWhoseTvsIsAnother) {
  world_.Import();
  for (const char* address : {"10.10.0.11", "10.10.0.12"}) {
    world_.phones.tvs.at(address).identity = TestPki::UnitCertificate("tvs_regenerated");
  }
  const v1::GateReport report = world_.Judge();
  EXPECT_FALSE(report.accepted());
  EXPECT_EQ(report.locked(), 3u);
  EXPECT_THAT(Decision(report, 0).reason(), HasSubstr("will be stranded")) << TextOf(report);
}

TEST_F(GateJudgeTest, Scenario17StrandsPhonesWhoseTvsCertificateHasExpired) {
  world_.Import();
  world_.now = TestPki::SomeTime() + absl::Hours(24 * 365 * 30);  // every certificate is over
  const v1::GateReport report = world_.Judge();
  EXPECT_FALSE(report.accepted());
  EXPECT_THAT(Decision(report, 0).reason(), HasSubstr("will be stranded")) << TextOf(report);
}

TEST_F(GateJudgeTest, Scenario18SaysFromWhereTvsCannotBeReached) {
  world_.Import();
  for (const char* address : {"10.10.0.11", "10.10.0.12"}) {
    world_.phones.tvs.at(address).broken = absl::UnavailableError("connection timed out");
  }
  const v1::GateReport report = world_.Judge();
  EXPECT_FALSE(report.accepted());
  EXPECT_THAT(Decision(report, 0).reason(),
              HasSubstr("TVS of src-pub, src-sub1 cannot be reached from probe-floor3"));
  EXPECT_THAT(Decision(report, 0).notes(), ElementsAre(HasSubstr("TCP 2445")));
}

TEST_F(GateJudgeTest, Scenario21RefusesACertificateRegeneratedAfterItWasExported) {
  world_.Import();
  world_.phones.dst_pub.itlrecovery = TestPki::UnitCertificate("ITLRECOVERY_dst-pub");
  world_.ServeDestination();
  const v1::GateReport report = world_.Judge();
  EXPECT_FALSE(report.accepted());
  // Serial and subject are what the stores are searched for, to say that the old one is there.
  EXPECT_EQ(Decision(report, 0).missing(0).serial(),
            world_.phones.dst_pub.itlrecovery.serial_hex());
  EXPECT_THAT(Decision(report, 0).missing(0).subject(), HasSubstr("ITLRECOVERY_dst-pub"));
}

TEST_F(GateJudgeTest, Scenario24RefusesAPhoneWithoutARecordAndLeavesOutOneThatIsExcluded) {
  world_.Import();
  world_.phones.files.erase({"10.20.0.11", world_.phones.ConfigName()});
  v1::GateReport report = world_.Judge();
  EXPECT_FALSE(report.accepted());
  EXPECT_THAT(Decision(report, 0).reason(), HasSubstr("no record"));

  world_.spec.mutable_classes(0)->set_excluded("no record in the destination");
  world_.spec.set_allow_unproven(true);
  report = world_.Judge();
  EXPECT_TRUE(report.accepted()) << TextOf(report);
  EXPECT_EQ(report.classes(0).excluded(), "no record in the destination");
  EXPECT_THAT(TextOf(report), HasSubstr("3 phones do not move"));
}

TEST_F(GateJudgeTest, Scenario24RefusesAClassWhenAFurtherPhoneOfItHasNoRecord) {
  constexpr char kOther[] = "SEP001B54AABB99";
  world_.Import();
  world_.spec.mutable_classes(0)->add_examples(kOther);
  v1::GateReport report = world_.Judge();
  EXPECT_FALSE(report.accepted());
  EXPECT_THAT(Decision(report, 0).reason(),
              HasSubstr(absl::StrCat(kOther, ": the server has no ", kOther, ".cnf.xml.sgn")));
  EXPECT_THAT(Decision(report, 0).notes(), ElementsAre(HasSubstr(absl::StrCat("add ", kOther))));
  EXPECT_THAT(report.reasons(), ElementsAre("1 phone would be locked"));  // of 3

  const std::string name = absl::StrCat(kOther, ".cnf.xml.sgn");
  for (const testing::PhoneNode& node : world_.phones.destination) {
    world_.phones.Serve(
        node, name,
        testing::SignConfig(name, testing::ConfigXml({node.address}), node.callmanager));
  }
  report = world_.Judge();
  EXPECT_TRUE(report.accepted()) << TextOf(report);
}

TEST_F(GateJudgeTest, PhonesThatDoNotMoveProveNothing) {
  world_.Import();
  world_.spec.mutable_classes(0)->set_excluded("static address");
  v1::GateReport report = world_.Judge();
  EXPECT_FALSE(report.accepted());
  EXPECT_THAT(report.reasons(), ElementsAre(HasSubstr("the evidence names no phone that would "
                                                      "move, so nothing is proven")));
  world_.spec.set_allow_unproven(true);
  EXPECT_TRUE(world_.Judge().accepted());
}

TEST_F(GateJudgeTest, Scenario25ListsPhonesThatDhcpCannotMove) {
  world_.Import();
  v1::PhoneClass byhand = world_.SourceClass();
  byhand.add_tftp("10.9.9.9");
  *world_.spec.add_classes() = byhand;
  const v1::GateReport report = world_.Judge();
  EXPECT_TRUE(report.accepted()) << TextOf(report);
  EXPECT_THAT(report.classes(1).excluded(), HasSubstr("DHCP cannot move these phones"));
  EXPECT_THAT(report.classes(1).decisions(), IsEmpty());
}

TEST_F(GateJudgeTest, Scenario28OneTvsDownRefusesUnlessLenientAndAllDownAlways) {
  world_.Import();
  world_.phones.tvs.at("10.10.0.11").broken = absl::UnavailableError("connection refused");
  v1::GateReport report = world_.Judge();
  EXPECT_FALSE(report.accepted());
  EXPECT_THAT(Decision(report, 0).notes(), ::testing::Contains("present on src-sub1"));

  world_.spec.set_lenient(true);
  report = world_.Judge();
  EXPECT_TRUE(report.accepted()) << TextOf(report);
  EXPECT_THAT(TextOf(report), HasSubstr("tolerated: another TVS of the group vouches"));

  world_.phones.tvs.at("10.10.0.12").broken = absl::UnavailableError("connection refused");
  report = world_.Judge();
  EXPECT_FALSE(report.accepted());
}

TEST_F(GateJudgeTest, Scenario29RefusesAListThatWasTamperedWithOrForged) {
  world_.Import();
  std::string& itl = world_.phones.files.at({"10.20.0.11", world_.phones.ItlName()});
  itl[itl.size() - 5] = static_cast<char>(itl[itl.size() - 5] ^ 1);
  v1::GateReport report = world_.Judge();
  EXPECT_FALSE(report.accepted());
  EXPECT_FALSE(Decision(report, 0).accepted()) << TextOf(report);
  EXPECT_TRUE(Decision(report, 1).accepted());

  const PrivateKey other = PrivateKey::GenerateRsa(2048).value();
  world_.ServeDestination();
  std::string& forged = world_.phones.files.at({"10.20.0.11", world_.phones.ItlName()});
  forged = testing::Resigned(forged, other);
  report = world_.Judge();
  EXPECT_FALSE(Decision(report, 0).accepted()) << TextOf(report);
}

TEST_F(GateJudgeTest, Scenario31JudgesTheSecondNodeByItsOwnListAndRefusesADeadOne) {
  ListOptions options;
  options.recovery_signs = false;
  world_.topology.mutable_clusters(1)->set_version("11.5");
  world_.ServeDestination(options);
  world_.phones.SourceKnows(world_.phones.dst_pub.callmanager);
  world_.phones.broken_servers["10.20.0.11"] = absl::UnavailableError("connection refused");
  const v1::GateReport report = world_.Judge();
  EXPECT_FALSE(Decision(report, 0).accepted());
  EXPECT_THAT(Decision(report, 0).reason(), HasSubstr("no TFTP server answered"));
  EXPECT_FALSE(Decision(report, 1).accepted());
  EXPECT_THAT(Decision(report, 1).reason(),
              HasSubstr(world_.phones.dst_sub.callmanager.serial_hex()));
}

TEST_F(GateJudgeTest, WarnsOfADeadTftpServerOfTheSource) {
  world_.Import();
  EXPECT_THAT(TextOf(world_.Judge()), Not(HasSubstr("TFTP of")));
  world_.phones.broken_servers["10.10.0.12"] = absl::UnavailableError("connection refused");
  const v1::GateReport report = world_.Judge();
  EXPECT_TRUE(report.accepted()) << TextOf(report);
  EXPECT_THAT(TextOf(report), HasSubstr("TFTP of src-sub1 does not answer (connection refused)"));
}

TEST_F(GateJudgeTest, Scenario26RefusesAListLongerThanPhonesRead) {
  world_.Import();
  std::string& served = world_.phones.files.at({"10.20.0.12", world_.phones.ItlName()});
  const std::string record =
      EncodeRecord(MakeRecord(world_.phones.dst_pub.tvs, ListRole::kTvs, "another").value())
          .value();
  for (size_t size = ParseTrustList(served)->records.size(); size < 40; ++size) served += record;
  served = testing::Resigned(served);
  const v1::GateReport report = world_.Judge();
  EXPECT_FALSE(report.accepted());
  EXPECT_TRUE(Decision(report, 0).accepted()) << TextOf(report);
  EXPECT_FALSE(Decision(report, 1).accepted());
  EXPECT_THAT(Decision(report, 1).reason(), HasSubstr("40 certificates"));
}

TEST_F(GateJudgeTest, Scenario38FlagsPhonesThatDoNotKnowSha512) {
  world_.Import();
  ListOptions options;
  options.digest = SignatureDigest::kSha512;
  world_.ServeDestination(options);
  v1::PhoneClass old = world_.SourceClass();
  old.set_no_sha512(true);
  old.set_count(2);
  *world_.spec.add_classes() = old;
  const v1::GateReport report = world_.Judge();
  EXPECT_FALSE(report.accepted());
  EXPECT_EQ(report.locked(), 2u) << TextOf(report);
  EXPECT_THAT(Decision(report, 0, 1).reason(), HasSubstr("SHA-512"));
}

TEST_F(GateJudgeTest, Scenario39FlagsLscPhonesWhoseCapfTheDestinationDoesNotKnow) {
  world_.Import();
  const Certificate capf = HoldLscs();
  v1::GateReport report = world_.Judge();
  EXPECT_TRUE(report.accepted()) << TextOf(report);  // non-secure: a warning
  EXPECT_THAT(TextOf(report), HasSubstr("registration over TLS would fail"));

  DestinationKnows(capf);
  EXPECT_THAT(TextOf(world_.Judge()), Not(HasSubstr("TLS would fail")));
}

TEST_F(GateJudgeTest, Scenario39RefusesThemInMixedMode) {
  world_.Import();
  world_.topology.mutable_clusters(1)->set_security_mode(v1::SECURITY_MODE_MIXED);
  ListOptions mixed;
  mixed.mixed = true;
  mixed.other_recovery = &world_.phones.dst_pub;
  world_.ServeDestination(mixed);
  for (const auto& node : world_.phones.destination) {
    const std::string ctl = testing::MakeCtl(world_.phones.dst_pub);
    world_.phones.Serve(node, "CTLFile.tlv", ctl);
    world_.phones.Serve(node, world_.phones.CtlName(), ctl);
  }
  EXPECT_TRUE(world_.Judge().accepted()) << TextOf(world_.Judge());

  const Certificate capf = HoldLscs();
  const v1::GateReport report = world_.Judge();
  EXPECT_FALSE(report.accepted());
  EXPECT_THAT(TextOf(report), HasSubstr("registration over TLS would fail"));
  DestinationKnows(capf);
  EXPECT_TRUE(world_.Judge().accepted()) << TextOf(world_.Judge());

  // Whose LSC it is cannot be told: a warning, as nothing is known against it.
  world_.spec.mutable_classes(0)->set_lsc_issuer_sha256(
      TestPki::UnitCertificate("another CAPF").sha256_hex());
  EXPECT_THAT(TextOf(world_.Judge()), HasSubstr("which no list served now contains"));
}

TEST_F(GateJudgeTest, Scenario45SaysHowManyPhonesToResetAtOnce) {
  world_.Import();
  world_.spec.mutable_classes(0)->set_count(800);
  EXPECT_THAT(TextOf(world_.Judge()), Not(HasSubstr("reset at most")));
  // Another class, the same servers.
  v1::PhoneClass& others = *world_.spec.add_classes();
  others = world_.SourceClass();
  others.set_no_ec(true);
  others.set_count(9200);
  const v1::GateReport report = world_.Judge();
  EXPECT_TRUE(report.accepted()) << TextOf(report);
  EXPECT_THAT(TextOf(report), HasSubstr("reset at most 1000 of the 10000 phones that ask src-pub, "
                                        "src-sub1 at a time (10 batches)"));
  EXPECT_EQ(AdviseReset(10'000, 3).at_once, 1500u);
  EXPECT_EQ(AdviseReset(10'000, 3).batches, 7u);
  EXPECT_EQ(AdviseReset(10, 0, 0.01).at_once, 1u);
}

TEST_F(GateJudgeTest, RefusesMixedModeWithoutACtl) {
  world_.Import();
  world_.topology.mutable_clusters(1)->set_security_mode(v1::SECURITY_MODE_MIXED);
  const v1::GateReport report = world_.Judge();
  EXPECT_FALSE(report.accepted());
  EXPECT_THAT(report.reasons(),
              ::testing::Contains("dst is in mixed mode, but dst-pub serves no CTLFile.tlv"));
}

TEST_F(GateJudgeTest, RefusesADestinationWhoseTvsIsDown) {
  world_.Import();
  world_.phones.tvs.at("10.20.0.12").broken = absl::UnavailableError("connection refused");
  const v1::GateReport report = world_.Judge();
  EXPECT_FALSE(report.accepted());
  EXPECT_THAT(report.reasons(),
              ElementsAre(HasSubstr("TVS of dst-sub1 does not serve the phones of dst")));
}

TEST_F(GateJudgeTest, WarnsOfASignerThatTheVersionDoesNotUse) {
  ListOptions options;
  options.recovery_signs = false;
  world_.ServeDestination(options);
  world_.Import();
  const v1::GateReport report = world_.Judge();
  EXPECT_TRUE(report.accepted()) << TextOf(report);
  EXPECT_THAT(TextOf(report), HasSubstr("dst is version 14, which signs with ITLRecovery"));
}

TEST_F(GateJudgeTest, UnknownDigestsAndPhonesWithoutEvidenceAreUnproven) {
  world_.Import();
  world_.spec.mutable_classes(0)->set_itl_digest(std::string(40, 'a'));
  world_.spec.set_unproven(2);
  world_.spec.add_unproven_examples("SEP001B54AABB77");
  v1::GateReport report = world_.Judge();
  EXPECT_FALSE(report.accepted());
  EXPECT_EQ(report.unproven(), 5u);
  EXPECT_EQ(report.phones(), 5u);
  EXPECT_THAT(report.classes(0).excluded(), HasSubstr("which no TFTP node serves now"));
  EXPECT_THAT(report.reasons(), ElementsAre(HasSubstr("5 phones are unproven")));

  world_.spec.set_allow_unproven(true);
  report = world_.Judge();
  EXPECT_TRUE(report.accepted()) << TextOf(report);
  EXPECT_THAT(TextOf(report), HasSubstr("(allow_unproven)"));
}

TEST_F(GateJudgeTest, StaleEvidenceIsNone) {
  world_.Import();
  world_.spec.set_evidence_unix(absl::ToUnixSeconds(world_.now - absl::Hours(30)));
  world_.spec.set_max_age_seconds(24 * 3600);
  v1::GateReport report = world_.Judge();
  EXPECT_FALSE(report.accepted());
  EXPECT_EQ(report.unproven(), 3u);
  EXPECT_THAT(TextOf(report), HasSubstr("30 h old"));
  world_.spec.set_max_age_seconds(0);
  EXPECT_TRUE(world_.Judge().accepted());
}

TEST_F(GateJudgeTest, AGateAboutNoPhoneProvesNothing) {
  world_.Import();
  world_.spec.clear_classes();
  EXPECT_THAT(world_.Judge().reasons(), ElementsAre(HasSubstr("names no phone")));
}

TEST_F(GateJudgeTest, FactoryNewPhonesAreAcceptedAndFlagged) {
  v1::PhoneClass& phones = *world_.spec.mutable_classes(0);
  phones.clear_itl_digest();
  phones.set_factory_new(true);
  const v1::GateReport report = world_.Judge();
  EXPECT_TRUE(report.accepted()) << TextOf(report);
  EXPECT_THAT(TextOf(report), HasSubstr("believe the first one they are offered"));
}

TEST_F(GateJudgeTest, Scenario11ProvesTheWayBack) {
  world_.Import();
  world_.spec.set_require_return(true);
  v1::GateReport report = world_.Judge();
  EXPECT_TRUE(report.accepted()) << TextOf(report);
  ASSERT_EQ(report.classes(0).decisions_size(), 4);
  EXPECT_TRUE(Decision(report, 2).return_trip());
  EXPECT_EQ(Decision(report, 2).node(), "src-pub");

  Forget("10.20.0.11");
  Forget("10.20.0.12");
  report = world_.Judge();
  EXPECT_FALSE(report.accepted());
  EXPECT_EQ(report.locked(), 0u);
  EXPECT_THAT(report.reasons(), ElementsAre("3 phones would not come back (require_return)"));
  EXPECT_THAT(Decision(report, 2).reason(),
              HasSubstr("absent from Phone-SAST-trust of dst-pub, dst-sub1"));
}

TEST_F(GateJudgeTest, Scenario11ProvesTheWayBackOfEveryPhoneThatIsNamed) {
  constexpr char kOther[] = "SEP001B54AABB99";
  world_.Import();
  world_.spec.set_require_return(true);
  world_.spec.mutable_classes(0)->add_examples(kOther);
  const auto serve = [&](const std::vector<testing::PhoneNode>& cluster, const std::string& tvs) {
    const std::string name = absl::StrCat(kOther, ".cnf.xml.sgn");
    for (const testing::PhoneNode& node : cluster) {
      const std::string extra = tvs.empty()
                                    ? ""
                                    : absl::StrCat("<TVS><members><member priority=\"0\"><address>",
                                                   tvs, "</address></member></members></TVS>");
      world_.phones.Serve(
          node, name,
          testing::SignConfig(name, testing::ConfigXml({node.address}, extra), node.callmanager));
    }
  };
  serve(world_.phones.source, "");
  serve(world_.phones.destination, "");
  v1::GateReport report = world_.Judge();
  EXPECT_TRUE(report.accepted()) << TextOf(report);

  // Where the destination sends this phone for TVS nobody knows the source.
  world_.phones.tvs.emplace("10.20.0.99", PhoneWorld::Tvs(world_.phones.dst_sub.tvs));
  serve(world_.phones.destination, "10.20.0.99");
  report = world_.Judge();
  EXPECT_FALSE(report.accepted());
  EXPECT_EQ(report.locked(), 0u);
  EXPECT_THAT(report.reasons(), ElementsAre("1 phone would not come back (require_return)"));
  EXPECT_THAT(Decision(report, 2).reason(), ::testing::StartsWith(absl::StrCat(kOther, ": ")));
}

TEST_F(GateJudgeTest, Scenario11ProvesTheWayBackOfPhonesWithoutAName) {
  world_.Import();
  world_.spec.set_require_return(true);
  world_.spec.mutable_classes(0)->clear_examples();
  const v1::GateReport report = world_.Judge();
  EXPECT_TRUE(report.accepted()) << TextOf(report);
  EXPECT_EQ(report.classes(0).decisions_size(), 4);
}

TEST_F(GateJudgeTest, Scenario11JudgesPhonesThatHaveMovedByWhatTheyHoldNow) {
  world_.Import();
  const std::vector<std::string> home = {"10.10.0.11", "10.10.0.12"};
  v1::GateReport report = world_.JudgeBack(home);
  EXPECT_TRUE(report.accepted()) << TextOf(report);
  ASSERT_EQ(report.classes_size(), 2);
  EXPECT_THAT(report.classes(0).holds(), HasSubstr("dst-pub"));
  Forget("10.20.0.12");
  report = world_.JudgeBack(home);
  EXPECT_FALSE(report.accepted());
  EXPECT_THAT(TextOf(report), HasSubstr("Phone-SAST-trust of dst-sub1"));
}

TEST_F(GateJudgeTest, Scenario11TakesEveryTvsNodeForTheGroupWhereTheInventoryGivesNoOrder) {
  world_.Import();
  for (v1::Cluster& cluster : *world_.topology.mutable_clusters()) {
    for (v1::ClusterNode& node : *cluster.mutable_nodes()) node.clear_tvs_order();
  }
  const std::vector<std::string> home = {"10.10.0.11", "10.10.0.12"};
  v1::GateReport report = world_.JudgeBack(home);
  EXPECT_TRUE(report.accepted()) << TextOf(report);
  Forget("10.20.0.12");
  report = world_.JudgeBack(home);
  EXPECT_FALSE(report.accepted());
  EXPECT_THAT(report.reasons(0), HasSubstr("Phone-SAST-trust of dst-sub1"));
}

}  // namespace
}  // namespace trustline::agent
