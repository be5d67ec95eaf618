// The CSV file of phones as the operator has it, with the list files it names.
#include "controller/phone_evidence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tests/unit/controller/temp_files.h"
#include "trust/rsa_signature.h"

namespace trustline::controller {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string Sha1(const std::string& bytes) {
  return absl::BytesToHexString(DigestOf(SignatureDigest::kSha1, bytes));
}

TEST(LoadEvidence, ListFilesAreFoundBesideTheCsvAndKnownByTheirDigest) {
  TempFiles files;
  files.Write("lists/old.tlv", "the old ITL");
  const std::string absolute = files.Write("elsewhere.tlv", "a CTL");
  const std::string csv = files.Write(
      "phones.csv", absl::StrCat("device,itl,ctl\nSEP001B54AABB01,lists/old.tlv,", absolute,
                                 "\nSEP001B54AABB02,lists/old.tlv,none\nSEP001B54AABB03,",
                                 Sha1("another"), ",\n"));
  const absl::StatusOr<LoadedEvidence> loaded = LoadEvidence(csv);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_THAT(loaded->diagnostics, IsEmpty());
  ASSERT_THAT(loaded->phones, SizeIs(3));
  EXPECT_EQ(loaded->phones[0].itl.digest, Sha1("the old ITL"));
  EXPECT_EQ(loaded->phones[1].itl.digest, Sha1("the old ITL"));
  EXPECT_EQ(loaded->phones[0].ctl.digest, Sha1("a CTL"));
  EXPECT_TRUE(loaded->phones[1].ctl.none);

  ListEvidence itl = loaded->phones[0].itl;
  ASSERT_TRUE(loaded->library.Resolve(&itl));
  EXPECT_EQ(itl.bytes, "the old ITL");
  EXPECT_EQ(loaded->library.OriginOf(itl), "lists/old.tlv");
  // A digest alone is in no file.
  ListEvidence another = loaded->phones[2].itl;
  EXPECT_FALSE(loaded->library.Resolve(&another));
}

TEST(LoadEvidence, MistakesAreShownWithTheirLineAndACaret) {
  TempFiles files;
  const std::string csv =
      files.Write("phones.csv",
                  "device,itl\r\nSEP001B54AABB01,xyz\r\nSEP001B54AABB02,none\r\n"
                  "SEP001B54AABB02,none\r\n");
  const absl::StatusOr<LoadedEvidence> loaded = LoadEvidence(csv);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_THAT(loaded->phones, IsEmpty());
  EXPECT_THAT(loaded->diagnostics, HasSubstr(absl::StrCat(csv, ":2:17: error: ")));
  EXPECT_THAT(loaded->diagnostics,
              HasSubstr("    2 | SEP001B54AABB01,xyz\n      |                 ^\n"));
  EXPECT_THAT(loaded->diagnostics, HasSubstr(absl::StrCat(csv, ":4:1: error: ")));
}

TEST(LoadEvidence, AMissingFileIsNamed) {
  TempFiles files;
  const absl::Status no_csv = LoadEvidence(files.Path("phones.csv")).status();
  EXPECT_TRUE(absl::IsNotFound(no_csv)) << no_csv;
  EXPECT_THAT(no_csv.message(), HasSubstr("phones.csv"));
  const std::string csv = files.Write("phones.csv", "device,itl\nSEP001B54AABB01,gone.tlv\n");
  const absl::Status no_list = LoadEvidence(csv).status();
  EXPECT_TRUE(absl::IsNotFound(no_list)) << no_list;
  EXPECT_THAT(no_list.message(), HasSubstr("gone.tlv"));
}

TEST(RenderCsvProblems, TerminalSequencesAndLongLinesAreNotPrinted) {
  EXPECT_EQ(RenderCsvProblems("p.csv", "\x1b[2J", {{1, 1, "bad"}}),
            "p.csv:1:1: error: bad\n    1 | \\x1b[2J\n      | ^\n");
  EXPECT_EQ(RenderCsvProblems("p.csv", std::string(500, 'x'), {{1, 1, "bad"}}),
            "p.csv:1:1: error: bad\n");
  EXPECT_EQ(RenderCsvProblems("p.csv", "", {{0, 0, "of the whole file"}, {7, 1, "beyond"}}),
            "p.csv:0:0: error: of the whole file\np.csv:7:1: error: beyond\n");
}

}  // namespace
}  // namespace trustline::controller
