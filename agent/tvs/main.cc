// trustline-tvs: the Trust Verification Service of a node.
#include "agent/tvs/tvs_program.h"

int main(int argc, char** argv) { return trustline::agent::RunTvsProgram(argc, argv); }
