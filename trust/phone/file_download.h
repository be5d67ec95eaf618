// One file by HTTP or TFTP, as phones fetch theirs. The one file pair that knows libcurl.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace trustline {

// Phones take no larger file.
inline constexpr size_t kMaxPhoneFileBytes = 2048 << 10;

enum class FileTransport { kHttp, kTftp };

// Blocks for `timeout` at most. No proxy, no redirect, no name resolution beyond the system's. Safe
// for concurrent use.
// NotFound: the server says there is no such file (HTTP 404, TFTP error 1). DataLoss: the download
// broke off. ResourceExhausted: more than kMaxPhoneFileBytes. InvalidArgument: a name with anything
// but letters, digits, '.', '_' and '-'. Unavailable: everything else.
absl::StatusOr<std::string> DownloadFile(FileTransport transport, const std::string& host,
                                         uint16_t port, const std::string& name,
                                         absl::Duration timeout);

// A page of a phone's own web server, by HTTP: `path` begins with '/' and may have a query. Errors
// as above.
absl::StatusOr<std::string> DownloadPage(const std::string& host, uint16_t port,
                                         const std::string& path, absl::Duration timeout);

}  // namespace trustline
