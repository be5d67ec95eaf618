// Reading lists that other writers made, and bytes that nobody meant as a list.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "tests/fakes/list_certificates.h"
#include "tests/fakes/test_pki.h"
#include "trust/trust_list/list_crypto.h"
#include "trust/trust_list/list_verify.h"
#include "trust/trust_list/list_writer.h"

namespace trustline {
namespace {

using ::testing::HasSubstr;
using testing::ListCertificate;
using testing::ListKeyOfSize;

std::string U16(size_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)};
}
std::string Element(uint8_t tag, absl::string_view value) {
  return absl::StrCat(std::string(1, static_cast<char>(tag)), U16(value.size()), value);
}
std::string Nul(absl::string_view text) { return absl::StrCat(text, std::string(1, '\0')); }
std::string Byte(int value) { return std::string(1, static_cast<char>(value)); }

// The elements after version and header length, in any order a test likes.
std::string File(absl::string_view version, const std::vector<std::string>& elements,
                 absl::string_view pads, absl::string_view records) {
  const std::string rest = absl::StrCat(absl::StrJoin(elements, ""), pads);
  return absl::StrCat(Element(1, version), Element(2, U16(10 + rest.size())), rest, records);
}
std::vector<std::string> Elements(absl::string_view signature = "signature") {
  return {
      Element(3, absl::StrCat(Element(4, Nul("CN=signer")), Element(5, "\x12\x34"),
                              Element(6, Nul("CN=signer")))),
      Element(7, absl::StrCat(Element(8, "\x01"), Element(9, absl::StrCat(Element(10, Byte(0)),
                                                                          Element(11, Byte(2)))))),
      Element(12, signature), Element(14, Nul("ITLFile.tlv")), Element(15, "\x55\x01\x02\x03")};
}
std::string Record(absl::string_view body) {
  return absl::StrCat(Element(1, U16(5 + body.size())), body);
}
std::string EmptyRecord() {
  return Record(absl::StrCat(Element(2, Nul("cucm-sub-one")), Element(4, U16(2)),
                             Element(10, "\xc0\x01\x02\x03")));
}
const char kVersion12[] = "\x01\x02";

// From a buffer of exactly its size on the heap, so that a sanitizer sees a byte too many.
absl::StatusOr<TrustList> ParseExactly(absl::string_view bytes) {
  std::unique_ptr<char[]> copy(new char[bytes.size()]);
  std::copy(bytes.begin(), bytes.end(), copy.get());
  return ParseTrustList(absl::string_view(copy.get(), bytes.size()));
}
std::string Refusal(absl::string_view bytes) {
  const absl::StatusOr<TrustList> list = ParseExactly(bytes);
  EXPECT_EQ(list.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(list.status().message());
}
TrustList Parsed(absl::string_view bytes) {
  absl::StatusOr<TrustList> list = ParseExactly(bytes);
  EXPECT_TRUE(list.ok()) << list.status();
  return list.value_or(TrustList());
}

TEST(TrustListParser, Scenario42EveryHeaderVersionIsRead) {
  for (int minor : {0, 1, 2}) {
    const TrustList list = Parsed(File(Byte(1) + Byte(minor), Elements(), "", EmptyRecord()));
    EXPECT_EQ(list.header.version.minor, minor);
  }
  EXPECT_THAT(Refusal(File(std::string("\x02\0", 2), Elements(), "", "")), HasSubstr("is 2.0"));
}

TEST(TrustListParser, Scenario42SignerVersionIsRead) {
  auto elements = Elements();
  EXPECT_EQ(Parsed(File(kVersion12, elements, "", "")).header.signer_version, std::nullopt);
  elements.insert(elements.begin(), Element(28, "\x01\x01"));
  EXPECT_EQ(Parsed(File(kVersion12, elements, "", "")).header.signer_version, (ListVersion{1, 1}));
}

TEST(TrustListParser, Scenario42UpToThreePadsAndMoreAreSkipped) {
  for (int pads = 0; pads <= 5; ++pads) {
    const TrustList list =
        Parsed(File(kVersion12, Elements(), std::string(pads, '\r'), EmptyRecord()));
    EXPECT_EQ(list.header.file_name, "ITLFile.tlv");
    EXPECT_EQ(list.records.size(), 1);
  }
  Parsed(File(kVersion12, Elements(), "", EmptyRecord() + "\r\r" + EmptyRecord() + "\r"));
}

TEST(TrustListParser, Scenario42EmptyRecordOf33BytesIsRead) {
  const TrustList list = Parsed(File(kVersion12, Elements(), "\r", EmptyRecord()));
  ASSERT_EQ(list.records.size(), 1);
  const TrustListRecord& record = list.records[0];
  EXPECT_EQ(record.length, 33);
  EXPECT_TRUE(record.IsEmpty());
  EXPECT_EQ(record.dns_name, "cucm-sub-one");
  EXPECT_TRUE(record.Is(ListRole::kCcmTftp));
  EXPECT_EQ(record.subject, std::nullopt);
  EXPECT_EQ(record.address, (std::array<uint8_t, 4>{192, 1, 2, 3}));
}

TEST(TrustListParser, Scenario42RecordsWithoutSignatureOrCertificateAreRead) {
  const std::string body = absl::StrCat(Element(3, Nul("CN=a")), Element(7, "key"));
  const TrustList list = Parsed(File(kVersion12, Elements(), "", Record(body) + Record("")));
  ASSERT_EQ(list.records.size(), 2);
  EXPECT_EQ(list.records[0].certificate, std::nullopt);
  EXPECT_EQ(list.records[0].certificate_signature, std::nullopt);
  EXPECT_EQ(list.records[0].public_key, "key");
  EXPECT_EQ(list.records[1].role, std::nullopt);
}

TEST(TrustListParser, Scenario42UnknownElementsAreSkippedEverywhere) {
  auto elements = Elements();
  elements.insert(elements.begin() + 1, Element(99, "future"));
  elements.push_back(Element(99, ""));  // even twice: nothing is known of it
  const std::string body =
      absl::StrCat(Element(200, "new"), Element(4, U16(21)), Element(11, "hash"), Element(12, "1"));
  const TrustList list = Parsed(
      File(kVersion12, elements, "", Element(77, "between") + Record(body) + Element(78, "after")));
  ASSERT_EQ(list.records.size(), 1);
  EXPECT_TRUE(list.records[0].Is(ListRole::kTvs));
  EXPECT_EQ(list.records[0].certificate_hash, "hash");
  EXPECT_EQ(list.records[0].elements[1].tag, 200);
}

TEST(TrustListParser, ElementsComeInAnyOrder) {
  auto elements = Elements();
  std::reverse(elements.begin(), elements.end());
  const std::string body =
      absl::StrCat(Element(10, "\x0a\x01\x01\x01"), Element(6, "\x01"), Element(5, Nul("CN=i")),
                   Element(3, Nul("CN=s")), Element(4, U16(0)));
  const TrustList list = Parsed(File(kVersion12, elements, "", Record(body)));
  EXPECT_EQ(list.header.signer_serial, "\x12\x34");
  EXPECT_EQ(list.header.signer_issuer, "CN=signer");
  EXPECT_EQ(list.header.modulus, 2);
  EXPECT_EQ(list.records[0].issuer, "CN=i");
  EXPECT_EQ(list.records[0].subject, "CN=s");
}

TEST(TrustListParser, SignedBytesAreTheFileWithoutTheSignature) {
  const std::string with = File(kVersion12, Elements("SIGNATURE"), "\r", EmptyRecord());
  const TrustList list = Parsed(with);
  EXPECT_EQ(list.bytes, with);
  EXPECT_EQ(list.SignedBytes(), absl::StrReplaceAll(with, {{Element(12, "SIGNATURE"), ""}}));
}

TEST(TrustListParser, Scenario42BadHeaderLengthsAreRefused) {
  std::string file = File(kVersion12, Elements(), "", EmptyRecord());
  for (size_t length : {size_t{0}, size_t{9}, file.size() + 1, size_t{0xffff}}) {
    file.replace(8, 2, U16(length));
    EXPECT_THAT(Refusal(file), HasSubstr("header length")) << length;
  }
  file.replace(8, 2, U16(10));
  EXPECT_THAT(Refusal(file), HasSubstr("header has no"));
}

TEST(TrustListParser, Scenario42BadRecordLengthsAreRefused) {
  for (size_t length : {0, 4, 34, 0xffff}) {
    std::string record = EmptyRecord();
    record.replace(3, 2, U16(length));
    EXPECT_THAT(Refusal(File(kVersion12, Elements(), "", record)), HasSubstr("record length"))
        << length;
  }
  // One byte short: the record's last element would reach over its end.
  std::string record = EmptyRecord();
  record.replace(3, 2, U16(32));
  EXPECT_THAT(Refusal(File(kVersion12, Elements(), "", record)), HasSubstr("element 10 "));
}

TEST(TrustListParser, Scenario42BadElementLengthsAreRefused) {
  const struct {
    std::string body;
    const char* why;
  } cases[] = {{Element(2, ""), "ends with its only NUL"},
               {Element(3, "CN=without"), "ends with its only NUL"},
               {Element(5, std::string("a\0b\0", 4)), "ends with its only NUL"},
               {Element(4, "\x01"), "has 1 bytes and needs 2"},
               {Element(4, ""), "has 0 bytes and needs 2"},
               {Element(6, ""), "is there and empty"},
               {Element(9, ""), "is there and empty"},
               {Element(10, "\x01\x02\x03"), "has 3 bytes and needs 4"},
               {std::string("\x09\xff\xff", 3) + "abc", "claims 65535 bytes where 3 are left"},
               {std::string("\x09\x00", 2), "cut off within its length"},
               {Element(1, U16(5)), "comes twice"},
               {Element(4, U16(0)) + Element(4, U16(2)), "comes twice"}};
  for (const auto& bad : cases) {
    EXPECT_THAT(Refusal(File(kVersion12, Elements(), "", Record(bad.body))), HasSubstr(bad.why));
  }
}

TEST(TrustListParser, Scenario42BadHeaderElementsAreRefused) {
  for (size_t missing : {0, 1, 2}) {
    auto elements = Elements();
    elements.erase(elements.begin() + missing);
    EXPECT_THAT(Refusal(File(kVersion12, elements, "", "")), HasSubstr("header has no"));
  }
  auto elements = Elements();
  elements.push_back(Element(12, "another"));
  EXPECT_THAT(Refusal(File(kVersion12, elements, "", "")), HasSubstr("comes twice"));
  // What a container holds must end where it ends.
  elements = Elements();
  elements[1].replace(1, 2, U16(14));
  EXPECT_THAT(Refusal(File(kVersion12, elements, "", "")), HasSubstr("SIGNATUREALGOINFO"));
  elements[1].replace(1, 2, U16(0));
  EXPECT_THAT(Refusal(File(kVersion12, elements, "", "")), HasSubstr("is empty"));
}

TEST(TrustListParser, WhatIsNoListIsRefused) {
  for (const std::string& bytes :
       {std::string(), std::string("\x01"), std::string("<device/>"), std::string(5000, '\0'),
        std::string(5000, '\xff'), std::string(5000, '\r')}) {
    EXPECT_THAT(Refusal(bytes), HasSubstr("not a trust list"));
  }
  EXPECT_THAT(Refusal(std::string((2 << 20) + 1, 'x')), HasSubstr("more than"));
  std::string records;
  for (int i = 0; i < 1001; ++i) records += Record("");
  EXPECT_THAT(Refusal(File(kVersion12, Elements(), "", records)), HasSubstr("1000 records"));
}

TEST(TrustListParser, CommaNamesVerifyAsSemicolonNamesDo) {
  const Certificate signer = ListCertificate({2048, "signer"});
  const PrivateKey& key = ListKeyOfSize(2048);
  const std::string name = Nul("O=example, with comma,OU=\"voice\",CN=signer");
  const std::string record = Record(absl::StrCat(
      Element(3, name), Element(5, name), Element(6, signer.serial()), Element(4, U16(0)),
      Element(9, signer.der())));  // neither key, signature, DNS name nor address
  auto elements = Elements();
  elements[0] = Element(3, Element(6, name) + Element(5, signer.serial()));
  elements.erase(elements.begin() + 2);
  const size_t full = 10 + absl::StrJoin(elements, "").size() + 3 + 256;
  std::string to_sign = File(kVersion12, elements, "", record);
  to_sign.replace(8, 2, U16(full));
  elements.push_back(Element(12, *SignRsa(SignatureDigest::kSha1, key, to_sign)));
  const TrustList list = Parsed(File(kVersion12, elements, "", record));
  const ListVerdict verdict = VerifyTrustList(list);
  EXPECT_TRUE(verdict.verified()) << (verdict.verified() ? "" : verdict.problems[0].text);
  EXPECT_EQ(list.header.signer_name, std::nullopt);
}

TEST(TrustListParser, Scenario41SerialsOfEveryLengthSurvive) {
  for (const char* hex : {"83E90000000000000001", "01", "7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
                          "FF00000000000000000000000000000000000000"}) {
    const std::string serial = absl::HexStringToBytes(hex);
    const Certificate signer = ListCertificate({2048, "signer", "", serial});
    TrustListDraft draft;
    draft.records = {*MakeRecord(signer, ListRole::kSast, "a")};
    const auto bytes = WriteTrustList(draft, signer, ListKeyOfSize(2048));
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    const TrustList list = Parsed(*bytes);
    EXPECT_EQ(list.header.signer_serial, serial);
    EXPECT_EQ(list.records[0].serial, serial);
    EXPECT_EQ(VerifyTrustList(list).signer_record, 0);
    EXPECT_TRUE(VerifyListSignature(list, signer).ok());
  }
}

TEST(TrustListParser, Scenario41NamesWithPunctuationAndUtf8Survive) {
  for (const char* name : {"Smith, Jones & Co", "quoted \"voice\"", "Zürich – Süd 電話",
                           "cn=\"SAST-ADN0054f509", "semi;colon", "back\\slash"}) {
    testing::UnitOptions options;
    options.subject = {{"C", "CH"}, {"O", name}, {"CN", "signer"}};
    const Certificate signer = testing::TestPki::UnitCertificate("signer", options);
    TrustListDraft draft;
    draft.records = {*MakeRecord(signer, ListRole::kSast, name)};
    const auto bytes = WriteTrustList(draft, signer, testing::TestPki::UnitKey());
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    const TrustList list = Parsed(*bytes);
    EXPECT_EQ(list.header.signer_name, signer.subject());
    EXPECT_EQ(list.records[0].subject, signer.subject());
    EXPECT_EQ(list.records[0].dns_name, name);
    EXPECT_TRUE(VerifyTrustList(list).verified());
    // Written again from what was read: the same bytes.
    EXPECT_EQ(*EncodeRecord(list.records[0]), bytes->substr(list.header.length));
  }
}

TEST(TrustListParser, SerialsAreComparedWithoutLeadingZeros) {
  EXPECT_TRUE(SameSerial(std::string("\0\x83", 2), "\x83"));
  EXPECT_TRUE(SameSerial(std::string("\0\0", 2), std::string("\0", 1)));
  EXPECT_FALSE(SameSerial("\x83", "\x84"));
  EXPECT_FALSE(SameSerial("", std::string("\0", 1)));
}

}  // namespace
}  // namespace trustline
