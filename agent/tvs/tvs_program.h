// The program trustline-tvs: an unprivileged process that holds the TVS key and a read-only view of
// the trust stores, and nothing else.
#pragma once

namespace trustline::agent {

// Exit codes: 0 stopped as asked, 1 cannot serve, 64 usage, 78 configuration, certificate or key.
int RunTvsProgram(int argc, char** argv);

}  // namespace trustline::agent
