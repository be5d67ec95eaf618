#include "trust/identity.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/fakes/test_pki.h"

namespace trustline {
namespace {

using testing::TestPki;

TEST(Identity, UriRoundTrips) {
  const Identity agent{"example.test", IdentityKind::kAgent, "dst-pub"};
  EXPECT_EQ(agent.ToUri(), "trustline://example.test/agent/dst-pub");
  EXPECT_EQ(*ParseIdentityUri(agent.ToUri()), agent);
  const Identity op{"example.test", IdentityKind::kOperator, "jane.doe"};
  EXPECT_EQ(*ParseIdentityUri("trustline://example.test/operator/jane.doe"), op);
}

TEST(Identity, AnythingElseIsRefused) {
  for (const std::string uri : {"",
                                "trustline://",
                                "trustline://d/agent",
                                "trustline://d/agent/",
                                "trustline://d/agent/n/",
                                "trustline://d/agent/n/x",
                                "trustline://d/admin/n",
                                "trustline:///agent/n",
                                "trustline://d/Agent/n",
                                "TRUSTLINE://d/agent/n",
                                "https://d/agent/n",
                                "trustline://d/agent/-n",
                                "trustline://d/agent/n.",
                                "trustline://d/agent/a b",
                                "trustline://d/agent/a%2fb",
                                "trustline://u@d/agent/n",
                                "trustline://d:1/agent/n",
                                "trustline://d/agent/n?x",
                                "trustline://d/agent/n#x",
                                " trustline://d/agent/n",
                                "trustline://d/agent/n\n",
                                "trustline://d/agent/\xc3\xa4"}) {
    EXPECT_EQ(ParseIdentityUri(uri).status().code(), absl::StatusCode::kInvalidArgument) << uri;
  }
  EXPECT_FALSE(ParseIdentityUri(std::string("trustline://d/agent/n\0", 22)).ok());
  EXPECT_FALSE(ParseIdentityUri("trustline://d/agent/" + std::string(254, 'n')).ok());
  EXPECT_TRUE(ParseIdentityUri("trustline://d/agent/" + std::string(253, 'n')).ok());
}

TEST(Identity, IsReadFromTheCertificate) {
  const TestPki pki("example.test");
  EXPECT_EQ(*IdentityOf(pki.AgentIdentity("dst-pub").certificate),
            (Identity{"example.test", IdentityKind::kAgent, "dst-pub"}));
  EXPECT_EQ(*IdentityOf(pki.OperatorIdentity("jane").certificate),
            (Identity{"example.test", IdentityKind::kOperator, "jane"}));
}

TEST(Identity, CertificateWithoutOneIsRefused) {
  const TestPki pki;
  EXPECT_EQ(IdentityOf(pki.authority.certificate).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(IdentityOf(TestPki::UnitCertificate("x")).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(VerifyChain, AcceptsOneOfSeveralAuthorities) {
  const TestPki pki, other;
  const Certificate certificate = pki.AgentIdentity("n").certificate;
  EXPECT_TRUE(VerifyChain(certificate, pki.roots(), TestPki::SomeTime()).ok());
  // Both authorities have the same name: a changed CA keeps it.
  EXPECT_TRUE(VerifyChain(certificate, {other.authority.certificate, pki.authority.certificate},
                          TestPki::SomeTime())
                  .ok());
  EXPECT_TRUE(VerifyChain(certificate, {pki.authority.certificate, other.authority.certificate},
                          TestPki::SomeTime())
                  .ok());
}

TEST(VerifyChain, ForeignAuthorityWithTheSameNameIsRefused) {
  const TestPki pki, other;
  const absl::Status status =
      VerifyChain(pki.AgentIdentity("n").certificate, other.roots(), TestPki::SomeTime());
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(absl::StrContains(status.message(), "was not issued by the trusted authority"))
      << status;
}

TEST(VerifyChain, NoAuthorityMeansNobodyIsTrusted) {
  const TestPki pki;
  EXPECT_EQ(VerifyChain(pki.AgentIdentity("n").certificate, {}, TestPki::SomeTime()).code(),
            absl::StatusCode::kPermissionDenied);
}

TEST(VerifyChain, SelfSignedIsRefused) {
  const TestPki pki;
  const absl::Status status =
      VerifyChain(TestPki::UnitCertificate("x"), pki.roots(), TestPki::SomeTime());
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(absl::StrContains(status.message(), "was not issued by")) << status;
}

TEST(VerifyChain, TimeIsTheGivenOne) {
  const TestPki pki;
  const absl::Time from = absl::FromCivil(absl::CivilDay(2030, 1, 1), absl::UTCTimeZone());
  const Certificate certificate =
      pki.Issue({pki.domain, IdentityKind::kAgent, "n"}, from, absl::Hours(24)).certificate;
  EXPECT_TRUE(VerifyChain(certificate, pki.roots(), from + absl::Hours(1)).ok());
  const absl::Status late = VerifyChain(certificate, pki.roots(), from + absl::Hours(25));
  EXPECT_EQ(late.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(late.message(), "certificate CN=n expired on 2030-01-02 00:00:00 UTC");
  const absl::Status early = VerifyChain(certificate, pki.roots(), from - absl::Hours(1));
  EXPECT_EQ(early.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(early.message(),
            "certificate CN=n is valid only from 2030-01-01 00:00:00 UTC; the time here is "
            "2029-12-31 23:00:00 UTC");
}

TEST(VerifyChain, ExpiredAuthorityIsNamed) {
  const TestPki pki;
  const auto authority = MakeAuthority("example.test", TestPki::ValidFrom(), absl::Hours(48));
  ASSERT_TRUE(authority.ok());
  TestPki old = pki;
  old.authority = *authority;
  const Certificate certificate =
      old.Issue({"example.test", IdentityKind::kAgent, "n"}, TestPki::ValidFrom(), absl::Hours(48))
          .certificate;
  const absl::Status status =
      VerifyChain(certificate, old.roots(), TestPki::ValidFrom() + absl::Hours(49));
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(absl::StrContains(status.message(), "expired on 2020-01-03")) << status;
}

}  // namespace
}  // namespace trustline
