// What many simulated phones of one judgement ask the same servers, asked once: classes decide
// alike on the same answers, and a server that does not answer is waited for once.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "trust/phone/phone.h"

namespace trustline::agent {

// Thread-compatible. Lives for one judgement; `inner` outlives it.
class RememberingNetwork final : public PhoneNetwork {
 public:
  explicit RememberingNetwork(PhoneNetwork& inner) : inner_(inner) {}

  absl::StatusOr<std::string> Fetch(const std::string& tftp_server,
                                    const std::string& file) override;
  absl::StatusOr<TvsReply> AskTvs(const TvsAddress& server, const TvsRequest& request,
                                  const std::vector<Certificate>& pinned) override;

 private:
  using Question =
      std::tuple<std::string, uint16_t, TvsKind, std::string, std::string, std::string>;

  PhoneNetwork& inner_;
  std::map<std::pair<std::string, std::string>, absl::StatusOr<std::string>> files_;
  std::map<Question, absl::StatusOr<TvsReply>> replies_;
  std::map<std::string, absl::Status> silent_tftp_;  // by server
  std::map<std::pair<std::string, uint16_t>, absl::Status> silent_tvs_;
};

}  // namespace trustline::agent
