#include "trust/ssh_session.h"

#include <libssh/libssh.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "trust/status_macros.h"
#include "trust/tcp_connect.h"
#include "trust/watchdog.h"
#include "trust/wiped_string.h"

namespace trustline {
namespace {

constexpr size_t kMaxKnownHostsBytes = 1 << 20;
constexpr size_t kMaxKnownHostsLine = 16 << 10;
constexpr int kMaxPromptRounds = 8;
constexpr int kLargestDescriptor = 0xffff;  // of SSH_OPTIONS_FD, which cuts off what is above
constexpr absl::Duration kFarewell = absl::Seconds(1);

// Host key algorithms by type of key, in the order they are asked for.
struct KeyFamily {
  absl::string_view key_type_prefix;  // of ssh_key_type_to_char
  absl::string_view algorithms;
};
constexpr std::array<KeyFamily, 3> kKeyFamilies = {{
    {"ssh-ed25519", "ssh-ed25519"},
    {"ecdsa", "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521"},
    {"ssh-rsa", "rsa-sha2-512,rsa-sha2-256"},
}};

const KeyFamily* FamilyOf(absl::string_view key_type) {
  for (const KeyFamily& family : kKeyFamilies) {
    if (absl::StartsWith(key_type, family.key_type_prefix)) return &family;
  }
  return nullptr;
}

std::string HostPort(const SshServer& server) {
  return absl::StrContains(server.host, ':') ? absl::StrCat("[", server.host, "]:", server.port)
                                             : absl::StrCat(server.host, ":", server.port);
}

class ScopedKey {
 public:
  ScopedKey() = default;
  ~ScopedKey() { ssh_key_free(key_); }
  ScopedKey(const ScopedKey&) = delete;
  ScopedKey& operator=(const ScopedKey&) = delete;
  ssh_key* out() { return &key_; }
  ssh_key get() const { return key_; }

 private:
  ssh_key key_ = nullptr;
};

struct KeyFacts {
  std::string fingerprint;  // "SHA256:..."
  std::string type;         // "ssh-ed25519"
  std::string ToString() const { return absl::StrCat(fingerprint, " (", type, ")"); }
};

absl::StatusOr<KeyFacts> FactsOf(ssh_key key) {
  unsigned char* hash = nullptr;
  size_t size = 0;
  if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &size) != SSH_OK) {
    return absl::InternalError("cannot hash a host key");
  }
  char* text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, size);
  KeyFacts facts;
  if (text != nullptr) facts.fingerprint = text;
  ssh_string_free_char(text);
  ssh_clean_pubkey_hash(&hash);
  if (facts.fingerprint.empty()) return absl::InternalError("cannot hash a host key");
  const char* type = ssh_key_type_to_char(ssh_key_type(key));
  facts.type = type == nullptr ? "unknown" : type;
  return facts;
}

// What the server's key may be.
struct ExpectedKeys {
  bool from_known_hosts = false;
  std::vector<KeyFacts> accepted;  // a fingerprint from the configuration has no type
  std::vector<KeyFacts> revoked;
};

absl::Status AddKnownHosts(const SshServer& server, const std::string& name,
                           ExpectedKeys* expected) {
  for (absl::string_view line : absl::StrSplit(server.known_hosts, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    if (line.size() > kMaxKnownHostsLine) {
      return absl::InvalidArgumentError("known_hosts holds an overlong line");
    }
    bool revoked = false;
    if (line[0] == '@') {
      if (!absl::ConsumePrefix(&line, "@revoked")) continue;
      revoked = true;
      line = absl::StripLeadingAsciiWhitespace(line);
    }
    ssh_knownhosts_entry* entry = nullptr;
    const int rc = ssh_known_hosts_parse_line(name.c_str(), std::string(line).c_str(), &entry);
    if (rc == SSH_OK && entry != nullptr) {
      absl::StatusOr<KeyFacts> facts = FactsOf(entry->publickey);
      ssh_knownhosts_entry_free(entry);
      TL_RETURN_IF_ERROR(facts.status());
      (revoked ? expected->revoked : expected->accepted).push_back(*std::move(facts));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ExpectedKeys> Expect(const SshServer& server) {
  ExpectedKeys expected;
  if (!server.host_key.empty()) {
    absl::string_view digits = server.host_key;
    if (!absl::ConsumePrefix(&digits, "SHA256:")) {
      return absl::InvalidArgumentError(absl::StrCat(
          "host_key '", absl::CHexEscape(server.host_key), "' is not a fingerprint SHA256:..."));
    }
    absl::ConsumeSuffix(&digits, "=");
    std::string raw;
    if (digits.size() != 43 || !absl::Base64Unescape(absl::StrCat(digits, "="), &raw) ||
        raw.size() != 32) {
      return absl::InvalidArgumentError(absl::StrCat(
          "host_key '", absl::CHexEscape(server.host_key), "' is not the base64 of a SHA-256"));
    }
    expected.accepted.push_back({absl::StrCat("SHA256:", digits), ""});
    return expected;
  }
  if (server.known_hosts.empty()) {
    return absl::InvalidArgumentError("neither a host_key nor known_hosts is given");
  }
  if (server.known_hosts.size() > kMaxKnownHostsBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("known_hosts is larger than ", kMaxKnownHostsBytes, " bytes"));
  }
  expected.from_known_hosts = true;
  const std::string host = absl::AsciiStrToLower(server.host);
  if (server.port != 22) {
    TL_RETURN_IF_ERROR(
        AddKnownHosts(server, absl::StrCat("[", host, "]:", server.port), &expected));
  }
  // As OpenSSH does, a line without a port counts where there is none with it.
  if (expected.accepted.empty()) TL_RETURN_IF_ERROR(AddKnownHosts(server, host, &expected));
  if (expected.accepted.empty() && expected.revoked.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        HostPort(server), ": known_hosts names no readable key of this server; add one, or pin ",
        "host_key"));
  }
  return expected;
}

bool Contains(const std::vector<KeyFacts>& keys, const KeyFacts& key) {
  return std::any_of(keys.begin(), keys.end(),
                     [&](const KeyFacts& known) { return known.fingerprint == key.fingerprint; });
}

std::string Join(const std::vector<KeyFacts>& keys) {
  return absl::StrJoin(keys, ", ", [](std::string* out, const KeyFacts& key) {
    absl::StrAppend(out, key.type.empty() ? key.fingerprint : key.ToString());
  });
}

// A libssh session under a watchdog, from the connected socket to the open subsystem.
class SshStream : public SftpStream {
 public:
  SshStream(const SshServer& server, int fd)
      : server_(server), fd_(fd), watchdog_(fd), session_(ssh_new()) {}

  ~SshStream() override {
    // What is left to say must not take long either; with a dead socket it takes no time.
    watchdog_.Arm(kFarewell);
    if (channel_ != nullptr) ssh_channel_free(channel_);
    if (session_ != nullptr) {
      ssh_disconnect(session_);
      ssh_free(session_);
    }
    if (fd_ >= 0) close(fd_);
  }

  // Key exchange; `host_key_algorithms` in order of preference.
  absl::Status Handshake(const std::string& host_key_algorithms);
  absl::StatusOr<KeyFacts> ServerKey();
  absl::Status LogIn(const SshLogin& login);
  absl::Status OpenSubsystem();

  void StartClock() override { watchdog_.Arm(server_.timeout); }
  absl::Status Send(absl::string_view bytes) override;
  absl::StatusOr<std::string> Receive(size_t count) override;

 private:
  absl::Status Option(ssh_options_e option, const void* value);
  absl::Status Dropped(absl::string_view doing);
  absl::Status LogInByPrompt(const WipedString& password);

  const SshServer server_;
  int fd_;  // until libssh owns it
  Watchdog watchdog_;
  ssh_session session_;
  ssh_channel channel_ = nullptr;
};

absl::Status SshStream::Dropped(absl::string_view doing) {
  if (watchdog_.fired()) {
    return absl::UnavailableError(absl::StrCat(HostPort(server_), ": ", doing,
                                               ": no answer within ",
                                               absl::FormatDuration(server_.timeout)));
  }
  constexpr size_t kLongest = 300;
  const absl::string_view said = ssh_get_error(session_);
  return absl::UnavailableError(
      absl::StrCat(HostPort(server_), ": ", doing, ": ",
                   said.empty() ? "the server closed the connection"
                                : absl::Utf8SafeCHexEscape(said.substr(0, kLongest))));
}

absl::Status SshStream::Option(ssh_options_e option, const void* value) {
  if (ssh_options_set(session_, option, value) == SSH_OK) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(HostPort(server_), ": libssh refuses a setting: ", ssh_get_error(session_)));
}

absl::Status SshStream::Handshake(const std::string& host_key_algorithms) {
  if (session_ == nullptr || !watchdog_.watching()) {
    return absl::ResourceExhaustedError("no memory or descriptor for an SSH session");
  }
  if (fd_ > kLargestDescriptor) {
    return absl::ResourceExhaustedError("too many open descriptors for an SSH session");
  }
  const int no = 0;
  const long seconds = std::max<int64_t>(1, absl::ToInt64Seconds(server_.timeout));
  const unsigned int port = server_.port;
  TL_RETURN_IF_ERROR(Option(SSH_OPTIONS_PROCESS_CONFIG, &no));
  TL_RETURN_IF_ERROR(Option(SSH_OPTIONS_HOST, server_.host.c_str()));
  TL_RETURN_IF_ERROR(Option(SSH_OPTIONS_PORT, &port));
  TL_RETURN_IF_ERROR(Option(SSH_OPTIONS_USER, server_.user.c_str()));
  TL_RETURN_IF_ERROR(Option(SSH_OPTIONS_KNOWNHOSTS, "/dev/null"));
  TL_RETURN_IF_ERROR(Option(SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null"));
  TL_RETURN_IF_ERROR(Option(SSH_OPTIONS_TIMEOUT, &seconds));
  TL_RETURN_IF_ERROR(Option(SSH_OPTIONS_HOSTKEYS, host_key_algorithms.c_str()));
  TL_RETURN_IF_ERROR(Option(SSH_OPTIONS_FD, &fd_));
  StartClock();
  const int given = std::exchange(fd_, -1);
  if (ssh_connect(session_) == SSH_OK) {
    // A session closes a socket it was given only when the connection fails. Taking the option
    // back, which it reports as an error, makes it the owner.
    ssh_options_set(session_, SSH_OPTIONS_FD, nullptr);
    return ssh_get_fd(session_) == given
               ? absl::OkStatus()
               : absl::InternalError("libssh lost the socket it was given");
  }
  const absl::Status dropped = Dropped("connecting");
  if (!watchdog_.fired() && absl::StrContains(ssh_get_error(session_), "no match for method")) {
    return absl::FailedPreconditionError(dropped.message());
  }
  return dropped;
}

absl::StatusOr<KeyFacts> SshStream::ServerKey() {
  ScopedKey key;
  if (ssh_get_server_publickey(session_, key.out()) != SSH_OK) return Dropped("host key");
  return FactsOf(key.get());
}

// libssh asks here for the passphrase of an encrypted key. There is none, and without this OpenSSL
// would ask the terminal.
int NoPassphrase(const char*, char*, size_t, int, int, void*) { return -1; }

absl::Status SshStream::LogInByPrompt(const WipedString& password) {
  bool answered = false;
  for (int round = 0; round < kMaxPromptRounds; ++round) {
    StartClock();
    const int rc = ssh_userauth_kbdint(session_, nullptr, nullptr);
    if (rc == SSH_AUTH_SUCCESS) return absl::OkStatus();
    if (rc == SSH_AUTH_ERROR) return Dropped("login");
    if (rc != SSH_AUTH_INFO) break;
    const int prompts = ssh_userauth_kbdint_getnprompts(session_);
    for (int i = 0; i < prompts; ++i) {
      char echo = 1;
      ssh_userauth_kbdint_getprompt(session_, static_cast<unsigned>(i), &echo);
      // The password is said once and only where it would not be shown.
      if (echo != 0 || answered) {
        return absl::PermissionDeniedError(
            absl::StrCat(HostPort(server_), ": the login asks for more than a password"));
      }
      answered = true;
      if (ssh_userauth_kbdint_setanswer(session_, static_cast<unsigned>(i), password.c_str()) < 0) {
        return Dropped("login");
      }
    }
  }
  return absl::PermissionDeniedError(absl::StrCat(HostPort(server_), ": login as ", server_.user,
                                                  " with the password was refused"));
}

absl::Status SshStream::LogIn(const SshLogin& login) {
  // Parsed before anything is sent: an unreadable key is the operator's to mend, whatever the
  // server says.
  ScopedKey key;
  if (!login.private_key.empty()) {
    const WipedString pem(login.private_key);
    if (ssh_pki_import_privkey_base64(pem.c_str(), nullptr, NoPassphrase, nullptr, key.out()) !=
        SSH_OK) {
      return absl::InvalidArgumentError(
          "the private key cannot be read: it must be an OpenSSH or PEM key without passphrase");
    }
  }
  StartClock();
  int rc = ssh_userauth_none(session_, nullptr);
  if (rc == SSH_AUTH_SUCCESS) return absl::OkStatus();
  if (rc == SSH_AUTH_ERROR) return Dropped("login");
  const int methods = ssh_userauth_list(session_, nullptr);

  absl::string_view with = "the private key";
  if (key.get() != nullptr) {
    StartClock();
    rc = ssh_userauth_publickey(session_, nullptr, key.get());
  } else {
    const WipedString password(login.password);
    with = "the password";
    if ((methods & SSH_AUTH_METHOD_PASSWORD) == 0 && (methods & SSH_AUTH_METHOD_INTERACTIVE) != 0) {
      return LogInByPrompt(password);
    }
    StartClock();
    rc = ssh_userauth_password(session_, nullptr, password.c_str());
  }
  if (rc == SSH_AUTH_SUCCESS) return absl::OkStatus();
  if (rc == SSH_AUTH_ERROR) return Dropped("login");
  if (rc == SSH_AUTH_PARTIAL) {
    return absl::PermissionDeniedError(absl::StrCat(HostPort(server_), ": login as ", server_.user,
                                                    ": the server asks for more than ", with));
  }
  return absl::PermissionDeniedError(
      absl::StrCat(HostPort(server_), ": login as ", server_.user, " with ", with, " was refused"));
}

absl::Status SshStream::OpenSubsystem() {
  StartClock();
  channel_ = ssh_channel_new(session_);
  if (channel_ == nullptr) return absl::ResourceExhaustedError("no memory for an SSH channel");
  if (ssh_channel_open_session(channel_) != SSH_OK) return Dropped("opening a session");
  StartClock();
  if (ssh_channel_request_sftp(channel_) == SSH_OK) return absl::OkStatus();
  const absl::Status dropped = Dropped("starting SFTP");
  if (watchdog_.fired() || ssh_is_connected(session_) == 0) return dropped;
  return absl::FailedPreconditionError(
      absl::StrCat(HostPort(server_), ": the server offers no SFTP to ", server_.user));
}

absl::Status SshStream::Send(absl::string_view bytes) {
  while (!bytes.empty()) {
    const int sent = watchdog_.fired() ? SSH_ERROR
                                       : ssh_channel_write(channel_, bytes.data(),
                                                           static_cast<uint32_t>(bytes.size()));
    if (sent <= 0) return Dropped("sending");
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> SshStream::Receive(size_t count) {
  std::string bytes(count, '\0');
  size_t have = 0;
  while (have < count) {
    const int got = watchdog_.fired()
                        ? SSH_ERROR
                        : ssh_channel_read(channel_, bytes.data() + have,
                                           static_cast<uint32_t>(count - have), /*is_stderr=*/0);
    if (got > 0) {
      have += static_cast<size_t>(got);
    } else if (got != SSH_AGAIN &&
               (got < 0 || ssh_channel_is_eof(channel_) != 0 || ssh_is_connected(session_) == 0)) {
      return Dropped("waiting for an answer");
    }
  }
  watchdog_.Disarm();
  return bytes;
}

absl::StatusOr<std::unique_ptr<SshStream>> Connect(const SshServer& server,
                                                   const std::string& algorithms) {
  TL_ASSIGN_OR_RETURN(const int fd, ConnectTcp(server.host, server.port, server.timeout));
  auto stream = std::make_unique<SshStream>(server, fd);
  TL_RETURN_IF_ERROR(stream->Handshake(algorithms));
  return stream;
}

// All algorithms, those of the key types in `known` first, so that the server shows the key we can
// compare.
std::string PreferredAlgorithms(const std::vector<KeyFacts>& known) {
  std::vector<absl::string_view> first, rest;
  for (const KeyFamily& family : kKeyFamilies) {
    const bool is_known = std::any_of(known.begin(), known.end(), [&](const KeyFacts& key) {
      return FamilyOf(key.type) == &family;
    });
    (is_known ? first : rest).push_back(family.algorithms);
  }
  first.insert(first.end(), rest.begin(), rest.end());
  return absl::StrJoin(first, ",");
}

// A connection whose server has proven to hold an expected key.
absl::StatusOr<std::unique_ptr<SshStream>> ConnectToExpected(const SshServer& server,
                                                             const ExpectedKeys& expected) {
  TL_ASSIGN_OR_RETURN(std::unique_ptr<SshStream> stream,
                      Connect(server, PreferredAlgorithms(expected.accepted)));
  TL_ASSIGN_OR_RETURN(const KeyFacts first, stream->ServerKey());
  std::vector<KeyFacts> shown = {first};
  if (Contains(expected.revoked, first)) {
    return absl::FailedPreconditionError(
        absl::StrCat(HostPort(server), ": the host key ", first.ToString(), " is marked @revoked"));
  }
  if (Contains(expected.accepted, first)) return stream;
  if (!expected.from_known_hosts) {
    for (const KeyFamily& family : kKeyFamilies) {
      if (FamilyOf(first.type) == &family) continue;
      stream.reset();
      absl::StatusOr<std::unique_ptr<SshStream>> other =
          Connect(server, std::string(family.algorithms));
      if (absl::IsFailedPrecondition(other.status())) continue;  // it has no such key
      TL_RETURN_IF_ERROR(other.status());
      TL_ASSIGN_OR_RETURN(const KeyFacts key, (*other)->ServerKey());
      shown.push_back(key);
      if (Contains(expected.accepted, key)) return other;
    }
  }
  return absl::FailedPreconditionError(
      absl::StrCat(HostPort(server), ": the host key is not the expected one: expected ",
                   Join(expected.accepted), ", the server shows ", Join(shown),
                   "; nothing was sent. If the server's key was replaced, change ",
                   expected.from_known_hosts ? "known_hosts" : "host_key"));
}

absl::Status CheckServer(const SshServer& server, const SshLogin& login) {
  const auto fit = [](absl::string_view text) {
    return !text.empty() && text.size() <= 255 &&
           std::all_of(text.begin(), text.end(),
                       [](unsigned char c) { return c > 0x20 && c != 0x7f; });
  };
  if (!fit(server.host) || absl::StrContains(server.host, '@')) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", absl::CHexEscape(server.host), "' is not a host name"));
  }
  if (!fit(server.user)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", absl::CHexEscape(server.user), "' is not a user name"));
  }
  if (server.port == 0) return absl::InvalidArgumentError("port 0 cannot be connected to");
  if (server.timeout <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("the timeout must be positive");
  }
  if (login.password.empty() == login.private_key.empty()) {
    return absl::InvalidArgumentError("either a password or a private key is needed, not empty");
  }
  if (absl::StrContains(login.password, '\0') || absl::StrContains(login.private_key, '\0')) {
    return absl::InvalidArgumentError("the password or private key holds a NUL byte");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<SftpStream>> OpenSftpStream(const SshServer& server,
                                                           const SshLogin& login) {
  TL_RETURN_IF_ERROR(CheckServer(server, login));
  TL_ASSIGN_OR_RETURN(const ExpectedKeys expected, Expect(server));
  TL_ASSIGN_OR_RETURN(std::unique_ptr<SshStream> stream, ConnectToExpected(server, expected));
  TL_RETURN_IF_ERROR(stream->LogIn(login));
  TL_RETURN_IF_ERROR(stream->OpenSubsystem());
  return std::unique_ptr<SftpStream>(std::move(stream));
}

}  // namespace trustline
