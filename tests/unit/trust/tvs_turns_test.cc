// How the service shares its time among peers, counted in turns.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "tests/fakes/test_pki.h"
#include "tests/fakes/trust_store_files.h"
#include "tests/unit/trust/raw_tls_client.h"
#include "trust/tvs/message.h"
#include "trust/tvs/tvs_server.h"

namespace trustline {
namespace {

using testing::RawTlsClient;
using testing::TestIdentity;
using testing::TestPki;
using testing::TrustStoreFiles;

// Holds the server's only thread in its log from the first answer on, until it is opened.
class Barrier {
 public:
  TvsLog log() {
    return [this](TvsSeverity, absl::string_view message, const auto&) {
      if (message != "answered") return;
      std::unique_lock<std::mutex> lock(mutex_);
      waiting_ = true;
      changed_.notify_all();
      changed_.wait(lock, [this] { return open_; });
    };
  }
  void AwaitServer() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return waiting_; });
  }
  void Open() {
    const std::lock_guard<std::mutex> lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool waiting_ = false, open_ = false;
};

TEST(TvsTurnsTest, APeerThatKeepsItsSocketFullGetsNoMoreTurnsThanOthers) {
  const TestIdentity tvs{TestPki::UnitCertificate("src-pub"), TestPki::UnitKey()};
  const Certificate wanted = TestPki::UnitCertificate("ITLRECOVERY_dst-pub");
  TrustStoreFiles files;
  Barrier barrier;
  TvsServerOptions options{tvs.certificate, tvs.key};
  options.stores = files.root();
  options.log = barrier.log();
  options.connection_time = absl::Minutes(5);
  absl::StatusOr<TvsListener> listener = TvsListener::Open("127.0.0.1", 0);
  ASSERT_TRUE(listener.ok()) << listener.status();
  const auto server = TvsServer::Start(*std::move(listener), std::move(options));
  ASSERT_TRUE(server.ok()) << server.status();

  TvsRequest request;
  request.session = 1;
  request.device = "CP-8861-SEP001B54AABB01";
  request.subject = wanted.subject();
  request.issuer = wanted.issuer();
  request.serial = wanted.serial();
  const std::string question = *EncodeTvsRequest(request);

  RawTlsClient busy((*server)->port());
  ASSERT_TRUE(busy.Handshake());
  RawTlsClient polite((*server)->port());
  ASSERT_TRUE(polite.Handshake());
  ASSERT_TRUE(polite.Send(question));
  barrier.AwaitServer();
  // One byte per record makes many steps of few bytes, all there before the server goes on.
  constexpr int kQuestions = 10;
  for (int i = 0; i < kQuestions; ++i) {
    for (const char byte : question) ASSERT_TRUE(busy.Send(std::string(1, byte)));
  }
  const TvsServerFigures before = (*server)->figures();
  barrier.Open();
  for (int i = 0; i < kQuestions; ++i) ASSERT_TRUE(busy.Receive().has_value());
  const TvsServerFigures after = (*server)->figures();
  const uint64_t turns = after.turns - before.turns, rounds = after.rounds - before.rounds;
  EXPECT_GT(turns, 100u);  // or nothing was there to share
  // One a round, and a few where a round begins with epoll's word.
  EXPECT_LE(turns, rounds + 10) << turns << " turns in " << rounds << " rounds";
  EXPECT_TRUE(polite.Receive().has_value());
}

}  // namespace
}  // namespace trustline
