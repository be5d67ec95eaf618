#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "agent/resources/file_patterns.h"
#include "tests/fakes/list_certificates.h"
#include "tests/fakes/two_clusters.h"
#include "trust/signed_file/signed_file.h"

namespace trustline::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(FilePatterns, StarAndQuestionMark) {
  const struct {
    const char *pattern, *name;
    bool matches;
  } cases[] = {
      {"SEP*.cnf.xml", "SEP001B54AABB01.cnf.xml", true},
      {"SEP*.cnf.xml", "SEP.cnf.xml", true},
      {"SEP*.cnf.xml", "XSEP001B54AABB01.cnf.xml", false},
      {"SEP*.cnf.xml", "SEP1.cnf.xml.sgn", false},
      {"ring?.xml", "ring1.xml", true},
      {"ring?.xml", "ring.xml", false},
      {"*a*b*", "xxaxxbxx", true},
      {"*a*b*", "xxbxxaxx", false},
      {"*aab", "aaab", true},
      {"*", "anything", true},
      {"*", ".hidden", false},
      {".h*", ".hidden", true},
      {"", "", true},
      {"a", "", false},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(MatchesPattern(c.pattern, c.name), c.matches) << c.pattern << " " << c.name;
  }
}

class SignedFileKindTest : public ::testing::Test {
 protected:
  static constexpr char kNode[] = "dst-sub1";

  SignedFileKindTest() : signer_(world_.GiveIdentity(kNode, "CallManager")) {
    Put("SEP001B54AABB01.cnf.xml", "<device>1</device>");
    Put("SEP001B54AABB02.cnf.xml", "<device>2</device>");
    Put("ringlist.xml", "<rings/>");
    resource_.mutable_signed_file()->set_tftp_root("/srv/tftp");
    resource_.mutable_signed_file()->add_files("SEP*.cnf.xml");
    resource_.mutable_signed_file()->set_digest(v1::LIST_DIGEST_SHA1);
  }
  FakeFiles& files() { return world_.Node(kNode).host.files; }
  static std::string Path(const std::string& name) { return absl::StrCat("/srv/tftp/", name); }
  void Put(const std::string& name, std::string bytes) {
    files().Put(Path(name), std::move(bytes));
  }
  bool Has(const std::string& name) { return files().Read(Path(name)).ok(); }
  SignedFile Signed(const std::string& name) {
    return SignedFile::Parse(files().Read(Path(name)).value().bytes).value();
  }
  std::string Expect(v1::Outcome outcome, const std::string& words = "") {
    const v1::ResourceOutcome row = OnlyRow(world_.Node(kNode).Apply({resource_}));
    EXPECT_EQ(row.outcome(), outcome) << TextOf(row);
    EXPECT_THAT(TextOf(row), HasSubstr(words));
    return TextOf(row);
  }

  TwoClusters world_;
  Certificate signer_;
  v1::Resource resource_;
};

TEST_F(SignedFileKindTest, EveryMatchingFileGetsASignedOneBesideIt) {
  Expect(v1::OUTCOME_CHANGED, "0 of 2 files to sign");
  const SignedFile file = Signed("SEP001B54AABB01.cnf.xml.sgn");
  SignedFileCheck check;
  check.expected_name = "SEP001B54AABB01.cnf.xml.sgn";  // as phones ask for it
  EXPECT_EQ(VerifySignedFile(file, signer_, check), absl::OkStatus());
  EXPECT_EQ(file.payload(), "<device>1</device>");
  EXPECT_EQ(file.digest_code, 1);
  EXPECT_TRUE(Has("SEP001B54AABB02.cnf.xml.sgn"));
  EXPECT_FALSE(Has("ringlist.xml.sgn"));
}

TEST_F(SignedFileKindTest, ASecondTimeNothingIsWrittenThoughTimePasses) {
  Expect(v1::OUTCOME_CHANGED);
  const auto before = files().Snapshot();
  world_.Node(kNode).host.clock.Advance(absl::Hours(24));
  Expect(v1::OUTCOME_UNCHANGED);
  EXPECT_TRUE(files().Snapshot() == before);
}

TEST_F(SignedFileKindTest, OnlyWhatDiffersIsSignedAgain) {
  Expect(v1::OUTCOME_CHANGED);
  const std::string other = files().Read(Path("SEP001B54AABB02.cnf.xml.sgn"))->bytes;
  world_.Node(kNode).host.clock.Advance(absl::Hours(24));
  Put("SEP001B54AABB01.cnf.xml", "<device>changed</device>");
  Expect(v1::OUTCOME_CHANGED);
  EXPECT_EQ(Signed("SEP001B54AABB01.cnf.xml.sgn").payload(), "<device>changed</device>");
  EXPECT_EQ(files().Read(Path("SEP001B54AABB02.cnf.xml.sgn"))->bytes, other);
}

TEST_F(SignedFileKindTest, ANewSignerAndANewDigestSignAgain) {
  Expect(v1::OUTCOME_CHANGED);
  world_.TakeIdentity(kNode, "CallManager", signer_);
  const Certificate renewed = world_.GiveIdentity(kNode, "CallManager");
  Expect(v1::OUTCOME_CHANGED);
  EXPECT_TRUE(VerifySignedFile(Signed("SEP001B54AABB01.cnf.xml.sgn"), renewed).ok());
}

TEST_F(SignedFileKindTest, Scenario38Sha512SignsAgainAndIsFlagged) {
  Expect(v1::OUTCOME_CHANGED);
  resource_.mutable_signed_file()->set_digest(v1::LIST_DIGEST_SHA512);
  Expect(v1::OUTCOME_CHANGED, "phones that only know SHA-1");
  EXPECT_EQ(Signed("SEP001B54AABB01.cnf.xml.sgn").digest_code, 3);
  Expect(v1::OUTCOME_UNCHANGED);
}

TEST_F(SignedFileKindTest, AnAlteredSignedFileIsPutRight) {
  Expect(v1::OUTCOME_CHANGED);
  FileImage image = *files().Read(Path("SEP001B54AABB01.cnf.xml.sgn"));
  for (const size_t at : {size_t{0}, size_t{40}, image.bytes.size() - 1}) {
    FileImage altered = image;
    altered.bytes[at] ^= 1;
    files().Put(Path("SEP001B54AABB01.cnf.xml.sgn"), altered);
    Expect(v1::OUTCOME_CHANGED);
    EXPECT_TRUE(VerifySignedFile(Signed("SEP001B54AABB01.cnf.xml.sgn"), signer_).ok());
  }
  // One that is whole but another phone's.
  files().Put(Path("SEP001B54AABB01.cnf.xml.sgn"),
              *files().Read(Path("SEP001B54AABB02.cnf.xml.sgn")));
  Expect(v1::OUTCOME_CHANGED);
  EXPECT_EQ(Signed("SEP001B54AABB01.cnf.xml.sgn").payload(), "<device>1</device>");
}

TEST_F(SignedFileKindTest, OwnerAndModeAreThoseOfTheSource) {
  FileImage secret;
  secret.bytes = "<password/>";
  secret.mode = 0640;
  secret.gid = 33;
  files().Put(Path("SEP001B54AABB01.cnf.xml"), secret);
  Expect(v1::OUTCOME_CHANGED);
  EXPECT_EQ(files().Read(Path("SEP001B54AABB01.cnf.xml.sgn"))->mode, 0640u);
  EXPECT_EQ(files().Read(Path("SEP001B54AABB01.cnf.xml.sgn"))->gid, 33u);
  secret.mode = 0644;
  files().Put(Path("SEP001B54AABB01.cnf.xml"), secret);
  Expect(v1::OUTCOME_CHANGED, "its mode is not that of the file it signs");
  EXPECT_EQ(files().Read(Path("SEP001B54AABB01.cnf.xml.sgn"))->mode, 0644u);
}

TEST_F(SignedFileKindTest, SignedFilesAreNeverSigned) {
  resource_.mutable_signed_file()->set_files(0, "*");
  Expect(v1::OUTCOME_CHANGED);
  Expect(v1::OUTCOME_UNCHANGED);
  EXPECT_TRUE(Has("ringlist.xml.sgn"));
  EXPECT_FALSE(Has("ringlist.xml.sgn.sgn"));
}

TEST_F(SignedFileKindTest, LinksAndDirectoriesAreNotSigned) {
  files().PutSymlink(Path("SEPlink.cnf.xml"));
  files().PutDirectory(Path("SEPdir.cnf.xml"));
  const std::string text = Expect(v1::OUTCOME_CHANGED, "not signed: ");
  EXPECT_THAT(text, HasSubstr("SEPlink.cnf.xml"));
  EXPECT_FALSE(Has("SEPlink.cnf.xml.sgn"));
}

TEST_F(SignedFileKindTest, ALinkInThePlaceOfASignedFileIsRefused) {
  files().PutSymlink(Path("SEP001B54AABB01.cnf.xml.sgn"));
  Expect(v1::OUTCOME_REFUSED, "SEP001B54AABB01.cnf.xml.sgn");
  EXPECT_FALSE(Has("SEP001B54AABB02.cnf.xml.sgn"));
}

TEST_F(SignedFileKindTest, PatternsThatLeadElsewhereAreRefused) {
  for (const char* pattern : {"../shadow", "a/../../b", "./x", "a//b"}) {
    resource_.mutable_signed_file()->set_files(0, pattern);
    Expect(v1::OUTCOME_REFUSED, "no empty, '.' or '..' parts");
  }
}

TEST_F(SignedFileKindTest, DirectoriesBelowTheRootAreReached) {
  Put("locale/en/ring.xml", "<ring/>");
  Put("locale/de/ring.xml", "<klingel/>");
  resource_.mutable_signed_file()->set_files(0, "locale/*/ring.xml");
  Expect(v1::OUTCOME_CHANGED, "0 of 2 files to sign");
  EXPECT_EQ(Signed("locale/de/ring.xml.sgn").payload(), "<klingel/>");
}

TEST_F(SignedFileKindTest, WhatMatchesNothingIsSaid) {
  resource_.mutable_signed_file()->add_files("nothing*.xml");
  resource_.mutable_signed_file()->add_files("absent.xml");
  const std::string text = Expect(v1::OUTCOME_CHANGED, "no file in /srv/tftp matches nothing*.xml");
  EXPECT_THAT(text, HasSubstr("matches absent.xml"));
}

TEST_F(SignedFileKindTest, ASignedFileWhoseSourceIsGoneIsLeftAndReported) {
  Expect(v1::OUTCOME_CHANGED);
  files().Erase(Path("SEP001B54AABB01.cnf.xml"));
  const std::string text = Expect(v1::OUTCOME_UNCHANGED, "the file it signs is gone");
  EXPECT_TRUE(Has("SEP001B54AABB01.cnf.xml.sgn"));
  // The vendor's own signed files have no source here and are none of our business.
  Put("SEP99.cnf.xml.sgn", "something else");
  EXPECT_THAT(Expect(v1::OUTCOME_UNCHANGED), Not(HasSubstr("SEP99")));
}

TEST_F(SignedFileKindTest, TooManyFilesAreRefused) {
  for (int i = 0; i < 10001; ++i) Put(absl::StrCat("many/", i, ".xml"), "x");
  resource_.mutable_signed_file()->set_files(0, "many/*.xml");
  Expect(v1::OUTCOME_REFUSED, "more than 10000 names in /srv/tftp/many match *.xml");
}

TEST_F(SignedFileKindTest, SignedFilesDoNotCountAmongThoseToSign) {
  // As a first run with "many/*" leaves it, and then so many that are somebody else's.
  for (int i = 0; i < 6000; ++i) {
    Put(absl::StrCat("many/", i, ".xml"), "x");
    Put(absl::StrCat("many/", i, ".xml.sgn"), "y");
  }
  resource_.mutable_signed_file()->set_files(0, "many/*");
  v1::ResourcePlan plan = OnlyRow(world_.Node(kNode).Plan({resource_}));
  EXPECT_EQ(plan.outcome(), v1::OUTCOME_WOULD_CHANGE) << TextOf(plan);
  EXPECT_EQ(plan.summary(), "6000 of 6000 files to sign");
  for (int i = 0; i < 5000; ++i) Put(absl::StrCat("many/", i, ".loads.sgn"), "y");
  plan = OnlyRow(world_.Node(kNode).Plan({resource_}));
  EXPECT_EQ(plan.outcome(), v1::OUTCOME_WOULD_CHANGE) << TextOf(plan);
  EXPECT_THAT(TextOf(plan), HasSubstr("signed files whose source is gone were not looked for"));
}

TEST_F(SignedFileKindTest, ATooLargeFileIsRefused) {
  Put("SEPlarge.cnf.xml", std::string((32 << 20) + 1, 'x'));
  Expect(v1::OUTCOME_REFUSED, "SEPlarge.cnf.xml is larger than 32 MiB");
}

TEST_F(SignedFileKindTest, WithoutItsKeyNothingIsSigned) {
  world_.TakeIdentity(kNode, "CallManager", signer_);
  Expect(v1::OUTCOME_PENDING, "has no CallManager certificate with its key");
  world_.GiveIdentity(kNode, "CallManager");
  world_.GiveIdentity(kNode, "CallManager");
  Expect(v1::OUTCOME_REFUSED, "which one signs is not guessed");
}

TEST_F(SignedFileKindTest, AKeyWithoutAPublishedCodeIsRefused) {
  world_.TakeIdentity(kNode, "CallManager", signer_);
  const Certificate large = testing::ListCertificate({3072, kNode, "", "\x11\x22\x33"});
  std::string path = TwoClusters::PathOf("CallManager", large);
  FileImage key;
  key.bytes = testing::ListKeyOfSize(3072).ToPkcs8Pem();
  key.mode = 0600;
  files().Put(path, large.ToPem());
  files().Put(path.replace(path.size() - 4, 4, ".key"), key);
  Expect(v1::OUTCOME_REFUSED, "RSA key of 3072");
}

TEST_F(SignedFileKindTest, RollbackTakesSignedFilesBack) {
  Put("SEP001B54AABB02.cnf.xml.sgn", "of before");
  Expect(v1::OUTCOME_CHANGED);
  ASSERT_TRUE(world_.Node(kNode).Rollback().ok());
  EXPECT_FALSE(Has("SEP001B54AABB01.cnf.xml.sgn"));
  EXPECT_EQ(files().Read(Path("SEP001B54AABB02.cnf.xml.sgn"))->bytes, "of before");
}

}  // namespace
}  // namespace trustline::agent
