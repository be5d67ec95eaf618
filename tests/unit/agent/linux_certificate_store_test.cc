#include "agent/linux_certificate_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>

#include "absl/strings/match.h"
#include "agent/certificate_inventory.h"
#include "tests/fakes/fake_host.h"
#include "tests/fakes/test_pki.h"

namespace trustline::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TestPki;
using testing::UnitOptions;

// Takes what is written down; Commit puts it on the node.
class PlainTransaction : public TransactionBuilder {
 public:
  explicit PlainTransaction(FakeHost& host) : host_(host) {}
  absl::Status WriteFile(const std::string& path, FileImage image) override {
    staged[path] = std::move(image);
    return absl::OkStatus();
  }
  absl::Status RemoveFile(const std::string& path) override {
    staged[path] = std::nullopt;
    return absl::OkStatus();
  }
  absl::StatusOr<FileImage> Upcoming(const std::string& path) const override {
    const auto found = staged.find(path);
    if (found == staged.end()) return host_.files.Read(path);
    if (!found->second) return absl::NotFoundError(path);
    return *found->second;
  }
  absl::StatusOr<std::vector<std::string>> UpcomingList(
      const std::string& directory) const override {
    std::set<std::string> names;
    const absl::StatusOr<std::vector<std::string>> present = host_.files.List(directory);
    if (present.ok()) names.insert(present->begin(), present->end());
    for (const auto& [path, image] : staged) {
      if (path.substr(0, path.rfind('/')) != directory) continue;
      const std::string name = path.substr(path.rfind('/') + 1);
      if (image) {
        names.insert(name);
      } else {
        names.erase(name);
      }
    }
    return std::vector<std::string>(names.begin(), names.end());
  }
  void AddEffect(std::string, std::string,
                 std::function<absl::Status(const Host&, Hubs&)>) override {
    FAIL() << "files need no effect";
  }
  void Commit() {
    for (auto& [path, image] : staged) {
      if (image) {
        host_.files.Put(path, *image);
      } else {
        host_.files.Erase(path);
      }
    }
    staged.clear();
  }

  std::map<std::string, std::optional<FileImage>> staged;

 private:
  FakeHost& host_;
};

class LinuxCertificateStoreTest : public ::testing::Test {
 protected:
  LinuxCertificateStore Store() {
    return LinuxCertificateStore::Open(host_.files, host_.layout).value();
  }
  void Add(const std::string& store, const Certificate& certificate) {
    PlainTransaction transaction(host_);
    ASSERT_TRUE(Store().Add(store, certificate, transaction).ok());
    ASSERT_TRUE(Store().RefreshMergedFiles(store, transaction).ok());
    transaction.Commit();
  }
  std::string PathOf(const std::string& store, const Certificate& certificate) {
    return "/etc/certificates/" + store + "/" + certificate.serial_hex() + "-" +
           certificate.sha256_hex().substr(0, 16) + ".pem";
  }

  FakeHost host_;
};

TEST_F(LinuxCertificateStoreTest, NamesAFileBySerialAndFingerprint) {
  UnitOptions options;
  options.serial = "\x5a\x0f\x91";
  const Certificate certificate = TestPki::UnitCertificate("cucm", options);
  Add("Phone-SAST-trust", certificate);
  const auto files = host_.files.Snapshot();
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files.begin()->first, "/etc/certificates/Phone-SAST-trust/5A0F91-" +
                                      certificate.sha256_hex().substr(0, 16) + ".pem");
  EXPECT_EQ(files.begin()->second.bytes, certificate.ToPem());
  EXPECT_EQ(files.begin()->second.mode, 0644u);
}

TEST_F(LinuxCertificateStoreTest, WritesWithTheOwnerOfTheLayout) {
  host_.layout.certificate_uid = 17;
  host_.layout.certificate_gid = 18;
  Add("CallManager-trust", TestPki::UnitCertificate("cucm"));
  EXPECT_EQ(host_.files.Snapshot().begin()->second.uid, 17u);
  EXPECT_EQ(host_.files.Snapshot().begin()->second.gid, 18u);
}

TEST_F(LinuxCertificateStoreTest, KeepsTwoCertificatesOfOneName) {
  const Certificate a = TestPki::UnitCertificate("cucm");
  const Certificate b = TestPki::UnitCertificate("cucm");
  ASSERT_EQ(a.subject_der(), b.subject_der());
  Add("CallManager-trust", a);
  Add("CallManager-trust", b);
  const StoreContents contents = Store().List("CallManager-trust").value();
  ASSERT_EQ(contents.entries.size(), 2u);
  EXPECT_TRUE(contents.entries[0].certificate < contents.entries[1].certificate);
  EXPECT_THAT(contents.warnings, IsEmpty());
}

TEST_F(LinuxCertificateStoreTest, AddingWhatIsThereChangesNothing) {
  const Certificate certificate = TestPki::UnitCertificate("cucm");
  // The same certificate with words around it, as an administrator may leave it.
  host_.files.Put(PathOf("CallManager-trust", certificate),
                  "subject: cucm\n" + certificate.ToPem());
  PlainTransaction transaction(host_);
  ASSERT_TRUE(Store().Add("CallManager-trust", certificate, transaction).ok());
  const auto before = host_.files.Snapshot();
  transaction.Commit();
  EXPECT_TRUE(host_.files.Snapshot() == before);
}

TEST_F(LinuxCertificateStoreTest, RemovesTheKeyWithItsCertificate) {
  const Certificate certificate = TestPki::UnitCertificate("cucm");
  PlainTransaction transaction(host_);
  ASSERT_TRUE(Store().AddIdentity("tomcat", certificate, TestPki::UnitKey(), transaction).ok());
  transaction.Commit();
  ASSERT_EQ(host_.files.Snapshot().size(), 2u);
  ASSERT_TRUE(Store().Remove("tomcat", certificate, transaction).ok());
  transaction.Commit();
  EXPECT_TRUE(host_.files.Snapshot().empty());
}

TEST_F(LinuxCertificateStoreTest, KeepsAnOwnKeyBesideItsCertificateForNobodyElse) {
  const Certificate certificate = TestPki::UnitCertificate("cucm");
  PlainTransaction transaction(host_);
  ASSERT_TRUE(
      Store().AddIdentity("CallManager", certificate, TestPki::UnitKey(), transaction).ok());
  transaction.Commit();
  std::string key_path = PathOf("CallManager", certificate);
  key_path.replace(key_path.size() - 4, 4, ".key");
  EXPECT_EQ(host_.files.Snapshot().at(key_path).mode, 0600u);
  const StoreContents contents = Store().List("CallManager").value();
  ASSERT_EQ(contents.entries.size(), 1u);
  EXPECT_TRUE(contents.entries[0].key_matches);
  EXPECT_TRUE(Store().KeyOf(contents.entries[0])->Matches(certificate));
}

TEST_F(LinuxCertificateStoreTest, RefusesAKeyOfAnotherCertificate) {
  const PrivateKey other = PrivateKey::GenerateEcP256().value();
  PlainTransaction transaction(host_);
  const absl::Status status =
      Store().AddIdentity("tomcat", TestPki::UnitCertificate("cucm"), other, transaction);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_TRUE(transaction.staged.empty());
}

TEST_F(LinuxCertificateStoreTest, ReportsAKeyThatDoesNotMatchAndOneThatOthersMayRead) {
  const Certificate certificate = TestPki::UnitCertificate("cucm");
  const std::string path = PathOf("CallManager", certificate);
  const std::string key_path = path.substr(0, path.size() - 4) + ".key";
  host_.files.Put(path, certificate.ToPem());
  host_.files.Put(key_path, PrivateKey::GenerateEcP256()->ToPkcs8Pem());
  const StoreContents contents = Store().List("CallManager").value();
  ASSERT_EQ(contents.entries.size(), 1u);
  EXPECT_TRUE(contents.entries[0].has_key);
  EXPECT_FALSE(contents.entries[0].key_matches);
  EXPECT_THAT(contents.unreadable, ElementsAre(key_path));
  ASSERT_EQ(contents.warnings.size(), 2u);
  for (const std::string& warning : contents.warnings) {
    EXPECT_THAT(warning, HasSubstr(key_path));
    EXPECT_FALSE(absl::StrContains(warning, "PRIVATE KEY-----"));
  }
}

TEST_F(LinuxCertificateStoreTest, NamesAFileThatCannotBeReadAndLeavesForeignOnesAlone) {
  const Certificate certificate = TestPki::UnitCertificate("cucm");
  Add("CallManager-trust", certificate);
  const std::string torn = "/etc/certificates/CallManager-trust/0A-0123456789abcdef.pem";
  const std::string foreign = "/etc/certificates/CallManager-trust/notes.pem";
  host_.files.Put(torn, certificate.ToPem().substr(0, 100));
  host_.files.Put(foreign, std::string("not a certificate"));
  host_.files.Put("/etc/certificates/CallManager-trust/README", std::string("hello"));
  host_.files.Put("/etc/certificates/CallManager-trust/by-hand.pem",
                  TestPki::UnitCertificate("other").ToPem());
  const StoreContents contents = Store().List("CallManager-trust").value();
  ASSERT_EQ(contents.entries.size(), 1u);
  EXPECT_TRUE(contents.entries[0].certificate == certificate);
  EXPECT_THAT(contents.unreadable, ElementsAre(torn));
  EXPECT_THAT(contents.warnings, ElementsAre(HasSubstr(torn), HasSubstr(foreign)));
}

TEST_F(LinuxCertificateStoreTest, DoesNotBelieveAFileThatHoldsAnotherCertificateThanItsName) {
  const Certificate wanted = TestPki::UnitCertificate("cucm");
  host_.files.Put(PathOf("CallManager-trust", wanted),
                  TestPki::UnitCertificate("intruder").ToPem());
  const StoreContents contents = Store().List("CallManager-trust").value();
  EXPECT_TRUE(contents.entries.empty());
  EXPECT_THAT(contents.warnings, ElementsAre(HasSubstr("another certificate")));
  Add("CallManager-trust", wanted);
  EXPECT_EQ(Store().List("CallManager-trust")->entries.size(), 1u);
}

TEST_F(LinuxCertificateStoreTest, NoStoreNameLeadsOutOfTheRoot) {
  PlainTransaction transaction(host_);
  for (const char* name : {"", "..", "a/b", "../etc", "/etc", ".hidden", "a\nb"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Store().List(name).status())) << name;
    EXPECT_TRUE(
        absl::IsInvalidArgument(Store().Add(name, TestPki::UnitCertificate("cucm"), transaction)))
        << name;
  }
  EXPECT_TRUE(transaction.staged.empty());
}

TEST_F(LinuxCertificateStoreTest, ANodeWithoutRootKeepsNoCertificates) {
  host_.layout.certificate_root.clear();
  EXPECT_TRUE(
      absl::IsFailedPrecondition(LinuxCertificateStore::Open(host_.files, host_.layout).status()));
  EXPECT_TRUE(ListCertificates(host_.host().view())->empty());
}

TEST_F(LinuxCertificateStoreTest, MergedFileRepeatsTheStoreInOrder) {
  host_.layout.merged_files["CallManager-trust"] = "/etc/merged.pem";
  const Certificate a = TestPki::UnitCertificate("a"), b = TestPki::UnitCertificate("b");
  Add("CallManager-trust", a);
  Add("CallManager-trust", b);
  const Certificate& first = a < b ? a : b;
  const Certificate& second = a < b ? b : a;
  EXPECT_EQ(host_.files.Read("/etc/merged.pem")->bytes, first.ToPem() + second.ToPem());
  EXPECT_TRUE(Store().PresentMergedFiles("CallManager-trust")->at(0).complete());
}

TEST_F(LinuxCertificateStoreTest, MergedFileKeepsItsModeAndShowsRemovals) {
  host_.layout.merged_files["CallManager-trust"] = "/etc/merged.pem";
  FileImage edited;
  edited.bytes = "edited by hand\n";
  edited.mode = 0640;
  host_.files.Put("/etc/merged.pem", edited);
  EXPECT_FALSE(Store().PresentMergedFiles("CallManager-trust")->at(0).complete());
  const Certificate a = TestPki::UnitCertificate("a"), b = TestPki::UnitCertificate("b");
  Add("CallManager-trust", a);
  EXPECT_EQ(host_.files.Read("/etc/merged.pem")->mode, 0640u);
  PlainTransaction transaction(host_);
  ASSERT_TRUE(Store().Add("CallManager-trust", b, transaction).ok());
  ASSERT_TRUE(Store().Remove("CallManager-trust", a, transaction).ok());
  ASSERT_TRUE(Store().RefreshMergedFiles("CallManager-trust", transaction).ok());
  transaction.Commit();
  EXPECT_EQ(host_.files.Read("/etc/merged.pem")->bytes, b.ToPem());
}

TEST_F(LinuxCertificateStoreTest, OnlyAStoreThatKeepsOnePerSubjectHasConflicts) {
  UnitOptions older, newer;
  older.not_before = absl::FromCivil(absl::CivilDay(2021, 1, 1), absl::UTCTimeZone());
  newer.not_before = absl::FromCivil(absl::CivilDay(2023, 1, 1), absl::UTCTimeZone());
  const Certificate old_one = TestPki::UnitCertificate("cucm", older);
  const Certificate new_one = TestPki::UnitCertificate("cucm", newer);
  Add("CallManager-trust", new_one);
  const StoreContents contents = Store().List("CallManager-trust").value();
  EXPECT_THAT(FindSubjectConflicts(Store(), "CallManager-trust", {old_one}, contents).refusals,
              IsEmpty());
  host_.layout.one_per_subject = {"CallManager-trust"};
  const SubjectConflicts conflicts =
      FindSubjectConflicts(Store(), "CallManager-trust", {old_one}, contents);
  ASSERT_EQ(conflicts.refusals.size(), 1u);
  EXPECT_THAT(conflicts.refusals[0], HasSubstr(old_one.serial_hex()));
  EXPECT_THAT(conflicts.refusals[0], HasSubstr(new_one.serial_hex()));
  EXPECT_THAT(conflicts.refusals[0], HasSubstr("CallManager-trust"));
}

TEST_F(LinuxCertificateStoreTest, InventoryListsStoresAndOwnCertificates) {
  const Certificate trusted = TestPki::UnitCertificate("a"), own = TestPki::UnitCertificate("b");
  Add("CallManager-trust", trusted);
  PlainTransaction transaction(host_);
  ASSERT_TRUE(Store().AddIdentity("CallManager", own, TestPki::UnitKey(), transaction).ok());
  transaction.Commit();
  host_.files.Put("/etc/certificates/README", std::string("plain file among the stores"));
  const auto statuses = ListCertificates(host_.host().view()).value();
  ASSERT_EQ(statuses.size(), 2u);
  EXPECT_EQ(statuses[0].store(), "CallManager");
  EXPECT_TRUE(statuses[0].own());
  EXPECT_EQ(statuses[0].serial(), own.serial_hex());
  EXPECT_EQ(statuses[1].store(), "CallManager-trust");
  EXPECT_FALSE(statuses[1].own());
  EXPECT_EQ(statuses[1].subject(), trusted.subject());
  EXPECT_EQ(statuses[1].not_after_unix(), absl::ToUnixSeconds(trusted.not_after()));
}

}  // namespace
}  // namespace trustline::agent
