#include "trust/signed_file/signed_file.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/fakes/test_pki.h"
#include "trust/tlv_element.h"

namespace trustline {
namespace {

using testing::TestPki;
using testing::UnitOptions;

constexpr absl::string_view kConfig = "<device><fullConfig>true</fullConfig></device>\n";

SignedFileOptions Options() {
  SignedFileOptions options;
  options.name = "SEP001122334455.cnf.xml.sgn";
  options.timestamp = TestPki::SomeTime();
  return options;
}

const Certificate& Signer() {
  static const Certificate* certificate = new Certificate(TestPki::UnitCertificate("tftp-1"));
  return *certificate;
}

std::string Written(absl::string_view payload = kConfig,
                    const SignedFileOptions& options = Options()) {
  const auto bytes = WriteSignedFile(payload, options, Signer(), TestPki::UnitKey());
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value_or("");
}

struct Phone {
  PrivateKey key;
  Certificate certificate;
};
const Phone& SomePhone() {
  static const Phone* phone = [] {
    const PrivateKey key = *PrivateKey::GenerateRsa(1024);
    return new Phone{key, *MakeSelfSigned({.common_name = "CP-8861-SEP001122334455"}, key,
                                          TestPki::ValidFrom(), absl::Hours(1))};
  }();
  return *phone;
}

std::string Encrypted(absl::string_view payload = kConfig) {
  SignedFileOptions options = Options();
  options.name = "SEP001122334455.cnf.xml.enc.sgn";
  const auto bytes =
      WriteEncryptedFile(payload, options, Signer(), TestPki::UnitKey(), SomePhone().certificate);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value_or("");
}

absl::Status Check(std::string bytes, const Certificate& signer = Signer()) {
  const auto file = SignedFile::Parse(std::move(bytes));
  return file.ok() ? VerifySignedFile(*file, signer) : file.status();
}

std::string Element(uint8_t tag, absl::string_view value) {
  std::string out;
  EXPECT_TRUE(AppendTlv(tag, value, out).ok());
  return out;
}
std::string Text(uint8_t tag, absl::string_view value) {
  return Element(tag, absl::StrCat(value, absl::string_view("\0", 1)));
}

// A file by hand: `elements` between header length and signature, signed like a real one.
std::string ByHand(absl::string_view elements, absl::string_view pads = "\r\r\r") {
  const auto number = [](size_t value) {
    return std::string{static_cast<char>(value >> 8), static_cast<char>(value)};
  };
  const std::string front =
      absl::StrCat(Element(1, absl::string_view("\x01\x00", 2)),
                   Element(2, number(10 + elements.size() + 3 + 256 + pads.size())), elements);
  const auto signature =
      SignRsa(SignatureDigest::kSha1, TestPki::UnitKey(), absl::StrCat(front, pads, kConfig));
  return absl::StrCat(front, Element(12, *signature), pads, kConfig);
}
std::string SignerElements() {
  return absl::StrCat(Text(4, Signer().subject()), Element(5, Signer().serial()),
                      Text(6, Signer().issuer()));
}

TEST(SignedFile, SaysWhatWasWrittenAndVerifies) {
  const std::string bytes = Written();
  const auto file = SignedFile::Parse(bytes);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->version_major, 1);
  EXPECT_EQ(file->version_minor, 0);
  EXPECT_EQ(file->signer_name, "CN=tftp-1;OU=voice;O=example");
  EXPECT_EQ(file->issuer_name, Signer().issuer());
  EXPECT_EQ(file->serial, Signer().serial());
  EXPECT_EQ(file->digest_code, 1);
  EXPECT_EQ(file->modulus_code, 2);
  EXPECT_EQ(file->file_name, "SEP001122334455.cnf.xml.sgn");
  EXPECT_EQ(file->timestamp, TestPki::SomeTime());
  EXPECT_FALSE(file->encryption.has_value());
  EXPECT_EQ(file->header_length() % 4, 0u);
  EXPECT_EQ(file->signature().size(), 256u);
  EXPECT_EQ(file->payload(), kConfig);
  EXPECT_EQ(file->bytes(), bytes);
  EXPECT_TRUE(VerifySignedFile(*file, Signer()).ok());
}

TEST(SignedFile, HeaderLengthsAreTheVendors) {
  // Names of 62 bytes with their NUL, serial of 16, stored name of 12: 333 padded to 336 for 1024
  // bits, 461 padded to 464 for 2048.
  SignedFileOptions options = Options();
  options.name = "ITLFile.tlv";
  for (const auto& [bits, length] : {std::pair(1024, 336u), std::pair(2048, 464u)}) {
    const PrivateKey key = *PrivateKey::GenerateRsa(bits);
    const Certificate signer = *MakeSelfSigned(
        {.common_name = std::string(43, 'x'), .organization = "example", .country = "DE"}, key,
        TestPki::ValidFrom(), absl::Hours(1));
    ASSERT_EQ(signer.subject().size() + 1, 62u);
    ASSERT_EQ(signer.serial().size(), 16u);
    const auto file = SignedFile::Parse(*WriteSignedFile("x", options, signer, key));
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(file->header_length(), length);
    EXPECT_TRUE(VerifySignedFile(*file, signer).ok());
  }
}

TEST(SignedFile, Sha512AndEmptyFilesAreSignedToo) {
  SignedFileOptions options = Options();
  options.digest = SignatureDigest::kSha512;
  const auto file = SignedFile::Parse(Written("", options));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->digest_code, 3);
  EXPECT_EQ(file->payload(), "");
  EXPECT_TRUE(VerifySignedFile(*file, Signer()).ok());
}

TEST(SignedFile, SameInputsMakeTheSameBytes) { EXPECT_EQ(Written(), Written()); }

TEST(SignedFile, KeysWithoutAPublishedCodeAreRefused) {
  const PrivateKey rsa3072 = *PrivateKey::GenerateRsa(3072);
  const PrivateKey ec = *PrivateKey::GenerateEcP256();
  for (const auto& [key, reason] : {std::pair(rsa3072, "3072 bits"), std::pair(ec, "not RSA")}) {
    const Certificate signer =
        *MakeSelfSigned({.common_name = "x"}, key, TestPki::ValidFrom(), absl::Hours(1));
    const auto bytes = WriteSignedFile(kConfig, Options(), signer, key);
    EXPECT_EQ(bytes.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(absl::StrContains(bytes.status().message(), reason)) << bytes.status();
  }
  EXPECT_EQ(*ModulusCode(64), 0);
  EXPECT_EQ(*ModulusCode(512), 3);
  EXPECT_FALSE(ModulusCode(384).ok());
}

TEST(SignedFile, WhatPhonesWouldRefuseIsNotWritten) {
  const auto code = [](const SignedFileOptions& options) {
    return WriteSignedFile(kConfig, options, Signer(), TestPki::UnitKey()).status().code();
  };
  for (const std::string& name : {std::string(), std::string("a/b.sgn"), std::string("a\0b", 3)}) {
    SignedFileOptions options = Options();
    options.name = name;
    EXPECT_EQ(code(options), absl::StatusCode::kInvalidArgument);
  }
  for (const int64_t seconds : {int64_t{-1}, int64_t{1} << 32}) {
    SignedFileOptions options = Options();
    options.timestamp = absl::FromUnixSeconds(seconds);
    EXPECT_EQ(code(options), absl::StatusCode::kInvalidArgument);
  }
  SignedFileOptions options = Options();
  options.digest = SignatureDigest::kSha256;
  EXPECT_EQ(code(options), absl::StatusCode::kInvalidArgument);
  options = Options();
  options.name.assign(70000, 'x');
  EXPECT_EQ(code(options), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(WriteSignedFile(kConfig, Options(), Signer(), SomePhone().key).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(SignedFile, EveryAlteredByteIsRefused) {
  const std::string good = Written();
  ASSERT_TRUE(Check(good).ok());
  for (size_t at = 0; at < good.size(); ++at) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ flip);
      ASSERT_FALSE(Check(bad).ok()) << "byte " << at << " ^ " << flip;
    }
  }
}

TEST(SignedFile, EveryTruncationAndEveryAdditionIsRefused) {
  const std::string good = Written();
  for (size_t size = 0; size < good.size(); ++size) {
    ASSERT_FALSE(Check(good.substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(Check(good + "\n").ok());
}

TEST(SignedFile, SignerIsKnownBySerialAndIssuerAndProvenByItsKey) {
  const Certificate other = TestPki::UnitCertificate("tftp-1");  // same name and key, other serial
  EXPECT_EQ(Check(Written(), other).code(), absl::StatusCode::kPermissionDenied);
  UnitOptions options;
  options.serial = Signer().serial();
  EXPECT_EQ(Check(Written(), TestPki::UnitCertificate("tftp-2", options)).code(),
            absl::StatusCode::kPermissionDenied);
  // The names and serial of the signer, another key behind them.
  const std::string forged = absl::StrCat(SignerElements(), Element(8, "\x01"));
  ASSERT_TRUE(Check(ByHand(forged)).ok()) << Check(ByHand(forged));
  std::string bytes = ByHand(forged);
  const auto file = SignedFile::Parse(bytes);
  const std::string wrong(256, '\x55');
  bytes.replace(bytes.find(std::string(file->signature())), 256, wrong);
  EXPECT_EQ(Check(bytes).code(), absl::StatusCode::kPermissionDenied);
}

TEST(SignedFile, StoredNameIsComparedWhenAskedFor) {
  const auto file = SignedFile::Parse(Written());
  SignedFileCheck check;
  check.expected_name = "SEP001122334455.cnf.xml.sgn";
  EXPECT_TRUE(VerifySignedFile(*file, Signer(), check).ok());
  check.expected_name = "SEP665544332211.cnf.xml.sgn";
  EXPECT_EQ(VerifySignedFile(*file, Signer(), check).code(), absl::StatusCode::kPermissionDenied);
}

TEST(SignedFile, Scenario42AnyOrderUnknownElementsAndPadsAreRead) {
  const std::string digest = Element(8, "\x01");
  const std::string reordered =
      absl::StrCat(Text(14, "x.sgn"), digest, Text(6, "O=example,OU=voice,CN=tftp-1"),
                   Element(99, "unknown"), Element(28, "\x01\x01"), Element(5, Signer().serial()),
                   Text(4, "O=example,OU=voice,CN=tftp-1"), Element(99, ""));
  for (const char* pads : {"", "\r", "\r\r", "\r\r\r"}) {
    const auto file = SignedFile::Parse(ByHand(reordered, pads));
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(file->signer_version, 0x0101);
    EXPECT_EQ(file->payload(), kConfig);
    EXPECT_TRUE(VerifySignedFile(*file, Signer()).ok()) << VerifySignedFile(*file, Signer());
  }
}

TEST(SignedFile, Scenario42BadElementsAreNamed) {
  const auto reason = [](absl::string_view elements) {
    return std::string(SignedFile::Parse(ByHand(elements)).status().message());
  };
  const std::string good = absl::StrCat(SignerElements(), Element(8, "\x01"));
  EXPECT_EQ(reason(SignerElements()), "not a signed file: the digest (element 8) is missing");
  EXPECT_EQ(reason(absl::StrCat(good, Element(5, "\x01"))),
            "not a signed file: element 5 comes twice");
  EXPECT_EQ(reason(absl::StrCat(good, Element(12, "x"))),
            "not a signed file: element 12 comes twice");
  EXPECT_TRUE(absl::StrContains(reason(absl::StrCat(good, Element(15, "xx"))), "4 expected"));
  EXPECT_TRUE(absl::StrContains(
      reason(absl::StrCat(good, Element(14, absl::string_view("a\0b", 3)))), "NUL inside"));
  EXPECT_TRUE(absl::StrContains(reason(absl::StrCat(SignerElements(), Element(8, ""))), "has 0"));
  EXPECT_TRUE(absl::StrContains(reason(absl::StrCat(good, "\x16\xff\xff")), "claims 65535 bytes"));
  EXPECT_TRUE(absl::StrContains(reason(absl::StrCat(good, "\x10\xff\xff")), "claims 65535 bytes"));
  EXPECT_TRUE(absl::StrContains(reason(absl::StrCat(good, Element(19, "x"))), "missing"));
}

TEST(SignedFile, Scenario42HeaderLengthBeyondTheFileOrWithinAnElementIsRefused) {
  const std::string good = Written();
  const size_t length = SignedFile::Parse(good)->header_length();
  for (size_t claimed = 0; claimed <= 0xffff; claimed += claimed < 2 * length ? 1 : 997) {
    if (claimed == length) continue;
    std::string bad = good;
    bad[8] = static_cast<char>(claimed >> 8);
    bad[9] = static_cast<char>(claimed);
    ASSERT_FALSE(Check(bad).ok()) << claimed;
  }
}

TEST(SignedFile, Scenario41SerialsAndNamesRoundTripExactly) {
  for (const std::string& serial :
       {std::string("\x01"), std::string("\x83\xe9\x01\x02"), "\xff" + std::string(19, '\x11')}) {
    UnitOptions options;
    options.serial = serial;
    options.subject = {{"CN", "\"SAST; Z\xc3\xbcrich"}, {"O", "Smith, Jones"}};
    const Certificate signer = TestPki::UnitCertificate("", options);
    const auto file =
        SignedFile::Parse(*WriteSignedFile(kConfig, Options(), signer, TestPki::UnitKey()));
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(file->serial, serial);
    EXPECT_EQ(file->signer_name, signer.subject());
    EXPECT_TRUE(VerifySignedFile(*file, signer).ok());
  }
}

TEST(SignedFile, DigestsNoPhoneAcceptsDoNotVerify) {
  for (const char* code : {"\x02", "\x04", "\xff"}) {
    const absl::Status status = Check(ByHand(absl::StrCat(SignerElements(), Element(8, code))));
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
    EXPECT_TRUE(absl::StrContains(status.message(), "phones")) << status;
  }
}

TEST(EncryptedFile, OnlyThePhonesKeyOpensIt) {
  const std::string bytes = Encrypted();
  EXPECT_FALSE(absl::StrContains(bytes, "fullConfig"));
  const auto file = SignedFile::Parse(bytes);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->version_major, 2);
  ASSERT_TRUE(file->encryption.has_value());
  EXPECT_EQ(file->encryption->key_bits, 1024);
  EXPECT_EQ(file->encryption->iv.size(), 16u);
  EXPECT_TRUE(VerifySignedFile(*file, Signer()).ok());
  const auto content = DecryptSignedFile(*file, SomePhone().key);
  ASSERT_TRUE(content.ok()) << content.status();
  EXPECT_EQ(*content, kConfig);
  for (const PrivateKey& wrong :
       {TestPki::UnitKey(), *PrivateKey::GenerateRsa(1024), *PrivateKey::GenerateEcP256()}) {
    EXPECT_EQ(DecryptSignedFile(*file, wrong).status().code(), absl::StatusCode::kPermissionDenied);
  }
}

TEST(EncryptedFile, EveryLengthComesBack) {
  for (size_t size : {0, 1, 15, 16, 17, 31, 32, 5000}) {
    const std::string payload(size, '\r');  // the very bytes it is padded with
    const auto file = SignedFile::Parse(Encrypted(payload));
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(*DecryptSignedFile(*file, SomePhone().key), payload);
  }
}

TEST(EncryptedFile, TwoOfTheSameContentShareNothingSecret) {
  const auto a = SignedFile::Parse(Encrypted()), b = SignedFile::Parse(Encrypted());
  EXPECT_NE(a->payload(), b->payload());
  EXPECT_NE(a->encryption->iv, b->encryption->iv);
}

TEST(EncryptedFile, PhonesWithoutAnRsaKeyAreRefused) {
  const PrivateKey ec = *PrivateKey::GenerateEcP256();
  const Certificate phone =
      *MakeSelfSigned({.common_name = "x"}, ec, TestPki::ValidFrom(), absl::Hours(1));
  const auto bytes = WriteEncryptedFile(kConfig, Options(), Signer(), TestPki::UnitKey(), phone);
  EXPECT_EQ(bytes.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(EncryptedFile, PlainFilesAreNotDecrypted) {
  EXPECT_EQ(DecryptSignedFile(*SignedFile::Parse(Written()), SomePhone().key).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(EncryptedFile, EveryAlteredByteAndTruncationIsRefused) {
  const std::string good = Encrypted();
  ASSERT_TRUE(Check(good).ok());
  for (size_t size = 0; size < good.size(); ++size) {
    ASSERT_FALSE(Check(good.substr(0, size)).ok()) << size;
  }
  for (size_t at = 0; at < good.size(); ++at) {
    for (const int flip : {0x01, 0xff}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ flip);
      const auto file = SignedFile::Parse(bad);
      if (!file.ok()) continue;
      ASSERT_FALSE(VerifySignedFile(*file, Signer()).ok()) << at;
      // Decrypting what was not verified is unwise, and still within bounds.
      if (flip == 1 && file->encryption) {
        DecryptSignedFile(*file, SomePhone().key).status().IgnoreError();
      }
    }
  }
}

TEST(EncryptedFile, NoticeNamesTheCertificateItIsFor) {
  const std::string notice = *EncryptedConfigNotice(SomePhone().certificate);
  EXPECT_TRUE(absl::StrContains(notice, "<encrConfig>true</encrConfig>"));
  const size_t at = notice.find("<certHash>") + 10;
  EXPECT_EQ(notice.find("</certHash>") - at, 32u);
  EXPECT_NE(notice, *EncryptedConfigNotice(Signer()));
}

}  // namespace
}  // namespace trustline
