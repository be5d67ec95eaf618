// The arguments of `trustline phone`. phone_arguments.cc and arguments.cc are the files that know
// CLI11.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace trustline::controller {

struct Arguments;

struct PhoneArguments {
  // boot, migrate
  std::string device, state, model, itl, ctl, dhcp, dhcp_subnet;
  std::vector<std::string> tftp, tvs;
  bool keep_tvs_answers = false, dry = false;
  // fleet
  std::string csv;
  std::vector<std::string> sources, lists;
  bool every_phone = false, verify = false;
  std::string exchange, playbook;  // whose ledger a verification goes into
  int in_flight = 64, spot_checks = 2;
  // evidence
  std::vector<std::string> phones;
  std::string out;
  int web_port = 80;
  // all that talk to servers
  std::vector<std::string> names;  // ADDRESS=NAME
  int http_port = 6970, tftp_port = 69;
  double timeout_seconds = 10;
  bool lenient = false, no_config = false, legacy_tls = false;
};

void AddPhone(CLI::App& app, Arguments& arguments);

}  // namespace trustline::controller
