#include "agent/tvs/tvs_program.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/log.h"
#include "agent/systemd_notify.h"
#include "agent/tvs_config.h"
#include "agent/unique_fd.h"
#include "trust/status_macros.h"
#include "trust/tvs/tvs_server.h"

namespace trustline::agent {
namespace {

constexpr int kUsage = 64, kConfig = 78;
constexpr size_t kMostFileBytes = 1 << 20;
// Descriptors that are not connections: the listener, epoll, inotify, stores being read.
constexpr rlim_t kOtherDescriptors = 64;

constexpr char kHelp[] =
    "usage: trustline-tvs [--config FILE] [--check-config] [--version]\n"
    "\n"
    "  --config FILE    default /etc/trustline/tvs/tvs.yaml\n"
    "  --check-config   say whether FILE and what it names are right, and stop\n"
    "\n"
    "Answers phones that ask whether a certificate is to be trusted (TCP 2445, TLS). A change of "
    "the\ntrust stores needs no restart; another certificate or configuration does. SIGTERM "
    "drains.\n"
    "\n"
    "Example:\n"
    "  trustline-tvs --config /etc/trustline/tvs/tvs.yaml\n";

struct Options {
  std::string config = "/etc/trustline/tvs/tvs.yaml";
  bool check_only = false;
};

// Sets `exit_code` when there is nothing to serve.
bool ParseOptions(int argc, char** argv, Options& options, int& exit_code) {
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--config" && i + 1 < argc) {
      options.config = argv[++i];
    } else if (argument == "--check-config") {
      options.check_only = true;
    } else if (argument == "--version" || argument == "-h" || argument == "--help") {
      std::cout << (argument == "--version"
                        ? absl::StrCat("trustline-tvs ", TRUSTLINE_VERSION, "\n")
                        : std::string(kHelp));
      exit_code = 0;
      return false;
    } else {
      std::cerr << "trustline-tvs: unknown argument " << argument << "\n" << kHelp;
      exit_code = kUsage;
      return false;
    }
  }
  return true;
}

absl::Status SystemError(absl::string_view what) {
  return absl::FailedPreconditionError(absl::StrCat(what, ": ", std::strerror(errno)));
}

// `secret`: only its owner may have been able to read it.
absl::StatusOr<std::string> ReadFile(const std::string& path, bool secret) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info = {};
  if (!fd.valid() || fstat(fd.get(), &info) != 0) return SystemError(path);
  if (!S_ISREG(info.st_mode) || static_cast<uint64_t>(info.st_size) > kMostFileBytes) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": not a file of a sensible size"));
  }
  if (secret && (info.st_mode & 0077) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": a private key that others may read; make it mode 0600"));
  }
  std::string bytes(static_cast<size_t>(info.st_size), '\0');
  size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = read(fd.get(), bytes.data() + have, bytes.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return SystemError(path);
    have += static_cast<size_t>(got);
  }
  return bytes;
}

absl::StatusOr<TvsServerOptions> LoadServer(const v1::TvsConfig& config) {
  TL_ASSIGN_OR_RETURN(const std::string pem, ReadFile(config.certificate(), false));
  const absl::StatusOr<Certificate> certificate = Certificate::FromPem(pem);
  if (!certificate.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(config.certificate(), ": ", certificate.status().message()));
  }
  TL_ASSIGN_OR_RETURN(std::string key_pem, ReadFile(config.key(), true));
  const absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(key_pem);
  explicit_bzero(key_pem.data(), key_pem.size());
  if (!key.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(config.key(), ": ", key.status().message()));
  }
  if (!key->Matches(*certificate)) {
    return absl::InvalidArgumentError(
        absl::StrCat(config.key(), " is not the key of ", config.certificate()));
  }
  TvsServerOptions options{*certificate, *key};
  options.stores = config.stores();
  options.answers.mixed_mode = config.mixed_mode();
  options.answers.ttl = absl::Seconds(config.ttl_seconds());
  options.legacy_phones = config.compatibility() == v1::TVS_COMPATIBILITY_LEGACY_PHONES;
  options.ask_phone_certificate = config.ask_phone_certificate();
  options.max_connections = config.max_connections();
  options.connection_time = absl::Seconds(config.connection_seconds());
  options.threads = config.threads();
  options.log = [](TvsSeverity severity, absl::string_view message, const auto& fields) {
    LogFields out;
    for (const auto& [key, value] : fields) out.push_back({key, value});
    const LogLevel level = severity == TvsSeverity::kWarning ? LogLevel::kWarning
                           : severity == TvsSeverity::kInfo  ? LogLevel::kInfo
                                                             : LogLevel::kDebug;
    Log(level, message, out);
  };
  return options;
}

// A key lives in this process: no core dumps, no ptrace by others.
void HardenProcess() {
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  prctl(PR_SET_DUMPABLE, 0);
  umask(0077);
}

// As many descriptors as connections are wanted, or as many connections as there are descriptors.
void FitConnections(TvsServerOptions& options) {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  const rlim_t wanted = options.max_connections + kOtherDescriptors;
  if (wanted > files.rlim_max && geteuid() == 0) {
    const rlimit more{wanted, wanted};
    if (setrlimit(RLIMIT_NOFILE, &more) == 0) return;
  }
  files.rlim_cur = std::min(files.rlim_max, std::max(files.rlim_cur, wanted));
  setrlimit(RLIMIT_NOFILE, &files);
  getrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_cur >= wanted) return;
  const rlim_t room = files.rlim_cur > kOtherDescriptors ? files.rlim_cur - kOtherDescriptors : 1;
  Log(LogLevel::kWarning, "fewer connections than configured: not enough file descriptors",
      {{"max_connections", absl::StrCat(options.max_connections)},
       {"possible", absl::StrCat(room)}});
  options.max_connections = room;
}

// Text that appears as a whole.
absl::Status WriteNote(const std::string& path, const std::string& text) {
  const std::string beside = path + ".new";
  {
    const UniqueFd fd(
        open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!fd.valid() || fchmod(fd.get(), 0644) != 0) return SystemError(beside);
    if (write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      return SystemError(beside);
    }
  }
  if (rename(beside.c_str(), path.c_str()) != 0) return SystemError(path);
  return absl::OkStatus();
}

absl::Status WriteNotes(const v1::TvsConfig& config, uint16_t port) {
  if (!config.pid_file().empty()) {
    TL_RETURN_IF_ERROR(WriteNote(config.pid_file(), absl::StrCat(getpid(), "\n")));
  }
  if (!config.port_file().empty()) {
    TL_RETURN_IF_ERROR(WriteNote(config.port_file(), absl::StrCat(port, "\n")));
  }
  return absl::OkStatus();
}

absl::Status DropPrivileges(const v1::TvsConfig& config) {
  if (geteuid() == 0 && config.uid() != 0) {
    if (setgroups(0, nullptr) != 0 || setresgid(config.gid(), config.gid(), config.gid()) != 0 ||
        setresuid(config.uid(), config.uid(), config.uid()) != 0) {
      return SystemError(absl::StrCat("cannot become user ", config.uid()));
    }
    // Changing the user makes the process dumpable again on some settings of the kernel.
    prctl(PR_SET_DUMPABLE, 0);
  } else if (geteuid() == 0) {
    Log(LogLevel::kWarning, "runs as root: give a uid in the configuration");
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return SystemError("no_new_privs");
  return absl::OkStatus();
}

void Notify(absl::string_view state) {
  if (absl::Status status = NotifySystemd(state); !status.ok()) {
    Log(LogLevel::kWarning, "systemd was not told", {{"error", std::string(status.message())}});
  }
}

void RemoveNotes(const v1::TvsConfig& config) {
  for (const std::string& path : {config.pid_file(), config.port_file()}) {
    // In a directory of root's it stays; whoever reads it finds no such process.
    if (!path.empty()) (void)unlink(path.c_str());
  }
}

absl::Status Serve(const v1::TvsConfig& config, TvsServerOptions options, const sigset_t& signals) {
  TL_ASSIGN_OR_RETURN(const TvsListenAddress address, ParseTvsListen(config.listen()));
  TL_ASSIGN_OR_RETURN(TvsListener listener, TvsListener::Open(address.ipv4, address.port));
  FitConnections(options);
  const Certificate certificate = options.certificate;
  if (certificate.not_after() < absl::Now()) {
    Log(LogLevel::kWarning, "the certificate has expired: phones may refuse it",
        {{"subject", certificate.subject()}, {"serial", certificate.serial_hex()}});
  }
  TL_RETURN_IF_ERROR(WriteNotes(config, listener.port()));
  TL_RETURN_IF_ERROR(DropPrivileges(config));
  TL_ASSIGN_OR_RETURN(const std::unique_ptr<TvsServer> server,
                      TvsServer::Start(std::move(listener), std::move(options)));
  Log(LogLevel::kInfo, "serving",
      {{"address", address.ipv4},
       {"port", absl::StrCat(server->port())},
       {"certificate", certificate.subject()},
       {"serial", certificate.serial_hex()}});
  Notify("READY=1");
  int number = 0;
  sigwait(&signals, &number);
  Log(LogLevel::kInfo, "stopping", {{"signal", strsignal(number)}});
  Notify("STOPPING=1");
  server->Stop(absl::Seconds(config.drain_seconds()));
  const TvsServerFigures figures = server->figures();
  Log(LogLevel::kInfo, "stopped",
      {{"answered", absl::StrCat(figures.answered)}, {"found", absl::StrCat(figures.found)}});
  return absl::OkStatus();
}

}  // namespace

int RunTvsProgram(int argc, char** argv) {
  Options options;
  int exit_code = 0;
  if (!ParseOptions(argc, argv, options, exit_code)) return exit_code;
  const absl::StatusOr<v1::TvsConfig> config = LoadTvsConfig(options.config);
  if (!config.ok()) {
    std::cerr << config.status().message()
              << (absl::EndsWith(config.status().message(), "\n") ? "" : "\n");
    return kConfig;
  }
  if (const absl::Status status = ConfigureLog(config->log_format(), config->log_level());
      !status.ok()) {
    std::cerr << "trustline-tvs: " << status.message() << "\n";
    return kConfig;
  }
  HardenProcess();
  absl::StatusOr<TvsServerOptions> server = LoadServer(*config);
  if (!server.ok()) {
    std::cerr << "trustline-tvs: " << server.status().message() << "\n";
    return kConfig;
  }
  if (options.check_only) {
    std::cout << options.config << ": no errors\n";
    return 0;
  }
  // Blocked before any thread starts, so that all of them inherit it and only sigwait sees them.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const absl::Status status = Serve(*config, *std::move(server), signals);
  RemoveNotes(*config);
  if (status.ok()) return 0;
  Log(LogLevel::kError, "cannot serve", {{"error", std::string(status.message())}});
  return 1;
}

}  // namespace trustline::agent
