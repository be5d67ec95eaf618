#include "controller/pki_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/temp_directory.h"
#include "trust/certificate.h"
#include "trust/private_key.h"

namespace trustline::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const Identity kAgent{"example.test", IdentityKind::kAgent, "dst-pub"};
const Identity kOperator{"example.test", IdentityKind::kOperator, "jane"};

class PkiFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    old_umask_ = umask(0);  // the harshest: nothing is masked for us
  }
  void TearDown() override { umask(old_umask_); }

  std::string Path(absl::string_view name) const { return absl::StrCat(root_, "/", name); }
  std::string Read(absl::string_view name) const {
    std::ifstream in(Path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void Write(absl::string_view name, absl::string_view text) const {
    std::ofstream(Path(name), std::ios::binary) << std::string(text);
  }
  mode_t Mode(absl::string_view name) const {
    struct stat info = {};
    EXPECT_EQ(stat(Path(name).c_str(), &info), 0) << name;
    return info.st_mode & 07777;
  }
  std::vector<std::string> Names(absl::string_view directory) const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(Path(directory)))
      names.push_back(entry.path().filename());
    return names;
  }
  void Init() const {
    const auto made = PkiInit(Path("ca"), "example.test", 3650, now_);
    ASSERT_TRUE(made.ok()) << made.status();
  }

  const testing::TempDirectory scratch_;
  const std::string root_ = scratch_.path();
  mode_t old_umask_ = 0;
  const absl::Time now_ = absl::FromCivil(absl::CivilDay(2026, 6, 1), absl::UTCTimeZone());
};

TEST_F(PkiFilesTest, InitMakesAnAuthorityWhoseKeyOnlyTheOwnerReads) {
  const auto made = PkiInit(Path("ca"), "example.test", 3650, now_);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->what, PkiSummary::What::kAuthority);
  EXPECT_EQ(made->file, Path("ca/ca.crt"));
  EXPECT_EQ(made->subject, "CN=trustline CA of example.test");
  EXPECT_EQ(made->not_before, now_ - absl::Hours(1));
  EXPECT_EQ(made->not_after, now_ + 3650 * absl::Hours(24));
  EXPECT_EQ(Mode("ca"), 0700u);
  EXPECT_EQ(Mode("ca/ca.key"), 0600u);
  EXPECT_EQ(Mode("ca/ca.crt"), 0644u);
  EXPECT_THAT(Names("ca"), UnorderedElementsAre("ca.key", "ca.crt"));
  EXPECT_TRUE(
      PrivateKey::FromPem(Read("ca/ca.key"))->Matches(*Certificate::FromPem(Read("ca/ca.crt"))));
  EXPECT_EQ(*PkiDomain(Path("ca")), "example.test");
}

TEST_F(PkiFilesTest, ModesDoNotDependOnAStrictUmaskEither) {
  umask(0777);
  const auto made = PkiInit(Path("ca"), "example.test", 1, now_);
  umask(0);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(Mode("ca"), 0700u);
  EXPECT_EQ(Mode("ca/ca.key"), 0600u);
  EXPECT_EQ(Mode("ca/ca.crt"), 0644u);
}

TEST_F(PkiFilesTest, RequestSignedElsewhereBecomesAnIdentity) {
  Init();
  const auto request = PkiRequest(Path("node"), kAgent);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->what, PkiSummary::What::kRequest);
  EXPECT_EQ(request->identity, "trustline://example.test/agent/dst-pub");
  EXPECT_EQ(Mode("node/dst-pub.key"), 0600u);
  const auto signed_one = PkiSign(Path("node/dst-pub.csr"), Path("ca"), "", 730, now_);
  ASSERT_TRUE(signed_one.ok()) << signed_one.status();
  EXPECT_EQ(signed_one->file, Path("node/dst-pub.crt"));
  EXPECT_EQ(signed_one->identity, "trustline://example.test/agent/dst-pub");
  EXPECT_THAT(signed_one->dns_names, ElementsAre("dst-pub"));
  EXPECT_THAT(Names("node"), UnorderedElementsAre("dst-pub.key", "dst-pub.csr", "dst-pub.crt"));
  const Certificate certificate = *Certificate::FromPem(Read("node/dst-pub.crt"));
  EXPECT_TRUE(PrivateKey::FromPem(Read("node/dst-pub.key"))->Matches(certificate));
  EXPECT_TRUE(VerifyChain(certificate, {*Certificate::FromPem(Read("ca/ca.crt"))},
                          now_ + 729 * absl::Hours(24))
                  .ok());
}

TEST_F(PkiFilesTest, IssueMakesKeyAndCertificateAtOnce) {
  Init();
  const auto issued = PkiIssue(Path("ca"), Path("me"), kOperator, 30, now_);
  ASSERT_TRUE(issued.ok()) << issued.status();
  EXPECT_EQ(issued->identity, "trustline://example.test/operator/jane");
  EXPECT_EQ(Mode("me/jane.key"), 0600u);
  EXPECT_TRUE(PrivateKey::FromPem(Read("me/jane.key"))
                  ->Matches(*Certificate::FromPem(Read("me/jane.crt"))));
}

TEST_F(PkiFilesTest, NothingIsEverOverwritten) {
  Init();
  ASSERT_TRUE(PkiRequest(Path("node"), kAgent).ok());
  ASSERT_TRUE(PkiSign(Path("node/dst-pub.csr"), Path("ca"), "", 1, now_).ok());
  ASSERT_TRUE(PkiIssue(Path("ca"), Path("me"), kOperator, 1, now_).ok());
  std::vector<std::string> before;
  const std::vector<std::string> files = {
      "ca/ca.key",        "ca/ca.crt",   "node/dst-pub.key", "node/dst-pub.csr",
      "node/dst-pub.crt", "me/jane.key", "me/jane.crt"};
  for (const std::string& file : files) before.push_back(Read(file));

  const struct {
    absl::Status status;
    std::string file;
  } attempts[] = {
      {PkiInit(Path("ca"), "other.test", 1, now_).status(), "ca/ca.key"},
      {PkiRequest(Path("node"), kAgent).status(), "node/dst-pub.key"},
      {PkiSign(Path("node/dst-pub.csr"), Path("ca"), "", 1, now_).status(), "node/dst-pub.crt"},
      {PkiSign(Path("node/dst-pub.csr"), Path("ca"), Path("ca/ca.key"), 1, now_).status(),
       "ca/ca.key"},
      {PkiIssue(Path("ca"), Path("me"), kOperator, 1, now_).status(), "me/jane.key"},
  };
  for (const auto& attempt : attempts) {
    EXPECT_EQ(attempt.status.code(), absl::StatusCode::kAlreadyExists) << attempt.status;
    EXPECT_TRUE(absl::StrContains(attempt.status.message(), Path(attempt.file))) << attempt.status;
  }
  for (size_t i = 0; i < files.size(); ++i) EXPECT_EQ(Read(files[i]), before[i]) << files[i];
}

TEST_F(PkiFilesTest, WhenTheSecondFileIsTakenTheFirstIsNotMade) {
  std::filesystem::create_directory(Path("node"));
  Write("node/dst-pub.csr", "mine");
  const auto request = PkiRequest(Path("node"), kAgent);
  EXPECT_EQ(request.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(Names("node"), ElementsAre("dst-pub.csr"));
  EXPECT_EQ(Read("node/dst-pub.csr"), "mine");
}

TEST_F(PkiFilesTest, LinkToNowhereIsNotWrittenThrough) {
  std::filesystem::create_directory(Path("node"));
  std::filesystem::create_symlink(Path("elsewhere"), Path("node/dst-pub.key"));
  EXPECT_EQ(PkiRequest(Path("node"), kAgent).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_FALSE(std::filesystem::exists(Path("elsewhere")));
}

TEST_F(PkiFilesTest, WriteThatFailsLeavesNothing) {
  std::filesystem::create_directory(Path("node"));
  struct rlimit old_limit = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  const auto old_handler = signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = old_limit;
  small.rlim_cur = 300;  // the key fits (241 bytes), the request does not
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto request = PkiRequest(Path("node"), kAgent);
  setrlimit(RLIMIT_FSIZE, &old_limit);
  signal(SIGXFSZ, old_handler);
  EXPECT_FALSE(request.ok());
  EXPECT_TRUE(absl::StrContains(request.status().message(), "dst-pub.csr")) << request.status();
  EXPECT_THAT(Names("node"), IsEmpty());
}

TEST_F(PkiFilesTest, OfSeveralAtOnceOneWins) {
  std::filesystem::create_directory(Path("ca"));
  std::vector<absl::Status> results(6);
  std::vector<std::thread> threads;
  for (absl::Status& result : results) {
    threads.emplace_back([&] { result = PkiInit(Path("ca"), "example.test", 1, now_).status(); });
  }
  for (std::thread& thread : threads) thread.join();
  int won = 0;
  for (const absl::Status& result : results) {
    if (result.ok()) ++won;
    EXPECT_TRUE(result.ok() || absl::IsAlreadyExists(result)) << result;
  }
  EXPECT_EQ(won, 1);
  EXPECT_THAT(Names("ca"), UnorderedElementsAre("ca.key", "ca.crt"));
  EXPECT_TRUE(
      PrivateKey::FromPem(Read("ca/ca.key"))->Matches(*Certificate::FromPem(Read("ca/ca.crt"))));
}

TEST_F(PkiFilesTest, MissingDirectoriesAndFilesAreNamed) {
  const auto init = PkiInit(Path("no/ca"), "example.test", 1, now_);
  EXPECT_EQ(init.status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(absl::StrContains(init.status().message(), Path("no/ca"))) << init.status();
  const auto show = PkiShow(Path("nothing.crt"));
  EXPECT_EQ(show.status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(absl::StrContains(show.status().message(), Path("nothing.crt"))) << show.status();
  ASSERT_TRUE(PkiRequest(Path("node"), kAgent).ok());
  const auto signed_one = PkiSign(Path("node/dst-pub.csr"), Path("ca"), "", 1, now_);
  EXPECT_EQ(signed_one.status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(absl::StrContains(signed_one.status().message(), Path("ca/ca.crt")))
      << signed_one.status();
  Write("plain", "");
  EXPECT_EQ(PkiInit(Path("plain"), "example.test", 1, now_).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(PkiFilesTest, AuthoritysKeyThatOthersReadIsNotUsed) {
  Init();
  ASSERT_TRUE(PkiRequest(Path("node"), kAgent).ok());
  ASSERT_EQ(chmod(Path("ca/ca.key").c_str(), 0640), 0);
  const auto signed_one = PkiSign(Path("node/dst-pub.csr"), Path("ca"), "", 1, now_);
  EXPECT_EQ(signed_one.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(absl::StrContains(signed_one.status().message(), "chmod 600")) << signed_one.status();
}

TEST_F(PkiFilesTest, RefusedRequestsAreNamedAndMakeNoCertificate) {
  Init();
  ASSERT_TRUE(PkiRequest(Path("node"), {"other.test", IdentityKind::kAgent, "dst-pub"}).ok());
  const auto foreign = PkiSign(Path("node/dst-pub.csr"), Path("ca"), "", 1, now_);
  EXPECT_EQ(foreign.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(absl::StrContains(foreign.status().message(), "node/dst-pub.csr: "))
      << foreign.status();
  Write("node/junk.csr", "junk");
  EXPECT_EQ(PkiSign(Path("node/junk.csr"), Path("ca"), "", 1, now_).status().code(),
            absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(PkiRequest(Path("mine"), kAgent).ok());
  EXPECT_EQ(PkiSign(Path("mine/dst-pub.csr"), Path("ca"), "", 3651, now_).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(PkiSign(Path("mine/dst-pub.csr"), Path("ca"), "", 0, now_).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(Path("node/dst-pub.crt")));
  EXPECT_FALSE(std::filesystem::exists(Path("mine/dst-pub.crt")));
}

TEST_F(PkiFilesTest, NamesCannotLeaveTheDirectory) {
  std::filesystem::create_directory(Path("node"));
  for (const std::string name : {"../x", "/etc/x", "a/b", "..", ""}) {
    EXPECT_EQ(
        PkiRequest(Path("node"), {"example.test", IdentityKind::kAgent, name}).status().code(),
        absl::StatusCode::kInvalidArgument)
        << name;
  }
  EXPECT_THAT(Names("node"), IsEmpty());
  EXPECT_THAT(Names("."), ElementsAre("node"));
}

TEST_F(PkiFilesTest, ShowTellsWhatAFileIs) {
  Init();
  ASSERT_TRUE(PkiRequest(Path("node"), kAgent).ok());
  ASSERT_TRUE(PkiSign(Path("node/dst-pub.csr"), Path("ca"), "", 730, now_).ok());
  const auto shown = PkiShow(Path("node/dst-pub.crt"));
  ASSERT_TRUE(shown.ok()) << shown.status();
  EXPECT_EQ(
      PkiSummaryText(*shown, now_),
      absl::StrCat("certificate  ", Path("node/dst-pub.crt"), "\n",
                   "identity     trustline://example.test/agent/dst-pub\n",
                   "subject      CN=dst-pub\n", "issuer       CN=trustline CA of example.test\n",
                   "DNS names    dst-pub\n", "serial       ", shown->serial_hex, "\n",
                   "valid        2026-05-31 23:00 UTC to 2028-05-31 00:00 UTC, 730 days left\n",
                   "SHA-256      ", shown->sha256_hex, "\n"));
  EXPECT_TRUE(absl::StrContains(PkiSummaryText(*shown, now_ + 732 * absl::Hours(24)),
                                "expired 2 days ago"));
  EXPECT_TRUE(absl::StrContains(PkiSummaryText(*shown, now_ - absl::Hours(2)), "not valid yet"));
  EXPECT_EQ(shown->sha256_hex, Certificate::FromPem(Read("node/dst-pub.crt"))->sha256_hex());

  const auto request = PkiShow(Path("node/dst-pub.csr"));
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(PkiSummaryText(*request, now_),
            absl::StrCat(
                "request      ", Path("node/dst-pub.csr"),
                "\nidentity     trustline://example.test/agent/dst-pub\nDNS names    dst-pub\n"));
  EXPECT_EQ(PkiShow(Path("ca/ca.crt"))->what, PkiSummary::What::kAuthority);
  Write("ca.der", Certificate::FromPem(Read("ca/ca.crt"))->der());
  EXPECT_EQ(PkiShow(Path("ca.der"))->sha256_hex, PkiShow(Path("ca/ca.crt"))->sha256_hex);
}

TEST_F(PkiFilesTest, ShowRefusesKeysAndOtherThings) {
  Init();
  const auto key = PkiShow(Path("ca/ca.key"));
  EXPECT_EQ(key.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(key.status().message(), "private key")) << key.status();
  EXPECT_FALSE(absl::StrContains(key.status().message(), Read("ca/ca.key").substr(60, 20)));
  Write("notes", "hello");
  EXPECT_EQ(PkiShow(Path("notes")).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(PkiShow(Path("ca")).status().code(), absl::StatusCode::kInvalidArgument);
  Write("big", std::string((1 << 20) + 1, 'x'));
  EXPECT_EQ(PkiShow(Path("big")).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace trustline::controller
