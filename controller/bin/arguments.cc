#include "controller/bin/arguments.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>

#include "absl/strings/ascii.h"
#include "controller/exit_codes.h"

namespace trustline::controller {
namespace {

// Where things are when nothing is said: the environment, else the operator's home.
std::string DefaultPath(const char* variable, const char* below_home) {
  if (const char* value = std::getenv(variable); value != nullptr && *value != '\0') return value;
  const char* home = std::getenv("HOME");
  return std::string(home == nullptr ? "/root" : home) + below_home;
}

// Every document there is as JSON can be had as YAML (main.cc).
void AddOutput(CLI::App* command, Arguments& a, std::set<std::string> formats) {
  formats.insert("yaml");
  command->add_option("-o,--output", a.output, "Output format")
      ->check(CLI::IsMember(formats))
      ->capture_default_str();
  command->add_option("--color,--colour", a.colour, "Colour: auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->capture_default_str();
}

void AddInventory(CLI::App* command, Arguments& a, bool required) {
  auto* option =
      command
          ->add_option("-i,--inventory", a.inventories, "Inventory file or directory (repeatable)")
          ->allow_extra_args(false);
  if (required) option->required();
  command
      ->add_option("-e,--extra-vars", a.extra_vars,
                   "Variables: k=v, YAML/JSON, or @FILE (repeatable)")
      ->allow_extra_args(false);
}

void AddLimit(CLI::App* command, Arguments& a) {
  command->add_option("-l,--limit", a.limit, "Host pattern: only these nodes are asked");
}

void AddPlaybook(CLI::App* command, Arguments& a) {
  command->add_option("playbook", a.playbook, "Playbook file")->required();
  AddInventory(command, a, true);
  command->add_flag("-v,--verbose", a.verbosity, "Say more (repeatable)");
}

void AddTags(CLI::App* command, Arguments& a) {
  command->add_option("-t,--tags", a.tags, "Only tasks with these tags")
      ->delimiter(',')
      ->allow_extra_args(false);
  command->add_option("--skip-tags", a.skip_tags, "Not the tasks with these tags")
      ->delimiter(',')
      ->allow_extra_args(false);
}

void AddOverride(CLI::App* command, Arguments& a) {
  command
      ->add_option("--override-gate", a.override_gate,
                   "Move gated pointers without an accepting verdict, and why (admin role; "
                   "recorded)")
      ->check(CLI::Validator(
          [](std::string& reason) {
            return absl::StripAsciiWhitespace(reason).empty() ? std::string("say why")
                                                              : std::string();
          },
          "REASON"));
}

void AddStart(CLI::App* command, Arguments& a) {
  command->add_option("--start-at-task", a.start_at_task,
                      "Leave out everything before the first task of this name");
}

void AddFleet(CLI::App* command, Arguments& a) {
  command
      ->add_option("--pki", a.pki_directory,
                   "Directory with NAME.crt, NAME.key and ca.crt [$TRUSTLINE_PKI]")
      ->capture_default_str();
  command
      ->add_option("-T,--timeout", a.timeout_seconds, "Longest wait for a node's answer, seconds")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  command->add_option("-f,--forks", a.forks, "Calls in flight")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
}

void AddHistory(CLI::App* command, Arguments& a) {
  command->add_option("--history", a.history_file, "History database [$TRUSTLINE_HISTORY]")
      ->capture_default_str();
}

void AddLists(CLI::App* command, Arguments& a) {
  command->add_flag("--list-hosts", a.list_hosts, "List the hosts of every play and stop");
  command->add_flag("--list-tasks", a.list_tasks, "List the tasks and stop");
  command->add_flag("--list-tags", a.list_tags, "List the tags and stop");
}

void AddStragglers(CLI::App& app, Arguments& a) {
  CLI::App* group =
      app.add_subcommand("stragglers", "Phones that were not found at the destination");
  group->require_subcommand(1);
  group->footer(
      "Example:\n  trustline stragglers list\n  trustline stragglers excuse SEP001122334455 "
      "--reason 'scrapped, ticket 4711'");
  const auto add_exchange = [&a](CLI::App* command) {
    command->add_option("--exchange", a.exchange, "Only of this exchange");
    AddHistory(command, a);
    AddOutput(command, a, {"table", "json"});
  };
  CLI::App* list = group->add_subcommand("list", "Who is missing, and since when");
  add_exchange(list);
  list->add_flag("-a,--all", a.settled, "Also those that arrived or were excused");
  list->add_flag("--no-headers", a.no_headers, "Leave the heading out");
  list->footer("Example:\n  trustline stragglers list --exchange spring-migration -o json");
  CLI::App* excuse = group->add_subcommand(
      "excuse", "Take a phone off the ledger that will not come (scrapped, moved by hand)");
  excuse->add_option("device", a.device, "Device name, as the list shows it")->required();
  excuse->add_option("--reason", a.reason, "Why; kept in the history")->required();
  excuse->add_option("--pki", a.pki_directory, "Directory with the operator's identity");
  add_exchange(excuse);
  excuse->footer(
      "Example:\n  trustline stragglers excuse SEP001122334455 --reason 'scrapped, ticket 4711'");
}

void AddSignedFile(CLI::App& app, Arguments& a) {
  CLI::App* group = app.add_subcommand("signed-file", "Files phones fetch signed: .sgn, .enc.sgn");
  group->require_subcommand(1);
  group->footer(
      "Example: sign a config with the TFTP node's CallManager certificate, then check it\n"
      "  trustline signed-file sign SEP001122334455.cnf.xml --certificate CallManager.pem --key "
      "CallManager.key\n"
      "  trustline signed-file verify SEP001122334455.cnf.xml.sgn --certificate CallManager.pem");
  const auto subcommand = [group, &a](const char* name, const char* what, const char* file) {
    CLI::App* command = group->add_subcommand(name, what);
    command->add_option("file", a.signed_file, file)->required();
    AddOutput(command, a, {"table", "json"});
    return command;
  };
  const auto add_certificates = [&a](CLI::App* command, const char* what) {
    return command->add_option("--certificate", a.signed_certificates, what)
        ->allow_extra_args(false);
  };
  const auto add_out = [&a](CLI::App* command, const char* what) {
    command->add_option("--out", a.signed_out, what);
    command->add_flag("--force", a.signed_replace, "Replace what is there");
  };

  CLI::App* show = subcommand("show", "Say what a signed file is", "Signed file");
  show->footer("Example:\n  trustline signed-file show SEP001122334455.cnf.xml.sgn -o json");

  CLI::App* verify =
      subcommand("verify", "Check who signed a file; exit 77 when none of these", "Signed file");
  add_certificates(verify, "Certificates it may be signed with, PEM or DER (repeatable)")
      ->required();
  verify->add_option("--name", a.signed_name, "Name it must be signed under");
  verify->footer(
      "Example:\n  trustline signed-file verify SEP001122334455.cnf.xml.sgn --certificate "
      "CallManager.pem");

  CLI::App* sign = subcommand("sign", "Write X.sgn, or X.enc.sgn for one phone", "File to sign");
  add_certificates(sign, "The TFTP node's certificate, PEM or DER")->required()->expected(1);
  sign->add_option("--key", a.signed_key, "Its private key, PEM")->required();
  sign->add_option("--digest", a.signed_digest, "sha1 (every phone) or sha512 (newer models)")
      ->check(CLI::IsMember({"sha1", "sha512"}))
      ->capture_default_str();
  sign->add_option("--name", a.signed_name,
                   "Name phones ask for (default: the file's, and suffix)");
  auto* phone = sign->add_option("--encrypt-for", a.signed_phone, "A phone's RSA certificate");
  sign->add_flag("--notice", a.signed_notice,
                 "Also X.sgn, which tells the phone that its config is encrypted")
      ->needs(phone);
  add_out(sign, "File to write (default: beside the file)");
  sign->footer(
      "Example:\n  trustline signed-file sign SEP001122334455.cnf.xml --certificate "
      "CallManager.pem --key CallManager.key --digest sha512");

  CLI::App* strip = subcommand(
      "strip", "Write the file inside; encrypted ones need the phone's key", "Signed file");
  add_certificates(strip, "Write only when one of these signed it, PEM or DER (repeatable)");
  strip->add_option("--key", a.signed_key, "The phone's private key, PEM");
  add_out(strip, "File to write (default: the name without .sgn)");
  strip->footer(
      "Example:\n  trustline signed-file strip SEP001122334455.cnf.xml.sgn --certificate "
      "CallManager.pem --out config.xml");
}

void AddTrustList(CLI::App& app, Arguments& a) {
  TrustListArguments& t = a.trust_list;
  CLI::App* lists = app.add_subcommand("trust-list", "Trust lists of phones (ITL, CTL) as files");
  lists->require_subcommand(1);
  lists->footer(
      "Example:\n  trustline trust-list show ITLFile.tlv\n  trustline trust-list verify "
      "CTLFile.tlv");
  const auto file = [&](CLI::App* command) {
    command->add_option("file", t.file, "Trust list")->required();
    AddOutput(command, a, {"table", "json"});
  };
  CLI::App* show = lists->add_subcommand(
      "show", "A list as the vendor's `show itl` lays it out, with the digests phones show");
  file(show);
  show->footer("Example:\n  trustline trust-list show ITLSEP001122334455.tlv -o json");
  CLI::App* verify = lists->add_subcommand(
      "verify",
      "Check signature, signer, limits and records of a list; exit 2 when phones would refuse it. "
      "Says nothing of whether a phone knows the signer: see --signer");
  file(verify);
  verify->add_option("--signer", t.signer, "PEM certificate that must have signed it");
  verify->footer("Example:\n  trustline trust-list verify ITLFile.tlv --signer ITLRecovery.pem");
  CLI::App* build = lists->add_subcommand(
      "build", "Make and sign a list from PEM certificates: FILE[,name=HOST][,address=A.B.C.D]");
  const auto role = [&](const char* flag, std::vector<std::string>& files, const char* help) {
    return build->add_option(flag, files, help)->allow_extra_args(false);
  };
  role("--sast", t.sast, "May sign lists (repeatable, 2 at most); one of them signs this one")
      ->required();
  role("--callmanager", t.callmanager, "CallManager of a node, role CCM+TFTP: mixed mode");
  role("--tftp", t.tftp, "CallManager of a node, role TFTP: non-secure mode (repeatable)");
  role("--capf", t.capf, "CAPF (repeatable)");
  role("--tvs", t.tvs, "Trust Verification Service of a node (repeatable)");
  build->add_option("--kind", t.kind, "itl or ctl")
      ->check(CLI::IsMember({"itl", "ctl"}))
      ->capture_default_str();
  build->add_option("--key", t.key, "PEM private key of the signing --sast")->required();
  build->add_option("--digest", t.digest, "sha1, or sha512 where every phone knows it")
      ->check(CLI::IsMember({"sha1", "sha512"}))
      ->capture_default_str();
  build
      ->add_option("--signer-version", t.signer_version,
                   "1.0 or 1.1 (phones then fetch by HTTPS); left out by default")
      ->check(CLI::IsMember({"1.0", "1.1"}));
  build->add_option("--out", t.out, "File to write; must not exist")->required();
  AddOutput(build, a, {"table", "json"});
  build->footer(
      "Example:\n  trustline trust-list build --sast ITLRecovery.pem --sast pub.pem --tftp "
      "pub.pem,address=10.0.0.11 \\\n      --tvs pub-tvs.pem --capf capf.pem --key ITLRecovery.key "
      "--out ITLFile.tlv");
}

void AddTvs(CLI::App& app, Arguments& a) {
  TvsArguments& t = a.tvs;
  CLI::App* tvs = app.add_subcommand("tvs", "Ask a Trust Verification Service as a phone does");
  tvs->require_subcommand(1);
  tvs->footer(
      "Example:\n  trustline tvs query src-pub --certificate ITLRecovery.pem --itl ITLFile.tlv "
      "--role sast");
  const auto common = [&](CLI::App* command) {
    command->add_option("server", t.server, "HOST or HOST:PORT (default port 2445)")->required();
    command->add_option("--pin", t.pin,
                        "Certificate the service must present: no chain and no name counts");
    command->add_option("--itl", t.itl, "Trust list whose TVS records it may present instead");
    command->add_option("--role", t.role, "Exit 2 unless the answer has it: sast, tftp, ...");
    command->add_option("--device", t.device, "Name to ask as")->capture_default_str();
    command->add_flag("--legacy-tls", t.legacy_tls, "TLS 1.0 and old ciphers too, as old phones");
    command->add_option("--timeout", a.timeout_seconds, "Longest wait, seconds")
        ->check(CLI::Range(0.1, 3600.0))
        ->capture_default_str();
    command->add_flag("-v,--verbose", a.verbosity, "Say more; -vv shows the frames in hex");
    AddOutput(command, a, {"table", "json"});
  };
  CLI::App* query = tvs->add_subcommand(
      "query", "Ask for a certificate by serial and issuer, as for a trust list's signer");
  common(query);
  auto* certificate =
      query->add_option("--certificate", t.certificate, "Take serial and issuer from this file");
  query->add_option("--serial", t.serial, "Serial number in hex")->excludes(certificate);
  query->add_option("--issuer", t.issuer, "Issuer, attributes joined by ; or ,")
      ->excludes(certificate);
  query->add_option("--subject", t.subject, "Subject, for what the service logs")
      ->excludes(certificate);
  query->footer(
      "Example:\n  trustline tvs query src-pub:2445 --pin src-pub-tvs.pem --certificate "
      "ITLRecovery.pem --role sast -vv\n  trustline tvs query src-pub --itl ITLFile.tlv --serial "
      "5D7E2F3C --issuer 'CN=ITLRECOVERY_dst-pub;O=Example'");
  CLI::App* verify = tvs->add_subcommand(
      "verify", "Ask whether exactly this certificate is trusted, as for an HTTPS server's");
  common(verify);
  verify->add_option("file", t.certificate, "The certificate, PEM or DER")->required();
  verify->footer(
      "Example:\n  trustline tvs verify src-pub tomcat.pem --pin src-pub-tvs.pem -o json");
}

}  // namespace

bool ParseArguments(int argc, const char* const* argv, Arguments& a, int& exit_code) {
  a.pki_directory = DefaultPath("TRUSTLINE_PKI", "/.config/trustline/pki");
  a.history_file = DefaultPath("TRUSTLINE_HISTORY", "/.local/state/trustline/history.db");

  CLI::App app{
      "trustline moves IP phones between call-processing clusters without locking one out.",
      "trustline"};
  app.require_subcommand(1);
  app.fallthrough(false);
  app.set_version_flag("--version", std::string("trustline ") + TRUSTLINE_VERSION);
  app.footer(
      "Example:\n  trustline plan migrate-phones.yml -i inventory.yml --diff\n  trustline apply "
      "migrate-phones.yml -i inventory.yml\n  trustline status -i inventory.yml");
  bool syntax_check = false;

  CLI::App* lint =
      app.add_subcommand("lint", "Check a playbook and its inventory without asking a node");
  AddPlaybook(lint, a);
  AddLists(lint, a);
  AddOutput(lint, a, {"table", "json"});
  lint->footer("Example:\n  trustline lint migrate-phones.yml -i inventory.yml");

  CLI::App* plan =
      app.add_subcommand("plan", "Show what apply would change; writes nothing anywhere");
  AddPlaybook(plan, a);
  AddLimit(plan, a);
  AddTags(plan, a);
  AddStart(plan, a);
  AddFleet(plan, a);
  AddLists(plan, a);
  AddOutput(plan, a, {"table", "json"});
  plan->add_flag("-D,--diff", a.diff, "Show every change");
  plan->add_flag("--detailed-exitcode", a.detailed_exitcode, "Exit 10 when something would change");
  plan->footer(
      "Example:\n  trustline plan migrate-phones.yml -i inventory.yml --diff --tags import");

  CLI::App* apply = app.add_subcommand("apply", "Bring the nodes into line with a playbook");
  AddPlaybook(apply, a);
  AddLimit(apply, a);
  AddTags(apply, a);
  AddStart(apply, a);
  AddFleet(apply, a);
  AddHistory(apply, a);
  AddLists(apply, a);
  AddOutput(apply, a, {"table", "json", "jsonl"});
  apply->add_flag("-C,--check", a.check, "Plan instead of applying");
  apply->add_flag("-D,--diff", a.diff, "Show every change");
  apply->add_flag("--syntax-check", syntax_check, "Lint instead of applying");
  auto* yes = apply->add_flag("-y,--yes", a.yes, "Confirm every pause");
  apply->add_flag("--step", a.step, "Ask before every stage; no answer or a no stops there")
      ->excludes(yes);
  apply
      ->add_option("--task-timeout", a.apply_timeout_seconds,
                   "Longest time one stage may take on one node, seconds")
      ->check(CLI::Range(1.0, 86400.0))
      ->capture_default_str();
  apply->footer(
      "Example:\n  trustline apply migrate-phones.yml -i inventory.yml -l 'source:&tftp' --diff");

  AddOverride(apply, a);

  CLI::App* preflight = app.add_subcommand(
      "preflight", "Have only the gates judge: would the phones accept the destination, now?");
  AddPlaybook(preflight, a);
  AddFleet(preflight, a);
  AddOutput(preflight, a, {"table", "json"});
  preflight->footer(
      "Exits 0 when every gate accepts, 8 when one refuses.\n"
      "Example:\n  trustline preflight migrate-phones.yml -i inventory.yml");

  CLI::App* rollback = app.add_subcommand(
      "rollback", "Undo the last changing run on the selected nodes; imported trust stays");
  AddInventory(rollback, a, true);
  AddLimit(rollback, a);
  AddFleet(rollback, a);
  AddHistory(rollback, a);
  AddOutput(rollback, a, {"table", "json", "jsonl"});
  rollback->add_flag("-D,--diff", a.diff, "Show every change");
  rollback->add_flag("-v,--verbose", a.verbosity, "Say more (repeatable)");
  rollback->add_option("--run", a.run_id,
                       "The run to undo (default: the newest that changed any of the nodes)");
  rollback->add_flag(
      "--include-trust", a.include_trust,
      "Also remove imported certificates (admin role); phones that moved may need them to return");
  rollback
      ->add_option("--task-timeout", a.apply_timeout_seconds,
                   "Longest time it may take on one node, seconds")
      ->check(CLI::Range(1.0, 86400.0))
      ->capture_default_str();
  AddOverride(rollback, a);
  rollback->footer("Example:\n  trustline rollback -i inventory.yml -l dhcp");

  CLI::App* status = app.add_subcommand("status", "What every node's agent says of itself");
  AddInventory(status, a, true);
  AddLimit(status, a);
  AddFleet(status, a);
  AddHistory(status, a);
  AddOutput(status, a, {"table", "json"});
  status->add_flag("--no-headers", a.no_headers, "Leave the heading out");
  status->add_flag("-w,--watch", a.watch, "Again every two seconds until Ctrl-C");
  status->footer("Example:\n  trustline status -i inventory.yml -l destination");

  CLI::App* history = app.add_subcommand("history", "Runs of the past");
  history->require_subcommand(1);
  history->footer("Example:\n  trustline history list\n  trustline history show 20261122-7");
  CLI::App* history_list = history->add_subcommand("list", "The latest runs, newest first");
  AddHistory(history_list, a);
  AddOutput(history_list, a, {"table", "json"});
  history_list->add_option("-n,--number", a.history_limit, "How many")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  history_list->add_flag("--no-headers", a.no_headers, "Leave the heading out");
  history_list->footer("Example:\n  trustline history list -n 5");
  CLI::App* history_show = history->add_subcommand("show", "One run with every outcome");
  AddHistory(history_show, a);
  AddOutput(history_show, a, {"table", "json"});
  history_show->add_option("run", a.run_id, "Run id")->required();
  history_show->add_flag("-D,--diff", a.diff, "Show every change");
  history_show->footer("Example:\n  trustline history show 20261122-7 --diff");

  CLI::App* inventory =
      app.add_subcommand("inventory", "The inventory as trustline understands it");
  AddInventory(inventory, a, true);
  AddLimit(inventory, a);
  bool list = false;
  auto* list_flag =
      inventory->add_flag("--list", list, "Groups and host variables as JSON (default)");
  inventory->add_option("--host", a.host, "Variables of one host as JSON")->excludes(list_flag);
  inventory->add_flag("--graph", a.graph, "Groups and hosts as a tree")->excludes(list_flag);
  inventory->add_flag("--vars", a.graph_vars, "With --graph: variables too");
  inventory->footer("Example:\n  trustline inventory -i inventory.yml --graph");

  CLI::App* pki = app.add_subcommand("pki", "The fleet's own certificates: CA, agents, operators");
  pki->require_subcommand(1);
  pki->footer(
      "Example: the CA lives with the operators, a node makes its own key\n"
      "  trustline pki init --dir ca --domain example.net\n"
      "  trustline pki request agent src-pub --domain example.net --out src-pub     (on the node)\n"
      "  trustline pki sign agent src-pub src-pub/src-pub.csr --ca ca");
  CLI::App* init = pki->add_subcommand("init", "Make a CA");
  init->add_option("--dir", a.pki_ca, "Directory for ca.crt and ca.key")->required();
  init->add_option("--domain", a.pki_domain, "Domain of the fleet")->required();
  init->add_option("--days", a.pki_days, "Validity (default 3650)")->check(CLI::Range(1, 36500));
  init->footer("Example:\n  trustline pki init --dir ca --domain example.net");
  auto identity = [&a](CLI::App* command) {
    command->add_option("kind", a.pki_kind, "agent or operator")
        ->required()
        ->check(CLI::IsMember({"agent", "operator"}));
    command->add_option("name", a.pki_name, "Node name or operator's name")->required();
    command->add_option("--out", a.pki_out, "Directory for the files")->required();
  };
  CLI::App* request = pki->add_subcommand("request", "Make a key here and a request for the CA");
  identity(request);
  request->add_option("--domain", a.pki_domain, "Domain of the fleet")->required();
  request->footer(
      "Example:\n  trustline pki request agent src-pub --domain example.net --out "
      "/etc/trustline/pki");
  CLI::App* issue = pki->add_subcommand(
      "issue", "Make a key and a certificate in one go (operators on the CA's machine)");
  identity(issue);
  issue->add_option("--ca", a.pki_ca, "Directory of the CA")->required();
  issue->add_option("--days", a.pki_days, "Validity (default 730)")->check(CLI::Range(1, 3650));
  issue->footer(
      "Example:\n  trustline pki issue operator alice --ca ca --out ~/.config/trustline/pki");
  CLI::App* sign = pki->add_subcommand("sign", "Sign a request");
  sign->add_option("kind", a.pki_kind, "Whom you mean to sign for: agent or operator")
      ->required()
      ->check(CLI::IsMember({"agent", "operator"}));
  sign->add_option("name", a.pki_name, "Node name or operator's name")->required();
  sign->add_option("request", a.pki_request, "Request file; refused when it asks for anybody else")
      ->required();
  sign->add_option("--ca", a.pki_ca, "Directory of the CA")->required();
  sign->add_option("--out", a.pki_out, "Certificate file to write (default: beside the request)");
  sign->add_option("--days", a.pki_days, "Validity (default 730)")->check(CLI::Range(1, 3650));
  sign->footer("Example:\n  trustline pki sign agent src-pub src-pub.csr --ca ca");
  CLI::App* show = pki->add_subcommand("show", "Say what a certificate or request is");
  show->add_option("file", a.pki_file, "PEM file")->required();
  AddOutput(show, a, {"table", "json"});
  show->footer("Example:\n  trustline pki show /etc/trustline/pki/src-pub.crt");

  AddSignedFile(app, a);
  AddTrustList(app, a);
  AddStragglers(app, a);
  AddPhone(app, a);
  AddTvs(app, a);

  CLI::App* version = app.add_subcommand("version", "Print the version");
  version->footer("Example:\n  trustline version");
  CLI::App* schema =
      app.add_subcommand("schema", "Print the JSON schema of playbooks, for editors");
  schema->footer("Example:\n  trustline schema > schema.json");
  CLI::App* explain = app.add_subcommand("explain", "Explain a resource kind and its fields");
  explain->add_option("kind", a.kind, "Kind; none lists all");
  explain->footer("Example:\n  trustline explain tftp_pointer");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    int code = app.exit(error);
    exit_code = code == 0 ? kExitOk : kExitUsage;
    return false;
  }
  CLI::App* chosen = app.get_subcommands().front();
  a.command = chosen->get_name();
  if (!chosen->get_subcommands().empty())
    a.command += " " + chosen->get_subcommands().front()->get_name();
  if (a.command == "apply" && syntax_check) a.command = "lint";
  if (a.command == "apply" && a.check) a.command = "plan";
  exit_code = kExitOk;
  return true;
}

}  // namespace trustline::controller
