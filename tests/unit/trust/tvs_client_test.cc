// The client against servers that say what a test wants.
#include "trust/tvs/tvs_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/fakes/test_pki.h"
#include "tests/unit/trust/scripted_tls_server.h"

namespace trustline {
namespace {

using ::testing::HasSubstr;
using testing::ScriptedTlsServer;
using testing::TestIdentity;
using testing::TestPki;
using testing::UnitOptions;

TestIdentity Tvs(absl::string_view name = "src-pub", const UnitOptions& options = {}) {
  return {TestPki::UnitCertificate(name, options), TestPki::UnitKey()};
}

TvsRequest Question(const Certificate& wanted) {
  TvsRequest request;
  request.session = 1001;
  request.device = "CP-8861-SEP001B54AABB01";
  request.subject = wanted.subject();
  request.issuer = wanted.issuer();
  request.serial = wanted.serial();
  return request;
}

// What a client sent, once it is a whole question.
absl::StatusOr<TvsRequest> Received(const std::string& bytes) {
  TvsFrameDecoder decoder;
  const absl::StatusOr<size_t> taken = decoder.Feed(bytes);
  if (!taken.ok()) return taken.status();
  if (!decoder.ready()) return absl::UnavailableError("not all of it yet");
  return DecodeTvsRequest(decoder.Take());
}

std::string Answered(const std::string& received, const Certificate& certificate,
                     uint32_t session_offset = 0) {
  const absl::StatusOr<TvsRequest> request = Received(received);
  if (!request.ok()) return "";
  TvsReply reply;
  reply.session = request->session + session_offset;
  reply.reserved = 0xf7;
  reply.certificate = certificate.der();
  reply.roles = {0, 3};
  reply.ttl = absl::Hours(24);
  return *EncodeTvsReply(reply);
}

absl::StatusOr<TvsAnswer> Ask(const ScriptedTlsServer& server, const Certificate& wanted,
                              const Certificate& pinned, absl::Duration timeout = absl::Seconds(30),
                              bool legacy = false) {
  TvsClientOptions options;
  options.pinned = {pinned};
  options.timeout = timeout;
  options.legacy_tls = legacy;
  return AskTvs({"127.0.0.1", server.port()}, Question(wanted), options);
}

TEST(TvsClient, AnswersWithWhatThePinnedServerSays) {
  const TestIdentity tvs = Tvs();
  const Certificate wanted = TestPki::UnitCertificate("ITLRECOVERY_dst-pub");
  ScriptedTlsServer server(tvs, [&](const std::string& got) { return Answered(got, wanted); });
  const absl::StatusOr<TvsAnswer> answer = Ask(server, wanted, tvs.certificate);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->reply.status, 0);
  EXPECT_TRUE(answer->reply.HasRole(ListRole::kSast));
  EXPECT_EQ(answer->reply.certificate, wanted.der());
  EXPECT_EQ(answer->presented, tvs.certificate);
  EXPECT_EQ(answer->request_bytes, *EncodeTvsRequest(Question(wanted)));
  EXPECT_EQ(answer->reply_bytes.substr(0, 4), std::string("\x57\x01\x04\xf7"));
  EXPECT_EQ(answer->reply_bytes.substr(4, 4), std::string("\0\0\x03\xe9", 4));
}

TEST(TvsClient, PutsAReplyTogetherThatComesInPieces) {
  const TestIdentity tvs = Tvs();
  const Certificate wanted = TestPki::UnitCertificate("ITLRECOVERY_dst-pub");
  ScriptedTlsServer::Options options;
  options.bytes_at_a_time = 7;
  ScriptedTlsServer server(
      tvs, [&](const std::string& got) { return Answered(got, wanted); }, options);
  const absl::StatusOr<TvsAnswer> answer = Ask(server, wanted, tvs.certificate);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->reply.certificate, wanted.der());
}

TEST(TvsClient, RefusesACertificateThatIsNotPinnedAndNamesBoth) {
  UnitOptions expired;
  expired.not_after = absl::FromCivil(absl::CivilDay(2021, 1, 1), absl::UTCTimeZone());
  const TestIdentity other = Tvs("src-sub1", expired);
  const Certificate wanted = TestPki::UnitCertificate("ITLRECOVERY_dst-pub");
  ScriptedTlsServer server(other, [&](const std::string& got) { return Answered(got, wanted); });
  const Certificate pinned = Tvs().certificate;
  const absl::StatusOr<TvsAnswer> answer = Ask(server, wanted, pinned);
  EXPECT_TRUE(absl::IsPermissionDenied(answer.status())) << answer.status();
  const std::string message(answer.status().message());
  EXPECT_THAT(message, HasSubstr(pinned.sha256_hex()));
  EXPECT_THAT(message, HasSubstr(other.certificate.sha256_hex()));
  EXPECT_THAT(message, HasSubstr("expired on 2021-01-01"));
  EXPECT_THAT(message, HasSubstr("CN=src-sub1"));
}

TEST(TvsClient, SameNameAndKeyAreNotTheSameCertificate) {
  const TestIdentity served = Tvs();
  const Certificate pinned = Tvs().certificate;
  ASSERT_EQ(served.certificate.subject(), pinned.subject());
  ScriptedTlsServer server(served, [](const std::string&) { return "close"; });
  EXPECT_TRUE(absl::IsPermissionDenied(Ask(server, pinned, pinned).status()));
}

TEST(TvsClient, AReplyToAnotherQuestionVouchesForNothing) {
  const TestIdentity tvs = Tvs();
  const Certificate wanted = TestPki::UnitCertificate("ITLRECOVERY_dst-pub");
  const Certificate other = TestPki::UnitCertificate("ITLRECOVERY_other");
  for (const bool wrong_session : {true, false}) {
    ScriptedTlsServer server(tvs, [&](const std::string& got) {
      return wrong_session ? Answered(got, wanted, 1) : Answered(got, other);
    });
    const absl::StatusOr<TvsAnswer> answer = Ask(server, wanted, tvs.certificate);
    EXPECT_TRUE(absl::IsInvalidArgument(answer.status())) << answer.status();
  }
}

TEST(TvsClient, WhatIsNotTvsIsSaidToBe) {
  const TestIdentity tvs = Tvs();
  ScriptedTlsServer http(
      tvs, [](const std::string&) { return std::string("HTTP/1.1 400 Bad Request\r\n\r\n"); });
  const absl::Status over_tls = Ask(http, tvs.certificate, tvs.certificate).status();
  EXPECT_TRUE(absl::IsInvalidArgument(over_tls)) << over_tls;
  EXPECT_THAT(std::string(over_tls.message()), HasSubstr("not a TVS frame"));

  ScriptedTlsServer::Options options;
  options.speak_plain_text = true;
  ScriptedTlsServer plain(
      tvs, [](const std::string&) { return std::string("SSH-2.0-OpenSSH_9.2\r\n"); }, options);
  const absl::Status without_tls = Ask(plain, tvs.certificate, tvs.certificate).status();
  EXPECT_TRUE(absl::IsInvalidArgument(without_tls)) << without_tls;
}

TEST(TvsClient, AServerThatSaysNothingOrClosesIsUnavailable) {
  const TestIdentity tvs = Tvs();
  ScriptedTlsServer silent(tvs, [](const std::string&) { return std::string(); });
  const absl::Status no_answer =
      Ask(silent, tvs.certificate, tvs.certificate, absl::Milliseconds(300)).status();
  EXPECT_TRUE(absl::IsUnavailable(no_answer)) << no_answer;
  EXPECT_THAT(std::string(no_answer.message()), HasSubstr("no answer in time"));

  ScriptedTlsServer closing(tvs, [](const std::string&) { return std::string("close"); });
  const absl::Status closed = Ask(closing, tvs.certificate, tvs.certificate).status();
  EXPECT_TRUE(absl::IsUnavailable(closed)) << closed;
  EXPECT_THAT(std::string(closed.message()), HasSubstr("closed the connection"));
}

TEST(TvsClient, NobodyListeningIsUnavailable) {
  uint16_t port = 0;
  {
    ScriptedTlsServer gone(Tvs(), [](const std::string&) { return std::string("close"); });
    port = gone.port();
  }
  TvsClientOptions options;
  options.pinned = {Tvs().certificate};
  const absl::Status status =
      AskTvs({"127.0.0.1", port}, Question(options.pinned[0]), options).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  options.pinned.clear();
  EXPECT_TRUE(absl::IsFailedPrecondition(
      AskTvs({"127.0.0.1", port}, Question(Tvs().certificate), options).status()));
}

TEST(TvsClient, OldServersAreReachedOnlyWhenAskedFor) {
  const TestIdentity tvs = Tvs();
  const Certificate wanted = TestPki::UnitCertificate("ITLRECOVERY_dst-pub");
  ScriptedTlsServer::Options options;
  options.tls10_only = true;
  ScriptedTlsServer old(
      tvs, [&](const std::string& got) { return Answered(got, wanted); }, options);
  const absl::Status refused = Ask(old, wanted, tvs.certificate).status();
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  const absl::StatusOr<TvsAnswer> answer =
      Ask(old, wanted, tvs.certificate, absl::Seconds(30), true);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->tls, "TLSv1 AES256-SHA");
}

TEST(TvsAddress, TextGoesThereAndBack) {
  EXPECT_EQ(*ParseTvsAddress("src-pub"), (TvsAddress{"src-pub", 2445}));
  EXPECT_EQ(*ParseTvsAddress("10.0.0.1:1"), (TvsAddress{"10.0.0.1", 1}));
  EXPECT_EQ(*ParseTvsAddress("[2001:db8::1]:99"), (TvsAddress{"2001:db8::1", 99}));
  EXPECT_EQ(*ParseTvsAddress("2001:db8::1"), (TvsAddress{"2001:db8::1", 2445}));
  EXPECT_EQ((TvsAddress{"2001:db8::1", 99}).Text(), "[2001:db8::1]:99");
  for (const char* const wrong :
       {"", ":1", "a:", "a:0", "a:65536", "a:b", "[::1", "[::1]x", "[a]:1", "-a", "a b", "a/b"}) {
    EXPECT_FALSE(ParseTvsAddress(wrong).ok()) << wrong;
  }
}

}  // namespace
}  // namespace trustline
