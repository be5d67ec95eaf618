// TVS connections, both directions: what a phone or a service sends, in pieces.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tests/fuzz/require.h"
#include "trust/tvs/frame.h"
#include "trust/tvs/message.h"

namespace trustline {
namespace {

// All frames of a stream that arrives in pieces of `step` bytes, and whether it ended in an error.
struct Stream {
  std::vector<TvsFrame> frames;
  bool failed = false;
};
Stream Decode(absl::string_view bytes, size_t step, size_t max_body) {
  Stream stream;
  TvsFrameDecoder decoder(max_body);
  while (!bytes.empty()) {
    const absl::string_view piece = bytes.substr(0, std::min(step, bytes.size()));
    const absl::StatusOr<size_t> taken = decoder.Feed(piece);
    if (!taken.ok()) {
      FUZZ_REQUIRE(!decoder.Feed("W").ok());
      stream.failed = true;
      return stream;
    }
    FUZZ_REQUIRE(*taken <= piece.size() && (*taken > 0 || decoder.ready()));
    bytes.remove_prefix(*taken);
    if (!decoder.ready()) continue;
    stream.frames.push_back(decoder.Take());
    FUZZ_REQUIRE(stream.frames.back().body.size() <= max_body);
  }
  return stream;
}

void TryFrame(const TvsFrame& frame) {
  const absl::StatusOr<std::string> bytes = EncodeTvsFrame(frame);
  FUZZ_REQUIRE(bytes.ok() && bytes->size() == kTvsHeaderBytes + frame.body.size());
  const absl::StatusOr<TvsRequest> request = DecodeTvsRequest(frame);
  if (request.ok()) {
    TvsLookupKey(request->serial, request->issuer);
    // What is sent again says the same. Unknown elements and odd texts are not sent.
    if (const absl::StatusOr<std::string> again = EncodeTvsRequest(*request); again.ok()) {
      const Stream stream = Decode(*again, again->size(), kTvsMaxBody);
      FUZZ_REQUIRE(!stream.failed && stream.frames.size() == 1);
      const absl::StatusOr<TvsRequest> second = DecodeTvsRequest(stream.frames[0]);
      FUZZ_REQUIRE(second.ok() && second->kind == request->kind &&
                   second->device == request->device);
      // Each kind sends its own elements only.
      if (request->kind == TvsKind::kVerify) {
        FUZZ_REQUIRE(second->certificate == request->certificate);
      } else {
        FUZZ_REQUIRE(second->serial == request->serial && second->issuer == request->issuer &&
                     second->subject == request->subject);
      }
    }
  }
  const absl::StatusOr<TvsReply> reply = DecodeTvsReply(frame);
  FUZZ_REQUIRE(!request.ok() || !reply.ok());  // a command has one direction
  if (!reply.ok()) return;
  TvsRequest asked;
  asked.kind = reply->kind;
  asked.session = reply->session;
  asked.serial = "\x12\x34";
  asked.issuer = "CN=a";
  CheckTvsReply(*reply, asked).IgnoreError();
  if (const absl::StatusOr<std::string> again = EncodeTvsReply(*reply); again.ok()) {
    const Stream stream = Decode(*again, 1, kTvsMaxBody);
    FUZZ_REQUIRE(!stream.failed && stream.frames.size() == 1);
    const absl::StatusOr<TvsReply> second = DecodeTvsReply(stream.frames[0]);
    FUZZ_REQUIRE(second.ok() && second->status == reply->status && second->roles == reply->roles &&
                 second->ttl == reply->ttl && second->certificate == reply->certificate);
  }
}

// The first byte says in which pieces the rest arrives.
void Try(absl::string_view bytes) {
  if (bytes.empty()) return;
  const size_t step = static_cast<uint8_t>(bytes[0]) + 1;
  bytes.remove_prefix(1);
  const Stream whole = Decode(bytes, bytes.size(), kTvsMaxBody);
  const Stream pieces = Decode(bytes, step, kTvsMaxBody);
  FUZZ_REQUIRE(whole.frames.size() == pieces.frames.size() && whole.failed == pieces.failed);
  Decode(bytes, step, 100);
  for (size_t i = 0; i < whole.frames.size(); ++i) {
    FUZZ_REQUIRE(whole.frames[i].body == pieces.frames[i].body);
    TryFrame(whole.frames[i]);
  }
}

}  // namespace
}  // namespace trustline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  trustline::Try(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
