#include "trust/tlv_element.h"

#include "absl/strings/str_cat.h"

namespace trustline {
namespace {

constexpr size_t kElementHeader = 3;
constexpr size_t kMaxValue = 0xffff;
constexpr uint8_t kPadding = 0x0d;

uint8_t Byte(absl::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }

void AppendNumber(uint32_t value, int bytes, std::string& out) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift));
  }
}

void AppendHead(uint8_t tag, size_t size, std::string& out) {
  out.push_back(static_cast<char>(tag));
  AppendNumber(static_cast<uint32_t>(size), 2, out);
}

absl::StatusOr<uint32_t> ReadNumber(const TlvElement& element, size_t bytes) {
  if (element.value.size() != bytes) {
    return absl::InvalidArgumentError(absl::StrCat("element ", element.tag, " at byte ",
                                                   element.offset, " has ", element.value.size(),
                                                   " bytes, ", bytes, " expected"));
  }
  uint32_t number = 0;
  for (size_t i = 0; i < bytes; ++i) number = number << 8 | Byte(element.value, i);
  return number;
}

}  // namespace

absl::StatusOr<uint8_t> TlvElement::Uint8() const {
  const absl::StatusOr<uint32_t> number = ReadNumber(*this, 1);
  if (!number.ok()) return number.status();
  return static_cast<uint8_t>(*number);
}

absl::StatusOr<uint16_t> TlvElement::Uint16() const {
  const absl::StatusOr<uint32_t> number = ReadNumber(*this, 2);
  if (!number.ok()) return number.status();
  return static_cast<uint16_t>(*number);
}

absl::StatusOr<uint32_t> TlvElement::Uint32() const { return ReadNumber(*this, 4); }

absl::StatusOr<std::string> TlvElement::Text() const {
  absl::string_view text = value;
  if (!text.empty() && text.back() == '\0') text.remove_suffix(1);
  if (text.find('\0') != absl::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("element ", tag, " at byte ", offset, " has a NUL inside its text"));
  }
  return std::string(text);
}

absl::StatusOr<std::optional<TlvElement>> TlvReader::Next() {
  if (padding_ == Padding::kLoneBytes) {
    while (at_ < bytes_.size() && Byte(bytes_, at_) == kPadding) ++at_;
  }
  if (at_ >= bytes_.size()) return std::nullopt;
  const size_t left = bytes_.size() - at_;
  if (left < kElementHeader) {
    return absl::InvalidArgumentError(absl::StrCat("element ", Byte(bytes_, at_), " at byte ", at_,
                                                   " is cut off within its length"));
  }
  TlvElement element;
  element.tag = Byte(bytes_, at_);
  element.offset = at_;
  const size_t size = Byte(bytes_, at_ + 1) << 8 | Byte(bytes_, at_ + 2);
  if (size > left - kElementHeader) {
    return absl::InvalidArgumentError(absl::StrCat("element ", element.tag, " at byte ", at_,
                                                   " claims ", size, " bytes where ",
                                                   left - kElementHeader, " are left"));
  }
  element.value = bytes_.substr(at_ + kElementHeader, size);
  at_ += kElementHeader + size;
  return element;
}

absl::Status AppendTlv(uint8_t tag, absl::string_view value, std::string& out) {
  if (value.size() > kMaxValue) {
    return absl::InvalidArgumentError(absl::StrCat("element ", tag, " would need ", value.size(),
                                                   " bytes, more than the ", kMaxValue,
                                                   " that it can have"));
  }
  AppendHead(tag, value.size(), out);
  absl::StrAppend(&out, value);
  return absl::OkStatus();
}

void AppendTlv8(uint8_t tag, uint8_t value, std::string& out) {
  AppendHead(tag, 1, out);
  AppendNumber(value, 1, out);
}

void AppendTlv16(uint8_t tag, uint16_t value, std::string& out) {
  AppendHead(tag, 2, out);
  AppendNumber(value, 2, out);
}

void AppendTlv32(uint8_t tag, uint32_t value, std::string& out) {
  AppendHead(tag, 4, out);
  AppendNumber(value, 4, out);
}

absl::Status AppendTlvText(uint8_t tag, absl::string_view text, std::string& out) {
  if (text.find('\0') != absl::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("element ", tag, " cannot carry a text with a NUL inside"));
  }
  return AppendTlv(tag, absl::StrCat(text, absl::string_view("\0", 1)), out);
}

}  // namespace trustline
