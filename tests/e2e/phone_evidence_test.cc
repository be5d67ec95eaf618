// `trustline phone evidence`: phones' own pages, saved and over HTTP, into the CSV gates read.
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/test_fleet.h"
#include "tests/servers/http_files.h"
#include "trust/phone/evidence_csv.h"

namespace trustline::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kDigest[] = "208c50b75598b72f917a39481dab4040cfb04311";
// Of 78xx and 88xx phones, and of 89xx.
constexpr char kPath[] = "CGI/Java/Serviceability?adapter=device.statistics.configuration";
constexpr char kOtherPath[] = "NetworkConfiguration";

// As phones of the 88xx series lay it out, with this test's own values.
std::string Page(const std::string& mac) {
  const auto row = [](const std::string& label, const std::string& value) {
    return absl::StrCat("<TR><TD><B> ", label, "</B></TD><td width=20></TD><TD><B>", value,
                        "</B></TD></TR>");
  };
  return absl::StrCat(
      "<HTML><BODY><TABLE><TR><td><B>Network setup</B><p>Cisco IP Phone CP-8861 ( SEP", mac,
      " )</td></TR><TR><td><TABLE>", row("MAC address", mac), row("Host name", "SEP" + mac),
      row("DHCP", "Yes"), row("IP address", "10.30.0.77"), row("Subnet mask", "255.255.255.0"),
      row("Alternate TFTP", "No"), row("TFTP server 1", "10.10.0.11"),
      row("CUCM server1", "src&#x2D;pub.example.net  Active"), row("CTL file", "Not installed"),
      row("ITL file", "Installed"),
      row("ITL signature", "20 8C 50 B7 55 98 B7 2F 91 7A 39 48 1D AB 40 40 CF B0 43 11 "),
      row("TVS", "src&#x2D;pub.example.net"), "</TABLE></TD></TR></TABLE></BODY></HTML>");
}

class PhoneEvidenceTest : public ::testing::Test {
 protected:
  Finished Evidence(std::vector<std::string> phones) {
    phones.insert(phones.begin(), {"phone", "evidence"});
    phones.insert(phones.end(), {"--port", absl::StrCat(http_.port())});
    return fleet_.Operate(phones);
  }

  TestFleet fleet_;
  HttpFiles http_;
};

TEST_F(PhoneEvidenceTest, LiveAndSavedPagesBecomeTheCsvThatGatesRead) {
  http_.Serve("127.0.0.5", kPath, Page("001B54AABB01"));
  http_.Serve("127.0.0.6", kOtherPath, Page("001B54AABB02"));
  const std::string saved = fleet_.Write("saved.html", Page("001B54AABB03"));
  const std::string out = fleet_.directory() + "/phones.csv";
  const Finished done = Evidence({"127.0.0.5", "127.0.0.6", saved, "--out", out});
  EXPECT_EQ(done.exit_code, 0) << done;
  EXPECT_THAT(done.out, IsEmpty());
  EXPECT_THAT(done.err, HasSubstr("phones.csv: 3 phones of 3\n"));
  const EvidenceCsv csv = ParseEvidenceCsv(ReadFileOrDie(out));
  ASSERT_THAT(csv.problems, IsEmpty()) << csv.problems[0].text;
  ASSERT_THAT(csv.phones, SizeIs(3));
  for (size_t i = 0; i < 3; ++i) {
    const PhoneEvidence& phone = csv.phones[i];
    EXPECT_EQ(phone.device, absl::StrCat("SEP001B54AABB0", i + 1));
    EXPECT_EQ(phone.model, "CP-8861");
    EXPECT_EQ(phone.address, "10.30.0.77");
    EXPECT_EQ(phone.itl.digest, kDigest);
    EXPECT_TRUE(phone.ctl.none);
    ASSERT_THAT(phone.tvs, SizeIs(1));
    EXPECT_EQ(phone.tvs[0].Text(), "src-pub.example.net:2445");
  }
  // Without a file the same goes to standard output.
  EXPECT_EQ(Evidence({saved}).exit_code, 0);
  EXPECT_THAT(ParseEvidenceCsv(Evidence({saved}).out).phones, SizeIs(1));
}

TEST_F(PhoneEvidenceTest, WhoDoesNotAnswerAndWhatIsNoPageHaveCodesOfTheirOwn) {
  http_.Serve("127.0.0.5", kPath, Page("001B54AABB01"));
  http_.Serve("127.0.0.6", kPath, "<html><body>a printer</body></html>");
  // Something else than a phone.
  Finished done = Evidence({"127.0.0.5", "127.0.0.6"});
  EXPECT_EQ(done.exit_code, 2) << done;
  EXPECT_THAT(done.err, HasSubstr("127.0.0.6: "));
  EXPECT_THAT(ParseEvidenceCsv(done.out).phones, SizeIs(1));
  // Nobody there.
  done = fleet_.Operate({"phone", "evidence", "127.0.0.5", "--port", "1", "-T", "5"});
  EXPECT_EQ(done.exit_code, 4) << done;
  EXPECT_THAT(done.err, HasSubstr("127.0.0.5: "));
  EXPECT_THAT(ParseEvidenceCsv(done.out).phones, IsEmpty());
  // A saved page that is not there, and one that is none.
  EXPECT_EQ(Evidence({fleet_.directory() + "/none.html"}).exit_code, 2);
  done = Evidence({fleet_.Write("notes.html", "hello\n")});
  EXPECT_EQ(done.exit_code, 2) << done;
  EXPECT_THAT(done.err, HasSubstr("notes.html: "));
}

}  // namespace
}  // namespace trustline::e2e
