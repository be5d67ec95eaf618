// trustline: the operator's command.
#include <cstdio>
#include <iostream>
#include <map>
#include <sstream>

#include "controller/bin/arguments.h"
#include "controller/bin/commands.h"
#include "controller/exit_codes.h"
#include "controller/render/yaml_output.h"
#include "google/protobuf/stubs/logging.h"
#include "protos/generic/kinds.h"

namespace trustline::controller {
namespace {

// -o yaml: the command writes its JSON, and it is turned at the end.
int RunCommand(int (*command)(const Arguments&), Arguments arguments) {
  if (arguments.output != "yaml") return command(arguments);
  if (arguments.watch) {
    std::cerr << "trustline: --watch knows -o table and -o json\n";
    return kExitUsage;
  }
  arguments.output = "json";
  std::ostringstream json;
  std::streambuf* const out = std::cout.rdbuf(json.rdbuf());
  const int code = command(arguments);
  std::cout.rdbuf(out);
  std::cout << YamlOfJson(json.str());
  return code;
}

}  // namespace
}  // namespace trustline::controller

int main(int argc, char** argv) {
  using namespace trustline::controller;
  // What foreign bytes make libprotobuf say is said by whoever parses them, with the name of the
  // thing.
  google::protobuf::SetLogHandler(nullptr);
  Arguments arguments;
  int exit_code = kExitOk;
  if (!ParseArguments(argc, argv, arguments, exit_code)) return exit_code;
  const std::map<std::string, int (*)(const Arguments&)> commands = {
      {"lint", LintCommand},
      {"plan", PlanCommand},
      {"preflight", PreflightCommand},
      {"apply", ApplyCommand},
      {"rollback", RollbackCommand},
      {"status", StatusCommand},
      {"history list", HistoryListCommand},
      {"history show", HistoryShowCommand},
      {"inventory", InventoryCommand},
      {"stragglers list", StragglersListCommand},
      {"stragglers excuse", StragglersExcuseCommand},
      {"explain", ExplainCommand},
      {"pki init", PkiCommand},
      {"pki request", PkiCommand},
      {"pki issue", PkiCommand},
      {"pki sign", PkiCommand},
      {"pki show", PkiCommand},
      {"signed-file show", SignedFileCommand},
      {"signed-file verify", SignedFileCommand},
      {"signed-file sign", SignedFileCommand},
      {"signed-file strip", SignedFileCommand},
      {"phone boot", PhoneCommand},
      {"phone migrate", PhoneCommand},
      {"phone fleet", PhoneCommand},
      {"phone evidence", PhoneCommand},
      {"trust-list show", TrustListCommand},
      {"trust-list verify", TrustListCommand},
      {"trust-list build", TrustListCommand},
      {"tvs query", TvsCommand},
      {"tvs verify", TvsCommand}};
  int code = kExitOk;
  if (arguments.command == "version") {
    std::cout << "trustline " << TRUSTLINE_VERSION << "\n";
  } else if (arguments.command == "schema") {
    std::cout << trustline::PlaybookJsonSchema();
  } else if (auto found = commands.find(arguments.command); found != commands.end()) {
    code = RunCommand(*found->second, arguments);
  } else {
    std::cerr << "trustline: no command " << arguments.command << "\n";
    code = kExitUsage;
  }
  // A result that could not be written is not a success.
  std::cout.flush();
  if (!std::cout.good() && code == kExitOk) {
    std::cerr << "trustline: the output could not be written; what was done was done\n";
    return kExitError;
  }
  return code;
}
