#include "trust/bundle.h"

#include <gtest/gtest.h>
#include <openssl/pkcs7.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/fakes/test_pki.h"
#include "trust/openssl_handles.h"

namespace trustline {
namespace {

using testing::TestPki;
using testing::UnitOptions;

std::vector<BundleEntry> SomeEntries() {
  return {{TestPki::UnitCertificate("dst-pub"), "CallManager of dst-pub"},
          {TestPki::UnitCertificate("dst-sub1"), "CallManager of dst-sub1, Z\xc3\xbcrich"},
          {TestPki::UnitCertificate("src-pub"), ""}};
}

std::vector<BundleEntry> Sorted(std::vector<BundleEntry> entries) {
  std::sort(entries.begin(), entries.end(), [](const BundleEntry& a, const BundleEntry& b) {
    return a.certificate < b.certificate;
  });
  return entries;
}

void ExpectSame(const absl::StatusOr<std::vector<BundleEntry>>& read,
                const std::vector<BundleEntry>& expected) {
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ((*read)[i].certificate, expected[i].certificate) << i;
    EXPECT_EQ((*read)[i].friendly_name, expected[i].friendly_name) << i;
  }
}

// A PKCS#12 file as trustline itself does not write it.
struct Pkcs12Parts {
  openssl::SafesPtr safes;

  void AddSafe(STACK_OF(PKCS12_SAFEBAG) * bags, int encryption, int iterations,
               const char* password) {
    STACK_OF(PKCS7)* raw = safes.release();
    ASSERT_EQ(PKCS12_add_safe(&raw, bags, encryption, iterations, password), 1);
    safes.reset(raw);
  }
  // mac_iterations 0: no MAC.
  std::string Finish(const char* password, int mac_iterations) {
    openssl::Pkcs12Ptr file(PKCS12_add_safes(safes.get(), 0));
    if (mac_iterations != 0) {
      EXPECT_EQ(PKCS12_set_mac(file.get(), password, password == nullptr ? 0 : -1, nullptr, 0,
                               mac_iterations, EVP_sha1()),
                1);
    }
    return openssl::ToDer<PKCS12>(file.get(), i2d_PKCS12);
  }
};

openssl::BagsPtr CertificateBags(const Certificate& certificate, size_t times) {
  const unsigned char* at = openssl::Bytes(certificate.der());
  openssl::X509Ptr x509(d2i_X509(nullptr, &at, certificate.der().size()));
  STACK_OF(PKCS12_SAFEBAG)* raw = nullptr;
  for (size_t i = 0; i < times; ++i) PKCS12_add_cert(&raw, x509.get());
  return openssl::BagsPtr(raw);
}

openssl::BagsPtr CertificateBag(const Certificate& certificate) {
  return CertificateBags(certificate, 1);
}

class BundleProfiles : public ::testing::TestWithParam<std::tuple<BundleProfile, const char*>> {
 protected:
  BundleProfile profile() const { return std::get<0>(GetParam()); }
  std::string password() const { return std::get<1>(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(All, BundleProfiles,
                         ::testing::Combine(::testing::Values(BundleProfile::kModern,
                                                              BundleProfile::kCompat3Des),
                                            ::testing::Values("", "cisco", "p\xc3\xa4ss w\"ord")));

TEST_P(BundleProfiles, RoundTripsInFingerprintOrder) {
  const std::vector<BundleEntry> entries = SomeEntries();
  const auto bytes = WritePkcs12(entries, password(), profile());
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  ExpectSame(ReadBundle(*bytes, password()), Sorted(entries));
}

TEST_P(BundleProfiles, WrongPasswordIsSaid) {
  const auto bytes = WritePkcs12(SomeEntries(), password(), profile());
  for (const std::string wrong : {"", "Cisco", "cisco ", "x"}) {
    if (wrong == password()) continue;
    const auto read = ReadBundle(*bytes, wrong);
    EXPECT_EQ(read.status().code(), absl::StatusCode::kPermissionDenied) << read.status();
    EXPECT_TRUE(absl::StrContains(read.status().message(), "wrong password")) << read.status();
  }
}

TEST_P(BundleProfiles, EmptySetRoundTrips) {
  const auto bytes = WritePkcs12({}, password(), profile());
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const auto read = ReadBundle(*bytes, password());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->empty());
}

TEST(Bundle, Scenario40SameNameDifferentSerialsAreBothKept) {
  // The jump upgrade: the new cluster reuses the old host names.
  UnitOptions old_one, new_one, same_serial;
  old_one.serial = "\x01";
  new_one.serial = "\x02";
  same_serial.serial = "\x02";
  same_serial.not_before = TestPki::SomeTime();  // not even name and serial make it the same
  const std::vector<BundleEntry> entries = {
      {TestPki::UnitCertificate("cucm-pub", old_one), "CallManager of cucm-pub"},
      {TestPki::UnitCertificate("cucm-pub", new_one), "CallManager of cucm-pub"},
      {TestPki::UnitCertificate("cucm-pub", same_serial), "CallManager of cucm-pub"}};
  ASSERT_EQ(entries[0].certificate.subject_der(), entries[2].certificate.subject_der());
  ASSERT_EQ(entries[1].certificate.serial(), entries[2].certificate.serial());
  ExpectSame(ReadBundle(*WritePkcs12(entries, "", BundleProfile::kModern), ""), Sorted(entries));
  ExpectSame(ReadBundle(WritePem(entries), ""), Sorted(entries));
}

TEST(Bundle, Scenario41OddSerialsAndNamesRoundTrip) {
  std::vector<BundleEntry> entries;
  for (const std::string& serial :
       {std::string("\x83\xe9\x00\x01", 4), "\xff" + std::string(19, '\x7f'), std::string("\x01"),
        std::string(1, '\0')}) {
    UnitOptions options;
    options.serial = serial;
    options.subject = {{"CN", "\"SAST-ADN0054f509"}, {"O", "Smith, Jones; Z\xc3\xbcrich"}};
    entries.push_back({TestPki::UnitCertificate("", options), "\"a\", b; c \\ \xe6\x97\xa5"});
  }
  ExpectSame(ReadBundle(*WritePkcs12(entries, "x", BundleProfile::kCompat3Des), "x"),
             Sorted(entries));
  ExpectSame(ReadBundle(WritePem(entries), ""), Sorted(entries));
}

TEST(Bundle, DuplicatesComeOnce) {
  const std::vector<BundleEntry> entries = SomeEntries();
  std::vector<BundleEntry> twice = entries;
  twice.push_back({entries[0].certificate, "again"});
  ExpectSame(ReadBundle(*WritePkcs12(twice, "", BundleProfile::kModern), ""), Sorted(entries));
  const std::string pem =
      absl::StrCat(entries[0].certificate.ToPem(), entries[1].certificate.ToPem(),
                   entries[0].certificate.ToPem());
  const auto read = ReadBundle(pem, "");
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ((*read)[0].certificate, entries[0].certificate);
}

TEST(Bundle, PemKeepsItsOrderAndNames) {
  const std::vector<BundleEntry> entries = SomeEntries();
  const std::string pem =
      absl::StrCat("Bag Attributes\n    friendlyName: second\n", entries[1].certificate.ToPem(),
                   entries[0].certificate.ToPem());
  ExpectSame(ReadBundle(pem, "ignored"),
             {{entries[1].certificate, "second"}, {entries[0].certificate, ""}});
}

TEST(Bundle, TextBeforePemMayBeginWithADigit) {
  const Certificate certificate = TestPki::UnitCertificate("x");
  ExpectSame(ReadBundle("00 exported today\n" + certificate.ToPem(), ""), {{certificate, ""}});
}

TEST(Bundle, NameWithALineEndCannotForgeABlock) {
  const Certificate certificate = TestPki::UnitCertificate("x");
  const auto read =
      ReadBundle(WritePem({{certificate, "a\n-----BEGIN CERTIFICATE-----\nAAAA"}}), "");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->size(), 1u);
}

TEST(Bundle, SingleDerCertificateIsABundleOfOne) {
  const Certificate certificate = TestPki::UnitCertificate("x");
  ExpectSame(ReadBundle(certificate.der(), ""), {{certificate, ""}});
}

TEST(Bundle, SetIsTheIdentityNotTheBytes) {
  const std::vector<BundleEntry> entries = SomeEntries();
  EXPECT_NE(*WritePkcs12(entries, "", BundleProfile::kModern),
            *WritePkcs12(entries, "", BundleProfile::kModern));
}

TEST(Bundle, TruncationAtEveryByteIsRefused) {
  const std::vector<BundleEntry> entries = SomeEntries();
  for (const BundleProfile profile : {BundleProfile::kModern, BundleProfile::kCompat3Des}) {
    const std::string bytes = *WritePkcs12(entries, "cisco", profile);
    for (size_t size = 0; size < bytes.size(); ++size) {
      const auto read = ReadBundle(absl::string_view(bytes).substr(0, size), "cisco");
      ASSERT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument)
          << size << " " << read.status();
    }
    EXPECT_EQ(ReadBundle(bytes + "\n", "cisco").status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST(Bundle, EveryChangedByteIsRefusedOrHarmless) {
  // A bit flipped anywhere: refused, or (in the few bytes that carry no meaning) still the same
  // set. Never another set.
  const std::vector<BundleEntry> entries = {{TestPki::UnitCertificate("x"), "x"}};
  const std::string bytes = *WritePkcs12(entries, "cisco", BundleProfile::kModern);
  size_t refused = 0;
  for (size_t i = 0; i < bytes.size(); i += 7) {
    std::string bad = bytes;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    const auto read = ReadBundle(bad, "cisco");
    if (!read.ok()) {
      ++refused;
      continue;
    }
    ASSERT_EQ(read->size(), 1u);
    ASSERT_EQ((*read)[0].certificate, entries[0].certificate);
  }
  EXPECT_GT(refused, bytes.size() / 7 - 3);
}

TEST(Bundle, OtherContentIsRefusedInWords) {
  for (const std::string& bytes : {std::string(), std::string("hello"), std::string("\x30"),
                                   std::string("\x30\x03\x01\x01\xff"), std::string(100, '\0'),
                                   std::string("\x30\x84\xff\xff\xff\xff\x02\x01\x03")}) {
    EXPECT_EQ(ReadBundle(bytes, "").status().code(), absl::StatusCode::kInvalidArgument);
  }
  const auto none = ReadBundle("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "");
  EXPECT_EQ(none.status().message(), "not a bundle: the PEM text holds no certificate");
}

TEST(Bundle, LimitsAreKept) {
  const auto huge = ReadBundle(std::string(kMaxBundleBytes + 1, '0'), "");
  EXPECT_EQ(huge.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(huge.status().message(), "16777217 bytes")) << huge.status();
}

TEST(Bundle, TooManyCertificatesAreRefusedBothWays) {
  const std::vector<BundleEntry> entries(kMaxBundleCertificates + 1,
                                         {TestPki::UnitCertificate("x"), ""});
  const auto bytes = WritePkcs12(entries, "", BundleProfile::kModern);
  EXPECT_EQ(bytes.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(bytes.status().message(), "20001 certificates")) << bytes.status();
  const openssl::BagsPtr bags = CertificateBags(entries[0].certificate, entries.size());
  Pkcs12Parts parts;
  parts.AddSafe(bags.get(), -1, 1, nullptr);
  std::string pem;
  while (pem.size() < kMaxBundleBytes - 100)
    pem += "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  for (const std::string& file : {parts.Finish("", 1), pem}) {
    const auto read = ReadBundle(file, "");
    EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(absl::StrContains(read.status().message(), "more than 20000 certificates"))
        << read.status();
  }
}

TEST(Bundle, FailuresLeaveNoErrorBehindForOthers) {
  const std::string bytes = *WritePkcs12(SomeEntries(), "cisco", BundleProfile::kModern);
  EXPECT_FALSE(ReadBundle(bytes, "wrong").ok());
  EXPECT_FALSE(ReadBundle(bytes.substr(0, 100), "cisco").ok());
  EXPECT_FALSE(ReadBundle("\x30\x03\x30\x01\x01", "").ok());
  EXPECT_EQ(ERR_peek_error(), 0u);
}

TEST(Bundle, UnusableNamesAndPasswordsAreRefused) {
  const Certificate certificate = TestPki::UnitCertificate("x");
  for (const std::string& name :
       {std::string("\xff\xfe"), std::string("a\0b", 3), std::string("\xf0\x9f\x98\x80")}) {
    const auto bytes = WritePkcs12({{certificate, name}}, "", BundleProfile::kModern);
    EXPECT_EQ(bytes.status().code(), absl::StatusCode::kInvalidArgument) << bytes.status();
  }
  EXPECT_FALSE(WritePkcs12({}, std::string("a\0b", 3), BundleProfile::kModern).ok());
}

TEST(Bundle, PrivateKeyInPemIsNamed) {
  const std::string pem =
      absl::StrCat(TestPki::UnitCertificate("x").ToPem(), "friendlyName: the key of x\n",
                   TestPki::UnitKey().ToPkcs8Pem());
  const auto read = ReadBundle(pem, "");
  EXPECT_EQ(read.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(absl::StrContains(read.status().message(), "entry 2 (\"the key of x\")"))
      << read.status();
  EXPECT_TRUE(absl::StrContains(read.status().message(), "private key"));
}

void Replace(std::string* bytes, const std::string& from, const std::string& to) {
  const size_t at = bytes->find(from);
  ASSERT_NE(at, std::string::npos);
  bytes->replace(at, from.size(), to);
  ASSERT_EQ(bytes->find(from), std::string::npos);
}

const std::string k65538("\x02\x03\x01\x00\x02", 5);

TEST(ForeignPkcs12, BothEmptyPasswordsAndNoMacAreRead) {
  const Certificate certificate = TestPki::UnitCertificate("x");
  for (const char* password : {static_cast<const char*>(nullptr), ""}) {
    for (const int encryption : {static_cast<int>(NID_pbe_WithSHA1And3_Key_TripleDES_CBC),
                                 static_cast<int>(NID_aes_256_cbc), -1}) {
      for (const int mac : {0, 1, 2048}) {
        Pkcs12Parts parts;
        parts.AddSafe(CertificateBag(certificate).get(), encryption, 2048, password);
        ExpectSame(ReadBundle(parts.Finish(password, mac), ""), {{certificate, ""}});
      }
    }
  }
}

TEST(ForeignPkcs12, WithoutMacAWrongPasswordIsStillSaid) {
  Pkcs12Parts parts;
  parts.AddSafe(CertificateBag(TestPki::UnitCertificate("x")).get(), NID_aes_256_cbc, 2048,
                "right");
  const std::string bytes = parts.Finish(nullptr, 0);
  EXPECT_EQ(ReadBundle(bytes, "wrong").status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(ReadBundle(bytes, "right").ok());
}

TEST(ForeignPkcs12, PlainAndShroudedPrivateKeysAreRefusedByNameOrPosition) {
  const Certificate certificate = TestPki::UnitCertificate("x");
  EVP_PKEY* key = static_cast<EVP_PKEY*>(TestPki::UnitKey().native());
  for (const int protection : {-1, static_cast<int>(NID_pbe_WithSHA1And3_Key_TripleDES_CBC)}) {
    for (const bool named : {true, false}) {
      openssl::BagsPtr owned = CertificateBag(certificate);
      STACK_OF(PKCS12_SAFEBAG)* bags = owned.get();
      PKCS12_SAFEBAG* bag = PKCS12_add_key(&bags, key, 0, 2048, protection, "cisco");
      ASSERT_NE(bag, nullptr);
      if (named) {
        ASSERT_EQ(PKCS12_add_friendlyname_utf8(bag, "key of dst-pub", -1), 1);
      }
      Pkcs12Parts parts;
      parts.AddSafe(bags, NID_aes_256_cbc, 2048, "cisco");
      const auto read = ReadBundle(parts.Finish("cisco", 2048), "cisco");
      EXPECT_EQ(read.status().code(), absl::StatusCode::kFailedPrecondition) << read.status();
      EXPECT_TRUE(absl::StrContains(read.status().message(),
                                    named ? "entry 2 (\"key of dst-pub\") of" : "entry 2 of"))
          << read.status();
      EXPECT_TRUE(absl::StrContains(read.status().message(), "private key"));
    }
  }
}

TEST(ForeignPkcs12, PrivateKeyInsideNestedContentsIsFound) {
  EVP_PKEY* key = static_cast<EVP_PKEY*>(TestPki::UnitKey().native());
  STACK_OF(PKCS12_SAFEBAG)* inner = nullptr;
  ASSERT_NE(PKCS12_add_key(&inner, key, 0, 1, -1, nullptr), nullptr);
  openssl::BagsPtr owned(inner);
  // SafeBag { safeContentsBag, [0] SafeContents }, put together by hand: OpenSSL offers no call for
  // it.
  const auto wrap = [](char tag, const std::string& value) {
    const char high = static_cast<char>(value.size() >> 8),
               low = static_cast<char>(value.size() & 0xff);
    return std::string{tag, '\x82', high, low} + value;
  };
  const std::string key_bag =
      openssl::ToDer<PKCS12_SAFEBAG>(sk_PKCS12_SAFEBAG_value(inner, 0), i2d_PKCS12_SAFEBAG);
  const std::string oid("\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x06", 13);
  const std::string nested = wrap('\x30', oid + wrap('\xa0', wrap('\x30', key_bag)));
  const unsigned char* at = openssl::Bytes(nested);
  PKCS12_SAFEBAG* bag = d2i_PKCS12_SAFEBAG(nullptr, &at, nested.size());
  ASSERT_NE(bag, nullptr);
  openssl::BagsPtr outer(sk_PKCS12_SAFEBAG_new_null());
  sk_PKCS12_SAFEBAG_push(outer.get(), bag);
  Pkcs12Parts parts;
  parts.AddSafe(outer.get(), -1, 1, nullptr);
  EXPECT_EQ(ReadBundle(parts.Finish("", 1), "").status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(ForeignPkcs12, HostileIterationCountsAreRefusedBeforeTheyAreWorkedOff) {
  // 8,388,607 would take seconds, and nothing keeps a file from asking for 2^31 of them.
  const Certificate certificate = TestPki::UnitCertificate("x");
  Pkcs12Parts mac_parts;
  mac_parts.AddSafe(CertificateBag(certificate).get(), NID_aes_256_cbc, 1, "x");
  std::string mac = mac_parts.Finish("x", 65538);
  Replace(&mac, k65538, std::string("\x02\x03\x7f\xff\xff", 5));
  Pkcs12Parts pbkdf2_parts;
  pbkdf2_parts.AddSafe(CertificateBag(certificate).get(), NID_aes_256_cbc, 65538, "x");
  std::string pbkdf2 = pbkdf2_parts.Finish("x", 1);
  Replace(&pbkdf2, k65538, std::string("\x02\x03\x7f\xff\xff", 5));
  Pkcs12Parts pbe_parts;
  pbe_parts.AddSafe(CertificateBag(certificate).get(), NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
                    65538, "x");
  std::string pbe = pbe_parts.Finish("x", 1);
  Replace(&pbe, k65538, std::string("\x02\x03\x7f\xff\xff", 5));
  for (const std::string& bytes : {mac, pbkdf2, pbe}) {
    const auto read = ReadBundle(bytes, "x");
    EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(absl::StrContains(read.status().message(), "asks for 8388607 iterations"))
        << read.status();
  }
  std::string negative = mac;
  Replace(&negative, std::string("\x02\x03\x7f\xff\xff", 5),
          std::string("\x02\x03\x80\x00\x00", 5));
  EXPECT_TRUE(absl::StrContains(ReadBundle(negative, "x").status().message(),
                                "asks for -8388608 iterations"))
      << ReadBundle(negative, "x").status();
}

TEST(ForeignPkcs12, ManyExpensivePartsAreRefusedTogether) {
  Pkcs12Parts parts;
  for (int i = 0; i < 5; ++i) {
    parts.AddSafe(CertificateBag(TestPki::UnitCertificate("x")).get(), NID_aes_256_cbc, 65538, "x");
  }
  std::string bytes = parts.Finish("x", 1);
  for (size_t at = bytes.find(k65538); at != std::string::npos; at = bytes.find(k65538))
    bytes.replace(at, 5, std::string("\x02\x03\x0f\x00\x00", 5));
  const auto read = ReadBundle(bytes, "x");
  EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(read.status().message(), "4000000 iterations together"))
      << read.status();
}

TEST(ForeignPkcs12, SeveralPartsAreReadInOrder) {
  const Certificate a = TestPki::UnitCertificate("a"), b = TestPki::UnitCertificate("b");
  Pkcs12Parts parts;
  parts.AddSafe(CertificateBag(b).get(), NID_aes_256_cbc, 1, "x");
  parts.AddSafe(CertificateBag(a).get(), -1, 1, "x");
  ExpectSame(ReadBundle(parts.Finish("x", 1), "x"), {{b, ""}, {a, ""}});
}

}  // namespace
}  // namespace trustline
