#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "trust/phone/boot_machine.h"

namespace trustline {
namespace {

// Of several servers' failures the one that says most about what to mend.
int Weight(PhoneRefusal refusal) {
  switch (refusal) {
    case PhoneRefusal::kSignerUnknown:
      return 4;
    case PhoneRefusal::kSignerRole:
      return 3;
    case PhoneRefusal::kTvsIdentity:
      return 2;
    default:
      return refusal == PhoneRefusal::kNone ? 0 : 1;
  }
}

}  // namespace

std::vector<ListRole> PhoneBoot::Machine::RolesWanted() const {
  return InLists() ? std::vector<ListRole>{ListRole::kSast} : ConfigurationRoles();
}

void PhoneBoot::Machine::AskTvs(const FileRuling& ruling, std::string bytes) {
  if (!state_.abilities.security_by_default) {
    return Refuse(
        PhoneRefusal::kSignerUnknown,
        absl::StrCat(ruling.reason,
                     ", and phones without Security By Default ask no TVS: their CTL must "
                     "be deleted by hand"));
  }
  Pending pending;
  pending.bytes = std::move(bytes);
  pending.signer = ruling.signer;
  pending.request = SignerQuery(state_, ruling.signer);
  pending_ = std::move(pending);

  if (const CachedTvsAnswer* cached = FindCached(&state_.tvs_cache, ruling.signer, now_)) {
    const TvsOpinion opinion = OpinionOfCached(*cached, RolesWanted(), now_);
    if (opinion.refusal == PhoneRefusal::kNone || !behaviour_.next_tvs_after_refusal) {
      Assume({absl::StrCat("an answer of TVS that the phone remembers decided; it is forgotten ",
                           "when it expires or the phone's lists change")});
      return OnOpinion(opinion, true, cached->server);
    }
  }
  PinnedTvs pinned = PinnedTvsOf(state_, behaviour_, now_);
  Assume(pinned.assumptions);
  if (pinned.refusal != PhoneRefusal::kNone) {
    Note(FileName(), absl::StrCat(ruling.reason, "; TVS cannot be asked: ", pinned.why), false);
    return Refuse(pinned.refusal,
                  absl::StrCat(ruling.signer.Text(), ": TVS cannot be asked: ", pinned.why));
  }
  pending_->pinned = std::move(pinned.certificates);
}

void PhoneBoot::Machine::OnTvsReply(const TvsReply& reply) {
  const TvsOpinion opinion = OpinionOf(reply, pending_->request, RolesWanted());
  const std::string server = behaviour_.NameOf(state_.tvs[pending_->next].host);
  if (opinion.answered) StoreAnswer(&state_.tvs_cache, pending_->signer, reply, server, now_);
  OnOpinion(opinion, false, server);
}

void PhoneBoot::Machine::OnTvsFailure(const absl::Status& why) {
  OnOpinion(OpinionOfFailure(why), false, behaviour_.NameOf(state_.tvs[pending_->next].host));
}

void PhoneBoot::Machine::OnOpinion(const TvsOpinion& opinion, bool from_cache,
                                   const std::string& server) {
  TvsQuestionAsked asked;
  if (!from_cache) asked.server = state_.tvs[pending_->next];
  asked.file = FileName();
  asked.issuer = pending_->signer.issuer;
  asked.serial = pending_->signer.serial;
  asked.refusal = opinion.refusal;
  asked.from_cache = from_cache;
  asked.text = opinion.text;
  result_.tvs.push_back(asked);
  const std::string who = absl::StrCat("TVS ", server);

  if (opinion.refusal == PhoneRefusal::kNone) {
    const absl::StatusOr<Certificate> signer = Certificate::FromDer(opinion.certificate);
    if (!signer.ok()) {
      return Refuse(PhoneRefusal::kSignerUnknown,
                    absl::StrCat(pending_->signer.Text(), ": ", who,
                                 " answered with something that is no certificate: ",
                                 signer.status().message()));
    }
    const std::string by = absl::StrCat("vouched for by ", who, ", ", opinion.text);
    const std::string bytes = std::move(pending_->bytes);
    FileRuling ruling =
        InLists() ? JudgeListBy(*signer, by, bytes) : JudgeSignedFileBy(*signer, by, bytes);
    return Rule(std::move(ruling), bytes);
  }

  pending_->said.push_back(absl::StrCat(who, " ", opinion.text));
  if (Weight(opinion.refusal) > Weight(pending_->refusal)) pending_->refusal = opinion.refusal;
  Note(FileName(), absl::StrCat(pending_->signer.Text(), ": ", who, " ", opinion.text), false);
  if (from_cache) return NoTvsVouches();
  const bool another = pending_->next + 1 < TvsServers();
  if (opinion.answered && another) {
    Assume(
        {"whether phones ask the next TVS server when one does not know the certificate is not "
         "documented"});
    if (!behaviour_.next_tvs_after_refusal) return NoTvsVouches();
  }
  if (!another) return NoTvsVouches();
  ++pending_->next;
}

void PhoneBoot::Machine::NoTvsVouches() {
  std::string rest;
  if (pending_->next + 1 >= TvsServers()) {
    rest = "; no other TVS server";
    if (state_.tvs.size() > kTvsServersAsked) rest = "; phones ask three TVS servers at most";
  }
  Refuse(pending_->refusal,
         absl::StrCat(pending_->signer.Text(), ": ", absl::StrJoin(pending_->said, "; "), rest));
}

}  // namespace trustline
