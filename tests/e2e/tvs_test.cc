// The Trust Verification Service as an operator meets it: the real program, asked with the real
// command, and kept running by the real agent.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/test_fleet.h"
#include "tests/fakes/trust_store_files.h"
#include "trust/trust_list/list_writer.h"

namespace trustline::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TestIdentity;
using testing::TestPki;
using testing::TrustStoreFiles;

std::string TvsProgram() { return TRUSTLINE_BINARY_DIR "/trustline-tvs"; }

class TvsProgramTest : public ::testing::Test {
 protected:
  TvsProgramTest() {
    stores_.Write("tvs.pem", tvs_.certificate_pem());
    stores_.Write("tvs.key", tvs_.key_pem(), 0600);
    stores_.Write("signer.pem", signer_.ToPem());
    stores_.Write("other.pem", other_.ToPem());
  }

  std::string Path(const std::string& name) { return stores_.directory() + "/" + name; }
  std::string Config(const std::string& more = "") {
    stores_.Write("tvs.yaml", absl::StrCat("listen: 127.0.0.1:0\ncertificate: ", Path("tvs.pem"),
                                           "\nkey: ", Path("tvs.key"), "\nstores: ", stores_.root(),
                                           "\nport_file: ", Path("port"),
                                           "\npid_file: ", Path("pid"), "\n", more));
    return Path("tvs.yaml");
  }
  // True once it serves.
  bool Start(const std::string& more = "") {
    Command command;
    command.argv = {TvsProgram(), "--config", Config(more)};
    program_ = std::make_unique<Program>(command);
    int port = 0;
    Eventually(absl::Seconds(60), [&] {
      return (access(Path("port").c_str(), R_OK) == 0 &&
              absl::SimpleAtoi(ReadFileOrDie(Path("port")), &port) && port > 0) ||
             !program_->Running();
    });
    server_ = absl::StrCat("127.0.0.1:", port);
    return port > 0 && program_->Running();
  }
  Finished Refused(const std::string& config) {
    Command command;
    command.argv = {TvsProgram(), "--config", config};
    return RunToEnd(command);
  }
  Finished Tvs(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "tvs");
    return fleet_.Operate(arguments);
  }
  Finished Query(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"query",         server_,         "--pin",
                                          Path("tvs.pem"), "--certificate", Path("signer.pem")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Tvs(arguments);
  }

  TestFleet fleet_;
  TrustStoreFiles stores_;
  TestIdentity tvs_{TestPki::UnitCertificate("src-pub-tvs"), TestPki::UnitKey()};
  Certificate signer_ = TestPki::UnitCertificate("ITLRECOVERY_dst-pub");
  Certificate other_ = TestPki::UnitCertificate("other");
  std::unique_ptr<Program> program_;
  std::string server_;
};

TEST_F(TvsProgramTest, AnswersTheCommandFromTheStoresAsTheyAreNow) {
  ASSERT_TRUE(Start()) << program_->err();
  Finished done = Query();
  EXPECT_EQ(done.exit_code, 2) << done;
  EXPECT_THAT(done.out, HasSubstr("NOT FOUND"));

  stores_.Add("CallManager-trust", signer_);
  done = Query();
  EXPECT_EQ(done.exit_code, 0) << done;
  EXPECT_THAT(done.out, HasSubstr(signer_.sha256_hex()));
  EXPECT_THAT(done.out, HasSubstr("roles        TFTP\n"));
  EXPECT_THAT(done.out, HasSubstr("keep for     24h"));
  // Known, but no authority for trust lists: what the gate must catch.
  done = Query({"--role", "sast"});
  EXPECT_EQ(done.exit_code, 2) << done;
  EXPECT_THAT(done.err, HasSubstr("Phone-SAST-trust"));
  stores_.Add("Phone-SAST-trust", signer_);
  done = Query({"--role", "sast"});
  EXPECT_EQ(done.exit_code, 0) << done;
  EXPECT_THAT(done.out, HasSubstr("System Administrator Security Token, TFTP"));

  done = Tvs({"query", server_, "--pin", Path("tvs.pem"), "--serial", signer_.serial_hex(),
              "--issuer", signer_.issuer(), "-o", "json"});
  EXPECT_EQ(done.exit_code, 0) << done;
  const nlohmann::json json = Json(done);
  EXPECT_EQ(json["found"], true);
  EXPECT_EQ(json["roles"][0]["number"], 0);
  EXPECT_EQ(json["ttl_seconds"], 86400);
  EXPECT_EQ(json["certificate"]["sha256"], signer_.sha256_hex());
  EXPECT_EQ(json["presented"]["sha256"], tvs_.certificate.sha256_hex());

  done = Tvs({"verify", server_, Path("signer.pem"), "--pin", Path("tvs.pem")});
  EXPECT_EQ(done.exit_code, 0) << done;
  EXPECT_THAT(done.out, HasSubstr("answer       valid"));
  done = Tvs({"verify", server_, Path("other.pem"), "--pin", Path("tvs.pem")});
  EXPECT_EQ(done.exit_code, 2) << done;
  EXPECT_THAT(done.out, HasSubstr("NOT VALID"));

  program_->Signal(SIGTERM);
  done = program_->Wait(absl::Seconds(60));
  EXPECT_EQ(done.exit_code, 0) << done;
  EXPECT_THAT(done.err, HasSubstr("device=CP-8861-SEP000000000000"));
  EXPECT_NE(access(Path("port").c_str(), F_OK), 0);
  EXPECT_NE(access(Path("pid").c_str(), F_OK), 0);
}

TEST_F(TvsProgramTest, FramesAreShownInHex) {
  ASSERT_TRUE(Start("ttl_seconds: 77\n")) << program_->err();
  stores_.Add("Phone-SAST-trust", signer_);
  const Finished done = Query({"-vv", "--device", "CP-7970-SEP001122334455"});
  EXPECT_EQ(done.exit_code, 0) << done;
  EXPECT_THAT(done.err, HasSubstr("  0000  57 01 03 00 00 00 03 e9"));
  EXPECT_THAT(done.err, HasSubstr("  0000  57 01 04 00 00 00 03 e9"));
  EXPECT_THAT(done.out, HasSubstr("keep for     1m17s"));
}

TEST_F(TvsProgramTest, ThePinIsTheCertificateOrATrustListsTvsRecord) {
  ASSERT_TRUE(Start()) << program_->err();
  stores_.Add("Phone-SAST-trust", signer_);
  Finished done =
      Tvs({"query", server_, "--pin", Path("other.pem"), "--certificate", Path("signer.pem")});
  EXPECT_EQ(done.exit_code, 77) << done;
  EXPECT_THAT(done.err, HasSubstr(other_.sha256_hex()));
  EXPECT_THAT(done.err, HasSubstr(tvs_.certificate.sha256_hex()));

  TrustListDraft draft;
  draft.timestamp = TestPki::SomeTime();
  draft.records = {*MakeRecord(signer_, ListRole::kSast, "dst-pub"),
                   *MakeRecord(other_, ListRole::kTvs, "src-sub1"),
                   *MakeRecord(tvs_.certificate, ListRole::kTvs, "src-pub")};
  stores_.Write("ITLFile.tlv", WriteTrustList(draft, signer_, TestPki::UnitKey()).value());
  done = Tvs({"query", server_, "--itl", Path("ITLFile.tlv"), "--certificate", Path("signer.pem")});
  EXPECT_EQ(done.exit_code, 0) << done;
  draft.records.resize(1);
  stores_.Write("NoTvs.tlv", WriteTrustList(draft, signer_, TestPki::UnitKey()).value());
  done = Tvs({"query", server_, "--itl", Path("NoTvs.tlv"), "--certificate", Path("signer.pem")});
  EXPECT_EQ(done.exit_code, 65) << done;
}

TEST_F(TvsProgramTest, UsageAndUnreachableServicesHaveTheirOwnCodes) {
  ASSERT_TRUE(Start()) << program_->err();
  program_->Signal(SIGTERM);
  program_->Wait(absl::Seconds(60));
  EXPECT_EQ(Query().exit_code, 69);
  EXPECT_EQ(Tvs({"query", server_, "--certificate", Path("signer.pem")}).exit_code, 64);
  EXPECT_EQ(Tvs({"query", server_, "--pin", Path("tvs.pem")}).exit_code, 64);
  EXPECT_EQ(Tvs({"query", server_, "--pin", Path("tvs.pem"), "--serial", "xyz", "--issuer", "CN=a"})
                .exit_code,
            64);
  EXPECT_EQ(Query({"--role", "king"}).exit_code, 64);
  EXPECT_EQ(
      Tvs({"query", "a:b:c", "--pin", Path("tvs.pem"), "--certificate", Path("no.pem")}).exit_code,
      66);
  EXPECT_EQ(Tvs({"query", "a/b", "--pin", Path("tvs.pem"), "--certificate", Path("signer.pem")})
                .exit_code,
            64);
}

TEST_F(TvsProgramTest, LegacyPhonesAreServedWhenAskedFor) {
  ASSERT_TRUE(Start("compatibility: legacy_phones\n")) << program_->err();
  stores_.Add("Phone-SAST-trust", signer_);
  EXPECT_EQ(Query().exit_code, 0);
  EXPECT_EQ(Query({"--legacy-tls"}).exit_code, 0);
}

TEST_F(TvsProgramTest, GivesUpRootAndKeepsServing) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  ASSERT_EQ(chown(Path("tvs.key").c_str(), 4242, 4242), 0);
  ASSERT_TRUE(Start("uid: 4242\ngid: 4243\n")) << program_->err();
  stores_.Add("Phone-SAST-trust", signer_);
  EXPECT_EQ(Query().exit_code, 0);
  const std::string status = ReadFileOrDie(absl::StrCat("/proc/", program_->pid(), "/status"));
  EXPECT_THAT(status, HasSubstr("Uid:\t4242\t4242\t4242\t4242"));
  EXPECT_THAT(status, HasSubstr("Gid:\t4243\t4243\t4243\t4243"));
  EXPECT_THAT(status, HasSubstr("Groups:\t \n"));
  EXPECT_THAT(status, HasSubstr("CapEff:\t0000000000000000"));
  EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1"));
}

TEST_F(TvsProgramTest, WhatIsWrongIsSaidBeforeServing) {
  Config();
  stores_.Write("open.yaml", absl::StrCat("certificate: ", Path("tvs.pem"), "\nkey: ",
                                          Path("open.key"), "\nstores: ", stores_.root(), "\n"));
  stores_.Write("open.key", tvs_.key_pem(), 0644);
  Finished done = Refused(Path("open.yaml"));
  EXPECT_EQ(done.exit_code, 78) << done;
  EXPECT_THAT(done.err, HasSubstr("make it mode 0600"));
  stores_.Write("open.key", PrivateKey::GenerateEcP256()->ToPkcs8Pem(), 0600);
  chmod(Path("open.key").c_str(), 0600);
  done = Refused(Path("open.yaml"));
  EXPECT_EQ(done.exit_code, 78) << done;
  EXPECT_THAT(done.err, HasSubstr("is not the key of"));
  stores_.Write("bad.yaml", "certificat: /x\n");
  done = Refused(Path("bad.yaml"));
  EXPECT_EQ(done.exit_code, 78) << done;
  EXPECT_THAT(done.err, HasSubstr("bad.yaml:1:1"));
  Command check;
  check.argv = {TvsProgram(), "--config", Path("tvs.yaml"), "--check-config"};
  EXPECT_EQ(RunToEnd(check).exit_code, 0);
}

// A supervisor of its own for the real service: a pid file and signals.
constexpr char kSupervise[] = R"sh(#!/bin/sh
set -eu
dir=$1
alive() {
  test -f "$dir/pid" && kill -0 "$(cat "$dir/pid")" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$(cat "$dir/pid")/status"
}
stop() {
  if alive; then
    kill "$(cat "$dir/pid")"
    while alive; do sleep 0.02; done
  fi
}
start() {
  "$dir/trustline-tvs" --config "$dir/state/tvs/tvs.yaml" </dev/null >>"$dir/tvs.log" 2>&1 &
  echo $! >"$dir/pid"
}
case $2 in
  status) alive ;;
  start) alive || start ;;
  restart) stop; start ;;
  stop) stop ;;
esac
)sh";

TEST(TrustVerification, AnAgentKeepsTheRealServiceAsThePlaybookSays) {
  TestFleet fleet;
  TrustStoreFiles files;
  // A free port, found the way everybody does who needs one beforehand.
  std::string port;
  {
    files.Write("c.pem", TestPki::UnitCertificate("x").ToPem());
    files.Write("c.key", TestPki::UnitKey().ToPkcs8Pem(), 0600);
    files.Write("x.yaml",
                absl::StrCat("listen: 127.0.0.1:0\ncertificate: ", files.directory(),
                             "/c.pem\nkey: ", files.directory(), "/c.key\nstores: ", files.root(),
                             "\nport_file: ", files.directory(), "/port\n"));
    Command command;
    command.argv = {TvsProgram(), "--config", files.directory() + "/x.yaml"};
    Program program(command);
    ASSERT_TRUE(Eventually(absl::Seconds(60), [&] {
      return access((files.directory() + "/port").c_str(), R_OK) == 0;
    }));
    port = ReadFileOrDie(files.directory() + "/port");
    port.pop_back();
    program.Signal(SIGTERM);
    program.Wait(absl::Seconds(60));
  }
  NodeOptions options;
  const std::string directory = fleet.directory() + "/nodes/src-pub";
  const auto action = [&](const char* what) {
    return absl::StrCat("[/bin/sh, ", directory, "/supervise.sh, ", directory, ", ", what, "]");
  };
  options.more = absl::StrCat("  - name: real-tvs\n    command:\n      status: ", action("status"),
                              "\n      start: ", action("start"),
                              "\n      restart: ", action("restart"), "\n");
  Node& node = fleet.Add("src-pub", options);
  fleet.Write("nodes/src-pub/supervise.sh", kSupervise);
  ASSERT_EQ(symlink(TvsProgram().c_str(), (directory + "/trustline-tvs").c_str()), 0);
  ASSERT_TRUE(node.Start()) << node.log();
  fleet.Write("inventory.yml",
              absl::StrCat("all:\n  children:\n    source:\n      vars: { cluster: src, version: "
                           "\"11.5\" }\n      hosts:\n        src-pub: ",
                           fleet.Reach("src-pub", "roles: [publisher, tftp, tvs]"), "\n"));
  const auto playbook = [&](bool identity, int ttl) {
    fleet.Write(
        "tvs.yml",
        absl::StrCat(
            identity ? "- name: Make the identity\n  hosts: source\n  tasks:\n    - certificate: { "
                       "unit: TVS, purpose: identity, generate: { common_name: src-pub-tvs } }\n"
                     : "",
            "- name: Answer phones\n  hosts: source\n  tasks:\n    - trust_verification: { "
            "directory: ",
            node.state(), "/tvs, service: real-tvs, listen: \"127.0.0.1:", port,
            "\", ttl_seconds: ", ttl, " }\n"));
    return fleet.Operate({"apply", fleet.directory() + "/tvs.yml", "-i", fleet.inventory()});
  };
  // Refused without an identity, and nothing is started.
  Finished done = playbook(false, 600);
  EXPECT_EQ(done.exit_code, 8) << done;
  EXPECT_THAT(done.out + done.err, HasSubstr("has no TVS certificate"));
  EXPECT_NE(access((directory + "/pid").c_str(), F_OK), 0);

  done = playbook(true, 600);
  ASSERT_EQ(done.exit_code, 0) << done << node.log();
  const std::string first = ReadFileOrDie(directory + "/pid");
  const auto ask = [&] {
    return fleet.Operate({"tvs", "query", "127.0.0.1:" + port, "--pin",
                          node.state() + "/tvs/tvs.pem", "--certificate",
                          node.state() + "/tvs/tvs.pem", "--role", "tvs"});
  };
  done = ask();
  EXPECT_EQ(done.exit_code, 0) << done;
  EXPECT_THAT(done.out, HasSubstr("keep for     10m"));

  done = playbook(true, 600);
  EXPECT_EQ(done.exit_code, 0) << done;
  EXPECT_THAT(done.out, HasSubstr("changed=0"));
  EXPECT_EQ(ReadFileOrDie(directory + "/pid"), first);

  done = playbook(true, 60);
  EXPECT_EQ(done.exit_code, 0) << done;
  EXPECT_NE(ReadFileOrDie(directory + "/pid"), first);
  EXPECT_THAT(ask().out, HasSubstr("keep for     1m"));

  // A service that was stopped by hand runs again.
  Command stop;
  stop.argv = {"/bin/sh", directory + "/supervise.sh", directory, "stop"};
  EXPECT_EQ(RunToEnd(stop).exit_code, 0);
  EXPECT_EQ(ask().exit_code, 69);
  EXPECT_EQ(playbook(true, 60).exit_code, 0);
  EXPECT_EQ(ask().exit_code, 0);
  EXPECT_EQ(RunToEnd(stop).exit_code, 0);
}

}  // namespace
}  // namespace trustline::e2e
