// Whom a list is signed by, what phones refuse, and that no altered byte goes unseen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "tests/fakes/list_certificates.h"
#include "tests/fakes/test_pki.h"
#include "trust/trust_list/list_crypto.h"
#include "trust/trust_list/list_verify.h"
#include "trust/trust_list/list_writer.h"

namespace trustline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ListCertificate;
using testing::ListKeyOfSize;

std::vector<ListProblemKind> Kinds(const ListVerdict& verdict) {
  std::vector<ListProblemKind> kinds;
  for (const ListProblem& problem : verdict.problems) kinds.push_back(problem.kind);
  return kinds;
}

TrustListRecord Record(const Certificate& certificate, ListRole role) {
  absl::StatusOr<TrustListRecord> record = MakeRecord(certificate, role, "node");
  EXPECT_TRUE(record.ok()) << record.status();
  return *record;
}

// A list as the writer would make it, but of any records: what it refuses to sign is signed here.
TrustList SignedAnyhow(const std::vector<TrustListRecord>& records, int bits, uint8_t digest = 1,
                       absl::string_view tail = "") {
  const Certificate signer = ListCertificate({bits, "signer"});
  TrustListDraft draft;
  draft.records = {Record(signer, ListRole::kSast)};
  absl::StatusOr<std::string> bytes = WriteTrustList(draft, signer, ListKeyOfSize(bits));
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  absl::StatusOr<TrustList> list = ParseTrustList(*bytes);
  list->bytes = bytes->substr(0, list->header.length);
  for (const TrustListRecord& record : records) list->bytes += *EncodeRecord(record);
  absl::StrAppend(&list->bytes, tail);
  for (const ListElement& element : list->header.elements)
    if (element.tag == kHeaderDigest) list->bytes[element.offset + 3] = static_cast<char>(digest);
  const SignatureDigest algorithm = digest == 3 ? SignatureDigest::kSha512 : SignatureDigest::kSha1;
  const std::string signature = *SignRsa(algorithm, ListKeyOfSize(bits), list->SignedBytes());
  for (const ListElement& element : list->header.elements) {
    if (element.tag == kHeaderSignature)
      list->bytes.replace(element.offset + kElementHead, signature.size(), signature);
  }
  absl::StatusOr<TrustList> again = ParseTrustList(list->bytes);
  EXPECT_TRUE(again.ok()) << again.status();
  return *again;
}
Certificate Signer(int bits = 1024) { return ListCertificate({bits, "signer"}); }

TEST(TrustListVerify, SignerIsFoundAmongTheSastRecords) {
  const TrustList list =
      SignedAnyhow({Record(ListCertificate({1024, "other"}), ListRole::kSast),
                    Record(Signer(), ListRole::kTftp), Record(Signer(), ListRole::kSast)},
                   1024);
  const ListVerdict verdict = VerifyTrustList(list);
  EXPECT_TRUE(verdict.verified());
  ASSERT_TRUE(verdict.signer_record);
  EXPECT_EQ(list.records[*verdict.signer_record].certificate, Signer().der());
  EXPECT_TRUE(list.records[*verdict.signer_record].Is(ListRole::kSast));
}

TEST(TrustListVerify, ASignerThatIsOnlyTftpIsNoSigner) {
  const ListVerdict verdict =
      VerifyTrustList(SignedAnyhow({Record(Signer(), ListRole::kTftp)}, 1024));
  EXPECT_THAT(Kinds(verdict), ElementsAre(ListProblemKind::kUnknownSigner));
  EXPECT_EQ(verdict.signer_record, std::nullopt);
}

TEST(TrustListVerify, SameSerialByAnotherIssuerIsAnotherCertificate) {
  const Certificate twin = ListCertificate({1024, "signer", "other-ca", Signer().serial()});
  EXPECT_THAT(Kinds(VerifyTrustList(SignedAnyhow({Record(twin, ListRole::kSast)}, 1024))),
              ElementsAre(ListProblemKind::kUnknownSigner));
}

TEST(TrustListVerify, AListWithoutRecordsHasNoSigner) {
  EXPECT_THAT(Kinds(VerifyTrustList(SignedAnyhow({}, 1024))),
              ElementsAre(ListProblemKind::kUnknownSigner));
}

TEST(TrustListVerify, ANamesakeWithAnotherKeyDidNotSign) {
  const Certificate namesake = ListCertificate({2048, "signer", "", Signer().serial()});
  EXPECT_THAT(Kinds(VerifyTrustList(SignedAnyhow({Record(namesake, ListRole::kSast)}, 1024))),
              ElementsAre(ListProblemKind::kAlgorithm));  // its modulus code is another already
  testing::UnitOptions same;
  same.subject = {{"CN", "signer"}};
  same.serial = Signer(2048).serial();
  const Certificate stranger = testing::TestPki::UnitCertificate("signer", same);
  EXPECT_THAT(Kinds(VerifyTrustList(SignedAnyhow({Record(stranger, ListRole::kSast)}, 2048))),
              ElementsAre(ListProblemKind::kSignature));
}

TEST(TrustListVerify, ARecordWithoutACertificateSignsByItsKey) {
  TrustListRecord bare = Record(Signer(), ListRole::kSast);
  bare.certificate.reset();
  EXPECT_TRUE(VerifyTrustList(SignedAnyhow({bare}, 1024)).verified());
  bare.public_key = "not a key";
  EXPECT_THAT(Kinds(VerifyTrustList(SignedAnyhow({bare}, 1024))),
              ElementsAre(ListProblemKind::kRecord));
  bare.public_key.reset();
  EXPECT_THAT(Kinds(VerifyTrustList(SignedAnyhow({bare}, 1024))),
              ElementsAre(ListProblemKind::kRecord));
}

TEST(TrustListVerify, ARecordThatContradictsItsCertificateIsAProblem) {
  TrustListRecord other_key = Record(ListCertificate({1024, "tvs"}), ListRole::kTvs);
  other_key.public_key = Record(ListCertificate({2048, "x"}), ListRole::kTvs).public_key;
  TrustListRecord other_serial = Record(ListCertificate({1024, "tvs"}), ListRole::kTvs);
  other_serial.serial = "\x01";
  TrustListRecord rubbish = Record(ListCertificate({1024, "tvs"}), ListRole::kTvs);
  rubbish.certificate = "rubbish";
  for (const TrustListRecord& bad : {other_key, other_serial, rubbish}) {
    const ListVerdict verdict =
        VerifyTrustList(SignedAnyhow({Record(Signer(), ListRole::kSast), bad}, 1024));
    ASSERT_THAT(Kinds(verdict), ElementsAre(ListProblemKind::kRecord));
    EXPECT_THAT(verdict.problems[0].text, HasSubstr("record 2: "));
  }
}

TEST(TrustListVerify, DigestsNoPhoneTakesAreRefused) {
  for (uint8_t digest : {0, 2, 4}) {
    EXPECT_THAT(
        Kinds(VerifyTrustList(SignedAnyhow({Record(Signer(), ListRole::kSast)}, 1024, digest))),
        ElementsAre(ListProblemKind::kAlgorithm));
  }
  EXPECT_TRUE(
      VerifyTrustList(SignedAnyhow({Record(Signer(), ListRole::kSast)}, 1024, 3)).verified());
}

TEST(TrustListVerify, MoreThanTwoSastAreRefused) {
  const TrustListRecord sast = Record(Signer(), ListRole::kSast);
  EXPECT_TRUE(VerifyTrustList(SignedAnyhow({sast, sast}, 1024)).verified());
  const ListVerdict verdict = VerifyTrustList(SignedAnyhow({sast, sast, sast}, 1024));
  EXPECT_THAT(Kinds(verdict), ElementsAre(ListProblemKind::kTooManySigners));
  EXPECT_TRUE(verdict.signer_record);
}

TEST(TrustListVerify, Scenario26ListsOverTheLimitsAreRefused) {
  const TrustListRecord sast = Record(Signer(), ListRole::kSast);
  std::vector<TrustListRecord> records(40, Record(Signer(), ListRole::kTvs));
  records[0] = sast;
  EXPECT_THAT(Kinds(VerifyTrustList(SignedAnyhow(records, 1024))),
              ElementsAre(ListProblemKind::kTooManyCertificates));
  records.pop_back();
  records.resize(45, MakeEmptyRecord(ListRole::kCcmTftp, "empty"));
  EXPECT_TRUE(VerifyTrustList(SignedAnyhow(records, 1024)).verified());

  const size_t small = SignedAnyhow({sast}, 1024).bytes.size();
  const auto padded = [&](size_t size) {
    return VerifyTrustList(SignedAnyhow({sast}, 1024, 1, std::string(size - small, '\r')));
  };
  EXPECT_TRUE(padded(65536).verified());
  EXPECT_THAT(Kinds(padded(65537)), ElementsAre(ListProblemKind::kTooLarge));
}

TEST(TrustListVerify, ASignerFromElsewhereIsComparedBySerialAndIssuer) {
  const TrustList list = SignedAnyhow({}, 1024);  // as after a rollback: no record at all
  EXPECT_TRUE(VerifyListSignature(list, Signer()).ok());
  EXPECT_TRUE(absl::IsNotFound(VerifyListSignature(list, ListCertificate({1024, "other"}))));
  EXPECT_TRUE(absl::IsNotFound(
      VerifyListSignature(list, ListCertificate({1024, "signer", "other-ca", Signer().serial()}))));
  TrustList tampered = list;
  tampered.bytes += "\r";
  EXPECT_TRUE(absl::IsPermissionDenied(VerifyListSignature(tampered, Signer())));
}

// What follows changes a good list at every place. Buffers have exactly their size, so that under
// a sanitizer a read past the end is a failure.
absl::StatusOr<TrustList> ParseExactly(absl::string_view bytes) {
  std::unique_ptr<char[]> copy(new char[bytes.size()]);
  std::copy(bytes.begin(), bytes.end(), copy.get());
  return ParseTrustList(absl::string_view(copy.get(), bytes.size()));
}
bool Accepted(absl::string_view bytes) {
  const absl::StatusOr<TrustList> list = ParseExactly(bytes);
  return list.ok() && VerifyTrustList(*list).verified();
}
std::string GoodList() {
  const Certificate tvs = ListCertificate({1024, "tvs"});
  TrustListDraft draft;
  draft.signer_version = ListVersion{1, 1};
  draft.timestamp = absl::FromUnixSeconds(1425667513);
  draft.records = {Record(Signer(), ListRole::kSast), Record(tvs, ListRole::kTvs),
                   MakeEmptyRecord(ListRole::kCcmTftp, "cucm-sub-one")};
  absl::StatusOr<std::string> bytes = WriteTrustList(draft, Signer(), ListKeyOfSize(1024));
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value_or("");
}

TEST(TrustListMutation, Scenario29NoAlteredByteVerifies) {
  const std::string good = GoodList();
  ASSERT_TRUE(Accepted(good));
  for (size_t at = 0; at < good.size(); ++at) {
    for (int flip : {0x01, 0x80, 0xff, static_cast<int>(static_cast<uint8_t>(good[at]))}) {
      if (flip == 0) continue;  // the last of them makes the byte zero
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ flip);
      ASSERT_FALSE(Accepted(bad)) << "byte " << at << " xor " << flip;
    }
  }
}

TEST(TrustListMutation, Scenario42NoValueOfAnyByteReadsOutOfBounds) {
  const std::string good = GoodList();
  size_t parsed = 0;
  for (size_t at = 0; at < good.size(); ++at) {
    for (int value : {0, 1, 2, 3, 4, 5, 7, 12, 13, 14, 28, 0x7f, 0x80, 0xfe, 0xff}) {
      std::string bad = good;
      bad[at] = static_cast<char>(value);
      const absl::StatusOr<TrustList> list = ParseExactly(bad);
      if (!list.ok()) {
        ASSERT_EQ(list.status().code(), absl::StatusCode::kInvalidArgument);
        continue;
      }
      ++parsed;
      size_t end = list->header.length;
      for (const TrustListRecord& record : list->records) {
        ASSERT_GE(record.offset, end);
        end = record.offset + record.length;
      }
      ASSERT_LE(end, bad.size());
      ASSERT_EQ(list->bytes, bad);
    }
  }
  EXPECT_GT(parsed, good.size());  // most bytes are inside values
}

TEST(TrustListMutation, Scenario42NoPairOfLengthBytesReadsOutOfBounds) {
  const std::string good = GoodList();
  for (size_t at = 0; at + 1 < good.size(); ++at) {
    for (const char* pair : {"\x00\x00", "\xff\xff", "\x00\x01", "\x7f\xff", "\x0d\x0d"}) {
      std::string bad = good;
      bad.replace(at, 2, pair, 2);
      const absl::StatusOr<TrustList> list = ParseExactly(bad);
      ASSERT_TRUE(list.ok() || absl::IsInvalidArgument(list.status()));
    }
  }
}

TEST(TrustListMutation, Scenario42EveryTruncationIsRefused) {
  const std::string good = GoodList();
  for (size_t size = 0; size < good.size(); ++size)
    ASSERT_FALSE(Accepted(good.substr(0, size))) << size;
  for (size_t size = 1; size < good.size(); ++size)
    ASSERT_FALSE(Accepted(good.substr(size))) << size;
}

TEST(TrustListMutation, AddedAndRemovedBytesDoNotVerify) {
  const std::string good = GoodList();
  for (size_t at = 0; at <= good.size(); ++at) {
    for (const char* extra : {"\r", "\x01"}) {
      std::string bad = good;
      bad.insert(at, extra);
      ASSERT_FALSE(Accepted(bad)) << at;
    }
    if (at == good.size()) break;
    std::string bad = good;
    bad.erase(at, 1);
    ASSERT_FALSE(Accepted(bad)) << at;
  }
}

}  // namespace
}  // namespace trustline
