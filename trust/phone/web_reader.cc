#include "trust/phone/web_reader.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "trust/phone/file_download.h"
#include "trust/phone/web_page.h"

namespace trustline {

absl::StatusOr<PhoneEvidence> ReadPhoneWebPage(const std::string& host, uint16_t port,
                                               absl::Duration timeout, absl::Time now) {
  absl::Status last = absl::InvalidArgumentError(absl::StrCat(host, ": no such page"));
  // 78xx, 88xx and 79xx; 89xx.
  for (const char* path : {"/CGI/Java/Serviceability?adapter=device.statistics.configuration",
                           "/NetworkConfiguration"}) {
    const absl::StatusOr<std::string> page = DownloadPage(host, port, path, timeout);
    if (!page.ok()) {
      last = absl::Status(page.status().code(), absl::StrCat(host, ": ", page.status().message()));
      if (!absl::IsNotFound(page.status())) return last;
      continue;
    }
    absl::StatusOr<PhoneEvidence> phone = ParsePhoneWebPage(*page);
    if (phone.ok()) {
      phone->read_at = now;
      return phone;
    }
    last = absl::InvalidArgumentError(absl::StrCat(host, ": ", phone.status().message()));
  }
  return last;
}

}  // namespace trustline
