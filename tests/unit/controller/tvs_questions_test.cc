// What `trustline tvs` asks, from files and words, and how the answer is told.
#include "controller/tvs_questions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "controller/render/tvs_output.h"
#include "tests/fakes/test_pki.h"
#include "tests/unit/controller/temp_files.h"
#include "trust/trust_list/list_writer.h"

namespace trustline::controller {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::TestPki;
using testing::UnitOptions;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

class TvsQuestionsTest : public ::testing::Test {
 protected:
  std::string List(const std::vector<TrustListRecord>& more) {
    TrustListDraft draft;
    draft.timestamp = TestPki::SomeTime();
    draft.records = {*MakeRecord(signer_, ListRole::kSast, "dst-pub", {})};
    draft.records.insert(draft.records.end(), more.begin(), more.end());
    const absl::StatusOr<std::string> bytes = WriteTrustList(draft, signer_, TestPki::UnitKey());
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    return files_.Write("ITLFile.tlv", *bytes);
  }

  TempFiles files_;
  const Certificate signer_ = TestPki::UnitCertificate("ITLRECOVERY_dst-pub");
  const Certificate tvs_ = TestPki::UnitCertificate("src-pub-tvs");
  const Certificate other_tvs_ = TestPki::UnitCertificate("src-sub1-tvs");
};

TEST_F(TvsQuestionsTest, ATrustListPinsEveryTvsItNamesAndNobodyElse) {
  const std::string list = List({*MakeRecord(tvs_, ListRole::kTvs, "src-pub", {}),
                                 *MakeRecord(other_tvs_, ListRole::kTvs, "src-sub1", {})});
  const absl::StatusOr<std::vector<Certificate>> pins = PinsOfTrustList(list);
  ASSERT_TRUE(pins.ok()) << pins.status();
  EXPECT_THAT(*pins, ElementsAre(tvs_, other_tvs_));
}

TEST_F(TvsQuestionsTest, AListWithoutTvsPinsNothing) {
  const std::string list = List({});
  const absl::Status status = PinsOfTrustList(list).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(Message(status), list + " names no Trust Verification Service");
}

TEST_F(TvsQuestionsTest, MissingAndForeignFilesAreNamed) {
  const std::string text = files_.Write("notes.txt", "hello\n");
  const std::string none = files_.Path("none.pem");
  for (const absl::Status& status : {PinsOfTrustList(none).status(), PinsOfFile(none).status(),
                                     QueryForFile(none).status(), VerifyForFile(none).status()}) {
    EXPECT_TRUE(absl::IsNotFound(status)) << status;
    EXPECT_THAT(Message(status), HasSubstr(none));
  }
  for (const absl::Status& status : {PinsOfTrustList(text).status(), PinsOfFile(text).status(),
                                     QueryForFile(text).status(), VerifyForFile(text).status()}) {
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(Message(status), HasSubstr(text));
  }
}

TEST_F(TvsQuestionsTest, OneCertificateIsAskedForAndSeveralMayBePinned) {
  const std::string two = files_.Write("two.pem", tvs_.ToPem() + signer_.ToPem());
  EXPECT_THAT(*PinsOfFile(two), ElementsAre(tvs_, signer_));
  EXPECT_EQ(Message(QueryForFile(two).status()), two + " holds 2 certificates; one is asked for");
  EXPECT_EQ(Message(VerifyForFile(two).status()), two + " holds 2 certificates; one is asked for");
  const TvsRequest query = QueryForFile(files_.Write("signer.pem", signer_.ToPem())).value();
  EXPECT_EQ(query.kind, TvsKind::kQuery);
  EXPECT_EQ(query.serial, signer_.serial());
  EXPECT_EQ(query.issuer, signer_.issuer());
  EXPECT_EQ(query.subject, signer_.subject());
  const TvsRequest verify = VerifyForFile(files_.Write("signer.der", signer_.der())).value();
  EXPECT_EQ(verify.kind, TvsKind::kVerify);
  EXPECT_EQ(verify.certificate, signer_.der());
}

TEST_F(TvsQuestionsTest, SerialsAreHexInTheFormsPeopleCopyThem) {
  EXPECT_EQ(QueryForNames("5a:0F:91", "CN=x", "")->serial, "\x5a\x0f\x91");
  EXPECT_EQ(QueryForNames("a0F91", "CN=x", "CN=y")->serial, "\x0a\x0f\x91");
  EXPECT_EQ(QueryForNames("a0F91", "CN=x", "CN=y")->issuer, "CN=x");
  EXPECT_EQ(QueryForNames("a0F91", "CN=x", "CN=y")->subject, "CN=y");
  for (const std::string& bad : {std::string(), std::string("zz"), std::string(":"),
                                 std::string("0x12"), std::string(129, 'a'), std::string("\n1")}) {
    const absl::Status status = QueryForNames(bad, "CN=x", "").status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << bad;
    EXPECT_THAT(Message(status), AllOf(HasSubstr("no serial number"), Not(HasSubstr("\n"))));
  }
}

TEST_F(TvsQuestionsTest, EveryRoleATrustListKnowsHasAWord) {
  EXPECT_EQ(*RoleOfWord("sast"), ListRole::kSast);
  EXPECT_EQ(*RoleOfWord("CCM"), ListRole::kCcm);
  EXPECT_EQ(*RoleOfWord("CCM+TFTP"), ListRole::kCcmTftp);
  EXPECT_EQ(*RoleOfWord("tftp"), ListRole::kTftp);
  EXPECT_EQ(*RoleOfWord("capf"), ListRole::kCapf);
  EXPECT_EQ(*RoleOfWord("app-server"), ListRole::kAppServer);
  EXPECT_EQ(*RoleOfWord("tvs"), ListRole::kTvs);
  EXPECT_EQ(Message(RoleOfWord("boss").status()),
            "'boss' is no role: sast, ccm, ccm+tftp, tftp, capf, tvs or app-server");
}

TvsAnswer Answer(const Certificate& presented) {
  return {{}, presented, "", "", "TLSv1.3 TLS_AES_256_GCM_SHA384"};
}

TEST_F(TvsQuestionsTest, AnAnswerShowsRolesNobodyNamedAndACertificateThatHasExpired) {
  UnitOptions old;
  old.not_after = absl::FromCivil(absl::CivilDay(2024, 1, 1), absl::UTCTimeZone());
  TvsAnswer answer = Answer(TestPki::UnitCertificate("src-pub-tvs", old));
  answer.reply.certificate = signer_.der();
  answer.reply.roles = {0, 200};
  answer.reply.ttl = absl::Seconds(90);
  const TvsRequest request = QueryForNames(signer_.serial_hex(), signer_.issuer(), "").value();
  const TvsAddress server{"192.0.2.1", 2445};
  const std::string text = TvsAnswerText(server, request, answer, TestPki::SomeTime());
  EXPECT_THAT(text, HasSubstr("answer       found\n"));
  EXPECT_THAT(text, HasSubstr("roles        System Administrator Security Token, role 200\n"));
  EXPECT_THAT(text, HasSubstr("keep for     1m30s\n"));
  EXPECT_THAT(text, HasSubstr("EXPIRED on 2024-01-01 (TLSv1.3"));
  const auto json = nlohmann::json::parse(TvsAnswerJson(server, request, answer));
  EXPECT_EQ(json["roles"][1]["number"], 200);
  EXPECT_EQ(json["ttl_seconds"], 90);
  EXPECT_EQ(json["certificate"]["serial"], signer_.serial_hex());
}

TEST_F(TvsQuestionsTest, AnAnswerThatKnowsNothingRepeatsWhatWasAsked) {
  TvsAnswer answer = Answer(tvs_);
  answer.reply.status = 1;
  const TvsRequest request = QueryForNames("5a0f", "CN=\x1b[31mred", "").value();
  const TvsAddress server{"192.0.2.1", 2445};
  const std::string text = TvsAnswerText(server, request, answer, TestPki::SomeTime());
  EXPECT_THAT(text, AllOf(HasSubstr("answer       NOT FOUND\n"), HasSubstr("serial       5A0F\n"),
                          Not(HasSubstr("\x1b")), Not(HasSubstr("roles"))));
  answer.reply.status = 7;
  EXPECT_THAT(TvsAnswerText(server, request, answer, TestPki::SomeTime()),
              HasSubstr("NOT FOUND (status 7)"));
  EXPECT_TRUE(
      nlohmann::json::parse(TvsAnswerJson(server, request, answer))["certificate"].is_null());
}

TEST(HexDump, SixteenBytesALine) {
  EXPECT_EQ(HexDump("sent", std::string(17, '\xab')),
            "sent, 17 bytes\n"
            "  0000  ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab\n"
            "  0010  ab\n");
  EXPECT_EQ(HexDump("sent", ""), "sent, 0 bytes\n");
}

}  // namespace
}  // namespace trustline::controller
