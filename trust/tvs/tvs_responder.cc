#include "trust/tvs/tvs_responder.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/strip.h"
#include "trust/directory_name.h"

namespace trustline {
namespace {

// Leaves room in a frame of 64 KiB for everything else.
constexpr size_t kMostCertificateBytes = 60'000;

std::string WithoutZeros(absl::string_view serial) {
  while (serial.size() > 1 && serial.front() == '\0') serial.remove_prefix(1);
  return std::string(serial);
}

}  // namespace

std::vector<ListRole> RolesOfStore(absl::string_view store, bool mixed_mode) {
  if (store == "Phone-SAST-trust" || store == "ITLRecovery") return {ListRole::kSast};
  if (store == "CallManager-trust") return {ListRole::kTftp};
  if (store == "CallManager") {
    return {ListRole::kSast, mixed_mode ? ListRole::kCcmTftp : ListRole::kTftp};
  }
  const absl::string_view unit = absl::StripSuffix(store, "-trust");
  if (unit == "CAPF") return {ListRole::kCapf};
  if (unit == "TVS") return {ListRole::kTvs};
  if (unit == "tomcat") return {ListRole::kAppServer};
  return {};
}

TvsResponder::TvsResponder(const std::vector<TrustedCertificate>& trusted,
                           const TvsResponderOptions& options)
    : ttl_(options.ttl) {
  std::map<Certificate, std::set<uint8_t>> roles;
  for (const TrustedCertificate& stored : trusted) {
    if (stored.certificate.der().size() > kMostCertificateBytes) continue;
    for (const ListRole role : RolesOfStore(stored.store, options.mixed_mode)) {
      roles[stored.certificate].insert(static_cast<uint8_t>(role));
    }
  }
  for (auto& [certificate, bytes] : roles) {
    entries_.push_back({certificate, {bytes.begin(), bytes.end()}});
  }
  std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return a.certificate.not_before() > b.certificate.not_before();
  });
  for (size_t i = 0; i < entries_.size(); ++i) {
    const Certificate& certificate = entries_[i].certificate;
    by_serial_[WithoutZeros(certificate.serial())].push_back(i);
    by_key_.emplace(TvsLookupKey(certificate.serial(), certificate.issuer()), i);
    by_der_.emplace(certificate.der(), i);
  }
}

const TvsResponder::Entry* TvsResponder::Find(const TvsRequest& request) const {
  if (request.kind == TvsKind::kVerify) {
    const auto found = by_der_.find(request.certificate);
    return found == by_der_.end() ? nullptr : &entries_[found->second];
  }
  const auto exact = by_key_.find(TvsLookupKey(request.serial, request.issuer));
  if (exact != by_key_.end()) return &entries_[exact->second];
  // The same name as other products write it: ',' between, another order, blanks.
  const auto same_serial = by_serial_.find(WithoutZeros(request.serial));
  if (same_serial == by_serial_.end()) return nullptr;
  for (const size_t i : same_serial->second) {
    if (SameDirectoryName(entries_[i].certificate.issuer(), request.issuer)) return &entries_[i];
  }
  return nullptr;
}

TvsReply TvsResponder::Answer(const TvsRequest& request) const {
  TvsReply reply;
  reply.kind = request.kind;
  reply.session = request.session;
  const Entry* entry = Find(request);
  reply.status = entry == nullptr ? 1 : 0;
  if (entry == nullptr) return reply;
  if (request.kind == TvsKind::kQuery) reply.certificate = entry->certificate.der();
  reply.roles = entry->roles;
  reply.ttl = ttl_;
  return reply;
}

}  // namespace trustline
