#include "agent/systemd_notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace trustline::agent {
namespace {

class SystemdNotifyTest : public ::testing::Test {
 protected:
  void TearDown() override {
    ::unsetenv("NOTIFY_SOCKET");
    if (fd_ >= 0) ::close(fd_);
  }
  // Listens at an abstract address, so that nothing is left behind.
  void Listen(const std::string& name) {
    fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name.data(), name.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    ASSERT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    ::setenv("NOTIFY_SOCKET", absl::StrCat("@", name).c_str(), 1);
  }
  int fd_ = -1;
};

TEST_F(SystemdNotifyTest, SaysNothingWithoutSystemd) {
  ::unsetenv("NOTIFY_SOCKET");
  EXPECT_TRUE(NotifySystemd("READY=1").ok());
}

TEST_F(SystemdNotifyTest, StateArrivesAsOneDatagram) {
  Listen(absl::StrCat("tl-notify-", ::getpid()));
  ASSERT_TRUE(NotifySystemd("READY=1\nSTATUS=serving").ok());
  char buffer[256];
  const ssize_t n = ::recv(fd_, buffer, sizeof(buffer), MSG_DONTWAIT);
  ASSERT_GT(n, 0);
  EXPECT_EQ(std::string(buffer, static_cast<size_t>(n)), "READY=1\nSTATUS=serving");
}

TEST_F(SystemdNotifyTest, WrongAddressIsRefused) {
  ::setenv("NOTIFY_SOCKET", "relative/socket", 1);
  EXPECT_EQ(NotifySystemd("READY=1").code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SystemdNotifyTest, NobodyListeningIsAnError) {
  ::setenv("NOTIFY_SOCKET", absl::StrCat("@tl-nobody-", ::getpid()).c_str(), 1);
  EXPECT_EQ(NotifySystemd("READY=1").code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace trustline::agent
