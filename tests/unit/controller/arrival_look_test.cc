// Looking for phones at the destination: the file on disk, real HTTP servers, phones' own pages.
#include "controller/arrival_look.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/servers/http_files.h"
#include "tests/unit/controller/temp_files.h"
#include "trust/rsa_signature.h"

namespace trustline::controller {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kDestination[] = "127.0.20.11";
constexpr char kItl[] = "the ITL of the destination";
constexpr char kOld[] = "3fa9000000000000000000000000000000000000";

std::string Sha1(const std::string& bytes) {
  return absl::BytesToHexString(DigestOf(SignatureDigest::kSha1, bytes));
}

std::string Page(const std::string& device, const std::string& digest) {
  const auto row = [](const std::string& label, const std::string& value) {
    return absl::StrCat("<TR><TD><B>", label, "</B></TD><td></TD><TD><B>", value, "</B></TD></TR>");
  };
  return absl::StrCat(
      "<HTML><BODY><TABLE>", row("Host name", device), row("DHCP", "Yes"),
      row("Alternate TFTP", "No"), row("CTL file", "Not installed"), row("ITL file", "Installed"),
      row("ITL signature", absl::AsciiStrToUpper(digest)), "</TABLE></BODY></HTML>");
}

class ArrivalLookTest : public ::testing::Test {
 protected:
  ArrivalLookTest() {
    servers_.Serve(kDestination, "ITLFile.tlv", kItl);
    demand_.phones = files_.Path("phones.csv");
    demand_.tftp_http_port = servers_.port();
    demand_.tftp_port = servers_.port();
    demand_.timeout_ms = 3000;
    v1::GatedPointer pointer;
    pointer.mutable_scope()->set_subnet("127.0.30.0/24");
    pointer.add_tftp_servers(kDestination);
    demand_.pointers = {pointer};
    options_.web_port = servers_.port();
  }
  absl::StatusOr<WavePhones> Look() {
    return LookForArrivals(
        demand_, [] { return false; }, absl::FromUnixSeconds(1795305600), options_);
  }
  void Csv(const std::string& rows) {
    files_.Write("phones.csv", absl::StrCat("device,address,itl,alternate_tftp,excluded\n", rows));
  }

  HttpFiles servers_;
  TempFiles files_;
  ArrivalDemand demand_;
  ArrivalLookOptions options_;
};

TEST_F(ArrivalLookTest, Scenario34ThePhonesOfTheWaveAreReadFromDiskEveryTime) {
  Csv(absl::StrCat("SEP001B54AABB01,127.0.30.21,", kOld, ",,\n", "SEP001B54AABB02,127.0.40.22,",
                   Sha1(kItl), ",,\n", "SEP001B54AABB03,127.0.30.23,,10.9.9.9,\n",
                   "SEP001B54AABB04,127.0.30.24,", kOld, ",,to be replaced\n"));
  absl::StatusOr<WavePhones> found = Look();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->Counted(), 1u);  // not who is elsewhere, cannot be moved, or is excluded
  EXPECT_EQ(found->Arrived(), 0u);
  EXPECT_EQ(found->excluded, 1);
  EXPECT_EQ(found->phones.size(), 2u);
  EXPECT_THAT(found->phones[0].why, HasSubstr("which no destination node serves"));
  EXPECT_THAT(found->problems, IsEmpty());

  Csv(absl::StrCat("SEP001B54AABB01,127.0.30.21,", Sha1(kItl), ",,\n"));
  found = Look();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->Arrived(), 1u);
}

TEST_F(ArrivalLookTest, Scenario34APhonesOwnPageSaysWhatTheFileDoesNotKnowYet) {
  Csv(absl::StrCat("SEP001B54AABB01,127.0.30.21,", kOld, ",,\n", "SEP001B54AABB02,127.0.30.22,",
                   kOld, ",,\n", "SEP001B54AABB03,127.0.30.23,", kOld, ",,\n"));
  servers_.Serve("127.0.30.21", "NetworkConfiguration", Page("SEP001B54AABB01", Sha1(kItl)));
  // Its address was given to another phone.
  servers_.Serve("127.0.30.22", "NetworkConfiguration", Page("SEP001B54AABB09", Sha1(kItl)));
  const absl::StatusOr<WavePhones> found = Look();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->Counted(), 3u);
  EXPECT_EQ(found->Arrived(), 1u);
  EXPECT_THAT(found->phones,
              Contains(FoundPhone{"SEP001B54AABB01", /*arrived=*/true, /*counts=*/true, ""}));
}

TEST_F(ArrivalLookTest, Scenario34APhoneThatTheFileDoesNotNameHasNotArrived) {
  Csv("");
  demand_.pointers[0].mutable_scope()->clear_subnet();
  demand_.pointers[0].mutable_scope()->set_reservation("00:1b:54:aa:bb:01");
  const absl::StatusOr<WavePhones> found = Look();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(found->phones,
              ElementsAre(FoundPhone{"SEP001B54AABB01", false, true, "is not in phones.csv"}));
}

TEST_F(ArrivalLookTest, Scenario34OfPhonesReadBeforeThePauseALookKnowsNothing) {
  demand_.only_look = true;
  demand_.since = absl::FromUnixSeconds(1795305500);  // a while before the look
  const std::string before = "2026-11-21T23:58:19Z", after = "2026-11-21T23:58:21Z";
  files_.Write("phones.csv",
               absl::StrCat("device,address,itl,read_at\n",                                 //
                            "SEP001B54AABB01,127.0.30.21,", kOld, ",", before, "\n",        //
                            "SEP001B54AABB02,127.0.30.22,", kOld, ",", after, "\n",         //
                            "SEP001B54AABB03,127.0.30.23,", kOld, ",", before, "\n",        //
                            "SEP001B54AABB04,127.0.30.24,", Sha1(kItl), ",", before, "\n",  //
                            "SEP001B54AABB05,127.0.30.25,", kOld, ",\n"));
  servers_.Serve("127.0.30.23", "NetworkConfiguration", Page("SEP001B54AABB03", kOld));
  // A page that is silent about lists makes the file's row no newer.
  servers_.Serve(
      "127.0.30.25", "NetworkConfiguration",
      absl::StrReplaceAll(Page("SEP001B54AABB05", kOld), {{"ITL", "Other"}, {"CTL", "Another"}}));
  const auto known = [](const WavePhones& found) {
    std::map<std::string, bool> devices;
    for (const FoundPhone& phone : found.phones) devices[phone.device.substr(12)] = phone.known;
    return devices;
  };
  absl::StatusOr<WavePhones> found = Look();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(known(*found),
            (std::map<std::string, bool>{
                {"B01", false}, {"B02", true}, {"B03", true}, {"B04", true}, {"B05", false}}));
  EXPECT_EQ(found->Unknown(), 2u);
  EXPECT_EQ(found->Arrived(), 1u);
  EXPECT_THAT(
      found->phones,
      Contains(Field(&FoundPhone::why, HasSubstr("phones.csv has nothing newer than the pause"))));

  // A server that did not answer may be the one whose list they hold.
  demand_.pointers[0].add_tftp_servers("127.0.20.12");
  found = Look();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->Unknown(), 4u);
  EXPECT_EQ(found->Arrived(), 1u);
  EXPECT_THAT(found->phones,
              Contains(Field(&FoundPhone::why, HasSubstr("not every one was asked: 127.0.20.12"))));

  demand_.only_look = false;
  found = Look();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->Unknown(), 0u);
}

TEST_F(ArrivalLookTest, WithoutListsOrWithABadFileNothingIsSaid) {
  Csv("SEP001B54AABB01,127.0.30.21,nonsense,,\n");
  EXPECT_TRUE(absl::IsInvalidArgument(Look().status())) << Look().status();
  EXPECT_THAT(Look().status().message(), HasSubstr("phones.csv:2:"));
  Csv(absl::StrCat("SEP001B54AABB01,127.0.30.21,", kOld, ",,\n"));
  demand_.pointers[0].set_tftp_servers(0, "127.0.20.12");
  EXPECT_TRUE(absl::IsUnavailable(Look().status())) << Look().status();
  // One of two is enough to find phones; the other is named.
  demand_.pointers[0].add_tftp_servers(kDestination);
  const absl::StatusOr<WavePhones> found = Look();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(found->problems, ElementsAre(HasSubstr("127.0.20.12")));
  std::filesystem::remove(demand_.phones);
  EXPECT_TRUE(absl::IsNotFound(Look().status()));
}

}  // namespace
}  // namespace trustline::controller
