// Elements as Cisco's trust lists, signed files and TVS frames carry them: tag (1 byte), length (2
// bytes, big-endian), value. In file headers a lone byte 0x0d is padding and has no length. Source:
// domain facts of the formats (vendor dumps). No third-party code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trustline {

struct TlvElement {
  uint8_t tag = 0;
  absl::string_view value;  // a view into what is read
  size_t offset = 0;        // of the tag, from the start of what is read

  // InvalidArgument unless the value has exactly that size.
  absl::StatusOr<uint8_t> Uint8() const;
  absl::StatusOr<uint16_t> Uint16() const;
  absl::StatusOr<uint32_t> Uint32() const;
  // The value without the NUL at its end (tolerated when missing). InvalidArgument when a NUL is
  // inside: readers would disagree on where the text ends.
  absl::StatusOr<std::string> Text() const;
};

// Walks elements and never reads outside of `bytes`, which must outlive it. Thread-compatible.
class TlvReader {
 public:
  enum class Padding { kNone, kLoneBytes };
  // Starts at byte `start` of `bytes`; offsets count from byte 0.
  TlvReader(absl::string_view bytes, Padding padding, size_t start = 0)
      : bytes_(bytes), padding_(padding), at_(start) {}

  // The next element; nullopt at the end. InvalidArgument when one runs over the end; the reader
  // then stays where it is.
  absl::StatusOr<std::optional<TlvElement>> Next();
  // Instead of skipping over the value of the element that Next() just gave, go on with what is
  // inside it.
  void StepInto(const TlvElement& container) { at_ = container.offset + 3; }

 private:
  absl::string_view bytes_;
  Padding padding_;
  size_t at_;
};

// InvalidArgument for a value over 65,535 bytes; `out` is then unchanged.
absl::Status AppendTlv(uint8_t tag, absl::string_view value, std::string& out);
void AppendTlv8(uint8_t tag, uint8_t value, std::string& out);
void AppendTlv16(uint8_t tag, uint16_t value, std::string& out);
void AppendTlv32(uint8_t tag, uint32_t value, std::string& out);
// The text and its NUL. InvalidArgument for a text with a NUL inside.
absl::Status AppendTlvText(uint8_t tag, absl::string_view text, std::string& out);

}  // namespace trustline
