#include "agent/certificate_inventory.h"

#include <string>

#include "agent/linux_certificate_store.h"
#include "trust/status_macros.h"

namespace trustline::agent {

absl::StatusOr<std::vector<v1::CertificateStatus>> ListCertificates(const HostView& host) {
  std::vector<v1::CertificateStatus> result;
  if (host.layout.certificate_root.empty()) return result;
  TL_ASSIGN_OR_RETURN(const LinuxCertificateStore certificates,
                      LinuxCertificateStore::Open(host.files, host.layout));
  TL_ASSIGN_OR_RETURN(const std::vector<std::string> stores, certificates.Stores());
  for (const std::string& store : stores) {
    TL_ASSIGN_OR_RETURN(const StoreContents contents, certificates.List(store));
    for (const StoredEntry& entry : contents.entries) {
      v1::CertificateStatus& status = result.emplace_back();
      status.set_store(store);
      status.set_subject(entry.certificate.subject());
      status.set_serial(entry.certificate.serial_hex());
      status.set_sha256(entry.certificate.sha256_hex());
      status.set_not_after_unix(absl::ToUnixSeconds(entry.certificate.not_after()));
      status.set_own(entry.has_key);
    }
  }
  return result;
}

}  // namespace trustline::agent
