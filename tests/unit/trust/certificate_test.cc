#include "trust/certificate.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/fakes/test_pki.h"

namespace trustline {
namespace {

using testing::TestPki;
using testing::UnitOptions;

Certificate WithSubject(std::vector<std::pair<std::string, std::string>> subject) {
  UnitOptions options;
  options.subject = std::move(subject);
  return TestPki::UnitCertificate("", options);
}

Certificate WithSerial(std::string serial) {
  UnitOptions options;
  options.serial = std::move(serial);
  return TestPki::UnitCertificate("serial", options);
}

TEST(Certificate, NameIsPrintedInTheVendorsOrderWhateverTheDerOrder) {
  // The subject of the query in Cisco's TVS log of 21:34:07.
  const Certificate certificate = WithSubject({{"C", "AU"},
                                               {"O", "Stormin"},
                                               {"OU", "IST"},
                                               {"CN", "ucm11pub.stormin.local"},
                                               {"ST", "QLD"},
                                               {"L", "Brisbane"}});
  EXPECT_EQ(certificate.subject(),
            "CN=ucm11pub.stormin.local;OU=IST;O=Stormin;L=Brisbane;ST=QLD;C=AU");
  EXPECT_EQ(certificate.issuer(), certificate.subject());
  EXPECT_EQ(certificate.common_name(), "ucm11pub.stormin.local");
}

TEST(Certificate, DifferentDerOrdersAreDifferentNames) {
  const Certificate a = WithSubject({{"CN", "x"}, {"O", "y"}});
  const Certificate b = WithSubject({{"O", "y"}, {"CN", "x"}});
  EXPECT_EQ(a.subject(), b.subject());
  EXPECT_NE(a.subject_der(), b.subject_der());
  EXPECT_EQ(a.subject_der(), a.issuer_der());
}

TEST(Certificate, RepeatedAndOtherAttributesFollowInTheirOwnOrder) {
  EXPECT_EQ(
      WithSubject({{"emailAddress", "a@b"}, {"OU", "one"}, {"DC", "d"}, {"OU", "two"}, {"CN", "x"}})
          .subject(),
      "CN=x;OU=one;OU=two;emailAddress=a@b;DC=d");
}

TEST(Certificate, ControlBytesInANameCannotReachTheTerminal) {
  const Certificate certificate = WithSubject({{"CN",
                                                "a\x1b[31m\n\xc2\x9b"
                                                "2J\x7f"}});
  EXPECT_EQ(certificate.subject(), "CN=a\\1B[31m\\0A\\C2\\9B2J\\7F");
  EXPECT_EQ(certificate.common_name(), "a\\1B[31m\\0A\\C2\\9B2J\\7F");
}

TEST(Certificate, ValueThatIsNotTextIsShownAsHex) {
  // A BIT STRING where the UTF8String was; its first byte counts unused bits.
  std::string der = WithSubject({{"CN", std::string("\0abc", 4)}}).der();
  const std::string text("\x0c\x04\0abc", 6);
  for (size_t at = der.find(text); at != std::string::npos; at = der.find(text)) der[at] = '\x03';
  const absl::StatusOr<Certificate> certificate = Certificate::FromDer(der);
  ASSERT_TRUE(certificate.ok()) << certificate.status();
  EXPECT_EQ(certificate->subject(), "CN=\\#616263");
}

TEST(Certificate, NameWithBrokenUtf8IsRefused) {
  std::string der = WithSubject({{"CN", "abcd"}}).der();
  for (size_t at = der.find("abcd"); at != std::string::npos; at = der.find("abcd"))
    der[at] = '\xff';
  EXPECT_EQ(Certificate::FromDer(der).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Certificate, Scenario41SerialsRoundTripExactly) {
  const std::string top_bit = "\x83\xe9\x01\x02\x03\x04\x05\x06\x07\x08";
  const std::string twenty = "\xff" + std::string(18, '\x11') + "\x01";
  const struct {
    std::string serial, hex;
  } cases[] = {
      {top_bit, "83E90102030405060708"},
      {twenty, "FF11111111111111111111111111111111111101"},
      {"\x05", "05"},
      {"\x80", "80"},
      {std::string(1, '\0'), "00"},
      {std::string("\x01\x00", 2), "0100"},
  };
  for (const auto& c : cases) {
    const Certificate certificate = WithSerial(c.serial);
    EXPECT_EQ(certificate.serial(), c.serial) << c.hex;
    EXPECT_EQ(certificate.serial_hex(), c.hex);
    const absl::StatusOr<Certificate> again = Certificate::FromPem(certificate.ToPem());
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(*again, certificate);
    EXPECT_EQ(again->serial(), c.serial);
  }
}

TEST(Certificate, Scenario41NamesRoundTripExactly) {
  const struct {
    std::string value, shown;
  } cases[] = {
      {"Smith, Jones and Sons", "Smith, Jones and Sons"},
      {"the \"voice\" team", "the \"voice\" team"},
      {"Z\xc3\xbcrich \xe2\x80\x93 \xe6\x97\xa5\xe6\x9c\xac",
       "Z\xc3\xbcrich \xe2\x80\x93 \xe6\x97\xa5\xe6\x9c\xac"},
      {"left;right", "left\\;right"},
      {"back\\slash", "back\\\\slash"},
      {"\"SAST-ADN0054f509",
       "\"SAST-ADN0054f509"},  // an eToken whose subject never closes its quote
      {" blank around ", " blank around "},
  };
  for (const auto& c : cases) {
    const Certificate certificate = WithSubject({{"O", c.value}, {"CN", c.value}});
    EXPECT_EQ(certificate.subject(), absl::StrCat("CN=", c.shown, ";O=", c.shown));
    const absl::StatusOr<Certificate> again = Certificate::FromPem(certificate.ToPem());
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->subject(), certificate.subject());
    EXPECT_EQ(again->subject_der(), certificate.subject_der());
    EXPECT_EQ(again->der(), certificate.der());
  }
}

TEST(Certificate, EscapedNamesStayApart) {
  EXPECT_NE(WithSubject({{"CN", "a;O=b"}}).subject(),
            WithSubject({{"CN", "a"}, {"O", "b"}}).subject());
  EXPECT_NE(WithSubject({{"CN", "a\n"}}).subject(), WithSubject({{"CN", "a\\0A"}}).subject());
}

TEST(Certificate, SerialThatDerReadsAsNegativeKeepsItsBytes) {
  // Take the zero byte before the top bit away and shorten the lengths around it: what sloppy token
  // software issued. The signature no longer counts, reading does.
  const Certificate certificate = WithSerial("\x83\xe9\x01");
  std::string der = certificate.der();
  const std::string positive("\x02\x04\x00\x83\xe9\x01", 6);
  const size_t at = der.find(positive);
  ASSERT_NE(at, std::string::npos);
  der.replace(at, positive.size(), "\x02\x03\x83\xe9\x01");
  ASSERT_EQ(static_cast<unsigned char>(der[1]), 0x82);
  ASSERT_EQ(static_cast<unsigned char>(der[5]), 0x82);
  for (const size_t low : {size_t{3}, size_t{7}}) {
    ASSERT_NE(der[low], '\0');
    --der[low];
  }
  const absl::StatusOr<Certificate> negative = Certificate::FromDer(der);
  ASSERT_TRUE(negative.ok()) << negative.status();
  EXPECT_EQ(negative->serial_hex(), "83E901");
}

TEST(Certificate, ValidityIsReadAlsoBeyond2050) {
  UnitOptions options;
  options.not_before =
      absl::FromCivil(absl::CivilSecond(1999, 12, 31, 23, 59, 58), absl::UTCTimeZone());
  options.not_after =
      absl::FromCivil(absl::CivilSecond(9999, 12, 31, 23, 59, 59), absl::UTCTimeZone());
  const Certificate certificate = TestPki::UnitCertificate("x", options);
  EXPECT_EQ(certificate.not_before(), options.not_before);
  EXPECT_EQ(certificate.not_after(), options.not_after);
}

TEST(Certificate, FingerprintIsOverTheDer) {
  const Certificate certificate = TestPki::UnitCertificate("x");
  EXPECT_EQ(certificate.sha256().size(), 32u);
  EXPECT_EQ(certificate.sha256_hex().size(), 64u);
  EXPECT_NE(certificate.sha256(), TestPki::UnitCertificate("x").sha256());
}

TEST(Certificate, TruncationAtEveryByteIsRefused) {
  const std::string der = TestPki::UnitCertificate("x").der();
  for (size_t size = 0; size < der.size(); ++size) {
    const auto cut = Certificate::FromDer(absl::string_view(der).substr(0, size));
    ASSERT_EQ(cut.status().code(), absl::StatusCode::kInvalidArgument) << size;
  }
}

TEST(Certificate, BytesAfterTheEndAreRefused) {
  const auto read = Certificate::FromDer(TestPki::UnitCertificate("x").der() + "zz");
  EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(read.status().message(), "certificate: 2 bytes follow after its end");
}

TEST(Certificate, SecondEncodingOfTheSameCertificateIsRefused) {
  // The outer SEQUENCE with an indefinite length: BER reads it, and it would have another
  // fingerprint.
  const std::string der = TestPki::UnitCertificate("x").der();
  const std::string ber = std::string("\x30\x80", 2) + der.substr(4) + std::string(2, '\0');
  const auto read = Certificate::FromDer(ber);
  EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Certificate, HugeInputIsRefusedBeforeParsing) {
  EXPECT_EQ(Certificate::FromDer(std::string(65537, '0')).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Pem, TextAroundTheBlockAndWindowsLineEndsDoNotMatter) {
  const Certificate certificate = TestPki::UnitCertificate("x");
  std::string pem = absl::StrCat("Subject: x\n", certificate.ToPem(), "the end");
  ASSERT_TRUE(Certificate::FromPem(pem).ok());
  std::string dos;
  for (char c : pem) dos += c == '\n' ? "\r\n" : std::string(1, c);
  const auto read = Certificate::FromPem(dos);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, certificate);
}

TEST(Pem, IndentationAndAByteOrderMarkHideNoBlock) {
  const std::string pem = TestPki::UnitCertificate("x").ToPem();
  std::string indented;
  for (char c : pem) indented += c == '\n' ? "\n    " : std::string(1, c);
  const auto read = Certificate::AllFromPem("\xef\xbb\xbf" + pem + "    " + indented);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->size(), 2u);
}

TEST(Pem, NoneOrSeveralCertificatesAreRefusedWhereOneIsExpected) {
  const std::string pem = TestPki::UnitCertificate("x").ToPem();
  EXPECT_EQ(Certificate::FromPem("nothing").status().message(),
            "no -----BEGIN CERTIFICATE----- block is in this PEM text");
  EXPECT_EQ(Certificate::FromPem(pem + pem).status().message(),
            "this PEM text holds 2 certificates where one is expected");
  EXPECT_EQ(Certificate::AllFromPem(pem + pem)->size(), 2u);
}

TEST(Pem, PrivateKeyIsRefusedAndNotRepeated) {
  const std::string key = TestPki::UnitKey().ToPkcs8Pem();
  const auto read = Certificate::AllFromPem(TestPki::UnitCertificate("x").ToPem() + key);
  EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(read.status().message(), "PEM block 2"));
  EXPECT_TRUE(absl::StrContains(read.status().message(), "private key"));
  EXPECT_FALSE(absl::StrContains(read.status().message(), key.substr(40, 20)));
}

TEST(Pem, BrokenBlockIsNamed) {
  const std::string good = TestPki::UnitCertificate("x").ToPem();
  std::string damaged = good;
  damaged[60] = '*';
  const auto bad_base64 = Certificate::AllFromPem(good + damaged);
  EXPECT_EQ(bad_base64.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(bad_base64.status().message(), "PEM block 2"))
      << bad_base64.status();
  const auto not_certificate =
      Certificate::AllFromPem("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  EXPECT_TRUE(absl::StrContains(not_certificate.status().message(), "PEM block 1 (line 1)"))
      << not_certificate.status();
}

TEST(Pem, CutAnywhereInsideTheSecondBlockIsRefused) {
  const std::string good = TestPki::UnitCertificate("x").ToPem();
  const std::string both = good + good;
  // From the moment the second block is recognisable as one until its last dash.
  for (size_t size = good.size() + 10; size + 1 < both.size(); ++size) {
    ASSERT_FALSE(Certificate::AllFromPem(both.substr(0, size)).ok()) << size;
  }
}

TEST(Pem, OtherBlocksAreIgnored) {
  const auto read =
      Certificate::AllFromPem("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n" +
                              TestPki::UnitCertificate("x").ToPem());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->size(), 1u);
}

}  // namespace
}  // namespace trustline
