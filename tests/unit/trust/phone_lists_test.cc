// How a phone takes trust lists: by its own, by TVS, or not at all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/fakes/list_certificates.h"
#include "tests/fakes/phone_world.h"
#include "trust/phone/phone.h"
#include "trust/trust_list/list_verify.h"

namespace trustline {
namespace {

using ::testing::AllOf;
using testing::ConfigXml;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::ListOptions;
using testing::MakeCtl;
using testing::MakeItl;
using ::testing::Not;
using testing::PhoneWorld;
using testing::SignConfig;
using ::testing::SizeIs;
using testing::TestPki;
using End = BootResult::End;

std::vector<std::string> StatusTexts(const PhoneState& state) {
  std::vector<std::string> texts;
  for (const PhoneStatusLine& line : state.status) texts.push_back(line.text);
  return texts;
}

class PhoneLists : public ::testing::Test {
 protected:
  BootResult Move(const PhoneState& state, const PhoneBehaviour& behaviour = {}) {
    return world_.Run(state, {world_.dst_pub.address}, behaviour);
  }
  // Everything is in place for a move of a non-secure cluster's phone to version 12 or later.
  void ReadyDestination(const ListOptions& options = {}) {
    world_.ServeDestination(world_.dst_pub, options);
    world_.SourceKnows(world_.dst_pub.itlrecovery);
    world_.SourceKnows(world_.dst_pub.callmanager);
  }
  void ExpectLocked(const BootResult& result, PhoneRefusal refusal, const std::string& why) {
    EXPECT_EQ(result.end, End::kLocked) << result.reason;
    EXPECT_EQ(PhoneRefusalName(result.refusal), PhoneRefusalName(refusal)) << result.reason;
    EXPECT_THAT(result.reason, HasSubstr(why));
    EXPECT_FALSE(result.itl_changed);
  }
  PhoneWorld world_;
};

TEST_F(PhoneLists, APhoneMovesWhenTheOldTvsVouchesForTheNewSigner) {
  ReadyDestination();
  const PhoneState before = world_.SourcePhone();
  const BootResult result = Move(before);
  ASSERT_EQ(result.end, End::kMoved) << result.reason;
  EXPECT_EQ(result.reason,
            absl::StrCat("ITL: signer CN=ITLRECOVERY_dst-pub;OU=voice;O=example serial ",
                         world_.dst_pub.itlrecovery.serial_hex(),
                         " vouched for by TVS src-pub (10.10.0.11), role SAST, TTL 1 d"));
  EXPECT_EQ(result.after.itl, MakeItl(world_.dst_pub, world_.destination));
  EXPECT_THAT(StatusTexts(result.after), Contains("Trust List Updated"));
  EXPECT_THAT(result.registers_at, ElementsAre("10.20.0.11", "10.20.0.12"));
  EXPECT_THAT(world_.asked, ElementsAre("10.10.0.11"));
  ASSERT_THAT(world_.requests, SizeIs(1));
  EXPECT_EQ(world_.requests[0].device, "CP-8861-SEP001B54AABB01");
  EXPECT_EQ(world_.requests[0].serial, world_.dst_pub.itlrecovery.serial());
  EXPECT_THAT(result.assumptions, IsEmpty());
  // From then on it asks the destination's TVS.
  EXPECT_EQ(result.after.tvs[0].host, "10.20.0.11");
  EXPECT_THAT(result.after.tvs_cache, IsEmpty());
}

TEST_F(PhoneLists, FilesAreAskedForInThePhonesOrder) {
  ReadyDestination();
  Move(world_.SourcePhone());
  EXPECT_THAT(world_.fetched,
              ElementsAre("10.20.0.11 CTLSEP001B54AABB01.tlv", "10.20.0.11 ITLSEP001B54AABB01.tlv",
                          "10.20.0.11 SEP001B54AABB01.cnf.xml.sgn"));
}

TEST_F(PhoneLists, TheCommonItlIsTakenWhereThereIsNoneForThisPhone) {
  ReadyDestination();
  world_.Serve(world_.dst_pub, "ITLFile.tlv",
               world_.files[{world_.dst_pub.address, world_.ItlName()}]);
  world_.files.erase({world_.dst_pub.address, world_.ItlName()});
  EXPECT_EQ(Move(world_.SourcePhone()).end, End::kMoved);
  EXPECT_THAT(world_.fetched, Contains("10.20.0.11 ITLFile.tlv"));
}

TEST_F(PhoneLists, AListSignedByASastOfThePhonesOwnItlNeedsNoTvs) {
  ReadyDestination();
  world_.tvs.clear();
  PhoneState phone = world_.SourcePhone();
  ListOptions options;
  options.recovery_signs = false;
  options.more_sast = {world_.dst_pub.itlrecovery};
  phone.itl = MakeItl(world_.src_pub, world_.source, options);
  const BootResult result = Move(phone);
  EXPECT_EQ(result.end, End::kMoved) << result.reason;
  EXPECT_THAT(result.reason, HasSubstr("is SAST in the phone's ITL"));
  EXPECT_THAT(world_.asked, IsEmpty());
}

// Mixed mode to mixed mode.
TEST_F(PhoneLists, Scenario04NewCtlAuthenticatesTheItlWithoutASecondTvsCall) {
  ListOptions mixed;
  mixed.mixed = true;
  ReadyDestination(mixed);
  world_.Serve(world_.dst_pub, world_.CtlName(), MakeCtl(world_.dst_pub));
  PhoneState phone = world_.SourcePhone();
  phone.ctl = MakeCtl(world_.src_pub);
  phone.itl = MakeItl(world_.src_pub, world_.source, mixed);
  const BootResult result = Move(phone);
  ASSERT_EQ(result.end, End::kMoved) << result.reason;
  EXPECT_TRUE(result.ctl_changed);
  EXPECT_TRUE(result.itl_changed);
  EXPECT_TRUE(result.config_changed);
  EXPECT_THAT(world_.asked, SizeIs(1));
  ASSERT_THAT(result.tvs, SizeIs(1));
  EXPECT_EQ(result.tvs[0].file, world_.CtlName());
  EXPECT_THAT(result.reason, AllOf(HasSubstr("CTL: signer CN=ITLRECOVERY_dst-pub"),
                                   HasSubstr("is SAST in the phone's CTL")));
}

TEST_F(PhoneLists, Scenario05PreloadedCtlMovesPhonesWithTvsStopped) {
  ListOptions mixed;
  mixed.mixed = true;
  world_.ServeDestination(world_.dst_pub, mixed);
  world_.Serve(world_.dst_pub, world_.CtlName(), MakeCtl(world_.dst_pub));
  for (auto& [address, server] : world_.tvs)
    server.broken = absl::UnavailableError("connection refused");
  PhoneState phone = world_.SourcePhone();
  ListOptions preloaded;
  preloaded.recovery_signs = false;
  preloaded.more_sast = {world_.dst_pub.itlrecovery};
  phone.ctl = MakeCtl(world_.src_pub, preloaded);
  const BootResult result = Move(phone);
  EXPECT_EQ(result.end, End::kMoved) << result.reason;
  EXPECT_THAT(world_.asked, IsEmpty());
}

TEST_F(PhoneLists, Scenario06AFactoryResetPhoneBelievesTheFirstListAndIsFlagged) {
  world_.ServeDestination(world_.dst_pub);
  PhoneState phone;
  phone.device = PhoneWorld::kDevice;
  const BootResult result = Move(phone);
  ASSERT_EQ(result.end, End::kFirstTrust) << result.reason;
  EXPECT_THAT(result.reason, HasSubstr("believed without proof: the phone has no trust list"));
  EXPECT_TRUE(result.after.itl);
  EXPECT_TRUE(result.after.config);
  EXPECT_THAT(world_.asked, IsEmpty());
}

TEST_F(PhoneLists, Scenario07APhoneAlreadyThereChangesNothing) {
  ReadyDestination();
  const PhoneState moved = Move(world_.SourcePhone()).after;
  world_.asked.clear();
  const BootResult again = Move(moved);
  EXPECT_EQ(again.end, End::kUnchanged) << again.reason;
  EXPECT_EQ(again.after.itl, moved.itl);
  EXPECT_EQ(again.after.config, moved.config);
  EXPECT_FALSE(again.config_changed);
  EXPECT_THAT(world_.asked, IsEmpty());
  EXPECT_THAT(again.registers_at, ElementsAre("10.20.0.11", "10.20.0.12"));
}

TEST_F(PhoneLists, Scenario11WithTheSourceKnownAtTheDestinationThePhoneComesBack) {
  ReadyDestination();
  const PhoneState moved = Move(world_.SourcePhone()).after;
  world_.Serve(world_.src_pub, world_.ItlName(), MakeItl(world_.src_pub, world_.source));
  world_.Serve(
      world_.src_pub, world_.ConfigName(),
      SignConfig(world_.ConfigName(), ConfigXml({"10.10.0.11"}), world_.src_pub.callmanager));
  for (const auto& node : world_.destination)
    world_.tvs.emplace(node.address, PhoneWorld::Tvs(node.tvs));
  const BootResult stranded = world_.Run(moved, {world_.src_pub.address});
  ExpectLocked(stranded, PhoneRefusal::kSignerUnknown,
               "TVS dst-pub (10.20.0.11) answered: "
               "certificate unknown");
  for (const auto& node : world_.destination)
    world_.tvs.at(node.address).knows = {{world_.src_pub.itlrecovery, {0}}};
  const BootResult back = world_.Run(moved, {world_.src_pub.address});
  EXPECT_EQ(back.end, End::kMoved) << back.reason;
  EXPECT_THAT(back.registers_at, ElementsAre("10.10.0.11"));
}

TEST_F(PhoneLists, Scenario29AnAlteredByteIsRefused) {
  ReadyDestination();
  const PhoneState phone = world_.SourcePhone();
  std::string& itl = world_.files[{world_.dst_pub.address, world_.ItlName()}];
  const std::string whole = itl;
  for (size_t at = 40; at < whole.size(); at += 97) {
    itl = whole;
    itl[at] = static_cast<char>(itl[at] ^ 1);
    const BootResult result = Move(phone);
    ASSERT_EQ(result.end, End::kLocked) << "byte " << at << ": " << result.reason;
    ASSERT_FALSE(result.itl_changed) << "byte " << at;
    ASSERT_EQ(result.after.itl, phone.itl);
    EXPECT_THAT(StatusTexts(result.after), Contains("Trust List Update Failed"));
  }
}

TEST_F(PhoneLists, Scenario29ASignatureByAnotherKeyIsRefused) {
  ReadyDestination();
  std::string& itl = world_.files[{world_.dst_pub.address, world_.ItlName()}];
  itl = testing::Resigned(itl, testing::ListKeyOfSize(2048));
  ExpectLocked(Move(world_.SourcePhone()), PhoneRefusal::kSignature, "signature");
}

// The same certificate by name and serial, but another key, in the list: TVS has the right one.
TEST_F(PhoneLists, Scenario29AnImpostorsListVerifiesByItselfButNotByTvs) {
  ReadyDestination();
  testing::PhoneNode impostor = world_.dst_pub;
  impostor.itlrecovery =
      testing::ListCertificate({2048, "x", "x", world_.dst_pub.itlrecovery.serial()});
  TrustListDraft draft;
  draft.timestamp = TestPki::SomeTime();
  TrustListRecord record = *MakeRecord(impostor.itlrecovery, ListRole::kSast, "dst-pub");
  draft.records = {record};
  std::string list = *WriteTrustList(draft, impostor.itlrecovery, testing::ListKeyOfSize(2048));
  world_.Serve(world_.dst_pub, world_.ItlName(), list);
  const BootResult result = Move(world_.SourcePhone());
  EXPECT_EQ(result.end, End::kLocked);
  EXPECT_FALSE(result.itl_changed);
}

TEST_F(PhoneLists, Scenario30RebootBetweenCtlAndItlEndsConsistentAfterTheNextReset) {
  ListOptions mixed;
  mixed.mixed = true;
  ReadyDestination(mixed);
  world_.Serve(world_.dst_pub, world_.CtlName(), MakeCtl(world_.dst_pub));
  PhoneState phone = world_.SourcePhone();
  phone.ctl = MakeCtl(world_.src_pub);
  const PhoneState whole = Move(phone).after;
  // Whatever it remembered at any moment, the next reset leads to the same end.
  const std::vector<PhoneState> moments = world_.remembered;
  ASSERT_THAT(moments, SizeIs(4));
  // After the CTL by TVS: the new CTL, the old ITL.
  EXPECT_NE(moments[1].ctl, phone.ctl);
  EXPECT_EQ(moments[1].itl, phone.itl);
  for (const PhoneState& interrupted : moments) {
    const BootResult result = Move(interrupted);
    EXPECT_TRUE(result.accepted()) << result.reason;
    EXPECT_EQ(result.after.ctl, whole.ctl);
    EXPECT_EQ(result.after.itl, whole.itl);
    EXPECT_EQ(result.after.config, whole.config);
  }
}

TEST_F(PhoneLists, Scenario31NodeTwosOwnSignerMustBeTrustedWhenNodeOneIsDead) {
  ListOptions by_node;
  by_node.recovery_signs = false;  // before version 12 every TFTP node signs its own ITL
  world_.ServeDestination(world_.dst_sub, by_node);
  world_.broken_servers[world_.dst_pub.address] = absl::UnavailableError("connection timed out");
  world_.SourceKnows(world_.dst_pub.callmanager);
  const std::vector<std::string> servers = {world_.dst_pub.address, world_.dst_sub.address};
  const BootResult locked = world_.Run(world_.SourcePhone(), servers);
  ExpectLocked(locked, PhoneRefusal::kSignerUnknown, "CN=callmanager_dst-sub1");
  EXPECT_EQ(locked.tftp_server, world_.dst_sub.address);
  world_.SourceKnows(world_.dst_sub.callmanager);
  EXPECT_EQ(world_.Run(world_.SourcePhone(), servers).end, End::kMoved);
}

TEST_F(PhoneLists, WithEveryTftpServerDeadNothingChanges) {
  for (const auto& node : world_.destination)
    world_.broken_servers[node.address] = absl::UnavailableError("connection timed out");
  const PhoneState phone = world_.SourcePhone();
  const BootResult result = world_.Run(phone, {world_.dst_pub.address, world_.dst_sub.address});
  EXPECT_EQ(result.end, End::kUnreachable);
  EXPECT_THAT(result.reason, AllOf(HasSubstr("no TFTP server answered"),
                                   HasSubstr("dst-sub1 (10.20.0.12): connection timed out")));
  EXPECT_EQ(result.after.itl, phone.itl);
  EXPECT_THAT(result.registers_at, ElementsAre("10.10.0.11", "10.10.0.12"));
}

TEST_F(PhoneLists, Scenario32AMissingCtlIsNoError) {
  ReadyDestination();
  const BootResult result = Move(world_.SourcePhone());
  ASSERT_FALSE(result.steps.empty());
  EXPECT_EQ(result.steps[0].file, world_.CtlName());
  EXPECT_TRUE(result.steps[0].ok);
  EXPECT_THAT(result.steps[0].text, HasSubstr("normal unless the cluster is in mixed mode"));
  EXPECT_EQ(result.end, End::kMoved);
}

TEST_F(PhoneLists, ATornDownloadIsRefused) {
  ReadyDestination();
  std::string& itl = world_.files[{world_.dst_pub.address, world_.ItlName()}];
  const std::string whole = itl;
  for (const size_t size : {size_t{0}, size_t{3}, size_t{200}, whole.size() - 1}) {
    itl = whole.substr(0, size);
    const BootResult result = Move(world_.SourcePhone());
    EXPECT_EQ(result.end, End::kLocked) << size;
    EXPECT_FALSE(result.itl_changed) << size;
  }
}

TEST_F(PhoneLists, ADownloadThatBreaksOffGoesToTheSecondServer) {
  ReadyDestination();
  world_.ServeDestination(world_.dst_sub);
  world_.SourceKnows(world_.dst_sub.itlrecovery);
  world_.broken_files[{world_.dst_pub.address, world_.ItlName()}] =
      absl::DataLossError("the download broke off after 512 bytes");
  const BootResult result =
      world_.Run(world_.SourcePhone(), {world_.dst_pub.address, world_.dst_sub.address});
  EXPECT_EQ(result.end, End::kMoved) << result.reason;
  EXPECT_EQ(result.after.itl, MakeItl(world_.dst_sub, world_.destination));
}

TEST_F(PhoneLists, AFileLargerThanPhonesTakeIsRefusedAndNotAskedForElsewhere) {
  ReadyDestination();
  world_.ServeDestination(world_.dst_sub);
  world_.SourceKnows(world_.dst_sub.itlrecovery);
  world_.broken_files[{world_.dst_pub.address, world_.ItlName()}] =
      absl::ResourceExhaustedError("the file is larger than the 2048 KB that phones download");
  const BootResult result =
      world_.Run(world_.SourcePhone(), {world_.dst_pub.address, world_.dst_sub.address});
  ExpectLocked(result, PhoneRefusal::kListSize, "larger than the 2048 KB");
}

TEST_F(PhoneLists, Scenario38Sha512LocksOutPhonesThatOnlyKnowSha1) {
  ListOptions options;
  options.digest = SignatureDigest::kSha512;
  ReadyDestination(options);
  EXPECT_EQ(Move(world_.SourcePhone()).end, End::kMoved);
  PhoneState old = world_.SourcePhone();
  old.abilities.sha512 = false;
  ExpectLocked(Move(old), PhoneRefusal::kAlgorithm, "SHA-512 and this phone only takes SHA-1");
}

TEST_F(PhoneLists, ADigestNobodyKnowsIsRefused) {
  ReadyDestination();
  std::string& itl = world_.files[{world_.dst_pub.address, world_.ItlName()}];
  const TrustList list = *ParseTrustList(itl);
  for (const ListElement& element : list.header.elements)
    if (element.tag == kHeaderDigest) itl[element.offset + 3] = 2;
  ExpectLocked(Move(world_.SourcePhone()), PhoneRefusal::kAlgorithm, "digest 2");
}

// A list of any size, properly signed by dst-pub's ITLRecovery.
std::string LongItl(const PhoneWorld& world, size_t records) {
  const TrustList base = *ParseTrustList(MakeItl(world.dst_pub, world.destination));
  std::string bytes = base.bytes;
  const std::string record =
      *EncodeRecord(*MakeRecord(world.dst_pub.tvs, ListRole::kTvs, "another-node"));
  for (size_t i = base.records.size(); i < records; ++i) bytes += record;
  return testing::Resigned(bytes);
}

TEST_F(PhoneLists, Scenario26ListsOver64KilobytesOr39CertificatesAreRefused) {
  ReadyDestination();
  world_.Serve(world_.dst_pub, world_.ItlName(), LongItl(world_, 39));
  EXPECT_EQ(Move(world_.SourcePhone()).end, End::kMoved);
  world_.Serve(world_.dst_pub, world_.ItlName(), LongItl(world_, 40));
  const BootResult forty = Move(world_.SourcePhone());
  ExpectLocked(forty, PhoneRefusal::kListSize, "40 certificates");
  EXPECT_THAT(forty.assumptions, SizeIs(1));
  EXPECT_EQ(Move(world_.SourcePhone(), PhoneBehaviour::Lenient()).end, End::kMoved);
  const std::string large = LongItl(world_, 70);
  ASSERT_GT(large.size(), size_t{64} << 10);
  world_.Serve(world_.dst_pub, world_.ItlName(), large);
  ExpectLocked(Move(world_.SourcePhone()), PhoneRefusal::kListSize, "65536 at most");
  ExpectLocked(Move(world_.SourcePhone(), PhoneBehaviour::Lenient()), PhoneRefusal::kListSize,
               "65536 at most");
}

TEST_F(PhoneLists, MoreThanTwoSignersAreRefusedUnlessPhonesAreForgiving) {
  // The writer refuses such a list, so one is put together by hand.
  const TrustList base = *ParseTrustList(MakeItl(world_.dst_pub, world_.destination));
  world_.ServeDestination(world_.dst_pub);
  world_.SourceKnows(world_.dst_pub.itlrecovery);
  world_.Serve(
      world_.dst_pub, world_.ItlName(),
      testing::Resigned(base.bytes + *EncodeRecord(*MakeRecord(world_.dst_sub.callmanager,
                                                               ListRole::kSast, "dst-sub1"))));
  ExpectLocked(Move(world_.SourcePhone()), PhoneRefusal::kListSize, "3 records with the role SAST");
  const BootResult forgiving = Move(world_.SourcePhone(), PhoneBehaviour::Lenient());
  EXPECT_EQ(forgiving.end, End::kMoved) << forgiving.reason;
  EXPECT_THAT(forgiving.assumptions, Contains(HasSubstr("is not documented")));
}

TEST_F(PhoneLists, AfterAnEmptyItlAnythingIsBelieved) {
  world_.ServeDestination(world_.dst_pub);
  PhoneState phone = world_.SourcePhone();
  phone.itl = testing::MakeEmptyItl(world_.src_pub);
  const BootResult result = Move(phone);
  EXPECT_EQ(result.end, End::kFirstTrust) << result.reason;
  EXPECT_THAT(result.reason, HasSubstr("the phone's ITL is empty"));
  EXPECT_THAT(world_.asked, IsEmpty());
}

TEST_F(PhoneLists, AnEmptyItlIsTakenFromASignerThePhoneKnows) {
  const std::string empty = testing::MakeEmptyItl(world_.src_pub);
  world_.Serve(world_.src_pub, world_.ItlName(), empty);
  PhoneBehaviour lists_only;
  lists_only.fetch_config = false;
  const BootResult result = world_.Run(world_.SourcePhone(), {world_.src_pub.address}, lists_only);
  EXPECT_EQ(result.end, End::kMoved) << result.reason;
  EXPECT_TRUE(result.after.itl == empty);
}

TEST_F(PhoneLists, Scenario16AnEmptyItlBesideACtlLocksThePhone) {
  ReadyDestination();
  PhoneState phone = world_.SourcePhone();
  phone.itl = testing::MakeEmptyItl(world_.src_pub);
  phone.ctl = MakeCtl(world_.src_pub);
  ExpectLocked(Move(phone), PhoneRefusal::kTvsNone, "no TVS certificate");
}

TEST_F(PhoneLists, PhonesWithoutSecurityByDefaultAskNoTvs) {
  ReadyDestination();
  world_.Serve(world_.dst_pub, world_.CtlName(), MakeCtl(world_.dst_pub));
  PhoneState phone = world_.SourcePhone();
  phone.abilities.security_by_default = false;
  phone.ctl = MakeCtl(world_.src_pub);
  const BootResult result = Move(phone);
  ExpectLocked(result, PhoneRefusal::kSignerUnknown, "must be deleted by hand");
  EXPECT_THAT(world_.asked, IsEmpty());
  EXPECT_THAT(world_.fetched, Not(Contains(HasSubstr("ITL"))));
  // And without a CTL there is nothing that could hold it.
  world_.files.erase({world_.dst_pub.address, world_.CtlName()});
  world_.Serve(world_.dst_pub, "SEP001B54AABB01.cnf.xml", ConfigXml({"10.20.0.11"}));
  phone.ctl.reset();
  EXPECT_EQ(Move(phone).end, End::kMoved);
}

TEST_F(PhoneLists, AServerWithoutListsLeavesThePhoneBehind) {
  PhoneBehaviour lists_only;
  lists_only.fetch_config = false;
  ExpectLocked(Move(world_.SourcePhone(), lists_only), PhoneRefusal::kNoList, "has no trust list");
}

TEST_F(PhoneLists, Scenario25AlternateTftpIsUsedAndOption150Ignored) {
  ReadyDestination();
  world_.Serve(world_.src_pub, world_.ItlName(), *world_.SourcePhone().itl);
  PhoneState phone = world_.SourcePhone();
  phone.alternate_tftp = {world_.src_pub.address};
  PhoneBehaviour lists_only;
  lists_only.fetch_config = false;
  const BootResult result = Move(phone, lists_only);
  EXPECT_EQ(result.end, End::kUnchanged) << result.reason;
  EXPECT_THAT(result.steps[0].text, HasSubstr("option 150 is ignored"));
  EXPECT_THAT(world_.fetched, Not(Contains(HasSubstr("10.20."))));
}

TEST_F(PhoneLists, AThirdTftpServerIsNotUsed) {
  for (const auto& node : world_.destination)
    world_.broken_servers[node.address] = absl::UnavailableError("down");
  const BootResult result = world_.Run(
      world_.SourcePhone(), {world_.dst_pub.address, world_.dst_sub.address, "10.20.0.13"});
  EXPECT_EQ(result.end, End::kUnreachable);
  EXPECT_THAT(world_.fetched, Not(Contains(HasSubstr("10.20.0.13"))));
}

TEST_F(PhoneLists, AStateOfJustAnItlAndTvsServersDecides) {
  ReadyDestination();
  PhoneState phone;
  phone.device = PhoneWorld::kDevice;
  phone.itl = MakeItl(world_.src_pub, world_.source);
  phone.tvs = {{"10.10.0.12", 2445}};
  EXPECT_EQ(Move(phone).end, End::kMoved);
  EXPECT_THAT(world_.asked, ElementsAre("10.10.0.12"));
}

}  // namespace
}  // namespace trustline
