// Frames of the Trust Verification Service (TCP 2445 inside TLS), big-endian:
//   0x57, version 1, command, reserved, session id (4), body length (2), body.
// Requests carry 0 as reserved byte, a real cluster answered with 0xf7: it is kept and never
// checked. Source: domain facts (a vendor's trace of one exchange, open implementations).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace trustline {

inline constexpr size_t kTvsHeaderBytes = 10;
inline constexpr size_t kTvsMaxBody = 0xffff;

// What the command byte says. Others are possible on the wire.
enum TvsCommand : uint8_t {
  kTvsVerifyRequest = 1,
  kTvsVerifyResponse = 2,
  kTvsQueryRequest = 3,
  kTvsQueryResponse = 4,
};

struct TvsFrame {
  uint8_t command = 0;
  uint8_t reserved = 0;
  uint32_t session = 0;
  std::string body;
};

// InvalidArgument for a body over 65,535 bytes.
absl::StatusOr<std::string> EncodeTvsFrame(const TvsFrame& frame);

// Puts frames together from pieces as a connection delivers them. Holds one frame's bytes at most,
// and only bytes that have really come: a length in a header allocates nothing. Thread-compatible.
class TvsFrameDecoder {
 public:
  // `max_body`: a longer body is refused as soon as the header has said its length.
  explicit TvsFrameDecoder(size_t max_body = kTvsMaxBody) : max_body_(max_body) {}

  // Takes bytes up to the end of the frame that has begun and returns how many it took; 0 when a
  // frame is ready and must be taken first. InvalidArgument: this is not TVS (said at the first
  // wrong byte). ResourceExhausted: the body is too long. After an error the connection is of no
  // more use, and every further call returns it again.
  absl::StatusOr<size_t> Feed(absl::string_view bytes);
  bool ready() const { return ready_; }
  // The frame, once ready(); the decoder then waits for the next one.
  TvsFrame Take();
  // Whether a frame has begun and is not complete: a connection that ends now was cut off.
  bool in_frame() const { return !ready_ && !buffer_.empty(); }

 private:
  absl::Status CheckHeader();

  size_t max_body_;
  std::string buffer_;    // header and body
  size_t body_size_ = 0;  // valid once the header is complete
  bool ready_ = false;
  absl::Status failed_;
};

}  // namespace trustline
