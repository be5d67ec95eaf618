// Numbers and bytes of SFTP version 3 (draft-ietf-secsh-filexfer-02). Pure; the reader never reads
// past its bytes.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "trust/sftp_client.h"

namespace trustline {
namespace sftp {

enum PacketType : uint8_t {
  kInit = 1,
  kVersion = 2,
  kOpen = 3,
  kClose = 4,
  kRead = 5,
  kWrite = 6,
  kFstat = 8,
  kOpenDir = 11,
  kReadDir = 12,
  kRemove = 13,
  kMkdir = 14,
  kStat = 17,
  kRename = 18,
  kStatus = 101,
  kHandle = 102,
  kData = 103,
  kName = 104,
  kAttrs = 105,
  kExtended = 200,
  kExtendedReply = 201,
};

enum StatusCode : uint32_t {
  kOk = 0,
  kEof = 1,
  kNoSuchFile = 2,
  kPermissionDenied = 3,
  kFailure = 4,
  kBadMessage = 5,
  kNoConnection = 6,
  kConnectionLost = 7,
  kOpUnsupported = 8,
  // Of later drafts; some servers send them in version 3.
  kFileAlreadyExists = 11,
  kWriteProtect = 12,
  kNoSpace = 14,
  kQuotaExceeded = 15,
};

enum OpenFlags : uint32_t {
  kOpenRead = 0x01,
  kOpenWrite = 0x02,
  kOpenCreate = 0x08,
  kOpenExclusive = 0x20,
};

}  // namespace sftp

class SftpWriter {
 public:
  SftpWriter& Byte(uint8_t value);
  SftpWriter& Int(uint32_t value);
  SftpWriter& Long(uint64_t value);
  SftpWriter& String(absl::string_view value);
  SftpWriter& Raw(absl::string_view value);
  const std::string& bytes() const { return bytes_; }
  // The bytes with their length in front.
  std::string Packet() const;

 private:
  std::string bytes_;
};

// Reads front to back. After a value that is not there every further one is zero or empty and ok()
// is false. `bytes` must outlive it and its strings.
class SftpReader {
 public:
  explicit SftpReader(absl::string_view bytes) : rest_(bytes) {}
  uint8_t Byte();
  uint32_t Int();
  uint64_t Long();
  absl::string_view String();
  SftpAttributes Attributes();
  bool ok() const { return ok_; }
  bool done() const { return rest_.empty(); }
  absl::string_view rest() const { return rest_; }

 private:
  absl::string_view Take(size_t count);
  absl::string_view rest_;
  bool ok_ = true;
};

// Whether `name` could be one part of a path: not empty, not "." or "..", no '/' or NUL, at most
// 255 bytes.
bool IsPathPart(absl::string_view name);

}  // namespace trustline
