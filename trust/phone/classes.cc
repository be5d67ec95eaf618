#include "trust/phone/classes.h"

#include <algorithm>
#include <unordered_map>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "trust/rsa_signature.h"
#include "trust/sha256.h"
#include "trust/trust_list/list_crypto.h"

namespace trustline {
namespace {

constexpr size_t kExamples = 5;
constexpr size_t kDigestShown = 12;

// Every part with its length, so that no two phones differ and look alike.
void AppendPart(std::string* key, absl::string_view part) {
  absl::StrAppend(key, part.size(), ":", part);
}

// A list of many phones is digested once.
const std::string& DigestOnce(std::unordered_map<std::string, std::string>* known,
                              const std::string& bytes) {
  std::string& digest = (*known)[bytes];
  if (digest.empty()) digest = Sha256(bytes);
  return digest;
}

std::string KeyOf(const PhoneEvidence& phone,
                  std::unordered_map<std::string, std::string>* digests) {
  std::string key;
  for (const ListEvidence* list : {&phone.itl, &phone.ctl}) {
    AppendPart(&key, list->none ? "none" : list->bytes ? DigestOnce(digests, *list->bytes) : "");
    if (!list->bytes) AppendPart(&key, absl::StrCat(list->digest, "\n", list->file));
  }
  for (const TvsAddress& server : phone.tvs) AppendPart(&key, server.Text());
  AppendPart(&key, "tftp");
  for (const std::string& server : phone.alternate_tftp) AppendPart(&key, server);
  AppendPart(&key, absl::StrCat(phone.abilities.security_by_default, phone.abilities.sha512,
                                phone.abilities.elliptic_curves));
  AppendPart(&key, phone.lsc_issuer);
  AppendPart(&key, phone.excluded);
  return key;
}

std::string ListText(absl::string_view name, const ListEvidence& list) {
  if (list.none) return absl::StrCat(name, " none");
  std::string digest = list.digest;
  if (digest.empty() && list.bytes)
    digest = absl::BytesToHexString(DigestOf(SignatureDigest::kSha1, *list.bytes));
  if (digest.empty()) return list.file.empty() ? "" : absl::StrCat(name, " ", list.file);
  return absl::StrCat(name, " ", digest.substr(0, kDigestShown));
}

}  // namespace

std::string EvidenceClass::Holds() const {
  std::vector<std::string> parts;
  for (std::string part : {ListText("ITL", evidence.itl), ListText("CTL", evidence.ctl)})
    if (!part.empty()) parts.push_back(std::move(part));
  return parts.empty() ? "no evidence" : absl::StrJoin(parts, "  ");
}

std::vector<EvidenceClass> ClassifyPhones(const std::vector<PhoneEvidence>& phones) {
  std::vector<EvidenceClass> classes;
  std::unordered_map<std::string, size_t> by_key;
  std::unordered_map<std::string, std::string> digests;
  for (size_t i = 0; i < phones.size(); ++i) {
    const auto [found, is_new] = by_key.emplace(KeyOf(phones[i], &digests), classes.size());
    if (is_new) {
      EvidenceClass first;
      first.evidence = phones[i];
      classes.push_back(std::move(first));
    }
    EvidenceClass& its = classes[found->second];
    its.phones.push_back(i);
    if (its.examples.size() < kExamples) its.examples.push_back(phones[i].device);
  }
  std::stable_sort(classes.begin(), classes.end(),
                   [](const EvidenceClass& a, const EvidenceClass& b) {
                     return a.phones.size() > b.phones.size();
                   });
  return classes;
}

void ListLibrary::Add(const std::string& bytes, const std::string& origin) {
  by_digest_.emplace(absl::BytesToHexString(DigestOf(SignatureDigest::kSha1, bytes)),
                     Entry{bytes, origin});
  const std::string md5 = Md5(bytes);
  if (!md5.empty()) by_digest_.emplace(absl::BytesToHexString(md5), Entry{bytes, origin});
}

bool ListLibrary::Resolve(ListEvidence* list) const {
  if (list->bytes || list->digest.empty()) return list->bytes.has_value();
  const auto found = by_digest_.find(list->digest);
  if (found == by_digest_.end()) return false;
  list->bytes = found->second.bytes;
  return true;
}

std::string ListLibrary::OriginOf(const ListEvidence& list) const {
  std::string digest = list.digest;
  if (digest.empty() && list.bytes)
    digest = absl::BytesToHexString(DigestOf(SignatureDigest::kSha1, *list.bytes));
  const auto found = by_digest_.find(digest);
  return found == by_digest_.end() ? "" : found->second.origin;
}

std::string LiveList::Sha1() const {
  return absl::BytesToHexString(DigestOf(SignatureDigest::kSha1, bytes));
}
std::string LiveList::Md5() const { return absl::BytesToHexString(trustline::Md5(bytes)); }

LiveLists FetchLiveLists(PhoneNetwork& network, const std::vector<std::string>& servers,
                         const PhoneBehaviour& behaviour, const std::string& device) {
  LiveLists live;
  for (const std::string& server : servers) {
    const auto name = behaviour.names.find(server);
    for (const bool ctl : {false, true}) {
      const std::string kind = ctl ? "CTL" : "ITL";
      absl::StatusOr<std::string> file = network.Fetch(server, kind + "File.tlv");
      if (absl::IsNotFound(file.status()) && !device.empty())
        file = network.Fetch(server, absl::StrCat(kind, device, ".tlv"));
      if (!file.ok()) {
        // A cluster that is not in mixed mode has no CTL.
        if (absl::IsNotFound(file.status()) && ctl) continue;
        live.problems.push_back(
            absl::StrCat(behaviour.NameOf(server), ": ", kind, ": ", file.status().message()));
        if (!absl::IsNotFound(file.status())) break;
        continue;
      }
      LiveList list;
      list.server = server;
      list.node = name == behaviour.names.end() ? server : name->second;
      list.ctl = ctl;
      list.bytes = *std::move(file);
      live.lists.push_back(std::move(list));
    }
  }
  return live;
}

}  // namespace trustline
