#include "controller/playbook/document_checks.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "trust/cluster_rules.h"
#include "trust/list_rules.h"
#include "trust/tftp_pointer_rules.h"

namespace trustline::controller {
namespace {

// What a resource says about what. Two of one node with one subject must say the same.
struct Claim {
  std::string subject;
  std::string content;
  std::string shown;  // content in a message; empty: not worth showing
};

std::optional<Claim> ClaimOf(const v1::Resource& resource) {
  if (resource.has_tftp_pointer()) {
    const v1::TftpPointerSpec& spec = resource.tftp_pointer();
    const std::string servers = absl::StrJoin(spec.tftp_servers(), ", ");
    return Claim{absl::StrCat("option 150 of ", PointerScopeName(spec.scope())), servers, servers};
  }
  if (resource.has_certificate()) {
    v1::CertificateSpec spec = resource.certificate();
    spec.clear_name();
    if (spec.purpose() == v1::CERTIFICATE_PURPOSE_IDENTITY) {
      return Claim{absl::StrCat("the identity certificate of ", spec.unit()),
                   spec.SerializeAsString(), ""};
    }
    const std::string which =
        spec.sha256().empty() ? spec.pem() : absl::AsciiStrToLower(spec.sha256());
    if (which.empty()) return std::nullopt;
    const std::string shown = spec.state() == v1::PRESENCE_ABSENT ? "absent" : "present";
    // The line break ends what a message shows of the subject.
    return Claim{absl::StrCat("a certificate in ", spec.unit(), "\n", which), shown, shown};
  }
  return std::nullopt;
}

class Checker {
 public:
  Checker(const Drafts& drafts, const v1::Topology& topology, const Inventory& inventory,
          yaml::Diagnostics& diagnostics)
      : drafts_(drafts), topology_(topology), inventory_(inventory), diagnostics_(diagnostics) {}

  void Check(const std::vector<StageDraft>& stages) {
    for (const auto& [node, drafts] : drafts_) {
      CheckClaims(node, drafts);
      for (const ResourceDraft& draft : drafts) {
        if (draft.resource.has_tftp_pointer()) CheckPointer(node, draft);
        if (draft.resource.has_service()) CheckService(draft);
        if (draft.resource.has_trust_list()) CheckList(node, draft);
        CheckExchange(draft);
        if (draft.task->kind->rule.pointer())
          last_pointer_stage_ = std::max(last_pointer_stage_, draft.stage->number);
      }
    }
    CheckBatches();
    CheckCtls();
    CheckBudgets(stages);
  }

 private:
  // Where a field's value stands; the kind's key when the task does not name it.
  static yaml::Span SpanOf(const ResourceDraft& draft, absl::string_view field) {
    const yaml::Value& arguments = draft.task->arguments;
    const yaml::Value* value = arguments.is_map() ? arguments.Find(std::string(field)) : nullptr;
    return value == nullptr ? draft.task->declared_at : value->span();
  }

  // One message per place, however many nodes meet it.
  bool First(const yaml::Span& span, absl::string_view message) {
    return said_.insert(absl::StrCat(span.line, ":", span.column, ":", message)).second;
  }
  bool Error(const yaml::Span& span, const std::string& message) {
    if (!First(span, message)) return false;
    diagnostics_.Error(span, message);
    return true;
  }
  void Warning(const yaml::Span& span, const std::string& message) {
    if (First(span, message)) diagnostics_.Warning(span, message);
  }

  void CheckClaims(const std::string& node, const std::vector<ResourceDraft>& drafts) {
    std::map<std::string, std::pair<Claim, const ResourceDraft*>> claims;
    for (const ResourceDraft& draft : drafts) {
      std::optional<Claim> claim = ClaimOf(draft.resource);
      if (!claim) continue;
      auto [first, is_new] = claims.try_emplace(claim->subject, *claim, &draft);
      if (is_new || first->second.first.content == claim->content) continue;
      const std::string subject = claim->subject.substr(0, claim->subject.find('\n'));
      std::string message = absl::StrCat(subject, " is declared twice with different content");
      if (!claim->shown.empty())
        absl::StrAppend(&message, ": ", first->second.first.shown, " and ", claim->shown);
      absl::StrAppend(&message, " (on ", node, ")");
      if (!First(draft.task->declared_at, subject)) continue;
      diagnostics_.Error(draft.task->declared_at, message);
      diagnostics_.Note(first->second.second->task->declared_at, "the first one is here");
    }
  }

  void CheckPointer(const std::string& node, const ResourceDraft& draft) {
    const v1::TftpPointerSpec& spec = draft.resource.tftp_pointer();
    const yaml::Span& span = draft.task->declared_at;
    const TftpPointerFindings findings = CheckTftpPointer(spec, topology_);
    for (size_t i = 0; i < findings.errors.size(); ++i) {
      Error(SpanOf(draft, i < findings.scope_errors ? "scope" : "tftp_servers"),
            findings.errors[i]);
    }
    for (const std::string& warning : findings.warnings)
      Warning(SpanOf(draft, "tftp_servers"), warning);
    const yaml::Span probe_span = SpanOf(draft, "probe_from");
    const bool server =
        std::any_of(topology_.dhcp_servers().begin(), topology_.dhcp_servers().end(),
                    [&](const v1::DhcpServer& other) { return other.node() == node; });
    if (!server) {
      Error(span,
            absl::StrCat(node,
                         " is not a DHCP server of the inventory; set its variable dhcp_server"));
    }
    if (inventory_.FindHost(spec.probe_from()) == nullptr) {
      Error(probe_span,
            absl::StrCat("probe_from: no host \"", spec.probe_from(), "\" in the inventory",
                         yaml::DidYouMeanSuffix(spec.probe_from(), inventory_.HostNames())));
    } else if (spec.probe_from() == node) {
      Error(probe_span,
            absl::StrCat("probe_from: ", node, " cannot prove its own answers; name another host"));
    }
    std::vector<Server>& servers = scopes_[PointerScopeName(spec.scope())];
    servers.push_back({node, &draft});
  }

  void CheckService(const ResourceDraft& draft) {
    const bool reacts = draft.resource.service().state() == v1::SERVICE_CONDITION_RESTARTED ||
                        draft.resource.service().state() == v1::SERVICE_CONDITION_RELOADED;
    if (reacts && !draft.handler) {
      Error(SpanOf(draft, "state"),
            "state restarted and reloaded need something that notifies them; make this a handler, "
            "or say started");
    } else if (!reacts && draft.handler) {
      Warning(draft.task->declared_at,
              "this handler only sees to it that the service runs; say restarted or reloaded to "
              "load what changed");
    }
  }

  void CheckExchange(const ResourceDraft& draft) {
    std::vector<std::string> units;
    if (draft.resource.has_bundle_consolidation()) {
      const auto& given = draft.resource.bundle_consolidation().units();
      units.assign(given.begin(), given.end());
    } else if (draft.resource.has_bundle_import() &&
               draft.resource.bundle_import().pins().empty()) {
      const auto& given = draft.resource.bundle_import().units();
      units.assign(given.begin(), given.end());
    }
    if (units.empty()) return;
    const absl::StatusOr<std::vector<ExpectedExport>> expected = ExpectedExports(topology_, units);
    if (!expected.ok()) Error(draft.task->declared_at, std::string(expected.status().message()));
  }

  void CheckList(const std::string& node, const ResourceDraft& draft) {
    const v1::TrustListSpec& spec = draft.resource.trust_list();
    const yaml::Span& span = draft.task->declared_at;
    const ListType type = spec.list() == v1::TRUST_LIST_TYPE_CTL ? ListType::kCtl : ListType::kItl;
    const bool install = spec.step() == v1::TRUST_LIST_STEP_INSTALL;
    if (install && spec.tftp_root().empty()) {
      Error(span, "step install needs tftp_root, the directory the TFTP server serves");
    }
    const v1::Cluster* const cluster = ClusterOf(topology_, node);
    if (cluster == nullptr) {
      Error(span, absl::StrCat(node,
                               " is a node of no cluster, so it has no trust lists; set its "
                               "variable cluster"));
      return;
    }
    if (spec.step() == v1::TRUST_LIST_STEP_PUBLISH) {
      const absl::StatusOr<std::vector<std::string>> units = UnitsInLists(topology_, node);
      if (!units.ok()) Error(span, std::string(units.status().message()));
      return;
    }
    const absl::StatusOr<std::vector<ExpectedList>> lists = ExpectedLists(
        topology_, cluster->name(), type,
        spec.content() == v1::LIST_CONTENT_EMPTY ? ListContent::kEmpty : ListContent::kFull);
    if (!lists.ok()) Error(span, std::string(lists.status().message()));
    if (!install || type != ListType::kCtl) return;
    const auto [first, is_new] = ctl_stages_.try_emplace(node, draft.stage->number);
    if (!is_new) first->second = std::min(first->second, draft.stage->number);
  }

  // Phones of a mixed-mode cluster authenticate its ITL by its CTL: each TFTP server they are sent
  // to must have one before.
  void CheckCtls() {
    for (const auto& [scope, servers] : scopes_) {
      for (const Server& server : servers) {
        for (const std::string& address : server.draft->resource.tftp_pointer().tftp_servers()) {
          CheckCtlBehind(address, *server.draft);
        }
      }
    }
  }
  void CheckCtlBehind(const std::string& address, const ResourceDraft& pointer) {
    for (const v1::Cluster& cluster : topology_.clusters()) {
      if (cluster.security_mode() != v1::SECURITY_MODE_MIXED) continue;
      for (const v1::ClusterNode& node : cluster.nodes()) {
        if (std::find(node.addresses().begin(), node.addresses().end(), address) ==
            node.addresses().end()) {
          continue;
        }
        const auto installed = ctl_stages_.find(node.name());
        if (installed != ctl_stages_.end() && installed->second < pointer.stage->number) continue;
        Error(pointer.task->declared_at,
              absl::StrCat("cluster ", cluster.name(),
                           " is in mixed mode, but no earlier play "
                           "installs a CTL on ",
                           node.name(), " (", address,
                           "): phones could not authenticate its ITL; put trust_list { list: ctl, "
                           "step: install } before this play"));
      }
    }
  }

  struct Server {
    std::string node;
    const ResourceDraft* draft;
  };

  static size_t BatchOf(const StageDraft& stage, const std::string& node) {
    for (size_t i = 0; i < stage.batches.size(); ++i) {
      if (std::find(stage.batches[i].begin(), stage.batches[i].end(), node) !=
          stage.batches[i].end())
        return i;
    }
    return stage.batches.size();
  }

  void CheckBatches() {
    for (const auto& [scope, servers] : scopes_) {
      std::map<uint32_t, std::set<std::string>> by_stage;
      std::map<uint32_t, const ResourceDraft*> first_of_stage;
      for (const Server& server : servers) {
        by_stage[server.draft->stage->number].insert(server.node);
        first_of_stage.emplace(server.draft->stage->number, server.draft);
      }
      for (const auto& [number, nodes] : by_stage) {
        const StageDraft& stage = *first_of_stage[number]->stage;
        for (const std::string& node : nodes) {
          if (BatchOf(stage, node) == BatchOf(stage, *nodes.begin())) continue;
          Error(stage.play->serial ? stage.play->serial->span() : stage.play->span,
                absl::StrCat("serial puts ", absl::StrJoin(nodes, " and "), ", which serve ", scope,
                             ", into different batches; all servers of a scope change together"));
          break;
        }
        if (nodes == by_stage.begin()->second) continue;
        const uint32_t first = by_stage.begin()->first;
        if (Error(first_of_stage[number]->task->declared_at,
                  absl::StrCat(
                      scope, " changes on ", absl::StrJoin(nodes, " and "), " here and on ",
                      absl::StrJoin(by_stage.begin()->second, " and "), " in stage ", first,
                      "; all servers of a scope change together, so put them into one play"))) {
          diagnostics_.Note(first_of_stage[first]->task->declared_at, "the other one is here");
        }
      }
    }
  }

  void CheckBudgets(const std::vector<StageDraft>& stages) {
    for (const StageDraft& stage : stages) {
      if (stage.max_fail_percentage == 0 || stage.number > last_pointer_stage_) continue;
      Error(stage.play->max_fail_percentage->span(),
            "max_fail_percentage must be 0 in a play that changes a pointer and in every play "
            "before it: phones would be sent to nodes that failed");
    }
  }

  const Drafts& drafts_;
  const v1::Topology& topology_;
  const Inventory& inventory_;
  yaml::Diagnostics& diagnostics_;
  std::set<std::string> said_;
  std::map<std::string, std::vector<Server>> scopes_;
  std::map<std::string, uint32_t> ctl_stages_;  // node -> first stage that installs its CTL
  uint32_t last_pointer_stage_ = 0;
};

}  // namespace

void CheckDocuments(const std::vector<StageDraft>& stages, const Drafts& drafts,
                    const v1::Topology& topology, const Inventory& inventory,
                    yaml::Diagnostics& diagnostics) {
  Checker(drafts, topology, inventory, diagnostics).Check(stages);
}

}  // namespace trustline::controller
