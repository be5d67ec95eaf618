// The SFTP hub as trustline sees it: immutable files below one directory. Implementations: SftpHub
// (trust/sftp_hub.h) and, for tests, a fake with switches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "protos/trustline/v1/kinds/hub.pb.h"
#include "protos/trustline/v1/secret.pb.h"

namespace trustline {

struct HubEntry {
  std::string name;  // without directory
  uint64_t size = 0;
  bool is_directory = false;
};

// Reading. Paths are relative to the hub's directory, '/' separated, without "." and ".." parts
// (InvalidArgument). Thread-compatible. Errors: NotFound; Unavailable (dropped, timed out: worth a
// retry); PermissionDenied (login or file); FailedPrecondition (host key, both fingerprints shown);
// Internal (the server breaks the protocol or names no reason).
class HubReader {
 public:
  virtual ~HubReader() = default;
  // Entries of a directory, ascending by name. "" is the hub's directory. An absent directory is
  // NotFound.
  virtual absl::StatusOr<std::vector<HubEntry>> List(absl::string_view directory) = 0;
  // The whole file. ResourceExhausted when it is larger than `max_bytes`.
  virtual absl::StatusOr<std::string> Read(absl::string_view path, uint64_t max_bytes) = 0;
};

class Hub : public HubReader {
 public:
  // Publishes a new file: temporary name, write, fsync, rename. No reader ever sees a part of it.
  // AlreadyExists when the name is taken (its bytes are untouched). ResourceExhausted when the disk
  // is full. Missing directories are made. On any error the temporary file is removed as far as the
  // link allows.
  virtual absl::Status Publish(absl::string_view path, absl::string_view bytes) = 0;
};

// Opens hubs. Each call may dial; a caller keeps what it got for one pass over a stage. Safe for
// concurrent use.
class HubDialer {
 public:
  virtual ~HubDialer() = default;
  // `secrets` resolves the address's password or private_key; a missing one is FailedPrecondition
  // "secret NAME not held".
  virtual absl::StatusOr<std::unique_ptr<Hub>> Dial(const v1::HubAddress& address,
                                                    const v1::SecretValues& secrets) = 0;
};

// What implementations share.

inline constexpr size_t kMaxHubPathBytes = 1024;
inline constexpr size_t kMaxHubNameBytes =
    230;  // leaves room for the temporary name around it within 255

// InvalidArgument unless `path` is relative, of non-empty parts, none of them "." or "..", without
// control characters and within the limits above. The empty path, which names the hub's directory
// itself, is for List only and is not accepted here.
absl::Status CheckHubPath(absl::string_view path);

// The value of `reference`; FailedPrecondition "secret NAME not held". The view lives as long as
// `secrets`.
absl::StatusOr<absl::string_view> HubSecret(const v1::SecretRef& reference,
                                            const v1::SecretValues& secrets);

}  // namespace trustline
