// The simulated phone on real servers: in.tftpd, files over HTTP, and the Trust Verification
// Service, all on loopback.
#include "trust/phone/live_network.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/fakes/phone_world.h"
#include "tests/fakes/trust_store_files.h"
#include "tests/servers/http_files.h"
#include "tests/servers/tftpd.h"
#include "trust/phone/file_download.h"
#include "trust/tvs/tvs_server.h"

namespace trustline {
namespace {

using testing::ConfigXml;
using ::testing::Contains;
using ::testing::HasSubstr;
using testing::MakeItl;
using testing::MakePhoneNode;
using testing::PhoneNode;
using testing::PhoneWorld;
using testing::SignConfig;
using testing::TestPki;
using testing::TrustStoreFiles;
using End = BootResult::End;

constexpr char kHost[] = "127.0.0.1";
constexpr char kDevice[] = "SEP001B54AABB01";
constexpr char kItl[] = "ITLSEP001B54AABB01.tlv";
constexpr char kConfig[] = "SEP001B54AABB01.cnf.xml.sgn";

// A port of this machine where nobody answers, and that nobody else can take meanwhile.
class SilentPort {
 public:
  explicit SilentPort(int type) : fd_(socket(AF_INET, type | SOCK_CLOEXEC, 0)) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(any);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&any), size), 0);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&any), &size), 0);
    port_ = ntohs(any.sin_port);
  }
  ~SilentPort() { close(fd_); }
  SilentPort(const SilentPort&) = delete;
  SilentPort& operator=(const SilentPort&) = delete;
  uint16_t port() const { return port_; }

 private:
  const int fd_;
  uint16_t port_ = 0;
};

class LivePhone : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!tftp_.problem().empty()) GTEST_SKIP() << tftp_.problem();
    behaviour_.http_port = http_.port();
    behaviour_.tftp_port = tftp_.port();
    ServeTvs(src_pub_.tvs);
    phone_.device = kDevice;
    phone_.model = "CP-8861";
    phone_.itl = MakeItl(src_pub_, {src_pub_});
    phone_.config = ConfigXml({"10.10.0.11"});
  }

  void ServeTvs(const Certificate& certificate) {
    TvsServerOptions options{certificate, TestPki::UnitKey()};
    options.stores = stores_.root();
    absl::StatusOr<TvsListener> listener = TvsListener::Open(kHost, 0);
    ASSERT_TRUE(listener.ok()) << listener.status();
    absl::StatusOr<std::unique_ptr<TvsServer>> server =
        TvsServer::Start(*std::move(listener), std::move(options));
    ASSERT_TRUE(server.ok()) << server.status();
    tvs_ = *std::move(server);
    phone_.tvs = {{kHost, tvs_->port()}};
  }
  // What bulk certificate management brings to the source.
  void SourceTrustsTheDestination() {
    stores_.Add("Phone-SAST-trust", dst_pub_.itlrecovery);
    stores_.Add("CallManager-trust", dst_pub_.callmanager);
  }
  std::string NewItl() const { return MakeItl(dst_pub_, {dst_pub_}); }
  std::string NewConfig() const {
    return SignConfig(kConfig, ConfigXml({"10.20.0.11"}), dst_pub_.callmanager);
  }
  void ServeByHttp() {
    http_.Serve(kHost, kItl, new_itl_);
    http_.Serve(kHost, kConfig, NewConfig());
  }
  void ServeByTftp() {
    tftp_.Serve(kItl, new_itl_);
    tftp_.Serve(kConfig, NewConfig());
  }
  BootResult Boot() {
    LiveNetwork network(behaviour_);
    return trustline::Boot(phone_, {kHost}, network, behaviour_, absl::Now());
  }
  static std::string StepsOf(const BootResult& result) {
    std::string text;
    for (const PhoneStep& step : result.steps)
      absl::StrAppend(&text, step.ok ? "ok " : "bad ", step.file, " ", step.text, "\n");
    return text;
  }

  PhoneNode src_pub_ = MakePhoneNode("src-pub", kHost), dst_pub_ = MakePhoneNode("dst-pub", kHost);
  std::string new_itl_ = NewItl();
  HttpFiles http_;
  Tftpd tftp_;
  TrustStoreFiles stores_;
  std::unique_ptr<TvsServer> tvs_;
  PhoneState phone_;
  PhoneBehaviour behaviour_;
};

TEST_F(LivePhone, MovesWhenItsLiveTvsVouchesForTheNewSigner) {
  SourceTrustsTheDestination();
  ServeByHttp();
  const BootResult moved = Boot();
  EXPECT_EQ(moved.end, End::kMoved) << StepsOf(moved);
  EXPECT_EQ(moved.after.itl, new_itl_);
  EXPECT_THAT(moved.registers_at, Contains("10.20.0.11"));
  EXPECT_EQ(tvs_->figures().answered, 1u);
  EXPECT_EQ(tvs_->figures().found, 1u);

  // Already there: nobody is asked anything.
  phone_ = moved.after;
  EXPECT_EQ(Boot().end, End::kUnchanged);
  EXPECT_EQ(tvs_->figures().answered, 1u);
}

TEST_F(LivePhone, Scenario32Http503FallsBackToTftpAndThePhoneMoves) {
  SourceTrustsTheDestination();
  http_.AnswerOnly("503 Service Unavailable");
  ServeByTftp();
  const BootResult result = Boot();
  EXPECT_EQ(result.end, End::kMoved) << StepsOf(result);
  EXPECT_EQ(result.after.itl, new_itl_);
  EXPECT_TRUE(result.config_changed);
}

TEST_F(LivePhone, Scenario32AMissingCtlIsNoErrorByEitherTransport) {
  SourceTrustsTheDestination();
  ServeByTftp();
  for (const bool refused : {false, true}) {
    http_.AnswerOnly(refused ? "503 Service Unavailable" : "");
    const BootResult result = Boot();
    EXPECT_EQ(result.end, End::kMoved) << StepsOf(result);
    EXPECT_THAT(StepsOf(result), HasSubstr("ok CTLSEP001B54AABB01.tlv no such file"));
    EXPECT_FALSE(result.after.ctl.has_value());
  }
}

TEST_F(LivePhone, Scenario32WithHttpAndTftpDownThePhoneIsUnreachableAndKeepsWhatItHas) {
  const SilentPort no_http(SOCK_STREAM), no_tftp(SOCK_DGRAM);
  behaviour_.http_port = no_http.port();
  behaviour_.tftp_port = no_tftp.port();
  behaviour_.file_timeout = absl::Milliseconds(200);
  const BootResult result = Boot();
  EXPECT_EQ(result.end, End::kUnreachable) << StepsOf(result);
  EXPECT_EQ(result.after.itl, phone_.itl);
  EXPECT_THAT(result.reason, HasSubstr(absl::StrCat("HTTP ", no_http.port(), ": ")));
  EXPECT_THAT(result.reason, HasSubstr(absl::StrCat("TFTP ", no_tftp.port(), ": ")));
}

TEST_F(LivePhone, HttpRefusedAndTftpSilentIsUnreachableToo) {
  const SilentPort no_tftp(SOCK_DGRAM);
  http_.AnswerOnly("503 Service Unavailable");
  behaviour_.tftp_port = no_tftp.port();
  behaviour_.file_timeout = absl::Milliseconds(500);
  const BootResult result = Boot();
  EXPECT_EQ(result.end, End::kUnreachable) << StepsOf(result);
  EXPECT_THAT(result.reason, HasSubstr("HTTP 503"));
}

TEST_F(LivePhone, ASignerTheLiveTvsDoesNotKnowLocksThePhone) {
  ServeByHttp();
  const BootResult result = Boot();
  EXPECT_EQ(result.end, End::kLocked) << StepsOf(result);
  EXPECT_EQ(result.refusal, PhoneRefusal::kSignerUnknown);
  EXPECT_EQ(result.after.itl, phone_.itl);
  EXPECT_EQ(tvs_->figures().found, 0u);
}

TEST_F(LivePhone, Scenario14CallManagerTrustAloneLocksThePhoneAtALiveTvs) {
  stores_.Add("CallManager-trust", dst_pub_.itlrecovery);
  ServeByHttp();
  const BootResult result = Boot();
  EXPECT_EQ(result.end, End::kLocked) << StepsOf(result);
  EXPECT_EQ(result.refusal, PhoneRefusal::kSignerRole);
}

TEST_F(LivePhone, Scenario17ATvsWithAnotherCertificateThanTheListsIsNotBelieved) {
  SourceTrustsTheDestination();
  ServeByHttp();
  ServeTvs(TestPki::UnitCertificate("tvs_src-pub"));  // regenerated: the same name and key
  const BootResult result = Boot();
  EXPECT_EQ(result.end, End::kLocked) << StepsOf(result);
  EXPECT_EQ(result.refusal, PhoneRefusal::kTvsIdentity);
  EXPECT_EQ(tvs_->figures().answered, 0u);

  LiveNetwork network(behaviour_);
  TvsRequest request;
  request.session = 1001;
  request.device = "CP-8861-SEP001B54AABB01";
  request.issuer = dst_pub_.itlrecovery.issuer();
  request.serial = dst_pub_.itlrecovery.serial();
  EXPECT_TRUE(absl::IsPermissionDenied(
      network.AskTvs(phone_.tvs.front(), request, {src_pub_.tvs}).status()));
}

TEST_F(LivePhone, Scenario28AStoppedTvsIsUnreachableAndTheNextOneIsAsked) {
  SourceTrustsTheDestination();
  ServeByHttp();
  const SilentPort stopped(SOCK_STREAM);
  phone_.tvs.insert(phone_.tvs.begin(), {kHost, stopped.port()});
  BootResult result = Boot();
  EXPECT_EQ(result.end, End::kMoved) << StepsOf(result);
  ASSERT_EQ(result.tvs.size(), 2u);
  EXPECT_EQ(result.tvs[0].refusal, PhoneRefusal::kTvsUnreachable);
  EXPECT_EQ(result.tvs[1].refusal, PhoneRefusal::kNone);

  tvs_.reset();
  result = Boot();
  EXPECT_EQ(result.end, End::kLocked) << StepsOf(result);
  EXPECT_EQ(result.refusal, PhoneRefusal::kTvsUnreachable);
  EXPECT_EQ(result.after.itl, phone_.itl);
}

TEST_F(LivePhone, FilesOver2048KilobytesAreRefusedByEitherTransport) {
  const std::string fits(kMaxPhoneFileBytes, 'x'), too_large(kMaxPhoneFileBytes + 1, 'x');
  LiveNetwork network(behaviour_);
  http_.Serve(kHost, kItl, fits);
  EXPECT_EQ(network.Fetch(kHost, kItl).value().size(), kMaxPhoneFileBytes);
  http_.Serve(kHost, kItl, too_large);
  EXPECT_TRUE(absl::IsResourceExhausted(network.Fetch(kHost, kItl).status()));
  const BootResult by_http = Boot();
  EXPECT_EQ(by_http.end, End::kLocked) << StepsOf(by_http);
  EXPECT_EQ(by_http.refusal, PhoneRefusal::kListSize);
  EXPECT_THAT(by_http.reason, HasSubstr("2048 KB"));
  EXPECT_EQ(by_http.after.itl, phone_.itl);

  http_.AnswerOnly("503 Service Unavailable");
  tftp_.Serve(kItl, fits);
  EXPECT_EQ(network.Fetch(kHost, kItl).value().size(), kMaxPhoneFileBytes);
  tftp_.Serve(kItl, too_large);
  const BootResult by_tftp = Boot();
  EXPECT_EQ(by_tftp.end, End::kLocked) << StepsOf(by_tftp);
  EXPECT_EQ(by_tftp.refusal, PhoneRefusal::kListSize);
  EXPECT_EQ(by_tftp.after.itl, phone_.itl);
}

TEST_F(LivePhone, NamesThatLeaveTheServersDirectoryAreNotAskedFor) {
  LiveNetwork network(behaviour_);
  EXPECT_TRUE(absl::IsInvalidArgument(network.Fetch(kHost, "../etc/passwd").status()));
}

}  // namespace
}  // namespace trustline
