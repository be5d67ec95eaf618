// The gate with the real programs: an agent whose simulated phones fetch real lists over HTTP and
// ask real Trust Verification Services, and the operator's command around it.
#include <sched.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/test_fleet.h"
#include "tests/fakes/phone_world.h"
#include "tests/fakes/trust_store_files.h"
#include "tests/servers/http_files.h"
#include "trust/rsa_signature.h"
#include "trust/tvs/tvs_server.h"

namespace trustline::e2e {
namespace {

using ::testing::HasSubstr;
using testing::ListOptions;
using ::testing::Not;
using testing::PhoneNode;

constexpr char kDevice[] = "SEP001B54AABB01";

// A network of this process and what it starts, with the clusters' addresses on its loopback
// device; gone with the process. Why not; empty: it is there.
std::string EnterPrivateNetwork() {
  static const std::string& missing = *new std::string([]() -> std::string {
    if (unshare(CLONE_NEWNET) != 0) return "needs root: no network of its own to be had";
    std::vector<std::vector<std::string>> commands = {{"/sbin/ip", "link", "set", "lo", "up"}};
    for (const char* address : {"10.10.0.11", "10.10.0.12", "10.20.0.11", "10.20.0.12"}) {
      commands.push_back({"/sbin/ip", "address", "add", absl::StrCat(address, "/32"), "dev", "lo"});
    }
    for (const std::vector<std::string>& argv : commands) {
      Command command;
      command.argv = argv;
      const Finished done = RunToEnd(command);
      if (done.exit_code != 0) return absl::StrCat("ip: ", done.err);
    }
    return "";
  }());
  return missing;
}

// Two clusters of two nodes: files over HTTP, a TVS each.
class GateTest : public ::testing::Test {
 protected:
  GateTest()
      : source_{testing::MakePhoneNode("src-pub", "10.10.0.11"),
                testing::MakePhoneNode("src-sub1", "10.10.0.12")},
        destination_{testing::MakePhoneNode("dst-pub", "10.20.0.11"),
                     testing::MakePhoneNode("dst-sub1", "10.20.0.12")} {
    if (!missing_.empty()) return;
    ListOptions old;
    old.recovery_signs = false;
    for (const PhoneNode& node : source_) {
      files_.Serve(node.address, "ITLFile.tlv", testing::MakeItl(node, source_, old));
    }
    const std::string config = absl::StrCat(kDevice, ".cnf.xml.sgn");
    ListOptions recovery;
    recovery.other_recovery = &destination_[0];
    for (const PhoneNode& node : destination_) {
      files_.Serve(node.address, "ITLFile.tlv", testing::MakeItl(node, destination_, recovery));
      files_.Serve(
          node.address, config,
          testing::SignConfig(
              config, testing::ConfigXml({destination_[0].address, destination_[1].address}),
              node.callmanager));
    }
    for (const auto* cluster : {&source_, &destination_}) {
      for (const PhoneNode& node : *cluster) StartTvs(node);
    }
    fleet_.Add("probe");
    fleet_.Add("dhcp-a");
    const std::string itl = testing::MakeItl(source_[0], source_, old);
    fleet_.Write("phones.csv",
                 absl::StrCat("device,address,itl,tvs\n", kDevice, ",10.30.0.21,",
                              absl::BytesToHexString(DigestOf(SignatureDigest::kSha1, itl)),
                              ",10.10.0.11:", tvs_port_, " 10.10.0.12:", tvs_port_, "\n"));
    playbook_ = fleet_.Write(
        "migrate.yml",
        absl::StrCat("- name: Point the phones\n  hosts: dhcp\n  gate: { phones: phones.csv, "
                     "run_on: probes, tftp_http_port: ",
                     files_.port(), ", tftp_port: ", files_.port(), ", tvs_port: ", tvs_port_,
                     ", timeout_ms: 5000 }\n  tasks:\n    - tftp_pointer: { scope: { subnet: "
                     "10.30.0.0/24 }, tftp_servers: [10.20.0.11, 10.20.0.12], probe_from: "
                     "probe }\n"));
  }

  void StartTvs(const PhoneNode& node) {
    stores_.push_back(std::make_unique<testing::TrustStoreFiles>());
    absl::StatusOr<TvsListener> listener = TvsListener::Open(node.address, tvs_port_);
    ASSERT_TRUE(listener.ok()) << listener.status();
    tvs_port_ = listener->port();
    TvsServerOptions options{node.tvs, testing::TestPki::UnitKey()};
    options.stores = stores_.back()->root();
    auto server = TvsServer::Start(*std::move(listener), std::move(options));
    ASSERT_TRUE(server.ok()) << server.status();
    tvs_.push_back(*std::move(server));
  }
  // What bundle_import does on a node of the source (0: src-pub, 1: src-sub1).
  void Import(size_t node) {
    for (const char* store : {"Phone-SAST-trust", "CallManager-trust"}) {
      stores_[node]->Add(store, destination_[0].itlrecovery);
      for (const PhoneNode& other : destination_) stores_[node]->Add(store, other.callmanager);
    }
  }

  void Start() {
    ASSERT_TRUE(fleet_.StartAll());
    std::string text = "all:\n  children:\n";
    const auto cluster = [&](const char* group, const char* name, const char* version,
                             const std::vector<PhoneNode>& nodes) {
      absl::StrAppend(&text, "    ", group, ":\n      vars: { cluster: ", name, ", version: \"",
                      version, "\" }\n      hosts:\n");
      for (const PhoneNode& node : nodes) {
        absl::StrAppend(&text, "        ", node.name, ": { roles: [",
                        &node == &nodes.front() ? "publisher, " : "",
                        "tftp, tvs], address: ", node.address, ", ansible_port: 1 }\n");
      }
    };
    cluster("source", "src", "11.5", source_);
    cluster("destination", "dst", "14", destination_);
    absl::StrAppend(&text,
                    "    dhcp:\n      vars: { dhcp_server: kea }\n      hosts:\n        "
                    "dhcp-a: ",
                    fleet_.Reach("dhcp-a"),
                    "\n    probes:\n      hosts:\n        probe: ", fleet_.Reach("probe"), "\n");
    fleet_.Write("inventory.yml", text);
  }
  Finished Run(const std::string& command, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {command, playbook_, "-i", fleet_.inventory()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return fleet_.Operate(arguments);
  }

  void SetUp() override {
    if (!missing_.empty()) GTEST_SKIP() << missing_;
  }

  const std::string missing_ = EnterPrivateNetwork();  // before any socket
  HttpFiles files_;
  std::vector<PhoneNode> source_, destination_;
  std::vector<std::unique_ptr<testing::TrustStoreFiles>> stores_;
  uint16_t tvs_port_ = 0;
  std::vector<std::unique_ptr<TvsServer>> tvs_;
  TestFleet fleet_;
  std::string playbook_;
};

TEST_F(GateTest, Scenario13PreflightSaysWhoLacksTheSignerUntilNobodyDoes) {
  Start();
  Finished preflight = Run("preflight");
  EXPECT_EQ(preflight.exit_code, 8) << preflight;
  EXPECT_THAT(preflight.out,
              HasSubstr(absl::StrCat("ITL of dst-pub is signed by ITLRecovery serial ",
                                     destination_[0].itlrecovery.serial_hex(),
                                     ", absent from Phone-SAST-trust of src-pub, src-sub1")));
  EXPECT_THAT(preflight.out, HasSubstr("REFUSED  1 phone would be locked; option 150 was not "
                                       "changed."));

  Import(0);
  preflight = Run("preflight");
  EXPECT_EQ(preflight.exit_code, 8) << preflight;
  EXPECT_THAT(preflight.out, HasSubstr("absent from Phone-SAST-trust of src-sub1"));
  EXPECT_THAT(preflight.out, HasSubstr("present on src-pub"));

  Import(1);
  preflight = Run("preflight");
  EXPECT_EQ(preflight.exit_code, 0) << preflight;
  EXPECT_THAT(preflight.out, HasSubstr("ACCEPTED  1 phone would move"));
  const nlohmann::json json = Json(Run("preflight", {"-o", "json"}));
  EXPECT_TRUE(json["stages"][0]["nodes"]["probe"]["resources"][0]["gate"]["accepted"].get<bool>());
}

TEST_F(GateTest, Scenario03ApplyStopsAtTheGateAndOnlyAnAdminGoesPastIt) {
  Start();
  const Finished apply = Run("apply", {"-l", "dhcp"});
  EXPECT_EQ(apply.exit_code, 8) << apply;
  EXPECT_THAT(apply.out, HasSubstr("GATE [Point the phones]"));
  EXPECT_THAT(apply.out, HasSubstr("LOCKED"));
  EXPECT_THAT(apply.out, Not(HasSubstr("tftp_pointer")));

  // alice is an operator here: the DHCP agent asks for more.
  const Finished overridden = Run("apply", {"--override-gate", "in a hurry"});
  EXPECT_NE(overridden.exit_code, 0) << overridden;
  EXPECT_THAT(fleet_.node("dhcp-a").log(), Not(HasSubstr("ApplyStage caller")))
      << "no apply reached the DHCP server";
  // The history tells it as the run did.
  const std::string hint = "history: trustline history show ";
  const std::string id = overridden.out.substr(
      overridden.out.rfind(hint) + hint.size(),
      overridden.out.find_last_not_of('\n') + 1 - overridden.out.rfind(hint) - hint.size());
  const Finished shown = fleet_.Operate({"history", "show", id});
  EXPECT_THAT(shown.out, HasSubstr("the gate is overridden")) << shown;
  EXPECT_THAT(shown.out, Not(HasSubstr("option 150 was not changed")));
  EXPECT_EQ(Run("apply", {"--override-gate", " "}).exit_code, 64);
}

TEST_F(GateTest, AJudgeThatDoesNotAnswerIsUnreachable) {
  Start();
  fleet_.node("probe").Stop();
  EXPECT_EQ(Run("preflight").exit_code, 4);
}

TEST_F(GateTest, WhatIsMissingIsSaid) {
  Start();
  fleet_.Write("phones.csv", "device,itl\nSEP001B54AABB01,xyz\n");
  Finished bad = Run("preflight");
  EXPECT_EQ(bad.exit_code, 65);
  EXPECT_THAT(bad.err, HasSubstr("phones.csv:2:17: error:"));
  std::remove((fleet_.directory() + "/phones.csv").c_str());
  bad = Run("preflight");
  EXPECT_EQ(bad.exit_code, 66);
}

}  // namespace
}  // namespace trustline::e2e
