#include "trust/sftp_hub.h"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/hub/tcp_proxy.h"
#include "tests/servers/sshd.h"
#include "trust/sha256.h"

namespace trustline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Bytes that no compression or repetition can hide faults of.
std::string Noise(size_t size, int seed) {
  std::string bytes;
  for (int i = 0; bytes.size() < size; ++i) bytes += Sha256(absl::StrCat(seed, ":", i));
  bytes.resize(size);
  return bytes;
}

class SftpHubTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string missing = EnterPrivateMounts();
    ASSERT_EQ(missing, "");
  }

  void StartSshd(const SshdOptions& options = {}) {
    sshd_ = std::make_unique<Sshd>(options);
    ASSERT_EQ(sshd_->problem(), "");
    address_ = sshd_->Address();
  }

  // Tries as often as told and notes the waits instead of waiting.
  SftpDialer Dialer(int tries = 1) {
    SftpRetry retry;
    retry.tries = tries;
    retry.jitter = [] { return 0.5; };
    retry.sleep = [this](absl::Duration wait) { waits_.push_back(wait); };
    return SftpDialer(retry);
  }

  absl::StatusOr<std::unique_ptr<Hub>> Dial(int tries = 1) {
    return Dialer(tries).Dial(address_, sshd_->Secrets());
  }

  std::unique_ptr<Hub> DialOrDie(int tries = 1) {
    absl::StatusOr<std::unique_ptr<Hub>> hub = Dial(tries);
    EXPECT_TRUE(hub.ok()) << hub.status() << "\n" << sshd_->Log();
    if (!hub.ok()) std::abort();
    return *std::move(hub);
  }

  void UsePassword(const std::string& secret) {
    address_.clear_private_key();
    address_.mutable_password()->set_name(secret);
  }

  std::string KnownHost() const { return absl::StrCat("[127.0.0.1]:", address_.port(), " "); }
  void UseKnownHosts(const std::string& lines) {
    address_.clear_host_key();
    address_.set_known_hosts(lines);
  }

  std::string OnDisk(const std::string& path) const {
    return ReadFileOrDie(absl::StrCat(sshd_->data(), "/", path));
  }
  bool IsOnDisk(const std::string& path) const {
    return access(absl::StrCat(sshd_->data(), "/", path).c_str(), F_OK) == 0;
  }
  std::vector<std::string> Names(const std::string& directory) const {
    return NamesIn(absl::StrCat(sshd_->data(), "/", directory));
  }

  std::unique_ptr<Sshd> sshd_;
  v1::HubAddress address_;
  std::vector<absl::Duration> waits_;
};

TEST_F(SftpHubTest, PublishesListsAndReads) {
  StartSshd();
  const auto hub = DialOrDie();
  const std::string large = Noise(5 << 20, 1);
  EXPECT_EQ(hub->Publish("spring/exports/b.p12", large), absl::OkStatus());
  EXPECT_EQ(hub->Publish("spring/exports/a.p12", ""), absl::OkStatus());
  EXPECT_EQ(hub->Publish("spring/exports/deeper/c", "c"), absl::OkStatus());
  EXPECT_TRUE(OnDisk("spring/exports/b.p12") == large);
  const auto list = hub->List("spring/exports");
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_EQ(list->size(), 3u);
  EXPECT_EQ((*list)[0].name, "a.p12");
  EXPECT_EQ((*list)[1].name, "b.p12");
  EXPECT_EQ((*list)[1].size, large.size());
  EXPECT_FALSE((*list)[1].is_directory);
  EXPECT_EQ((*list)[2].name, "deeper");
  EXPECT_TRUE((*list)[2].is_directory);
  EXPECT_TRUE(hub->Read("spring/exports/b.p12", large.size()).value() == large);
  EXPECT_EQ(hub->Read("spring/exports/a.p12", 0).value(), "");
  EXPECT_EQ(hub->List("").value().size(), 1u);
}

TEST_F(SftpHubTest, WhatIsAbsentOrTooLargeIsSaid) {
  StartSshd();
  const auto hub = DialOrDie();
  EXPECT_EQ(hub->List("nowhere").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(hub->Read("nowhere/file", 10).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(hub->Publish("file", "12345").ok());
  EXPECT_EQ(hub->Read("file", 4).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(hub->Read("file", 5).value(), "12345");
}

TEST_F(SftpHubTest, PathsOutsideTheDirectoryAreRefusedBeforeAnythingIsSent) {
  StartSshd();
  const auto hub = DialOrDie();
  for (const char* path : {"../x", "/etc/passwd", "a/../../x", ""}) {
    EXPECT_EQ(hub->Publish(path, "x").code(), absl::StatusCode::kInvalidArgument) << path;
    EXPECT_EQ(hub->Read(path, 9).status().code(), absl::StatusCode::kInvalidArgument) << path;
  }
  EXPECT_EQ(hub->List("..").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SftpHubTest, DirectoryMayBeRelativeAndIsMade) {
  StartSshd();
  address_.set_directory("data/by/us/");
  const auto hub = DialOrDie();
  EXPECT_EQ(hub->List("").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(hub->Publish("x", "1"), absl::OkStatus());
  EXPECT_EQ(OnDisk("by/us/x"), "1");
  address_.set_directory("../other");
  EXPECT_EQ(Dial().status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SftpHubTest, ExistingNameIsLeftUntouched) {
  StartSshd();
  const auto hub = DialOrDie();
  ASSERT_TRUE(hub->Publish("x/file", "first").ok());
  const absl::Status again = hub->Publish("x/file", "second");
  EXPECT_EQ(again.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(again.message()), HasSubstr("x/file"));
  EXPECT_EQ(hub->Publish("x/file", "first").code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(OnDisk("x/file"), "first");
  EXPECT_THAT(Names("x"), ElementsAre("file"));
}

TEST_F(SftpHubTest, LogsInWithPassword) {
  StartSshd();
  UsePassword("password");
  EXPECT_EQ(DialOrDie()->Publish("x", "1"), absl::OkStatus());
}

TEST_F(SftpHubTest, LogsInWithPasswordWhereTheServerPromptsForIt) {
  SshdOptions options;
  options.password_by_prompt = true;
  StartSshd(options);
  UsePassword("password");
  EXPECT_EQ(DialOrDie()->Publish("x", "1"), absl::OkStatus());
  UsePassword("wrong");
  EXPECT_EQ(Dial().status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(SftpHubTest, WrongPasswordIsRefusedOnceAndNotShown) {
  StartSshd();
  UsePassword("wrong");
  const absl::Status status = Dial(/*tries=*/4).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(status.message()), HasSubstr("tlhub"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("password"));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("wr0ng")));
  EXPECT_THAT(waits_, IsEmpty());
}

TEST_F(SftpHubTest, ForeignOrUnreadableKeyIsRefusedAndNotShown) {
  StartSshd();
  const std::string directory = testing::TempDir() + absl::StrCat("tl-hub-", getpid());
  ASSERT_EQ(mkdir(directory.c_str(), 0700), 0);
  const std::string file = directory + "/key";
  ASSERT_EQ(RunProgram({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file}), 0);
  v1::SecretValues secrets;
  std::string& key = (*secrets.mutable_by_name())["key"];
  key = ReadFileOrDie(file);
  EXPECT_EQ(Dialer().Dial(address_, secrets).status().code(), absl::StatusCode::kPermissionDenied);

  ASSERT_EQ(RunProgram({"ssh-keygen", "-q", "-p", "-N", "passphrase", "-f", file}), 0);
  key = ReadFileOrDie(file);
  const absl::Status encrypted = Dialer().Dial(address_, secrets).status();
  EXPECT_EQ(encrypted.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(encrypted.message()), HasSubstr("passphrase"));
  EXPECT_THAT(std::string(encrypted.message()), Not(HasSubstr(key.substr(50, 20))));

  key = "not a key";
  EXPECT_EQ(Dialer().Dial(address_, secrets).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(RunProgram({"rm", "-r", directory}), 0);
}

TEST_F(SftpHubTest, SecretThatIsNotHeldIsNamed) {
  StartSshd();
  UsePassword("env:HUB_PASSWORD");
  const absl::Status status = Dial().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), "secret env:HUB_PASSWORD not held");
}

TEST_F(SftpHubTest, Scenario23ChangedHostKeyIsRefusedShowingBoth) {
  StartSshd();
  const std::string real = sshd_->Fingerprint();
  std::string other = real;
  other[20] = other[20] == 'x' ? 'y' : 'x';
  address_.set_host_key(other);
  UsePassword("password");
  const absl::Status status = Dial(/*tries=*/4).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr(real));
  EXPECT_THAT(std::string(status.message()), HasSubstr(other));
  EXPECT_THAT(waits_, IsEmpty());
  EXPECT_THAT(sshd_->Log(), Not(HasSubstr("password")));
}

TEST_F(SftpHubTest, FingerprintOfAnyOfTheServersKeysCounts) {
  SshdOptions options;
  options.key_types = {"ed25519", "ecdsa", "rsa"};
  StartSshd(options);
  for (const std::string& type : options.key_types) {
    address_.set_host_key(sshd_->Fingerprint(type));
    EXPECT_TRUE(Dial().ok()) << type;
    // ssh-keygen leaves base64's '=' out; other tools do not.
    address_.set_host_key(sshd_->Fingerprint(type) + "=");
    EXPECT_TRUE(Dial().ok()) << type;
  }
  address_.set_host_key("SHA256:AAAA");
  EXPECT_EQ(Dial().status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SftpHubTest, KnownHostsLinesCountPlainHashedAndOfAnyType) {
  SshdOptions options;
  options.key_types = {"ed25519", "rsa"};
  StartSshd(options);
  UseKnownHosts(absl::StrCat("# a comment\n\nelsewhere ssh-ed25519 AAAA\n", KnownHost(),
                             sshd_->PublicKey("rsa"), " with a comment\n"));
  EXPECT_EQ(Dial().status(), absl::OkStatus());
  UseKnownHosts(absl::StrCat("127.0.0.1 ", sshd_->PublicKey()));
  EXPECT_EQ(Dial().status(), absl::OkStatus());

  const std::string file = testing::TempDir() + absl::StrCat("tl-hub-known-", getpid());
  WriteFileOrDie(file, absl::StrCat(KnownHost(), sshd_->PublicKey(), "\n"), 0600);
  ASSERT_EQ(RunProgram({"ssh-keygen", "-q", "-H", "-f", file}), 0);
  const std::string hashed = ReadFileOrDie(file);
  unlink(file.c_str());
  unlink((file + ".old").c_str());
  ASSERT_THAT(hashed, Not(HasSubstr("127.0.0.1")));
  UseKnownHosts(hashed);
  EXPECT_EQ(Dial().status(), absl::OkStatus());
}

TEST_F(SftpHubTest, Scenario23KnownHostWithAnotherKeyIsRefusedShowingBoth) {
  SshdOptions options;
  options.key_types = {"ed25519", "rsa"};
  StartSshd(options);
  Sshd other;
  ASSERT_EQ(other.problem(), "");
  UseKnownHosts(absl::StrCat(KnownHost(), other.PublicKey(), "\n"));
  const absl::Status changed = Dial().status();
  EXPECT_EQ(changed.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(changed.message()), HasSubstr(other.Fingerprint()));
  EXPECT_THAT(std::string(changed.message()), HasSubstr(sshd_->Fingerprint()));

  UseKnownHosts(absl::StrCat("elsewhere ", sshd_->PublicKey()));
  EXPECT_EQ(Dial().status().code(), absl::StatusCode::kFailedPrecondition);
  UseKnownHosts(absl::StrCat("@revoked ", KnownHost(), sshd_->PublicKey(), "\n", KnownHost(),
                             sshd_->PublicKey("rsa"), "\n", KnownHost(), sshd_->PublicKey()));
  address_.clear_host_key();
  UseKnownHosts(absl::StrCat("@revoked ", KnownHost(), sshd_->PublicKey(), "\n", KnownHost(),
                             sshd_->PublicKey()));
  const absl::Status revoked = Dial().status();
  EXPECT_EQ(revoked.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(revoked.message()), HasSubstr("@revoked"));
}

TEST_F(SftpHubTest, UserWithoutSftpIsToldSo) {
  SshdOptions options;
  options.with_sftp = false;
  StartSshd(options);
  EXPECT_EQ(Dial().status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(SftpHubTest, ForbiddenDirectoryIsPermissionDenied) {
  StartSshd();
  ASSERT_EQ(mkdir((sshd_->data() + "/closed").c_str(), 0700), 0);  // root's
  WriteFileOrDie(sshd_->data() + "/secret", "x", 0600);
  const auto hub = DialOrDie();
  EXPECT_EQ(hub->List("closed").status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(hub->Publish("closed/x", "1").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(hub->Publish("closed/deeper/x", "1").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(hub->Read("secret", 10).status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(hub->Publish("open", "1"), absl::OkStatus());
}

TEST_F(SftpHubTest, Scenario23FullDiskMidUploadLeavesOldFilesAndNoTrace) {
  SshdOptions options;
  options.disk_bytes = 1 << 20;
  StartSshd(options);
  const auto hub = DialOrDie();
  const std::string old = Noise(300 << 10, 1);
  ASSERT_EQ(hub->Publish("x/old", old), absl::OkStatus());
  const absl::Status full = hub->Publish("x/new", Noise(900 << 10, 2));
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
  EXPECT_THAT(std::string(full.message()), HasSubstr("full"));
  EXPECT_THAT(Names("x"), ElementsAre("old"));
  EXPECT_TRUE(hub->Read("x/old", 1 << 20).value() == old);
  // With room again the same connection goes on.
  EXPECT_EQ(hub->Publish("x/new", Noise(300 << 10, 2)), absl::OkStatus());
}

TEST_F(SftpHubTest, Scenario23DroppedLinkMidUploadIsTriedAgainAndLeavesNoTrace) {
  StartSshd();
  TcpProxy proxy(sshd_->port(), [](int connection) {
    Cut cut;
    if (connection == 0) cut.after_from_client = 200 << 10;
    return cut;
  });
  address_.set_port(proxy.port());
  const auto hub = DialOrDie(/*tries=*/3);
  const std::string bytes = Noise(1 << 20, 3);
  EXPECT_EQ(hub->Publish("x/file", bytes), absl::OkStatus());
  EXPECT_EQ(proxy.connections(), 2);
  EXPECT_TRUE(OnDisk("x/file") == bytes);
  EXPECT_THAT(Names("x"), ElementsAre("file"));
  EXPECT_THAT(waits_, ElementsAre(absl::Milliseconds(125)));
}

TEST_F(SftpHubTest, Scenario23LinkThatKeepsDroppingEndsInUnavailableAndNoFile) {
  StartSshd();
  std::atomic<bool> cutting = true;
  TcpProxy proxy(sshd_->port(), [&](int) {
    Cut cut;
    if (cutting) cut.after_from_client = 100 << 10;
    return cut;
  });
  address_.set_port(proxy.port());
  const auto hub = DialOrDie(/*tries=*/3);
  const std::string bytes = Noise(1 << 20, 3);
  const absl::Status status = hub->Publish("x/file", bytes);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("3 tries"));
  EXPECT_FALSE(IsOnDisk("x/file"));
  for (const std::string& name : Names("x")) {
    EXPECT_TRUE(absl::StartsWith(name, ".file.") && absl::EndsWith(name, ".part")) << name;
  }
  EXPECT_THAT(waits_, ElementsAre(absl::Milliseconds(125), absl::Milliseconds(250)));
  cutting = false;
  EXPECT_EQ(hub->Publish("x/file", bytes), absl::OkStatus());
  EXPECT_TRUE(OnDisk("x/file") == bytes);
}

// Wherever the link drops, also between the rename and its answer: nothing or all, and with a
// second try always all.
TEST_F(SftpHubTest, Scenario23LinkDroppedAnywhereLeavesNothingOrAll) {
  StartSshd();
  const std::string bytes = Noise(2000, 4);
  int dropped = 0, retried = 0;
  for (uint64_t from_server = 2000; from_server < 5200; from_server += 200) {
    for (const int tries : {1, 3}) {
      TcpProxy proxy(sshd_->port(), [&](int connection) {
        Cut cut;
        if (connection == 0) cut.after_from_server = from_server;
        return cut;
      });
      address_.set_port(proxy.port());
      const std::string path = absl::StrCat("x", from_server, "-", tries, "/file");
      const absl::StatusOr<std::unique_ptr<Hub>> hub = Dial(tries);
      const absl::Status status = hub.ok() ? (*hub)->Publish(path, bytes) : hub.status();
      if (tries > 1) {
        EXPECT_EQ(status, absl::OkStatus()) << from_server;
        retried += proxy.connections() > 1;
      } else {
        dropped += !status.ok();
        EXPECT_TRUE(status.ok() || absl::IsUnavailable(status)) << status;
      }
      const bool there = IsOnDisk(path);
      EXPECT_TRUE(there || !status.ok()) << from_server;
      EXPECT_TRUE(!there || OnDisk(path) == bytes) << from_server;
    }
  }
  EXPECT_GT(dropped, 4);
  EXPECT_GT(retried, 4);
}

TEST_F(SftpHubTest, ConnectionKilledBetweenCallsIsMadeAnew) {
  StartSshd();
  const auto hub = DialOrDie(/*tries=*/3);
  ASSERT_EQ(hub->Publish("x", "1"), absl::OkStatus());
  for (const pid_t pid : sshd_->SessionProcesses()) kill(pid, SIGKILL);
  EXPECT_EQ(hub->Read("x", 9).value(), "1");
}

TEST_F(SftpHubTest, StoppedServerEndsInUnavailable) {
  StartSshd();
  address_.set_timeout_seconds(1);
  const auto hub = DialOrDie();
  ASSERT_EQ(hub->Publish("x", "1"), absl::OkStatus());
  sshd_->Signal(SIGSTOP);
  const absl::Status read = hub->Read("x", 9).status();
  EXPECT_EQ(read.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(read.message()), HasSubstr("no answer within 1s"));
  // Its kernel still takes connections; nobody says hello on them.
  const absl::Status dial = Dial().status();
  EXPECT_EQ(dial.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(dial.message()), HasSubstr("no answer within 1s"));
  sshd_->Signal(SIGCONT);
  EXPECT_EQ(hub->Read("x", 9).value(), "1");
}

// More than any buffer between here and there, so that the sending side is the one that waits.
TEST_F(SftpHubTest, ServerStoppedWhileWeSendEndsInUnavailable) {
  StartSshd();
  address_.set_timeout_seconds(1);
  const auto hub = DialOrDie();
  ASSERT_EQ(hub->Publish("x", "1"), absl::OkStatus());
  sshd_->Signal(SIGSTOP);
  EXPECT_EQ(hub->Publish("large", Noise(16 << 20, 5)).code(), absl::StatusCode::kUnavailable);
  sshd_->Signal(SIGCONT);
}

TEST_F(SftpHubTest, NobodyListeningIsTriedWithGrowingWaitsThenUnavailable) {
  StartSshd();
  kill(sshd_->pid(), SIGSTOP);
  const uint16_t dead = [] {
    TcpProxy proxy(1, [](int) { return Cut(); });
    return proxy.port();
  }();
  kill(sshd_->pid(), SIGCONT);
  address_.set_port(dead);
  const absl::Status status = Dial(/*tries=*/8).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("127.0.0.1"));
  EXPECT_THAT(waits_, ElementsAre(absl::Milliseconds(125), absl::Milliseconds(250),
                                  absl::Milliseconds(500), absl::Seconds(1), absl::Seconds(2),
                                  absl::Milliseconds(2500), absl::Milliseconds(2500)));
}

TEST_F(SftpHubTest, UnknownHostNameIsNotTriedAgain) {
  StartSshd();
  address_.set_host("no-such-host.invalid");
  const absl::Status status = Dial(/*tries=*/1).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status) || absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("no-such-host.invalid"));
}

TEST_F(SftpHubTest, FailuresLeaveNoDescriptorsAndNoThreads) {
  StartSshd();
  const auto count = [] {
    return std::make_pair(NamesIn("/proc/self/fd").size(), NamesIn("/proc/self/task").size());
  };
  DialOrDie()->Publish("x", "1").IgnoreError();
  const auto before = count();
  for (int i = 0; i < 3; ++i) {
    address_ = sshd_->Address();
    EXPECT_TRUE(Dial().ok());
    UsePassword("wrong");
    EXPECT_FALSE(Dial().ok());
    address_.set_host_key("SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    EXPECT_FALSE(Dial().ok());
    TcpProxy proxy(sshd_->port(), [](int) { return Cut{1 << 20, 500}; });
    address_ = sshd_->Address();
    address_.set_port(proxy.port());
    EXPECT_FALSE(Dial().ok());
  }
  EXPECT_EQ(count().first, before.first);
  // The thread that looks a name up ends by itself right after its answer.
  for (int i = 0; i < 500 && count().second > before.second; ++i) usleep(10000);
  EXPECT_EQ(count().second, before.second);
}

TEST_F(SftpHubTest, HubsOfOneDialerWorkSideBySide) {
  StartSshd();
  SftpDialer dialer = Dialer();
  const v1::SecretValues secrets = sshd_->Secrets();
  std::vector<std::thread> threads;
  std::vector<absl::Status> results(6);
  for (size_t i = 0; i < results.size(); ++i) {
    threads.emplace_back([&, i] {
      absl::StatusOr<std::unique_ptr<Hub>> hub = dialer.Dial(address_, secrets);
      results[i] = hub.ok() ? (*hub)->Publish(absl::StrCat("same/new/file", i), "1") : hub.status();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& result : results) EXPECT_EQ(result, absl::OkStatus());
  EXPECT_EQ(Names("same/new").size(), results.size());
}

// Two nodes publish the same name at once: one of them wins, whole, the other is told.
TEST_F(SftpHubTest, OneOfTwoPublishersOfANameWins) {
  StartSshd();
  const auto a = DialOrDie();
  const auto b = DialOrDie();
  for (int i = 0; i < 20; ++i) {
    const std::string path = absl::StrCat("race/", i);
    absl::Status first, second;
    std::thread other([&] { second = b->Publish(path, "bbbb"); });
    first = a->Publish(path, "aaaa");
    other.join();
    EXPECT_NE(first.ok(), second.ok()) << first << second;
    EXPECT_EQ((first.ok() ? second : first).code(), absl::StatusCode::kAlreadyExists);
    EXPECT_EQ(OnDisk(path), first.ok() ? "aaaa" : "bbbb");
  }
  EXPECT_EQ(Names("race").size(), 20u);
}

}  // namespace
}  // namespace trustline
