#include "trust/phone/list_authentication.h"

#include "absl/strings/str_cat.h"
#include "trust/phone/held_lists.h"
#include "trust/trust_list/list_verify.h"

namespace trustline {
namespace {

using Kind = FileRuling::Kind;

FileSigner SignerOf(const TrustListHeader& header) {
  FileSigner signer;
  signer.subject = header.signer_name.value_or("");
  signer.issuer = header.signer_issuer;
  signer.serial = header.signer_serial;
  return signer;
}

PhoneRefusal RefusalFor(ListProblemKind kind) {
  switch (kind) {
    case ListProblemKind::kTooLarge:
    case ListProblemKind::kTooManyCertificates:
    case ListProblemKind::kTooManySigners:
      return PhoneRefusal::kListSize;
    case ListProblemKind::kAlgorithm:
      return PhoneRefusal::kAlgorithm;
    case ListProblemKind::kSignature:
      return PhoneRefusal::kSignature;
    case ListProblemKind::kUnknownSigner:
    case ListProblemKind::kRecord:
      return PhoneRefusal::kMalformed;
  }
  return PhoneRefusal::kMalformed;
}

// What is wrong with the list by itself. kAccept, with what was assumed: nothing.
FileRuling JudgeWholeness(const TrustList& list, const PhoneAbilities& abilities,
                          const PhoneBehaviour& behaviour) {
  FileRuling ruling = CheckDigestAbility(list.header.digest, abilities);
  if (ruling.kind == Kind::kRefuse) return ruling;
  const bool empty = IsEmptyList(list);
  for (const ListProblem& problem : VerifyTrustList(list).problems) {
    std::string assumption;
    bool forgiven = false;
    switch (problem.kind) {
      case ListProblemKind::kTooManyCertificates:
      case ListProblemKind::kTooManySigners:
      case ListProblemKind::kRecord:
        forgiven = behaviour.odd_lists;
        assumption = absl::StrCat(problem.text, ": whether every phone minds is not documented");
        break;
      case ListProblemKind::kUnknownSigner:
        // A list that a cluster has emptied has no signers, and phones take it.
        forgiven = empty || behaviour.lists_without_own_signer;
        if (!empty) {
          assumption =
              "the list does not carry its own signer; whether phones mind is not documented";
        }
        break;
      case ListProblemKind::kTooLarge:
      case ListProblemKind::kAlgorithm:
      case ListProblemKind::kSignature:
        break;
    }
    if (!forgiven) {
      FileRuling refusal = FileRuling::Refuse(RefusalFor(problem.kind), problem.text);
      if (!assumption.empty()) refusal.assumptions.push_back(assumption);
      return refusal;
    }
    if (!assumption.empty()) ruling.assumptions.push_back(assumption);
  }
  return ruling;
}

// By the phone's own lists; kAskTvs when they do not know the signer.
FileRuling JudgeByHeld(const TrustList& list, const HeldLists& held, const FileSigner& signer) {
  FileRuling last;
  for (const HeldLists::Match& match : held.Find(signer, {ListRole::kSast})) {
    const absl::Status status = VerifyByRecord(*match.record, list.header.digest,
                                               list.SignedBytes(), list.header.signature);
    if (status.ok()) {
      return FileRuling::Accept(
          absl::StrCat(signer.Text(), " is SAST in the phone's ", match.ListName()));
    }
    last = FileRuling::Refuse(
        absl::IsPermissionDenied(status) ? PhoneRefusal::kSignature : PhoneRefusal::kAlgorithm,
        absl::StrCat(signer.Text(), " is in the phone's ", match.ListName(),
                     ", but: ", status.message()));
  }
  if (last.refusal != PhoneRefusal::kNone) return last;
  last.kind = Kind::kAskTvs;
  last.reason = absl::StrCat(signer.Text(), " is in none of the phone's lists");
  return last;
}

}  // namespace

FileRuling JudgeList(ListKind kind, const std::string& bytes, const PhoneState& state,
                     const PhoneBehaviour& behaviour) {
  const std::optional<std::string>& own = kind == ListKind::kCtl ? state.ctl : state.itl;
  if (own == bytes) {
    FileRuling same;
    same.kind = Kind::kUnchanged;
    same.reason = "the phone has exactly this file";
    return same;
  }
  if (bytes.size() > kMaxListBytes) {
    return FileRuling::Refuse(PhoneRefusal::kListSize,
                              absl::StrCat("the list has ", bytes.size(), " bytes; phones load ",
                                           kMaxListBytes, " at most"));
  }
  const absl::StatusOr<TrustList> list = ParseTrustList(bytes);
  if (!list.ok()) {
    return FileRuling::Refuse(
        PhoneRefusal::kMalformed,
        absl::StrCat("it is not a whole trust list: ", list.status().message()));
  }
  const FileSigner signer = SignerOf(list->header);
  const HeldLists held(state);
  FileRuling ruling = JudgeWholeness(*list, state.abilities, behaviour);
  ruling.signer = signer;
  if (ruling.kind == Kind::kRefuse) {
    // Of a list by an unknown signer that is also damaged, the damage is the reason.
    ruling.reason = absl::StrCat(signer.Text(), ": ", ruling.reason);
    return ruling;
  }
  if (held.none() || held.BelievesAnything()) {
    ruling.first_trust = true;
    ruling.reason = absl::StrCat(
        signer.Text(), held.none() ? " was believed without proof: the phone has no trust list"
                                   : " was believed without proof: the phone's ITL is empty");
    return ruling;
  }
  FileRuling by_held = JudgeByHeld(*list, held, signer);
  by_held.signer = signer;
  by_held.assumptions = ruling.assumptions;
  return by_held;
}

FileRuling JudgeListBy(const Certificate& signer, const std::string& by, const std::string& bytes) {
  const absl::StatusOr<TrustList> list = ParseTrustList(bytes);
  if (!list.ok())
    return FileRuling::Refuse(PhoneRefusal::kMalformed, std::string(list.status().message()));
  const FileSigner named = SignerOf(list->header);
  const absl::Status status = VerifyListSignature(*list, signer);
  FileRuling ruling =
      status.ok()
          ? FileRuling::Accept(absl::StrCat(named.Text(), " ", by))
          : FileRuling::Refuse(absl::IsInvalidArgument(status) ? PhoneRefusal::kAlgorithm
                                                               : PhoneRefusal::kSignature,
                               absl::StrCat(named.Text(), " ", by, ", but: ", status.message()));
  ruling.signer = named;
  return ruling;
}

}  // namespace trustline
