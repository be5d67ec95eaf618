#include "trust/envelope.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/fakes/test_pki.h"

namespace trustline {
namespace {

using testing::TestIdentity;
using testing::TestPki;

class EnvelopeTest : public ::testing::Test {
 protected:
  v1::Envelope Sealed(absl::string_view payload = "payload") const {
    auto envelope = Seal("test.Type", std::string(payload), agent_.key, agent_.certificate);
    EXPECT_TRUE(envelope.ok()) << envelope.status();
    return *envelope;
  }
  absl::StatusOr<Opened> OpenIt(const v1::Envelope& envelope) const {
    return Open(envelope, "test.Type", pki_.roots(), TestPki::SomeTime());
  }
  const TestPki pki_;
  const TestIdentity agent_ = pki_.AgentIdentity("node-a");
};

TEST_F(EnvelopeTest, OpensToThePayloadAndItsSigner) {
  const auto opened = OpenIt(Sealed(std::string("a\0b", 3)));
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->payload, std::string("a\0b", 3));
  EXPECT_EQ(opened->signer, (Identity{"example.test", IdentityKind::kAgent, "node-a"}));
}

TEST_F(EnvelopeTest, DigestIsOverThePayloadOnly) {
  EXPECT_EQ(PayloadDigest(Sealed("")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(PayloadDigest(Sealed()), PayloadDigest(Sealed()));
}

TEST_F(EnvelopeTest, EveryChangedPayloadByteIsForged) {
  const v1::Envelope good = Sealed();
  for (size_t i = 0; i < good.payload().size(); ++i) {
    v1::Envelope bad = good;
    (*bad.mutable_payload())[i] ^= 1;
    EXPECT_EQ(OpenIt(bad).status().code(), absl::StatusCode::kPermissionDenied) << i;
  }
}

TEST_F(EnvelopeTest, TypeIsSignedToo) {
  v1::Envelope envelope = Sealed();
  EXPECT_EQ(Open(envelope, "test.Other", pki_.roots(), TestPki::SomeTime()).status().code(),
            absl::StatusCode::kInvalidArgument);
  envelope.set_payload_type("test.Other");
  EXPECT_EQ(Open(envelope, "test.Other", pki_.roots(), TestPki::SomeTime()).status().code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(EnvelopeTest, BytesCannotMoveBetweenTypeAndPayload) {
  const auto sealed = Seal("a 3 xyz", "q", agent_.key, agent_.certificate);
  ASSERT_TRUE(sealed.ok());
  v1::Envelope moved = *sealed;
  moved.set_payload_type("a");
  moved.set_payload("xyz 1 q");
  EXPECT_FALSE(Open(moved, "a", pki_.roots(), TestPki::SomeTime()).ok());
}

TEST_F(EnvelopeTest, UnsignedAndOverSignedAreInvalid) {
  v1::Envelope envelope = Sealed();
  for (int i = 0; i < 8; ++i) *envelope.add_signatures() = envelope.signatures(0);
  EXPECT_EQ(OpenIt(envelope).status().code(), absl::StatusCode::kInvalidArgument);
  envelope.clear_signatures();
  EXPECT_EQ(OpenIt(envelope).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(EnvelopeTest, EverySignatureMustHoldAndTheFirstNamesTheSigner) {
  const TestIdentity op = pki_.OperatorIdentity("jane");
  v1::Envelope envelope = Sealed();
  *envelope.add_signatures() = Seal("test.Type", "payload", op.key, op.certificate)->signatures(0);
  const auto opened = OpenIt(envelope);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->signer.name, "node-a");
  envelope.mutable_signatures(1)->set_signature("x");
  EXPECT_EQ(OpenIt(envelope).status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(EnvelopeTest, ForeignExpiredAndUnreadableSignersAreRefused) {
  const TestPki other;
  const TestIdentity foreign = other.AgentIdentity("node-a");
  EXPECT_EQ(OpenIt(*Seal("test.Type", "payload", foreign.key, foreign.certificate)).status().code(),
            absl::StatusCode::kPermissionDenied);
  const TestIdentity expired = pki_.Issue({pki_.domain, IdentityKind::kAgent, "node-a"},
                                          TestPki::ValidFrom(), absl::Hours(1));
  EXPECT_EQ(OpenIt(*Seal("test.Type", "payload", expired.key, expired.certificate)).status().code(),
            absl::StatusCode::kPermissionDenied);
  v1::Envelope envelope = Sealed();
  envelope.mutable_signatures(0)->set_certificate("junk");
  EXPECT_EQ(OpenIt(envelope).status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(EnvelopeTest, AnothersCertificateDoesNotFit) {
  const TestIdentity other = pki_.AgentIdentity("node-b");
  v1::Envelope envelope = Sealed();
  envelope.mutable_signatures(0)->set_certificate(other.certificate.der());
  EXPECT_EQ(OpenIt(envelope).status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(Seal("test.Type", "payload", agent_.key, other.certificate).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(EnvelopeTest, TheAuthorityItselfIsNobody) {
  const auto sealed = Seal("test.Type", "payload", pki_.authority.key, pki_.authority.certificate);
  ASSERT_TRUE(sealed.ok());
  EXPECT_EQ(OpenIt(*sealed).status().code(), absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace trustline
