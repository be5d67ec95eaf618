#include "trust/sftp_client.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "trust/sftp_wire.h"
#include "trust/status_macros.h"

namespace trustline {
namespace {

constexpr uint32_t kVersion = 3;
// OpenSSH's own limit is 256 KiB; a packet of data carries a little more around it.
constexpr uint32_t kMaxPacket = 256 * 1024 + 1024;
constexpr uint32_t kChunk = 32 * 1024;
// Requests in flight: 1 MiB of data, enough for 20 ms at 400 Mbit/s.
constexpr size_t kWindow = 32;
constexpr size_t kMaxHandle = 256;
// Answers of fewer bytes than asked for, before the end of a file: a plain file never has one.
constexpr int kMaxShortAnswers = 1024;

std::string Shown(absl::string_view text) {
  constexpr size_t kLongest = 200;
  return absl::Utf8SafeCHexEscape(text.substr(0, kLongest));
}

}  // namespace

absl::StatusOr<std::unique_ptr<SftpClient>> SftpClient::Start(std::unique_ptr<SftpStream> stream) {
  std::unique_ptr<SftpClient> client(new SftpClient(std::move(stream)));
  TL_RETURN_IF_ERROR(client->Hello());
  return client;
}

absl::Status SftpClient::Broken(absl::Status status) {
  broken_ = true;
  return status;
}

absl::Status SftpClient::Nonsense(absl::string_view what) {
  return Broken(
      absl::InternalError(absl::StrCat("the server does not keep to SFTP version 3: ", what)));
}

absl::Status SftpClient::Hello() {
  SftpWriter hello;
  hello.Byte(sftp::kInit).Int(kVersion);
  stream_->StartClock();
  const absl::Status sent = stream_->Send(hello.Packet());
  if (!sent.ok()) return Broken(sent);
  TL_ASSIGN_OR_RETURN(const std::string packet, ReceivePacket());
  SftpReader reader(packet);
  if (reader.Byte() != sftp::kVersion) return Nonsense("its hello is something else");
  const uint32_t version = reader.Int();
  if (!reader.ok()) return Nonsense("its hello is cut short");
  if (version != kVersion) {
    return Broken(absl::UnimplementedError(
        absl::StrCat("the server speaks SFTP version ", version, ", not ", kVersion)));
  }
  while (reader.ok() && !reader.done()) {
    const absl::string_view name = reader.String();
    const absl::string_view data = reader.String();
    if (!reader.ok()) return Nonsense("its hello is cut short");
    if (name == "fsync@openssh.com" && data == "1") can_fsync_ = true;
    if (name == "statvfs@openssh.com" && data == "2") can_statvfs_ = true;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> SftpClient::ReceivePacket() {
  absl::StatusOr<std::string> head = stream_->Receive(4);
  if (!head.ok()) return Broken(head.status());
  const uint32_t length = SftpReader(*head).Int();
  if (length < 1 || length > kMaxPacket) {
    return Nonsense(absl::StrCat("a packet of ", length, " bytes"));
  }
  absl::StatusOr<std::string> body = stream_->Receive(length);
  if (!body.ok()) return Broken(body.status());
  return body;
}

absl::StatusOr<uint32_t> SftpClient::Request(uint8_t type, absl::string_view arguments) {
  if (broken_) return absl::UnavailableError("the session is over");
  const uint32_t id = next_id_++;
  SftpWriter request;
  request.Byte(type).Int(id).Raw(arguments);
  stream_->StartClock();
  const absl::Status sent = stream_->Send(request.Packet());
  if (!sent.ok()) return Broken(sent);
  outstanding_[id] = std::nullopt;
  return id;
}

absl::StatusOr<SftpClient::Packet> SftpClient::Answer(uint32_t id) {
  for (;;) {
    const auto mine = outstanding_.find(id);
    if (mine == outstanding_.end()) return absl::InternalError("no such request");
    if (mine->second) {
      Packet packet = *std::move(mine->second);
      outstanding_.erase(mine);
      return packet;
    }
    if (broken_) return absl::UnavailableError("the session is over");
    stream_->StartClock();
    TL_ASSIGN_OR_RETURN(const std::string bytes, ReceivePacket());
    SftpReader reader(bytes);
    Packet packet;
    packet.type = reader.Byte();
    const uint32_t answered = reader.Int();
    if (!reader.ok()) return Nonsense("an answer without request number");
    packet.body = std::string(reader.rest());
    const auto asked = outstanding_.find(answered);
    if (asked == outstanding_.end() || asked->second) {
      return Nonsense("an answer to nothing that was asked");
    }
    asked->second = std::move(packet);
  }
}

absl::Status SftpClient::ToStatus(const Packet& packet, absl::string_view what,
                                  bool ok_is_nonsense) {
  if (packet.type != sftp::kStatus) return Nonsense("an answer of the wrong kind");
  SftpReader reader(packet.body);
  const uint32_t code = reader.Int();
  if (!reader.ok()) return Nonsense("a status without code");
  std::string said;
  // Old servers leave the text out.
  if (!reader.done()) said = Shown(reader.String());
  if (!reader.ok()) return Nonsense("a status cut short");
  const std::string text =
      said.empty() ? absl::StrCat(what, ": status ", code) : absl::StrCat(what, ": ", said);
  switch (code) {
    case sftp::kOk:
      return ok_is_nonsense ? Nonsense("'ok' where data must come") : absl::OkStatus();
    case sftp::kEof:
      return absl::OutOfRangeError(text);
    case sftp::kNoSuchFile:
      return absl::NotFoundError(text);
    case sftp::kPermissionDenied:
    case sftp::kWriteProtect:
      return absl::PermissionDeniedError(text);
    case sftp::kOpUnsupported:
      return absl::UnimplementedError(text);
    case sftp::kFileAlreadyExists:
      return absl::AlreadyExistsError(text);
    case sftp::kNoSpace:
    case sftp::kQuotaExceeded:
      return absl::ResourceExhaustedError(text);
    case sftp::kNoConnection:
    case sftp::kConnectionLost:
      return Broken(absl::UnavailableError(text));
    default:
      return absl::InternalError(text);
  }
}

absl::Status SftpClient::StatusAnswer(uint32_t id, absl::string_view what) {
  TL_ASSIGN_OR_RETURN(const Packet packet, Answer(id));
  return ToStatus(packet, what, /*ok_is_nonsense=*/false);
}

absl::StatusOr<std::string> SftpClient::Handle(uint8_t type, absl::string_view arguments,
                                               absl::string_view what) {
  TL_ASSIGN_OR_RETURN(const uint32_t id, Request(type, arguments));
  TL_ASSIGN_OR_RETURN(const Packet packet, Answer(id));
  if (packet.type != sftp::kHandle) return ToStatus(packet, what, /*ok_is_nonsense=*/true);
  SftpReader reader(packet.body);
  const absl::string_view handle = reader.String();
  if (!reader.ok() || handle.size() > kMaxHandle) return Nonsense("a broken handle");
  return std::string(handle);
}

absl::Status SftpClient::CloseHandle(absl::string_view handle, absl::string_view what) {
  TL_ASSIGN_OR_RETURN(const uint32_t id,
                      Request(sftp::kClose, SftpWriter().String(handle).bytes()));
  return StatusAnswer(id, what);
}

absl::StatusOr<SftpAttributes> SftpClient::AttributesAnswer(uint32_t id, absl::string_view what) {
  TL_ASSIGN_OR_RETURN(const Packet packet, Answer(id));
  if (packet.type != sftp::kAttrs) return ToStatus(packet, what, /*ok_is_nonsense=*/true);
  SftpReader reader(packet.body);
  const SftpAttributes attributes = reader.Attributes();
  if (!reader.ok()) return Nonsense("broken attributes");
  return attributes;
}

absl::StatusOr<SftpAttributes> SftpClient::Stat(absl::string_view path) {
  TL_ASSIGN_OR_RETURN(const uint32_t id, Request(sftp::kStat, SftpWriter().String(path).bytes()));
  return AttributesAnswer(id, path);
}

absl::StatusOr<std::vector<SftpName>> SftpClient::ReadEntries(absl::string_view handle,
                                                              absl::string_view path,
                                                              size_t max_entries) {
  std::vector<SftpName> entries;
  // What is passed over counts too, or a server that goes on saying "." would never be left.
  constexpr size_t kSelfAndParent = 2;
  size_t told = 0;
  const std::string arguments = SftpWriter().String(handle).bytes();
  for (;;) {
    TL_ASSIGN_OR_RETURN(const uint32_t id, Request(sftp::kReadDir, arguments));
    TL_ASSIGN_OR_RETURN(const Packet packet, Answer(id));
    if (packet.type != sftp::kName) {
      const absl::Status status = ToStatus(packet, path, /*ok_is_nonsense=*/true);
      if (absl::IsOutOfRange(status)) return entries;
      return status;
    }
    SftpReader reader(packet.body);
    const uint32_t count = reader.Int();
    if (count == 0) return Nonsense("a directory answer without entries");
    for (uint32_t i = 0; i < count; ++i) {
      SftpName entry;
      entry.name = std::string(reader.String());
      reader.String();  // the line "ls -l" would show
      entry.attributes = reader.Attributes();
      if (!reader.ok()) return Nonsense("a directory entry cut short");
      const bool itself = entry.name == "." || entry.name == "..";
      if (++told > max_entries + kSelfAndParent || (!itself && entries.size() >= max_entries)) {
        return absl::ResourceExhaustedError(
            absl::StrCat(path, ": holds more than ", max_entries, " entries"));
      }
      if (itself || !IsPathPart(entry.name)) continue;
      entries.push_back(std::move(entry));
    }
  }
}

absl::StatusOr<std::vector<SftpName>> SftpClient::ReadDirectory(absl::string_view path,
                                                                size_t max_entries) {
  TL_ASSIGN_OR_RETURN(const std::string handle,
                      Handle(sftp::kOpenDir, SftpWriter().String(path).bytes(), path));
  absl::StatusOr<std::vector<SftpName>> entries = ReadEntries(handle, path, max_entries);
  if (!broken_) {
    const absl::Status closed = CloseHandle(handle, path);
    if (entries.ok()) TL_RETURN_IF_ERROR(closed);
  }
  return entries;
}

absl::StatusOr<std::string> SftpClient::ReadAll(absl::string_view handle, absl::string_view path,
                                                uint64_t max_bytes) {
  const absl::Status too_large =
      absl::ResourceExhaustedError(absl::StrCat(path, ": larger than ", max_bytes, " bytes"));
  TL_ASSIGN_OR_RETURN(const uint32_t stat_id,
                      Request(sftp::kFstat, SftpWriter().String(handle).bytes()));
  TL_ASSIGN_OR_RETURN(const SftpAttributes attributes, AttributesAnswer(stat_id, path));
  const uint64_t expected = attributes.size.value_or(0);
  if (expected > max_bytes) return too_large;

  std::string content;
  int short_answers = 0;
  bool at_end = false;
  while (!at_end) {
    // Up to a window of requests from where we are: as many as the size calls for, and one that
    // meets the end.
    const uint64_t left = expected > content.size() ? expected - content.size() : 0;
    const size_t count = std::min<uint64_t>(kWindow, (left + kChunk - 1) / kChunk + 1);
    std::vector<uint32_t> ids;
    for (size_t i = 0; i < count; ++i) {
      const uint64_t offset = content.size() + i * kChunk;
      TL_ASSIGN_OR_RETURN(
          const uint32_t id,
          Request(sftp::kRead, SftpWriter().String(handle).Long(offset).Int(kChunk).bytes()));
      ids.push_back(id);
    }
    // After an answer with less than was asked for, what was asked beyond it does not join on and
    // is dropped.
    bool joined = true;
    absl::Status failure;
    for (const uint32_t id : ids) {
      TL_ASSIGN_OR_RETURN(const Packet packet, Answer(id));
      if (packet.type != sftp::kData) {
        const absl::Status status = ToStatus(packet, path, /*ok_is_nonsense=*/true);
        if (broken_) return status;
        if (!joined) continue;
        joined = false;
        if (absl::IsOutOfRange(status)) {
          at_end = true;
        } else {
          failure = status;
        }
        continue;
      }
      SftpReader reader(packet.body);
      const absl::string_view data = reader.String();
      if (!reader.ok() || data.empty() || data.size() > kChunk) return Nonsense("broken data");
      if (!joined) continue;
      content.append(data.data(), data.size());
      if (data.size() < kChunk) {
        joined = false;
        if (++short_answers > kMaxShortAnswers) return Nonsense("a file in crumbs");
      }
    }
    TL_RETURN_IF_ERROR(failure);
    if (content.size() > max_bytes) return too_large;
  }
  return content;
}

absl::StatusOr<std::string> SftpClient::ReadFile(absl::string_view path, uint64_t max_bytes) {
  const std::string arguments = SftpWriter().String(path).Int(sftp::kOpenRead).Int(0).bytes();
  TL_ASSIGN_OR_RETURN(const std::string handle, Handle(sftp::kOpen, arguments, path));
  absl::StatusOr<std::string> content = ReadAll(handle, path, max_bytes);
  if (!broken_) {
    const absl::Status closed = CloseHandle(handle, path);
    if (content.ok()) TL_RETURN_IF_ERROR(closed);
  }
  return content;
}

absl::Status SftpClient::WriteAll(absl::string_view handle, absl::string_view path,
                                  absl::string_view bytes) {
  std::deque<uint32_t> in_flight;
  absl::Status failure;
  const auto collect = [&]() {
    const absl::Status status = StatusAnswer(in_flight.front(), path);
    in_flight.pop_front();
    if (failure.ok()) failure = status;
  };
  for (size_t offset = 0; offset < bytes.size() && failure.ok(); offset += kChunk) {
    TL_ASSIGN_OR_RETURN(
        const uint32_t id,
        Request(
            sftp::kWrite,
            SftpWriter().String(handle).Long(offset).String(bytes.substr(offset, kChunk)).bytes()));
    in_flight.push_back(id);
    if (in_flight.size() >= kWindow) collect();
    if (broken_) return failure;
  }
  while (!in_flight.empty() && !broken_) collect();
  if (failure.ok() && can_fsync_) {
    TL_ASSIGN_OR_RETURN(
        const uint32_t id,
        Request(sftp::kExtended, SftpWriter().String("fsync@openssh.com").String(handle).bytes()));
    failure = StatusAnswer(id, path);
  }
  return failure;
}

absl::Status SftpClient::WriteNewFile(absl::string_view path, absl::string_view bytes) {
  const std::string arguments =
      SftpWriter()
          .String(path)
          .Int(sftp::kOpenWrite | sftp::kOpenCreate | sftp::kOpenExclusive)
          .Int(0)
          .bytes();
  TL_ASSIGN_OR_RETURN(const std::string handle, Handle(sftp::kOpen, arguments, path));
  const absl::Status written = WriteAll(handle, path, bytes);
  if (broken_) return written;
  const absl::Status closed = CloseHandle(handle, path);
  return written.ok() ? closed : written;
}

absl::Status SftpClient::Rename(absl::string_view from, absl::string_view to) {
  TL_ASSIGN_OR_RETURN(const uint32_t id,
                      Request(sftp::kRename, SftpWriter().String(from).String(to).bytes()));
  return StatusAnswer(id, to);
}

absl::Status SftpClient::MakeDirectory(absl::string_view path) {
  TL_ASSIGN_OR_RETURN(const uint32_t id,
                      Request(sftp::kMkdir, SftpWriter().String(path).Int(0).bytes()));
  return StatusAnswer(id, path);
}

absl::Status SftpClient::Remove(absl::string_view path) {
  TL_ASSIGN_OR_RETURN(const uint32_t id, Request(sftp::kRemove, SftpWriter().String(path).bytes()));
  return StatusAnswer(id, path);
}

absl::StatusOr<uint64_t> SftpClient::FreeBytes(absl::string_view path) {
  if (!can_statvfs_) return absl::UnimplementedError("the server does not tell its free space");
  TL_ASSIGN_OR_RETURN(
      const uint32_t id,
      Request(sftp::kExtended, SftpWriter().String("statvfs@openssh.com").String(path).bytes()));
  TL_ASSIGN_OR_RETURN(const Packet packet, Answer(id));
  if (packet.type != sftp::kExtendedReply) return ToStatus(packet, path, /*ok_is_nonsense=*/true);
  SftpReader reader(packet.body);
  reader.Long();  // block size
  const uint64_t unit = reader.Long();
  reader.Long();  // blocks
  reader.Long();  // free blocks
  const uint64_t available = reader.Long();
  if (!reader.ok()) return Nonsense("a statvfs answer cut short");
  if (unit != 0 && available > UINT64_MAX / unit) return UINT64_MAX;
  return unit * available;
}

}  // namespace trustline
