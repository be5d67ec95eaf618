#include "trust/phone/held_lists.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "trust/directory_name.h"
#include "trust/status_macros.h"
#include "trust/trust_list/list_crypto.h"

namespace trustline {
namespace {

void AddMatches(const TrustList& list, bool in_ctl, const FileSigner& signer,
                const std::vector<ListRole>& roles, std::vector<HeldLists::Match>* matches) {
  for (const TrustListRecord& record : list.records) {
    const bool may = std::any_of(roles.begin(), roles.end(),
                                 [&record](ListRole role) { return record.Is(role); });
    if (!may || record.IsEmpty() || !record.serial || !record.issuer) continue;
    if (SameSerial(*record.serial, signer.serial) &&
        SameDirectoryName(*record.issuer, signer.issuer)) {
      matches->push_back({&record, in_ctl});
    }
  }
}

}  // namespace

HeldLists::HeldLists(const PhoneState& state)
    : has_ctl(state.ctl.has_value()), has_itl(state.itl.has_value()) {
  auto read = [](const std::optional<std::string>& bytes, TrustList* list) {
    if (!bytes) return;
    absl::StatusOr<TrustList> parsed = ParseTrustList(*bytes);
    if (parsed.ok()) *list = *std::move(parsed);
  };
  read(state.ctl, &ctl);
  read(state.itl, &itl);
}

bool HeldLists::BelievesAnything() const {
  // `bytes` is empty where the list could not be read: that is no empty list.
  return has_itl && !itl.bytes.empty() && IsEmptyList(itl) &&
         (!has_ctl || (!ctl.bytes.empty() && IsEmptyList(ctl)));
}

std::vector<HeldLists::Match> HeldLists::Find(const FileSigner& signer,
                                              const std::vector<ListRole>& roles) const {
  std::vector<Match> matches;
  AddMatches(ctl, true, signer, roles, &matches);
  AddMatches(itl, false, signer, roles, &matches);
  return matches;
}

bool IsEmptyList(const TrustList& list) {
  return std::all_of(list.records.begin(), list.records.end(), [](const TrustListRecord& record) {
    return record.IsEmpty() || record.Is(ListRole::kCapf);
  });
}

absl::Status VerifyByRecord(const TrustListRecord& record, uint8_t digest_code,
                            absl::string_view signed_bytes, absl::string_view signature) {
  const auto digest = static_cast<SignatureDigest>(digest_code);
  if (record.certificate) {
    TL_ASSIGN_OR_RETURN(const Certificate certificate, Certificate::FromDer(*record.certificate));
    TL_ASSIGN_OR_RETURN(const ListKey key, ListKeyOf(certificate));
    return VerifyByListKey(key, digest, signed_bytes, signature);
  }
  if (!record.public_key) return absl::InvalidArgumentError("the record carries no key");
  TL_ASSIGN_OR_RETURN(const ListKey key, RsaKeyFromBytes(*record.public_key));
  return VerifyByListKey(key, digest, signed_bytes, signature);
}

std::string FileSigner::Text() const {
  return absl::StrCat("signer ", subject.empty() ? "by issuer " : "",
                      absl::Utf8SafeCHexEscape(subject.empty() ? issuer : subject), " serial ",
                      absl::AsciiStrToUpper(absl::BytesToHexString(serial)));
}

FileRuling CheckDigestAbility(uint8_t digest_code, const PhoneAbilities& abilities) {
  if (digest_code == static_cast<uint8_t>(SignatureDigest::kSha1))
    return FileRuling::Accept("SHA-1");
  if (digest_code == static_cast<uint8_t>(SignatureDigest::kSha512)) {
    if (abilities.sha512) return FileRuling::Accept("SHA-512");
    return FileRuling::Refuse(PhoneRefusal::kAlgorithm,
                              "it is signed with SHA-512 and this phone only takes SHA-1");
  }
  return FileRuling::Refuse(
      PhoneRefusal::kAlgorithm,
      absl::StrCat("it is signed with digest ", digest_code, ", which no phone is known to take"));
}

}  // namespace trustline
