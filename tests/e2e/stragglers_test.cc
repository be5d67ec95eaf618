// The ledger of phones through the real command: what it lists, and what it holds back.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/history/history_store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "openssl/sha.h"
#include "tests/e2e/test_fleet.h"
#include "trust/trust_list/list_writer.h"

namespace trustline::e2e {
namespace {

using controller::HistoryStore;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A TFTP node's HTTP server: every ITL it is asked for is the same list, everything else is absent.
class ListServer {
 public:
  explicit ListServer(std::string list) : list_(std::move(list)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(listener_, 16), 0);
    socklen_t size = sizeof(address);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~ListServer() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  int port() const { return port_; }

 private:
  void Serve() {
    while (true) {
      const int peer = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (peer < 0) return;
      std::string request;
      char buffer[2048];
      while (!absl::StrContains(request, "\r\n\r\n")) {
        const ssize_t got = read(peer, buffer, sizeof(buffer));
        if (got <= 0) break;
        request.append(buffer, static_cast<size_t>(got));
      }
      const bool itl = absl::StartsWith(request, "GET /ITL");
      const std::string body = itl ? list_ : "";
      const std::string reply =
          absl::StrCat("HTTP/1.1 ", itl ? "200 OK" : "404 Not Found",
                       "\r\nConnection: close\r\nContent-Length: ", body.size(), "\r\n\r\n", body);
      for (size_t at = 0; at < reply.size();) {
        const ssize_t sent = send(peer, reply.data() + at, reply.size() - at, MSG_NOSIGNAL);
        if (sent <= 0) break;
        at += static_cast<size_t>(sent);
      }
      close(peer);
    }
  }

  const std::string list_;
  int listener_ = -1, port_ = 0;
  std::thread thread_;
};

// An ITL and its SHA-1 as a phone shows it.
std::string SomeItl() {
  const PrivateKey& key = testing::TestPki::UnitKey();
  const Certificate signer = testing::TestPki::UnitCertificate("dst-pub");
  TrustListDraft draft;
  draft.timestamp = testing::TestPki::SomeTime();
  draft.records = {MakeRecord(signer, ListRole::kSast, "dst-pub").value(),
                   MakeRecord(signer, ListRole::kCcmTftp, "dst-pub").value()};
  return WriteTrustList(draft, signer, key).value();
}
std::string Sha1Hex(const std::string& bytes) {
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest), sizeof(digest)));
}

class StragglersCliTest : public ::testing::Test {
 protected:
  StragglersCliTest() {
    fleet_.Write("inventory.yml",
                 "all:\n  hosts:\n    src-pub: { ansible_host: 127.0.0.1, ansible_port: 1 }\n");
  }
  void Miss(const std::string& device) {
    const auto store = HistoryStore::Open(fleet_.history());
    ASSERT_TRUE(store.ok()) << store.status();
    ASSERT_TRUE((*store)
                    ->RecordArrivals("spring", "decommission", {{device, false, "does not answer"}},
                                     absl::FromUnixSeconds(1795305600))
                    .ok());
  }
  TestFleet fleet_;
};

TEST_F(StragglersCliTest, AreListedUntilTheyAreExcused) {
  EXPECT_EQ(fleet_.Operate({"stragglers", "list"}).exit_code, 66);
  Miss("SEP001B54AABB01");
  Miss("SEP001B54AABB02");
  const nlohmann::json list = Json(fleet_.Operate({"stragglers", "list", "-o", "json"}));
  ASSERT_EQ(list["stragglers"].size(), 2u) << list;
  EXPECT_EQ(list["stragglers"][0]["device"], "SEP001B54AABB01");
  EXPECT_EQ(list["stragglers"][0]["state"], "missing");
  EXPECT_EQ(fleet_.Operate({"stragglers", "list", "-o", "yaml", "--exchange", "autumn"}).out,
            "schema: trustline/1\nstragglers: []\n");

  EXPECT_EQ(fleet_.Operate({"stragglers", "excuse", "SEP001B54AABB01"}).exit_code, 64);
  const Finished excused =
      fleet_.Operate({"stragglers", "excuse", "SEP001B54AABB01", "--reason", "scrapped"});
  EXPECT_EQ(excused.exit_code, 0) << excused;
  EXPECT_EQ(fleet_.Operate({"stragglers", "excuse", "SEP001B54AABB01", "--reason", "x"}).exit_code,
            66);
  const Finished table = fleet_.Operate({"stragglers", "list", "--all", "--no-headers"});
  EXPECT_THAT(table.out, HasSubstr("scrapped (alice)"));
  EXPECT_THAT(table.out, HasSubstr("SEP001B54AABB02  missing"));
}

TEST_F(StragglersCliTest, AVerificationOfTheFleetFillsTheLedgerAndEmptiesIt) {
  const std::string itl = SomeItl();
  ListServer server(itl);
  const auto verify = [&](const std::string& second) {
    const std::string csv = fleet_.Write(
        "phones.csv", absl::StrCat("device,itl\nSEP001B54AABB01,", Sha1Hex(itl),
                                   "\nSEP001B54AABB02,", second, "\nSEP001B54AABB03,\n"));
    return fleet_.Operate({"phone", "fleet", csv, "--tftp", "127.0.0.1", "--http-port",
                           absl::StrCat(server.port()), "--verify", "--exchange", "spring",
                           "--playbook", "playbooks/decommission.yml", "--history",
                           fleet_.history()});
  };
  const auto missing = [&] {
    std::vector<std::string> devices;
    const nlohmann::json list = Json(fleet_.Operate({"stragglers", "list", "-o", "json"}));
    for (const nlohmann::json& entry : list["stragglers"]) devices.push_back(entry["device"]);
    return devices;
  };
  const Finished first = verify(std::string(40, '1'));
  EXPECT_EQ(first.exit_code, 2) << first;
  EXPECT_THAT(missing(), ElementsAre("SEP001B54AABB02", "SEP001B54AABB03"));
  const Finished later = verify(Sha1Hex(itl));
  EXPECT_EQ(later.exit_code, 2) << later;
  EXPECT_THAT(missing(), ElementsAre("SEP001B54AABB03"));
  // One name without the other says nothing.
  EXPECT_EQ(fleet_
                .Operate({"phone", "fleet", fleet_.directory() + "/phones.csv", "--tftp",
                          "127.0.0.1", "--verify", "--exchange", "spring"})
                .exit_code,
            64);
}

TEST_F(StragglersCliTest, ImportedTrustStaysWhileOneIsMissing) {
  Miss("SEP001B54AABB01");
  const Finished named = fleet_.Operate({"rollback", "-i", fleet_.inventory(), "--include-trust"});
  EXPECT_EQ(named.exit_code, 8) << named;
  EXPECT_THAT(named.err, HasSubstr("SEP001B54AABB01 (does not answer)"));
  // Nothing was begun, and without --include-trust it is not asked.
  EXPECT_EQ(Json(fleet_.Operate({"history", "list", "-o", "json"}))["runs"].size(), 0u);
  EXPECT_EQ(fleet_.Operate({"rollback", "-i", fleet_.inventory(), "-T", "2"}).exit_code, 4);
}

TEST_F(StragglersCliTest, APlanSaysThatADecommissioningStageWouldNotStart) {
  Miss("SEP001B54AABB01");
  const std::string playbook = fleet_.Write("decommission.yml",
                                            "- name: Take the source away\n  hosts: src-pub\n  "
                                            "require_no_stragglers: true\n  tasks:\n    "
                                            "- service: { name: tvs }\n");
  const Finished plan = fleet_.Operate({"plan", playbook, "-i", fleet_.inventory(), "-T", "2"});
  EXPECT_THAT(plan.err, HasSubstr("stage 1 \"Take the source away\" would not start: 1 phone has "
                                  "not arrived: SEP001B54AABB01"))
      << plan;
}

}  // namespace
}  // namespace trustline::e2e
