#include "agent/gate/served_lists.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "trust/rsa_signature.h"
#include "trust/trust_list/list_crypto.h"
#include "trust/trust_list/list_writer.h"

namespace trustline::agent {

std::string ListSha1(absl::string_view bytes) {
  return absl::BytesToHexString(DigestOf(SignatureDigest::kSha1, bytes));
}

void ServedLists::Take(const std::string& address, const v1::Cluster& cluster,
                       const std::string& file, bool ctl) {
  absl::StatusOr<std::string> bytes = network_.Fetch(address, file);
  if (!bytes.ok()) {
    if (!absl::IsNotFound(bytes.status())) {
      failures_.emplace(map_.NameOf(address), std::string(bytes.status().message()));
    }
    return;
  }
  const size_t index = lists_.size();
  by_digest_.emplace(ListSha1(*bytes), index);
  by_digest_.emplace(absl::BytesToHexString(Md5(*bytes)), index);
  lists_.push_back({*std::move(bytes), map_.NameOf(address), &cluster, ctl});
}

void ServedLists::FetchCommon() {
  if (!fetched_.insert("").second) return;
  for (const v1::Cluster& cluster : map_.clusters()) {
    for (const std::string& address : ClusterMap::TftpAddresses(cluster)) {
      Take(address, cluster, kItlFileName, false);
      Take(address, cluster, kCtlFileName, true);
    }
  }
}

const ServedList* ServedLists::Find(absl::string_view digest,
                                    const std::vector<std::string>& devices) {
  const std::string wanted = absl::AsciiStrToLower(digest);
  FetchCommon();
  const auto known = [&]() -> const ServedList* {
    const auto found = by_digest_.find(wanted);
    return found == by_digest_.end() ? nullptr : &lists_[found->second];
  };
  if (const ServedList* list = known()) return list;
  for (const std::string& device : devices) {
    if (device.empty() || !fetched_.insert(device).second) continue;
    for (const v1::Cluster& cluster : map_.clusters()) {
      for (const std::string& address : ClusterMap::TftpAddresses(cluster)) {
        Take(address, cluster, absl::StrCat("ITL", device, ".tlv"), false);
        Take(address, cluster, absl::StrCat("CTL", device, ".tlv"), true);
      }
    }
    if (const ServedList* list = known()) return list;
  }
  return known();
}

std::vector<std::string> ServedLists::Failures() const {
  std::vector<std::string> failures;
  for (const auto& [node, why] : failures_) failures.push_back(absl::StrCat(node, " (", why, ")"));
  return failures;
}

}  // namespace trustline::agent
