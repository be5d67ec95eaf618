// What a simulated phone remembers, as a directory.
#include "controller/phone_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "tests/fakes/phone_world.h"
#include "tests/unit/controller/temp_files.h"

namespace trustline::controller {
namespace {

using testing::ConfigXml;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::TestPki;

constexpr char kDevice[] = "SEP001B54AABB01";

PhoneState Everything() {
  PhoneState state;
  state.device = kDevice;
  state.model = "CP-8861";
  state.itl = std::string("an ITL\0 with a zero", 19);
  state.ctl = "a CTL";
  state.config = ConfigXml({"10.10.0.11"});
  state.tvs = {{"10.10.0.11", 2445}, {"src-sub1", 2446}};
  state.alternate_tftp = {"10.99.0.1"};
  state.abilities.sha512 = false;
  state.abilities.elliptic_curves = false;
  CachedTvsAnswer answer;
  answer.issuer = "CN=a;O=\xc3\xbc";
  answer.serial = std::string("\0\xff\x10", 3);
  answer.certificate = std::string("DER\0", 4);
  answer.roles = {0, 3};
  answer.server = "10.10.0.11";
  answer.expires = TestPki::SomeTime() + absl::Hours(24);
  state.tvs_cache = {answer};
  state.status = {{TestPki::SomeTime(), "Trust List Updated"},
                  {TestPki::SomeTime() + absl::Seconds(1), "File Not Found: CTLSEP.tlv"}};
  return state;
}

TEST(PhoneStateDirectory, WhatIsSavedIsLoaded) {
  TempFiles files;
  const std::string directory = files.Path("phone");
  const PhoneState saved = Everything();
  ASSERT_TRUE(SavePhone(directory, saved).ok());
  const absl::StatusOr<PhoneState> loaded = LoadPhone(directory, kDevice);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->device, saved.device);
  EXPECT_EQ(loaded->model, saved.model);
  EXPECT_EQ(loaded->itl, saved.itl);
  EXPECT_EQ(loaded->ctl, saved.ctl);
  EXPECT_EQ(loaded->config, saved.config);
  ASSERT_THAT(loaded->tvs, SizeIs(2));
  EXPECT_EQ(loaded->tvs[0].Text(), saved.tvs[0].Text());
  EXPECT_EQ(loaded->tvs[1].Text(), saved.tvs[1].Text());
  EXPECT_THAT(loaded->alternate_tftp, ElementsAre("10.99.0.1"));
  EXPECT_EQ(loaded->abilities, saved.abilities);
  ASSERT_THAT(loaded->tvs_cache, SizeIs(1));
  EXPECT_EQ(loaded->tvs_cache[0].issuer, saved.tvs_cache[0].issuer);
  EXPECT_EQ(loaded->tvs_cache[0].serial, saved.tvs_cache[0].serial);
  EXPECT_EQ(loaded->tvs_cache[0].certificate, saved.tvs_cache[0].certificate);
  EXPECT_EQ(loaded->tvs_cache[0].roles, saved.tvs_cache[0].roles);
  EXPECT_EQ(loaded->tvs_cache[0].server, saved.tvs_cache[0].server);
  EXPECT_EQ(loaded->tvs_cache[0].expires, saved.tvs_cache[0].expires);
  ASSERT_THAT(loaded->status, SizeIs(2));
  EXPECT_EQ(loaded->status[0].text, "Trust List Updated");
  EXPECT_EQ(loaded->status[1].at, saved.status[1].at);
  EXPECT_EQ(loaded->status[1].text, "File Not Found: CTLSEP.tlv");
}

TEST(PhoneStateDirectory, TheNextStateReplacesTheOneBefore) {
  TempFiles files;
  const std::string directory = files.Path("phone");
  PhoneState state = Everything();
  ASSERT_TRUE(SavePhone(directory, state).ok());
  state.itl = "the next ITL";
  state.tvs_cache.clear();
  ASSERT_TRUE(SavePhone(directory, state).ok());
  const absl::StatusOr<PhoneState> loaded = LoadPhone(directory, kDevice);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->itl, "the next ITL");
  EXPECT_THAT(loaded->tvs_cache, IsEmpty());
}

TEST(PhoneStateDirectory, ConfigurationsAreForTheirOwnerOnly) {
  TempFiles files;
  ASSERT_TRUE(SavePhone(files.Path("phone"), Everything()).ok());
  struct stat info {};
  ASSERT_EQ(stat(files.Path("phone").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  ASSERT_EQ(stat(files.Path("phone/config.xml").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(PhoneStateDirectory, AMissingDirectoryIsAFactoryNewPhone) {
  TempFiles files;
  const absl::StatusOr<PhoneState> loaded = LoadPhone(files.Path("none"), kDevice);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->device, kDevice);
  EXPECT_FALSE(loaded->itl.has_value());
  EXPECT_FALSE(loaded->ctl.has_value());
  EXPECT_FALSE(loaded->config.has_value());
  EXPECT_THAT(loaded->tvs, IsEmpty());
  EXPECT_TRUE(loaded->abilities.security_by_default);
}

TEST(PhoneStateDirectory, SetUpByHandTheTvsServersAreThoseOfTheConfiguration) {
  TempFiles files;
  files.Write("phone/ITL.tlv", "an ITL");
  files.Write("phone/config.xml", ConfigXml({"10.10.0.11", "10.10.0.12"}));
  absl::StatusOr<PhoneState> loaded = LoadPhone(files.Path("phone"), kDevice);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ASSERT_THAT(loaded->tvs, SizeIs(2));
  EXPECT_EQ(loaded->tvs[0].host, "10.10.0.11");
  EXPECT_EQ(loaded->tvs[0].port, 2445);
  // Those that are written down win, also when there are none.
  files.Write("phone/phone.json", R"({"tvs": []})");
  loaded = LoadPhone(files.Path("phone"), kDevice);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_THAT(loaded->tvs, IsEmpty());
}

TEST(PhoneStateDirectory, AnotherPhonesStateIsNotTaken) {
  TempFiles files;
  ASSERT_TRUE(SavePhone(files.Path("phone"), Everything()).ok());
  const absl::Status other = LoadPhone(files.Path("phone"), "SEP001B54AABB02").status();
  EXPECT_TRUE(absl::IsFailedPrecondition(other)) << other;
  EXPECT_THAT(other.message(), HasSubstr(kDevice));
  EXPECT_TRUE(LoadPhone(files.Path("phone"), "").ok());
}

TEST(PhoneStateDirectory, WhatCannotBeReadIsNamed) {
  TempFiles files;
  for (const char* json :
       {"{", "[]", R"({"device": 7})", R"({"tvs": ["a/b"]})", R"({"tvs": [7]})",
        R"({"tvs_answers": [{}]})", R"({"abilities": 3})",
        R"({"tvs_answers": [{"issuer": "CN=a", "serial": "01", "status": 0, "certificate": "*",
            "roles": [], "server": "", "expires": ""}]})"}) {
    files.Write("phone/phone.json", json);
    const absl::Status bad = LoadPhone(files.Path("phone"), kDevice).status();
    EXPECT_TRUE(absl::IsInvalidArgument(bad)) << json << ": " << bad;
    EXPECT_THAT(bad.message(), HasSubstr("phone.json")) << json;
  }
  files.Write("phone/phone.json", "{}");
  files.Write("phone/config.xml", "<device");
  const absl::Status bad = LoadPhone(files.Path("phone"), kDevice).status();
  EXPECT_TRUE(absl::IsInvalidArgument(bad)) << bad;
  EXPECT_THAT(bad.message(), HasSubstr("config.xml"));
}

TEST(PhoneStateDirectory, AnIdentityIsReadAndNeverWritten) {
  TempFiles files;
  const Certificate certificate = TestPki::UnitCertificate("CP-8861-SEP001B54AABB01");
  files.Write("phone/phone.pem", certificate.ToPem());
  const std::string key = files.Write("phone/phone.key", TestPki::UnitKey().ToPkcs8Pem());
  ASSERT_EQ(chmod(key.c_str(), 0600), 0);
  const absl::StatusOr<PhoneState> loaded = LoadPhone(files.Path("phone"), kDevice);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ASSERT_TRUE(loaded->identity.has_value());
  EXPECT_EQ(*loaded->identity, certificate);
  ASSERT_NE(loaded->identity_key, nullptr);
  EXPECT_TRUE(loaded->identity_key->Matches(certificate));

  ASSERT_TRUE(SavePhone(files.Path("copy"), *loaded).ok());
  EXPECT_FALSE(std::filesystem::exists(files.Path("copy/phone.key")));
}

}  // namespace
}  // namespace trustline::controller
