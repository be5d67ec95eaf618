// An SSH connection to a server whose host key is known beforehand, logged in, with its SFTP
// subsystem open. The one place that knows libssh, of which it uses transport and login only:
// libssh's own SFTP calls have no time limit.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "trust/sftp_client.h"

namespace trustline {

struct SshServer {
  std::string host;
  uint16_t port = 22;
  std::string user;
  // What the host key must be, one of both: a fingerprint "SHA256:...", or lines of a known_hosts
  // file (hashed names too; a key marked @revoked is refused, lines of @cert-authority do not
  // count).
  std::string host_key;
  std::string known_hosts;
  // Longest wait for any single answer: connecting, key exchange, each step of the login, each
  // answer of the subsystem.
  absl::Duration timeout = absl::Seconds(15);
};

// How to log in; exactly one is set. Borrowed for the call.
struct SshLogin {
  absl::string_view password;
  absl::string_view private_key;  // OpenSSH or PEM, without a passphrase
};

// Neither the user's nor the system's SSH configuration, known hosts or agent are looked at. The
// host key is checked before anything secret is sent. When the key the server shows first is not
// the expected one, its keys of other types are asked for, since a fingerprint does not tell its
// type. Errors: InvalidArgument (the parameters, an unreadable private key); FailedPrecondition
// (host key, both fingerprints shown; no common algorithm; no SFTP); PermissionDenied (login);
// Unavailable (everything that may be better next time). The private key and the password never
// appear in a message.
absl::StatusOr<std::unique_ptr<SftpStream>> OpenSftpStream(const SshServer& server,
                                                           const SshLogin& login);

}  // namespace trustline
