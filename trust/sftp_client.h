// The part of SFTP version 3 that publishing immutable files needs, pipelined (source:
// draft-ietf-secsh-filexfer-02, and OpenSSH's PROTOCOL file for fsync and statvfs). It knows
// nothing of SSH: it speaks over a byte stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trustline {

// The bytes of one SFTP session. Thread-compatible. Every error is final for the stream.
class SftpStream {
 public:
  virtual ~SftpStream() = default;
  // Starts the clock of the longest wait anew. It runs on through Send and Receive; when it is out,
  // both return Unavailable.
  virtual void StartClock() = 0;
  // Unavailable: dropped or out of time.
  virtual absl::Status Send(absl::string_view bytes) = 0;
  // Exactly `count` bytes. Unavailable: dropped or out of time.
  virtual absl::StatusOr<std::string> Receive(size_t count) = 0;
};

struct SftpAttributes {
  std::optional<uint64_t> size;
  std::optional<uint32_t> permissions;  // as st_mode, with the file type
  bool is_directory() const { return permissions && (*permissions & 0170000) == 0040000; }
};

struct SftpName {
  std::string name;
  SftpAttributes attributes;
};

// Thread-compatible. The server is not trusted: every length it sends is bounded, and an answer
// that breaks the protocol ends the session (Internal). Errors: NotFound, PermissionDenied,
// Unavailable (stream), ResourceExhausted (disk full), Unimplemented, Internal (the server's plain
// "failure", or nonsense).
class SftpClient {
 public:
  // Says hello. The stream is owned from then on.
  static absl::StatusOr<std::unique_ptr<SftpClient>> Start(std::unique_ptr<SftpStream> stream);

  // Follows symbolic links.
  absl::StatusOr<SftpAttributes> Stat(absl::string_view path);
  // Without "." and ".."; entries whose names could not be a part of a path are left out.
  // ResourceExhausted beyond `max_entries`.
  absl::StatusOr<std::vector<SftpName>> ReadDirectory(absl::string_view path, size_t max_entries);
  // ResourceExhausted when the file is larger than `max_bytes`.
  absl::StatusOr<std::string> ReadFile(absl::string_view path, uint64_t max_bytes);
  // Creates a file that must not exist (Internal when it does, as version 3 cannot tell), writes,
  // syncs it to disk where the server can, closes. On an error the file may be there in part; the
  // caller removes it.
  absl::Status WriteNewFile(absl::string_view path, absl::string_view bytes);
  // Internal when `to` exists: version 3 knows no reason. Never replaces a file on a server that
  // keeps to the draft.
  absl::Status Rename(absl::string_view from, absl::string_view to);
  absl::Status MakeDirectory(absl::string_view path);
  absl::Status Remove(absl::string_view path);
  // Bytes that are free for us where `path` lies. Unimplemented when the server cannot say.
  absl::StatusOr<uint64_t> FreeBytes(absl::string_view path);

  // True after the stream failed or the server spoke nonsense: nothing further will work.
  bool broken() const { return broken_; }

 private:
  struct Packet {
    uint8_t type = 0;
    std::string body;  // after the request id
  };

  explicit SftpClient(std::unique_ptr<SftpStream> stream) : stream_(std::move(stream)) {}

  absl::Status Hello();
  absl::Status Broken(absl::Status status);
  absl::Status Nonsense(absl::string_view what);
  absl::StatusOr<std::string> ReceivePacket();
  // Sends a request, returns its id. `arguments` follow the id.
  absl::StatusOr<uint32_t> Request(uint8_t type, absl::string_view arguments);
  // The answer to request `id`, whatever order the server answers in.
  absl::StatusOr<Packet> Answer(uint32_t id);
  // For answers that are only a status.
  absl::Status StatusAnswer(uint32_t id, absl::string_view what);
  // The status inside `packet`; Internal nonsense if it is none or says OK where data must come
  // (`ok_is_nonsense`).
  absl::Status ToStatus(const Packet& packet, absl::string_view what, bool ok_is_nonsense);
  absl::StatusOr<std::string> Handle(uint8_t type, absl::string_view arguments,
                                     absl::string_view what);
  absl::StatusOr<SftpAttributes> AttributesAnswer(uint32_t id, absl::string_view what);
  absl::Status CloseHandle(absl::string_view handle, absl::string_view what);
  absl::StatusOr<std::string> ReadAll(absl::string_view handle, absl::string_view path,
                                      uint64_t max_bytes);
  absl::StatusOr<std::vector<SftpName>> ReadEntries(absl::string_view handle,
                                                    absl::string_view path, size_t max_entries);
  absl::Status WriteAll(absl::string_view handle, absl::string_view path, absl::string_view bytes);

  std::unique_ptr<SftpStream> stream_;
  bool broken_ = false;
  bool can_fsync_ = false;
  bool can_statvfs_ = false;
  uint32_t next_id_ = 1;
  std::map<uint32_t, std::optional<Packet>> outstanding_;  // empty until answered
};

}  // namespace trustline
