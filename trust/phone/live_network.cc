#include "trust/phone/live_network.h"

#include "absl/strings/str_cat.h"
#include "trust/phone/file_download.h"
#include "trust/status_macros.h"
#include "trust/tvs/tvs_client.h"

namespace trustline {

absl::StatusOr<std::string> LiveNetwork::Fetch(const std::string& tftp_server,
                                               const std::string& file) {
  absl::StatusOr<std::string> by_http = DownloadFile(
      FileTransport::kHttp, tftp_server, behaviour_.http_port, file, behaviour_.file_timeout);
  // A file that is too large does not become smaller by TFTP.
  if (by_http.ok() || absl::IsResourceExhausted(by_http.status())) return by_http;
  absl::StatusOr<std::string> by_tftp = DownloadFile(
      FileTransport::kTftp, tftp_server, behaviour_.tftp_port, file, behaviour_.file_timeout);
  if (by_tftp.ok()) return by_tftp;
  const std::string both =
      absl::StrCat("HTTP ", behaviour_.http_port, ": ", by_http.status().message(), "; TFTP ",
                   behaviour_.tftp_port, ": ", by_tftp.status().message());
  // Where one of them says that there is no such file, the server is there and has none.
  if (absl::IsNotFound(by_tftp.status()) || absl::IsNotFound(by_http.status()))
    return absl::NotFoundError(both);
  return absl::Status(by_tftp.status().code(), both);
}

absl::StatusOr<TvsReply> LiveNetwork::AskTvs(const TvsAddress& server, const TvsRequest& request,
                                             const std::vector<Certificate>& pinned) {
  TvsClientOptions options;
  options.pinned = pinned;
  options.timeout = behaviour_.tvs_timeout;
  options.legacy_tls = behaviour_.legacy_tls;
  TL_ASSIGN_OR_RETURN(TvsAnswer answer, trustline::AskTvs(server, request, options));
  return std::move(answer.reply);
}

}  // namespace trustline
