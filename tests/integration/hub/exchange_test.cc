// A whole exchange over a real server: two nodes export, one merges, a third party meddles on the
// server's disk.
#include "trust/exchange.h"

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/test_pki.h"
#include "tests/integration/hub/tcp_proxy.h"
#include "tests/servers/sshd.h"
#include "trust/sftp_hub.h"

namespace trustline {
namespace {

using ::testing::SizeIs;
using testing::TestIdentity;
using testing::TestPki;

class ExchangeOverSftpTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string missing = EnterPrivateMounts();
    ASSERT_EQ(missing, "");
    sshd_ = std::make_unique<Sshd>();
    ASSERT_EQ(sshd_->problem(), "");
    trust_.exchange = "spring";
    trust_.roots = pki_.roots();
    trust_.now = TestPki::SomeTime();
    trust_.topology.set_domain("example.test");
    for (const char* name : {"src", "dst"}) {
      v1::Cluster* cluster = trust_.topology.add_clusters();
      cluster->set_name(name);
      cluster->add_nodes()->set_name(absl::StrCat(name, "-pub"));
    }
  }

  std::unique_ptr<Hub> Dial(uint16_t port, int tries) {
    v1::HubAddress address = sshd_->Address();
    address.set_port(port);
    SftpRetry retry;
    retry.tries = tries;
    retry.sleep = [](absl::Duration) {};
    auto hub = SftpDialer(retry).Dial(address, sshd_->Secrets());
    EXPECT_TRUE(hub.ok()) << hub.status() << sshd_->Log();
    return hub.ok() ? *std::move(hub) : nullptr;
  }

  absl::Status Export(Hub& hub, const std::string& cluster) {
    const std::string node = cluster + "-pub";
    const TestIdentity identity = pki_.AgentIdentity(node);
    const ExpectedExport who{cluster, node, "CallManager"};
    absl::StatusOr<uint64_t> highest = HighestExportSequence(hub, "spring", who);
    if (!highest.ok()) return highest.status();
    const BundleEntry entry{TestPki::UnitCertificate(node), "CallManager of " + node};
    return PublishExport(hub, "spring", {who, {entry}, *highest + 1}, "", BundleProfile::kModern,
                         identity.key, identity.certificate, trust_.now);
  }

  TestPki pki_;
  ExchangeTrust trust_;
  std::unique_ptr<Sshd> sshd_;
};

TEST_F(ExchangeOverSftpTest, ExportsAreMergedAndReadBack) {
  const auto hub = Dial(sshd_->port(), 1);
  ASSERT_NE(hub, nullptr);
  EXPECT_THAT(ReadManifests(*hub, trust_, {"CallManager"})->manifests, SizeIs(0));
  ASSERT_EQ(Export(*hub, "src"), absl::OkStatus());
  ASSERT_EQ(Export(*hub, "dst"), absl::OkStatus());
  const auto believed = ReadManifests(*hub, trust_, {"CallManager"});
  ASSERT_TRUE(believed.ok()) << believed.status();
  ASSERT_THAT(believed->manifests, SizeIs(2));
  std::vector<BundleEntry> all;
  std::vector<v1::Manifest> manifests;
  for (const auto& [who, manifest] : believed->manifests) {
    const auto entries = ReadExport(*hub, manifest, "");
    ASSERT_TRUE(entries.ok()) << entries.status();
    all.insert(all.end(), entries->begin(), entries->end());
    manifests.push_back(manifest);
  }
  const TestIdentity identity = pki_.AgentIdentity("dst-pub");
  ASSERT_EQ(PublishConsolidated(*hub, "spring", "CallManager", all, manifests, 1, "",
                                BundleProfile::kModern, "dst-pub", identity.key,
                                identity.certificate, trust_.now),
            absl::OkStatus());
  const auto merged = ReadConsolidated(*hub, trust_, "CallManager", "");
  ASSERT_TRUE(merged.ok()) << merged.status();
  EXPECT_THAT(merged->entries, SizeIs(2));

  const std::string object = absl::StrCat(sshd_->data(), "/spring/", manifests[0].object());
  std::string altered = ReadFileOrDie(object);
  altered[altered.size() / 2] ^= 1;
  WriteFileOrDie(object, altered, 0644);
  EXPECT_EQ(ReadExport(*hub, manifests[0], "").status().code(), absl::StatusCode::kDataLoss);
}

// The link drops again and again, each time a little later, until the export is through: never is
// there anything a reader would take for an export and is none.
TEST_F(ExchangeOverSftpTest, Scenario23DropsUntilTheExportIsThroughLeaveAConsistentExchange) {
  const auto reader = Dial(sshd_->port(), 1);
  ASSERT_NE(reader, nullptr);
  std::atomic<uint64_t> allowed = 3500;
  TcpProxy proxy(sshd_->port(), [&](int) {
    Cut cut;
    cut.after_from_client = allowed;
    return cut;
  });
  int failures = 0;
  for (;; allowed += 900) {
    v1::HubAddress address = sshd_->Address();
    address.set_port(proxy.port());
    SftpRetry once;
    once.tries = 1;
    auto hub = SftpDialer(once).Dial(address, sshd_->Secrets());
    const absl::Status status = hub.ok() ? Export(**hub, "src") : hub.status();
    const auto believed = ReadManifests(*reader, trust_, {"CallManager"});
    ASSERT_TRUE(believed.ok()) << believed.status();
    EXPECT_THAT(believed->rejected, SizeIs(0));
    for (const auto& [who, manifest] : believed->manifests) {
      EXPECT_TRUE(ReadExport(*reader, manifest, "").ok());
    }
    if (status.ok()) {
      EXPECT_THAT(believed->manifests, SizeIs(1));
      break;
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    ASSERT_LT(++failures, 40);
  }
  EXPECT_GT(failures, 1);
}

}  // namespace
}  // namespace trustline
