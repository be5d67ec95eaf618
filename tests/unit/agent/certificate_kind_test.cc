#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "tests/fakes/two_clusters.h"

namespace trustline::agent {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::TestPki;
using testing::UnitOptions;

absl::Time Day(int year) {
  return absl::FromCivil(absl::CivilDay(year, 1, 1), absl::UTCTimeZone());
}

class CertificateKindTest : public ::testing::Test {
 protected:
  static v1::Resource Trust(const std::string& store, const Certificate& certificate) {
    v1::Resource resource;
    v1::CertificateSpec& spec = *resource.mutable_certificate();
    spec.set_unit(store);
    spec.set_purpose(v1::CERTIFICATE_PURPOSE_TRUST);
    spec.set_state(v1::PRESENCE_PRESENT);
    spec.set_pem(certificate.ToPem());
    return resource;
  }
  static v1::Resource Generated(const std::string& unit, const std::string& common_name = "cucm") {
    v1::Resource resource;
    v1::CertificateSpec& spec = *resource.mutable_certificate();
    spec.set_unit(unit);
    spec.set_purpose(v1::CERTIFICATE_PURPOSE_IDENTITY);
    spec.set_state(v1::PRESENCE_PRESENT);
    spec.mutable_generate()->set_common_name(common_name);
    spec.mutable_generate()->set_organization("example");
    spec.mutable_generate()->set_rsa_bits(1024);
    spec.mutable_generate()->set_days(30);
    return resource;
  }
  static v1::Resource Absent(v1::Resource resource) {
    resource.mutable_certificate()->set_state(v1::PRESENCE_ABSENT);
    return resource;
  }
  KindHarness& node() { return world_.Node("src-pub"); }
  FakeFiles& files() { return node().host.files; }
  std::vector<std::string> FilesUnder(const std::string& directory) {
    std::vector<std::string> found;
    for (const auto& [path, image] : files().Snapshot()) {
      if (absl::StartsWith(path, directory + "/")) found.push_back(path);
    }
    return found;
  }

  TwoClusters world_;
};

TEST_F(CertificateKindTest, InstallsATrustCertificateAndRemovesIt) {
  const Certificate certificate = TestPki::UnitCertificate("dst-pub");
  const std::string path = TwoClusters::PathOf("Phone-SAST-trust", certificate);
  const v1::ResourcePlan plan = OnlyRow(node().Plan({Trust("Phone-SAST-trust", certificate)}));
  EXPECT_EQ(plan.outcome(), v1::OUTCOME_WOULD_CHANGE) << TextOf(plan);
  ASSERT_EQ(plan.changes_size(), 1);
  EXPECT_EQ(plan.changes(0).action(), v1::Change::ACTION_ADD);
  EXPECT_THAT(plan.changes(0).text(),
              AllOf(HasSubstr("Phone-SAST-trust"), HasSubstr(certificate.serial_hex())));

  const v1::ResourceOutcome row = OnlyRow(node().Apply({Trust("Phone-SAST-trust", certificate)}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED) << TextOf(row);
  EXPECT_EQ(files().Read(path)->bytes, certificate.ToPem());
  EXPECT_EQ(OnlyRow(node().Apply({Trust("Phone-SAST-trust", certificate)})).outcome(),
            v1::OUTCOME_UNCHANGED);

  EXPECT_EQ(OnlyRow(node().Apply({Absent(Trust("Phone-SAST-trust", certificate))})).outcome(),
            v1::OUTCOME_CHANGED);
  EXPECT_TRUE(absl::IsNotFound(files().Read(path).status()));
  EXPECT_EQ(OnlyRow(node().Apply({Absent(Trust("Phone-SAST-trust", certificate))})).outcome(),
            v1::OUTCOME_UNCHANGED);
}

TEST_F(CertificateKindTest, RefusesACertificateThatIsNotThePinnedOne) {
  const Certificate certificate = TestPki::UnitCertificate("dst-pub");
  v1::Resource resource = Trust("CallManager-trust", certificate);
  resource.mutable_certificate()->set_sha256(std::string(64, 'A'));
  const v1::ResourceOutcome row = OnlyRow(node().Apply({resource}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_REFUSED);
  EXPECT_THAT(TextOf(row),
              AllOf(HasSubstr(certificate.sha256_hex()), HasSubstr(std::string(64, 'a'))));
  EXPECT_TRUE(FilesUnder("/etc/certificates").empty());
  // An upper-case pin of the right certificate is the right pin.
  resource.mutable_certificate()->set_sha256(absl::AsciiStrToUpper(certificate.sha256_hex()));
  EXPECT_EQ(OnlyRow(node().Apply({resource})).outcome(), v1::OUTCOME_CHANGED);
}

TEST_F(CertificateKindTest, RefusesSpecsThatMakeNoSense) {
  const Certificate certificate = TestPki::UnitCertificate("x");
  struct Case {
    v1::Resource resource;
    std::string words;
  };
  std::vector<Case> cases;
  cases.push_back({Trust("CallManager", certificate), "CallManager-trust"});
  cases.push_back({Generated("CallManager-trust"), "trust store"});
  v1::Resource resource = Generated("CallManager");
  resource.mutable_certificate()->set_purpose(v1::CERTIFICATE_PURPOSE_TRUST);
  resource.mutable_certificate()->set_unit("CallManager-trust");
  cases.push_back({resource, "only an identity can be generated"});
  resource = Generated("CallManager");
  resource.mutable_certificate()->set_sha256(std::string(64, 'a'));
  cases.push_back({resource, "cannot be pinned"});
  cases.push_back({Absent(Generated("CallManager")), "lock every phone"});
  cases.push_back({Absent(Generated("tomcat")), "say which certificate must be absent"});
  resource = Generated("tomcat");
  resource.mutable_certificate()->clear_generate();
  cases.push_back({resource, "say what the identity is"});
  for (const Case& c : cases) {
    const v1::ResourceOutcome row = OnlyRow(node().Apply({c.resource}));
    EXPECT_EQ(row.outcome(), v1::OUTCOME_REFUSED) << c.words;
    EXPECT_THAT(TextOf(row), HasSubstr(c.words));
  }
  EXPECT_TRUE(FilesUnder("/etc/certificates").empty());
}

TEST_F(CertificateKindTest, MakesAnIdentityOnceAndItsKeyStaysOnTheNode) {
  const v1::ResourcePlan plan = OnlyRow(node().Plan({Generated("CallManager")}));
  EXPECT_EQ(plan.outcome(), v1::OUTCOME_WOULD_CHANGE);
  EXPECT_THAT(TextOf(plan), HasSubstr("CN=cucm"));
  EXPECT_TRUE(FilesUnder("/etc/certificates").empty());

  const absl::StatusOr<v1::StageReport> report = node().Apply({Generated("CallManager")});
  EXPECT_EQ(OnlyRow(report).outcome(), v1::OUTCOME_CHANGED) << TextOf(OnlyRow(report));
  const std::vector<std::string> made = FilesUnder("/etc/certificates/CallManager");
  ASSERT_EQ(made.size(), 2u);
  const Certificate certificate = Certificate::FromPem(files().Read(made[1])->bytes).value();
  const FileImage key_file = *files().Read(made[0]);
  const PrivateKey key = PrivateKey::FromPem(key_file.bytes).value();
  EXPECT_EQ(certificate.subject(), "CN=cucm;O=example");
  EXPECT_TRUE(key.Matches(certificate));
  EXPECT_EQ(key_file.mode, 0600u);
  EXPECT_FALSE(absl::StrContains(report->SerializeAsString(), "PRIVATE KEY"));

  const auto before = files().Snapshot();
  EXPECT_EQ(OnlyRow(node().Apply({Generated("CallManager")})).outcome(), v1::OUTCOME_UNCHANGED);
  EXPECT_TRUE(files().Snapshot() == before);
}

TEST_F(CertificateKindTest, LeavesAnExpiredIdentityOfAnotherNameAsItIs) {
  UnitOptions options;
  options.not_before = Day(2015);
  options.not_after = Day(2020);
  for (const char* unit : {"CallManager", "TVS", "ITLRecovery", "CAPF"}) {
    world_.GiveIdentity("src-pub", unit, options);
    const auto before = files().Snapshot();
    const v1::ResourceOutcome row = OnlyRow(node().Apply({Generated(unit, "other")}));
    EXPECT_EQ(row.outcome(), v1::OUTCOME_UNCHANGED) << TextOf(row);
    EXPECT_THAT(TextOf(row), AllOf(HasSubstr("expired on 2020-01-01"), HasSubstr("CN=src-pub"),
                                   HasSubstr("not CN=other")));
    for (const auto& [path, image] : before) {
      if (!absl::StartsWith(path, "/etc/")) continue;
      EXPECT_TRUE(files().Snapshot().at(path) == image);
    }
    EXPECT_EQ(FilesUnder(std::string("/etc/certificates/") + unit).size(), 2u);
  }
}

TEST_F(CertificateKindTest, NeverMakesALostPhoneFacingIdentityAnew) {
  ASSERT_EQ(OnlyRow(node().Apply({Generated("CallManager")})).outcome(), v1::OUTCOME_CHANGED);
  for (const std::string& path : FilesUnder("/etc/certificates")) files().Erase(path);
  const v1::ResourceOutcome row = OnlyRow(node().Apply({Generated("CallManager")}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_REFUSED);
  EXPECT_THAT(TextOf(row), AllOf(HasSubstr("is lost"), HasSubstr("CN=cucm")));
  EXPECT_TRUE(FilesUnder("/etc/certificates").empty());
}

TEST_F(CertificateKindTest, MakesAnIdentityAnewThatNoPhoneKnows) {
  ASSERT_EQ(OnlyRow(node().Apply({Generated("tomcat")})).outcome(), v1::OUTCOME_CHANGED);
  for (const std::string& path : FilesUnder("/etc/certificates")) files().Erase(path);
  EXPECT_EQ(OnlyRow(node().Apply({Generated("tomcat")})).outcome(), v1::OUTCOME_CHANGED);
}

TEST_F(CertificateKindTest, DoesNotPutANewIdentityOverACertificateWhoseKeyIsLost) {
  const Certificate certificate = world_.GiveIdentity("src-pub", "TVS");
  const std::string path = TwoClusters::PathOf("TVS", certificate);
  const std::string key_path = path.substr(0, path.size() - 4) + ".key";
  files().Erase(key_path);
  v1::ResourceOutcome row = OnlyRow(node().Apply({Generated("TVS")}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_REFUSED);
  EXPECT_THAT(TextOf(row), HasSubstr(path));
  files().Put(key_path, std::string("damaged"));
  EXPECT_EQ(OnlyRow(node().Apply({Generated("TVS")})).outcome(), v1::OUTCOME_REFUSED);
  // A key alone: its certificate was lost.
  files().Erase(path);
  row = OnlyRow(node().Apply({Generated("TVS")}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_REFUSED);
  EXPECT_THAT(TextOf(row), HasSubstr(key_path));
}

TEST_F(CertificateKindTest, NeverReplacesAPhoneFacingIdentityByAGivenOne) {
  world_.GiveIdentity("src-pub", "CallManager");
  const auto before = FilesUnder("/etc/certificates");
  v1::Resource resource = Trust("CallManager", TestPki::UnitCertificate("newer"));
  resource.mutable_certificate()->set_purpose(v1::CERTIFICATE_PURPOSE_IDENTITY);
  const v1::ResourceOutcome row = OnlyRow(node().Apply({resource}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_REFUSED);
  EXPECT_THAT(TextOf(row), HasSubstr("lock the phones"));
  EXPECT_EQ(FilesUnder("/etc/certificates"), before);
}

TEST_F(CertificateKindTest, RenewsAnIdentityNoPhoneKnowsWithTheKeyThatIsHere) {
  const Certificate old_one = world_.GiveIdentity("src-pub", "tomcat");
  const Certificate new_one = TestPki::UnitCertificate("src-pub");  // the same key
  v1::Resource resource = Trust("tomcat", new_one);
  resource.mutable_certificate()->set_purpose(v1::CERTIFICATE_PURPOSE_IDENTITY);
  const v1::ResourcePlan plan = OnlyRow(node().Plan({resource}));
  EXPECT_THAT(TextOf(plan),
              AllOf(HasSubstr(old_one.serial_hex()), HasSubstr(new_one.serial_hex())));
  EXPECT_EQ(OnlyRow(node().Apply({resource})).outcome(), v1::OUTCOME_CHANGED);
  const std::string path = TwoClusters::PathOf("tomcat", new_one);
  EXPECT_EQ(FilesUnder("/etc/certificates/tomcat"),
            (std::vector<std::string>{path.substr(0, path.size() - 4) + ".key", path}));
  EXPECT_EQ(OnlyRow(node().Apply({resource})).outcome(), v1::OUTCOME_UNCHANGED);
}

TEST_F(CertificateKindTest, RefusesAnIdentityWhoseKeyIsNotHere) {
  v1::Resource resource = Trust("tomcat", TestPki::UnitCertificate("src-pub"));
  resource.mutable_certificate()->set_purpose(v1::CERTIFICATE_PURPOSE_IDENTITY);
  const v1::ResourceOutcome row = OnlyRow(node().Apply({resource}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_REFUSED);
  EXPECT_THAT(TextOf(row), HasSubstr("no key on this node"));
}

TEST_F(CertificateKindTest, MergedFileFollowsTheStore) {
  node().host.layout.merged_files["CallManager-trust"] = "/etc/merged/cm.pem";
  const Certificate a = TestPki::UnitCertificate("a"), b = TestPki::UnitCertificate("b");
  // Two resources of one stage add to one store and so to one merged file.
  absl::StatusOr<v1::StageReport> report = node().Apply({Trust("CallManager-trust", a), [&] {
                                                           v1::Resource second =
                                                               Trust("CallManager-trust", b);
                                                           second.set_id("second");
                                                           return second;
                                                         }()});
  ASSERT_TRUE(report.ok()) << report.status();
  for (const v1::ResourceOutcome& row : report->resources()) {
    EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED) << TextOf(row);
  }
  const std::string both = a < b ? a.ToPem() + b.ToPem() : b.ToPem() + a.ToPem();
  EXPECT_EQ(files().Read("/etc/merged/cm.pem")->bytes, both);

  // Edited by hand: a difference of its own.
  files().Put("/etc/merged/cm.pem", std::string("edited"));
  const v1::ResourceOutcome row = OnlyRow(node().Apply({Trust("CallManager-trust", a)}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED);
  ASSERT_EQ(row.changes_size(), 1);
  EXPECT_THAT(row.changes(0).text(), HasSubstr("/etc/merged/cm.pem"));
  EXPECT_EQ(files().Read("/etc/merged/cm.pem")->bytes, both);
}

TEST_F(CertificateKindTest, RollbackWithTrustTakesMergedFileAndCertificateBack) {
  node().host.layout.merged_files["CallManager-trust"] = "/etc/merged/cm.pem";
  files().Put("/etc/merged/cm.pem", std::string("as it was"));
  const Certificate certificate = TestPki::UnitCertificate("a");
  ASSERT_EQ(OnlyRow(node().Apply({Trust("CallManager-trust", certificate)})).outcome(),
            v1::OUTCOME_CHANGED);
  ASSERT_TRUE(node().Rollback(/*include_trust=*/true).ok());
  EXPECT_TRUE(FilesUnder("/etc/certificates").empty());
  EXPECT_EQ(files().Read("/etc/merged/cm.pem")->bytes, "as it was");
}

TEST_F(CertificateKindTest, Scenario19AStoreWithOnePerSubjectRefusesAnOlderNewcomer) {
  node().host.layout.one_per_subject = {"CallManager-trust"};
  UnitOptions older, newer;
  older.not_before = Day(2021);
  newer.not_before = Day(2023);
  const Certificate old_one = TestPki::UnitCertificate("cucm-pub", older);
  const Certificate new_one = TestPki::UnitCertificate("cucm-pub", newer);
  files().Put(TwoClusters::PathOf("CallManager-trust", new_one), new_one.ToPem());
  const v1::ResourceOutcome row = OnlyRow(node().Apply({Trust("CallManager-trust", old_one)}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_REFUSED);
  EXPECT_THAT(TextOf(row), AllOf(HasSubstr(old_one.serial_hex()), HasSubstr(new_one.serial_hex()),
                                 HasSubstr("CallManager-trust")));
  EXPECT_EQ(FilesUnder("/etc/certificates").size(), 1u);
}

TEST_F(CertificateKindTest, AStoreWithOnePerSubjectShowsWhatMakesRoomForANewerOne) {
  node().host.layout.one_per_subject = {"CallManager-trust"};
  UnitOptions older, newer;
  older.not_before = Day(2021);
  newer.not_before = Day(2023);
  const Certificate old_one = TestPki::UnitCertificate("cucm-pub", older);
  const Certificate new_one = TestPki::UnitCertificate("cucm-pub", newer);
  files().Put(TwoClusters::PathOf("CallManager-trust", old_one), old_one.ToPem());
  const v1::ResourcePlan plan = OnlyRow(node().Plan({Trust("CallManager-trust", new_one)}));
  ASSERT_EQ(plan.changes_size(), 2);
  EXPECT_THAT(TextOf(plan), HasSubstr("makes room"));
  EXPECT_EQ(OnlyRow(node().Apply({Trust("CallManager-trust", new_one)})).outcome(),
            v1::OUTCOME_CHANGED);
  EXPECT_EQ(FilesUnder("/etc/certificates"),
            (std::vector<std::string>{TwoClusters::PathOf("CallManager-trust", new_one)}));
}

TEST_F(CertificateKindTest, WarnsOfABrokenFileInTheStore) {
  files().Put("/etc/certificates/CallManager-trust/broken.pem", std::string("torn"));
  const v1::ResourceOutcome row =
      OnlyRow(node().Apply({Trust("CallManager-trust", TestPki::UnitCertificate("a"))}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED);
  EXPECT_THAT(TextOf(row), HasSubstr("/etc/certificates/CallManager-trust/broken.pem"));
}

TEST_F(CertificateKindTest, PresentAndAbsentOfOneCertificateInTwoPlaybooksCollide) {
  const v1::Resource resource = Trust("CallManager-trust", TestPki::UnitCertificate("a"));
  for (const auto& kind : world_.kinds) {
    if (kind->name() != "certificate") continue;
    EXPECT_EQ(kind->Claims(resource), kind->Claims(Absent(resource)));
    EXPECT_EQ(kind->Claims(resource).size(), 1u);
  }
}

}  // namespace
}  // namespace trustline::agent
