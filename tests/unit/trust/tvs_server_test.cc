// The service over the wire: real TLS connections to a real server, polite and hostile.
#include "trust/tvs/tvs_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tests/fakes/test_pki.h"
#include "tests/fakes/trust_store_files.h"
#include "tests/unit/trust/raw_tls_client.h"
#include "trust/tvs/tvs_client.h"

namespace trustline {
namespace {

using ::testing::HasSubstr;
using testing::RawTlsClient;
using testing::TestIdentity;
using testing::TestPki;
using testing::TrustStoreFiles;

// What a server says happened; a test may wait for a line.
class Journal {
 public:
  TvsLog log() {
    return [this](TvsSeverity, absl::string_view message, const auto& fields) {
      std::string line(message);
      for (const auto& [key, value] : fields) absl::StrAppend(&line, " ", key, "=", value);
      const std::lock_guard<std::mutex> lock(mutex_);
      text_ += line + "\n";
      more_.notify_all();
    };
  }
  void Await(const std::string& words) {
    std::unique_lock<std::mutex> lock(mutex_);
    more_.wait(lock, [&] { return text_.find(words) != std::string::npos; });
  }
  std::string text() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return text_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable more_;
  std::string text_;
};

class TvsServerTest : public ::testing::Test {
 protected:
  TvsServerOptions Options() {
    TvsServerOptions options{tvs_.certificate, tvs_.key};
    options.stores = files_.root();
    options.log = journal_.log();
    options.connection_time = absl::Minutes(5);  // no test waits for it unless it says so
    return options;
  }
  void Start(TvsServerOptions options) {
    absl::StatusOr<TvsListener> listener = TvsListener::Open("127.0.0.1", 0);
    ASSERT_TRUE(listener.ok()) << listener.status();
    absl::StatusOr<std::unique_ptr<TvsServer>> server =
        TvsServer::Start(*std::move(listener), std::move(options));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  void Start() { Start(Options()); }

  TvsRequest Query(const Certificate& wanted, uint32_t session = 1001) {
    TvsRequest request;
    request.session = session;
    request.device = "CP-8861-SEP001B54AABB01";
    request.subject = wanted.subject();
    request.issuer = wanted.issuer();
    request.serial = wanted.serial();
    return request;
  }
  absl::StatusOr<TvsAnswer> Ask(const Certificate& wanted,
                                absl::Duration timeout = absl::Minutes(2), bool legacy = false) {
    TvsClientOptions options;
    options.pinned = {tvs_.certificate};
    options.timeout = timeout;
    options.legacy_tls = legacy;
    return AskTvs({"127.0.0.1", server_->port()}, Query(wanted), options);
  }
  int StatusOf(const Certificate& wanted) {
    const absl::StatusOr<TvsAnswer> answer = Ask(wanted);
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? answer->reply.status : -1;
  }
  // Bytes over a fresh connection; the reply, or nothing when the server closes.
  std::optional<TvsFrame> Say(absl::string_view bytes) {
    RawTlsClient client(server_->port());
    EXPECT_TRUE(client.Handshake());
    EXPECT_TRUE(client.Send(bytes));
    return client.Receive();
  }
  static std::string Encoded(const TvsRequest& request) { return *EncodeTvsRequest(request); }

  TrustStoreFiles files_;
  TestIdentity tvs_{TestPki::UnitCertificate("src-pub"), TestPki::UnitKey()};
  Certificate signer_ = TestPki::UnitCertificate("ITLRECOVERY_dst-pub");
  Journal journal_;
  std::unique_ptr<TvsServer> server_;
};

TEST_F(TvsServerTest, AnswersFromTheStoresOverTls) {
  files_.Add("Phone-SAST-trust", signer_);
  files_.Add("CallManager-trust", signer_);
  Start();
  const absl::StatusOr<TvsAnswer> answer = Ask(signer_);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->reply.status, 0);
  EXPECT_EQ(answer->reply.certificate, signer_.der());
  EXPECT_TRUE(answer->reply.HasRole(ListRole::kSast));
  EXPECT_TRUE(answer->reply.HasRole(ListRole::kTftp));
  EXPECT_EQ(answer->reply.ttl, absl::Hours(24));
  EXPECT_EQ(StatusOf(TestPki::UnitCertificate("unknown")), 1);
  const TvsServerFigures figures = server_->figures();
  EXPECT_EQ(figures.answered, 2u);
  EXPECT_EQ(figures.found, 1u);
}

// The service need not be told, so none can answer from what it loaded earlier.
TEST_F(TvsServerTest, Scenario15AStoreChangeIsVisibleToTheNextQueryWithoutARestart) {
  Start();
  EXPECT_EQ(StatusOf(signer_), 1);
  files_.Add("CallManager-trust", signer_);  // the first store there is
  EXPECT_FALSE(Ask(signer_)->reply.HasRole(ListRole::kSast));
  files_.Add("Phone-SAST-trust", signer_);  // another one
  EXPECT_TRUE(Ask(signer_)->reply.HasRole(ListRole::kSast));
  files_.Remove("Phone-SAST-trust", signer_);
  EXPECT_FALSE(Ask(signer_)->reply.HasRole(ListRole::kSast));
  // The whole tree is put in another one's place.
  std::filesystem::rename(files_.root(), files_.root() + ".old");
  EXPECT_EQ(StatusOf(signer_), 1);
  std::filesystem::rename(files_.root() + ".old", files_.root());
  EXPECT_EQ(StatusOf(signer_), 0);
  // A file whose content is replaced in place.
  const Certificate other = TestPki::UnitCertificate("other");
  const std::string name =
      files_.PathOf("CallManager-trust", signer_).substr(files_.directory().size() + 1);
  files_.Write(name, other.ToPem());
  EXPECT_EQ(StatusOf(signer_), 1);
  EXPECT_EQ(StatusOf(other), 1) << "under a name that is another certificate's";
}

TEST_F(TvsServerTest, AChangeIsSeenOnAnOpenConnectionAndAfterThousandsOfNotices) {
  Start();
  RawTlsClient client(server_->port());
  ASSERT_TRUE(client.Handshake());
  ASSERT_TRUE(client.Send(Encoded(Query(signer_))));
  EXPECT_EQ(DecodeTvsReply(*client.Receive())->status, 1);
  // More than the kernel keeps (fs.inotify.max_queued_events is 16,384 by default).
  files_.Add("Phone-SAST-trust", signer_);
  for (int i = 0; i < 9000; ++i) {
    files_.Write("stores/Phone-SAST-trust/note", "x");
  }
  ASSERT_TRUE(client.Send(Encoded(Query(signer_))));
  EXPECT_EQ(DecodeTvsReply(*client.Receive())->status, 0);
}

TEST_F(TvsServerTest, OtherFilesInAStoreAreNotVouchedFor) {
  files_.Write("stores/Phone-SAST-trust/somebody.pem", signer_.ToPem());
  files_.Write("stores/loose.pem", signer_.ToPem());
  Start();
  EXPECT_EQ(StatusOf(signer_), 1);
}

TEST_F(TvsServerTest, Scenario43FramesAreReadInWhateverPiecesTheyCome) {
  files_.Add("Phone-SAST-trust", signer_);
  Start();
  RawTlsClient client(server_->port());
  ASSERT_TRUE(client.Handshake());
  for (const char byte : Encoded(Query(signer_))) {
    ASSERT_TRUE(client.Send(absl::string_view(&byte, 1)));
  }
  const std::optional<TvsFrame> reply = client.Receive();
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(DecodeTvsReply(*reply)->certificate, signer_.der());
}

TEST_F(TvsServerTest, Scenario43ReservedByteAndUnknownElementsAreIgnoredTheSessionIsEchoed) {
  files_.Add("Phone-SAST-trust", signer_);
  Start();
  TvsRequest request = Query(signer_, 0xfffffffe);
  request.reserved = 0xf7;
  std::string bytes = Encoded(request);
  const std::string extra("\x06\0\x02xy\xc8\0\0", 8);  // element 6 and one nobody knows
  bytes += extra;
  bytes[9] = static_cast<char>(bytes[9] + static_cast<char>(extra.size()));
  const std::optional<TvsFrame> frame = Say(bytes);
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(frame->session, 0xfffffffe);
  EXPECT_EQ(frame->command, kTvsQueryResponse);
  EXPECT_EQ(DecodeTvsReply(*frame)->status, 0);
}

TEST_F(TvsServerTest, Scenario43VerifyAndQueryAreAnsweredByTheirOwnResponse) {
  files_.Add("tomcat-trust", signer_);
  Start();
  TvsRequest verify;
  verify.kind = TvsKind::kVerify;
  verify.session = 9;
  verify.device = "CP-8861-SEP001B54AABB01";
  verify.certificate = signer_.der();
  std::optional<TvsFrame> frame = Say(Encoded(verify));
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(frame->command, kTvsVerifyResponse);
  EXPECT_EQ(DecodeTvsReply(*frame)->status, 0);
  EXPECT_TRUE(DecodeTvsReply(*frame)->HasRole(ListRole::kAppServer));
  verify.certificate = tvs_.certificate.der();
  frame = Say(Encoded(verify));
  EXPECT_EQ(DecodeTvsReply(*frame)->status, 1);
  frame = Say(Encoded(Query(signer_)));
  EXPECT_EQ(frame->command, kTvsQueryResponse);
}

TEST_F(TvsServerTest, Scenario43LiesCloseTheConnectionAndNothingElse) {
  Start();
  const std::string good = Encoded(Query(signer_));
  std::vector<std::string> lies;
  lies.push_back("GET / HTTP/1.1\r\n\r\n");
  lies.push_back(good);
  lies.back()[1] = 2;  // another version
  for (const char command : {2, 4, 0, 99}) {
    lies.push_back(good);
    lies.back()[2] = command;
  }
  lies.push_back(good);
  lies.back()[9] = static_cast<char>(lies.back()[9] - 1);  // the body is longer than it says
  lies.push_back(good);
  lies.back()[11] = '\xff';  // an element that runs over the body
  lies.push_back(good.substr(0, 10));
  lies.back()[8] = lies.back()[9] = 0;  // nothing in it
  for (const std::string& lie : lies) {
    EXPECT_FALSE(Say(lie).has_value()) << absl::CHexEscape(lie);
  }
  // A length of 65,535 of which nothing comes: it is waited for, and costs no memory.
  RawTlsClient waiting(server_->port());
  ASSERT_TRUE(waiting.Handshake());
  ASSERT_TRUE(waiting.Send(absl::string_view("\x57\x01\x03\0\0\0\0\0\xff\xff", 10)));
  EXPECT_EQ(StatusOf(signer_), 1);
  journal_.Await("not a TVS frame");
}

TEST_F(TvsServerTest, SeveralQuestionsOnOneConnectionAreAnsweredInOrder) {
  files_.Add("Phone-SAST-trust", signer_);
  Start();
  RawTlsClient client(server_->port());
  ASSERT_TRUE(client.Handshake());
  std::string together;
  for (uint32_t session = 1; session <= 20; ++session) together += Encoded(Query(signer_, session));
  ASSERT_TRUE(client.Send(together));
  for (uint32_t session = 1; session <= 20; ++session) {
    const std::optional<TvsFrame> frame = client.Receive();
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(frame->session, session);
  }
}

TEST_F(TvsServerTest, APeerThatAsksAndNeverReadsIsHeldBackAndDelaysNobody) {
  files_.Add("Phone-SAST-trust", signer_);
  TvsServerOptions options = Options();
  options.connection_bytes = 100 << 20;
  Start(options);
  RawTlsClient greedy(server_->port());
  ASSERT_TRUE(greedy.Handshake());
  // Its answers fill what the kernel takes, then the server stops reading from it, then sending
  // blocks; so it is done from another thread, and ended by closing the server.
  std::thread sender([&] {
    const std::string question = Encoded(Query(signer_));
    while (greedy.Send(question)) continue;
  });
  for (int i = 0; i < 20; ++i) EXPECT_EQ(StatusOf(signer_), 0);
  server_->Stop(absl::ZeroDuration());
  server_.reset();
  sender.join();
}

TEST_F(TvsServerTest, PeersThatSaySlowlyWhatTheyWantDelayNobody) {
  files_.Add("Phone-SAST-trust", signer_);
  Start();
  RawTlsClient silent(server_->port());
  RawTlsClient half_hello(server_->port());
  ASSERT_TRUE(half_hello.SendPlain(absl::string_view("\x16\x03\x01\x02\x00\x01\x00", 7)));
  RawTlsClient half_question(server_->port());
  ASSERT_TRUE(half_question.Handshake());
  ASSERT_TRUE(half_question.Send(Encoded(Query(signer_)).substr(0, 30)));
  RawTlsClient garbage(server_->port());
  ASSERT_TRUE(garbage.SendPlain("\x16\x03\x01 garbage all the way down"));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(StatusOf(signer_), 0);
}

TEST_F(TvsServerTest, AConnectionHasALimitedLifeWhateverItDoes) {
  TvsServerOptions options = Options();
  options.connection_time = absl::Milliseconds(100);
  Start(options);
  RawTlsClient silent(server_->port());
  silent.AwaitClose();
  RawTlsClient idle(server_->port());
  if (idle.Handshake()) {
    EXPECT_FALSE(idle.Receive().has_value());
  }
  EXPECT_GE(server_->figures().overdue, 1u);
}

TEST_F(TvsServerTest, AConnectionMaySendALimitedNumberOfBytes) {
  TvsServerOptions options = Options();
  options.connection_bytes = 1000;
  Start(options);
  RawTlsClient client(server_->port());
  ASSERT_TRUE(client.Handshake());
  const std::string question = Encoded(Query(signer_));
  bool answered = true;
  size_t sent = 0;
  while (answered && sent < 5000) {
    answered = client.Send(question) && client.Receive().has_value();
    if (answered) sent += question.size();
  }
  EXPECT_FALSE(answered);
  EXPECT_LE(sent, 1000u);
  journal_.Await("more bytes than a connection may send");
}

TEST_F(TvsServerTest, OverItsMostConnectionsOthersWaitUntilOneEnds) {
  TvsServerOptions options = Options();
  options.max_connections = 2;
  Start(options);
  auto first = std::make_unique<RawTlsClient>(server_->port());
  RawTlsClient second(server_->port());
  ASSERT_TRUE(first->Handshake());
  ASSERT_TRUE(second.Handshake());
  EXPECT_TRUE(absl::IsUnavailable(Ask(signer_, absl::Milliseconds(200)).status()));
  EXPECT_EQ(server_->figures().open, 2u);
  first.reset();
  EXPECT_EQ(StatusOf(signer_), 1);
}

// The first flight of a TLS client, as bytes.
std::string ClientHello() {
  SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  SSL* const ssl = SSL_new(context);
  BIO* const out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
  EXPECT_LT(SSL_connect(ssl), 1);
  char bytes[4096];
  const int size = BIO_read(out, bytes, sizeof(bytes));
  EXPECT_GT(size, 0);
  SSL_free(ssl);
  SSL_CTX_free(context);
  return std::string(bytes, static_cast<size_t>(std::max(size, 0)));
}

TEST_F(TvsServerTest, APhoneThatGaveUpWhileItWaitedCostsNoHandshake) {
  TvsServerOptions options = Options();
  options.max_connections = 1;
  Start(std::move(options));
  RawTlsClient first(server_->port());
  ASSERT_TRUE(first.Handshake());
  RawTlsClient impatient(server_->port());  // waits with the kernel
  ASSERT_TRUE(impatient.SendPlain(ClientHello()));
  ::shutdown(impatient.fd(), SHUT_WR);
  ::shutdown(first.fd(), SHUT_RDWR);
  journal_.Await("reason=the peer closed");
  char byte = 0;
  EXPECT_LE(recv(impatient.fd(), &byte, 1, 0), 0) << "it was answered";
  EXPECT_EQ(server_->figures().handshakes, 1u);
  EXPECT_EQ(StatusOf(signer_), 1);
}

TEST_F(TvsServerTest, APhoneThatSaysNoMoreAfterItsQuestionIsAnswered) {
  Start();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    RawTlsClient client(server_->port());
    RawTlsClient::Options only;
    only.version = version;
    ASSERT_TRUE(client.Handshake(only));
    ASSERT_TRUE(client.Send(Encoded(Query(signer_))));
    ::shutdown(client.fd(), SHUT_WR);
    EXPECT_TRUE(client.Receive().has_value()) << version;
  }
}

TEST_F(TvsServerTest, OldTlsIsRefusedByDefaultAndTakenForLegacyPhones) {
  files_.Add("Phone-SAST-trust", signer_);
  RawTlsClient::Options old;
  old.version = TLS1_VERSION;
  old.ciphers = "AES256-SHA:@SECLEVEL=0";
  RawTlsClient::Options newer;
  newer.version = TLS1_3_VERSION;

  Start();
  EXPECT_FALSE(RawTlsClient(server_->port()).Handshake(old));
  EXPECT_TRUE(RawTlsClient(server_->port()).Handshake(newer));

  TvsServerOptions options = Options();
  options.legacy_phones = true;
  Start(options);
  RawTlsClient phone(server_->port());
  ASSERT_TRUE(phone.Handshake(old));
  EXPECT_EQ(phone.cipher(), "TLSv1 AES256-SHA");
  ASSERT_TRUE(phone.Send(Encoded(Query(signer_))));
  EXPECT_EQ(DecodeTvsReply(*phone.Receive())->status, 0);
  RawTlsClient::Options old12 = old;
  old12.version = TLS1_2_VERSION;
  RawTlsClient phone12(server_->port());
  ASSERT_TRUE(phone12.Handshake(old12));
  EXPECT_EQ(phone12.cipher(), "TLSv1.2 AES256-SHA");
  EXPECT_TRUE(RawTlsClient(server_->port()).Handshake(newer));
}

TEST_F(TvsServerTest, AnonymousAndNullCiphersAreNeverTaken) {
  for (const bool legacy : {false, true}) {
    TvsServerOptions options = Options();
    options.legacy_phones = legacy;
    Start(options);
    for (const int version : {TLS1_VERSION, TLS1_2_VERSION}) {
      for (const char* const ciphers : {"aNULL:@SECLEVEL=0", "eNULL:@SECLEVEL=0"}) {
        RawTlsClient::Options anonymous;
        anonymous.version = version;
        anonymous.ciphers = ciphers;
        EXPECT_FALSE(RawTlsClient(server_->port()).Handshake(anonymous)) << ciphers << legacy;
      }
    }
  }
}

TEST_F(TvsServerTest, GivesNoSessionTickets) {
  Start();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    RawTlsClient::Options options;
    options.version = version;
    RawTlsClient client(server_->port());
    ASSERT_TRUE(client.Handshake(options));
    ASSERT_TRUE(client.Send(Encoded(Query(signer_))));
    ASSERT_TRUE(client.Receive().has_value());  // a TLS 1.3 ticket would have come before it
    EXPECT_FALSE(client.got_ticket()) << version;
  }
}

TEST_F(TvsServerTest, APhonesCertificateIsLoggedAndNeitherRequiredNorVerified) {
  TvsServerOptions options = Options();
  options.ask_phone_certificate = true;
  Start(options);
  RawTlsClient without(server_->port());
  ASSERT_TRUE(without.Handshake());
  ASSERT_TRUE(without.Send(Encoded(Query(signer_))));
  EXPECT_TRUE(without.Receive().has_value());
  journal_.Await("a phone without a certificate");
  RawTlsClient::Options with;
  with.identity =
      TestIdentity{TestPki::UnitCertificate("CP-8861-SEP001B54AABB01"), TestPki::UnitKey()};
  RawTlsClient phone(server_->port());
  ASSERT_TRUE(phone.Handshake(with));
  ASSERT_TRUE(phone.Send(Encoded(Query(signer_))));
  EXPECT_TRUE(phone.Receive().has_value());
  journal_.Await("subject=CN=CP-8861-SEP001B54AABB01");
}

TEST_F(TvsServerTest, DrainingAnswersWhoIsConnectedAndTakesNobodyNew) {
  Start();
  RawTlsClient client(server_->port());
  ASSERT_TRUE(client.Handshake());
  ASSERT_TRUE(client.Send(Encoded(Query(signer_))));
  ASSERT_TRUE(client.Receive().has_value());
  std::thread stopper([&] { server_->Stop(absl::Minutes(5)); });
  // Whoever connects now may still reach the socket, but gets no handshake.
  ASSERT_TRUE(client.Send(Encoded(Query(signer_, 2))));
  const std::optional<TvsFrame> frame = client.Receive();
  EXPECT_TRUE(frame.has_value());
  ::shutdown(client.fd(), SHUT_RDWR);
  stopper.join();
  EXPECT_EQ(server_->figures().open, 0u);
}

TEST_F(TvsServerTest, SeveralThreadsServeTheSameStores) {
  files_.Add("Phone-SAST-trust", signer_);
  TvsServerOptions options = Options();
  options.threads = 3;
  options.max_connections = 30;
  Start(options);
  for (int i = 0; i < 12; ++i) EXPECT_EQ(StatusOf(signer_), 0);
  files_.Remove("Phone-SAST-trust", signer_);
  for (int i = 0; i < 12; ++i) EXPECT_EQ(StatusOf(signer_), 1);
}

TEST_F(TvsServerTest, RefusesAKeyThatIsNotTheCertificates) {
  TvsServerOptions options = Options();
  options.key = *PrivateKey::GenerateEcP256();
  absl::StatusOr<TvsListener> listener = TvsListener::Open("127.0.0.1", 0);
  ASSERT_TRUE(listener.ok());
  const uint16_t port = listener->port();
  EXPECT_TRUE(absl::IsUnavailable(TvsListener::Open("127.0.0.1", port).status()));
  EXPECT_TRUE(
      absl::IsInvalidArgument(TvsServer::Start(*std::move(listener), std::move(options)).status()));
}

}  // namespace
}  // namespace trustline
