// How a phone takes its configuration.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/fakes/list_certificates.h"
#include "tests/fakes/phone_world.h"
#include "trust/phone/configuration.h"
#include "trust/phone/phone.h"
#include "trust/signed_file/signed_file.h"

namespace trustline {
namespace {

using testing::ConfigXml;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::PhoneWorld;
using testing::SignConfig;
using testing::TestPki;
using End = BootResult::End;

class PhoneConfigurations : public ::testing::Test {
 protected:
  PhoneConfigurations() {
    world_.ServeDestination(world_.dst_pub);
    world_.SourceKnows(world_.dst_pub.itlrecovery);
  }
  BootResult Move(const PhoneBehaviour& behaviour = {}) {
    return Move(world_.SourcePhone(), behaviour);
  }
  BootResult Move(const PhoneState& phone, const PhoneBehaviour& behaviour = {}) {
    return world_.Run(phone, {world_.dst_pub.address}, behaviour);
  }
  void ServeConfig(std::string bytes) {
    world_.Serve(world_.dst_pub, world_.ConfigName(), std::move(bytes));
  }
  // The list was taken, the configuration was not: it goes on with the old one.
  void ExpectRefused(const BootResult& result, PhoneRefusal refusal, const std::string& why) {
    EXPECT_EQ(result.end, End::kLocked) << result.reason;
    EXPECT_EQ(PhoneRefusalName(result.refusal), PhoneRefusalName(refusal)) << result.reason;
    EXPECT_THAT(result.reason, HasSubstr(why));
    EXPECT_TRUE(result.itl_changed);
    EXPECT_FALSE(result.config_changed);
    EXPECT_THAT(result.registers_at, ElementsAre("10.10.0.11", "10.10.0.12"));
  }
  PhoneWorld world_;
  const std::string xml_ = ConfigXml({"10.20.0.11"});
};

TEST_F(PhoneConfigurations, ASignerThatIsTftpInTheNewListIsEnough) {
  const BootResult result = Move();
  EXPECT_EQ(result.end, End::kMoved);
  EXPECT_THAT(result.steps.back().text,
              HasSubstr("is TFTP in the phone's ITL; registers at dst-pub "
                        "(10.20.0.11)"));
  EXPECT_THAT(world_.asked, ElementsAre("10.10.0.11"));  // for the list alone
}

TEST_F(PhoneConfigurations, ASignerThatIsOnlySastIsNot) {
  ServeConfig(SignConfig(world_.ConfigName(), xml_, world_.dst_pub.itlrecovery));
  // It asks the TVS of the old configuration, which cannot present a certificate of the new list.
  ExpectRefused(Move(), PhoneRefusal::kTvsIdentity, "CN=ITLRECOVERY_dst-pub");
}

TEST_F(PhoneConfigurations, AnAlteredByteIsRefused) {
  std::string bytes = SignConfig(world_.ConfigName(), xml_, world_.dst_pub.callmanager);
  bytes[bytes.size() - 20] = static_cast<char>(bytes[bytes.size() - 20] ^ 1);
  ServeConfig(bytes);
  ExpectRefused(Move(), PhoneRefusal::kSignature, "CN=callmanager_dst-pub");
}

TEST_F(PhoneConfigurations, ATornDownloadIsRefused) {
  ServeConfig(SignConfig(world_.ConfigName(), xml_, world_.dst_pub.callmanager).substr(0, 100));
  ExpectRefused(Move(), PhoneRefusal::kMalformed, "not a whole signed file");
}

TEST_F(PhoneConfigurations, AnotherFileNameIsRefusedUnlessPhonesAreForgiving) {
  ServeConfig(SignConfig("SEP000000000000.cnf.xml.sgn", xml_, world_.dst_pub.callmanager));
  const BootResult strict = Move();
  ExpectRefused(strict, PhoneRefusal::kFileName, "SEP000000000000.cnf.xml.sgn");
  EXPECT_THAT(strict.assumptions, Contains(HasSubstr("whether phones compare the names")));
  const BootResult forgiving = Move(PhoneBehaviour::Lenient());
  EXPECT_EQ(forgiving.end, End::kMoved);
  EXPECT_THAT(forgiving.assumptions, Contains(HasSubstr("whether phones compare the names")));
}

TEST_F(PhoneConfigurations, Scenario38Sha512IsRefusedByPhonesThatOnlyKnowSha1) {
  ServeConfig(
      SignConfig(world_.ConfigName(), xml_, world_.dst_pub.callmanager, SignatureDigest::kSha512));
  EXPECT_EQ(Move().end, End::kMoved);
  PhoneState old = world_.SourcePhone();
  old.abilities.sha512 = false;
  ExpectRefused(Move(old), PhoneRefusal::kAlgorithm, "only takes SHA-1");
}

TEST_F(PhoneConfigurations, Scenario24APhoneWithoutARecordStaysBehind) {
  world_.files.erase({world_.dst_pub.address, world_.ConfigName()});
  ExpectRefused(Move(), PhoneRefusal::kNoConfiguration, "the phone has no record there");
}

TEST_F(PhoneConfigurations, ASignedFileThatIsNoConfigurationIsRefused) {
  ServeConfig(
      SignConfig(world_.ConfigName(), "<device><oops></device>", world_.dst_pub.callmanager));
  ExpectRefused(Move(), PhoneRefusal::kMalformed, "not well-formed XML");
  ServeConfig(SignConfig(world_.ConfigName(), "<html/>", world_.dst_pub.callmanager));
  ExpectRefused(Move(), PhoneRefusal::kMalformed, "no phone configuration");
}

TEST_F(PhoneConfigurations, AfterAnEmptyItlAnUnsignedOneWillDo) {
  world_.files.clear();
  world_.Serve(world_.dst_pub, "SEP001B54AABB01.cnf.xml", xml_);
  PhoneState phone = world_.SourcePhone();
  phone.itl = testing::MakeEmptyItl(world_.src_pub);
  const BootResult result = Move(phone);
  EXPECT_TRUE(result.config_changed);
  EXPECT_EQ(result.after.config, xml_);
}

TEST_F(PhoneConfigurations, APhoneWithoutListsAsksForTheUnsignedOne) {
  world_.files.clear();
  world_.Serve(world_.dst_pub, "SEP001B54AABB01.cnf.xml", xml_);
  PhoneState phone;
  phone.device = PhoneWorld::kDevice;
  const BootResult result = Move(phone);
  EXPECT_EQ(result.end, End::kMoved) << result.reason;
  EXPECT_EQ(result.after.config, xml_);
}

class PhoneEncryptedConfigurations : public PhoneConfigurations {
 protected:
  PhoneEncryptedConfigurations() : lsc_(testing::ListCertificate({1024, "SEP001B54AABB01"})) {
    ServeConfig(
        SignConfig(world_.ConfigName(), *EncryptedConfigNotice(lsc_), world_.dst_pub.callmanager));
    ServeEncryptedFor(lsc_);
  }
  void ServeEncryptedFor(const Certificate& phone) {
    SignedFileOptions options;
    options.name = encrypted_name_;
    options.timestamp = TestPki::SomeTime();
    world_.Serve(
        world_.dst_pub, encrypted_name_,
        *WriteEncryptedFile(xml_, options, world_.dst_pub.callmanager, TestPki::UnitKey(), phone));
  }
  PhoneState PhoneWithKey() {
    PhoneState phone = world_.SourcePhone();
    phone.identity = lsc_;
    phone.identity_key = std::make_shared<const PrivateKey>(
        *PrivateKey::FromPem(testing::ListKeyOfSize(1024).ToPkcs8Pem()));
    return phone;
  }
  const std::string encrypted_name_ = "SEP001B54AABB01.cnf.xml.enc.sgn";
  Certificate lsc_;
};

TEST_F(PhoneEncryptedConfigurations, TheNoticeMakesThePhoneAskForTheEncryptedOne) {
  const BootResult result = Move(PhoneWithKey());
  EXPECT_EQ(result.end, End::kMoved) << result.reason;
  EXPECT_EQ(result.after.config, xml_);
  EXPECT_THAT(world_.fetched, Contains("10.20.0.11 " + encrypted_name_));
}

TEST_F(PhoneEncryptedConfigurations, WithoutAKeyItIsAuthenticatedAndSaidNotToBeLookedAt) {
  const BootResult result = Move();
  EXPECT_EQ(result.end, End::kMoved) << result.reason;
  EXPECT_THAT(result.assumptions, Contains(HasSubstr("its content was not looked at")));
  EXPECT_EQ(result.after.config, world_.SourcePhone().config);
}

TEST_F(PhoneEncryptedConfigurations, OneForAnotherPhonesKeyIsRefused) {
  const Certificate other = testing::ListCertificate({2048, "SEP001B54AABB01"});
  ServeEncryptedFor(other);
  ExpectRefused(Move(PhoneWithKey()), PhoneRefusal::kOtherPhone, "does not open it");
  ServeConfig(
      SignConfig(world_.ConfigName(), *EncryptedConfigNotice(other), world_.dst_pub.callmanager));
  ExpectRefused(Move(PhoneWithKey()), PhoneRefusal::kOtherPhone,
                "encrypted for the phone certificate");
}

TEST_F(PhoneEncryptedConfigurations, AMissingOneIsRefused) {
  world_.files.erase({world_.dst_pub.address, encrypted_name_});
  ExpectRefused(Move(PhoneWithKey()), PhoneRefusal::kNoConfiguration, encrypted_name_);
}

TEST(PhoneConfigurationXml, TvsServersAreThoseItNamesInOrderOfPriority) {
  const absl::StatusOr<PhoneConfiguration> read = ParsePhoneConfiguration(
      ConfigXml({"10.20.0.11"},
                "<deviceSecurityMode>2</deviceSecurityMode><TVS><members>"
                "<member priority=\"1\"><port>2446</port><address>10.0.0.2</address></member>"
                "<member priority=\"0\"><address>10.0.0.1</address></member></members></TVS>"));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->call_managers, ElementsAre("10.20.0.11"));
  EXPECT_EQ(read->device_security_mode, "2");
  ASSERT_EQ(read->tvs.size(), 2u);
  EXPECT_EQ(read->tvs[0].host, "10.0.0.1");
  EXPECT_EQ(read->tvs[0].port, 2445);
  EXPECT_EQ(read->tvs[1].port, 2446);
}

TEST(PhoneConfigurationXml, HostileFilesAreRefused) {
  const std::string deep = [] {
    std::string xml = "<device>";
    for (int i = 0; i < 100000; ++i) xml += "<a>";
    return xml;
  }();
  for (const std::string& xml :
       {deep, std::string("<!DOCTYPE device [<!ENTITY a \"aaaa\">]><device>&a;</device>"),
        std::string("<device>&undefined;</device>"), std::string(), std::string(2 << 20, ' '),
        ConfigXml({"1", "2", "3", "4", "5", "6"})}) {
    EXPECT_FALSE(ParsePhoneConfiguration(xml).ok()) << xml.substr(0, 60);
  }
}

}  // namespace
}  // namespace trustline
