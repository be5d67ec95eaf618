#include "agent/service/agent_program.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/config.h"
#include "agent/converger.h"
#include "agent/dhcp/kea_control.h"
#include "agent/log.h"
#include "agent/real_host.h"
#include "agent/service/agent_server.h"
#include "agent/service/authorizer.h"
#include "agent/service/identity_keeper.h"
#include "agent/service/stage_runner.h"
#include "agent/state_lock.h"
#include "agent/systemd_notify.h"
#include "google/protobuf/stubs/logging.h"
#include "google/protobuf/util/message_differencer.h"
#include "protos/generic/kinds.h"
#include "trust/dhcp_probe.h"
#include "trust/sftp_hub.h"

namespace trustline::agent {
namespace {

constexpr int kUsage = 64, kConfig = 78;
// From the cancelling of a running apply to its next safe point.
constexpr std::chrono::seconds kAfterDrain{15};

constexpr char kHelp[] =
    "usage: trustline-agent [--config FILE] [--check-config] [--version]\n"
    "\n"
    "  --config FILE    default /etc/trustline/agent.yaml\n"
    "  --check-config   say whether FILE and the identity it names are right, and stop\n"
    "\n"
    "SIGTERM drains: nothing new is begun, a running apply may finish. SIGHUP looks at the "
    "identity files at once and takes the roles from FILE; the rest of FILE needs a restart.\n"
    "\n"
    "Example:\n"
    "  trustline-agent --config /etc/trustline/agent.yaml\n";

struct Options {
  std::string config = "/etc/trustline/agent.yaml";
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
                        ? absl::StrCat("trustline-agent ", TRUSTLINE_VERSION, "\n")
                        : std::string(kHelp));
      exit_code = 0;
      return false;
    } else {
      std::cerr << "trustline-agent: unknown argument " << argument << "\n" << kHelp;
      exit_code = kUsage;
      return false;
    }
  }
  return true;
}

// Keys and secrets live in this process: no core dumps, no ptrace by others. Many connections: as
// many descriptors as allowed, because gRPC's listener never recovers from running out of them.
void HardenProcess() {
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  prctl(PR_SET_DUMPABLE, 0);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  umask(0077);
}

std::vector<std::string> KindNames(const KindRegistry& kinds) {
  std::vector<std::string> names;
  for (const auto& kind : kinds) names.push_back(kind->name());
  return names;
}

void Notify(absl::string_view state) {
  if (absl::Status status = NotifySystemd(state); !status.ok()) {
    Log(LogLevel::kWarning, "systemd was not told", {{"error", std::string(status.message())}});
  }
}

// The roles as agent.yaml has them now, so that one who left the team is out without a restart. A
// file that is not right changes nothing.
void ReloadRoles(const std::string& path, v1::AgentConfig& served, AgentServer& server) {
  const absl::StatusOr<v1::AgentConfig> read = LoadAgentConfig(path);
  if (!read.ok()) {
    Log(LogLevel::kError, "the configuration is not right; the old roles stay",
        {{"file", path}, {"error", std::string(read.status().message())}});
    return;
  }
  server.TakeRoles(*read);
  *served.mutable_roles() = read->roles();
  std::vector<std::string> roles;
  for (const v1::RoleBinding& binding : served.roles()) {
    roles.push_back(absl::StrCat(binding.operator_(), " ", RoleName(binding.role())));
  }
  Log(LogLevel::kInfo, "the roles were read again",
      {{"file", path}, {"roles", absl::StrJoin(roles, ", ")}});
  if (!google::protobuf::util::MessageDifferencer::Equals(*read, served)) {
    Log(LogLevel::kWarning, "other settings have changed too; they need a restart",
        {{"file", path}});
  }
}

// Returns when SIGTERM or SIGINT came; meanwhile takes up new identities, and at SIGHUP does what
// `reload` says.
void ServeUntilStopped(const sigset_t& signals, IdentityKeeper& identity,
                       const std::function<void()>& reload) {
  while (true) {
    const timespec second{1, 0};
    const int number = sigtimedwait(&signals, nullptr, &second);
    if (number == SIGTERM || number == SIGINT) {
      Log(LogLevel::kInfo, "stopping", {{"signal", strsignal(number)}});
      return;
    }
    if (number == SIGHUP) reload();
    absl::StatusOr<bool> taken = identity.Poll();
    if (!taken.ok()) {
      Log(LogLevel::kError, "a new identity is not believed; the old one stays",
          {{"error", std::string(taken.status().message())}});
    } else if (*taken) {
      Log(LogLevel::kInfo, "a new identity is served");
    }
  }
}

// Ends the process when stopping takes longer than `patience`: a call into the world (a hub, a
// service) may be in no hurry. The journal brings the node to rights at the next start, as after
// any crash.
class LastResort {
 public:
  explicit LastResort(std::chrono::seconds patience)
      : thread_([this, patience] {
          std::unique_lock<std::mutex> lock(mutex_);
          if (stopped_.wait_for(lock, patience, [this] { return done_; })) return;
          Log(LogLevel::kWarning,
              "stopped in the middle of an apply; the next start finishes or undoes it");
          _exit(0);
        }) {}
  ~LastResort() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      done_ = true;
    }
    stopped_.notify_one();
    thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool done_ = false;
  std::thread thread_;  // last: starts with everything else in place
};

// Looks again at what was declared before, so that what has drifted is known from the start.
void LookAgain(Converger& converger) {
  v1::StatusResponse status;
  if (absl::Status looked = converger.FillStatus(status); !looked.ok()) {
    Log(LogLevel::kWarning, "could not look at what was declared",
        {{"error", std::string(looked.message())}});
  }
  for (const v1::DocumentStatus& document : status.documents()) {
    for (const std::string& drift : document.drifted())
      Log(LogLevel::kWarning, "drifted", {{"playbook", document.playbook()}, {"what", drift}});
  }
}

}  // namespace

int RunAgentProgram(int argc, char** argv, CallHook hook) {
  Options options;
  int exit_code = 0;
  if (!ParseOptions(argc, argv, options, exit_code)) return exit_code;
  absl::StatusOr<v1::AgentConfig> config = LoadAgentConfig(options.config);
  if (!config.ok()) {
    std::cerr << config.status().message()
              << (absl::EndsWith(config.status().message(), "\n") ? "" : "\n");
    return kConfig;
  }
  if (options.check_only) {
    const SystemClock clock;
    if (absl::Status identity = IdentityKeeper::Check(*config, clock); !identity.ok()) {
      std::cerr << options.config << ": the agent has no identity: " << identity.message() << "\n";
      return kConfig;
    }
    std::cout << options.config << ": no errors\n";
    return 0;
  }
  if (absl::Status status = ConfigureLog(config->log_format(), config->log_level()); !status.ok()) {
    std::cerr << "trustline-agent: " << status.message() << "\n";
    return kConfig;
  }
  auto fail = [](const char* what, const absl::Status& status, int code) {
    Log(LogLevel::kError, what, {{"error", std::string(status.message())}});
    return code;
  };
  // What foreign bytes make libprotobuf say is said by whoever parses them, with the name of the
  // thing.
  google::protobuf::SetLogHandler(nullptr);
  HardenProcess();
  // Blocked before any thread starts, so that all of them inherit it and only sigtimedwait sees
  // them.
  sigset_t signals;
  sigemptyset(&signals);
  for (int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  RouteGrpcLog();

  // Before anything looks at the state: settling what a crash left must not meet a transaction that
  // another agent is in the middle of.
  absl::StatusOr<StateLock> lock = StateLock::Take(config->state_directory());
  if (!lock.ok()) return fail("the agent cannot start", lock.status(), 1);
  RealHost host(*config, MakeDhcp(*config, hook), hook);
  absl::StatusOr<std::unique_ptr<IdentityKeeper>> identity =
      IdentityKeeper::Open(*config, host.host().clock);
  if (!identity.ok()) return fail("the agent has no identity", identity.status(), kConfig);
  const KindRegistry kinds = MakeKindRegistry();
  SftpDialer dialer;
  Converger converger([&keeper = **identity] { return keeper.Current(); }, host.host(), dialer,
                      kinds);
  absl::StatusOr<std::vector<std::string>> recovered = converger.Recover();
  if (!recovered.ok())
    return fail("an interrupted transaction could not be settled", recovered.status(), 1);
  for (const std::string& line : *recovered) Log(LogLevel::kWarning, "recovered", {{"what", line}});

  GateKeeper gates([&keeper = **identity] { return keeper.Current(); }, host.host(),
                   LivePhoneNetworks());
  std::unique_ptr<StageRunner> runner = MakeStageRunner(converger, gates);
  UdpDhcpProber prober;
  absl::StatusOr<std::unique_ptr<AgentServer>> server =
      AgentServer::Start(*config, {config->node(), TRUSTLINE_VERSION, KindNames(kinds)},
                         host.host().clock, **identity, *runner, prober);
  if (!server.ok()) return fail("the agent cannot serve", server.status(), 1);
  Log(LogLevel::kInfo, "serving",
      {{"node", config->node()}, {"port", absl::StrCat((*server)->port())}});
  Notify("READY=1");
  // Beside serving: a look may ask a hub that does not answer.
  std::thread looking([&converger] { LookAgain(converger); });
  ServeUntilStopped(signals, **identity, [&] { ReloadRoles(options.config, *config, **server); });
  Notify("STOPPING=1");
  const LastResort last_resort(std::chrono::seconds(config->drain_seconds()) + kAfterDrain);
  if (!(*server)->Drain(absl::Seconds(config->drain_seconds())))
    Log(LogLevel::kWarning, "a running apply was cancelled and put back");
  looking.join();
  Log(LogLevel::kInfo, "stopped");
  return 0;
}

}  // namespace trustline::agent
