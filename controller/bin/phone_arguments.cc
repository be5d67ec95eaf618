#include "controller/bin/phone_arguments.h"

#include <CLI/CLI.hpp>

#include "controller/bin/arguments.h"

namespace trustline::controller {
namespace {

void AddOutput(CLI::App* command, Arguments& a) {
  command->add_option("-o,--output", a.output, "Output format")
      ->check(CLI::IsMember({"table", "json", "yaml"}))
      ->capture_default_str();
  command->add_option("--color,--colour", a.colour, "Colour: auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->capture_default_str();
}

void AddServers(CLI::App* command, PhoneArguments& p) {
  command->add_option("--http-port", p.http_port, "Port files are fetched from by HTTP")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  command->add_option("--tftp-port", p.tftp_port, "Port they are fetched from when HTTP gives none")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  command->add_option("-T,--timeout", p.timeout_seconds, "Longest wait for an answer, seconds")
      ->check(CLI::Range(0.05, 600.0))
      ->capture_default_str();
  command->add_option("--name", p.names, "ADDRESS=NAME of a node, for reasons (repeatable)")
      ->allow_extra_args(false);
}

void AddBehaviour(CLI::App* command, PhoneArguments& p) {
  command->add_flag("--lenient", p.lenient,
                    "As the most forgiving phone where real behaviour is not documented; the "
                    "strictest is the default");
  command->add_flag("--no-config", p.no_config, "Fetch the trust lists only");
  command->add_flag("--legacy-tls", p.legacy_tls,
                    "Ask TVS with TLS 1.0 and old ciphers too, as 79xx phones do");
}

CLI::Option* AddTftp(CLI::App* command, PhoneArguments& p) {
  return command->add_option("--tftp", p.tftp, "TFTP servers, as option 150 gives them: A,B")
      ->delimiter(',')
      ->allow_extra_args(false);
}

void AddOnePhone(CLI::App* command, Arguments& a) {
  PhoneArguments& p = a.phone;
  command->add_option("--device", p.device, "SEP and the MAC address")->required();
  command
      ->add_option("--state", p.state,
                   "Directory of what the phone remembers; made where there is none")
      ->required();
  CLI::Option* tftp = AddTftp(command, p);
  command->add_option("--dhcp", p.dhcp, "DHCP server to ask for option 150 instead of --tftp")
      ->excludes(tftp);
  command->add_option("--dhcp-subnet", p.dhcp_subnet,
                      "Subnet to ask for, A.B.C.D/N; default: the one this machine speaks from");
  command->add_option("--model", p.model, "Model, as TVS is told: CP-8861");
  command->add_option("--itl", p.itl, "Give the phone this ITL first");
  command->add_option("--ctl", p.ctl, "Give the phone this CTL first");
  command
      ->add_option("--tvs", p.tvs,
                   "Give the phone these TVS servers first: HOST or HOST:PORT, in order")
      ->delimiter(',')
      ->allow_extra_args(false);
  command->add_flag("--keep-tvs-answers", p.keep_tvs_answers,
                    "No reset: what TVS answered before is still believed");
  command->add_flag("-C,--check", p.dry, "Say what would happen; the state is left as it is");
  AddBehaviour(command, p);
  AddServers(command, p);
  AddOutput(command, a);
}

}  // namespace

void AddPhone(CLI::App& app, Arguments& a) {
  PhoneArguments& p = a.phone;
  CLI::App* phone = app.add_subcommand(
      "phone", "Simulated phones, which decide about trust lists as real ones do");
  phone->require_subcommand(1);
  phone->footer(
      "Example: would this phone move?\n  trustline phone boot --device SEP001B54AABB01 --state "
      "phone1 --itl ITLFile.tlv --tvs 10.10.0.11 --tftp 10.20.0.11 --check");

  CLI::App* boot = phone->add_subcommand(
      "boot", "One phone's reset against live servers, step by step; exit 2 when it is locked");
  AddOnePhone(boot, a);
  boot->footer(
      "Example:\n  trustline phone boot --device SEP001B54AABB01 --state phone1 --tftp "
      "10.20.0.11,10.20.0.12");
  CLI::App* migrate = phone->add_subcommand(
      "migrate", "The same at what option 150 gives now: did it move, where does it register");
  AddOnePhone(migrate, a);
  migrate->footer(
      "Example:\n  trustline phone migrate --device SEP001B54AABB01 --state phone1 --dhcp "
      "10.30.0.2 --dhcp-subnet 10.30.0.0/24");

  CLI::App* fleet = phone->add_subcommand(
      "fleet",
      "All phones of a CSV file, class by class; exit 2 when some would be locked, 8 when some are "
      "unproven");
  fleet->add_option("csv", p.csv, "Evidence of phones")->required();
  AddTftp(fleet, p)->required();
  fleet
      ->add_option("--source", p.sources,
                   "TFTP servers whose lists phones hold now, to find lists known by their digest "
                   "(default: column tftp)")
      ->delimiter(',')
      ->allow_extra_args(false);
  fleet->add_option("--list", p.lists, "File of a list phones may hold (repeatable)")
      ->allow_extra_args(false);
  fleet->add_flag("--all", p.every_phone, "Simulate every phone, not only some of each class");
  fleet->add_option("--spot-checks", p.spot_checks, "Further phones of each class to simulate")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  fleet->add_option("-f,--forks", p.in_flight, "Phones at a time")
      ->check(CLI::Range(1, 5000))
      ->capture_default_str();
  fleet->add_flag("--verify", p.verify,
                  "Only compare what phones hold with what --tftp serves: who has arrived; exit 2 "
                  "when some have not");
  auto* exchange = fleet->add_option("--exchange", p.exchange,
                                     "With --verify: write who has "
                                     "arrived and who is missing into the ledger of this exchange");
  auto* playbook = fleet->add_option("--playbook", p.playbook,
                                     "The playbook that moves these phones (name or file)");
  exchange->needs(playbook)->needs("--verify");
  playbook->needs(exchange);
  fleet->add_option("--history", a.history_file, "History database [$TRUSTLINE_HISTORY]")
      ->capture_default_str();
  AddBehaviour(fleet, p);
  AddServers(fleet, p);
  AddOutput(fleet, a);
  fleet->footer(
      "Columns of the file: device, mac, address, subnet, model, itl, ctl, tvs, tftp, "
      "alternate_tftp, abilities,\nlsc_issuer, excluded, read_at. Lists are given by the digest a "
      "phone shows, by a file, or as \"none\".\n"
      "Example:\n  trustline phone fleet phones.csv --tftp 10.20.0.11,10.20.0.12 --source "
      "10.10.0.11\n  trustline phone fleet phones.csv --tftp 10.20.0.11 --verify "
      "--exchange spring --playbook migrate-phones.yml");

  CLI::App* evidence = phone->add_subcommand(
      "evidence", "Read phones' own web pages into a CSV file for `fleet` and gates");
  evidence
      ->add_option("phone", p.phones,
                   "Address of a phone, or a saved page (a path with '/' or ending in .html)")
      ->required();
  evidence->add_option("--out", p.out, "CSV file to write; default: standard output");
  evidence->add_option("--port", p.web_port, "Port of the phones' web pages")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  evidence->add_option("-f,--forks", p.in_flight, "Phones at a time")
      ->check(CLI::Range(1, 5000))
      ->capture_default_str();
  evidence->add_option("-T,--timeout", p.timeout_seconds, "Longest wait for a page, seconds")
      ->check(CLI::Range(0.05, 600.0))
      ->capture_default_str();
  evidence->footer("Example:\n  trustline phone evidence 10.30.0.71 10.30.0.72 --out phones.csv");
}

}  // namespace trustline::controller
