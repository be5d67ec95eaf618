// What is known of phones: the CSV file and the phones' own page.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "trust/phone/evidence_csv.h"
#include "trust/phone/web_page.h"

namespace trustline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kDigest[] = "208c50b75598b72f917a39481dab4040cfb04311";

std::vector<std::string> Problems(const std::string& text) {
  std::vector<std::string> problems;
  for (const CsvProblem& problem : ParseEvidenceCsv(text).problems)
    problems.push_back(absl::StrCat(problem.line, ":", problem.column, ": ", problem.text));
  return problems;
}

TEST(EvidenceCsv, EveryColumnIsRead) {
  const EvidenceCsv csv = ParseEvidenceCsv(absl::StrCat(
      "# phones of floor 3\r\n"
      "device,mac,address,subnet,model,itl,ctl,tvs,tftp,alternate_tftp,abilities,lsc_issuer,"
      "excluded,read_at\r\n",
      "SEP001B54AABB01,00-1b-54-aa-bb-ff,10.30.0.7,10.30.0.0/24,CP-8861,",
      "20 8C 50 B7 55 98 B7 2F 91 7A 39 48 1D AB 40 40 CF B0 43 11,none,"
      "10.10.0.11 src-sub1:2446,10.10.0.11,no,no-sha512 no-ec,",
      std::string(64, 'A'), ",\"no record, \"\"yet\"\"\",2026-11-25T10:00:00Z\r\n"));
  ASSERT_THAT(csv.problems, IsEmpty()) << csv.problems[0].text;
  ASSERT_THAT(csv.phones, SizeIs(1));
  const PhoneEvidence& phone = csv.phones[0];
  EXPECT_EQ(phone.device, "SEP001B54AABB01");
  EXPECT_EQ(phone.mac, "00:1b:54:aa:bb:ff");
  EXPECT_EQ(phone.subnet, "10.30.0.0/24");
  EXPECT_EQ(phone.model, "CP-8861");
  EXPECT_EQ(phone.itl.digest, kDigest);
  EXPECT_TRUE(phone.ctl.none);
  ASSERT_THAT(phone.tvs, SizeIs(2));
  EXPECT_EQ(phone.tvs[0].Text(), "10.10.0.11:2445");
  EXPECT_EQ(phone.tvs[1].Text(), "src-sub1:2446");
  EXPECT_THAT(phone.alternate_tftp, IsEmpty());
  EXPECT_TRUE(phone.abilities.security_by_default);
  EXPECT_FALSE(phone.abilities.sha512);
  EXPECT_FALSE(phone.abilities.elliptic_curves);
  EXPECT_EQ(phone.lsc_issuer, std::string(64, 'a'));
  EXPECT_EQ(phone.excluded, "no record, \"yet\"");
  EXPECT_EQ(absl::FormatTime(phone.read_at, absl::UTCTimeZone()), "2026-11-25T10:00:00+00:00");
}

TEST(EvidenceCsv, WhatIsWrittenIsReadBack) {
  const std::string text = absl::StrCat(
      "device,itl,ctl,tvs,alternate_tftp,abilities,excluded\n"
      "SEP001B54AABB01,",
      kDigest,
      ",lists/CTLFile.tlv,10.10.0.11,10.0.0.1 10.0.0.2,no-sbd,\"a, "
      "b\"\nSEP001B54AABB02,,,,,,\n");
  const EvidenceCsv first = ParseEvidenceCsv(text);
  ASSERT_THAT(first.problems, IsEmpty());
  const std::string written = WriteEvidenceCsv(first.phones);
  const EvidenceCsv second = ParseEvidenceCsv(written);
  ASSERT_THAT(second.problems, IsEmpty());
  EXPECT_EQ(WriteEvidenceCsv(second.phones), written);
  ASSERT_THAT(second.phones, SizeIs(2));
  EXPECT_EQ(second.phones[0].ctl.file, "lists/CTLFile.tlv");
  EXPECT_THAT(second.phones[0].alternate_tftp, ElementsAre("10.0.0.1", "10.0.0.2"));
  EXPECT_EQ(second.phones[0].excluded, "a, b");
  EXPECT_EQ(second.phones[1].mac, "00:1b:54:aa:bb:02");
  EXPECT_FALSE(second.phones[1].itl.known());
}

TEST(EvidenceCsv, ErrorsNameTheirPlace) {
  EXPECT_THAT(Problems("device,itll\n"),
              ElementsAre("1:8: unknown column \"itll\" (did you mean \"itl\"?)"));
  EXPECT_THAT(Problems("device,weather\n")[0], HasSubstr("; known: device, mac, address"));
  EXPECT_THAT(Problems("device,device\n"), ElementsAre("1:8: column \"device\" twice"));
  EXPECT_THAT(Problems("itl\n"), ElementsAre("1:1: there is no column \"device\""));
  EXPECT_THAT(Problems(""),
              ElementsAre("1:1: the file is empty; its first line names the columns"));
  EXPECT_THAT(Problems("device,itl\nSEP001B54AABB01,12 34\n"),
              ElementsAre("2:17: \"12 34\" is no SHA-1 or MD5 digest, no path of a .tlv file and "
                          "not \"none\""));
  EXPECT_THAT(Problems("device\nSEP001B54AABB0\n"),
              ElementsAre("2:1: \"SEP001B54AABB0\" is not SEP and a MAC address"));
  EXPECT_THAT(Problems("device,tvs\nSEP001B54AABB01,10.0.0.1:0\n"),
              ElementsAre("2:17: \"10.0.0.1:0\" is no address"));
  EXPECT_THAT(Problems("device,abilities\nSEP001B54AABB01,sha512\n"),
              ElementsAre("2:17: \"sha512\" is none of no-sbd, no-sha512, no-ec"));
  EXPECT_THAT(Problems("device\nSEP001B54AABB01\nSEP001B54AABB01\n"),
              ElementsAre("3:1: SEP001B54AABB01 stands in line 2 already"));
  EXPECT_THAT(Problems("device\nSEP001B54AABB01,x\n"),
              ElementsAre("2:17: more cells than the 1 columns"));
  EXPECT_THAT(Problems("device,excluded\nSEP001B54AABB01,\"open\n"),
              ElementsAre("2:17: the quote that begins here does not end"));
  EXPECT_THAT(Problems("device,excluded\nSEP001B54AABB01,\"a\"b\n"),
              ElementsAre("2:20: text behind a closing quote"));
  EXPECT_THAT(Problems(absl::StrCat("device,excluded\nSEP001B54AABB01,", std::string(5000, 'x'))),
              ElementsAre("2:17: this cell has more than 4096 bytes"));
}

TEST(EvidenceCsv, ProblemsAreTwentyAtMost) {
  std::string text = "device\n";
  for (int i = 0; i < 100; ++i) text += "nonsense\n";
  EXPECT_THAT(Problems(text), SizeIs(20));
  std::string columns = "a";
  for (int i = 0; i < 50; ++i) columns += ",a";
  EXPECT_THAT(Problems(columns), SizeIs(20));
}

// As phones of the 88xx series lay it out, with this test's own values.
std::string Page(const std::string& itl_rows) {
  auto row = [](const std::string& label, const std::string& value) {
    return absl::StrCat("<TR><TD><B> ", label, "</B></TD><td width=20></TD><TD><B>", value,
                        "</B></TD></TR>");
  };
  return absl::StrCat(
      "<HTML><BODY><TABLE><TR><td><B>Network setup</B><p>Cisco IP Phone CP-8861 ( SEP001B54AABB01 "
      ")</td></TR><TR><td><TABLE><TR>\n<TD><a href=\"/x\">Device information</A></TD></TR></TABLE>"
      "</TD><td><TABLE>",
      row("MAC address", "001B54AABB01"), row("Host name", "SEP001B54AABB01"),
      row("DHCP server", "10.30.0.2"), row("DHCP", "Yes"), row("IP address", "10.30.0.77"),
      row("Subnet mask", "255.255.255.0"), row("Alternate TFTP", "No"),
      row("TFTP server 1", "10.10.0.11"), row("TFTP server 2", "10.10.0.12"),
      row("CUCM server1", "src&#x2D;pub.example.net  Active"),
      row("CUCM server2", "src&#x2D;sub1.example.net  Standby"), row("CUCM server3", "   "),
      itl_rows, row("TVS", "src&#x2D;pub.example.net"), row("TFTP server", "src-pub.example.net"),
      row("IPv6 alternate TFTP", "No"), "</TABLE></TD></TR></TABLE></BODY></HTML>");
}
constexpr char kLists[] =
    "<TR><TD><B> CTL file</B></TD><td></TD><TD><B>Not installed</B></TD></TR>"
    "<TR><TD><B> ITL file</B></TD><td></TD><TD><B>Installed</B></TD></TR>"
    "<TR><TD><B> ITL signature</B></TD><td></TD><TD><B>20 8C 50 B7 55 98 B7 2F 91 7A 39 48 1D AB "
    "40 "
    "40 CF B0 43 11 </B></TD></TR>";

TEST(PhoneWebPage, ThePageSaysWhatThePhoneHoldsAndWhomItAsks) {
  const absl::StatusOr<PhoneEvidence> phone = ParsePhoneWebPage(Page(kLists));
  ASSERT_TRUE(phone.ok()) << phone.status();
  EXPECT_EQ(phone->device, "SEP001B54AABB01");
  EXPECT_EQ(phone->mac, "00:1b:54:aa:bb:01");
  EXPECT_EQ(phone->model, "CP-8861");
  EXPECT_EQ(phone->address, "10.30.0.77");
  EXPECT_EQ(phone->subnet, "10.30.0.0/24");
  EXPECT_EQ(phone->itl.digest, kDigest);
  EXPECT_TRUE(phone->ctl.none);
  ASSERT_THAT(phone->tvs, SizeIs(2));
  EXPECT_EQ(phone->tvs[0].host, "src-pub.example.net");
  EXPECT_EQ(phone->tvs[1].host, "src-sub1.example.net");
  EXPECT_THAT(phone->tftp, ElementsAre("10.10.0.11", "10.10.0.12"));
  EXPECT_THAT(phone->alternate_tftp, IsEmpty());
  EXPECT_EQ(phone->excluded, "");
  EXPECT_EQ(phone->Immovable(), "");
}

TEST(PhoneWebPage, OtherSeriesNameTheSameOtherwise) {
  const std::string page = absl::StrReplaceAll(Page(kLists), {{"CUCM server", "Unified CM "},
                                                              {"ITL signature", "ITL Signature"},
                                                              {"Host name", "Host Name"},
                                                              {"<B> DHCP<", "<B>DHCP Enabled<"},
                                                              {"<TD><B>", "<td>\n<b>"},
                                                              {"</B></TD>", "</b></td>\n"}});
  const absl::StatusOr<PhoneEvidence> phone = ParsePhoneWebPage(page);
  ASSERT_TRUE(phone.ok()) << phone.status();
  EXPECT_EQ(phone->itl.digest, kDigest);
  EXPECT_THAT(phone->tvs, SizeIs(2));
}

TEST(PhoneWebPage, Scenario25AlternateTftpAndStaticAddressesAreListedAsNotMovedByDhcp) {
  const absl::StatusOr<PhoneEvidence> by_hand = ParsePhoneWebPage(
      absl::StrReplaceAll(Page(kLists), {{"Alternate TFTP</B></TD><td width=20></TD><TD><B>No",
                                          "Alternate TFTP</B></TD><td width=20></TD><TD><B>Yes"}}));
  ASSERT_TRUE(by_hand.ok()) << by_hand.status();
  EXPECT_THAT(by_hand->Immovable(),
              HasSubstr("DHCP cannot move this phone: alternate TFTP is set by hand (10.10.0.11"));
  const absl::StatusOr<PhoneEvidence> fixed = ParsePhoneWebPage(absl::StrReplaceAll(
      Page(kLists),
      {{"DHCP</B></TD><td width=20></TD><TD><B>Yes", "DHCP</B></TD><td width=20></TD><TD><B>No"}}));
  ASSERT_TRUE(fixed.ok()) << fixed.status();
  EXPECT_EQ(fixed->excluded, "static IP address: DHCP cannot move it");
}

TEST(PhoneWebPage, APageWithoutListsProvesNothingAboutThem) {
  const absl::StatusOr<PhoneEvidence> old = ParsePhoneWebPage(Page(""));
  ASSERT_TRUE(old.ok()) << old.status();
  EXPECT_FALSE(old->itl.known());
  EXPECT_EQ(old->Unproven(), "no evidence of its ITL");
}

TEST(PhoneWebPage, OtherPagesAreRefused) {
  EXPECT_FALSE(ParsePhoneWebPage("").ok());
  EXPECT_FALSE(ParsePhoneWebPage("<html><table><tr><td>Host name<td>SEP001B54AABB01").ok());
  EXPECT_FALSE(ParsePhoneWebPage(std::string(300 << 10, 'x')).ok());
  EXPECT_FALSE(ParsePhoneWebPage("<<<<&&&&<td<td>&#xFFFFFFFFFF;").ok());
}

}  // namespace
}  // namespace trustline
