#include "controller/gate_hints.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

namespace trustline::controller {
namespace {

constexpr char kSignerStore[] = "Phone-SAST-trust";

absl::string_view WithoutZeros(absl::string_view serial) {
  while (serial.size() > 2 && absl::StartsWith(serial, "00")) serial.remove_prefix(2);
  return serial;
}

// What the signers' store of a node says about a certificate.
struct StoreFinding {
  bool holds = false;
  std::vector<std::string> others;  // serials under the same subject
};

StoreFinding LookFor(const v1::StatusResponse& status, const v1::GateMissing& missing) {
  StoreFinding finding;
  for (const v1::CertificateStatus& certificate : status.certificates()) {
    if (certificate.store() != kSignerStore) continue;
    if (absl::EqualsIgnoreCase(WithoutZeros(certificate.serial()),
                               WithoutZeros(missing.serial()))) {
      finding.holds = true;
    } else if (!missing.subject().empty() && certificate.subject() == missing.subject()) {
      finding.others.push_back(certificate.serial());
    }
  }
  return finding;
}

// The tag that selects what imports on a node; empty: none does.
std::string ImportTag(const CompiledPlaybook& playbook, const std::string& node) {
  const auto document = playbook.documents.find(node);
  if (document == playbook.documents.end()) return "";
  for (const v1::Resource& resource : document->second.resources()) {
    if (resource.has_bundle_import() && !resource.tags().empty()) return resource.tags(0);
  }
  return "";
}

}  // namespace

std::set<std::string> NodesInQuestion(const v1::GateReport& report) {
  std::set<std::string> nodes;
  for (const v1::GateClass& row : report.classes()) {
    for (const v1::GateDecision& decision : row.decisions()) {
      for (const v1::GateMissing& missing : decision.missing()) nodes.insert(missing.node());
    }
  }
  return nodes;
}

void AddGateHints(const GateHints& hints, v1::GateReport& report) {
  const std::string apply =
      absl::StrCat("trustline apply ", hints.playbook_argument,
                   hints.inventory_arguments.empty() ? "" : " ", hints.inventory_arguments);
  for (v1::GateClass& row : *report.mutable_classes()) {
    for (v1::GateDecision& decision : *row.mutable_decisions()) {
      std::vector<std::string> to_import;
      bool regenerated = false;
      for (const v1::GateMissing& missing : decision.missing()) {
        const std::string& node = missing.node();
        const auto status = hints.statuses.find(node);
        StoreFinding finding;
        if (status != hints.statuses.end()) finding = LookFor(status->second, missing);
        if (finding.holds) {
          decision.add_notes(absl::StrCat("restart TVS on ", node, ": ", kSignerStore,
                                          " there holds serial ", missing.serial(),
                                          ", but the service has not loaded it"));
          continue;
        }
        if (!finding.others.empty()) {
          regenerated = true;
          decision.add_notes(absl::StrCat(
              node, " holds ", missing.subject(), " with serial ",
              absl::StrJoin(finding.others, ", "),
              ": it was regenerated after it was exported; export, consolidate and import again"));
          continue;
        }
        to_import.push_back(node);
      }
      if (decision.missing().empty()) continue;
      if (regenerated) {
        decision.set_next(apply);
      } else if (!to_import.empty()) {
        const std::string tag = ImportTag(hints.playbook, to_import.front());
        decision.set_next(absl::StrCat(apply, " -l ", absl::StrJoin(to_import, ","),
                                       tag.empty() ? "" : " --tags ", tag));
      } else {
        decision.clear_next();
      }
    }
  }
}

}  // namespace trustline::controller
