#include "agent/resources/tftp_pointer.h"

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/dhcp/kea_compare.h"
#include "agent/dhcp/kea_config.h"
#include "agent/gate/verdict.h"
#include "protos/trustline/v1/kinds/tftp_pointer.pb.h"
#include "trust/dhcp_message.h"
#include "trust/status_macros.h"
#include "trust/tftp_pointer_rules.h"

namespace trustline::agent {
namespace {

using google::protobuf::Message;

constexpr size_t kNarrowerShown = 5;

const v1::TftpPointerSpec& SpecOf(const v1::Resource& resource) { return resource.tftp_pointer(); }

const v1::ServedPointer& Fact(const Message& state) {
  return static_cast<const v1::TftpPointerState&>(state).pointers(0);
}

std::unique_ptr<v1::TftpPointerState> State(std::string scope, std::string servers, bool active) {
  auto state = std::make_unique<v1::TftpPointerState>();
  v1::ServedPointer& pointer = *state->add_pointers();
  pointer.set_scope(std::move(scope));
  pointer.set_tftp_servers(std::move(servers));
  pointer.set_active(active);
  return state;
}

KeaScope ScopeOf(const v1::PointerScope& scope) {
  if (!scope.subnet().empty()) return {KeaScope::Type::kSubnet, scope.subnet()};
  if (!scope.reservation().empty()) return {KeaScope::Type::kReservation, scope.reservation()};
  return {KeaScope::Type::kGlobal, ""};
}

absl::StatusOr<std::vector<uint32_t>> AddressesOf(const v1::TftpPointerSpec& spec) {
  std::vector<uint32_t> addresses;
  for (const std::string& text : spec.tftp_servers()) {
    TL_ASSIGN_OR_RETURN(const uint32_t address, ParseIpv4(text));
    addresses.push_back(address);
  }
  return addresses;
}

absl::Status Named(const absl::Status& status, absl::string_view name) {
  return absl::Status(status.code(), absl::StrCat(name, ": ", status.message()));
}

absl::StatusOr<KeaConfig> ParseFile(std::string bytes, const std::string& path) {
  absl::StatusOr<KeaConfig> config = KeaConfig::Parse(std::move(bytes));
  if (!config.ok()) return Named(config.status(), path);
  return config;
}

absl::StatusOr<KeaConfig> ReadFile(const DhcpView& dhcp, const FileView& files) {
  TL_ASSIGN_OR_RETURN(const std::string path, dhcp.ConfigPath());
  TL_ASSIGN_OR_RETURN(FileImage image, files.Read(path));
  return ParseFile(std::move(image.bytes), path);
}

absl::StatusOr<KeaConfig> ReadRunning(const DhcpView& dhcp) {
  TL_ASSIGN_OR_RETURN(std::string running, dhcp.RunningConfig());
  absl::StatusOr<KeaConfig> config = KeaConfig::Parse(std::move(running));
  if (!config.ok()) return Named(config.status(), "the DHCP server's running configuration");
  return config;
}

// OK exactly when the running server has what its file says.
absl::Status CheckLoaded(const Host& host) {
  TL_ASSIGN_OR_RETURN(const KeaConfig file, ReadFile(host.dhcp, host.files));
  TL_ASSIGN_OR_RETURN(const KeaConfig running, ReadRunning(host.dhcp));
  if (const std::optional<std::string> difference = FirstDifference(file, running)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the DHCP server has not loaded its file: ", *difference));
  }
  return absl::OkStatus();
}

// Loads the file unless the server has it already: another scope of the same transaction may have
// done it.
absl::Status LoadFile(const Host& host) {
  if (CheckLoaded(host).ok()) return absl::OkStatus();
  TL_RETURN_IF_ERROR(host.dhcp.Reload());
  return CheckLoaded(host);
}

v1::GateQuestion QuestionOf(const PlanContext& context) {
  v1::GateQuestion question;
  question.set_playbook(context.document.playbook());
  question.set_document_sha256(context.document_digest);
  *question.mutable_scope() = SpecOf(context.resource).scope();
  return question;
}

std::string NoGate(const PlanContext& context) {
  return absl::StrCat("agent.yaml of ", context.self.node,
                      " lets only pointers with a gate move (gated_pointers_only), and the play "
                      "of this one has none");
}

Resolved Verdict(v1::Outcome outcome, std::vector<std::string> reasons) {
  Resolved resolved;
  resolved.verdict = outcome;
  resolved.reasons = std::move(reasons);
  return resolved;
}

// Conditions of the node that an operator changes, as opposed to failures to look.
bool IsRefusal(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kUnimplemented:
      return true;
    default:
      return false;
  }
}

std::vector<std::string> HidingWarnings(const KeaConfig& file, const KeaScope& scope,
                                        const std::string& scope_name,
                                        const std::vector<uint32_t>& addresses) {
  std::vector<std::string> warnings;
  size_t more = 0;
  for (const KeaNarrowerScope& narrower : file.NarrowerThan(scope)) {
    if (narrower.pointer.addresses == addresses) continue;
    if (warnings.size() == kNarrowerShown) {
      ++more;
      continue;
    }
    warnings.push_back(absl::StrCat(narrower.name, " sets option 150 itself (",
                                    narrower.pointer.text,
                                    "), so its clients do not get the value of ", scope_name));
  }
  if (more > 0) {
    warnings.push_back(
        absl::StrCat(more, " more scopes inside ", scope_name, " set option 150 themselves"));
  }
  return warnings;
}

std::string ShownOption(const v1::ProbeResponse& response) {
  if (!response.present()) return "no option 150";
  const absl::StatusOr<std::vector<uint32_t>> addresses = DecodeOption150(response.option_150());
  const std::string hex = absl::BytesToHexString(response.option_150());
  return addresses.ok() ? absl::StrCat(JoinIpv4(*addresses), " (", hex, ")")
                        : absl::StrCat("malformed bytes (", hex, ")");
}

// What is asked for on the wire, and what must come back.
struct WireQuestion {
  std::string scope_name;
  std::string probe_from;
  KeaScope scope;
  // Where the value can be seen (KeaConfig::SubnetToAsk); nullopt: nowhere, but the server must
  // still answer.
  std::optional<std::string> subnet = std::nullopt;
  std::vector<uint32_t> expected = {};  // empty: no option 150
};

// FailedPrecondition: no answer any more, or another value.
absl::Status AskOnTheWire(const WireQuestion& wire, const std::string& node, const HostView& host,
                          Prover& prover) {
  TL_ASSIGN_OR_RETURN(const std::string server, host.dhcp.ServerAddress());
  v1::ProbeRequest question;
  question.set_server(server);
  question.set_subnet(wire.subnet.value_or(""));
  if (wire.scope.type == KeaScope::Type::kReservation) {
    question.set_hardware_address(NormalMac(wire.scope.key));
  }
  question.set_may_discover(true);
  const absl::StatusOr<v1::ProbeResponse> answer = prover.Ask(wire.probe_from, question);
  if (!answer.ok()) {
    return Named(answer.status(), absl::StrCat("option 150 of ", wire.scope_name,
                                               " could not be asked for from ", wire.probe_from));
  }
  if (!answer->answered()) {
    return absl::FailedPreconditionError(
        absl::StrCat(node, " does not answer any more: no reply to ", answer->how(), " from ",
                     wire.probe_from, " to ", server));
  }
  if (!wire.subnet) return absl::OkStatus();
  v1::ProbeResponse wanted;
  wanted.set_present(!wire.expected.empty());
  wanted.set_option_150(EncodeOption150(wire.expected));
  if (answer->present() != wanted.present() || answer->option_150() != wanted.option_150()) {
    return absl::FailedPreconditionError(absl::StrCat(
        node, " hands out ", ShownOption(*answer), " for ", wire.scope_name, " where ",
        ShownOption(wanted), " is expected (", answer->how(), " from ", wire.probe_from, ")"));
  }
  return absl::OkStatus();
}

// Undo arguments, which the journal and generations keep: "subnet 10.30.0.0/24 asked from probe".
// Agents of before wrote only the scope's name.
constexpr absl::string_view kAskedFrom = " asked from ";

std::string UndoArgument(const std::string& scope_name, const std::string& probe_from) {
  return absl::StrCat(scope_name, kAskedFrom, probe_from);
}

WireQuestion ReadUndoArgument(const std::string& argument) {
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(argument, absl::MaxSplits(kAskedFrom, 1));
  WireQuestion question{parts.first, parts.second, {}};
  absl::string_view name = parts.first;
  if (absl::ConsumePrefix(&name, "subnet ")) {
    question.scope = {KeaScope::Type::kSubnet, std::string(name)};
  } else if (absl::ConsumePrefix(&name, "reservation ")) {
    question.scope = {KeaScope::Type::kReservation, std::string(name)};
  }
  return question;
}

}  // namespace

std::vector<std::string> TftpPointerKind::Claims(const v1::Resource& resource) const {
  return {absl::StrCat("tftp_pointer ", PointerScopeName(SpecOf(resource).scope()))};
}

absl::StatusOr<Resolved> TftpPointerKind::Resolve(const PlanContext& context) const {
  const v1::TftpPointerSpec& spec = SpecOf(context.resource);
  if (!spec.scope().class_name().empty()) {
    return Verdict(v1::OUTCOME_UNSUPPORTED,
                   {absl::StrCat("client class ", spec.scope().class_name(),
                                 ": option 150 of a class is not supported yet; use subnets or "
                                 "reservations")});
  }
  for (const v1::DhcpServer& server : context.document.topology().dhcp_servers()) {
    if (server.node() == context.self.node && server.software() != "kea") {
      return Verdict(v1::OUTCOME_UNSUPPORTED,
                     {absl::StrCat("DHCP server software '", server.software(),
                                   "' is not supported yet; only kea is")});
    }
  }
  TftpPointerFindings findings = CheckTftpPointer(spec, context.document.topology());
  if (spec.probe_from() == context.self.node) {
    findings.errors.push_back(
        absl::StrCat("probe_from names ", context.self.node,
                     " itself, but a DHCP server does not answer its own host; name another node"));
  }
  if (!findings.errors.empty()) return Verdict(v1::OUTCOME_REFUSED, std::move(findings.errors));

  TL_ASSIGN_OR_RETURN(const std::vector<uint32_t> addresses, AddressesOf(spec));
  const KeaScope scope = ScopeOf(spec.scope());
  const std::string scope_name = PointerScopeName(spec.scope());
  const absl::StatusOr<KeaConfig> file = ReadFile(context.host.dhcp, context.host.files);
  const absl::Status found = file.ok() ? file->Pointer(scope).status() : file.status();
  if (!found.ok()) {
    if (!IsRefusal(found)) return found;
    return Verdict(v1::OUTCOME_REFUSED, {std::string(found.message())});
  }
  Resolved resolved;
  resolved.desired = State(scope_name, JoinIpv4(addresses), true);
  resolved.warnings = std::move(findings.warnings);
  if (!context.resource.has_gate() && context.host.layout.gated_pointers_only) {
    resolved.warnings.push_back(NoGate(context));
  }
  for (std::string& warning : HidingWarnings(*file, scope, scope_name, addresses)) {
    resolved.warnings.push_back(std::move(warning));
  }
  return resolved;
}

absl::StatusOr<Observed> TftpPointerKind::Observe(const PlanContext& context,
                                                  const Message& desired) const {
  const KeaScope scope = ScopeOf(SpecOf(context.resource).scope());
  TL_ASSIGN_OR_RETURN(const KeaConfig file, ReadFile(context.host.dhcp, context.host.files));
  TL_ASSIGN_OR_RETURN(const KeaPointer pointer, file.Pointer(scope));
  TL_ASSIGN_OR_RETURN(const KeaConfig running, ReadRunning(context.host.dhcp));
  const absl::StatusOr<KeaPointer> served = running.Pointer(scope);

  Observed observed;
  observed.present = State(Fact(desired).scope(), pointer.text,
                           served.ok() && served->addresses == pointer.addresses &&
                               served->text.empty() == pointer.text.empty());
  if (const std::optional<std::string> difference = FirstDifference(file, running)) {
    TL_ASSIGN_OR_RETURN(const std::string path, context.host.dhcp.ConfigPath());
    observed.refusals.push_back(absl::StrCat(
        "the DHCP server runs with another configuration than ", path, ": ", *difference,
        "; load the file (config-reload) or put it back, then run again"));
  }
  return observed;
}

absl::Status TftpPointerKind::Stage(const PlanContext& context, const Message& desired,
                                    const Message&, TransactionBuilder& transaction) const {
  const v1::TftpPointerSpec& spec = SpecOf(context.resource);
  TL_ASSIGN_OR_RETURN(const std::vector<uint32_t> addresses, AddressesOf(spec));
  TL_ASSIGN_OR_RETURN(const std::string path, context.host.dhcp.ConfigPath());
  // Other scopes of the same stage live in the same file: go on from what they want it to be.
  TL_ASSIGN_OR_RETURN(FileImage image, transaction.Upcoming(path));
  TL_ASSIGN_OR_RETURN(const KeaConfig file, ParseFile(image.bytes, path));
  TL_ASSIGN_OR_RETURN(image.bytes, file.WithPointer(ScopeOf(spec.scope()), addresses));
  TL_RETURN_IF_ERROR(context.host.dhcp.TestConfig(image.bytes));
  TL_RETURN_IF_ERROR(transaction.WriteFile(path, std::move(image)));
  const std::string& scope_name = Fact(desired).scope();
  transaction.AddEffect(absl::StrCat("have Kea load option 150 of ", scope_name),
                        UndoArgument(scope_name, spec.probe_from()),
                        [](const Host& host, Hubs&) { return LoadFile(host); });
  return absl::OkStatus();
}

absl::Status TftpPointerKind::Prove(const PlanContext& context, const Message& desired,
                                    Prover& prover) const {
  const v1::TftpPointerSpec& spec = SpecOf(context.resource);
  const KeaScope scope = ScopeOf(spec.scope());
  WireQuestion question{Fact(desired).scope(), spec.probe_from(), scope};
  TL_ASSIGN_OR_RETURN(question.expected, AddressesOf(spec));
  TL_ASSIGN_OR_RETURN(const KeaConfig file, ReadFile(context.host.dhcp, context.host.files));
  question.subnet = file.SubnetToAsk(scope);
  return AskOnTheWire(question, context.self.node, context.host, prover);
}

absl::StatusOr<Permission> TftpPointerKind::Permit(const PlanContext& context, const Message&,
                                                   const Message&, Prover& prover) const {
  const v1::TftpPointerSpec& spec = SpecOf(context.resource);
  Permission permission;
  if (!context.resource.has_gate()) {
    if (context.host.layout.gated_pointers_only) permission.refusals = {NoGate(context)};
    return permission;
  }
  v1::GateQuestion question = QuestionOf(context);
  *question.mutable_tftp_servers() = spec.tftp_servers();
  permission.refusals = AskJudges(context.resource.gate(), std::move(question), context.self,
                                  context.host.clock, prover);
  return permission;
}

absl::StatusOr<Permission> TftpPointerKind::PermitUndo(const PlanContext& context,
                                                       const FileView& restored,
                                                       Prover& prover) const {
  Permission permission;
  if (!context.resource.has_gate()) {
    if (context.host.layout.gated_pointers_only) permission.refusals = {NoGate(context)};
    return permission;
  }
  TL_ASSIGN_OR_RETURN(const KeaConfig file, ReadFile(context.host.dhcp, restored));
  // With its shared network: a way back is to what clients get, wherever it stands.
  TL_ASSIGN_OR_RETURN(const KeaServed served,
                      file.Served(ScopeOf(SpecOf(context.resource).scope())));
  const std::vector<uint32_t>& addresses = served.pointer.addresses;
  if (addresses.empty() && !served.pointer.text.empty()) {
    permission.refusals = {absl::StrCat(
        "option 150 of ", PointerScopeName(SpecOf(context.resource).scope()), " would be ",
        served.pointer.text, " again, which is no list of addresses that judges could try")};
    return permission;
  }
  if (addresses.empty()) {
    permission.warnings.push_back(
        absl::StrCat(PointerScopeName(SpecOf(context.resource).scope()),
                     " will name no TFTP server again, so there is no way back to judge"));
    return permission;
  }
  v1::GateQuestion question = QuestionOf(context);
  question.set_return_trip(true);
  for (const uint32_t address : addresses) question.add_tftp_servers(JoinIpv4({address}));
  permission.refusals = AskJudges(context.resource.gate(), std::move(question), context.self,
                                  context.host.clock, prover);
  return permission;
}

absl::Status TftpPointerKind::Undo(const std::string& undo_argument, const Host& host) const {
  // Always: config-get of a server that choked on the last file shows the one before, as if all
  // were well.
  absl::Status status = host.dhcp.Reload();
  if (status.ok()) status = CheckLoaded(host);
  if (status.ok()) return status;
  return Named(status, absl::StrCat("putting option 150 of ",
                                    ReadUndoArgument(undo_argument).scope_name, " back"));
}

absl::Status TftpPointerKind::ProveUndone(const std::string& undo_argument, const std::string& node,
                                          const HostView& host, Prover& prover,
                                          std::vector<std::string>& warnings) const {
  WireQuestion question = ReadUndoArgument(undo_argument);
  if (question.probe_from.empty()) {
    warnings.push_back(absl::StrCat("option 150 of ", question.scope_name,
                                    " was not asked for on the wire: the run did not record from "
                                    "where"));
    return absl::OkStatus();
  }
  TL_ASSIGN_OR_RETURN(const KeaConfig file, ReadFile(host.dhcp, host.files));
  TL_ASSIGN_OR_RETURN(const KeaServed served, file.Served(question.scope));
  if (served.pointer.addresses.empty() && !served.pointer.text.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the file's option 150 of ", question.scope_name, " (", served.pointer.text,
                     ") is no list of addresses that an answer could be compared with"));
  }
  question.expected = served.pointer.addresses;
  question.subnet = served.subnet_to_ask;
  return AskOnTheWire(question, node, host, prover);
}

std::string TftpPointerKind::Describe(const v1::Change& change, const Message& desired,
                                      const Message& present) const {
  const v1::ServedPointer& after = Fact(desired);
  std::string before = Fact(present).tftp_servers();
  if (before == after.tftp_servers()) return ResourceKind::Describe(change, desired, present);
  if (before.empty()) before = "not set";
  return absl::StrCat("option 150 of ", after.scope(), ": ", before, " -> ", after.tftp_servers());
}

}  // namespace trustline::agent
