// The parts that keep a silent or absent server from holding us up, and secrets from staying in
// memory.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "trust/tcp_connect.h"
#include "trust/watchdog.h"
#include "trust/wiped_string.h"

namespace trustline {
namespace {

TEST(Watchdog, EndsAReadThatWouldNeverReturn) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  Watchdog watchdog(ends[0]);
  ASSERT_TRUE(watchdog.watching());
  watchdog.Arm(absl::Hours(1));
  watchdog.Arm(absl::Milliseconds(1));  // a nearer limit counts at once
  char byte = 0;
  EXPECT_EQ(read(ends[0], &byte, 1), 0);
  EXPECT_TRUE(watchdog.fired());
  close(ends[0]);
  close(ends[1]);
}

TEST(Watchdog, DisarmedOneLetsTheSocketLive) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  {
    Watchdog watchdog(ends[0]);
    watchdog.Arm(absl::Hours(1));
    watchdog.Disarm();
    EXPECT_FALSE(watchdog.fired());
  }
  EXPECT_EQ(write(ends[1], "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(read(ends[0], &byte, 1), 1);
  close(ends[0]);
  close(ends[1]);
}

TEST(Watchdog, NothingToWatchIsSaid) { EXPECT_FALSE(Watchdog(-1).watching()); }

TEST(ConnectTcp, ReachesAListenerAndNamesWhatItCannotReach) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const uint16_t port = ntohs(address.sin_port);
  // Bound but not listening: refused.
  const absl::Status refused = ConnectTcp("127.0.0.1", port, absl::Seconds(30)).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(absl::StrContains(refused.message(), "127.0.0.1 port ")) << refused;
  ASSERT_EQ(listen(listener, 1), 0);
  const absl::StatusOr<int> fd = ConnectTcp("127.0.0.1", port, absl::Seconds(30));
  ASSERT_TRUE(fd.ok()) << fd.status();
  close(*fd);
  close(listener);
  const absl::Status nameless = ConnectTcp("not a name", port, absl::Seconds(30)).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(nameless) || absl::IsUnavailable(nameless)) << nameless;
}

TEST(WipedString, HoldsItsBytesUntilMovedAway) {
  WipedString secret(absl::string_view("a\0b", 3));
  EXPECT_EQ(secret.view(), absl::string_view("a\0b", 3));
  EXPECT_EQ(secret.c_str()[3], '\0');
  WipedString other(std::move(secret));
  EXPECT_EQ(other.view().size(), 3u);
  EXPECT_EQ(std::string(secret.c_str()), "");  // NOLINT(bugprone-use-after-move): the promise
  secret = std::move(other);
  EXPECT_EQ(secret.view().size(), 3u);
}

}  // namespace
}  // namespace trustline
