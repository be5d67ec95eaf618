// The effects of a simulated phone on live servers.
#pragma once

#include <string>
#include <vector>

#include "trust/phone/phone.h"

namespace trustline {

// Files by HTTP and, where that gives none, by TFTP; TVS over TLS with the phone's list pinned.
// Safe for concurrent use.
class LiveNetwork : public PhoneNetwork {
 public:
  explicit LiveNetwork(const PhoneBehaviour& behaviour) : behaviour_(behaviour) {}

  absl::StatusOr<std::string> Fetch(const std::string& tftp_server,
                                    const std::string& file) override;
  absl::StatusOr<TvsReply> AskTvs(const TvsAddress& server, const TvsRequest& request,
                                  const std::vector<Certificate>& pinned) override;

 private:
  const PhoneBehaviour behaviour_;
};

}  // namespace trustline
