#include "trust/sftp_client.h"

#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/trust/fake_sftp_server.h"
#include "trust/sftp_wire.h"

namespace trustline {
namespace {

using ::testing::SizeIs;

std::string Letters(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 + i / 251);
  return bytes;
}

class SftpClientTest : public testing::Test {
 protected:
  SftpClient& Client() {
    if (client_ == nullptr) {
      auto started = SftpClient::Start(server_.Connect());
      EXPECT_TRUE(started.ok()) << started.status();
      client_ = *std::move(started);
    }
    return *client_;
  }
  FakeSftpServer server_;
  std::unique_ptr<SftpClient> client_;
};

TEST_F(SftpClientTest, FilesOfAnySizeComeBackAsTheyWere) {
  constexpr size_t kChunk = 32 * 1024;
  for (const size_t size :
       {size_t{0}, size_t{1}, kChunk - 1, kChunk, kChunk + 1, 5 * kChunk, 40 * kChunk + 7}) {
    const std::string bytes = Letters(size);
    const std::string path = absl::StrCat("f", size);
    EXPECT_EQ(Client().WriteNewFile(path, bytes), absl::OkStatus());
    EXPECT_TRUE(server_.files[path] == bytes) << size;
    EXPECT_TRUE(Client().ReadFile(path, size).value() == bytes) << size;
    if (size > 0) {
      EXPECT_EQ(Client().ReadFile(path, size - 1).status().code(),
                absl::StatusCode::kResourceExhausted);
    }
  }
}

TEST_F(SftpClientTest, ShortAnswersAndAnyOrderAreJoinedRight) {
  server_.answer_backwards = true;
  server_.largest_read = 10000;
  server_.files["f"] = Letters(300000);
  EXPECT_TRUE(Client().ReadFile("f", 1 << 20).value() == server_.files["f"]);
  EXPECT_EQ(Client().WriteNewFile("g", server_.files["f"]), absl::OkStatus());
  EXPECT_TRUE(server_.files["g"] == server_.files["f"]);
}

TEST_F(SftpClientTest, FileThatGrowsBeyondTheLimitWhileReadIsRefused) {
  server_.files["f"] = "12345";
  int answers = 0;
  server_.spoil = [&](std::string*) {
    if (++answers == 3) server_.files["f"] = Letters(100000);
  };
  EXPECT_EQ(Client().ReadFile("f", 10).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(SftpClientTest, FilesAreSyncedWhereTheServerCan) {
  EXPECT_EQ(Client().WriteNewFile("f", "1"), absl::OkStatus());
  EXPECT_EQ(server_.count(sftp::kExtended), 1);
  client_.reset();
  server_.fsync = false;
  EXPECT_EQ(Client().WriteNewFile("g", "1"), absl::OkStatus());
  EXPECT_EQ(server_.count(sftp::kExtended), 1);
}

TEST_F(SftpClientTest, HandlesAreClosedAlsoAfterErrors) {
  server_.files["f"] = Letters(100);
  EXPECT_FALSE(Client().ReadFile("f", 10).ok());
  server_.capacity = 100;
  EXPECT_FALSE(Client().WriteNewFile("g", "1").ok());
  EXPECT_FALSE(Client().ReadDirectory(".", 0).ok());
  EXPECT_EQ(server_.count(sftp::kClose), 3);
}

TEST_F(SftpClientTest, ReasonsOfTheServerBecomeCodes) {
  EXPECT_EQ(Client().ReadFile("no", 1).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Client().Stat("no").status().code(), absl::StatusCode::kNotFound);
  server_.files["f"] = "";
  EXPECT_EQ(Client().WriteNewFile("f", "").code(), absl::StatusCode::kInternal);
  EXPECT_EQ(Client().Remove("f"), absl::OkStatus());
  EXPECT_EQ(Client().Remove("f").code(), absl::StatusCode::kNotFound);
  server_.statvfs = false;
  client_.reset();
  EXPECT_EQ(Client().FreeBytes(".").status().code(), absl::StatusCode::kUnimplemented);
  const std::pair<uint32_t, absl::StatusCode> codes[] = {
      {3, absl::StatusCode::kPermissionDenied}, {4, absl::StatusCode::kInternal},
      {7, absl::StatusCode::kUnavailable},      {8, absl::StatusCode::kUnimplemented},
      {11, absl::StatusCode::kAlreadyExists},   {14, absl::StatusCode::kResourceExhausted},
      {4711, absl::StatusCode::kInternal}};
  for (const auto& [wire, code] : codes) {
    client_.reset();
    server_.spoil = nullptr;
    SftpClient& client = Client();
    server_.spoil = [wire = wire](std::string* packet) {
      const std::string id = packet->substr(5, 4);
      // No text: old servers send none.
      *packet =
          SftpWriter().String(SftpWriter().Byte(sftp::kStatus).Raw(id).Int(wire).bytes()).bytes();
    };
    EXPECT_EQ(client.MakeDirectory("x").code(), code) << wire;
  }
}

TEST_F(SftpClientTest, DirectoriesAreListedWithoutNamesThatAreNoPart) {
  server_.files["./a"] = "1";
  server_.files["./b\n"] = "22";
  server_.files[std::string("./c\0d", 5)] = "";
  const auto names = Client().ReadDirectory(".", 10);
  ASSERT_TRUE(names.ok()) << names.status();
  ASSERT_THAT(*names, SizeIs(2));
  EXPECT_EQ((*names)[0].name, "a");
  EXPECT_EQ((*names)[0].attributes.size, 1u);
  EXPECT_FALSE((*names)[0].attributes.is_directory());
  EXPECT_EQ(Client().ReadDirectory(".", 1).status().code(), absl::StatusCode::kResourceExhausted);
}

// A server that says one thing, whatever it is asked.
class ScriptedStream : public SftpStream {
 public:
  explicit ScriptedStream(std::string script, bool forever = false)
      : script_(std::move(script)), forever_(forever) {}
  void StartClock() override {}
  absl::Status Send(absl::string_view) override { return absl::OkStatus(); }
  absl::StatusOr<std::string> Receive(size_t count) override {
    longest_ = std::max(longest_, count);
    if (script_.size() - at_ < count) {
      if (!forever_) return absl::UnavailableError("dropped");
      at_ = 0;
    }
    at_ += count;
    return script_.substr(at_ - count, count);
  }

 private:
  std::string script_;
  bool forever_;
  size_t at_ = 0, longest_ = 0;
};

std::string Packet(const SftpWriter& writer) { return writer.Packet(); }
std::string Hello() { return Packet(SftpWriter().Byte(sftp::kVersion).Int(3)); }

TEST(SftpClientHello, AnythingButVersionThreeIsRefused) {
  const auto start = [](const std::string& script) {
    return SftpClient::Start(std::make_unique<ScriptedStream>(script)).status().code();
  };
  EXPECT_EQ(start(Hello()), absl::StatusCode::kOk);
  EXPECT_EQ(start(Packet(SftpWriter().Byte(sftp::kVersion).Int(2))),
            absl::StatusCode::kUnimplemented);
  EXPECT_EQ(start(Packet(SftpWriter().Byte(sftp::kVersion))), absl::StatusCode::kInternal);
  EXPECT_EQ(start(Packet(SftpWriter().Byte(sftp::kStatus).Int(3))), absl::StatusCode::kInternal);
  EXPECT_EQ(start(Packet(SftpWriter().Byte(sftp::kVersion).Int(3).Int(1000))),
            absl::StatusCode::kInternal);
  EXPECT_EQ(start("HTTP/1.1 400 Bad Request\r\n"), absl::StatusCode::kInternal);
  EXPECT_EQ(start(std::string(4, '\0')), absl::StatusCode::kInternal);
  EXPECT_EQ(start(""), absl::StatusCode::kUnavailable);
  EXPECT_EQ(start("\0\0"), absl::StatusCode::kUnavailable);
}

TEST(SftpClientNonsense, EndsTheSession) {
  const auto id = [](uint8_t type) { return SftpWriter().Byte(type).Int(1); };
  const std::string huge_name = SftpWriter().Int(0xffffffff).bytes();
  const std::map<std::string, std::string> answers = {
      {"no length", std::string(4, '\0')},
      {"huge packet", std::string(4, '\xff')},
      {"no id", Packet(SftpWriter().Byte(sftp::kStatus))},
      {"other id", Packet(SftpWriter().Byte(sftp::kStatus).Int(7).Int(0))},
      {"status without code", Packet(id(sftp::kStatus))},
      {"status cut short", Packet(id(sftp::kStatus).Int(4).Int(100))},
      {"ok for data", Packet(id(sftp::kStatus).Int(0))},
      {"handle cut short", Packet(id(sftp::kHandle).Int(8))},
      {"long handle", Packet(id(sftp::kHandle).String(std::string(300, 'h')))},
      {"wrong kind", Packet(id(sftp::kData).String("x"))},
      {"unknown kind", Packet(id(77))}};
  for (const auto& [what, answer] : answers) {
    auto client = SftpClient::Start(std::make_unique<ScriptedStream>(Hello() + answer));
    ASSERT_TRUE(client.ok());
    EXPECT_EQ((*client)->ReadDirectory("x", 10).status().code(), absl::StatusCode::kInternal)
        << what;
    EXPECT_TRUE((*client)->broken()) << what;
    EXPECT_EQ((*client)->Remove("x").code(), absl::StatusCode::kUnavailable) << what;
  }
  const std::string handle = Packet(id(sftp::kHandle).String("h"));
  const auto second = [](uint8_t type) { return SftpWriter().Byte(type).Int(2); };
  for (const std::string& answer :
       {Packet(second(sftp::kName).Int(0)), Packet(second(sftp::kName).Int(0xffffffff)),
        Packet(second(sftp::kName).Int(1).Raw(huge_name)),
        Packet(second(sftp::kName).Int(1).String("a").String("l").Int(0x80000000).Int(0xffffffff)),
        Packet(second(sftp::kName).Int(1).String("a").String("l").Int(0xf).Int(1)),
        Packet(second(sftp::kStatus).Int(0))}) {
    auto client = SftpClient::Start(std::make_unique<ScriptedStream>(Hello() + handle + answer));
    ASSERT_TRUE(client.ok());
    EXPECT_EQ((*client)->ReadDirectory("x", 10).status().code(), absl::StatusCode::kInternal);
  }
  const std::string attributes = Packet(second(sftp::kAttrs).Int(1).Long(5));
  const auto third = [](uint8_t type) { return SftpWriter().Byte(type).Int(3); };
  for (const std::string& answer :
       {Packet(third(sftp::kData).String("")), Packet(third(sftp::kData).Int(5)),
        Packet(third(sftp::kData).String(std::string(40000, 'x')))}) {
    auto client =
        SftpClient::Start(std::make_unique<ScriptedStream>(Hello() + handle + attributes + answer));
    ASSERT_TRUE(client.ok());
    EXPECT_EQ((*client)->ReadFile("x", 100).status().code(), absl::StatusCode::kInternal);
  }
}

// A hub that wants to hold an agent for ever goes on answering with what is passed over.
TEST(SftpClientNonsense, ADirectoryOfNothingButNamesThatArePassedOverHasAnEnd) {
  const std::string handle = Packet(SftpWriter().Byte(sftp::kHandle).Int(1).String("h"));
  for (const std::string name : {".", "..", "a/b", ""}) {
    std::string script = Hello() + handle;
    for (uint32_t id = 2; id < 100; ++id) {
      script +=
          Packet(SftpWriter().Byte(sftp::kName).Int(id).Int(1).String(name).String("l").Int(0));
    }
    auto client = SftpClient::Start(std::make_unique<ScriptedStream>(script));
    ASSERT_TRUE(client.ok());
    // Were it read to the end of the script, it would be Unavailable.
    EXPECT_EQ((*client)->ReadDirectory("x", 10).status().message(), "x: holds more than 10 entries")
        << name;
    // Many in one answer are as many.
    SftpWriter names;
    names.Byte(sftp::kName).Int(2).Int(1000);
    for (int i = 0; i < 1000; ++i) names.String(name).String("l").Int(0);
    client = SftpClient::Start(std::make_unique<ScriptedStream>(Hello() + handle + Packet(names)));
    ASSERT_TRUE(client.ok());
    EXPECT_EQ((*client)->ReadDirectory("x", 10).status().message(), "x: holds more than 10 entries")
        << name;
  }
}

// Answers with any byte altered: an error or another answer, never a crash (run under sanitizers)
// and never an endless loop.
TEST_F(SftpClientTest, SpoiledAnswersAreSurvived) {
  std::mt19937 random(20261123);
  int errors = 0;
  for (int round = 0; round < 3000; ++round) {
    FakeSftpServer server;
    server.files = {{"f", Letters(100)}, {"./g", "g"}};
    int answers = 0;
    const int spoil_at = static_cast<int>(random() % 10);
    server.spoil = [&](std::string* packet) {
      if (answers++ != spoil_at) return;
      (*packet)[random() % packet->size()] ^= static_cast<char>(1 << (random() % 8));
    };
    auto client = SftpClient::Start(server.Connect());
    if (!client.ok()) {
      ++errors;
      continue;
    }
    const bool fine = (*client)->ReadDirectory(".", 100).ok() && (*client)->ReadFile("f", 200).ok();
    errors += !fine;
  }
  EXPECT_GT(errors, 500);
}

}  // namespace
}  // namespace trustline
