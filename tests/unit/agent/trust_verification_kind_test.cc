#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/tvs_config.h"
#include "tests/fakes/two_clusters.h"
#include "trust/tvs/tvs_responder.h"

namespace trustline::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::TestPki;
using testing::UnitOptions;

constexpr char kConfig[] = "/etc/trustline/tvs/tvs.yaml";
constexpr char kCertificate[] = "/etc/trustline/tvs/tvs.pem";
constexpr char kKey[] = "/etc/trustline/tvs/tvs.key";

class TrustVerificationKindTest : public ::testing::Test {
 protected:
  TrustVerificationKindTest() {
    host().services.Add("tvs", /*running=*/false);
    // As the service would: from the node's stores, now.
    host().tvs.answer = [this](const TvsAddress& address, const TvsRequest& request) {
      asked_at_ = address.Text();
      return absl::StatusOr<TvsReply>(TvsResponder(stores_, {}).Answer(request));
    };
  }

  static v1::Resource Tvs() {
    v1::Resource resource;
    v1::TrustVerificationSpec& spec = *resource.mutable_trust_verification();
    spec.set_directory("/etc/trustline/tvs");
    spec.set_service("tvs");
    spec.set_listen("0.0.0.0:2445");
    spec.set_compatibility(v1::TVS_COMPATIBILITY_LEGACY_PHONES);
    spec.set_ttl_seconds(600);
    spec.set_max_connections(100);
    spec.set_connection_seconds(30);
    spec.set_uid(110);
    spec.set_gid(120);
    return resource;
  }
  Certificate GiveTvs(const UnitOptions& options = {}) {
    const Certificate certificate = world_.GiveIdentity("src-pub", "TVS", options);
    stores_.push_back({"TVS", certificate});
    return certificate;
  }
  v1::ResourceOutcome Apply(const v1::Resource& resource = Tvs()) {
    return OnlyRow(node().Apply({resource}));
  }
  KindHarness& node() { return world_.Node("src-pub"); }
  FakeHost& host() { return node().host; }
  FakeServices::Counts counts() { return host().services.counts("tvs"); }
  std::string Bytes(const char* path) { return host().files.Read(path).value().bytes; }

  TwoClusters world_;
  std::vector<TrustedCertificate> stores_;
  std::string asked_at_;
};

TEST_F(TrustVerificationKindTest, InstallsStartsAndAsks) {
  const Certificate certificate = GiveTvs();
  EXPECT_EQ(Apply().outcome(), v1::OUTCOME_CHANGED);
  EXPECT_EQ(counts().starts, 1);
  EXPECT_EQ(Bytes(kCertificate), certificate.ToPem());
  const FileImage key = host().files.Read(kKey).value();
  EXPECT_TRUE(PrivateKey::FromPem(key.bytes)->Matches(certificate));
  EXPECT_EQ(key.mode, 0600u);
  EXPECT_EQ(key.uid, 110u);
  EXPECT_EQ(key.gid, 120u);
  const absl::StatusOr<v1::TvsConfig> config = ParseTvsConfig(kConfig, Bytes(kConfig));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->listen(), "0.0.0.0:2445");
  EXPECT_EQ(config->certificate(), kCertificate);
  EXPECT_EQ(config->key(), kKey);
  EXPECT_EQ(config->stores(), "/etc/certificates");
  EXPECT_EQ(config->compatibility(), v1::TVS_COMPATIBILITY_LEGACY_PHONES);
  EXPECT_EQ(config->ttl_seconds(), 600u);
  EXPECT_EQ(config->uid(), 110u);
  EXPECT_FALSE(config->mixed_mode());
  EXPECT_EQ(asked_at_, "127.0.0.1:2445");
  // Nothing to do, but asked again.
  const int asked = host().tvs.asked;
  EXPECT_EQ(Apply().outcome(), v1::OUTCOME_UNCHANGED);
  EXPECT_GT(host().tvs.asked, asked);
  EXPECT_EQ(counts().starts + counts().restarts, 1);
}

TEST_F(TrustVerificationKindTest, RestartsWhenConfigurationOrFilesDiffer) {
  GiveTvs();
  Apply();
  v1::Resource other = Tvs();
  other.mutable_trust_verification()->set_ttl_seconds(60);
  EXPECT_EQ(Apply(other).outcome(), v1::OUTCOME_CHANGED);
  EXPECT_EQ(counts().restarts, 1);
  const std::vector<std::function<void()>> damages = {
      [&] { host().files.Put(kConfig, std::string("listen: 0.0.0.0:1\n")); },
      [&] { host().files.Erase(kKey); },
      [&] {
        FileImage open = host().files.Read(kKey).value();
        open.mode = 0644;
        host().files.Put(kKey, open);
      },
      [&] { host().files.Put(kCertificate, TestPki::UnitCertificate("other").ToPem()); }};
  int restarts = 1;
  for (const auto& damage : damages) {
    damage();
    EXPECT_EQ(Apply(other).outcome(), v1::OUTCOME_CHANGED);
    EXPECT_EQ(counts().restarts, ++restarts);
    EXPECT_EQ(Apply(other).outcome(), v1::OUTCOME_UNCHANGED);
  }
  host().services.SetRunning("tvs", false);
  EXPECT_EQ(Apply(other).outcome(), v1::OUTCOME_CHANGED);
  EXPECT_EQ(counts().starts, 2);
}

TEST_F(TrustVerificationKindTest, MixedModeComesFromTheTopology) {
  for (v1::Cluster& cluster : *world_.topology.mutable_clusters()) {
    cluster.set_security_mode(v1::SECURITY_MODE_MIXED);
  }
  // The node's harness was made with the topology before.
  world_.Node("src-sub1").host.services.Add("tvs", false);
  world_.Node("src-sub1").host.tvs.answer = [](const TvsAddress&, const TvsRequest&) {
    TvsReply reply;
    reply.roles = {static_cast<uint8_t>(ListRole::kTvs)};
    return absl::StatusOr<TvsReply>(reply);
  };
  world_.GiveIdentity("src-sub1", "TVS");
  EXPECT_EQ(OnlyRow(world_.Node("src-sub1").Apply({Tvs()})).outcome(), v1::OUTCOME_CHANGED);
  EXPECT_THAT(world_.Node("src-sub1").host.files.Read(kConfig)->bytes,
              HasSubstr("mixed_mode: true"));
}

TEST_F(TrustVerificationKindTest, AMissingCertificateIsRefusedWithTheLineToWrite) {
  const v1::ResourceOutcome row = Apply();
  EXPECT_EQ(row.outcome(), v1::OUTCOME_REFUSED);
  EXPECT_THAT(TextOf(row), HasSubstr("- certificate: { unit: TVS, purpose: identity, generate: { "
                                     "common_name: src-pub } }"));
  EXPECT_EQ(host().files.Snapshot().count(kKey), 0u);
  EXPECT_EQ(counts().starts, 0);
}

TEST_F(TrustVerificationKindTest, ACertificateOfTheSamePlayIsWaitedFor) {
  v1::Resource identity;
  identity.set_id("identity");
  identity.mutable_certificate()->set_unit("TVS");
  identity.mutable_certificate()->set_purpose(v1::CERTIFICATE_PURPOSE_IDENTITY);
  identity.mutable_certificate()->set_state(v1::PRESENCE_PRESENT);
  identity.mutable_certificate()->mutable_generate()->set_common_name("src-pub");
  identity.mutable_certificate()->mutable_generate()->set_rsa_bits(1024);
  identity.mutable_certificate()->mutable_generate()->set_days(30);
  const absl::StatusOr<v1::Plan> plan = node().Plan({identity, Tvs()});
  ASSERT_TRUE(plan.ok()) << plan.status();
  bool seen = false;
  for (const v1::ResourcePlan& row : plan->resources()) {
    if (!absl::StartsWith(row.id(), "trust_verification")) continue;
    seen = true;
    EXPECT_EQ(row.outcome(), v1::OUTCOME_PENDING) << row.DebugString();
  }
  EXPECT_TRUE(seen);
}

TEST_F(TrustVerificationKindTest, OfSeveralCertificatesTheServedOneStaysAndNoneIsChosenBlindly) {
  const Certificate first = GiveTvs();
  Apply();
  const Certificate second = GiveTvs();
  EXPECT_EQ(Apply().outcome(), v1::OUTCOME_UNCHANGED);
  EXPECT_EQ(Bytes(kCertificate), first.ToPem());
  host().files.Erase(kCertificate);
  const v1::ResourceOutcome row = Apply();
  EXPECT_EQ(row.outcome(), v1::OUTCOME_REFUSED);
  EXPECT_THAT(TextOf(row), HasSubstr(first.serial_hex()));
  EXPECT_THAT(TextOf(row), HasSubstr(second.serial_hex()));
}

TEST_F(TrustVerificationKindTest, AnExpiredCertificateIsReported) {
  UnitOptions expired;
  expired.not_after = absl::FromCivil(absl::CivilDay(2024, 1, 1), absl::UTCTimeZone());
  GiveTvs(expired);
  const v1::ResourceOutcome row = Apply();
  EXPECT_EQ(row.outcome(), v1::OUTCOME_CHANGED);
  EXPECT_THAT(TextOf(row), HasSubstr("expired on 2024-01-01; phones may refuse this service"));
}

TEST_F(TrustVerificationKindTest, AServiceThatDoesNotAnswerPutsEverythingBack) {
  GiveTvs();
  host().tvs.answer = nullptr;
  const v1::ResourceOutcome row = Apply();
  EXPECT_NE(row.outcome(), v1::OUTCOME_CHANGED);
  EXPECT_THAT(TextOf(row), HasSubstr("does not answer as it should"));
  EXPECT_EQ(host().files.Snapshot().count(kKey), 0u);
  EXPECT_EQ(host().files.Snapshot().count(kConfig), 0u);
}

TEST_F(TrustVerificationKindTest, EverySignerPhonesMayNeedMustBeVouchedForWithTheSastRole) {
  GiveTvs();
  const Certificate signer = TestPki::UnitCertificate("ITLRECOVERY_dst-pub");
  host().files.Put(TwoClusters::PathOf("Phone-SAST-trust", signer), signer.ToPem());
  stores_.push_back({"CallManager-trust", signer});  // all the service knows
  EXPECT_THAT(TextOf(Apply()), HasSubstr("without the role System Administrator Security Token"));
  stores_.push_back({"Phone-SAST-trust", signer});
  EXPECT_EQ(Apply().outcome(), v1::OUTCOME_CHANGED);
  EXPECT_EQ(Apply().outcome(), v1::OUTCOME_UNCHANGED);
}

TEST_F(TrustVerificationKindTest, NoSignerIsLeftOutHoweverManyThereAre) {
  GiveTvs();
  std::vector<Certificate> signers;
  for (int i = 0; i < 250; ++i) {
    signers.push_back(TestPki::UnitCertificate(absl::StrCat("signer", i)));
    host().files.Put(TwoClusters::PathOf("Phone-SAST-trust", signers.back()),
                     signers.back().ToPem());
  }
  std::sort(signers.begin(), signers.end());
  for (const Certificate& signer : signers) {
    if (!(signer == signers.back())) stores_.push_back({"Phone-SAST-trust", signer});
  }
  EXPECT_THAT(TextOf(Apply()), HasSubstr(signers.back().sha256_hex().substr(0, 16)));
  stores_.push_back({"Phone-SAST-trust", signers.back()});
  EXPECT_EQ(Apply().outcome(), v1::OUTCOME_CHANGED);
}

TEST_F(TrustVerificationKindTest, RollbackRestartsWithTheFilesBefore) {
  GiveTvs();
  Apply();
  const std::string before = Bytes(kConfig);
  v1::Resource other = Tvs();
  other.mutable_trust_verification()->set_ttl_seconds(60);
  Apply(other);
  ASSERT_TRUE(node().Rollback().ok());
  EXPECT_EQ(Bytes(kConfig), before);
  EXPECT_EQ(counts().restarts, 2);
}

TEST_F(TrustVerificationKindTest, WhatTheServiceWouldRefuseIsRefusedBefore) {
  GiveTvs();
  v1::Resource bad = Tvs();
  bad.mutable_trust_verification()->set_connection_seconds(0);
  EXPECT_EQ(Apply(bad).outcome(), v1::OUTCOME_REFUSED);
  bad = Tvs();
  bad.mutable_trust_verification()->set_listen("0.0.0.0:0");
  EXPECT_EQ(Apply(bad).outcome(), v1::OUTCOME_REFUSED);
  bad.mutable_trust_verification()->set_listen("300.0.0.0:2445");
  EXPECT_EQ(Apply(bad).outcome(), v1::OUTCOME_REFUSED);
}

TEST(TvsConfig, WhatIsWrittenIsReadBack) {
  v1::TvsConfig config;
  config.set_listen("127.0.0.1:2445");
  config.set_certificate("/a \"quoted\" \\ path/tvs.pem");
  config.set_key("/k");
  config.set_stores("/s");
  config.set_mixed_mode(true);
  config.set_compatibility(v1::TVS_COMPATIBILITY_LEGACY_PHONES);
  config.set_ttl_seconds(1);
  config.set_max_connections(2);
  config.set_connection_seconds(3);
  config.set_threads(4);
  config.set_uid(5);
  config.set_gid(6);
  config.set_drain_seconds(7);
  config.set_port_file("/p");
  config.set_log_format("json");
  config.set_log_level("debug");
  const absl::StatusOr<v1::TvsConfig> back = ParseTvsConfig("x", *RenderTvsConfig(config));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->SerializeAsString(), config.SerializeAsString());
  config.set_key("/k\n");
  EXPECT_FALSE(RenderTvsConfig(config).ok());
}

TEST(TvsConfig, ErrorsNameThePlace) {
  const auto error = [](const std::string& text) {
    return std::string(ParseTvsConfig("tvs.yaml", "certificate: /c\nkey: /k\nstores: /s\n" + text)
                           .status()
                           .message());
  };
  EXPECT_EQ(error(""), "");
  EXPECT_THAT(error("listen: 0.0.0.0:99999\n"), HasSubstr("tvs.yaml:4:"));
  EXPECT_THAT(error("max_connections: 0\n"), HasSubstr("between 1 and 1000000"));
  EXPECT_THAT(error("threads: 0\n"), HasSubstr("tvs.yaml:4:"));
  EXPECT_THAT(error("gid: 5\n"), HasSubstr("would stay root"));
  EXPECT_THAT(error("compatability: modern\n"), HasSubstr("did you mean \"compatibility\""));
}

}  // namespace
}  // namespace trustline::agent
