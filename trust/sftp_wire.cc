#include "trust/sftp_wire.h"

namespace trustline {

SftpWriter& SftpWriter::Byte(uint8_t value) {
  bytes_.push_back(static_cast<char>(value));
  return *this;
}

SftpWriter& SftpWriter::Int(uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) Byte(static_cast<uint8_t>(value >> shift));
  return *this;
}

SftpWriter& SftpWriter::Long(uint64_t value) {
  return Int(static_cast<uint32_t>(value >> 32)).Int(static_cast<uint32_t>(value));
}

SftpWriter& SftpWriter::String(absl::string_view value) {
  return Int(static_cast<uint32_t>(value.size())).Raw(value);
}

SftpWriter& SftpWriter::Raw(absl::string_view value) {
  bytes_.append(value.data(), value.size());
  return *this;
}

std::string SftpWriter::Packet() const {
  SftpWriter packet;
  packet.bytes_.reserve(bytes_.size() + 4);
  return packet.String(bytes_).bytes_;
}

absl::string_view SftpReader::Take(size_t count) {
  if (!ok_ || rest_.size() < count) {
    ok_ = false;
    rest_ = absl::string_view();
    return absl::string_view();
  }
  const absl::string_view taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}

uint8_t SftpReader::Byte() {
  const absl::string_view taken = Take(1);
  return taken.empty() ? 0 : static_cast<uint8_t>(taken[0]);
}

uint32_t SftpReader::Int() {
  uint32_t value = 0;
  for (const char c : Take(4)) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

uint64_t SftpReader::Long() {
  uint64_t value = 0;
  for (const char c : Take(8)) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

absl::string_view SftpReader::String() {
  const uint32_t length = Int();
  return Take(length);
}

SftpAttributes SftpReader::Attributes() {
  SftpAttributes attributes;
  const uint32_t flags = Int();
  if (flags & 0x1) attributes.size = Long();
  if (flags & 0x2) Long();  // uid, gid
  if (flags & 0x4) attributes.permissions = Int();
  if (flags & 0x8) Long();  // atime, mtime
  if (flags & 0x80000000) {
    // Each pair takes eight bytes at least, so a count that is too large ends at the end of the
    // packet.
    for (uint32_t count = Int(); count > 0 && ok_; --count) {
      String();
      String();
    }
  }
  return attributes;
}

bool IsPathPart(absl::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.size() <= 255 &&
         name.find('/') == absl::string_view::npos && name.find('\0') == absl::string_view::npos;
}

}  // namespace trustline
