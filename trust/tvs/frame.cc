#include "trust/tvs/frame.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace trustline {
namespace {

constexpr uint8_t kProtocol = 0x57;
constexpr uint8_t kVersion = 1;
constexpr size_t kCommandAt = 2, kReservedAt = 3, kSessionAt = 4, kLengthAt = 8;

uint32_t ReadNumber(absl::string_view bytes, size_t at, size_t size) {
  uint32_t number = 0;
  for (size_t i = 0; i < size; ++i) number = number << 8 | static_cast<uint8_t>(bytes[at + i]);
  return number;
}

void AppendNumber(uint32_t value, int bytes, std::string& out) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift));
  }
}

}  // namespace

absl::StatusOr<std::string> EncodeTvsFrame(const TvsFrame& frame) {
  if (frame.body.size() > kTvsMaxBody) {
    return absl::InvalidArgumentError(
        absl::StrCat("a TVS body of ", frame.body.size(), " bytes; ", kTvsMaxBody, " is the most"));
  }
  std::string out;
  out.reserve(kTvsHeaderBytes + frame.body.size());
  AppendNumber(kProtocol, 1, out);
  AppendNumber(kVersion, 1, out);
  AppendNumber(frame.command, 1, out);
  AppendNumber(frame.reserved, 1, out);
  AppendNumber(frame.session, 4, out);
  AppendNumber(static_cast<uint32_t>(frame.body.size()), 2, out);
  return out + frame.body;
}

absl::StatusOr<size_t> TvsFrameDecoder::Feed(absl::string_view bytes) {
  if (!failed_.ok()) return failed_;
  size_t taken = 0;
  while (!ready_ && taken < bytes.size()) {
    const bool in_header = buffer_.size() < kTvsHeaderBytes;
    const size_t wanted =
        (in_header ? kTvsHeaderBytes : kTvsHeaderBytes + body_size_) - buffer_.size();
    const size_t part = std::min(wanted, bytes.size() - taken);
    buffer_.append(bytes.data() + taken, part);
    taken += part;
    if (in_header) {
      if (absl::Status status = CheckHeader(); !status.ok()) {
        buffer_.clear();
        failed_ = status;
        return status;
      }
    }
    ready_ = buffer_.size() >= kTvsHeaderBytes && buffer_.size() == kTvsHeaderBytes + body_size_;
  }
  return taken;
}

absl::Status TvsFrameDecoder::CheckHeader() {
  const auto byte = [this](size_t at) { return static_cast<uint8_t>(buffer_[at]); };
  if (byte(0) != kProtocol) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "not a TVS frame: it begins with 0x%02x, 0x%02x expected", byte(0), kProtocol));
  }
  if (buffer_.size() > 1 && byte(1) != kVersion) {
    return absl::InvalidArgumentError(
        absl::StrCat("TVS version ", byte(1), " is unknown; ", kVersion, " expected"));
  }
  if (buffer_.size() < kTvsHeaderBytes) return absl::OkStatus();
  body_size_ = ReadNumber(buffer_, kLengthAt, 2);
  if (body_size_ > max_body_) {
    return absl::ResourceExhaustedError(absl::StrCat("a TVS frame announces a body of ", body_size_,
                                                     " bytes; ", max_body_, " is the most taken"));
  }
  return absl::OkStatus();
}

TvsFrame TvsFrameDecoder::Take() {
  TvsFrame frame;
  if (!ready_) return frame;
  frame.command = static_cast<uint8_t>(buffer_[kCommandAt]);
  frame.reserved = static_cast<uint8_t>(buffer_[kReservedAt]);
  frame.session = ReadNumber(buffer_, kSessionAt, 4);
  frame.body = buffer_.substr(kTvsHeaderBytes);
  buffer_.clear();
  ready_ = false;
  return frame;
}

}  // namespace trustline
