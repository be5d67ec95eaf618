// phone: simulated phones against live servers.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <iostream>
#include <map>
#include <set>
#include <thread>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "controller/arrival.h"
#include "controller/bin/commands.h"
#include "controller/bin/session.h"
#include "controller/exit_codes.h"
#include "controller/history/history_store.h"
#include "controller/input_file.h"
#include "controller/new_files.h"
#include "controller/phone_evidence.h"
#include "controller/phone_state.h"
#include "controller/playbook/playbook.h"
#include "controller/render/phone_output.h"
#include "controller/trust_list_files.h"
#include "trust/phone/evidence_csv.h"
#include "trust/phone/file_download.h"
#include "trust/phone/live_network.h"
#include "trust/phone/option150.h"
#include "trust/phone/web_page.h"
#include "trust/phone/web_reader.h"
#include "trust/status_macros.h"

namespace trustline::controller {
namespace {

int FailWith(const absl::Status& status) {
  if (!absl::IsUnavailable(status)) return Fail(status);
  std::cerr << "trustline: " << status.message() << "\n";
  return kExitUnavailable;
}

int UsageError(const std::string& what) {
  std::cerr << "trustline: " << what << "\n";
  return kExitUsage;
}

absl::StatusOr<PhoneBehaviour> BehaviourOf(const PhoneArguments& a) {
  PhoneBehaviour behaviour = a.lenient ? PhoneBehaviour::Lenient() : PhoneBehaviour();
  behaviour.fetch_config = !a.no_config;
  behaviour.reset_forgets_tvs = !a.keep_tvs_answers;
  behaviour.legacy_tls = a.legacy_tls;
  behaviour.http_port = static_cast<uint16_t>(a.http_port);
  behaviour.tftp_port = static_cast<uint16_t>(a.tftp_port);
  behaviour.file_timeout = absl::Seconds(a.timeout_seconds);
  behaviour.tvs_timeout = absl::Seconds(a.timeout_seconds);
  for (const std::string& name : a.names) {
    const size_t equals = name.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == name.size())
      return absl::InvalidArgumentError(absl::StrCat("--name ", name, ": ADDRESS=NAME expected"));
    behaviour.names[name.substr(0, equals)] = name.substr(equals + 1);
  }
  return behaviour;
}

// Writes down what the phone remembers as soon as it changes: what ends this command in between
// leaves the phone as a reset would.
class RememberingNetwork : public LiveNetwork {
 public:
  RememberingNetwork(const PhoneBehaviour& behaviour, const PhoneArguments& a,
                     const PhoneState& before)
      : LiveNetwork(behaviour), arguments_(a), ctl_(before.ctl), itl_(before.itl) {}

  void Remember(const PhoneState& state) override {
    if (arguments_.dry || (state.ctl == ctl_ && state.itl == itl_) || !saved_.ok()) return;
    ctl_ = state.ctl;
    itl_ = state.itl;
    saved_ = SavePhone(arguments_.state, state);
  }
  const absl::Status& saved() const { return saved_; }

 private:
  const PhoneArguments& arguments_;
  std::optional<std::string> ctl_, itl_;
  absl::Status saved_;
};

absl::StatusOr<PhoneState> PhoneOf(const PhoneArguments& a) {
  TL_ASSIGN_OR_RETURN(PhoneState state, LoadPhone(a.state, a.device));
  if (!a.model.empty()) state.model = a.model;
  if (!a.itl.empty()) {
    TL_ASSIGN_OR_RETURN(state.itl, ReadInputFile(a.itl, kMaxPhoneFileBytes));
  }
  if (!a.ctl.empty()) {
    TL_ASSIGN_OR_RETURN(state.ctl, ReadInputFile(a.ctl, kMaxPhoneFileBytes));
  }
  if (!a.tvs.empty()) {
    state.tvs.clear();
    for (const std::string& server : a.tvs) {
      TL_ASSIGN_OR_RETURN(TvsAddress address, ParseTvsAddress(server));
      state.tvs.push_back(std::move(address));
    }
  }
  return state;
}

absl::StatusOr<std::vector<std::string>> TftpServersOf(const PhoneArguments& a) {
  if (a.dhcp.empty()) return a.tftp;
  UdpDhcpProber prober;
  return AskForTftpServers(prober, a.dhcp, a.dhcp_subnet, CanonicalMac(a.device.substr(3)),
                           absl::Seconds(a.timeout_seconds));
}

int ExitCodeOf(const BootResult& result) {
  if (result.accepted()) return kExitOk;
  return result.end == BootResult::End::kUnreachable ? kExitUnavailable : kExitFailed;
}

int BootOne(const Arguments& arguments) {
  const PhoneArguments& a = arguments.phone;
  if (!absl::StartsWith(a.device, "SEP") || CanonicalMac(a.device.substr(3)).empty() ||
      a.device.size() != 15) {
    return UsageError(absl::StrCat("--device ", a.device, ": SEP and a MAC address expected"));
  }
  const absl::StatusOr<PhoneBehaviour> behaviour = BehaviourOf(a);
  if (!behaviour.ok()) return UsageError(std::string(behaviour.status().message()));
  // A phone that held anything else than a list would be another phone than the one asked about.
  for (const std::string& list : {a.itl, a.ctl}) {
    if (list.empty()) continue;
    const absl::Status read = ReadTrustListFile(list).status();
    if (!read.ok()) return FailOnFile(read);
  }
  const absl::StatusOr<PhoneState> before = PhoneOf(a);
  if (!before.ok()) return FailWith(before.status());
  if (a.tftp.empty() && a.dhcp.empty() && before->alternate_tftp.empty())
    return UsageError("where does the phone fetch files? Give --tftp or --dhcp");
  std::vector<std::string> servers;
  // A phone with TFTP servers of its own asks nobody.
  if (before->alternate_tftp.empty()) {
    absl::StatusOr<std::vector<std::string>> given = TftpServersOf(a);
    if (!given.ok()) return FailWith(given.status());
    servers = *std::move(given);
  }
  RememberingNetwork network(*behaviour, a, *before);
  const BootResult result = Boot(*before, servers, network, *behaviour, absl::Now());
  if (!network.saved().ok()) return FailWith(network.saved());
  if (!a.dry) {
    const absl::Status saved = SavePhone(a.state, result.after);
    if (!saved.ok()) return FailWith(saved);
  }
  const Style style = StyleFor(STDOUT_FILENO, arguments.colour);
  if (arguments.output == "json") {
    std::cout << BootJson(result, *before);
  } else if (arguments.command == "phone migrate") {
    std::cout << MoveText(result, *before, *behaviour, style);
  } else {
    std::cout << BootText(result, *before, *behaviour, style);
  }
  return ExitCodeOf(result);
}

// Thousands of phones at a time need as many sockets.
void AllowManySockets(int wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(
      limit.rlim_max, std::max<rlim_t>(limit.rlim_cur, static_cast<rlim_t>(wanted) * 4 + 256));
  // Where it is not granted, fewer phones get through at a time and say so.
  setrlimit(RLIMIT_NOFILE, &limit);
}

// What the ledger is told: a phone nobody knows about has not arrived. Those that are not to be
// moved are not in it.
std::vector<ArrivalFinding> FindingsOf(const Arrival& arrival,
                                       const std::vector<PhoneEvidence>& phones) {
  std::vector<ArrivalFinding> findings;
  for (const ArrivedPhone& phone : arrival.arrived)
    findings.push_back({phones[phone.phone].device, true, ""});
  for (const auto* list : {&arrival.waiting, &arrival.unknown}) {
    for (const WaitingPhone& phone : *list)
      findings.push_back({phones[phone.phone].device, false, phone.why});
  }
  return findings;
}

// Into the ledger, when the command says whose; see `trustline stragglers`.
absl::Status RecordVerification(const Arguments& arguments, const Arrival& arrival,
                                const std::vector<PhoneEvidence>& phones) {
  if (arguments.phone.exchange.empty()) {
    std::cerr << "note: not written into a ledger; --exchange and --playbook say which\n";
    return absl::OkStatus();
  }
  TL_ASSIGN_OR_RETURN(const std::unique_ptr<HistoryStore> history,
                      HistoryStore::Open(arguments.history_file));
  return history->RecordArrivals(arguments.phone.exchange, PlaybookName(arguments.phone.playbook),
                                 FindingsOf(arrival, phones), absl::Now());
}

int VerifyArrival(const Arguments& arguments, const std::vector<PhoneEvidence>& phones,
                  const PhoneBehaviour& behaviour) {
  LiveNetwork network(behaviour);
  const LiveLists live =
      FetchLiveLists(network, arguments.phone.tftp, behaviour, phones.front().device);
  for (const std::string& problem : live.problems) std::cerr << "trustline: " << problem << "\n";
  // What no server says cannot be compared with.
  if (!live.problems.empty()) return kExitUnavailable;
  const Arrival arrival = CompareArrival(phones, live.lists);
  std::cout << (arguments.output == "json"
                    ? ArrivalJson(arrival, phones)
                    : ArrivalText(arrival, phones, StyleFor(STDOUT_FILENO, arguments.colour)));
  if (absl::Status status = RecordVerification(arguments, arrival, phones); !status.ok()) {
    std::cerr << "trustline: the ledger was not written: " << status.message() << "\n";
    return kExitError;
  }
  return arrival.waiting.empty() && arrival.unknown.empty() ? kExitOk : kExitFailed;
}

absl::Status FillLibrary(const PhoneArguments& a, const std::vector<PhoneEvidence>& phones,
                         const PhoneBehaviour& behaviour, ListLibrary* library) {
  for (const std::string& path : a.lists) {
    TL_ASSIGN_OR_RETURN(const std::string bytes, ReadInputFile(path, kMaxPhoneFileBytes));
    library->Add(bytes, path);
  }
  std::vector<std::string> sources = a.sources;
  if (sources.empty()) {
    std::set<std::string> used;
    for (const PhoneEvidence& phone : phones) used.insert(phone.tftp.begin(), phone.tftp.end());
    sources.assign(used.begin(), used.end());
  }
  sources.insert(sources.end(), a.tftp.begin(), a.tftp.end());
  LiveNetwork network(behaviour);
  const LiveLists live = FetchLiveLists(network, sources, behaviour, phones.front().device);
  for (const LiveList& list : live.lists)
    library->Add(list.bytes, absl::StrCat(list.ctl ? "CTL of " : "ITL of ", list.node));
  for (const std::string& problem : live.problems) std::cerr << "trustline: " << problem << "\n";
  return absl::OkStatus();
}

int FleetExitCode(const std::vector<ClassDecision>& decisions) {
  bool locked = false, unreachable = false, unproven = false;
  for (const ClassDecision& decision : decisions) {
    unproven |= decision.unproven;
    for (const auto& [end, count] : decision.ends) {
      locked |= end == BootResult::End::kLocked;
      unreachable |= end == BootResult::End::kUnreachable;
    }
  }
  return locked ? kExitFailed : unreachable ? kExitUnavailable : unproven ? kExitRefused : kExitOk;
}

int DecideFleet(const Arguments& arguments) {
  const PhoneArguments& a = arguments.phone;
  absl::StatusOr<PhoneBehaviour> behaviour = BehaviourOf(a);
  if (!behaviour.ok()) return UsageError(std::string(behaviour.status().message()));
  absl::StatusOr<LoadedEvidence> loaded = LoadEvidence(a.csv);
  if (!loaded.ok()) return FailWith(loaded.status());
  std::cerr << loaded->diagnostics;
  if (!loaded->diagnostics.empty()) return kExitBadPlaybook;
  if (loaded->phones.empty()) {
    std::cerr << "trustline: " << a.csv << " names no phone\n";
    return kExitNoInput;
  }
  if (a.verify) return VerifyArrival(arguments, loaded->phones, *behaviour);

  AllowManySockets(a.in_flight);
  FleetOptions options;
  options.tftp_servers = a.tftp;
  options.behaviour = *behaviour;
  options.library = std::move(loaded->library);
  options.spot_checks = static_cast<size_t>(a.spot_checks);
  options.every_phone = a.every_phone;
  options.in_flight = static_cast<size_t>(a.in_flight);
  const absl::Status filled = FillLibrary(a, loaded->phones, *behaviour, &options.library);
  if (!filled.ok()) return FailWith(filled);
  LiveNetwork network(*behaviour);
  const std::vector<ClassDecision> decisions =
      DecideClasses(loaded->phones, network, options, absl::Now());
  const int64_t phones = static_cast<int64_t>(loaded->phones.size());
  std::cout << (arguments.output == "json"
                    ? FleetJson(decisions, options.library)
                    : FleetText(decisions, options.library,
                                absl::StrCat(a.csv, ": ", Count(phones, "phone", "phones")),
                                StyleFor(STDOUT_FILENO, arguments.colour)));
  return FleetExitCode(decisions);
}

absl::StatusOr<PhoneEvidence> ReadOne(const std::string& phone, const PhoneArguments& a) {
  if (absl::StrContains(phone, '/') || absl::EndsWith(phone, ".html")) {
    TL_ASSIGN_OR_RETURN(const std::string page, ReadInputFile(phone, size_t{256} << 10));
    absl::StatusOr<PhoneEvidence> read = ParsePhoneWebPage(page);
    if (read.ok()) return read;
    return absl::InvalidArgumentError(absl::StrCat(phone, ": ", read.status().message()));
  }
  return ReadPhoneWebPage(phone, static_cast<uint16_t>(a.web_port),
                          absl::Seconds(a.timeout_seconds), absl::Now());
}

// Phones of the file at `path` that `phones` lacks; none where it is not there or not evidence.
std::vector<std::string> LostFrom(const std::string& path,
                                  const std::vector<PhoneEvidence>& phones) {
  std::set<std::string> known;
  for (const PhoneEvidence& phone : phones) known.insert(phone.device);
  std::vector<std::string> lost;
  if (access(path.c_str(), F_OK) != 0) return lost;
  const absl::StatusOr<std::string> before = ReadInputFile(path, size_t{64} << 20);
  if (!before.ok()) return lost;
  for (const PhoneEvidence& phone : ParseEvidenceCsv(*before).phones) {
    if (!known.contains(phone.device)) lost.push_back(phone.device);
  }
  return lost;
}

int Evidence(const Arguments& arguments) {
  const PhoneArguments& a = arguments.phone;
  AllowManySockets(a.in_flight);
  std::vector<absl::StatusOr<PhoneEvidence>> read(a.phones.size(), absl::UnknownError("not read"));
  std::atomic<size_t> next{0};
  std::vector<std::thread> threads;
  const size_t workers = std::min(a.phones.size(), static_cast<size_t>(a.in_flight));
  for (size_t i = 0; i < workers; ++i) {
    threads.emplace_back([&] {
      for (size_t at = next++; at < read.size(); at = next++) read[at] = ReadOne(a.phones[at], a);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<PhoneEvidence> phones;
  int code = kExitOk;
  for (const absl::StatusOr<PhoneEvidence>& phone : read) {
    if (phone.ok()) {
      phones.push_back(*phone);
      continue;
    }
    std::cerr << "trustline: " << phone.status().message() << "\n";
    code = std::max(code, absl::IsUnavailable(phone.status()) ? +kExitUnreachable : +kExitFailed);
  }
  const std::string csv = WriteEvidenceCsv(phones);
  if (a.out.empty()) {
    std::cout << csv;
  } else if (phones.empty()) {
    std::cerr << "trustline: no phone could be read; " << a.out << " is left as it was\n";
  } else {
    const std::vector<std::string> lost = LostFrom(a.out, phones);
    NewFiles files;
    files.ReplaceExisting();
    files.Add(a.out, csv, 0644);
    const absl::Status written = files.Create();
    if (!written.ok()) return FailWith(written);
    std::cerr << "wrote " << a.out << ": "
              << Count(static_cast<int64_t>(phones.size()), "phone", "phones") << " of "
              << a.phones.size() << "\n";
    if (!lost.empty()) {
      std::cerr << "warning: " << a.out << " had evidence of "
                << Count(static_cast<int64_t>(lost.size()), "phone", "phones")
                << " before that it lacks now: " << absl::StrJoin(lost, ", ") << "\n";
    }
  }
  return code;
}

}  // namespace

int PhoneCommand(const Arguments& arguments) {
  if (arguments.command == "phone fleet") return DecideFleet(arguments);
  if (arguments.command == "phone evidence") return Evidence(arguments);
  return BootOne(arguments);
}

}  // namespace trustline::controller
