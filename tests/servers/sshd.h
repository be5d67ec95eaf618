// A real OpenSSH server for one test, chrooted to SFTP on 127.0.0.1, and the means to harm it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "protos/trustline/v1/kinds/hub.pb.h"
#include "protos/trustline/v1/secret.pb.h"

namespace trustline {

// Puts the calling thread, and what it starts, into a mount namespace of its own, where /run is
// empty and /etc/passwd and /etc/shadow also name the user "tlhub". Nothing outside is touched and
// all is gone with the process, however it ends. The empty string, or what is missing and why it is
// needed.
std::string EnterPrivateMounts();

struct SshdOptions {
  std::vector<std::string> key_types = {
      "ed25519"};                   // of the host keys, as ssh-keygen -t names them
  bool password_by_prompt = false;  // keyboard-interactive through PAM instead of "password"
  bool with_sftp = true;
  uint64_t disk_bytes = 0;  // the exported directory is a disk of this size; 0 is no limit
};

// Starts in the constructor, is killed in the destructor. After EnterPrivateMounts only.
class Sshd {
 public:
  explicit Sshd(const SshdOptions& options = {});
  ~Sshd();
  Sshd(const Sshd&) = delete;
  Sshd& operator=(const Sshd&) = delete;

  // Empty when it answers; otherwise what went wrong.
  const std::string& problem() const { return problem_; }
  uint16_t port() const { return port_; }
  // The directory "/data" of the server, which its user may write.
  const std::string& data() const { return data_; }
  std::string Fingerprint(const std::string& key_type = "ed25519") const;  // SHA256:...
  std::string PublicKey(const std::string& key_type = "ed25519") const;    // "ssh-ed25519 AAAA..."

  // An address that works: pinned by fingerprint, login by key. Secrets() holds "key", "password"
  // and "wrong".
  v1::HubAddress Address() const;
  v1::SecretValues Secrets() const;
  std::string private_key() const;
  static const char* password();  // another one in every process

  // The processes that serve connections, all that descend from the listening one.
  std::vector<pid_t> SessionProcesses() const;
  pid_t pid() const { return pid_; }
  // Stops or continues the listening process and everything below it.
  void Signal(int signal) const;
  std::string Log() const;

 private:
  std::string Start(const SshdOptions& options);

  std::string problem_;
  std::string base_;
  std::string data_;
  bool mounted_ = false;
  uint16_t port_ = 0;
  pid_t pid_ = -1;
};

// Runs a program, waits, returns its exit status or -1. Output goes nowhere.
int RunProgram(const std::vector<std::string>& arguments);

std::string ReadFileOrDie(const std::string& path);
void WriteFileOrDie(const std::string& path, const std::string& bytes, mode_t mode);
// Names in a directory, sorted, without "." and "..".
std::vector<std::string> NamesIn(const std::string& path);

}  // namespace trustline
