// trustline-agent: the node's side.
#include "agent/service/agent_program.h"

int main(int argc, char** argv) { return trustline::agent::RunAgentProgram(argc, argv); }
