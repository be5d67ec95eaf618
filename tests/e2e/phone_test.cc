// `trustline phone` against live servers: files over HTTP and TFTP, and the real trustline-tvs.
#include <signal.h>
#include <unistd.h>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/test_fleet.h"
#include "tests/fakes/phone_world.h"
#include "tests/fakes/trust_store_files.h"
#include "tests/servers/http_files.h"
#include "tests/servers/tftpd.h"
#include "trust/rsa_signature.h"

namespace trustline::e2e {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::MakeItl;
using testing::MakePhoneNode;
using testing::PhoneNode;
using testing::TrustStoreFiles;

constexpr char kDevice[] = "SEP001B54AABB01";
constexpr char kSource[] = "127.0.0.2", kDestination[] = "127.0.0.3";

class PhoneCommandTest : public ::testing::Test {
 protected:
  PhoneCommandTest() {
    stores_.Write("tvs.pem", src_pub_.tvs.ToPem());
    stores_.Write("tvs.key", testing::TestPki::UnitKey().ToPkcs8Pem(), 0600);
    fleet_.Write("old.tlv", old_itl_);
    http_.Serve(kSource, "ITLFile.tlv", old_itl_);
    http_.Serve(kDestination, "ITLFile.tlv", new_itl_);
    ServeConfig(kDevice);
  }

  std::string Path(const std::string& name) { return stores_.directory() + "/" + name; }
  // True once it serves.
  bool StartTvs() {
    stores_.Write("tvs.yaml", absl::StrCat("listen: 127.0.0.1:0\ncertificate: ", Path("tvs.pem"),
                                           "\nkey: ", Path("tvs.key"), "\nstores: ", stores_.root(),
                                           "\nport_file: ", Path("port"), "\n"));
    Command command;
    command.argv = {TRUSTLINE_BINARY_DIR "/trustline-tvs", "--config", Path("tvs.yaml")};
    tvs_ = std::make_unique<Program>(command);
    int port = 0;
    Eventually(absl::Seconds(60), [&] {
      return (access(Path("port").c_str(), R_OK) == 0 &&
              absl::SimpleAtoi(ReadFileOrDie(Path("port")), &port) && port > 0) ||
             !tvs_->Running();
    });
    tvs_address_ = absl::StrCat("127.0.0.1:", port);
    return port > 0 && tvs_->Running();
  }
  void SourceTrustsTheDestination() {
    stores_.Add("Phone-SAST-trust", dst_pub_.itlrecovery);
    stores_.Add("CallManager-trust", dst_pub_.callmanager);
  }
  void ServeConfig(const std::string& device) {
    const std::string name = device + ".cnf.xml.sgn";
    http_.Serve(
        kDestination, name,
        testing::SignConfig(name, testing::ConfigXml({"10.20.0.11"}), dst_pub_.callmanager));
  }
  Finished Phone(std::vector<std::string> arguments, uint16_t tftp_port = 0) {
    arguments.insert(arguments.begin(), "phone");
    for (const std::string& more :
         {std::string("--http-port"), absl::StrCat(http_.port()), std::string("--tftp-port"),
          absl::StrCat(tftp_port != 0 ? tftp_port : http_.port())}) {
      arguments.push_back(more);
    }
    return fleet_.Operate(arguments);
  }
  // A phone of the source, with its state in `state`.
  Finished Boot(const std::string& state, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"boot",
                                          "--device",
                                          kDevice,
                                          "--state",
                                          fleet_.directory() + "/" + state,
                                          "--itl",
                                          fleet_.directory() + "/old.tlv",
                                          "--tvs",
                                          tvs_address_,
                                          "--tftp",
                                          kDestination,
                                          "--name",
                                          absl::StrCat(kDestination, "=dst-pub")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Phone(arguments);
  }

  TestFleet fleet_;
  TrustStoreFiles stores_;
  PhoneNode src_pub_ = MakePhoneNode("src-pub", kSource);
  PhoneNode dst_pub_ = MakePhoneNode("dst-pub", kDestination);
  std::string old_itl_ = MakeItl(src_pub_, {src_pub_});
  std::string new_itl_ = MakeItl(dst_pub_, {dst_pub_});
  HttpFiles http_;
  std::unique_ptr<Program> tvs_;
  std::string tvs_address_;
};

TEST_F(PhoneCommandTest, OnePhoneIsLockedUntilItsTvsVouchesThenMovesAndRemembersIt) {
  ASSERT_TRUE(StartTvs()) << tvs_->err();
  Finished done = Boot("phone", {"--check"});
  EXPECT_EQ(done.exit_code, 2) << done;
  EXPECT_THAT(done.out, AllOf(HasSubstr("LOCKED"), HasSubstr("unknown")));
  EXPECT_NE(access((fleet_.directory() + "/phone").c_str(), F_OK), 0) << "--check wrote a state";

  SourceTrustsTheDestination();
  done = Boot("phone");
  EXPECT_EQ(done.exit_code, 0) << done;
  EXPECT_THAT(done.out, AllOf(HasSubstr("  moved  "), HasSubstr("registers at 10.20.0.11"),
                              HasSubstr("dst-pub (127.0.0.3)")));
  EXPECT_EQ(ReadFileOrDie(fleet_.directory() + "/phone/ITL.tlv"), new_itl_);
  EXPECT_THAT(ReadFileOrDie(fleet_.directory() + "/phone/status.log"),
              HasSubstr("Trust List Updated"));

  // From its state alone: it is there, and asks nobody.
  done = Phone({"boot", "--device", kDevice, "--state", fleet_.directory() + "/phone", "--tftp",
                kDestination, "-o", "json"});
  EXPECT_EQ(done.exit_code, 0) << done;
  EXPECT_EQ(Json(done)["end"], "unchanged");
  EXPECT_TRUE(Json(done)["tvs"].empty());

  // The state of one phone is not another's.
  done = Phone({"boot", "--device", "SEP001B54AABB02", "--state", fleet_.directory() + "/phone",
                "--tftp", kDestination});
  EXPECT_NE(done.exit_code, 0) << done;
  EXPECT_THAT(done.err, HasSubstr("is the state of SEP001B54AABB01"));
}

TEST_F(PhoneCommandTest, AFileThatIsNoListIsNotBelievedToBeOne) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"notes.md", "# no list\n"}, {"empty.tlv", ""}, {"cut.tlv", old_itl_.substr(0, 300)}};
  for (const auto& [name, bytes] : wrong) {
    const std::string path = fleet_.Write(name, bytes);
    const Finished shown = fleet_.Operate({"trust-list", "show", path});
    for (const char* option : {"--itl", "--ctl"}) {
      const Finished done =
          Phone({"boot", "--device", kDevice, "--state", fleet_.directory() + "/phone", option,
                 path, "--tvs", "127.0.0.1:1", "--tftp", kDestination});
      EXPECT_EQ(done.exit_code, 65) << done;
      EXPECT_EQ(done.err, shown.err);
      EXPECT_EQ(done.out, "");
    }
  }
  EXPECT_NE(access((fleet_.directory() + "/phone").c_str(), F_OK), 0);
}

TEST_F(PhoneCommandTest, MigrateTellsInOneLineWhatAResetWouldDo) {
  ASSERT_TRUE(StartTvs()) << tvs_->err();
  const auto migrate = [&] {
    return Phone({"migrate", "--device", kDevice, "--state", fleet_.directory() + "/phone", "--itl",
                  fleet_.directory() + "/old.tlv", "--tvs", tvs_address_, "--tftp", kDestination});
  };
  Finished done = migrate();
  EXPECT_EQ(done.exit_code, 2) << done;
  EXPECT_THAT(done.out, HasSubstr("LOCKED"));
  SourceTrustsTheDestination();
  done = migrate();
  EXPECT_EQ(done.exit_code, 0) << done;
  EXPECT_THAT(done.out, AllOf(HasSubstr(kDevice), HasSubstr("10.20.0.11")));
}

// Whether a phone asks its second TFTP server for a file the first does not have is not documented.
TEST_F(PhoneCommandTest, LenientPhonesAskTheNextServerWhereStrictOnesStop) {
  SourceTrustsTheDestination();
  ASSERT_TRUE(StartTvs()) << tvs_->err();
  const auto boot = [&](std::vector<std::string> more) {
    // The first server is there and has no file of this phone; the second has them all.
    more.insert(more.end(), {"--check", "--tftp", "127.0.0.4"});
    std::vector<std::string> arguments = {"boot",
                                          "--device",
                                          kDevice,
                                          "--state",
                                          fleet_.directory() + "/phone",
                                          "--itl",
                                          fleet_.directory() + "/old.tlv",
                                          "--tvs",
                                          tvs_address_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    arguments.insert(arguments.end(), {"--tftp", kDestination});
    return Phone(arguments);
  };
  Finished done = boot({});
  EXPECT_NE(done.exit_code, 0) << done;
  done = boot({"--lenient"});
  EXPECT_EQ(done.exit_code, 0) << done;
  EXPECT_THAT(done.out, HasSubstr("  moved  "));
}

TEST_F(PhoneCommandTest, AStoppedOrUnknownTvsLocksThePhoneAndSaysWhich) {
  SourceTrustsTheDestination();
  ASSERT_TRUE(StartTvs()) << tvs_->err();
  tvs_->Signal(SIGTERM);
  EXPECT_EQ(tvs_->Wait(absl::Seconds(60)).exit_code, 0);
  Finished done = Boot("phone", {"-o", "json"});
  EXPECT_EQ(done.exit_code, 2) << done;
  EXPECT_EQ(Json(done)["end"], "locked");
  EXPECT_EQ(Json(done)["refusal"], "tvs-unreachable");

  // Another certificate than the phone's list names.
  stores_.Write("tvs.pem", testing::TestPki::UnitCertificate("tvs_src-pub").ToPem());
  ASSERT_TRUE(StartTvs()) << tvs_->err();
  done = Boot("phone", {"-o", "json"});
  EXPECT_EQ(done.exit_code, 2) << done;
  EXPECT_EQ(Json(done)["refusal"], "tvs-identity");
  EXPECT_EQ(ReadFileOrDie(fleet_.directory() + "/phone/ITL.tlv"), old_itl_);
}

TEST_F(PhoneCommandTest, Scenario32APhoneIsMovedByARealTftpServerWhereHttpAnswers503) {
  const Tftpd tftp;
  if (!tftp.problem().empty()) GTEST_SKIP() << tftp.problem();
  SourceTrustsTheDestination();
  ASSERT_TRUE(StartTvs()) << tvs_->err();
  http_.AnswerOnly("503 Service Unavailable");
  const std::string config = absl::StrCat(kDevice, ".cnf.xml.sgn");
  tftp.Serve("ITLFile.tlv", new_itl_);
  tftp.Serve(config,
             testing::SignConfig(config, testing::ConfigXml({"10.20.0.11"}), dst_pub_.callmanager));
  const Finished done =
      Phone({"boot", "--device", kDevice, "--state", fleet_.directory() + "/phone", "--itl",
             fleet_.directory() + "/old.tlv", "--tvs", tvs_address_, "--tftp", "127.0.0.1"},
            tftp.port());
  EXPECT_EQ(done.exit_code, 0) << done;
  EXPECT_THAT(done.out,
              AllOf(HasSubstr("  moved  "), HasSubstr("normal unless the cluster is in mixed mode"),
                    HasSubstr("registers at 10.20.0.11")));
}

TEST_F(PhoneCommandTest, AFleetOfHundredsIsDecidedByClassesAndEachPhoneSimulatedWhenAsked) {
  ASSERT_TRUE(StartTvs()) << tvs_->err();
  constexpr int kByDigest = 200, kByFile = 60, kNew = 25, kUnknown = 15;
  const std::string digest = absl::BytesToHexString(DigestOf(SignatureDigest::kSha1, old_itl_));
  std::string proven = "device,itl,tvs\n", unproven;
  for (int i = 0; i < kByDigest + kByFile + kNew + kUnknown; ++i) {
    const std::string device = absl::StrFormat("SEP001B54AB%04X", i);
    const bool known = i < kByDigest + kByFile + kNew;
    absl::StrAppend(known ? &proven : &unproven, device, ",",
                    i < kByDigest             ? digest
                    : i < kByDigest + kByFile ? "old.tlv"
                    : known                   ? "none"
                                              : "",
                    ",", tvs_address_, "\n");
    if (known) ServeConfig(device);
  }
  fleet_.Write("phones.csv", proven + unproven);
  fleet_.Write("proven.csv", proven);
  const auto fleet = [&](const char* csv, std::vector<std::string> more) {
    std::vector<std::string> arguments = {
        "fleet", fleet_.directory() + "/" + csv, "--tftp", kDestination, "--source", kSource};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Phone(arguments);
  };

  // Nobody vouches: every phone with a list would be locked.
  Finished done = fleet("phones.csv", {});
  EXPECT_EQ(done.exit_code, 2) << done;
  EXPECT_THAT(done.out, HasSubstr("260 locked"));

  SourceTrustsTheDestination();
  done = fleet("phones.csv", {});
  EXPECT_EQ(done.exit_code, 8) << done;
  EXPECT_THAT(done.out, AllOf(HasSubstr("300 phones"), HasSubstr("FLEET  4 classes: 260 moved, "),
                              HasSubstr("15 unproven; 9 phones simulated")));

  done = fleet("proven.csv", {"--all", "-o", "json"});
  EXPECT_EQ(done.exit_code, 0) << done;
  const nlohmann::json classes = Json(done)["classes"];
  ASSERT_EQ(classes.size(), 3u);
  EXPECT_EQ(classes[0]["phones"], kByDigest);
  EXPECT_EQ(classes[0]["ends"], nlohmann::json({{"moved", kByDigest}}));
  EXPECT_EQ(classes[1]["ends"], nlohmann::json({{"moved", kByFile}}));
  EXPECT_EQ(classes[2]["simulated"], kNew);
  EXPECT_EQ(classes[2]["end"], "first-trust");

  // Who has arrived is told from the lists they hold: nobody yet.
  done = fleet("proven.csv", {"--verify"});
  EXPECT_EQ(done.exit_code, 2) << done;
  EXPECT_THAT(done.out, HasSubstr("ARRIVAL  0 arrived, 285 waiting, 0 unknown, 0 excluded"));
}

TEST_F(PhoneCommandTest, EvidenceThatIsThereIsNotLostInSilence) {
  const std::string known =
      absl::StrCat("device,address\n", kDevice, ",127.0.0.9\nSEP001B54AABB02,127.0.0.10\n");
  const std::string csv = fleet_.Write("phones.csv", known);
  const auto read = [&](int port) {
    return fleet_.Operate({"phone", "evidence", "127.0.0.9", "127.0.0.10", "--port",
                           absl::StrCat(port), "--out", csv});
  };
  Finished done = read(1);
  EXPECT_EQ(done.exit_code, 4) << done;
  EXPECT_THAT(done.err, HasSubstr(absl::StrCat("no phone could be read; ", csv,
                                               " is left as it "
                                               "was")));
  EXPECT_EQ(ReadFileOrDie(csv), known);

  http_.Serve("127.0.0.9", "NetworkConfiguration",
              absl::StrCat(
                  "<HTML><BODY><TABLE><TR><TD><B>Host name</B></TD><td></TD><TD><B>", kDevice,
                  "</B></TD></TR><TR><TD><B>Alternate TFTP</B></TD><td></TD><TD><B>No</B></TD></TR>"
                  "</TABLE></BODY></HTML>"));
  done = read(http_.port());
  EXPECT_EQ(done.exit_code, 2) << done;
  EXPECT_THAT(ReadFileOrDie(csv), HasSubstr(kDevice));
  EXPECT_THAT(done.err, HasSubstr("had evidence of 1 phone before that it lacks now: "
                                  "SEP001B54AABB02"));
}

}  // namespace
}  // namespace trustline::e2e
