// Exit codes of the `trustline` command. 2, 4 and 6 are Ansible's; 64 and up are sysexits; none
// collides.
#pragma once

namespace trustline::controller {

enum ExitCode : int {
  kExitOk = 0,
  kExitError = 1,             // trustline's own error
  kExitFailed = 2,            // some node failed, or something is still pending
  kExitUnreachable = 4,       // some node did not answer (6 = both)
  kExitRefused = 8,           // a policy refused, or the failure budget was spent by refusals
  kExitChangesPending = 10,   // plan --detailed-exitcode: there is something to do
  kExitRolledBack = 12,       // changed, then put back
  kExitAwaitingConfirm = 16,  // stopped at a pause that nobody could confirm
  kExitUsage = 64,
  kExitBadPlaybook = 65,
  kExitNoInput = 66,  // a named file is missing, or no host matched
  kExitUnavailable = 69,
  kExitDenied = 77,
  kExitInterrupted = 130,
};

}  // namespace trustline::controller
