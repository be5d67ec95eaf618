// The agent's identity on disk: read, checked, and handed to gRPC only when it is right. gRPC
// itself would serve a key that does not match its certificate, and every handshake would fail
// until somebody noticed. No gRPC.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/host.h"
#include "agent/resource_kind.h"
#include "protos/trustline/v1/agent_config.pb.h"

namespace trustline::agent {

// Watches the identity files named in agent.yaml. A new set is believed when the key matches the
// certificate, the certificate chains to the CA file and is valid now, and it names this agent
// (domain and node). It is then copied, as a whole, into a directory of its own below
// STATE/identity, and one symbolic link is flipped; gRPC watches the files behind that link. A set
// that is not believed changes nothing: what was good stays served. Safe for concurrent use.
class IdentityKeeper {
 public:
  // Reads the first set. Errors say which file or name is wrong; the agent cannot start without.
  static absl::StatusOr<std::unique_ptr<IdentityKeeper>> Open(const v1::AgentConfig& config,
                                                              const Clock& clock);
  // Whether Open would believe the files. Writes nothing.
  static absl::Status Check(const v1::AgentConfig& config, const Clock& clock);
  ~IdentityKeeper();

  // What is believed now.
  NodeIdentity Current() const;

  // Looks at the files again: true when a new set was taken up. An error says why a new set was
  // not; the same wrong content is reported once, then answered false.
  absl::StatusOr<bool> Poll();

  // What gRPC watches. Constant paths; their content is always one whole set.
  const std::string& key_path() const { return key_path_; }
  const std::string& certificate_path() const { return certificate_path_; }
  const std::string& ca_path() const { return ca_path_; }

 private:
  struct Files;
  IdentityKeeper(const v1::AgentConfig& config, const Clock& clock);
  absl::StatusOr<Files> ReadFiles() const;
  absl::StatusOr<NodeIdentity> Validate(const Files& files) const;
  absl::Status Publish(const Files& files);  // mutex_ held

  const std::string node_, domain_;
  const v1::AgentIdentityFiles sources_;
  const std::string state_directory_, directory_, key_path_, certificate_path_, ca_path_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::unique_ptr<NodeIdentity> current_;  // guarded by mutex_, as everything below
  std::string current_digest_, refused_digest_;
  uint64_t generation_ = 0;
};

}  // namespace trustline::agent
