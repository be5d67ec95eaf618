#include "controller/signed_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "controller/input_file.h"
#include "controller/render/signed_file_output.h"
#include "tests/fakes/test_pki.h"
#include "tests/unit/controller/temp_files.h"

namespace trustline::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using trustline::testing::TestPki;
using trustline::testing::UnitOptions;

constexpr char kConfig[] = "<device/>\n";

std::string Content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

mode_t Mode(const std::string& path) {
  struct stat info = {};
  EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 0777;
}

class SignedFilesTest : public ::testing::Test {
 protected:
  SignedFilesTest() {
    request_.file = files_.Write("SEP1.cnf.xml", kConfig);
    request_.certificate_file = files_.Write("tftp.crt", signer_.ToPem());
    request_.key_file = Key("tftp.key", TestPki::UnitKey());
  }
  std::string Key(const std::string& name, const PrivateKey& key) {
    const std::string path = files_.Write(name, key.ToPkcs8Pem());
    EXPECT_EQ(chmod(path.c_str(), 0600), 0);
    return path;
  }
  void Sign() { ASSERT_TRUE(SignFile(request_, now_).ok()) << SignFile(request_, now_).status(); }
  // A phone with an RSA key.
  void ForAPhone() {
    const PrivateKey key = *PrivateKey::GenerateRsa(1024);
    phone_key_ = Key("phone.key", key);
    request_.phone_certificate_file = files_.Write(
        "phone.crt", MakeSelfSigned({.common_name = "SEP1"}, key, now_, absl::Hours(1))->ToPem());
  }
  StripRequest ToStrip(const std::string& name) const {
    StripRequest strip;
    strip.file = files_.Path(name);
    strip.certificate_files = {request_.certificate_file};
    strip.out_file = files_.Path("out.xml");
    return strip;
  }
  size_t FileCount() const {
    return std::distance(std::filesystem::directory_iterator(files_.directory()), {});
  }

  const TempFiles files_;
  const absl::Time now_ = TestPki::SomeTime();
  const Certificate signer_ = TestPki::UnitCertificate("tftp-1");
  SignRequest request_;
  std::string phone_key_;
};

TEST_F(SignedFilesTest, SignedFileStandsBesideItsSourceAndStripsBackToIt) {
  const auto written = SignFile(request_, now_);
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_THAT(*written, ElementsAre(files_.Path("SEP1.cnf.xml.sgn")));
  EXPECT_EQ(Mode(written->front()), 0644u);
  const auto file = ReadSignedFile(written->front());
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->file_name, "SEP1.cnf.xml.sgn");
  EXPECT_EQ(file->timestamp, now_);
  const auto stripped = StripFile(ToStrip("SEP1.cnf.xml.sgn"));
  ASSERT_TRUE(stripped.ok()) << stripped.status();
  EXPECT_EQ(stripped->signer, signer_);
  EXPECT_EQ(Content(files_.Path("out.xml")), kConfig);
}

TEST_F(SignedFilesTest, NothingIsReplacedUnlessAskedFor) {
  Sign();
  request_.digest = "sha512";
  EXPECT_EQ(SignFile(request_, now_).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReadSignedFile(files_.Path("SEP1.cnf.xml.sgn"))->digest_code, 1);
  request_.replace = true;
  Sign();
  EXPECT_EQ(ReadSignedFile(files_.Path("SEP1.cnf.xml.sgn"))->digest_code, 3);
  // Stripping beside the source would write the source.
  StripRequest strip = ToStrip("SEP1.cnf.xml.sgn");
  strip.out_file.clear();
  EXPECT_EQ(StripFile(strip).status().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(SignedFilesTest, StripWritesNothingWhenTheSignatureIsWrong) {
  Sign();
  const std::string path = files_.Path("SEP1.cnf.xml.sgn");
  std::string bytes = Content(path);
  bytes.back() ^= 1;
  files_.Write("SEP1.cnf.xml.sgn", bytes);
  const size_t before = FileCount();
  const auto stripped = StripFile(ToStrip("SEP1.cnf.xml.sgn"));
  EXPECT_EQ(stripped.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(stripped.status().message()), HasSubstr(path));
  EXPECT_EQ(FileCount(), before);
  // Without a certificate nothing is checked, and that is said.
  StripRequest unchecked = ToStrip("SEP1.cnf.xml.sgn");
  unchecked.certificate_files.clear();
  const auto anyway = StripFile(unchecked);
  ASSERT_TRUE(anyway.ok()) << anyway.status();
  EXPECT_FALSE(anyway->signer.has_value());
  EXPECT_THAT(StripResultJson(*anyway), HasSubstr("\"verified\": null"));
}

TEST_F(SignedFilesTest, EncryptedFileNeedsThePhonesKeyAndStaysSecret) {
  ForAPhone();
  request_.notice = true;
  const auto written = SignFile(request_, now_);
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_THAT(*written,
              ElementsAre(files_.Path("SEP1.cnf.xml.enc.sgn"), files_.Path("SEP1.cnf.xml.sgn")));
  const auto notice = ReadSignedFile(written->back());
  ASSERT_TRUE(notice.ok()) << notice.status();
  EXPECT_EQ(notice->file_name, "SEP1.cnf.xml.sgn");
  EXPECT_TRUE(VerifySignedFile(*notice, signer_).ok());
  EXPECT_TRUE(absl::StrContains(notice->payload(), "<encrConfig>true"));

  StripRequest strip = ToStrip("SEP1.cnf.xml.enc.sgn");
  EXPECT_EQ(StripFile(strip).status().code(), absl::StatusCode::kFailedPrecondition);
  strip.phone_key_file = request_.key_file;
  EXPECT_EQ(StripFile(strip).status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_FALSE(std::filesystem::exists(strip.out_file));
  strip.phone_key_file = phone_key_;
  ASSERT_TRUE(StripFile(strip).ok()) << StripFile(strip).status();
  EXPECT_EQ(Content(strip.out_file), kConfig);
  EXPECT_EQ(Mode(strip.out_file), 0600u);
}

TEST_F(SignedFilesTest, WhatGoesWrongWhileSigningLeavesNoFile) {
  ForAPhone();
  request_.notice = true;
  files_.Write("SEP1.cnf.xml.sgn", "somebody else's");  // where the notice would go
  const size_t before = FileCount();
  EXPECT_EQ(SignFile(request_, now_).status().code(), absl::StatusCode::kAlreadyExists);
  request_.out_file = files_.Path("x.sgn");  // would be the notice's name too
  EXPECT_EQ(SignFile(request_, now_).status().code(), absl::StatusCode::kInvalidArgument);
  request_ = SignRequest(request_);
  request_.phone_certificate_file.clear();
  EXPECT_EQ(SignFile(request_, now_).status().code(), absl::StatusCode::kInvalidArgument);
  request_.notice = false;
  request_.key_file = phone_key_;
  const absl::Status mismatch = SignFile(request_, now_).status();
  EXPECT_EQ(mismatch.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(mismatch.message()),
            phone_key_ + " is not the key of " + request_.certificate_file);
  EXPECT_EQ(FileCount(), before);
}

TEST_F(SignedFilesTest, KeyThatOthersCanReadIsRefused) {
  ASSERT_EQ(chmod(request_.key_file.c_str(), 0644), 0);
  const auto written = SignFile(request_, now_);
  EXPECT_EQ(written.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(written.status().message()), HasSubstr("chmod 600"));
}

TEST_F(SignedFilesTest, SignerIsFoundAmongSeveralCertificates) {
  Sign();
  const auto file = ReadSignedFile(files_.Path("SEP1.cnf.xml.sgn"));
  const Certificate other = TestPki::UnitCertificate("tftp-2");
  const auto found = FindSigner(*file, {other, signer_}, {});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(*found, signer_);
  EXPECT_EQ(FindSigner(*file, {other}, {}).status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(FindSigner(*file, {}, {}).status().code(), absl::StatusCode::kPermissionDenied);
  SignedFileCheck check;
  check.expected_name = "SEP2.cnf.xml.sgn";
  // The reason is the named signer's, not that the other is another.
  EXPECT_THAT(std::string(FindSigner(*file, {other, signer_}, check).status().message()),
              HasSubstr("SEP2"));
}

TEST_F(SignedFilesTest, CertificatesAreReadFromPemAndDer) {
  const std::string both =
      files_.Write("both.pem", signer_.ToPem() + TestPki::UnitCertificate("tftp-2").ToPem());
  EXPECT_EQ(ReadCertificatesFile(both)->size(), 2u);
  EXPECT_EQ(ReadCertificatesFile(files_.Write("one.der", signer_.der()))->front(), signer_);
  for (const char* content :
       {"", "junk", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"}) {
    const auto none = ReadCertificatesFile(files_.Write("none", content));
    EXPECT_EQ(none.status().code(), absl::StatusCode::kInvalidArgument) << content;
    EXPECT_THAT(std::string(none.status().message()), HasSubstr(files_.Path("none")));
  }
  EXPECT_EQ(ReadCertificatesFile(files_.Path("missing")).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadInputFile(files_.directory(), 10).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadInputFile(both, 10).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SignedFilesTest, OutputSaysWhetherItWasVerified) {
  Sign();
  const auto file = ReadSignedFile(files_.Path("SEP1.cnf.xml.sgn"));
  EXPECT_THAT(SignedFileText("x", *file, std::nullopt), HasSubstr("not checked"));
  EXPECT_THAT(SignedFileJson("x", *file, std::nullopt), HasSubstr("\"verified\": null"));
  const SignerCheck good = absl::StatusOr<Certificate>(signer_);
  EXPECT_THAT(SignedFileText("x", *file, good), HasSubstr("yes, by CN=tftp-1"));
  EXPECT_THAT(SignedFileJson("x", *file, good), HasSubstr("\"verified\": true"));
  const SignerCheck bad = absl::StatusOr<Certificate>(absl::PermissionDeniedError("because"));
  EXPECT_THAT(SignedFileText("x", *file, bad), HasSubstr("NO: because"));
  EXPECT_THAT(SignedFileJson("x", *file, bad), HasSubstr("\"reason\": \"because\""));
}

TEST(PrintableText, ForeignBytesCannotReachTheTerminal) {
  EXPECT_EQ(PrintableText("CN=Z\xc3\xbcrich \xe6\x97\xa5"), "CN=Z\xc3\xbcrich \xe6\x97\xa5");
  EXPECT_EQ(PrintableText("a\x1b[31m\n\x7f"), "a\\x1b[31m\\x0a\\x7f");
  EXPECT_EQ(PrintableText("\xc2\x9b"
                          "2J\xff\xe6\x97"),
            "\\xc2\\x9b2J\\xff\\xe6\\x97");
  EXPECT_EQ(PrintableText(""), "");
}

}  // namespace
}  // namespace trustline::controller
