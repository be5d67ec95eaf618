// One function per command; each returns the exit code.
#pragma once

#include "controller/bin/arguments.h"

namespace trustline::controller {

int LintCommand(const Arguments& arguments);
int PlanCommand(const Arguments& arguments);
int PreflightCommand(const Arguments& arguments);
int ApplyCommand(const Arguments& arguments);
int RollbackCommand(const Arguments& arguments);
int StatusCommand(const Arguments& arguments);
int HistoryListCommand(const Arguments& arguments);
int HistoryShowCommand(const Arguments& arguments);
int InventoryCommand(const Arguments& arguments);
int PkiCommand(const Arguments& arguments);
int SignedFileCommand(const Arguments& arguments);
int TrustListCommand(const Arguments& arguments);
int StragglersListCommand(const Arguments& arguments);
int StragglersExcuseCommand(const Arguments& arguments);
int PhoneCommand(const Arguments& arguments);
int TvsCommand(const Arguments& arguments);
int ExplainCommand(const Arguments& arguments);

}  // namespace trustline::controller
