// The command line as a plain value. arguments.cc and phone_arguments.cc are the files that know
// CLI11.
#pragma once

#include <string>
#include <vector>

#include "controller/bin/phone_arguments.h"

namespace trustline::controller {

// trust-list
struct TrustListArguments {
  std::string file, signer;
  std::vector<std::string> sast, callmanager, tftp, capf, tvs;
  std::string kind = "itl", key, digest = "sha1", signer_version, out;
};

// tvs
struct TvsArguments {
  std::string server, serial, issuer, subject, certificate, pin, itl, role;
  std::string device = "CP-8861-SEP000000000000";
  bool legacy_tls = false;
};

struct Arguments {
  // "lint", "plan", "apply", "rollback", "status", "history list", "history show", "inventory",
  // "stragglers list",
  // "stragglers excuse", "pki init", ..., "version", "schema", "explain"
  std::string command;

  std::string playbook;
  std::vector<std::string> inventories, extra_vars, tags, skip_tags;
  std::string limit;
  std::string start_at_task;
  bool step = false;
  bool check = false, diff = false, list_hosts = false, list_tasks = false, list_tags = false,
       yes = false, detailed_exitcode = false;
  bool include_trust = false, no_headers = false, watch = false, graph = false, graph_vars = false;
  int forks = 50, verbosity = 0, history_limit = 20;
  double timeout_seconds = 30, apply_timeout_seconds = 600;
  std::string output = "table", colour = "auto";
  std::string pki_directory, operator_name, history_file;
  std::string host;           // inventory --host
  std::string override_gate;  // apply, rollback: why
  std::string run_id;         // history show, rollback --run
  std::string kind;           // explain

  // stragglers
  std::string exchange, device, reason;
  bool settled = false;

  // pki
  std::string pki_domain, pki_kind, pki_name, pki_request, pki_out, pki_file, pki_ca;
  int pki_days = 0;

  // signed-file
  std::string signed_file, signed_key, signed_name, signed_out, signed_phone,
      signed_digest = "sha1";
  std::vector<std::string> signed_certificates;
  bool signed_notice = false, signed_replace = false;

  TrustListArguments trust_list;
  PhoneArguments phone;
  TvsArguments tvs;
};

// Parses; on --help or a usage error prints what there is to say and sets `exit_code` (0 or 64),
// returning false.
bool ParseArguments(int argc, const char* const* argv, Arguments& arguments, int& exit_code);

}  // namespace trustline::controller
