// stragglers: the ledger of phones that did not arrive.
#include <unistd.h>

#include <iostream>

#include "absl/strings/str_cat.h"
#include "controller/bin/commands.h"
#include "controller/bin/session.h"
#include "controller/exit_codes.h"
#include "controller/history/history_store.h"
#include "controller/render/straggler_output.h"

namespace trustline::controller {
namespace {

absl::StatusOr<std::unique_ptr<HistoryStore>> ExistingLedger(const Arguments& arguments) {
  if (access(arguments.history_file.c_str(), F_OK) != 0) {
    return absl::NotFoundError(absl::StrCat("there is no history at ", arguments.history_file,
                                            " yet; the first apply makes it"));
  }
  return HistoryStore::Open(arguments.history_file);
}

}  // namespace

int StragglersListCommand(const Arguments& arguments) {
  absl::StatusOr<std::unique_ptr<HistoryStore>> history = ExistingLedger(arguments);
  if (!history.ok()) return Fail(history.status());
  absl::StatusOr<std::vector<Straggler>> stragglers =
      (*history)->Stragglers(arguments.exchange, "", arguments.settled);
  if (!stragglers.ok()) return Fail(stragglers.status());
  std::cout << (arguments.output == "json" ? StragglersJson(*stragglers)
                                           : StragglersTable(*stragglers, !arguments.no_headers));
  return kExitOk;
}

int StragglersExcuseCommand(const Arguments& arguments) {
  absl::StatusOr<Operator> who = LoadOperator(arguments.pki_directory, arguments.operator_name);
  if (!who.ok()) return FailOnIdentity(who.status());
  absl::StatusOr<std::unique_ptr<HistoryStore>> history = ExistingLedger(arguments);
  if (!history.ok()) return Fail(history.status());
  const absl::StatusOr<int> excused = (*history)->ExcuseStraggler(
      arguments.exchange, arguments.device, arguments.reason, who->name, absl::Now());
  if (!excused.ok()) return Fail(excused.status());
  if (arguments.output == "json") {
    absl::StatusOr<std::vector<Straggler>> all =
        (*history)->Stragglers(arguments.exchange, "", /*settled=*/true);
    if (!all.ok()) return Fail(all.status());
    std::erase_if(*all, [&](const Straggler& s) { return s.device != arguments.device; });
    std::cout << StragglersJson(*all);
  } else {
    std::cout << arguments.device << " is excused: " << arguments.reason << "\n";
  }
  return kExitOk;
}

}  // namespace trustline::controller
