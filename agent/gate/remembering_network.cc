#include "agent/gate/remembering_network.h"

#include "absl/strings/str_cat.h"

namespace trustline::agent {
namespace {

bool IsSilence(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

}  // namespace

absl::StatusOr<std::string> RememberingNetwork::Fetch(const std::string& tftp_server,
                                                      const std::string& file) {
  if (const auto silent = silent_tftp_.find(tftp_server); silent != silent_tftp_.end()) {
    return silent->second;
  }
  const std::pair key(tftp_server, file);
  if (const auto known = files_.find(key); known != files_.end()) return known->second;
  absl::StatusOr<std::string> answer = inner_.Fetch(tftp_server, file);
  if (IsSilence(answer.status())) silent_tftp_[tftp_server] = answer.status();
  return files_.emplace(key, std::move(answer)).first->second;
}

absl::StatusOr<TvsReply> RememberingNetwork::AskTvs(const TvsAddress& server,
                                                    const TvsRequest& request,
                                                    const std::vector<Certificate>& pinned) {
  const std::pair where(server.host, server.port);
  if (const auto silent = silent_tvs_.find(where); silent != silent_tvs_.end()) {
    return silent->second;
  }
  std::string pins;
  for (const Certificate& certificate : pinned) pins += certificate.sha256();
  const Question key(server.host, server.port, request.kind, request.issuer,
                     absl::StrCat(request.serial, "/", request.certificate), std::move(pins));
  auto known = replies_.find(key);
  if (known == replies_.end()) {
    absl::StatusOr<TvsReply> answer = inner_.AskTvs(server, request, pinned);
    if (IsSilence(answer.status())) silent_tvs_[where] = answer.status();
    known = replies_.emplace(key, std::move(answer)).first;
  }
  absl::StatusOr<TvsReply> reply = known->second;
  // A reply belongs to its question; this is the same question by another phone.
  if (reply.ok()) reply->session = request.session;
  return reply;
}

}  // namespace trustline::agent
