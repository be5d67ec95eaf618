// What the commands that talk to agents share: the operator's identity, the compiled playbook, the
// fleet, Ctrl-C and pauses.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/bin/arguments.h"
#include "controller/compile.h"
#include "controller/fleet.h"
#include "controller/history/history_store.h"
#include "controller/render/run_text.h"
#include "controller/runner.h"
#include "trust/certificate.h"
#include "trust/private_key.h"

namespace trustline::controller {

struct Operator {
  OperatorIdentityFiles files;
  Certificate certificate;
  PrivateKey key;
  std::string name, domain;
};
// `wanted` names one of several identities in the directory; empty: there is only one.
absl::StatusOr<Operator> LoadOperator(const std::string& pki_directory, const std::string& wanted);

CompileOptions CompileOptionsOf(const Arguments& arguments, const std::string& domain);
TextOptions TextOptionsOf(const Arguments& arguments);
RunOptions RunOptionsOf(const Arguments& arguments);

// Prints to stderr ("trustline: ...") and maps the code: missing input 66, denied 77, else 1.
int Fail(const absl::Status& status);
// For LoadOperator. As Fail, and: a directory or file that is not what it should be 65.
int FailOnIdentity(const absl::Status& status);
// For commands about files the operator named. As Fail, and: a file that is not what it should be
// 65, one that phones would not take or whose key others may read 8.
int FailOnFile(const absl::Status& status);

// NotFound for a run the history does not know, with the nearest id; `more` follows.
absl::Status UnknownRun(HistoryStore& history, const std::string& run_id,
                        const std::string& more = "");

// Compiles and prints what is wrong. Sets `exit_code` when nothing came of it.
std::optional<CompiledPlaybook> CompileOrExplain(const Arguments& arguments,
                                                 const std::string& domain, int& exit_code);

// The documents sealed by the operator, the mask applied, the secrets read. Sets `exit_code` when
// nothing came of it.
struct Prepared {
  Operator who;
  RunInput input;
  std::unique_ptr<Fleet> fleet;
};
std::optional<Prepared> Prepare(const Arguments& arguments, int& exit_code);

// Counts Ctrl-C, SIGTERM and SIGHUP from the first call on; the third ends the process as it always
// did.
void CatchInterrupts();
int Interrupts();
// Asks on the terminal. False without one, on a "no", at end of input, or when interrupted.
bool AskOnTerminal(const std::string& prompt, const std::function<void()>& meanwhile);

// Nodes of the inventory that --limit leaves, for commands without a playbook. `all`, when given,
// gets every node: one that asks on the wire for another may be left out by the limit. Sets
// `exit_code` when nothing came of it.
std::optional<std::map<std::string, NodeAddress>> NodesOf(
    const Arguments& arguments, int& exit_code, std::map<std::string, NodeAddress>* all = nullptr);

// --list-hosts, --list-tasks, --list-tags.
bool WantsLists(const Arguments& arguments);
void PrintLists(const Arguments& arguments, const CompiledPlaybook& playbook);

}  // namespace trustline::controller
