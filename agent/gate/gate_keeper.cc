#include "agent/gate/gate_keeper.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/document_store.h"
#include "agent/gate/judge.h"
#include "agent/gate/verdict.h"
#include "agent/state_files.h"
#include "trust/sha256.h"
#include "trust/status_macros.h"
#include "trust/tftp_pointer_rules.h"

namespace trustline::agent {
namespace {

constexpr absl::Duration kFresh = absl::Minutes(1);

// A gate in force, and the document it is of.
struct GateInForce {
  v1::DesiredState document;
  v1::TrustGateSpec spec;
};

absl::StatusOr<GateInForce> Find(const Host& host, const NodeIdentity& self,
                                 const v1::GateQuestion& question) {
  // Only reads, so it needs nothing of what writes.
  StateFiles state(host.files, host.layout.state_directory);
  TL_ASSIGN_OR_RETURN(const v1::StoredDocument stored,
                      DocumentStore(state).Get(question.playbook()));
  TL_ASSIGN_OR_RETURN(const std::vector<LayerInForce> layers, InForce(stored));
  for (const LayerInForce& layer : layers) {
    for (const v1::Resource* resource : layer.resources) {
      if (resource->id() != question.gate() || !resource->has_trust_gate()) continue;
      return GateInForce{layer.document.state, resource->trust_gate()};
    }
  }
  return absl::NotFoundError(absl::StrCat("no ", question.gate(), " of playbook ",
                                          question.playbook(), " is in force on ", self.node,
                                          "; apply the playbook with its gate first"));
}

// Whether the gate is about the pointer; on the way back only its scope counts.
absl::Status CheckAbout(const v1::TrustGateSpec& spec, const v1::GateQuestion& question) {
  const std::string scope = PointerScopeName(question.scope());
  for (const v1::GatedPointer& pointer : spec.pointers()) {
    if (PointerScopeName(pointer.scope()) != scope) continue;
    const bool same = std::equal(pointer.tftp_servers().begin(), pointer.tftp_servers().end(),
                                 question.tftp_servers().begin(), question.tftp_servers().end());
    if (same || question.return_trip()) return absl::OkStatus();
  }
  return absl::NotFoundError(absl::StrCat(question.gate(), " is not about sending ", scope, " to ",
                                          absl::StrJoin(question.tftp_servers(), ", ")));
}

}  // namespace

absl::StatusOr<v1::JudgeResponse> GateKeeper::Answer(const v1::GateQuestion& question) {
  if (question.gate().empty() || question.document_sha256().empty() ||
      question.tftp_servers().empty()) {
    return absl::InvalidArgumentError("the question lacks a gate, a document or TFTP servers");
  }
  const NodeIdentity self = identity_();
  TL_ASSIGN_OR_RETURN(const GateInForce gate, Find(host_, self, question));
  TL_RETURN_IF_ERROR(CheckAbout(gate.spec, question));

  std::string key = absl::StrCat(gate.spec.SerializeAsString(), "/",
                                 gate.document.topology().SerializeAsString());
  if (question.return_trip()) {
    absl::StrAppend(&key, "/back/", PointerScopeName(question.scope()), "/",
                    absl::StrJoin(question.tftp_servers(), ","));
  }
  key = Sha256Hex(key);

  v1::JudgeResponse response;
  absl::MutexLock lock(&judging_);
  const absl::Time begun = host_.clock.Now();
  std::erase_if(recent_, [&](const auto& entry) {
    return begun - entry.second.at > kFresh || entry.second.at > begun;
  });
  auto judged = recent_.find(key);
  if (judged == recent_.end()) {
    const GateCase to_judge{gate.spec, gate.document.topology(), self.node,
                            gate.document.playbook(), begun};
    const std::vector<std::string> servers(question.tftp_servers().begin(),
                                           question.tftp_servers().end());
    Judgement judgement{question.return_trip()
                            ? JudgeReturn(to_judge, question.scope(), servers, *phones_)
                            : JudgeMove(to_judge, *phones_),
                        begun};
    judged = recent_.emplace(key, std::move(judgement)).first;
  }
  *response.mutable_report() = judged->second.report;
  // The verdict lives from when the phones were simulated, not from when it was asked for again.
  TL_ASSIGN_OR_RETURN(*response.mutable_verdict(),
                      SealVerdict(judged->second.report, question, EvidenceDigest(gate.spec), self,
                                  judged->second.at));
  return response;
}

}  // namespace trustline::agent
