#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/two_clusters.h"

namespace trustline::agent {
namespace {

using ::testing::HasSubstr;
using testing::TestPki;

class ServiceKindTest : public ::testing::Test {
 protected:
  ServiceKindTest() { host().services.Add("tvs", /*running=*/true); }

  static v1::Resource Service(v1::ServiceCondition state = v1::SERVICE_CONDITION_RESTARTED,
                              const std::string& id = "service tvs") {
    v1::Resource resource;
    resource.set_id(id);
    resource.mutable_service()->set_name("tvs");
    resource.mutable_service()->set_state(state);
    return resource;
  }
  // A certificate and the service it notifies.
  static std::vector<v1::Resource> Notified(
      const Certificate& certificate,
      v1::ServiceCondition state = v1::SERVICE_CONDITION_RESTARTED) {
    v1::Resource trust;
    trust.set_id("trust");
    trust.mutable_certificate()->set_unit("CallManager-trust");
    trust.mutable_certificate()->set_purpose(v1::CERTIFICATE_PURPOSE_TRUST);
    trust.mutable_certificate()->set_state(v1::PRESENCE_PRESENT);
    trust.mutable_certificate()->set_pem(certificate.ToPem());
    v1::Resource service = Service(state);
    service.add_notified_by("trust");
    return {trust, service};
  }
  static const v1::ResourceOutcome& Row(const absl::StatusOr<v1::StageReport>& report) {
    static const v1::ResourceOutcome none;
    EXPECT_TRUE(report.ok()) << report.status();
    if (!report.ok()) return none;
    for (const v1::ResourceOutcome& row : report->resources()) {
      if (row.kind() == "service") return row;
    }
    return none;
  }
  KindHarness& node() { return world_.Node("src-pub"); }
  FakeHost& host() { return node().host; }
  FakeServices::Counts counts() { return host().services.counts("tvs"); }

  TwoClusters world_;
};

TEST_F(ServiceKindTest, StartsAServiceThatDoesNotRun) {
  host().services.SetRunning("tvs", false);
  EXPECT_EQ(OnlyRow(node().Apply({Service(v1::SERVICE_CONDITION_STARTED)})).outcome(),
            v1::OUTCOME_CHANGED);
  EXPECT_EQ(counts().starts, 1);
  EXPECT_EQ(OnlyRow(node().Apply({Service(v1::SERVICE_CONDITION_STARTED)})).outcome(),
            v1::OUTCOME_UNCHANGED);
  EXPECT_EQ(counts().starts, 1);
}

TEST_F(ServiceKindTest, RestartsOnceForEachChangeOfWhatNotifiesIt) {
  const Certificate a = TestPki::UnitCertificate("a"), b = TestPki::UnitCertificate("b");
  EXPECT_EQ(Row(node().Apply(Notified(a))).outcome(), v1::OUTCOME_CHANGED);
  EXPECT_EQ(counts().restarts, 1);
  EXPECT_EQ(Row(node().Apply(Notified(a))).outcome(), v1::OUTCOME_UNCHANGED);
  EXPECT_EQ(counts().restarts, 1);
  EXPECT_EQ(Row(node().Apply(Notified(b))).outcome(), v1::OUTCOME_CHANGED);
  EXPECT_EQ(counts().restarts, 2);
}

TEST_F(ServiceKindTest, ContentThatComesBackIsLoadedAgain) {
  const Certificate a = TestPki::UnitCertificate("a");
  EXPECT_EQ(Row(node().Apply(Notified(a))).outcome(), v1::OUTCOME_CHANGED);
  // Removed by hand; whoever restarts the service now makes it load a store without it.
  host().files.Erase(TwoClusters::PathOf("CallManager-trust", a));
  EXPECT_EQ(Row(node().Apply(Notified(a))).outcome(), v1::OUTCOME_CHANGED);
  EXPECT_EQ(counts().restarts, 2);
  EXPECT_EQ(Row(node().Apply(Notified(a))).outcome(), v1::OUTCOME_UNCHANGED);
}

TEST_F(ServiceKindTest, ReloadsWhereThatIsEnough) {
  const Certificate a = TestPki::UnitCertificate("a");
  EXPECT_EQ(Row(node().Apply(Notified(a, v1::SERVICE_CONDITION_RELOADED))).outcome(),
            v1::OUTCOME_CHANGED);
  EXPECT_EQ(counts().reloads, 1);
  EXPECT_EQ(counts().restarts, 0);
}

TEST_F(ServiceKindTest, TheServiceSeesTheFilesThatNotifiedIt) {
  const Certificate a = TestPki::UnitCertificate("a");
  bool saw = false;
  host().services.Add("tvs", true, [&] {
    saw = host().files.Read(TwoClusters::PathOf("CallManager-trust", a)).ok();
  });
  ASSERT_EQ(Row(node().Apply(Notified(a))).outcome(), v1::OUTCOME_CHANGED);
  EXPECT_TRUE(saw);
}

TEST_F(ServiceKindTest, NothingNotifiesSoNothingIsOwed) {
  EXPECT_EQ(OnlyRow(node().Apply({Service()})).outcome(), v1::OUTCOME_UNCHANGED);
  EXPECT_EQ(counts().restarts, 0);
}

TEST_F(ServiceKindTest, FailedRestartIsOwedAndTheFilesGoBack) {
  const Certificate a = TestPki::UnitCertificate("a");
  host().services.SetFailure("tvs", absl::UnavailableError("the unit is masked"));
  const absl::StatusOr<v1::StageReport> failed = node().Apply(Notified(a));
  EXPECT_EQ(Row(failed).outcome(), v1::OUTCOME_FAILED) << failed->DebugString();
  EXPECT_THAT(TextOf(Row(failed)), HasSubstr("the unit is masked"));
  EXPECT_FALSE(host().files.Read(TwoClusters::PathOf("CallManager-trust", a)).ok());
  host().services.SetFailure("tvs", absl::OkStatus());
  EXPECT_EQ(Row(node().Apply(Notified(a))).outcome(), v1::OUTCOME_CHANGED);
  EXPECT_EQ(Row(node().Apply(Notified(a))).outcome(), v1::OUTCOME_UNCHANGED);
}

TEST_F(ServiceKindTest, UnknownServiceIsNamed) {
  v1::Resource resource = Service(v1::SERVICE_CONDITION_STARTED);
  resource.mutable_service()->set_name("no-such");
  const v1::ResourceOutcome row = OnlyRow(node().Apply({resource}));
  EXPECT_EQ(row.outcome(), v1::OUTCOME_FAILED);
  EXPECT_THAT(TextOf(row), HasSubstr("no-such"));
  EXPECT_THAT(TextOf(row), HasSubstr("agent.yaml"));
}

TEST_F(ServiceKindTest, TwoHandlersOfOneServiceDoNotOweEachOtherARestart) {
  const auto resources = [] {
    static const Certificate a = TestPki::UnitCertificate("a"), b = TestPki::UnitCertificate("b");
    std::vector<v1::Resource> all = Notified(a);
    std::vector<v1::Resource> more = Notified(b);
    more[0].set_id("trust 2");
    more[1].set_id("service tvs 2");
    more[1].clear_notified_by();
    more[1].add_notified_by("trust 2");
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  ASSERT_TRUE(node().Apply(resources()).ok());
  const int restarts = counts().restarts;
  const absl::StatusOr<v1::StageReport> second = node().Apply(resources());
  for (const v1::ResourceOutcome& row : second->resources()) {
    EXPECT_EQ(row.outcome(), v1::OUTCOME_UNCHANGED) << TextOf(row);
  }
  EXPECT_EQ(counts().restarts, restarts);
}

TEST_F(ServiceKindTest, ALostRecordOwesARestart) {
  const Certificate a = TestPki::UnitCertificate("a");
  ASSERT_EQ(Row(node().Apply(Notified(a))).outcome(), v1::OUTCOME_CHANGED);
  for (const auto& [path, image] : host().files.Snapshot()) {
    if (path.find("/kinds/service/") != std::string::npos) host().files.Erase(path);
  }
  EXPECT_EQ(Row(node().Apply(Notified(a))).outcome(), v1::OUTCOME_CHANGED);
  EXPECT_EQ(counts().restarts, 2);
}

TEST_F(ServiceKindTest, UndoRestartsWithTheOldFilesAndKeepsTheDebtUntilThatWorked) {
  const ResourceKind* kind = nullptr;
  for (const auto& candidate : world_.kinds) {
    if (candidate->name() == "service") kind = candidate.get();
  }
  ASSERT_NE(kind, nullptr);
  const std::string record = "/var/lib/trustline/kinds/service/tvs.x.loaded";
  const std::string undo = "restart\ntvs\n" + record;
  host().files.Put(record, std::string("old-digest\n"));
  EXPECT_TRUE(kind->Undo(undo, host().host()).ok());
  EXPECT_EQ(host().files.Read(record)->bytes, "old-digest\n");
  EXPECT_EQ(counts().restarts, 1);
  host().services.SetFailure("tvs", absl::UnavailableError("no"));
  EXPECT_FALSE(kind->Undo(undo, host().host()).ok());
  EXPECT_TRUE(absl::IsNotFound(host().files.Read(record).status()));
}

}  // namespace
}  // namespace trustline::agent
