#include "trust/pki.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/fakes/test_pki.h"

namespace trustline {
namespace {

using testing::TestPki;

constexpr absl::Duration kDay = absl::Hours(24);
const Identity kAgent{"example.test", IdentityKind::kAgent, "dst-pub"};

TEST(Pki, AuthorityIsSelfSignedAndNamesItsDomain) {
  const absl::Time from = TestPki::ValidFrom();
  const auto authority = MakeAuthority("example.test", from, 10 * kDay);
  ASSERT_TRUE(authority.ok()) << authority.status();
  EXPECT_EQ(authority->certificate.subject(), "CN=trustline CA of example.test");
  EXPECT_EQ(authority->certificate.issuer_der(), authority->certificate.subject_der());
  EXPECT_EQ(authority->certificate.not_before(), from);
  EXPECT_EQ(authority->certificate.not_after(), from + 10 * kDay);
  EXPECT_EQ(authority->certificate.serial().size(), 16u);
  EXPECT_TRUE(authority->key.Matches(authority->certificate));
  EXPECT_TRUE(VerifyChain(authority->certificate, {authority->certificate}, from + kDay).ok());
}

TEST(Pki, UnusableDomainsAreRefused) {
  for (const std::string& domain : {std::string(), std::string("a/b"), std::string("a b"),
                                    std::string("-a"), std::string(49, 'a')}) {
    EXPECT_EQ(MakeAuthority(domain, TestPki::ValidFrom(), kDay).status().code(),
              absl::StatusCode::kInvalidArgument)
        << domain;
  }
  EXPECT_TRUE(MakeAuthority(std::string(48, 'a'), TestPki::ValidFrom(), kDay).ok());
  EXPECT_FALSE(MakeAuthority("a", TestPki::ValidFrom(), absl::ZeroDuration()).ok());
}

TEST(Pki, RequestSaysWhoItIsForAndSigningGivesThatIdentity) {
  const TestPki pki;
  const auto key = PrivateKey::GenerateEcP256();
  const auto request = MakeRequest(kAgent, *key);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(*ReadRequest(*request), kAgent);
  const auto certificate = SignRequest(*request, pki.authority, TestPki::ValidFrom(), 30 * kDay);
  ASSERT_TRUE(certificate.ok()) << certificate.status();
  EXPECT_EQ(*IdentityOf(*certificate), kAgent);
  EXPECT_EQ(certificate->dns_names(), std::vector<std::string>{"dst-pub"});
  EXPECT_EQ(certificate->uri_names(),
            std::vector<std::string>{"trustline://example.test/agent/dst-pub"});
  EXPECT_TRUE(key->Matches(*certificate));
  EXPECT_EQ(certificate->issuer(), pki.authority.certificate.subject());
  EXPECT_TRUE(VerifyChain(*certificate, pki.roots(), TestPki::ValidFrom() + kDay).ok());
}

TEST(Pki, OperatorsGetNoDnsName) {
  EXPECT_TRUE(TestPki().OperatorIdentity("jane").certificate.dns_names().empty());
}

TEST(Pki, LongNodeNamesKeepTheirFullNameWhereItCounts) {
  const std::string node = std::string(60, 'n') + ".voice.example.test";
  const Certificate certificate = TestPki().AgentIdentity(node).certificate;
  EXPECT_EQ(IdentityOf(certificate)->name, node);
  EXPECT_EQ(certificate.common_name(), node.substr(0, 64));
}

TEST(Pki, RequestForAnotherDomainIsRefused) {
  const TestPki pki("other.test");
  const auto request = MakeRequest(kAgent, *PrivateKey::GenerateEcP256());
  const auto certificate = SignRequest(*request, pki.authority, TestPki::ValidFrom(), kDay);
  EXPECT_EQ(certificate.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(absl::StrContains(certificate.status().message(), "other.test"))
      << certificate.status();
}

TEST(Pki, CertificateDoesNotOutliveItsAuthority) {
  const auto authority = MakeAuthority("example.test", TestPki::ValidFrom(), 10 * kDay);
  const auto request = MakeRequest(kAgent, *PrivateKey::GenerateEcP256());
  EXPECT_TRUE(SignRequest(*request, *authority, TestPki::ValidFrom(), 10 * kDay).ok());
  const auto certificate = SignRequest(*request, *authority, TestPki::ValidFrom(), 11 * kDay);
  EXPECT_EQ(certificate.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(absl::StrContains(certificate.status().message(), "2020-01-11"))
      << certificate.status();
}

TEST(Pki, AuthorityWithAForeignKeyOrNameSignsNothing) {
  const TestPki pki, other;
  const auto request = MakeRequest(kAgent, *PrivateKey::GenerateEcP256());
  EXPECT_EQ(SignRequest(*request, {pki.authority.certificate, other.authority.key},
                        TestPki::ValidFrom(), kDay)
                .status()
                .code(),
            absl::StatusCode::kFailedPrecondition);
  const testing::TestIdentity agent = pki.AgentIdentity("x");
  EXPECT_EQ(SignRequest(*request, {agent.certificate, agent.key}, TestPki::ValidFrom(), kDay)
                .status()
                .code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(Pki, OnlyP256KeysAreSigned) {
  const auto request = MakeRequest(kAgent, TestPki::UnitKey());
  ASSERT_TRUE(request.ok());
  const auto read = ReadRequest(*request);
  EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(read.status().message(), "P-256")) << read.status();
}

TEST(Pki, RequestChangedAfterSigningIsRefused) {
  const std::string request = *MakeRequest(kAgent, *PrivateKey::GenerateEcP256());
  size_t refused = 0, total = 0;
  for (size_t i = request.find('\n') + 1; i < request.find("-----END"); ++i) {
    if (request[i] == '\n' || request[i] == '=') continue;
    std::string bad = request;
    bad[i] = bad[i] == 'A' ? 'B' : 'A';
    if (bad == request) continue;
    ++total;
    const auto read = ReadRequest(bad);
    if (!read.ok()) ++refused;
  }
  // The last base64 digit before padding carries unused bits; everything else counts.
  EXPECT_GE(refused + 1, total);
}

TEST(Pki, SeveralRequestsOrSomethingElseAreRefused) {
  const std::string request = *MakeRequest(kAgent, *PrivateKey::GenerateEcP256());
  EXPECT_FALSE(ReadRequest(request + request).ok());
  EXPECT_FALSE(ReadRequest("").ok());
  EXPECT_FALSE(ReadRequest(TestPki::UnitCertificate("x").ToPem()).ok());
  EXPECT_FALSE(ReadRequest(std::string(70000, ' ')).ok());
}

TEST(Pki, UnusableIdentityIsRefusedBeforeItReachesARequest) {
  const auto key = PrivateKey::GenerateEcP256();
  for (const std::string name : {"", "a,DNS:b", "a\nb", "a/b", "a b"}) {
    EXPECT_EQ(MakeRequest({"example.test", IdentityKind::kAgent, name}, *key).status().code(),
              absl::StatusCode::kInvalidArgument)
        << name;
  }
}

TEST(Pki, SerialsAreRandom) {
  const TestPki pki;
  EXPECT_NE(pki.AgentIdentity("a").certificate.serial(),
            pki.AgentIdentity("a").certificate.serial());
}

TEST(Pki, SelfSignedUnitCertificateCarriesItsSubject) {
  const SubjectNames names{.common_name = "dst-pub",
                           .organization = "Example, Inc.",
                           .organizational_unit = "Voice",
                           .locality = "Z\xc3\xbcrich",
                           .state = "ZH",
                           .country = "CH"};
  const auto certificate = MakeSelfSigned(names, TestPki::UnitKey(), TestPki::ValidFrom(), kDay);
  ASSERT_TRUE(certificate.ok()) << certificate.status();
  EXPECT_EQ(certificate->subject(),
            "CN=dst-pub;OU=Voice;O=Example, Inc.;L=Z\xc3\xbcrich;ST=ZH;C=CH");
  EXPECT_EQ(certificate->issuer_der(), certificate->subject_der());
  EXPECT_TRUE(TestPki::UnitKey().Matches(*certificate));
  EXPECT_EQ(certificate->serial().size(), 16u);
}

TEST(Pki, SubjectThatCannotBeIsRefusedByName) {
  const auto country = MakeSelfSigned({.common_name = "x", .country = "Switzerland"},
                                      TestPki::UnitKey(), TestPki::ValidFrom(), kDay);
  EXPECT_EQ(country.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(country.status().message(), "countryName")) << country.status();
  EXPECT_EQ(MakeSelfSigned({}, TestPki::UnitKey(), TestPki::ValidFrom(), kDay).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace trustline
