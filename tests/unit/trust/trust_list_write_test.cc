// Writing lists: the golden lengths of published dumps, the vendor's order, what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tests/fakes/list_certificates.h"
#include "tests/fakes/test_pki.h"
#include "trust/trust_list/list_crypto.h"
#include "trust/trust_list/list_verify.h"
#include "trust/trust_list/list_writer.h"

namespace trustline {
namespace {

using testing::CommonNameOfSize;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ListCertificate;
using testing::ListKeyOfSize;

constexpr std::array<uint8_t, 4> kAddress = {192, 0, 2, 11};
const absl::Time kWritten = absl::FromUnixSeconds(1425667513);

std::string Dns(size_t size) { return std::string(size - 1, 'h'); }  // the NUL counts

TrustListRecord Record(const Certificate& certificate, ListRole role, size_t dns_size) {
  absl::StatusOr<TrustListRecord> record = MakeRecord(certificate, role, Dns(dns_size), kAddress);
  EXPECT_TRUE(record.ok()) << record.status();
  return *record;
}

size_t SizeOf(const TrustListRecord& record) {
  absl::StatusOr<std::string> bytes = EncodeRecord(record);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.ok() ? bytes->size() : 0;
}

// The nodes and tokens of the published dumps, by the lengths printed there.
Certificate Node(int bits) {
  return ListCertificate({bits, CommonNameOfSize(62), "", "", bits == 1024 ? 694u : 955u});
}
Certificate OtherNode() { return ListCertificate({1024, CommonNameOfSize(63), "", "", 696}); }
Certificate Capf() { return ListCertificate({1024, CommonNameOfSize(60), "", "", 680}); }
Certificate Token(char name) {
  return ListCertificate({1024, CommonNameOfSize(56, name), CommonNameOfSize(42, 'i'),
                          absl::HexStringToBytes("83E90000000000000001"), 902});
}
TrustListRecord TokenRecord(char name) {
  TrustListRecord record = Record(Token(name), ListRole::kSast, 1);
  record.certificate_signature.reset();
  return record;
}
TrustListRecord BareCapfRecord() {
  TrustListRecord record = Record(Capf(), ListRole::kCapf, 13);
  record.certificate_signature.reset();
  return record;
}

TrustListDraft Draft(std::vector<TrustListRecord> records) {
  TrustListDraft draft;
  draft.file_name = kCtlFileName;
  draft.timestamp = kWritten;
  draft.records = std::move(records);
  return draft;
}

TrustList Written(const TrustListDraft& draft, const Certificate& signer, const PrivateKey& key) {
  absl::StatusOr<std::string> bytes = WriteTrustList(draft, signer, key);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  absl::StatusOr<TrustList> list = ParseTrustList(bytes.value_or(""));
  EXPECT_TRUE(list.ok()) << list.status();
  return list.value_or(TrustList());
}

TEST(TrustListGoldenLengths, RecordsOfPublishedDumps) {
  EXPECT_EQ(SizeOf(Record(Node(1024), ListRole::kSast, 16)), 1156);
  EXPECT_EQ(SizeOf(Record(Capf(), ListRole::kCapf, 16)), 1138);
  EXPECT_EQ(SizeOf(Record(OtherNode(), ListRole::kCcmTftp, 17)), 1161);
  EXPECT_EQ(SizeOf(TokenRecord('a')), 1186);
  EXPECT_EQ(SizeOf(BareCapfRecord()), 1004);
  EXPECT_EQ(SizeOf(MakeEmptyRecord(ListRole::kCcmTftp, Dns(13), kAddress)), 33);
  EXPECT_EQ(SizeOf(Record(Node(2048), ListRole::kSast, 16)), 1675);
}

TEST(TrustListGoldenLengths, FileOfThreeNodesWith1024BitSigner) {
  const TrustList list = Written(
      Draft({Record(Node(1024), ListRole::kSast, 16), Record(Node(1024), ListRole::kCcmTftp, 16),
             Record(Capf(), ListRole::kCapf, 16), Record(OtherNode(), ListRole::kCcmTftp, 17)}),
      Node(1024), ListKeyOfSize(1024));
  EXPECT_EQ(list.header.length, 336);
  EXPECT_EQ(list.bytes.size(), 4947);
  EXPECT_EQ(list.bytes.substr(333, 3), "\r\r\r");
}

TEST(TrustListGoldenLengths, FileOfTwoTokensAndEmptyNodes) {
  const TrustList list =
      Written(Draft({TokenRecord('a'), TokenRecord('b'),
                     MakeEmptyRecord(ListRole::kCcmTftp, Dns(13), kAddress), BareCapfRecord(),
                     MakeEmptyRecord(ListRole::kCcmTftp, Dns(13), kAddress)}),
              Token('a'), ListKeyOfSize(1024));
  EXPECT_EQ(list.header.length, 304);
  EXPECT_EQ(list.bytes.size(), 3746);
}

TEST(TrustListGoldenLengths, FileWith2048BitSigner) {
  const TrustList list = Written(
      Draft({Record(Node(2048), ListRole::kSast, 16), Record(Node(2048), ListRole::kCcmTftp, 16),
             Record(Capf(), ListRole::kCapf, 16), Record(OtherNode(), ListRole::kCcmTftp, 17)}),
      Node(2048), ListKeyOfSize(2048));
  EXPECT_EQ(list.header.length, 464);
  EXPECT_EQ(list.bytes.size(), 6113);
}

TEST(TrustListWriter, HeaderIsInTheVendorsOrder) {
  TrustListDraft draft = Draft({Record(Node(2048), ListRole::kSast, 16)});
  draft.signer_version = ListVersion{1, 1};
  const TrustList list = Written(draft, Node(2048), ListKeyOfSize(2048));
  std::vector<int> tags, record_tags;
  for (const ListElement& element : list.header.elements) tags.push_back(element.tag);
  for (const ListElement& element : list.records[0].elements) record_tags.push_back(element.tag);
  EXPECT_THAT(tags, ElementsAre(1, 2, 28, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15));
  EXPECT_THAT(record_tags, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
  EXPECT_EQ(list.header.file_name, "CTLFile.tlv");
  EXPECT_EQ(list.header.timestamp, 1425667513);
  EXPECT_EQ(list.header.version, (ListVersion{1, 2}));
  EXPECT_EQ(list.header.length % 4, 0);
}

TEST(TrustListWriter, WhatIsWrittenIsReadBack) {
  const Certificate signer = testing::TestPki::UnitCertificate("itlrecovery");
  TrustListDraft draft;
  draft.timestamp = kWritten;
  draft.records = {*MakeRecord(signer, ListRole::kSast, "pub.example", kAddress),
                   *MakeRecord(signer, ListRole::kTvs, "", {})};
  const TrustList list = Written(draft, signer, testing::TestPki::UnitKey());
  EXPECT_FALSE(list.IsCtl());
  EXPECT_EQ(list.header.signer_name, "CN=itlrecovery;OU=voice;O=example");
  EXPECT_EQ(list.header.signer_issuer, signer.issuer());
  EXPECT_EQ(list.header.signer_serial, signer.serial());
  ASSERT_EQ(list.records.size(), 2);
  const TrustListRecord& record = list.records[0];
  EXPECT_EQ(record.dns_name, "pub.example");
  EXPECT_EQ(record.subject, signer.subject());
  EXPECT_EQ(record.certificate, signer.der());
  EXPECT_EQ(record.certificate_signature, SignatureInside(signer));
  EXPECT_EQ(record.public_key->size(), 270);
  EXPECT_EQ(record.address, kAddress);
  EXPECT_TRUE(record.Is(ListRole::kSast));
  EXPECT_EQ(list.records[1].dns_name, "");
}

TEST(TrustListWriter, EverySizeWithACodeAndBothDigestsSign) {
  for (int bits : {1024, 2048, 4096}) {
    for (SignatureDigest digest : {SignatureDigest::kSha1, SignatureDigest::kSha512}) {
      const Certificate signer = ListCertificate({bits, "signer"});
      TrustListDraft draft = Draft({Record(signer, ListRole::kSast, 8)});
      draft.digest = digest;
      const TrustList list = Written(draft, signer, ListKeyOfSize(bits));
      EXPECT_TRUE(VerifyTrustList(list).verified()) << bits;
      EXPECT_EQ(list.header.digest, static_cast<uint8_t>(digest));
      EXPECT_EQ(list.header.modulus, bits == 1024 ? 1 : bits == 2048 ? 2 : 3);
      EXPECT_EQ(list.header.signature.size(), bits / 8);
    }
  }
}

TEST(TrustListWriter, RefusesASizeWithoutAPublishedCode) {
  const Certificate signer = ListCertificate({3072, "signer"});
  const auto bytes =
      WriteTrustList(Draft({Record(signer, ListRole::kSast, 8)}), signer, ListKeyOfSize(3072));
  EXPECT_EQ(bytes.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(bytes.status().message()),
              HasSubstr("no code is published for an RSA key of 3072 bits"));
  // A record with such a key is no signature, and fine.
  const Certificate good = ListCertificate({2048, "good"});
  Written(Draft({Record(good, ListRole::kSast, 8), Record(signer, ListRole::kTvs, 8)}), good,
          ListKeyOfSize(2048));
}

TEST(TrustListWriter, RefusesSha256) {
  const Certificate signer = ListCertificate({2048, "signer"});
  TrustListDraft draft = Draft({Record(signer, ListRole::kSast, 8)});
  draft.digest = SignatureDigest::kSha256;
  EXPECT_EQ(WriteTrustList(draft, signer, ListKeyOfSize(2048)).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(TrustListWriter, RefusesASignerThatIsNoSastOrHasAnotherKey) {
  const Certificate signer = ListCertificate({2048, "signer"});
  const auto no_sast =
      WriteTrustList(Draft({Record(signer, ListRole::kTftp, 8)}), signer, ListKeyOfSize(2048));
  EXPECT_THAT(std::string(no_sast.status().message()), HasSubstr("no record with the role SAST"));
  const auto foreign = WriteTrustList(Draft({Record(signer, ListRole::kSast, 8)}), signer,
                                      testing::TestPki::UnitKey());
  EXPECT_THAT(std::string(foreign.status().message()), HasSubstr("does not belong"));
}

TEST(TrustListWriter, EcCertificatesAreRecordsButNotSigners) {
  const Certificate ec = testing::EcListCertificate("node-EC");
  const Certificate signer = ListCertificate({2048, "signer"});
  const TrustList list =
      Written(Draft({Record(signer, ListRole::kSast, 8), Record(ec, ListRole::kTftp, 8)}), signer,
              ListKeyOfSize(2048));
  EXPECT_EQ(list.records[1].public_key->size(), 65);  // an uncompressed P-256 point
  EXPECT_EQ(list.records[1].public_key->front(), 4);
  const auto key = PrivateKey::GenerateEcP256();
  EXPECT_EQ(SignRsa(SignatureDigest::kSha1, *key, "x").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(TrustListWriter, RefusesWhatDoesNotFitAnElement) {
  TrustListRecord record = MakeEmptyRecord(ListRole::kTvs, absl::string_view("a\0b", 3));
  EXPECT_THAT(std::string(EncodeRecord(record).status().message()), HasSubstr("NUL inside"));
  record = MakeEmptyRecord(ListRole::kTvs, "a");
  record.certificate = std::string(65536, 'c');
  EXPECT_FALSE(EncodeRecord(record).ok());
  record.certificate = std::string(65530, 'c');
  EXPECT_FALSE(EncodeRecord(record).ok());  // the element fits, the record does not
  record.certificate = "";
  EXPECT_FALSE(EncodeRecord(record).ok());
}

TEST(TrustListWriter, RefusesATimestampThatDoesNotFit) {
  const Certificate signer = ListCertificate({2048, "signer"});
  TrustListDraft draft = Draft({Record(signer, ListRole::kSast, 8)});
  draft.timestamp = absl::FromUnixSeconds(int64_t{1} << 32);
  EXPECT_FALSE(WriteTrustList(draft, signer, ListKeyOfSize(2048)).ok());
  draft.timestamp = absl::FromUnixSeconds(-1);
  EXPECT_FALSE(WriteTrustList(draft, signer, ListKeyOfSize(2048)).ok());
}

TEST(TrustListWriter, Scenario26MoreThan39CertificatesAreRefused) {
  const Certificate signer = ListCertificate({1024, "signer"});
  TrustListDraft draft = Draft({Record(signer, ListRole::kSast, 8)});
  while (draft.records.size() < 39) draft.records.push_back(Record(signer, ListRole::kTvs, 8));
  draft.records.push_back(MakeEmptyRecord(ListRole::kCcmTftp, "empty"));  // does not count
  Written(draft, signer, ListKeyOfSize(1024));
  draft.records.push_back(Record(signer, ListRole::kTvs, 8));
  const auto bytes = WriteTrustList(draft, signer, ListKeyOfSize(1024));
  EXPECT_EQ(bytes.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(bytes.status().message()), HasSubstr("40 certificates"));
}

TEST(TrustListWriter, Scenario26MoreThan64KilobytesAreRefused) {
  const Certificate signer = ListCertificate({2048, "signer"});
  TrustListDraft draft = Draft({Record(signer, ListRole::kSast, 8)});
  const Certificate big = ListCertificate({1024, "big", "", "", 4200});
  const size_t one = SizeOf(Record(big, ListRole::kTvs, 8));
  const size_t base = Written(draft, signer, ListKeyOfSize(2048)).bytes.size();
  for (size_t size = base; size + one <= 65536; size += one)
    draft.records.push_back(Record(big, ListRole::kTvs, 8));
  const TrustList largest = Written(draft, signer, ListKeyOfSize(2048));
  EXPECT_LE(largest.bytes.size(), 65536);
  draft.records.push_back(Record(big, ListRole::kTvs, 8));
  const auto bytes = WriteTrustList(draft, signer, ListKeyOfSize(2048));
  EXPECT_EQ(bytes.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(bytes.status().message()), HasSubstr("65536 at most"));
}

// 65536 / 1675: the vendor's two published limits are one.
TEST(TrustListWriter, Scenario26ThirtyNineOrdinaryRecordsAreWhatFits) {
  const size_t one = SizeOf(Record(Node(2048), ListRole::kTvs, 16));
  EXPECT_EQ(kMaxListBytes / one, kMaxListCertificates);
}

TEST(TrustListWriter, ListsThatDifferInTimeOnlyTellTheSame) {
  const Certificate signer = Node(1024);
  TrustListDraft draft = Draft({Record(signer, ListRole::kSast, 16)});
  const TrustList first = Written(draft, signer, ListKeyOfSize(1024));
  draft.timestamp += absl::Hours(24);
  const TrustList later = Written(draft, signer, ListKeyOfSize(1024));
  EXPECT_NE(first.bytes, later.bytes);
  EXPECT_NE(first.SignedBytes(), later.SignedBytes());
  EXPECT_EQ(first.TimelessBytes(), later.TimelessBytes());
  EXPECT_EQ(first.TimelessBytes().size(), first.SignedBytes().size());
  draft.file_name = kItlFileName;
  EXPECT_NE(Written(draft, signer, ListKeyOfSize(1024)).TimelessBytes(), first.TimelessBytes());
}

TEST(TrustListWriter, AListWithoutSignersIsSignedByOnePhonesKnowAlready) {
  const Certificate signer = Node(2048);
  TrustListDraft draft = Draft({Record(Capf(), ListRole::kCapf, 13)});
  EXPECT_TRUE(absl::IsInvalidArgument(WriteTrustList(draft, signer, ListKeyOfSize(2048)).status()));
  draft.without_signers = true;
  const TrustList empty = Written(draft, signer, ListKeyOfSize(2048));
  EXPECT_TRUE(VerifyListSignature(empty, signer).ok());
  EXPECT_FALSE(VerifyTrustList(empty).verified());
  draft.records.clear();
  EXPECT_THAT(Written(draft, signer, ListKeyOfSize(2048)).records, ::testing::IsEmpty());
  draft.records.push_back(Record(signer, ListRole::kSast, 16));
  EXPECT_THAT(WriteTrustList(draft, signer, ListKeyOfSize(2048)).status().message(),
              HasSubstr("has a record with the role SAST"));
}

}  // namespace
}  // namespace trustline
