#include "controller/bin/session.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/exit_codes.h"
#include "controller/inventory/inventory.h"
#include "controller/inventory/topology.h"
#include "controller/inventory/variables.h"
#include "controller/playbook/extra_variables.h"
#include "controller/render/json_output.h"
#include "controller/secrets.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "protos/generic/kinds.h"
#include "trust/envelope.h"
#include "trust/identity.h"
#include "trust/status_macros.h"

namespace trustline::controller {
namespace {

absl::StatusOr<std::string> ReadWhole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  std::ostringstream text;
  text << in.rdbuf();
  if (in.bad()) return absl::DataLossError(absl::StrCat("cannot read ", path));
  return text.str();
}

// An operator's directory holds NAME.crt, NAME.key and ca.crt; with several names one must be
// wanted.
absl::StatusOr<std::string> OperatorNameIn(const std::string& directory,
                                           const std::string& wanted) {
  if (!wanted.empty()) return wanted;
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().extension() == ".crt" && entry.path().stem() != "ca")
      names.push_back(entry.path().stem());
  }
  if (error)
    return absl::NotFoundError(absl::StrCat("cannot read ", directory, ": ", error.message()));
  if (names.empty())
    return absl::NotFoundError(absl::StrCat("there is no operator's certificate in ", directory));
  std::sort(names.begin(), names.end());
  if (names.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat("several identities in ", directory, " (",
                                                   absl::StrJoin(names, ", "),
                                                   "): leave one of them there, or name the "
                                                   "directory of one with --pki"));
  }
  return names.front();
}

std::atomic<int> interrupts{0};

extern "C" void OnSignal(int number) {
  if (++interrupts >= 3) {
    signal(number, SIG_DFL);
    raise(number);
  }
}

std::string DirectoryOf(const std::string& path) {
  size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

// DHCP servers that a limit separates may serve one scope; nobody but the operator knows.
void WarnOfServersLeftOut(const Inventory& inventory,
                          const std::map<std::string, NodeAddress>& in) {
  std::vector<std::string> chosen, left;
  for (const InventoryHost& host : inventory.hosts()) {
    for (const yaml::Value::Member& variable : host.variables) {
      if (variable.key == "dhcp_server")
        (in.contains(host.name) ? chosen : left).push_back(host.name);
    }
  }
  if (chosen.empty() || left.empty()) return;
  std::cerr << "warning: " << absl::StrJoin(left, ", ")
            << " left out: phones of a scope it shares with " << absl::StrJoin(chosen, ", ")
            << " get whichever server answers first\n";
}

// Deterministic, so that the same playbook has the same digest.
std::string SerializeDeterministically(const google::protobuf::Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

}  // namespace

absl::StatusOr<Operator> LoadOperator(const std::string& directory, const std::string& wanted) {
  auto explain = [&](const absl::Status& status) {
    return absl::Status(
        status.code(),
        absl::StrCat(status.message(),
                     "; make an identity with `trustline pki issue operator NAME --ca CA --out ",
                     directory, "` or name its directory with --pki"));
  };
  absl::StatusOr<std::string> name = OperatorNameIn(directory, wanted);
  if (absl::IsInvalidArgument(name.status())) return name.status();
  if (!name.ok()) return explain(name.status());
  OperatorIdentityFiles files{absl::StrCat(directory, "/", *name, ".crt"),
                              absl::StrCat(directory, "/", *name, ".key"), directory + "/ca.crt"};
  absl::StatusOr<std::string> certificate_pem = ReadWhole(files.certificate);
  if (!certificate_pem.ok()) return explain(certificate_pem.status());
  absl::StatusOr<std::string> key_pem = ReadWhole(files.key);
  if (!key_pem.ok()) return explain(key_pem.status());
  absl::StatusOr<std::string> roots_pem = ReadWhole(files.ca);
  if (!roots_pem.ok()) return explain(roots_pem.status());
  TL_ASSIGN_OR_RETURN(Certificate certificate, Certificate::FromPem(*certificate_pem));
  TL_ASSIGN_OR_RETURN(PrivateKey key, PrivateKey::FromPem(*key_pem));
  TL_ASSIGN_OR_RETURN(std::vector<Certificate> roots, Certificate::AllFromPem(*roots_pem));
  if (!key.Matches(certificate))
    return absl::FailedPreconditionError(
        absl::StrCat(files.key, " is not the key of ", files.certificate));
  TL_ASSIGN_OR_RETURN(Identity identity, IdentityOf(certificate));
  if (identity.kind != IdentityKind::kOperator)
    return absl::FailedPreconditionError(absl::StrCat(files.certificate, " is the identity ",
                                                      identity.ToUri(), ", not an operator's"));
  if (absl::Status chain = VerifyChain(certificate, roots, absl::Now()); !chain.ok()) {
    return absl::Status(chain.code(), absl::StrCat(files.certificate, ": ", chain.message()));
  }
  return Operator{std::move(files), std::move(certificate), std::move(key), identity.name,
                  identity.domain};
}

CompileOptions CompileOptionsOf(const Arguments& arguments, const std::string& domain) {
  return {arguments.playbook, arguments.inventories, arguments.extra_vars, domain};
}

TextOptions TextOptionsOf(const Arguments& arguments) {
  TextOptions options;
  options.style = StyleFor(STDOUT_FILENO, arguments.colour);
  options.diff = arguments.diff;
  options.verbosity = arguments.verbosity;
  options.gate_overridden = !arguments.override_gate.empty();
  return options;
}

RunOptions RunOptionsOf(const Arguments& arguments) {
  RunOptions options;
  options.forks = arguments.forks;
  options.answer_timeout = absl::Seconds(arguments.timeout_seconds);
  options.apply_timeout = absl::Seconds(arguments.apply_timeout_seconds);
  options.interrupts = Interrupts;
  options.override_gate = arguments.override_gate;
  options.confirm = [yes = arguments.yes](const std::string& prompt,
                                          const std::function<void()>& meanwhile) {
    return yes || AskOnTerminal(prompt, meanwhile);
  };
  return options;
}

int Fail(const absl::Status& status) {
  std::cerr << "trustline: " << status.message() << "\n";
  if (absl::IsNotFound(status)) return kExitNoInput;
  if (absl::IsPermissionDenied(status)) return kExitDenied;
  return kExitError;
}

int FailOnIdentity(const absl::Status& status) {
  const int code = Fail(status);
  return absl::IsInvalidArgument(status) ? kExitBadPlaybook : code;
}

int FailOnFile(const absl::Status& status) {
  const int code = Fail(status);
  if (absl::IsInvalidArgument(status)) return kExitBadPlaybook;
  if (absl::IsFailedPrecondition(status)) return kExitRefused;
  return code;
}

absl::Status UnknownRun(HistoryStore& history, const std::string& run_id, const std::string& more) {
  constexpr int kLookBack = 1000;
  std::vector<std::string> ids;
  if (const absl::StatusOr<std::vector<RunSummary>> runs = history.List(kLookBack); runs.ok()) {
    for (const RunSummary& run : *runs) ids.push_back(run.run_id);
  }
  return absl::NotFoundError(absl::StrCat("no run ", run_id, " in the history", more,
                                          yaml::DidYouMeanSuffix(run_id, ids)));
}

std::optional<CompiledPlaybook> CompileOrExplain(const Arguments& arguments,
                                                 const std::string& domain, int& exit_code) {
  yaml::Diagnostics diagnostics;
  CompileResult result = Compile(CompileOptionsOf(arguments, domain), diagnostics);
  bool lint_json = arguments.command == "lint" && arguments.output == "json";
  if (lint_json && (!result.compiled || !WantsLists(arguments))) {
    std::cout << DiagnosticsJson(diagnostics);
  } else {
    std::cerr << diagnostics.Render();
  }
  if (result.compiled) return std::move(result.compiled);
  exit_code = result.input_missing || result.no_hosts_matched ? kExitNoInput : kExitBadPlaybook;
  return std::nullopt;
}

std::optional<Prepared> Prepare(const Arguments& arguments, int& exit_code) {
  absl::StatusOr<Operator> who = LoadOperator(arguments.pki_directory, arguments.operator_name);
  // A playbook with an error is worth saying even before there is an identity.
  std::optional<CompiledPlaybook> compiled =
      CompileOrExplain(arguments, who.ok() ? who->domain : "", exit_code);
  if (!compiled) return std::nullopt;
  if (!who.ok()) {
    exit_code = FailOnIdentity(who.status());
    return std::nullopt;
  }
  std::vector<std::string> allowed;
  for (const auto& [node, address] : compiled->nodes) allowed.push_back(node);
  if (!arguments.limit.empty()) {
    yaml::Diagnostics diagnostics;
    std::optional<std::vector<std::string>> limited =
        LimitHosts(CompileOptionsOf(arguments, who->domain), arguments.limit, diagnostics);
    std::cerr << diagnostics.Render();
    if (!limited) {
      exit_code = kExitNoInput;
      return std::nullopt;
    }
    allowed = *std::move(limited);
  }
  Prepared prepared{*std::move(who), {}, nullptr};
  prepared.input.playbook = *std::move(compiled);
  SelectResources(Mask{arguments.limit, arguments.tags, arguments.skip_tags}, allowed,
                  prepared.input);
  if (arguments.command == "preflight") {
    for (const StagePlan& stage : prepared.input.playbook.stages) {
      if (stage.gate_for == 0) prepared.input.selected.erase(stage.number);
    }
    if (prepared.input.selected.empty()) {
      std::cerr << "trustline: " << arguments.playbook << " has no gate\n";
      exit_code = kExitNoInput;
      return std::nullopt;
    }
  }
  if (!arguments.start_at_task.empty()) {
    if (absl::Status status = StartAtTask(arguments.start_at_task, prepared.input); !status.ok()) {
      exit_code = Fail(status);
      return std::nullopt;
    }
  }
  if (arguments.step) AskBeforeEveryStage(prepared.input);
  const bool masked = !arguments.tags.empty() || !arguments.skip_tags.empty();
  // With tags nobody knows whether a skipped task would have been selected.
  if (masked) prepared.input.allowed.clear();
  const bool skipped_only = std::any_of(
      prepared.input.playbook.skipped.begin(), prepared.input.playbook.skipped.end(),
      [&](const SkippedTask& task) { return prepared.input.allowed.contains(task.node); });
  if (prepared.input.selected.empty() && !skipped_only) {
    std::cerr << "trustline: --limit and --tags leave nothing to do in " << arguments.playbook
              << "\n";
    exit_code = kExitNoInput;
    return std::nullopt;
  }
  const std::vector<std::string> partial = PartialPointers(prepared.input);
  const bool applies = arguments.command == "apply";
  for (const std::string& line : partial) {
    std::cerr << (applies ? "refused: " : "warning: ") << line << "\n";
  }
  if (applies && !partial.empty()) {
    exit_code = kExitRefused;
    return std::nullopt;
  }
  std::set<std::string> asked;
  for (const auto& [stage, nodes] : prepared.input.selected) {
    for (const auto& [node, ids] : nodes) asked.insert(node);
  }
  std::set<std::string> secret_names;
  for (const std::string& node : asked) {
    const v1::DesiredState& document = prepared.input.playbook.documents.at(node);
    for (const std::string& name : SecretNames(document)) secret_names.insert(name);
    absl::StatusOr<v1::Envelope> envelope =
        Seal("trustline.v1.DesiredState", SerializeDeterministically(document), prepared.who.key,
             prepared.who.certificate);
    if (!envelope.ok()) {
      exit_code = Fail(envelope.status());
      return std::nullopt;
    }
    prepared.input.envelopes[node] = *std::move(envelope);
  }
  absl::StatusOr<v1::SecretValues> secrets =
      ResolveSecrets(std::vector<std::string>(secret_names.begin(), secret_names.end()),
                     DirectoryOf(arguments.playbook));
  if (!secrets.ok()) {
    Fail(secrets.status());
    exit_code = kExitNoInput;
    return std::nullopt;
  }
  prepared.input.secrets = *std::move(secrets);
  absl::StatusOr<std::unique_ptr<Fleet>> fleet =
      MakeGrpcFleet(prepared.who.files, prepared.input.playbook.nodes);
  if (!fleet.ok()) {
    exit_code = Fail(fleet.status());
    return std::nullopt;
  }
  prepared.fleet = *std::move(fleet);
  return prepared;
}

std::optional<std::map<std::string, NodeAddress>> NodesOf(const Arguments& arguments,
                                                          int& exit_code,
                                                          std::map<std::string, NodeAddress>* all) {
  yaml::Diagnostics diagnostics;
  bool input_missing = false;
  yaml::Value::Map extra = ReadExtraVariables(arguments.extra_vars, diagnostics, input_missing);
  std::optional<Inventory> inventory =
      LoadInventory({arguments.inventories, ""}, diagnostics, &input_missing);
  std::map<std::string, NodeAddress> nodes;
  if (inventory) {
    VariableWorld world(*inventory, std::move(extra));
    nodes = NodeAddresses(world, diagnostics);
  }
  std::cerr << diagnostics.Render();
  if (!inventory || diagnostics.has_errors()) {
    exit_code = input_missing ? kExitNoInput : kExitBadPlaybook;
    return std::nullopt;
  }
  if (all != nullptr) *all = nodes;
  if (arguments.limit.empty()) return nodes;
  yaml::Diagnostics of_limit;
  std::optional<std::vector<std::string>> allowed =
      LimitHosts(CompileOptionsOf(arguments, ""), arguments.limit, of_limit);
  std::cerr << of_limit.Render();
  if (!allowed) {
    exit_code = kExitNoInput;
    return std::nullopt;
  }
  std::map<std::string, NodeAddress> limited;
  for (const std::string& name : *allowed) limited.insert(*nodes.find(name));
  if (arguments.command == "rollback") WarnOfServersLeftOut(*inventory, limited);
  return limited;
}

void CatchInterrupts() {
  struct sigaction action {};
  action.sa_handler = OnSignal;
  sigemptyset(&action.sa_mask);
  // No SA_RESTART: a pause that waits for input must notice.
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  // A lost terminal is no reason to lose what was done; one that nohup ignores stays ignored.
  struct sigaction hangup {};
  if (sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler != SIG_IGN) {
    sigaction(SIGHUP, &action, nullptr);
  }
  signal(SIGPIPE, SIG_IGN);
}

int Interrupts() { return interrupts.load(); }

bool AskOnTerminal(const std::string& prompt, const std::function<void()>& meanwhile) {
  if (isatty(STDIN_FILENO) != 1) return false;
  std::cerr << prompt << "\nContinue? [y/N] " << std::flush;
  std::string answer;
  while (Interrupts() == 0) {
    meanwhile();
    pollfd waiting{STDIN_FILENO, POLLIN, 0};
    if (poll(&waiting, 1, 100) <= 0) continue;
    char c;
    ssize_t got = read(STDIN_FILENO, &c, 1);
    if (got <= 0) return false;
    if (c == '\n') break;
    answer += c;
  }
  answer = absl::AsciiStrToLower(absl::StripAsciiWhitespace(answer));
  return Interrupts() == 0 && (answer == "y" || answer == "yes");
}

bool WantsLists(const Arguments& arguments) {
  return arguments.list_hosts || arguments.list_tasks || arguments.list_tags;
}

void PrintLists(const Arguments& arguments, const CompiledPlaybook& playbook) {
  Mask mask{arguments.limit, arguments.tags, arguments.skip_tags};
  std::cout << "playbook: " << arguments.playbook << "\n";
  for (const StagePlan& stage : playbook.stages) {
    std::cout << "\n  stage " << stage.number << ": " << stage.play
              << (stage.wave.empty() ? "" : absl::StrCat(", wave ", stage.wave)) << "\n";
    if (arguments.list_hosts) {
      std::cout << "    hosts (" << stage.hosts.size() << "):\n";
      for (const std::string& host : stage.hosts) std::cout << "      " << host << "\n";
    }
    std::vector<std::string> tasks;
    std::set<std::string> seen, tags;
    for (const std::string& host : stage.hosts) {
      auto document = playbook.documents.find(host);
      if (document == playbook.documents.end()) continue;
      for (const v1::Resource& resource : document->second.resources()) {
        if (resource.stage() != stage.number || !TagsAllow(mask, resource)) continue;
        tags.insert(resource.tags().begin(), resource.tags().end());
        std::string line = absl::StrCat(resource.task().empty() ? resource.id() : resource.task(),
                                        "\tTAGS: [", absl::StrJoin(resource.tags(), ", "), "]");
        if (seen.insert(line).second) tasks.push_back(line);
      }
    }
    if (arguments.list_tasks) {
      std::cout << "    tasks:\n";
      for (const std::string& task : tasks) std::cout << "      " << task << "\n";
    }
    if (arguments.list_tags) std::cout << "    tags: [" << absl::StrJoin(tags, ", ") << "]\n";
  }
}

}  // namespace trustline::controller
