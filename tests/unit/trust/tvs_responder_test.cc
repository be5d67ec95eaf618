// What is answered from which store.
#include "trust/tvs/tvs_responder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tests/fakes/test_pki.h"

namespace trustline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::TestPki;
using testing::UnitOptions;

constexpr uint8_t kSast = 0, kCcmTftp = 2, kTftp = 3, kCapf = 4, kAppServer = 7, kTvs = 21;

Certificate Unit(absl::string_view name, const UnitOptions& options = {}) {
  return TestPki::UnitCertificate(name, options);
}

TvsRequest Query(const Certificate& wanted) {
  TvsRequest request;
  request.session = 1001;
  request.device = "CP-8861-SEP001B54AABB01";
  request.issuer = wanted.issuer();
  request.serial = wanted.serial();
  return request;
}

TvsRequest Verify(const Certificate& wanted) {
  TvsRequest request;
  request.kind = TvsKind::kVerify;
  request.session = 7;
  request.device = "CP-8861-SEP001B54AABB01";
  request.certificate = wanted.der();
  return request;
}

std::vector<uint8_t> RolesIn(const std::vector<std::string>& stores, bool mixed = false) {
  const Certificate certificate = Unit("dst-pub");
  std::vector<TrustedCertificate> trusted;
  for (const std::string& store : stores) trusted.push_back({store, certificate});
  TvsResponderOptions options;
  options.mixed_mode = mixed;
  return TvsResponder(trusted, options).Answer(Query(certificate)).roles;
}

TEST(TvsResponder, RolesComeFromTheStoresACertificateLiesIn) {
  EXPECT_THAT(RolesIn({"Phone-SAST-trust"}), ElementsAre(kSast));
  EXPECT_THAT(RolesIn({"CallManager-trust", "Phone-SAST-trust"}), ElementsAre(kSast, kTftp));
  EXPECT_THAT(RolesIn({"CallManager"}), ElementsAre(kSast, kTftp));
  EXPECT_THAT(RolesIn({"CallManager"}, /*mixed=*/true), ElementsAre(kSast, kCcmTftp));
  EXPECT_THAT(RolesIn({"CallManager-trust"}, /*mixed=*/true), ElementsAre(kTftp));
  EXPECT_THAT(RolesIn({"ITLRecovery"}), ElementsAre(kSast));
  EXPECT_THAT(RolesIn({"CAPF-trust"}), ElementsAre(kCapf));
  EXPECT_THAT(RolesIn({"TVS"}), ElementsAre(kTvs));
  EXPECT_THAT(RolesIn({"tomcat-trust"}), ElementsAre(kAppServer));
  EXPECT_THAT(RolesIn({"ipsec-trust"}), IsEmpty());
}

TEST(TvsResponder, Scenario14CallManagerTrustAloneYieldsNoSastRole) {
  const Certificate signer = Unit("ITLRECOVERY_dst-pub");
  const TvsResponder responder({{"CallManager-trust", signer}}, {});
  const TvsReply reply = responder.Answer(Query(signer));
  EXPECT_EQ(reply.status, 0);
  EXPECT_EQ(reply.certificate, signer.der());
  EXPECT_FALSE(reply.HasRole(ListRole::kSast));
  const TvsResponder imported_right({{"CallManager-trust", signer}, {"Phone-SAST-trust", signer}},
                                    {});
  EXPECT_TRUE(imported_right.Answer(Query(signer)).HasRole(ListRole::kSast));
}

TEST(TvsResponder, AnswersWithTheCertificateSessionAndTtl) {
  const Certificate signer = Unit("ITLRECOVERY_dst-pub");
  TvsResponderOptions options;
  options.ttl = absl::Seconds(90);
  const TvsResponder responder({{"Phone-SAST-trust", signer}}, options);
  const TvsReply reply = responder.Answer(Query(signer));
  EXPECT_EQ(reply.session, 1001u);
  EXPECT_EQ(reply.status, 0);
  EXPECT_EQ(reply.certificate, signer.der());
  EXPECT_EQ(reply.ttl, absl::Seconds(90));
  EXPECT_TRUE(CheckTvsReply(reply, Query(signer)).ok());
}

TEST(TvsResponder, WhatIsNotThereIsNotFoundAndNotToBeKept) {
  const TvsResponder responder({{"Phone-SAST-trust", Unit("src-pub")}}, {});
  const TvsReply reply = responder.Answer(Query(Unit("dst-pub")));
  EXPECT_EQ(reply.status, 1);
  EXPECT_TRUE(reply.certificate.empty());
  EXPECT_THAT(reply.roles, IsEmpty());
  EXPECT_FALSE(reply.ttl.has_value());
  EXPECT_TRUE(CheckTvsReply(reply, Query(Unit("dst-pub"))).ok());
}

TEST(TvsResponder, FindsTheIssuerInEitherFormOfName) {
  UnitOptions options;
  options.serial = absl::HexStringToBytes("A0B1C2D3");  // top bit set: a zero byte stands before it
  options.subject = {{"C", "AU"},         {"ST", "QLD"}, {"L", "Brisbane"},
                     {"O", "Acme, Inc."}, {"OU", "IST"}, {"CN", "ucm11pub"}};
  const Certificate certificate = Unit("ucm11pub", options);
  const TvsResponder responder({{"Phone-SAST-trust", certificate}}, {});
  TvsRequest request = Query(certificate);
  for (const std::string& issuer :
       {std::string("CN=ucm11pub;OU=IST;O=Acme, Inc.;L=Brisbane;ST=QLD;C=AU"),
        std::string("CN=ucm11pub,OU=IST,O=Acme\\, Inc.,L=Brisbane,ST=QLD,C=AU"),
        std::string("C=AU, ST=QLD, L=Brisbane, O=Acme\\, Inc., OU=IST, CN=ucm11pub")}) {
    request.issuer = issuer;
    EXPECT_EQ(responder.Answer(request).status, 0) << issuer;
    // With the zero byte in front, as DER has it.
    TvsRequest with_zero = request;
    with_zero.serial.insert(0, 1, '\0');
    EXPECT_EQ(responder.Answer(with_zero).status, 0) << issuer;
  }
  request.issuer = "CN=ucm11pub;OU=IST;O=Acme, Inc.;L=Brisbane;ST=QLD";
  EXPECT_EQ(responder.Answer(request).status, 1);
  request = Query(certificate);
  request.serial.back() ^= 1;
  EXPECT_EQ(responder.Answer(request).status, 1);
}

TEST(TvsResponder, OneSerialOfTwoIssuersIsTwoCertificates) {
  UnitOptions options;
  options.serial = std::string(1, '\x05');
  const Certificate a = Unit("a", options), b = Unit("b", options);
  const TvsResponder responder({{"Phone-SAST-trust", a}, {"CAPF-trust", b}}, {});
  EXPECT_EQ(responder.Answer(Query(a)).certificate, a.der());
  EXPECT_EQ(responder.Answer(Query(b)).certificate, b.der());
  EXPECT_THAT(responder.Answer(Query(b)).roles, ElementsAre(kCapf));
}

TEST(TvsResponder, TheYoungerOfTwoWithOneSerialAndIssuerIsGivenAndRolesAreNotMixed) {
  UnitOptions old_one;
  old_one.serial = std::string(1, '\x05');
  UnitOptions new_one = old_one;
  new_one.not_before = old_one.not_before + absl::Hours(24);
  const Certificate older = Unit("a", old_one), younger = Unit("a", new_one);
  const TvsResponder responder({{"Phone-SAST-trust", older}, {"CAPF-trust", younger}}, {});
  const TvsReply reply = responder.Answer(Query(older));
  EXPECT_EQ(reply.certificate, younger.der());
  EXPECT_THAT(reply.roles, ElementsAre(kCapf));
}

TEST(TvsResponder, VerifyVouchesForExactlyAStoredCertificate) {
  const Certificate stored = Unit("tomcat.dst"), other = Unit("tomcat.dst");
  ASSERT_EQ(stored.subject(), other.subject());
  const TvsResponder responder({{"tomcat-trust", stored}}, {});
  const TvsReply valid = responder.Answer(Verify(stored));
  EXPECT_EQ(valid.kind, TvsKind::kVerify);
  EXPECT_EQ(valid.session, 7u);
  EXPECT_EQ(valid.status, 0);
  EXPECT_THAT(valid.roles, ElementsAre(kAppServer));
  EXPECT_TRUE(valid.certificate.empty());
  EXPECT_EQ(responder.Answer(Verify(other)).status, 1);
  TvsRequest altered = Verify(stored);
  altered.certificate.back() ^= 1;
  EXPECT_EQ(responder.Answer(altered).status, 1);
  altered.certificate = "not a certificate";
  EXPECT_EQ(responder.Answer(altered).status, 1);
}

}  // namespace
}  // namespace trustline
