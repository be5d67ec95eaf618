// Trust lists on disk: built from PEM files, shown as the vendor shows them, and as JSON.
#include "controller/trust_list_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "controller/render/trust_list_text.h"
#include "tests/fakes/list_certificates.h"
#include "tests/unit/controller/temp_files.h"
#include "trust/trust_list/list_crypto.h"

namespace trustline::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::trustline::testing::ListCertificate;
using ::trustline::testing::ListKeyOfSize;

class TrustListFilesTest : public ::testing::Test {
 protected:
  TrustListFilesTest() {
    files_.Write("recovery.pem", ListCertificate({2048, "ITLRECOVERY_pub"}).ToPem());
    files_.Write("pub.pem", ListCertificate({1024, "pub.example"}).ToPem());
    files_.Write("tvs,1.pem", ListCertificate({1024, "pub-tvs"}).ToPem());
    WriteKey("recovery.key", 2048, 0600);
    request_.entries = {{ListRole::kSast, files_.Path("recovery.pem")},
                        {ListRole::kSast, files_.Path("pub.pem")},
                        {ListRole::kTftp, files_.Path("pub.pem") + ",address=192.0.2.11"},
                        {ListRole::kTvs, files_.Path("tvs,1.pem") + ",name=tvs.example"}};
    request_.key_file = files_.Path("recovery.key");
    request_.timestamp = absl::FromUnixSeconds(1425667513);
    request_.out_file = files_.Path("ITLFile.tlv");
  }
  void WriteKey(const std::string& name, int bits, mode_t mode) {
    chmod(files_.Write(name, ListKeyOfSize(bits).ToPkcs8Pem()).c_str(), mode);
  }
  bool Exists(const std::string& name) { return std::filesystem::exists(files_.Path(name)); }

  TempFiles files_;
  BuildRequest request_;
};

TEST_F(TrustListFilesTest, AListIsBuiltFromPemFilesAndVerifies) {
  const absl::StatusOr<TrustListFile> built = BuildTrustListFile(request_);
  ASSERT_TRUE(built.ok()) << built.status();
  const absl::StatusOr<TrustListFile> read = ReadTrustListFile(request_.out_file);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(VerifyTrustList(read->list).verified());
  EXPECT_EQ(VerifyTrustList(read->list).signer_record, 0);
  ASSERT_EQ(read->list.records.size(), 4);
  EXPECT_EQ(read->list.records[2].dns_name, "pub.example");
  EXPECT_EQ(read->list.records[2].address, (std::array<uint8_t, 4>{192, 0, 2, 11}));
  EXPECT_TRUE(read->list.records[3].Is(ListRole::kTvs));
  EXPECT_EQ(read->list.records[3].dns_name, "tvs.example");
  struct stat info;
  ASSERT_EQ(stat(request_.out_file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0644);
}

TEST_F(TrustListFilesTest, AFileThatIsThereIsNotReplaced) {
  files_.Write("ITLFile.tlv", "mine");
  EXPECT_TRUE(absl::IsAlreadyExists(BuildTrustListFile(request_).status()));
  EXPECT_EQ(std::filesystem::file_size(request_.out_file), 4);
}

TEST_F(TrustListFilesTest, TheKeyMustBelongToASastCertificate) {
  request_.entries.erase(request_.entries.begin());
  const absl::Status status = BuildTrustListFile(request_).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("of no certificate given by --sast"));
  EXPECT_FALSE(Exists("ITLFile.tlv"));
}

TEST_F(TrustListFilesTest, AKeyThatOthersMayReadIsNotUsed) {
  WriteKey("recovery.key", 2048, 0640);
  EXPECT_TRUE(absl::IsFailedPrecondition(BuildTrustListFile(request_).status()));
  EXPECT_FALSE(Exists("ITLFile.tlv"));
}

TEST_F(TrustListFilesTest, Scenario26FortyCertificatesAreRefusedAndNothingIsWritten) {
  while (request_.entries.size() < 40) request_.entries.push_back(request_.entries[3]);
  EXPECT_TRUE(absl::IsFailedPrecondition(BuildTrustListFile(request_).status()));
  EXPECT_FALSE(Exists("ITLFile.tlv"));
}

TEST_F(TrustListFilesTest, AThirdSastIsRefused) {
  request_.entries.push_back(request_.entries[1]);
  EXPECT_TRUE(absl::IsFailedPrecondition(BuildTrustListFile(request_).status()));
}

TEST_F(TrustListFilesTest, BadInputsAreNamed) {
  EXPECT_TRUE(absl::IsNotFound(ReadTrustListFile(files_.Path("none.tlv")).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ReadTrustListFile(files_.Path("pub.pem")).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ReadTrustListFile(files_.directory()).status()));
  request_.entries[3].text = files_.Path("pub.pem") + ",address=10.0.0";
  EXPECT_THAT(std::string(BuildTrustListFile(request_).status().message()),
              HasSubstr("\"10.0.0\" is not an IPv4 address"));
  request_.entries[3].text = files_.Path("none.pem");
  EXPECT_TRUE(absl::IsNotFound(BuildTrustListFile(request_).status()));
  request_.entries[3].text = files_.Path("recovery.key");
  const absl::Status key = BuildTrustListFile(request_).status();
  EXPECT_TRUE(absl::IsInvalidArgument(key)) << key;
  EXPECT_THAT(std::string(key.message()), HasSubstr("private key"));
}

TEST_F(TrustListFilesTest, TextIsInTheVendorsLayout) {
  request_.ctl = true;
  absl::StatusOr<TrustListFile> file = BuildTrustListFile(request_);
  ASSERT_TRUE(file.ok()) << file.status();
  file->modified = absl::FromUnixSeconds(1425667513);
  const std::string text = TrustListText(*file, VerifyTrustList(file->list));
  const std::string& bytes = file->list.bytes;
  EXPECT_THAT(text, HasSubstr(absl::StrCat(absl::BytesToHexString(Md5(bytes)), "(MD5)\n")));
  EXPECT_THAT(
      text, HasSubstr(absl::StrCat(absl::BytesToHexString(DigestOf(SignatureDigest::kSha1, bytes)),
                                   "(SHA1)")));
  EXPECT_THAT(text, HasSubstr(absl::StrCat("Length of CTL file: ", bytes.size(), "\n")));
  EXPECT_THAT(text, HasSubstr("last modified on 2015-03-06T18:45:13Z"));
  EXPECT_THAT(text, HasSubstr(absl::StrCat("HeaderLength:\t", file->list.header.length)));
  EXPECT_THAT(text, HasSubstr("8\tDIGESTALGORTITHM      \t1\t1 (SHA-1)\n"));
  EXPECT_THAT(text, HasSubstr("7\tSIGNATUREINFO         \t2\t15\n"));
  EXPECT_THAT(text, HasSubstr("14\tFILENAME              \t12\tCTLFile.tlv\n"));
  EXPECT_THAT(text, HasSubstr("\tCTL Record #:4\n"));
  EXPECT_THAT(text, HasSubstr("\tSystem Administrator Security Token\n"));
  EXPECT_THAT(text, HasSubstr("10\tIPADDRESS             \t4\n"));  // blank, as the vendor's
  EXPECT_THAT(text, HasSubstr("This etoken was used to sign the CTL file."));
  EXPECT_THAT(text, HasSubstr("This etoken was not used to sign the CTL file."));
  EXPECT_THAT(text, HasSubstr("The CTL file was verified successfully.\n"));
}

TEST_F(TrustListFilesTest, JsonSaysTheSame) {
  const absl::StatusOr<TrustListFile> file = BuildTrustListFile(request_);
  ASSERT_TRUE(file.ok()) << file.status();
  const auto json = nlohmann::json::parse(TrustListJson(*file, VerifyTrustList(file->list)));
  EXPECT_EQ(json["schema"], "trustline/1");
  EXPECT_EQ(json["kind"], "itl");
  EXPECT_EQ(json["verified"], true);
  EXPECT_EQ(json["signer_record"], 1);
  EXPECT_EQ(json["digest"], "SHA-1");
  EXPECT_EQ(json["timestamp"], "2015-03-06T18:45:13Z");
  EXPECT_EQ(json["records"].size(), 4);
  EXPECT_EQ(json["records"][2]["role_name"], "TFTP");
  EXPECT_EQ(json["records"][2]["address"], "192.0.2.11");
  EXPECT_EQ(json["problems"].size(), 0);
}

// Each of these lists verifies.
TEST_F(TrustListFilesTest, WhatALackingListWouldDoToPhonesIsWarnedOf) {
  const auto warnings = [&](const std::string& name, absl::Duration after = absl::ZeroDuration()) {
    request_.out_file = files_.Path(name);
    const absl::StatusOr<TrustListFile> file = BuildTrustListFile(request_);
    EXPECT_TRUE(file.ok()) << file.status();
    EXPECT_TRUE(VerifyTrustList(file->list).verified());
    return TrustListWarnings(*file, request_.timestamp + after);
  };
  const auto entries = request_.entries;
  // The test's certificates are of a later day than the list; none has expired.
  EXPECT_EQ(warnings("whole.tlv"), "");
  const std::string expired = warnings("old.tlv", absl::Hours(24 * 365 * 200));
  EXPECT_THAT(expired, HasSubstr(files_.Path("old.tlv") + ": warning: record 4 (TVS): the "
                                                          "certificate CN=pub-tvs"));
  EXPECT_THAT(expired, HasSubstr(" expired on 2"));
  request_.entries.resize(3);
  EXPECT_EQ(warnings("no-tvs.tlv"),
            files_.Path("no-tvs.tlv") +
                ": warning: no record of a TVS: phones could ask nobody and "
                "would be bound to this list for ever\n");
  request_.entries = {entries[0], entries[1], entries[3]};
  EXPECT_EQ(warnings("no-tftp.tlv"), files_.Path("no-tftp.tlv") +
                                         ": warning: no record of a TFTP server: phones would take "
                                         "no signed configuration\n");
  request_.ctl = true;
  request_.entries = {entries[0], entries[1], {ListRole::kCcmTftp, entries[2].text}};
  EXPECT_EQ(warnings("ctl.tlv"), "");
}

TEST_F(TrustListFilesTest, AnAlteredListSaysWhyItIsNotVerified) {
  absl::StatusOr<TrustListFile> file = BuildTrustListFile(request_);
  ASSERT_TRUE(file.ok()) << file.status();
  std::string bytes = file->list.bytes;
  bytes.back() ^= 1;
  const absl::StatusOr<TrustListFile> bad = ReadTrustListFile(files_.Write("bad.tlv", bytes));
  ASSERT_TRUE(bad.ok()) << bad.status();
  const ListVerdict verdict = VerifyTrustList(bad->list);
  EXPECT_THAT(TrustListText(*bad, verdict), HasSubstr("was not verified:\n  record 1, the signer"));
  EXPECT_THAT(TrustListVerdictText(*bad, verdict), HasSubstr("bad.tlv: record 1, the signer"));
  EXPECT_EQ(nlohmann::json::parse(TrustListJson(*bad, verdict))["problems"][0]["kind"],
            "signature");
}

TEST_F(TrustListFilesTest, ControlBytesAndBrokenUtf8DoNotReachTheScreen) {
  request_.entries[3].text = files_.Path("pub.pem") + ",name=\x1b[2Jevil\xff";
  const absl::StatusOr<TrustListFile> file = BuildTrustListFile(request_);
  ASSERT_TRUE(file.ok()) << file.status();
  const ListVerdict verdict = VerifyTrustList(file->list);
  EXPECT_THAT(TrustListText(*file, verdict), Not(HasSubstr("\x1b")));
  EXPECT_THAT(TrustListText(*file, verdict), HasSubstr("\\x1b[2Jevil"));
  EXPECT_FALSE(nlohmann::json::parse(TrustListJson(*file, verdict), nullptr, false).is_discarded());
}

}  // namespace
}  // namespace trustline::controller
