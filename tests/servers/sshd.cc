#include "tests/servers/sshd.h"

#include <arpa/inet.h>
#include <crypt.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"

namespace trustline {
namespace {

constexpr char kSshd[] = "/usr/sbin/sshd";
constexpr char kUser[] = "tlhub";
constexpr uid_t kUid = 60917;
// Made anew for every process, so that a test can look for it anywhere and find only what leaked.
const std::string& Password() {
  static const std::string password = [] {
    unsigned char bytes[12];
    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes)) std::abort();
    return absl::StrCat("canary-",
                        absl::BytesToHexString(std::string(bytes, bytes + sizeof(bytes))));
  }();
  return password;
}

pid_t Spawn(const std::vector<std::string>& arguments, const std::string& output) {
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid != 0) return pid;
  // Whatever ends the test ends the server.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  const int null = open("/dev/null", O_RDWR);
  const int out = output.empty() ? null : open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(null, 0);
  dup2(out, 1);
  dup2(out, 2);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  _exit(127);
}

std::string Errno(const std::string& what) {
  return absl::StrCat(what, ": ", std::strerror(errno));
}

// Two files of the system with a line more, seen by this namespace only.
std::string Extend(const std::string& path, const std::string& line, mode_t mode) {
  const std::string copy = absl::StrCat("/run/extended", absl::StrContains(path, "shadow"));
  WriteFileOrDie(copy, absl::StrCat(ReadFileOrDie(path), line, "\n"), mode);
  if (mount(copy.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) != 0) {
    return Errno(absl::StrCat("cannot mount over ", path));
  }
  return "";
}

uint16_t FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  uint16_t port = 0;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    port = ntohs(address.sin_port);
  }
  close(fd);
  return port;
}

// Whether an SSH server says hello there.
bool SaysHello(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bool hello = false;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    pollfd poller = {fd, POLLIN, 0};
    char bytes[4] = {};
    hello = poll(&poller, 1, 10000) == 1 && recv(fd, bytes, 4, MSG_WAITALL) == 4 &&
            std::memcmp(bytes, "SSH-", 4) == 0;
  }
  close(fd);
  return hello;
}

}  // namespace

std::string ReadFileOrDie(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << in.rdbuf();
  if (!in) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    std::abort();
  }
  return bytes.str();
}

void WriteFileOrDie(const std::string& path, const std::string& bytes, mode_t mode) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (fd < 0 || fchmod(fd, mode) != 0 ||
      write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    std::fprintf(stderr, "cannot write %s\n", path.c_str());
    std::abort();
  }
  close(fd);
}

std::vector<std::string> NamesIn(const std::string& path) {
  std::vector<std::string> names;
  DIR* directory = opendir(path.c_str());
  if (directory == nullptr) return names;
  while (const dirent* entry = readdir(directory)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  closedir(directory);
  std::sort(names.begin(), names.end());
  return names;
}

int RunProgram(const std::vector<std::string>& arguments) {
  const pid_t pid = Spawn(arguments, "");
  int status = 0;
  if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

std::string EnterPrivateMounts() {
  static bool entered = false;
  if (entered) return "";
  if (geteuid() != 0) {
    return "these tests need root: they run a real sshd, which changes user and root directory";
  }
  if (access(kSshd, X_OK) != 0) {
    return absl::StrCat("these tests need ", kSshd, " (apt-get install openssh-server)");
  }
  if (unshare(CLONE_NEWNS) != 0) {
    return Errno("these tests need a mount namespace of their own (CAP_SYS_ADMIN)");
  }
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return Errno("private mounts");
  if (mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") != 0) {
    return Errno("cannot mount over /run");
  }
  if (mkdir("/run/sshd", 0755) != 0) return Errno("/run/sshd");
  crypt_data data = {};
  const char* hash = crypt_r(Password().c_str(), "$6$rounds=1000$trustline$", &data);
  if (hash == nullptr || hash[0] == '*') return "crypt(3) knows no SHA-512 here";
  std::string problem = Extend(
      "/etc/passwd", absl::StrCat(kUser, ":x:", kUid, ":", kUid, "::/:/usr/sbin/nologin"), 0644);
  if (problem.empty()) {
    problem = Extend("/etc/shadow", absl::StrCat(kUser, ":", hash, ":19000:0:99999:7:::"), 0600);
  }
  entered = problem.empty();
  return problem;
}

Sshd::Sshd(const SshdOptions& options) { problem_ = Start(options); }

std::string Sshd::Start(const SshdOptions& options) {
  static std::atomic<int> number = 0;
  base_ = absl::StrCat("/run/hub", ++number);
  const std::string chroot = base_ + "/chroot";
  data_ = chroot + "/data";
  for (const std::string& directory : {base_, chroot, data_}) {
    if (mkdir(directory.c_str(), 0755) != 0) return Errno(directory);
  }
  if (options.disk_bytes > 0) {
    const std::string size = absl::StrCat("size=", options.disk_bytes);
    if (mount("tmpfs", data_.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, size.c_str()) != 0) {
      return Errno("cannot mount a small disk");
    }
    mounted_ = true;
  }
  if (chown(data_.c_str(), kUid, kUid) != 0) return Errno(data_);
  std::string config;
  for (const std::string& type : options.key_types) {
    const std::string file = absl::StrCat(base_, "/host_", type);
    if (RunProgram({"ssh-keygen", "-q", "-t", type, "-N", "", "-f", file}) != 0) {
      return "ssh-keygen failed (apt-get install openssh-client)";
    }
    absl::StrAppend(&config, "HostKey ", file, "\n");
  }
  if (RunProgram({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", base_ + "/user"}) != 0) {
    return "ssh-keygen failed (apt-get install openssh-client)";
  }
  WriteFileOrDie(base_ + "/authorized_keys", ReadFileOrDie(base_ + "/user.pub"), 0644);
  absl::StrAppend(
      &config, "PidFile none\nUsePAM ", options.password_by_prompt ? "yes" : "no",
      "\nPasswordAuthentication ", options.password_by_prompt ? "no" : "yes",
      "\nKbdInteractiveAuthentication ", options.password_by_prompt ? "yes" : "no",
      "\nPermitRootLogin no\nUseDNS no\nMaxStartups 200\nLogLevel VERBOSE\nAuthorizedKeysFile ",
      base_, "/authorized_keys\nChrootDirectory ", chroot, "\n");
  if (options.with_sftp) {
    absl::StrAppend(&config, "Subsystem sftp internal-sftp\nForceCommand internal-sftp\n");
  }
  // The port is free now; should somebody take it first, the server ends and another one is tried.
  for (int attempt = 0; attempt < 10; ++attempt) {
    port_ = FreePort();
    WriteFileOrDie(base_ + "/config", absl::StrCat("ListenAddress 127.0.0.1:", port_, "\n", config),
                   0600);
    pid_ = Spawn({kSshd, "-D", "-e", "-f", base_ + "/config"}, base_ + "/log");
    if (pid_ < 0) return Errno("fork");
    for (int waited = 0; waited < 1000; ++waited) {
      if (SaysHello(port_)) return "";
      if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
        pid_ = -1;
        break;
      }
      absl::SleepFor(absl::Milliseconds(10));
    }
    if (pid_ > 0) break;
  }
  return absl::StrCat("sshd does not answer: ", Log());
}

Sshd::~Sshd() {
  if (pid_ > 0) {
    std::vector<pid_t> all = SessionProcesses();
    all.push_back(pid_);
    for (const pid_t pid : all) kill(pid, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (mounted_) umount2(data_.c_str(), MNT_DETACH);
}

std::string Sshd::PublicKey(const std::string& key_type) const {
  const std::vector<std::string> parts =
      absl::StrSplit(ReadFileOrDie(absl::StrCat(base_, "/host_", key_type, ".pub")), ' ');
  return absl::StrCat(parts[0], " ", parts[1]);
}

std::string Sshd::Fingerprint(const std::string& key_type) const {
  const std::string out = absl::StrCat(base_, "/fingerprint");
  const pid_t pid = Spawn(
      {"ssh-keygen", "-l", "-E", "sha256", "-f", absl::StrCat(base_, "/host_", key_type)}, out);
  waitpid(pid, nullptr, 0);
  const std::vector<std::string> parts = absl::StrSplit(ReadFileOrDie(out), ' ');
  unlink(out.c_str());
  return parts.size() > 1 ? parts[1] : "";
}

std::string Sshd::private_key() const { return ReadFileOrDie(base_ + "/user"); }

const char* Sshd::password() { return Password().c_str(); }

v1::HubAddress Sshd::Address() const {
  v1::HubAddress address;
  address.set_host("127.0.0.1");
  address.set_port(port_);
  address.set_user(kUser);
  address.mutable_private_key()->set_name("key");
  address.set_host_key(Fingerprint());
  address.set_directory("/data");
  address.set_timeout_seconds(20);
  return address;
}

v1::SecretValues Sshd::Secrets() const {
  v1::SecretValues secrets;
  (*secrets.mutable_by_name())["key"] = private_key();
  (*secrets.mutable_by_name())["password"] = Password();
  (*secrets.mutable_by_name())["wrong"] = "wr0ng-s3cret";
  return secrets;
}

std::vector<pid_t> Sshd::SessionProcesses() const {
  std::multimap<pid_t, pid_t> children;
  for (const std::string& name : NamesIn("/proc")) {
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream in(absl::StrCat("/proc/", name, "/stat"));
    std::string line;
    if (!std::getline(in, line)) continue;
    const size_t end = line.rfind(')');
    if (end == std::string::npos) continue;
    char state = 0;
    int parent = 0;
    if (std::sscanf(line.c_str() + end + 1, " %c %d", &state, &parent) == 2 && state != 'Z') {
      children.emplace(parent, static_cast<pid_t>(std::atoi(name.c_str())));
    }
  }
  std::vector<pid_t> found;
  std::vector<pid_t> open = {pid_};
  while (!open.empty()) {
    const auto range = children.equal_range(open.back());
    open.pop_back();
    for (auto it = range.first; it != range.second; ++it) {
      found.push_back(it->second);
      open.push_back(it->second);
    }
  }
  return found;
}

void Sshd::Signal(int signal) const {
  kill(pid_, signal);
  for (const pid_t pid : SessionProcesses()) kill(pid, signal);
}

std::string Sshd::Log() const { return ReadFileOrDie(base_ + "/log"); }

}  // namespace trustline
