// The hub over SFTP. Publishing is: temporary name ".<name>.<random>.part" (O_EXCL), pipelined
// writes, fsync on the server (OpenSSH's extension; other servers have none), plain rename, which
// by the draft never replaces a file. Version 3 has no word for a full disk; it is known by the
// server's free space (statvfs), and where the server does not tell that, a failed write is
// Internal.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "trust/hub.h"
#include "trust/sftp_client.h"
#include "trust/ssh_session.h"

namespace trustline {

// How often and how patiently. Only Unavailable is tried again; the wait before the nth further try
// is random between zero and min(max_delay, first_delay * 2^(n-1)) ("full jitter"), so that nodes
// that lost the hub together do not come back together.
struct SftpRetry {
  int tries = 4;  // in all
  absl::Duration first_delay = absl::Milliseconds(250);
  absl::Duration max_delay = absl::Seconds(5);
  // In [0, 1); of the process's random generator when empty. Called from every thread that uses a
  // hub of the dialer.
  std::function<double()> jitter;
  // absl::SleepFor when empty.
  std::function<void(absl::Duration)> sleep;
};

// A login to a server; OpenSftpStream when empty. For tests.
using SftpConnector =
    std::function<absl::StatusOr<std::unique_ptr<SftpStream>>(const SshServer&, const SshLogin&)>;

// Safe for concurrent use. Each hub it returns holds one connection and, until it goes, the login's
// secret (wiped then); it connects again by itself when the link drops, so one hub outlives a
// restart of the server. Further errors beside those of hub.h: InvalidArgument (the address:
// nothing but a changed configuration helps), Internal (the server answers nonsense, or a failure
// it gives no reason for).
class SftpDialer : public HubDialer {
 public:
  explicit SftpDialer(SftpRetry retry = {}, SftpConnector connector = {});
  absl::StatusOr<std::unique_ptr<Hub>> Dial(const v1::HubAddress& address,
                                            const v1::SecretValues& secrets) override;

 private:
  const SftpRetry retry_;
  const SftpConnector connector_;
};

}  // namespace trustline
