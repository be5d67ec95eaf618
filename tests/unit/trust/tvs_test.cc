#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/fakes/test_pki.h"
#include "trust/tlv_element.h"
#include "trust/tvs/frame.h"
#include "trust/tvs/message.h"

namespace trustline {
namespace {

using testing::TestPki;
using testing::UnitOptions;

// The two printed prefixes of the vendor's trace, in order.
std::vector<std::string> PrintedPrefixes() {
  std::ifstream file(TRUSTLINE_SOURCE_DIR "/tests/vectors/tvs-query-213407.txt");
  std::vector<std::string> prefixes;
  for (std::string line; std::getline(file, line);) {
    if (absl::StartsWith(line, "5701")) prefixes.push_back(absl::HexStringToBytes(line));
  }
  EXPECT_EQ(prefixes.size(), 2u);
  prefixes.resize(2);
  return prefixes;
}

TvsRequest VendorRequest() {
  TvsRequest request;
  request.session = 1001;
  request.device = "CP-8861-SEPB000B4BA0AEE";
  request.subject = "CN=ucm11pub.stormin.local;OU=IST;O=Stormin;L=Brisbane;ST=QLD;C=AU";
  request.issuer = "CN=stormin-WIN2012-CA";
  request.serial = absl::HexStringToBytes("24000000179479B8F124AC3F3B000000000017");
  return request;
}

TvsReply SomeReply() {
  TvsReply reply;
  reply.session = 7;
  reply.certificate = TestPki::UnitCertificate("dst-pub").der();
  reply.roles = {static_cast<uint8_t>(ListRole::kSast), static_cast<uint8_t>(ListRole::kTftp)};
  reply.ttl = absl::Hours(24);
  return reply;
}

std::string Encoded(const TvsRequest& request) {
  const auto bytes = EncodeTvsRequest(request);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value_or("");
}

std::string Encoded(const TvsReply& reply) {
  const auto bytes = EncodeTvsReply(reply);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value_or("");
}

// One whole frame.
absl::StatusOr<TvsFrame> Frame(absl::string_view bytes) {
  TvsFrameDecoder decoder;
  const absl::StatusOr<size_t> taken = decoder.Feed(bytes);
  if (!taken.ok()) return taken.status();
  if (!decoder.ready() || *taken != bytes.size())
    return absl::InvalidArgumentError("not one frame");
  return decoder.Take();
}

TvsFrame WithBody(uint8_t command, std::string body) {
  TvsFrame frame;
  frame.command = command;
  frame.session = 7;
  frame.body = std::move(body);
  return frame;
}

TEST(TvsVector, RequestIsRebuiltFromItsFields) {
  const std::string bytes = Encoded(VendorRequest());
  EXPECT_EQ(bytes.size(), 153u);
  EXPECT_EQ(bytes.substr(0, PrintedPrefixes()[0].size()), PrintedPrefixes()[0]);
  const auto frame = Frame(bytes);
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_EQ(frame->body.size(), 143u);
  const auto request = DecodeTvsRequest(*frame);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->kind, TvsKind::kQuery);
  EXPECT_EQ(request->session, 1001u);
  EXPECT_EQ(request->device, "CP-8861-SEPB000B4BA0AEE");
  EXPECT_EQ(request->subject, VendorRequest().subject);
  EXPECT_EQ(request->issuer, "CN=stormin-WIN2012-CA");
  EXPECT_EQ(TvsLookupKey(request->serial, request->issuer),
            "24000000179479B8F124AC3F3B000000000017CN=stormin-WIN2012-CA");
}

TEST(TvsVector, ReplyHasThePrintedPrefixAndLengths) {
  UnitOptions options;
  options.serial = VendorRequest().serial;
  options.subject = {{"CN", std::string(379, 'x')}};  // makes the certificate as long as theirs
  TvsReply reply = SomeReply();
  reply.session = 1001;
  reply.reserved = 0xf7;
  reply.certificate = TestPki::UnitCertificate("", options).der();
  ASSERT_EQ(reply.certificate.size(), 1451u);
  const std::string bytes = Encoded(reply);
  EXPECT_EQ(bytes.size(), 1480u);
  EXPECT_EQ(absl::BytesToHexString(bytes.substr(0, PrintedPrefixes()[1].size())),
            absl::BytesToHexString(PrintedPrefixes()[1]));
  const auto frame = Frame(bytes);
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_EQ(frame->body.size(), 1470u);
  const auto read = DecodeTvsReply(*frame);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->status, 0);
  EXPECT_EQ(read->reserved, 0xf7);
  EXPECT_TRUE(read->HasRole(ListRole::kSast));
  EXPECT_TRUE(read->HasRole(ListRole::kTftp));
  EXPECT_FALSE(read->HasRole(ListRole::kTvs));
  EXPECT_EQ(read->ttl, absl::Seconds(86400));
}

TEST(TvsFrames, Scenario43FragmentedReadsMakeTheSameFrame) {
  const std::string bytes = Encoded(SomeReply());
  for (size_t step : {1, 2, 3, 9, 10, 11, 500}) {
    TvsFrameDecoder decoder;
    for (size_t at = 0; at < bytes.size(); at += step) {
      EXPECT_FALSE(decoder.ready());
      const std::string part = bytes.substr(at, step);
      const auto taken = decoder.Feed(part);
      ASSERT_TRUE(taken.ok()) << taken.status();
      ASSERT_EQ(*taken, part.size());
      EXPECT_EQ(decoder.in_frame(), at + step < bytes.size());
    }
    ASSERT_TRUE(decoder.ready()) << step;
    EXPECT_EQ(decoder.Take().body, bytes.substr(kTvsHeaderBytes));
  }
}

TEST(TvsFrames, WhatFollowsAFrameIsLeftForTheNext) {
  const std::string first = Encoded(VendorRequest()), both = first + Encoded(SomeReply());
  TvsFrameDecoder decoder;
  ASSERT_EQ(*decoder.Feed(both), first.size());
  EXPECT_EQ(*decoder.Feed("more"), 0u);  // until the first is taken
  EXPECT_EQ(decoder.Take().command, kTvsQueryRequest);
  ASSERT_EQ(*decoder.Feed(absl::string_view(both).substr(first.size())),
            both.size() - first.size());
  EXPECT_EQ(decoder.Take().command, kTvsQueryResponse);
  EXPECT_FALSE(decoder.in_frame());
}

TEST(TvsFrames, FrameWithoutABodyIsComplete) {
  const auto frame = Frame(*EncodeTvsFrame(WithBody(9, "")));
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_EQ(frame->command, 9);
  EXPECT_EQ(frame->session, 7u);
}

TEST(TvsFrames, Scenario43OversizeBodyIsRefusedAtTheHeader) {
  TvsFrameDecoder decoder(/*max_body=*/1000);
  std::string header = *EncodeTvsFrame(WithBody(3, std::string(1001, 'x')));
  header.resize(kTvsHeaderBytes);
  EXPECT_EQ(decoder.Feed(header).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(decoder.Feed("x").status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(decoder.in_frame());
  EXPECT_EQ(EncodeTvsFrame(WithBody(3, std::string(65536, 'x'))).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Frame(*EncodeTvsFrame(WithBody(3, std::string(65535, 'x')))).ok());
}

TEST(TvsFrames, LyingLengthIsAFrameThatNeverCompletes) {
  std::string bytes = Encoded(VendorRequest());
  bytes[8] = '\xff';
  TvsFrameDecoder decoder;
  ASSERT_EQ(*decoder.Feed(bytes), bytes.size());
  EXPECT_FALSE(decoder.ready());
  EXPECT_TRUE(decoder.in_frame());
}

TEST(TvsFrames, OtherProtocolsAreRefusedAtTheFirstWrongByte) {
  TvsFrameDecoder http;
  EXPECT_EQ(http.Feed("G").status().message(),
            "not a TVS frame: it begins with 0x47, 0x57 expected");
  TvsFrameDecoder newer;
  EXPECT_EQ(newer.Feed("\x57\x02").status().message(), "TVS version 2 is unknown; 1 expected");
}

TEST(TvsMessages, Scenario43ReservedByteIsKeptAndIgnored) {
  TvsRequest request = VendorRequest();
  request.reserved = 0xf7;
  const auto read = DecodeTvsRequest(*Frame(Encoded(request)));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->reserved, 0xf7);
  EXPECT_EQ(read->serial, request.serial);
}

TEST(TvsMessages, Scenario43VerifyAndQueryRoundTripInBothDirections) {
  TvsRequest verify;
  verify.kind = TvsKind::kVerify;
  verify.session = 0xfffffffe;
  verify.device = "CP-8861-SEPB000B4BA0AEE";
  verify.certificate = TestPki::UnitCertificate("web").der();
  const auto frame = Frame(Encoded(verify));
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_EQ(frame->command, 1);
  const auto read = DecodeTvsRequest(*frame);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->kind, TvsKind::kVerify);
  EXPECT_EQ(read->session, verify.session);
  EXPECT_EQ(read->device, verify.device);
  EXPECT_EQ(read->certificate, verify.certificate);

  TvsReply reply;
  reply.kind = TvsKind::kVerify;
  reply.session = verify.session;
  reply.status = 1;
  const auto answer = DecodeTvsReply(*Frame(Encoded(reply)));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->kind, TvsKind::kVerify);
  EXPECT_EQ(answer->status, 1);
  EXPECT_TRUE(answer->certificate.empty());
  EXPECT_TRUE(answer->roles.empty());
  EXPECT_EQ(answer->ttl, std::nullopt);
  EXPECT_TRUE(CheckTvsReply(*answer, verify).ok());
}

TEST(TvsMessages, Scenario43UnknownElementsAreSkipped) {
  std::string body;
  ASSERT_TRUE(AppendTlv(6, "whatever", body).ok());
  ASSERT_TRUE(AppendTlv(200, "", body).ok());
  ASSERT_TRUE(AppendTlv(6, "again", body).ok());
  const auto read =
      DecodeTvsRequest(WithBody(3, body + Encoded(VendorRequest()).substr(kTvsHeaderBytes)));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->unknown_elements, (std::vector<uint8_t>{6, 200}));
  EXPECT_EQ(read->issuer, VendorRequest().issuer);
}

TEST(TvsMessages, CommandsOfTheOtherDirectionAreNotRead) {
  EXPECT_EQ(DecodeTvsReply(*Frame(Encoded(VendorRequest()))).status().code(),
            absl::StatusCode::kUnimplemented);
  EXPECT_EQ(DecodeTvsRequest(*Frame(Encoded(SomeReply()))).status().code(),
            absl::StatusCode::kUnimplemented);
  EXPECT_EQ(DecodeTvsRequest(WithBody(5, "")).status().message(), "TVS command 5 is not a request");
}

TEST(TvsMessages, WrongElementsAreNamed) {
  const std::string good = Encoded(VendorRequest()).substr(kTvsHeaderBytes);
  std::string twice = good, no_serial, nul_inside, short_ttl;
  ASSERT_TRUE(AppendTlvText(4, "CN=other", twice).ok());
  EXPECT_EQ(DecodeTvsRequest(WithBody(3, twice)).status().message(),
            "TVS message: element 4 comes twice");
  ASSERT_TRUE(AppendTlvText(4, "CN=ca", no_serial).ok());
  EXPECT_EQ(DecodeTvsRequest(WithBody(3, no_serial)).status().message(),
            "TVS message: element 5 is missing");
  EXPECT_EQ(DecodeTvsRequest(WithBody(1, no_serial)).status().message(),
            "TVS message: element 2 is missing");
  ASSERT_TRUE(AppendTlv(4, absl::string_view("CN=a\0b", 6), nul_inside).ok());
  EXPECT_TRUE(absl::StrContains(DecodeTvsRequest(WithBody(3, nul_inside)).status().message(),
                                "NUL inside"));
  AppendTlv8(7, 0, short_ttl);
  AppendTlv16(9, 1, short_ttl);
  EXPECT_EQ(DecodeTvsReply(WithBody(4, short_ttl)).status().message(),
            "TVS message: element 9 at byte 4 has 2 bytes, 4 expected");
  EXPECT_EQ(DecodeTvsReply(WithBody(4, "")).status().message(),
            "TVS message: element 7 is missing");
}

TEST(TvsMessages, Scenario43WrongSessionIsNotTheAnswer) {
  TvsRequest request = VendorRequest();
  TvsReply reply;
  reply.session = request.session;
  EXPECT_TRUE(CheckTvsReply(reply, request).ok());
  reply.session = 1;
  EXPECT_EQ(CheckTvsReply(reply, request).message(),
            "TVS message: the reply is for session 1, the request was 1001");
  reply.session = request.session;
  reply.kind = TvsKind::kVerify;
  EXPECT_EQ(CheckTvsReply(reply, request).message(), "TVS message: a VERIFY reply to a QUERY");
}

TEST(TvsMessages, AnotherCertificateThanAskedForIsNotTheAnswer) {
  const Certificate wanted = TestPki::UnitCertificate("dst-pub");
  TvsReply reply = SomeReply();  // same names, another serial
  TvsRequest request = VendorRequest();
  request.session = reply.session;
  request.issuer = wanted.issuer();
  request.serial = wanted.serial();
  EXPECT_TRUE(absl::StrContains(CheckTvsReply(reply, request).message(), "another certificate"));
  reply.certificate = wanted.der();
  EXPECT_TRUE(CheckTvsReply(reply, request).ok());
  request.issuer = "O=example, OU=voice, CN=dst-pub";  // as open tools write it
  EXPECT_TRUE(CheckTvsReply(reply, request).ok());
  request.issuer = "CN=somebody else";
  EXPECT_FALSE(CheckTvsReply(reply, request).ok());
  reply.certificate = "not a certificate";
  EXPECT_FALSE(CheckTvsReply(reply, request).ok());
}

TEST(TvsMessages, Scenario41SerialsAndNamesRoundTripExactly) {
  for (const std::string& serial :
       {std::string("\x01"), std::string("\x83\xe9\x01"), "\xff" + std::string(19, '\x11')}) {
    TvsRequest request = VendorRequest();
    request.serial = serial;
    request.subject = "cn=\"SAST-ADN0054f509;O=Z\xc3\xbcrich, \"quoted\\;";
    const auto read = DecodeTvsRequest(*Frame(Encoded(request)));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->serial, serial);
    EXPECT_EQ(read->subject, request.subject);
  }
  EXPECT_EQ(TvsLookupKey(absl::string_view("\0\x83\xe9", 3), "CN=x"), "83E9CN=x");
  EXPECT_EQ(TvsLookupKey(absl::string_view("\0", 1), "CN=x"), "00CN=x");
}

TEST(TvsMessages, WhatCannotBeSaidIsNotEncoded) {
  TvsRequest request = VendorRequest();
  request.subject = std::string("CN=a\0b", 6);
  EXPECT_FALSE(EncodeTvsRequest(request).ok());
  request = VendorRequest();
  request.serial.clear();
  EXPECT_FALSE(EncodeTvsRequest(request).ok());
  request = VendorRequest();
  request.device.clear();
  EXPECT_FALSE(EncodeTvsRequest(request).ok());
  request = VendorRequest();
  request.subject.assign(40000, 'x');
  request.issuer.assign(40000, 'x');  // each fits its element, both do not fit the frame
  EXPECT_FALSE(EncodeTvsRequest(request).ok());
  TvsReply reply = SomeReply();
  reply.ttl = absl::InfiniteDuration();
  EXPECT_FALSE(EncodeTvsReply(reply).ok());
  reply.ttl = absl::Seconds(0xffffffffll);
  EXPECT_TRUE(EncodeTvsReply(reply).ok());
}

// Whatever comes: no crash, nothing read outside (the sanitizers' job), and a message that was read
// says the same when it is written and read again.
TEST(TvsMessages, EveryAlteredByteAndEveryTruncationIsReadWithinBounds) {
  for (const std::string& good : {Encoded(VendorRequest()), Encoded(SomeReply())}) {
    for (size_t size = 0; size < good.size(); ++size) {
      ASSERT_FALSE(Frame(good.substr(0, size)).ok()) << size;
      // The same cut inside a frame whose length is right.
      if (size < kTvsHeaderBytes) continue;
      const std::string body = good.substr(kTvsHeaderBytes, size - kTvsHeaderBytes);
      EXPECT_FALSE(DecodeTvsRequest(WithBody(3, body)).ok());
      DecodeTvsReply(WithBody(4, body)).status().IgnoreError();
    }
    for (size_t at = 0; at < good.size(); ++at) {
      for (const int flip : {0x01, 0x80, 0xff}) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ flip);
        const auto frame = Frame(bad);
        if (!frame.ok()) continue;
        if (const auto request = DecodeTvsRequest(*frame);
            request.ok() && !request->device.empty()) {
          const auto again = EncodeTvsRequest(*request);
          ASSERT_TRUE(again.ok()) << at << again.status();
          EXPECT_EQ(DecodeTvsRequest(*Frame(*again))->serial, request->serial);
        }
        if (const auto reply = DecodeTvsReply(*frame); reply.ok()) {
          const auto again = EncodeTvsReply(*reply);
          ASSERT_TRUE(again.ok()) << at << again.status();
          EXPECT_EQ(DecodeTvsReply(*Frame(*again))->roles, reply->roles);
        }
      }
    }
  }
}

}  // namespace
}  // namespace trustline
