// The agent as a program: reads agent.yaml, wires the real host, converger and server, serves until
// it is told to stop.
#pragma once

#include "agent/host.h"

namespace trustline::agent {

// What main() does. `hook` sees every effect on the world before it happens; production passes
// none, the crash tests kill there. Exit codes: 0 stopped as asked, 1 could not start or serve, 64
// usage, 78 agent.yaml or the identity is wrong (sysexits EX_CONFIG).
int RunAgentProgram(int argc, char** argv, CallHook hook = nullptr);

}  // namespace trustline::agent
