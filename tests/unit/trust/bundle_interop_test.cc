// What we write, the openssl command reads; what it writes, we read.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/fakes/test_pki.h"
#include "tests/support/temp_directory.h"
#include "trust/bundle.h"

namespace trustline {
namespace {

using testing::TestPki;

class OpensslCommand : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(Run("version")) << "there is no openssl command here"; }

  std::string Path(absl::string_view name) const { return absl::StrCat(directory_, "/", name); }
  void Write(absl::string_view name, absl::string_view bytes) const {
    std::ofstream(Path(name), std::ios::binary).write(bytes.data(), bytes.size());
  }
  std::string Read(absl::string_view name) const {
    std::ifstream in(Path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  bool Run(absl::string_view arguments) const {
    const std::string command =
        absl::StrCat("cd '", directory_, "' && openssl ", arguments, " >out 2>err </dev/null");
    return std::system(command.c_str()) == 0;
  }

  const testing::TempDirectory scratch_;
  const std::string directory_ = scratch_.path();
};

TEST_F(OpensslCommand, ReadsWhatWeWrite) {
  const std::vector<BundleEntry> entries = {
      {TestPki::UnitCertificate("dst-pub"), "CallManager of dst-pub"},
      {TestPki::UnitCertificate("dst-sub1"), "CallManager of dst-sub1"}};
  for (const BundleProfile profile : {BundleProfile::kModern, BundleProfile::kCompat3Des}) {
    for (const std::string password : {"", "cisco"}) {
      Write("a.p12", *WritePkcs12(entries, password, profile));
      ASSERT_TRUE(Run(absl::StrCat("pkcs12 -in a.p12 -nokeys -passin pass:", password)))
          << Read("err");
      const auto read = ReadBundle(Read("out"), "");  // PEM with bag attributes
      ASSERT_TRUE(read.ok()) << read.status();
      ASSERT_EQ(read->size(), 2u);
      std::vector<BundleEntry> sorted = entries;
      if (sorted[1].certificate < sorted[0].certificate) std::swap(sorted[0], sorted[1]);
      for (size_t i = 0; i < 2; ++i) {
        EXPECT_EQ((*read)[i].certificate, sorted[i].certificate);
        EXPECT_EQ((*read)[i].friendly_name, sorted[i].friendly_name);
      }
      ASSERT_TRUE(Run(absl::StrCat("pkcs12 -in a.p12 -info -noout -passin pass:", password)))
          << Read("err");
      EXPECT_TRUE(absl::StrContains(Read("err"), profile == BundleProfile::kModern
                                                     ? "AES-256-CBC"
                                                     : "pbeWithSHA1And3-KeyTripleDES-CBC"))
          << Read("err");
    }
  }
}

TEST_F(OpensslCommand, WritesWhatWeRead) {
  const Certificate a = TestPki::UnitCertificate("a"), b = TestPki::UnitCertificate("b");
  Write("ab.pem", a.ToPem() + b.ToPem());
  for (const std::string options :
       {"", "-certpbe PBE-SHA1-3DES -macalg sha1", "-certpbe NONE", "-nomac",
        "-certpbe NONE -nomac", "-certpbe AES-128-CBC -macalg sha512", "-iter 100000",
        "-noiter -nomaciter"}) {
    for (const std::string password : {"", "cisco"}) {
      ASSERT_TRUE(Run(absl::StrCat("pkcs12 -export -nokeys -in ab.pem -out ab.p12 -caname first ",
                                   options, " -passout pass:", password)))
          << options << Read("err");
      const auto read = ReadBundle(Read("ab.p12"), password);
      ASSERT_TRUE(read.ok()) << options << " '" << password << "' " << read.status();
      ASSERT_EQ(read->size(), 2u);
      EXPECT_EQ((*read)[0].certificate, a);
      EXPECT_EQ((*read)[1].certificate, b);
      EXPECT_EQ((*read)[0].friendly_name, "first");
    }
  }
}

TEST_F(OpensslCommand, FileWithTheKeyOfItsCertificateIsRefused) {
  Write("a.pem", TestPki::UnitCertificate("a").ToPem());
  Write("a.key", TestPki::UnitKey().ToPkcs8Pem());
  for (const std::string options : {"", "-keypbe NONE -certpbe NONE", "-keypbe PBE-SHA1-3DES"}) {
    ASSERT_TRUE(Run(absl::StrCat(
        "pkcs12 -export -in a.pem -inkey a.key -name 'dst-pub key' -out a.p12 -passout pass:cisco ",
        options)))
        << Read("err");
    const auto read = ReadBundle(Read("a.p12"), "cisco");
    EXPECT_EQ(read.status().code(), absl::StatusCode::kFailedPrecondition) << read.status();
    EXPECT_TRUE(absl::StrContains(read.status().message(), "(\"dst-pub key\")")) << read.status();
  }
}

TEST_F(OpensslCommand, Rc2IsRefusedInClearWords) {
  Write("a.pem", TestPki::UnitCertificate("a").ToPem());
  ASSERT_TRUE(
      Run("pkcs12 -export -legacy -nokeys -certpbe PBE-SHA1-RC2-40 -in a.pem -out a.p12 -passout "
          "pass:cisco"))
      << "openssl has no legacy provider here";
  const auto read = ReadBundle(Read("a.p12"), "cisco");
  EXPECT_EQ(read.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_TRUE(absl::StrContains(read.status().message(), "RC2-40")) << read.status();
  EXPECT_TRUE(absl::StrContains(read.status().message(), "export it again with AES-256"))
      << read.status();
}

TEST_F(OpensslCommand, Pkcs7IsNamed) {
  Write("a.pem", TestPki::UnitCertificate("a").ToPem());
  ASSERT_TRUE(Run("crl2pkcs7 -nocrl -certfile a.pem -outform DER -out a.p7b")) << Read("err");
  const auto read = ReadBundle(Read("a.p7b"), "");
  EXPECT_EQ(read.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_TRUE(absl::StrContains(read.status().message(), "openssl pkcs7")) << read.status();
}

TEST_F(OpensslCommand, AcceptsOurAuthorityAndIdentities) {
  const TestPki pki;
  Write("ca.pem", pki.authority.certificate.ToPem());
  Write("agent.pem", pki.AgentIdentity("dst-pub").certificate_pem());
  Write("operator.pem", pki.OperatorIdentity("jane").certificate_pem());
  EXPECT_TRUE(Run(
      "verify -x509_strict -CAfile ca.pem -purpose sslserver -verify_hostname dst-pub agent.pem"))
      << Read("err");
  EXPECT_TRUE(Run("verify -x509_strict -CAfile ca.pem -purpose sslclient agent.pem"))
      << Read("err");
  EXPECT_TRUE(Run("verify -x509_strict -CAfile ca.pem -purpose sslclient operator.pem"))
      << Read("err");
  EXPECT_FALSE(Run("verify -x509_strict -CAfile ca.pem -purpose sslserver operator.pem"));
}

}  // namespace
}  // namespace trustline
