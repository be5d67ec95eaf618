#include "trust/private_key.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/fakes/test_pki.h"

namespace trustline {
namespace {

using testing::TestPki;

TEST(PrivateKey, SurvivesPemAndStillMatches) {
  const TestPki pki;
  const testing::TestIdentity agent = pki.AgentIdentity("node-a");
  const auto again = PrivateKey::FromPem(agent.key.ToPkcs8Pem());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->Matches(agent.certificate));
  EXPECT_EQ(again->public_key_der(), agent.certificate.public_key_der());
  EXPECT_FALSE(again->Matches(pki.AgentIdentity("node-a").certificate));
  EXPECT_FALSE(again->Matches(TestPki::UnitCertificate("x")));
}

TEST(PrivateKey, TraditionalEcPemIsRead) {
  // RFC 5915 text made from the PKCS#8 form is the inner OCTET STRING; OpenSSL writes it under its
  // own label.
  const auto key = PrivateKey::FromPem(
      "-----BEGIN EC PRIVATE KEY-----\n"
      "MHcCAQEEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABoAoGCCqGSM49\n"
      "AwEHoUQDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/\n"
      "m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n"
      "-----END EC PRIVATE KEY-----\n");
  ASSERT_TRUE(key.ok()) << key.status();  // the private key 1: its public point is the generator
  EXPECT_TRUE(key->Sign("x").ok());
}

TEST(PrivateKey, SignaturesVerifyOnlyOverTheSameBytesWithTheSameKey) {
  const TestPki pki;
  const testing::TestIdentity agent = pki.AgentIdentity("node-a");
  const Certificate unit = TestPki::UnitCertificate("unit");
  const struct {
    const PrivateKey& key;
    const Certificate& certificate;
  } cases[] = {{agent.key, agent.certificate}, {TestPki::UnitKey(), unit}};
  for (const auto& c : cases) {
    const auto signature = c.key.Sign("payload");
    ASSERT_TRUE(signature.ok()) << signature.status();
    EXPECT_TRUE(VerifySignature(c.certificate, "payload", *signature).ok());
    EXPECT_EQ(VerifySignature(c.certificate, "payloae", *signature).code(),
              absl::StatusCode::kPermissionDenied);
    EXPECT_EQ(VerifySignature(c.certificate, "payload", "").code(),
              absl::StatusCode::kPermissionDenied);
    EXPECT_EQ(VerifySignature(pki.authority.certificate, "payload", *signature).code(),
              absl::StatusCode::kPermissionDenied);
  }
}

TEST(PrivateKey, EveryDamagedSignatureByteIsNoticed) {
  const Certificate unit = TestPki::UnitCertificate("unit");
  const std::string good = *TestPki::UnitKey().Sign("payload");
  EXPECT_EQ(good.size(), 256u);
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    ASSERT_FALSE(VerifySignature(unit, "payload", bad).ok()) << i;
  }
}

TEST(PrivateKey, OddRsaSizesAreRefused) {
  EXPECT_EQ(PrivateKey::GenerateRsa(2047).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(PrivateKey::GenerateRsa(0).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(PrivateKey::GenerateRsa(1024).ok());
}

TEST(PrivateKey, PasswordProtectedKeyIsRefusedWithoutAsking) {
  const auto key = PrivateKey::FromPem(
      "-----BEGIN EC PRIVATE KEY-----\n"
      "Proc-Type: 4,ENCRYPTED\n"
      "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n"
      "\n"
      "AAAAAAAAAAAAAAAAAAAAAA==\n"
      "-----END EC PRIVATE KEY-----\n");
  EXPECT_EQ(key.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(key.status().message(), "password")) << key.status();
}

TEST(PrivateKey, UnusedKeyTypesAreNamed) {
  const auto key = PrivateKey::FromPem(
      "-----BEGIN PRIVATE KEY-----\n"
      "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n"
      "-----END PRIVATE KEY-----\n");
  EXPECT_EQ(key.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(key.status().message(), "ED25519")) << key.status();
}

TEST(PrivateKey, ErrorsNeverRepeatTheInput) {
  std::string pem = TestPki::UnitKey().ToPkcs8Pem();
  const std::string piece = pem.substr(200, 16);
  pem.erase(pem.size() / 2, 400);
  const auto key = PrivateKey::FromPem(pem);
  ASSERT_FALSE(key.ok());
  EXPECT_FALSE(absl::StrContains(key.status().message(), piece));
  EXPECT_FALSE(
      absl::StrContains(PrivateKey::FromPem("MIIEv hunter2").status().message(), "hunter2"));
}

}  // namespace
}  // namespace trustline
