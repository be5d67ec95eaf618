// The database of a tvsd, byte for byte as tvsctl keeps it, and the trust stores repeated in it.
#include "agent/tvsd_database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cstring>
#include <memory>

#include "agent/linux_certificate_store.h"
#include "tests/fakes/test_pki.h"
#include "tests/fakes/two_clusters.h"

namespace trustline::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using testing::TestPki;
using testing::UnitOptions;
using ::testing::UnorderedElementsAre;
using Rows = std::map<std::string, TvsdEntry>;

// As tvsctl makes it.
constexpr char kTvsctlTable[] =
    "CREATE TABLE certificates (certificate_hash TEXT PRIMARY KEY, serial_number TEXT NOT NULL, "
    "subject_name TEXT NOT NULL, issuer_name TEXT NOT NULL, certificate TEXT NOT NULL, roles TEXT "
    "NOT NULL, ttl INTEGER) WITHOUT ROWID;";

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
};

// A database file somebody else's SQL made.
std::string Made(const std::string& sql) {
  sqlite3* raw = nullptr;
  EXPECT_EQ(sqlite3_open(":memory:", &raw), SQLITE_OK);
  const std::unique_ptr<sqlite3, CloseDatabase> database(raw);
  EXPECT_EQ(sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(raw);
  sqlite3_int64 size = 0;
  unsigned char* const bytes = sqlite3_serialize(raw, "main", &size, 0);
  std::string file(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
  sqlite3_free(bytes);
  return file;
}

// The first column of every row `sql` gives.
std::vector<std::string> Asked(const std::string& file, const std::string& sql) {
  sqlite3* raw = nullptr;
  EXPECT_EQ(sqlite3_open(":memory:", &raw), SQLITE_OK);
  const std::unique_ptr<sqlite3, CloseDatabase> database(raw);
  auto* bytes = static_cast<unsigned char*>(sqlite3_malloc64(file.size()));
  std::memcpy(bytes, file.data(), file.size());
  const auto size = static_cast<sqlite3_int64>(file.size());
  EXPECT_EQ(sqlite3_deserialize(raw, "main", bytes, size, size, SQLITE_DESERIALIZE_FREEONCLOSE),
            SQLITE_OK);
  std::vector<std::string> answers;
  EXPECT_EQ(sqlite3_exec(
                raw, sql.c_str(),
                [](void* out, int, char** columns, char**) {
                  static_cast<std::vector<std::string>*>(out)->emplace_back(
                      columns[0] == nullptr ? "NULL" : columns[0]);
                  return 0;
                },
                &answers, nullptr),
            SQLITE_OK)
      << sqlite3_errmsg(raw);
  return answers;
}

TEST(TvsdDatabase, WritesARowAsTvsctlDoes) {
  UnitOptions options;
  options.serial = "\x5a\x0f\x91";
  const Certificate certificate = TestPki::UnitCertificate("cucm", options);
  const absl::StatusOr<std::string> file =
      WithTvsdChanges("", {{certificate, TvsdEntry{"SAST,TFTP", 600}}});
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(Asked(*file,
                    "SELECT certificate_hash || ' ' || serial_number || ' ' || roles || ' ' || ttl "
                    "FROM certificates"),
              ElementsAre(certificate.sha256_hex() + " 5a0f91 SAST,TFTP 600"));
  EXPECT_THAT(Asked(*file, "SELECT subject_name || ' by ' || issuer_name FROM certificates"),
              ElementsAre(certificate.subject() + " by " + certificate.issuer()));
  EXPECT_THAT(Asked(*file, "SELECT CAST(certificate AS TEXT) FROM certificates"),
              ElementsAre(certificate.ToPem()));
  EXPECT_THAT(Asked(*file, "SELECT typeof(certificate) FROM certificates"), ElementsAre("blob"));
  EXPECT_THAT(*ReadTvsd(*file),
              ElementsAre(Pair(certificate.sha256_hex(), TvsdEntry{"SAST,TFTP", 600})));
}

TEST(TvsdDatabase, ChangesItsRowsAndLeavesEveryOtherAsItWas) {
  const Certificate stays = TestPki::UnitCertificate("stays");
  const Certificate goes = TestPki::UnitCertificate("goes");
  std::string file = Made(std::string(kTvsctlTable) +
                          "INSERT INTO certificates VALUES ('00ff', '1', 'CN=by hand', 'CN=x', "
                          "'PEM', 'APP-SERVER', NULL);"
                          "CREATE TABLE notes (text); INSERT INTO notes VALUES ('keep me');");
  file = WithTvsdChanges(file, {{stays, TvsdEntry{"TFTP", 60}}, {goes, TvsdEntry{"TFTP", 60}}})
             .value();
  file = WithTvsdChanges(file, {{stays, TvsdEntry{"SAST,TFTP", 90}}, {goes, std::nullopt}}).value();
  EXPECT_THAT(*ReadTvsd(file),
              UnorderedElementsAre(Pair("00ff", TvsdEntry{"APP-SERVER", -1}),
                                   Pair(stays.sha256_hex(), TvsdEntry{"SAST,TFTP", 90})));
  EXPECT_THAT(Asked(file, "SELECT text FROM notes"), ElementsAre("keep me"));
  EXPECT_THAT(Asked(file, "PRAGMA integrity_check"), ElementsAre("ok"));
}

TEST(TvsdDatabase, WhatTheFileWouldDoAlongWithAChangeIsNotDone) {
  const std::string file =
      Made(std::string(kTvsctlTable) +
           "CREATE TRIGGER more AFTER INSERT ON certificates BEGIN INSERT INTO certificates VALUES "
           "('evil', '1', 'CN=evil', 'CN=evil', 'PEM', 'SAST', 1); END;");
  const Certificate certificate = TestPki::UnitCertificate("cucm");
  const std::string changed = WithTvsdChanges(file, {{certificate, TvsdEntry{"TFTP", 60}}}).value();
  EXPECT_THAT(*ReadTvsd(changed),
              ElementsAre(Pair(certificate.sha256_hex(), TvsdEntry{"TFTP", 60})));
}

TEST(TvsdDatabase, EmptyFilesAndOtherDatabasesHaveNoRows) {
  EXPECT_THAT(*ReadTvsd(""), IsEmpty());
  EXPECT_THAT(*ReadTvsd(Made("CREATE TABLE notes (text)")), IsEmpty());
}

TEST(TvsdDatabase, WhatIsNoDatabaseOfTvsdIsRefusedAndNeverWritten) {
  const std::string good = Made(kTvsctlTable);
  const Certificate certificate = TestPki::UnitCertificate("cucm");
  const std::vector<TvsdChange> changes = {{certificate, TvsdEntry{"TFTP", 60}}};
  for (const std::string& bad :
       {std::string("hello"), std::string(4096, 'x'), good.substr(0, 100), good.substr(0, 4096),
        Made("CREATE TABLE certificates (name TEXT)")}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ReadTvsd(bad).status())) << bad.size();
    EXPECT_TRUE(absl::IsInvalidArgument(WithTvsdChanges(bad, changes).status())) << bad.size();
  }
  // Every row there, but nothing to tell two rows of one certificate apart by.
  EXPECT_TRUE(absl::IsInvalidArgument(
      WithTvsdChanges(Made("CREATE TABLE certificates (certificate_hash, serial_number, "
                           "subject_name, issuer_name, certificate, roles, ttl)"),
                      changes)
          .status()));
}

TEST(TvsdDatabase, AWriteAheadLogIsNotOverlooked) {
  std::string file = Made(kTvsctlTable);
  file[18] = file[19] = 2;
  EXPECT_TRUE(absl::IsFailedPrecondition(ReadTvsd(file).status()));
  const absl::Status status = WithTvsdChanges(file, {}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("journal_mode=DELETE"));
}

TEST(TvsdDatabase, RolesStandInTvsctlsOrderOnceEach) {
  EXPECT_EQ(TvsdRoles({}), "");
  EXPECT_EQ(TvsdRoles({ListRole::kTvs, ListRole::kTftp, ListRole::kSast, ListRole::kTftp}),
            "SAST,TFTP,TVS");
  EXPECT_EQ(TvsdRoles({ListRole::kAppServer, ListRole::kCapf, ListRole::kCcmTftp, ListRole::kCcm}),
            "CCM,CCM+TFTP,CAPF,APP-SERVER");
}

constexpr char kDatabase[] = "/var/lib/tvsd/tvs.sqlite3";

// `certificate` on a node that keeps a tvsd's database, through plan, apply and rollback.
class TvsdStoreTest : public ::testing::Test {
 protected:
  TvsdStoreTest() {
    node().host.layout.tvsd_file = kDatabase;
    node().host.layout.tvsd_ttl_seconds = 7200;
  }
  static v1::Resource Trust(const std::string& store, const Certificate& certificate,
                            v1::Presence presence = v1::PRESENCE_PRESENT) {
    v1::Resource resource;
    v1::CertificateSpec& spec = *resource.mutable_certificate();
    spec.set_unit(store);
    spec.set_purpose(v1::CERTIFICATE_PURPOSE_TRUST);
    spec.set_state(presence);
    spec.set_pem(certificate.ToPem());
    return resource;
  }
  void Expect(const v1::Resource& resource, v1::Outcome outcome) {
    const v1::ResourceOutcome row = OnlyRow(node().Apply({resource}));
    EXPECT_EQ(row.outcome(), outcome) << TextOf(row);
  }
  KindHarness& node() { return world_.Node("src-pub"); }
  FakeFiles& files() { return node().host.files; }
  Rows Database() {
    const absl::StatusOr<FileImage> image = files().Read(kDatabase);
    return image.ok() ? ReadTvsd(image->bytes).value() : Rows();
  }

  TwoClusters world_;
  const Certificate certificate_ = TestPki::UnitCertificate("dst-pub");
};

TEST_F(TvsdStoreTest, RepeatsTheStoresWithTheRolesOfAllOfThem) {
  const v1::Resource tftp = Trust("CallManager-trust", certificate_);
  const v1::Resource sast = Trust("Phone-SAST-trust", certificate_);
  Expect(tftp, v1::OUTCOME_CHANGED);
  EXPECT_EQ(Database(), (Rows{{certificate_.sha256_hex(), {"TFTP", 7200}}}));
  Expect(sast, v1::OUTCOME_CHANGED);
  EXPECT_EQ(Database(), (Rows{{certificate_.sha256_hex(), {"SAST,TFTP", 7200}}}));
  Expect(sast, v1::OUTCOME_UNCHANGED);
}

TEST_F(TvsdStoreTest, TwoNewStoresOfOneStageAreBothInTheDatabase) {
  v1::Resource second = Trust("Phone-SAST-trust", certificate_);
  second.set_id("second");
  const absl::StatusOr<v1::StageReport> report =
      node().Apply({Trust("CallManager-trust", certificate_), second});
  ASSERT_TRUE(report.ok()) << report.status();
  for (const v1::ResourceOutcome& row : report->resources()) {
    EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED) << TextOf(row);
  }
  EXPECT_EQ(Database(), (Rows{{certificate_.sha256_hex(), {"SAST,TFTP", 7200}}}));
}

TEST_F(TvsdStoreTest, WhatIsRemovedFromTheStoreLeavesTheDatabase) {
  Expect(Trust("Phone-SAST-trust", certificate_), v1::OUTCOME_CHANGED);
  Expect(Trust("Phone-SAST-trust", certificate_, v1::PRESENCE_ABSENT), v1::OUTCOME_CHANGED);
  EXPECT_THAT(Database(), IsEmpty());
}

TEST_F(TvsdStoreTest, ARowThatWasTakenOrChangedByHandComesBackAndForeignRowsStay) {
  const v1::Resource sast = Trust("Phone-SAST-trust", certificate_);
  const Certificate foreign = TestPki::UnitCertificate("by hand");
  Expect(sast, v1::OUTCOME_CHANGED);
  for (const std::optional<TvsdEntry>& by_hand :
       {std::optional<TvsdEntry>(), std::optional<TvsdEntry>({"TFTP", 7200}),
        std::optional<TvsdEntry>({"SAST", 1})}) {
    files().Put(kDatabase,
                *WithTvsdChanges(files().Read(kDatabase)->bytes,
                                 {{certificate_, by_hand}, {foreign, TvsdEntry{"APP-SERVER", 5}}}));
    const v1::ResourceOutcome row = OnlyRow(node().Apply({sast}));
    EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED);
    EXPECT_THAT(TextOf(row), HasSubstr(kDatabase));
    EXPECT_EQ(Database(), (Rows{{certificate_.sha256_hex(), {"SAST", 7200}},
                                {foreign.sha256_hex(), {"APP-SERVER", 5}}}));
  }
}

TEST_F(TvsdStoreTest, TheDatabaseOfSomebodyWhoIsWritingIsLeftAlone) {
  files().Put(std::string(kDatabase) + "-journal", std::string("half a transaction"));
  const v1::ResourceOutcome row = OnlyRow(node().Apply({Trust("Phone-SAST-trust", certificate_)}));
  EXPECT_NE(row.outcome(), v1::OUTCOME_CHANGED);
  EXPECT_THAT(TextOf(row), HasSubstr("-journal is there: somebody is writing the database"));
  EXPECT_TRUE(absl::IsNotFound(files().Read(kDatabase).status()));
}

TEST_F(TvsdStoreTest, WhatIsNoDatabaseIsLeftAsItIs) {
  files().Put(kDatabase, std::string("somebody's notes"));
  const v1::ResourceOutcome row = OnlyRow(node().Apply({Trust("Phone-SAST-trust", certificate_)}));
  EXPECT_NE(row.outcome(), v1::OUTCOME_CHANGED);
  EXPECT_THAT(TextOf(row), HasSubstr("not a database of tvsd"));
  EXPECT_EQ(files().Read(kDatabase)->bytes, "somebody's notes");
}

}  // namespace
}  // namespace trustline::agent
